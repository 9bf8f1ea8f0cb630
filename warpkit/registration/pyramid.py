"""Pictures made smaller by halves, for motions to be found from afar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..interpolations import Cubic, Interpolation
from ..kernels.alignment import smooth_rows
from ..kernels.stages import frozen
from ..spline_coefficients import coefficients
from ..threads import run_ranges
from ..transforms import Transform

# The smallest level has a shorter side of at least so many pixels, and at most twice as many.
_COARSEST_SIDE = 24
# Halves of smaller pictures are too small to say whether slopes agree.
_SMALL_SIDE = 128
_NANOSECONDS = 0.6

# White noise of variance 1 has this variance after the filter; sums of it with slopes, which are smooth, keep theirs.
_LEFT_OF_NOISE = (70 / 256) ** 2

# The weights of a cubic spline's coefficients.
_B_SPLINE = Cubic(1, 0)

Planes = NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """Both pictures at one size: pixel (x, y) lies at (scale x, scale y) of the originals. NaN: not known."""

    scale: int
    moving: Planes  # (C, H, W); where not smoothed, of coefficients of the cubic spline through the pixels
    fixed: Planes  # (C, rows, columns)
    weights: NDArray[np.float32]  # (rows, columns) or empty
    is_smooth: bool = True

    @property
    def left_of_noise(self) -> float:
        return _LEFT_OF_NOISE if self.is_smooth else 1.0

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.fixed.shape[1:]
        return rows, columns

    def warped(self, inverse_map: Transform) -> Planes:
        """The moving picture on the fixed one's pixels; NaN where one of the pixels that make it is not known."""
        out = np.empty((len(self.moving), *self.shape), np.float32)
        kernel: Interpolation = "bilinear" if self.is_smooth else _B_SPLINE
        job = engine.problem("moving", self.moving, inverse_map.pipeline, engine.NO_GRID, kernel, "constant", 0.0, 0.01)
        engine.forward_into(job._replace(fill=np.full(1, np.nan, np.float32)), out)
        return out


def pyramid(moving: Planes, fixed: Planes, weights: NDArray[np.float32], is_full_smoothed: bool = False) -> list[Level]:
    """All levels, the largest first: the pictures as they are, then smoothed and smaller by halves.

    Smoothing takes away noise that the slopes would be made of, and what would alias. At last it would only blur both pictures
    differently, as bilinear sampling would, and move the result by some hundredths of a pixel. With ``is_full_smoothed``, and
    of small pictures, the second level is the first one smoothed.
    """
    levels = [Level(1, _spline(moving), fixed, weights, is_smooth=False)]
    if is_full_smoothed or min(*moving.shape[1:], *fixed.shape[1:]) < _SMALL_SIDE:
        moving, fixed = _smaller(moving, 1), _smaller(fixed, 1)
        levels.append(Level(1, moving, fixed, weights))
    while min(*moving.shape[1:], *fixed.shape[1:]) >= 2 * _COARSEST_SIDE:
        moving, fixed = _smaller(moving, 2), _smaller(fixed, 2)
        weights = _smaller(weights[None], 2)[0] if weights.size else weights
        levels.append(Level(2 * levels[-1].scale, moving, fixed, weights))
    return levels


def _spline(planes: Planes) -> Planes:
    """Coefficients of the cubic spline through each plane, which nothing that is not known takes part in."""
    unknown = np.isnan(planes)
    values = np.where(unknown, np.float32(0), planes)[..., None]
    found = coefficients("moving", values, engine.border_code("symmetric"), np.zeros(1, np.float32))[..., 0]
    found[unknown] = np.nan
    return np.asarray(found)


def _smaller(planes: Planes, step: int) -> Planes:
    """Each plane smoothed, every ``step``-th pixel of it; from what is known, where that is at least half of the weight."""
    count, rows, columns = planes.shape
    smaller = np.empty((count, -(-rows // step), -(-columns // step)), np.float32)
    for plane, out in zip(planes, smaller, strict=True):
        unknown = np.isnan(plane)
        if not unknown.any():
            _smooth(plane, step, out)
            continue
        share, total = np.empty_like(out), np.empty_like(out)
        _smooth((~unknown).astype(np.float32), step, share)
        _smooth(np.where(unknown, np.float32(0), plane), step, total)
        out[:] = np.divide(total, share, out=np.full_like(total, np.nan), where=share >= 0.5)
    return smaller


def _smooth(plane: NDArray[np.float32], step: int, out: NDArray[np.float32]) -> None:
    source, nanoseconds = frozen(plane), step * plane.shape[1] * _NANOSECONDS
    run_ranges(lambda first, last: smooth_rows(source, step, out, first, last), len(out), nanoseconds)
