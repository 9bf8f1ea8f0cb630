"""Errors that belong to one picture: told in a line, and the batch goes on."""

from __future__ import annotations


class PictureError(Exception):
    """A picture, or another file, that cannot be read, made or written, with the reason in one line."""


class BusyError(PictureError):
    """Another process is writing the same file now."""


class DiskFullError(PictureError):
    """No space is left: all pictures that follow would fail in the same way."""
