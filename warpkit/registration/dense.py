"""Dense registration: a displacement for each pixel, smooth but for edges, by total variation and absolute residuals.

TV-L1 (Zach, Pock and Bischof 2007), coarse to fine: at each size the moving picture is warped several times, and its residual
taken as linear in between; after each warp the displacements go through a median (Sun, Roth and Black 2010).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.stages import frozen
from ..kernels.total_variation import dual_rows, median_rows, primal_rows
from ..threads import run_ranges
from ..transforms import DisplacementField, Transform
from .equations import Fit, Measure
from .pyramid import Level, Planes
from .result import Record

_WARPS, _ITERATIONS = 10, 30
_SETTLED = 0.05  # pixels that the last warp may still move half of all pixels
_NANOSECONDS = 2.0

Displacements = NDArray[np.float32]  # (2, rows, columns), x first


class DenseMotion(NamedTuple):
    """Displacements at the full size."""

    field: Displacements

    @property
    def transform(self) -> DisplacementField:
        return self.at(1)

    def at(self, scale: int) -> DisplacementField:
        """The map between pictures that are smaller by ``scale``."""
        return DisplacementField(np.moveaxis(self.field[:, ::scale, ::scale], 0, 2) / scale)


class Dense(NamedTuple):
    """Displacements at one size of the pictures, how these agree, and whether the last warp moved little."""

    field: Displacements
    fit: Fit
    settled: bool


def dense_motion(levels: list[Level], start: Transform, measure: Measure, smoothness: float, history: list[Record]) -> Dense:
    """Through all levels, the smallest first."""
    field, lights = first_field(start, levels[-1]), np.tile([1.0, 0.0], (len(levels[0].fixed), 1))
    for level in reversed(levels):
        if level is not levels[-1]:
            field = finer(field, level.shape)
        found = refine_dense(level, field, lights, measure, 1 / smoothness, history)
        field, lights = found.field, found.fit.lights
    return found


def refine_dense(
    level: Level, field: Displacements, lights: NDArray[np.float64], measure: Measure, strength: float, history: list[Record]
) -> Dense:
    """Several warps at one size."""
    duals = np.zeros((4, *level.shape), np.float32)
    warped, step = _warped(level, field), np.zeros(1, np.float32)
    fit = measure.fit(level, warped, lights)
    for _ in range(_WARPS):
        before = field
        field = _solve(field, duals, *_linear(level, warped, fit.lights, field), strength)
        step = np.linalg.norm(field - before, axis=0)
        history.append(Record(level.scale, fit.correlation, float(step.max()) * level.scale, True))
        warped = _warped(level, field)
        fit = measure.fit(level, warped, fit.lights)
    return Dense(field, fit, bool(np.median(step) < _SETTLED))


def first_field(start: Transform, level: Level) -> Displacements:
    """What a map of the full size does at one level."""
    rows, columns = level.shape
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * float(level.scale)
    return np.ascontiguousarray(np.moveaxis((start(grid) - grid) / level.scale, 2, 0), dtype=np.float32)


def finer(field: Displacements, shape: tuple[int, int]) -> Displacements:
    """The displacements at twice the size: pixel k of the smaller level lies at pixel 2 k."""
    rows, columns = shape
    double = np.repeat(np.repeat(2 * field, 2, axis=1), 2, axis=2)
    double[:, :, 1:-1:2] = (double[:, :, :-2:2] + double[:, :, 2::2]) / 2
    double[:, 1:-1:2] = (double[:, :-2:2] + double[:, 2::2]) / 2
    return np.ascontiguousarray(double[:, :rows, :columns])


def _warped(level: Level, field: Displacements) -> Planes:
    return level.warped(DenseMotion(field).transform)


def _linear(
    level: Level, warped: Planes, lights: NDArray[np.float64], field: Displacements
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slopes (2, rows, columns) and offset (rows, columns) of the residual as a linear function of the displacements; of
    channels the mean, 0 where something is not known."""
    gains, biases = lights.astype(np.float32).T[:, :, None, None]
    bright = (gains * warped + biases).mean(axis=0)
    goal = level.fixed.mean(axis=0)
    middle = (bright + goal) / 2
    down, across = np.gradient(middle)
    slopes = np.stack([across, down])
    if level.weights.size:
        slopes, bright = slopes * level.weights, bright * level.weights
        goal = goal * level.weights
    offset = bright - goal - slopes[0] * field[0] - slopes[1] * field[1]
    unknown = np.isnan(offset)
    slopes[:, unknown], offset[unknown] = 0, 0
    return slopes, offset


def _solve(
    field: Displacements,
    duals: NDArray[np.float32],
    slopes: NDArray[np.float32],
    offset: NDArray[np.float32],
    strength: float,
) -> Displacements:
    """The displacements after some steps and a median."""
    unknowns, ahead, force = field.copy(), field.copy(), np.float32(strength)
    _, rows, columns = field.shape
    nanoseconds = columns * _NANOSECONDS
    still_slopes, still_offset = frozen(slopes), frozen(offset)
    for _ in range(_ITERATIONS):
        run_ranges(lambda first, last: dual_rows(ahead, duals, first, last), rows, nanoseconds)
        run_ranges(
            lambda first, last: primal_rows(unknowns, ahead, duals, still_slopes, still_offset, force, first, last),
            rows,
            nanoseconds,
        )
    smooth = np.empty_like(unknowns)
    run_ranges(lambda first, last: median_rows(unknowns, smooth, first, last), rows, 2 * nanoseconds)
    return smooth
