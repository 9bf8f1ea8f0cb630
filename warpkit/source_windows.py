"""Which rows and columns of the source a set of points is sampled from."""

from __future__ import annotations

import math
from typing import NamedTuple

from .kernels.taps import BILINEAR, EDGE, NEAREST, WRAP


class Hull(NamedTuple):
    """The box around the points of the source that are not just the fill."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float


def taps_of_axis(low: float, high: float, size: int, interpolation: int, mode: int) -> tuple[int, int] | None:
    """The first and the last pixel that coordinates from ``low`` to ``high`` read along an axis, None if there is none.

    Taken for a whole axis, they have the same border: where a rule leads back into the picture, all between is among them.
    """
    farthest = 3.0 * size + 64.0
    low, high = max(low, -farthest), min(high, farthest)
    if interpolation == NEAREST:
        first, last = _nearest(low), _nearest(high)
    elif interpolation == BILINEAR:
        first, last = math.floor(low), math.ceil(high)
    else:
        first, last = math.floor(low) + 1 - interpolation, math.floor(high) + interpolation
    if first >= 0 and last < size:
        return first, last
    if mode < EDGE:
        first, last = max(first, 0), min(last, size - 1)
        return (first, last) if first <= last else None
    if mode == EDGE:
        return min(max(first, 0), size - 1), min(max(last, 0), size - 1)
    if mode == WRAP or (first < 0 and last >= size):
        return 0, size - 1
    if first < 0:
        return 0, min(max(last, -first), size - 1)
    return max(min(first, 2 * (size - 1) - last), 0), size - 1


def _nearest(x: float) -> int:
    whole = math.floor(x)
    return whole + (x - whole >= 0.5)
