"""Normal equations of a step, from sums over cells of pixels.

The unknowns are a step's P numbers d and, for each channel, gain g and bias b: those that make

    sum of weight * (g warped + b - fixed + slopes . displacement(d))^2

least, plus a penalty. Displacements are those of the cells' centres; that makes a step a little less exact, not its goal, where
the residual has no slope along any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..kernels.alignment import HUBER, NO_ROBUST, PRODUCTS, TUKEY, cell_sums, step_sums
from ..kernels.stages import frozen
from ..threads import at_most, run_ranges
from ..transforms import Affine, Projective, Transform
from .motions import Motion, Penalty
from .pyramid import Level, Planes

ROBUST = {None: NO_ROBUST, "huber": HUBER, "tukey": TUKEY}

_NANOSECONDS, _WARP_NANOSECONDS = 1.5, 1.5
# Warped pixels that are made and summed before the next: a part of the second cache.
_PART = 2**16
_LIGHT, _GOAL = slice(2, 4), 4
# Which of the products, the upper triangle row by row, is of two factors.
_PRODUCT_OF = np.array([[0, 1, 2, 3, 4], [1, 5, 6, 7, 8], [2, 6, 9, 10, 11], [3, 7, 10, 12, 13], [4, 8, 11, 13, 14]])


@dataclass(frozen=True)
class Fit:
    """How well two pictures agree under a map."""

    sums: NDArray[np.float64]  # (C, PRODUCTS, cells)
    totals: NDArray[np.float64]  # (C, FACTORS, FACTORS)
    lights: NDArray[np.float64]  # (C, 2): gain and bias
    pixels: float  # of one channel, by weight
    correlation: float
    residual: float  # sum of squares
    variance: float  # of the fixed picture: sum of squares about its mean
    penalty: float  # of the motion, as a part of that
    noise_left: float  # of white noise's variance, by the level

    @property
    def cost(self) -> float:
        return self.residual / max(self.variance, 1e-30) + self.penalty

    @property
    def noise(self) -> float:
        """The residual's variance, had white noise not been smoothed by the pyramid."""
        return self.residual / max(self.pixels * len(self.lights), 1e-30) / self.noise_left

    @cached_property
    def by_residuals(self) -> NDArray[np.float64]:
        """(C, FACTORS, cells): sums of each factor times the residual."""
        return np.asarray(np.einsum("cijn,cj->cin", self.sums[:, _PRODUCT_OF], residual_factors(self.lights)))


@dataclass(frozen=True)
class Measure:
    """How pictures are compared: whether gain and bias are free, and how residuals weigh."""

    is_light_free: bool
    robust: str | None

    def __call__(self, level: Level, motion: Motion, lights: NDArray[np.float64]) -> Fit:
        penalty = motion.penalty()
        fit = self._fit(level, self.sums(level, motion.at(level.scale), lights), lights)
        return replace(fit, penalty=penalty.cost) if penalty else fit

    def fit(self, level: Level, warped: Planes, lights: NDArray[np.float64]) -> Fit:
        """As ``lights`` weigh the residuals, if those weights differ; the fit's own are the best ones then."""
        return self._fit(level, self._sums_of_whole(level, warped, lights), lights)

    def sums(self, level: Level, inverse_map: Transform, lights: NDArray[np.float64], every: int = 1) -> NDArray[np.float64]:
        """(C, PRODUCTS, cells); of every so many rows of cells, 0 of the others, where they are summed one by one."""
        if self.robust or not isinstance(inverse_map, Affine | Projective):
            return self._sums_of_whole(level, level.warped(inverse_map), lights)
        return _sums_of_parts(level, inverse_map, lights, every)

    def _sums_of_whole(self, level: Level, warped: Planes, lights: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = _robust_scale(warped, level.fixed, lights) if self.robust else 1.0
        cells, source = _Cells(level, lights, ROBUST[self.robust], scale), frozen(warped)
        run_ranges(lambda first, last: cells.add(source, 0, first, last), cells.bands, cells.nanoseconds)
        return cells.flat

    def _fit(self, level: Level, sums: NDArray[np.float64], lights: NDArray[np.float64]) -> Fit:
        totals = sums.sum(axis=2)[:, _PRODUCT_OF]
        if self.is_light_free:
            lights = best_lights(totals)
        factors = residual_factors(lights)
        residual = max(np.einsum("ci,cij,cj", factors, totals, factors), 0.0)  # rounding may take it below
        variance = (totals[:, 4, 4] - totals[:, 3, 4] ** 2 / np.maximum(totals[:, 3, 3], 1e-30)).sum()
        pixels = float(totals[0, 3, 3])
        return Fit(sums, totals, lights, pixels, correlation(totals), float(residual), float(variance), 0.0, level.noise_left)


class _Cells:
    """The sums over a level's cells, (C, PRODUCTS, cells down, cells across), to be filled band by band."""

    def __init__(self, level: Level, lights: NDArray[np.float64], robust: int, scale: float) -> None:
        rows, columns = level.shape
        self.size = cell_size(level.shape)
        self.bands = -(-rows // self.size)
        self.sums = np.zeros((len(lights), PRODUCTS, self.bands, -(-columns // self.size)))
        self.pixels = len(lights) * self.size * columns  # of a band
        self.nanoseconds = self.pixels * _NANOSECONDS
        pictures = (frozen(array) for array in (level.fixed, level.weights, lights.astype(np.float32)))
        self._arguments = (*pictures, robust, np.float32(scale), self.size, self.sums)

    def add(self, warped: Planes, top: int, first: int, last: int) -> int:
        """Bands ``first`` to ``last``, of a picture that begins with row ``top``, read-only."""
        done: int = cell_sums(warped, top, *self._arguments, first, last)
        return done

    @property
    def flat(self) -> NDArray[np.float64]:
        return self.sums.reshape(*self.sums.shape[:2], -1)


def _sums_of_parts(level: Level, inverse_map: Transform, lights: NDArray[np.float64], every: int) -> NDArray[np.float64]:
    """The sums for a map that is a matrix: warped a few bands at a time, which are in the caches when they are summed."""
    cells = _Cells(level, lights, NO_ROBUST, 1.0)
    together = max(1, _PART // cells.pixels) if every == 1 else 1

    def add(first: int, last: int) -> int:
        with at_most(1):
            for start in range(first * every, last * every, together * every):
                stop = min(start + together, last * every, cells.bands)
                top, bottom = max(0, start * cells.size - 1), min(level.shape[0], stop * cells.size + 1)
                cells.add(frozen(level.warped(inverse_map, top, bottom)), top, start, stop)
        return 0

    run_ranges(add, -(-cells.bands // every), cells.nanoseconds + cells.pixels * _WARP_NANOSECONDS)
    return cells.flat


def cell_size(shape: tuple[int, int]) -> int:
    """Small beside the picture, so that displacements hardly change within a cell."""
    side = min(shape)
    return 32 if side >= 1024 else 16 if side >= 512 else 8 if side >= 192 else 4 if side >= 64 else 2


def cell_centres(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(cells, 2), in pixels; a cell that the border cuts has the centre of its pixels."""
    cell = cell_size(shape)
    y, x = ((first + np.minimum(first + cell, side) - 1) / 2 for side in shape for first in [np.arange(0, side, cell)])
    centres = np.empty((len(y), len(x), 2))
    centres[..., 0], centres[..., 1] = x, y[:, None]
    return centres.reshape(-1, 2)


def _robust_scale(warped: Planes, fixed: Planes, lights: NDArray[np.float64]) -> float:
    """The residuals' standard deviation, from the median of some ten thousand."""
    step = max(1, int(np.sqrt(fixed[0].size / 10_000)))
    gains, biases = lights.T[:, :, None, None]
    residuals = np.abs(gains * warped[:, ::step, ::step] + biases - fixed[:, ::step, ::step])
    known = residuals[~np.isnan(residuals)]
    return max(1.4826 * float(np.median(known)), 1e-6) if known.size else 1.0


def residual_factors(lights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, FACTORS): what a pixel's factors are times in its residual."""
    return np.column_stack([np.zeros((len(lights), 2)), lights, np.full(len(lights), -1.0)])


def best_lights(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain and bias of each channel, least squares, from (C, FACTORS, FACTORS)."""
    lights = np.tile([1.0, 0.0], (len(totals), 1))
    for c, gram in enumerate(totals):
        if gram[3, 3] > 0:
            variance = gram[2, 2] - gram[2, 3] ** 2 / gram[3, 3]
            covariance = gram[2, 4] - gram[2, 3] * gram[3, 4] / gram[3, 3]
            gain = covariance / variance if variance > 0 else 0.0
            lights[c] = gain, (gram[3, 4] - gain * gram[2, 3]) / gram[3, 3]
    return lights


def correlation(totals: NDArray[np.float64]) -> float:
    """Of all channels together, each about its mean; 0 where nothing is to be seen."""
    count = np.maximum(totals[:, 3, 3], 1e-30)
    about_mean = totals - totals[:, 3, :, None] * totals[:, 3, None, :] / count[:, None, None]
    product = about_mean[:, 2, 4].sum()
    squares = about_mean[:, 2, 2].sum() * about_mean[:, 4, 4].sum()
    return float(product / np.sqrt(squares)) if squares > 0 else 0.0


@dataclass(frozen=True)
class StepEquations:
    """``matrix @ (d, lights) = right``."""

    matrix: NDArray[np.float64]
    right: NDArray[np.float64]
    length: int  # P

    def solve(self, damping: float) -> NDArray[np.float64]:
        """The P numbers of a step; their diagonal raised by ``damping`` of itself (Levenberg 1944, Marquardt 1963)."""
        diagonal = np.diag(self.matrix).copy()
        raised = 1e-9 * diagonal.max() + 1e-30 + np.where(np.arange(len(diagonal)) < self.length, damping * diagonal, 0.0)
        return np.asarray(np.linalg.solve(self.matrix + np.diag(raised), self.right)[: self.length])


def step_equations(fit: Fit, basis: NDArray[np.float64], is_light_free: bool, penalty: Penalty | None) -> StepEquations:
    """``basis`` (P, 2, cells): how a step's numbers move the cells' centres, in pixels of the level."""
    length, channels = len(basis), len(fit.lights)
    size = length + 2 * channels
    matrix, right = np.zeros((size, size)), np.zeros(size)
    step_sums(frozen(fit.sums), frozen(basis), matrix, right)
    if is_light_free:
        for at, total in zip(range(length, size, 2), fit.totals, strict=True):
            matrix[at : at + 2, at : at + 2], right[at : at + 2] = total[_LIGHT, _LIGHT], total[_LIGHT, _GOAL]
    else:
        right = right[:length] - (matrix[:length, length:] * fit.lights.ravel()).sum(axis=1)
        matrix = matrix[:length, :length]
    if penalty is not None:
        matrix[:length, :length] += fit.variance * penalty.matrix
        right[:length] += fit.variance * penalty.right
    return StepEquations(matrix, right, length)


def pulls(fit: Fit, basis: NDArray[np.float64], is_light_free: bool) -> NDArray[np.float64]:
    """How the residuals of each cell pull at each of the unknowns (size, cells): together, not at all where the fit is best."""
    sums = fit.by_residuals
    at_step = np.einsum("pkn,ckn->pn", basis, sums[:, :2])
    return np.concatenate([at_step, sums[:, _LIGHT].reshape(-1, basis.shape[2])]) if is_light_free else at_step
