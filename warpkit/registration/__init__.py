"""Align two pictures."""

from .register import register
from .result import Record, Registration

__all__ = ["Record", "Registration", "register"]
