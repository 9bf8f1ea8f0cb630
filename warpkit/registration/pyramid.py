"""Pictures made smaller by halves, for motions to be found from afar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..interpolations import Cubic, Interpolation
from ..kernels.alignment import smooth_rows
from ..kernels.rows import Origins
from ..kernels.stages import frozen
from ..spline_coefficients import coefficients
from ..threads import ComputedOnce, run_ranges
from ..transforms import Transform

# The smallest level has a shorter side of at least so many pixels, and at most twice as many.
_COARSEST_SIDE = 24
# Halves of smaller pictures are too small to say whether slopes agree.
_SMALL_SIDE = 128
_NANOSECONDS = 0.6

# The weights of a cubic spline's coefficients.
_B_SPLINE = Cubic(1, 0)

Planes = NDArray[np.float32]


class Pair(NamedTuple):
    """Both pictures at the full size."""

    moving: Planes
    fixed: Planes


# The sum of the squares of the filter's weights, along both axes: what it leaves of white noise's variance.
_NOISE_LEFT = (70 / 256) ** 2


@dataclass(frozen=True)
class Level:
    """Both pictures at one size: pixel (x, y) lies at (scale x, scale y) of the originals. NaN: not known."""

    scale: int
    moving: Planes  # (C, H, W); where not smoothed, of coefficients of the cubic spline through the pixels
    fixed: Planes  # (C, rows, columns)
    weights: NDArray[np.float32]  # (rows, columns) or empty
    is_smooth: bool = True

    @property
    def noise_left(self) -> float:
        """How much of white noise's variance the level shows."""
        return _NOISE_LEFT if self.is_smooth else 1.0

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.fixed.shape[1:]
        return rows, columns

    def warped(self, inverse_map: Transform, top: int = 0, bottom: int | None = None) -> Planes:
        """The moving picture on rows ``top`` to ``bottom`` of the fixed one's pixels; NaN where one of the pixels that make it
        is not known."""
        rows, columns = self.shape
        out = np.empty((len(self.moving), (rows if bottom is None else bottom) - top, columns), np.float32)
        engine.forward_into(self._identity._replace(pipeline=inverse_map.pipeline, origins=Origins(row=top)), out)
        return out

    @ComputedOnce
    def _identity(self) -> engine.Problem:
        kernel: Interpolation = "bilinear" if self.is_smooth else _B_SPLINE
        job = engine.problem("moving", self.moving, engine.NO_STAGES, engine.NO_GRID, kernel, "constant", 0.0, 0.01)
        return job._replace(fill=np.full(1, np.nan, np.float32))


class Room:
    """Memory for the planes of all levels, one piece after the other of one array.

    Fresh pages cost as much as the filter that fills them. One large array has large pages, or those of the call before.
    """

    def __init__(self, *pictures: NDArray[Any]) -> None:
        """For the levels of ``pictures`` (C, H, W): each has a quarter of the pixels, rounded up, of the one before."""
        self._left = np.empty(sum(4 * planes.size // 3 + 4 * sum(planes.shape) for planes in pictures), np.float32)

    def planes(self, count: int, rows: int, columns: int) -> Planes:
        """The next piece; an array of its own where none is left."""
        size = count * rows * columns
        if size > self._left.size:
            return np.empty((count, rows, columns), np.float32)
        piece, self._left = self._left[:size], self._left[size:]
        return piece.reshape(count, rows, columns)


def pyramid(sharp: Pair | None, smooth: Pair, weights: NDArray[np.float32], room: Room) -> list[Level]:
    """All levels, the largest first: the pictures as they are, if they are given, then smoothed and smaller by halves.

    Smoothing takes away noise that the slopes would be made of, and what would alias. At last it would only blur both pictures
    differently, as bilinear sampling would, and move the result by some hundredths of a pixel. Where the sharp pictures are
    given, the smooth ones begin with the half size, unless they are small.
    """
    levels = [] if sharp is None else [Level(1, _spline(sharp.moving), sharp.fixed, weights, is_smooth=False)]
    moving, fixed = smooth
    if sharp is None or min(*moving.shape[1:], *fixed.shape[1:]) < _SMALL_SIDE:
        levels.append(Level(1, moving, fixed, weights))
    scale = 1
    while min(*moving.shape[1:], *fixed.shape[1:]) >= 2 * _COARSEST_SIDE:
        moving, fixed = _smaller(moving, room), _smaller(fixed, room)
        weights = _smaller(weights[None], room)[0] if weights.size else weights
        scale *= 2
        levels.append(Level(scale, moving, fixed, weights))
    return levels


def _spline(planes: Planes) -> Planes:
    """Coefficients of the cubic spline through each plane, which nothing that is not known takes part in."""
    unknown = np.isnan(planes)
    values = np.where(unknown, np.float32(0), planes)[..., None]
    found = coefficients("moving", values, engine.border_code("symmetric"), np.zeros(1, np.float32))[..., 0]
    found[unknown] = np.nan
    return np.asarray(found)


def _smaller(planes: Planes, room: Room) -> Planes:
    return smoothed(planes, 2, np.zeros(len(planes)), np.ones(len(planes)), room)


def smoothed(planes: NDArray[Any], step: int, means: NDArray[np.float64], scales: NDArray[np.float64], room: Room) -> Planes:
    """Every ``step``-th pixel of planes of uint8 or float32, less a mean and times a scale for each, smoothed; from what is
    known, where that is at least half of the weight."""
    count, rows, columns = planes.shape
    smooth = room.planes(count, -(-rows // step), -(-columns // step))
    for plane, mean, scale, out in zip(planes, means.astype(np.float32), scales.astype(np.float32), smooth, strict=True):
        if _smooth(plane, mean, scale, step, out) == 0:
            continue
        known, share = np.isfinite(plane), np.empty_like(out)
        zero, one = np.float32(0), np.float32(1)
        _smooth(known.astype(np.float32), zero, one, step, share)
        _smooth(np.where(known, (plane - mean) * scale, zero), zero, one, step, out)
        out[:] = np.divide(out, share, out=np.full_like(out, np.nan), where=share >= 0.5)
    return smooth


def _smooth(plane: NDArray[Any], mean: np.float32, scale: np.float32, step: int, out: NDArray[np.float32]) -> int:
    """Returns how many rows of ``out`` are not finite."""
    source, nanoseconds = frozen(plane), step * plane.shape[1] * _NANOSECONDS
    return run_ranges(lambda first, last: smooth_rows(source, mean, scale, step, out, first, last), len(out), nanoseconds)
