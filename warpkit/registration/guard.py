"""Whether a registration may be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .certainty import Certainty
from .dense import DenseMotion
from .motions import Motion
from .pyramid import Level

# Slopes are compared on the smallest level that has so many pixels along its shorter side.
_GUARD_SIDE = 64


def slope_correlation(levels: list[Level], motion: Motion | DenseMotion) -> float:
    """The correlation of both pictures' differences between neighbours."""
    level = next((one for one in reversed(levels) if min(one.shape) >= _GUARD_SIDE), levels[-1])
    warped, fixed = level.warped(motion.at(level.scale)).astype(np.float64), level.fixed.astype(np.float64)
    product = squares = other_squares = 0.0
    for axis in (1, 2):
        a, b = np.diff(warped, axis=axis), np.diff(fixed, axis=axis)
        known = ~np.isnan(a + b)
        a, b = np.where(known, a, 0), np.where(known, b, 0)
        product, squares, other_squares = product + (a * b).sum(), squares + (a * a).sum(), other_squares + (b * b).sum()
    return product / np.sqrt(squares * other_squares) if squares > 0 and other_squares > 0 else 0.0


class Limits(NamedTuple):
    """What a registration that is trusted has: at least this overlap and this correlation of slopes, at most this error."""

    overlap: float
    correlation: float
    corner_error: float


def doubt(settled: bool, overlap: float, slopes: float, known: Certainty | None, limits: Limits) -> str:
    """Why a registration may not be trusted; empty if it may."""
    if overlap < limits.overlap:
        return f"the pictures overlap by {overlap:.0%} of the fixed one, less than {limits.overlap:.0%}"
    if not slopes >= limits.correlation:
        return f"the aligned pictures' slopes correlate by {slopes:.2f}, less than {limits.correlation:.2f}"
    if known is not None and known.corner_error > limits.corner_error:
        known_to = f"known to {known.corner_error:.2g} pixels only" if known.corner_error < np.inf else "not determined"
        return (
            f"the pictures show too little, or more than one motion: the corners are {known_to}, not to {limits.corner_error:g}"
        )
    if not settled:
        return "steps did not become short"
    return ""
