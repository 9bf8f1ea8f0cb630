"""What options may be: numbers, and sizes of canvases."""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.ParamType):  # type: ignore[type-arg]
    """A finite number."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"expected a finite number, got {value!r}", param, ctx)
        return number


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers separated by commas or spaces, such as 1.5,2."""

    def __init__(self, *counts: int, metavar: str) -> None:
        self.counts = counts
        self.name = metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        parts = value if isinstance(value, (tuple, list)) else str(value).replace(",", " ").split()
        try:
            numbers = tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            numbers = ()
        if len(numbers) not in self.counts or not all(map(math.isfinite, numbers)):
            self.fail(f"expected {self.name}, got {value!r}", param, ctx)
        return numbers


class CanvasSize(click.ParamType):  # type: ignore[type-arg]
    """WxH, same or fit."""

    name = "WxH|same|fit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in ("same", "fit") or isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"expected a size such as 640x480, or same, or fit, got {value!r}", param, ctx)
        return int(width), int(height)
