"""Normal equations of a step, from sums over cells of pixels.

The unknowns are a step's P numbers d and, for each channel, gain g and bias b: those that make

    sum of weight * (g warped + b - fixed + slopes . displacement(d))^2

least, plus a penalty. Displacements are those of the cells' centres; that makes a step a little less exact, not its goal, where
the residual has no slope along any of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.alignment import FACTORS, HUBER, NO_ROBUST, PRODUCTS, TUKEY, cell_sums
from ..kernels.stages import frozen
from ..threads import run_ranges
from .motions import Motion, Penalty
from .pyramid import Level, Planes

ROBUST = {None: NO_ROBUST, "huber": HUBER, "tukey": TUKEY}

_NANOSECONDS = 2.5
_UPPER = np.triu_indices(FACTORS)
_LIGHT, _GOAL = slice(2, 4), 4


@dataclass(frozen=True)
class Fit:
    """How well two pictures agree under a map."""

    grams: NDArray[np.float64]  # (C, cells, FACTORS, FACTORS)
    lights: NDArray[np.float64]  # (C, 2): gain and bias
    pixels: float  # of one channel, by weight
    correlation: float
    residual: float  # sum of squares
    variance: float  # of the fixed picture: sum of squares about its mean
    penalty: float  # of the motion, as a part of that
    left_of_noise: float  # by the level's filter

    @property
    def cost(self) -> float:
        return self.residual / max(self.variance, 1e-30) + self.penalty

    @property
    def noise(self) -> float:
        """The residual's variance, had white noise not been smoothed by the pyramid."""
        return self.residual / max(self.pixels * len(self.lights), 1e-30) / self.left_of_noise

    @property
    def by_residuals(self) -> NDArray[np.float64]:
        """(C, cells, FACTORS): sums of each factor times the residual."""
        return np.asarray(np.einsum("cnij,cj->cni", self.grams, residual_factors(self.lights)))

    @property
    def squares(self) -> NDArray[np.float64]:
        """(C, cells): sums of the residuals' squares."""
        return np.asarray(np.einsum("cni,ci->cn", self.by_residuals, residual_factors(self.lights)))


@dataclass(frozen=True)
class Measure:
    """How pictures are compared: whether gain and bias are free, and how residuals weigh."""

    is_light_free: bool
    robust: str | None

    def __call__(self, level: Level, motion: Motion, lights: NDArray[np.float64]) -> Fit:
        penalty = motion.penalty()
        return self.fit(level, level.warped(motion.at(level.scale)), lights, penalty.cost if penalty else 0.0)

    def fit(self, level: Level, warped: Planes, lights: NDArray[np.float64], penalty: float = 0.0) -> Fit:
        """As ``lights`` weigh the residuals, if those weights differ; the fit's own are the best ones then."""
        grams = self._grams(level, warped, lights)
        totals = grams.sum(axis=1)
        if self.is_light_free:
            lights = best_lights(totals)
        factors = residual_factors(lights)
        residual = max(np.einsum("ci,cij,cj", factors, totals, factors), 0.0)  # rounding may take it below
        variance = (totals[:, 4, 4] - totals[:, 3, 4] ** 2 / np.maximum(totals[:, 3, 3], 1e-30)).sum()
        return Fit(
            *(grams, lights, float(totals[0, 3, 3]), correlation(totals), float(residual), float(variance), penalty),
            level.left_of_noise,
        )

    def _grams(self, level: Level, warped: Planes, lights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the cells: (C, cells, FACTORS, FACTORS)."""
        rows, columns = level.shape
        cell = cell_size(level.shape)
        sums = np.empty((len(warped), -(-rows // cell), -(-columns // cell), PRODUCTS))
        scale = _robust_scale(warped, level.fixed, lights) if self.robust else 1.0
        arguments = (
            *(frozen(array) for array in (warped, level.fixed, level.weights, lights.astype(np.float32))),
            *(ROBUST[self.robust], np.float32(scale), cell, sums),
        )
        nanoseconds = len(warped) * cell * columns * _NANOSECONDS
        run_ranges(lambda first, last: cell_sums(*arguments, first, last), sums.shape[1], nanoseconds)
        grams = np.empty((len(warped), sums.shape[1] * sums.shape[2], FACTORS, FACTORS))
        grams[..., _UPPER[0], _UPPER[1]] = sums.reshape(len(warped), -1, PRODUCTS)
        grams[..., _UPPER[1], _UPPER[0]] = grams[..., _UPPER[0], _UPPER[1]]
        return grams


def cell_size(shape: tuple[int, int]) -> int:
    """Small beside the picture, so that displacements hardly change within a cell."""
    side = min(shape)
    return 32 if side >= 1024 else 16 if side >= 512 else 8 if side >= 192 else 4 if side >= 64 else 2


def cell_centres(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(cells, 2), in pixels; a cell that the border cuts has the centre of its pixels."""
    cell = cell_size(shape)
    y, x = ((np.arange(0, side, cell) + np.minimum(np.arange(0, side, cell) + cell, side) - 1) / 2 for side in shape)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


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
    """``basis`` (P, cells, 2): how a step's numbers move the cells' centres, in pixels of the level."""
    length, channels = len(basis), len(fit.grams)
    size = length + (2 * channels if is_light_free else 0)
    matrix, right = np.zeros((size, size)), np.zeros(size)
    x, y = np.ascontiguousarray(basis[..., 0]), np.ascontiguousarray(basis[..., 1])
    together = fit.grams.sum(axis=0)
    xx, xy, yy = together[:, 0, 0], together[:, 0, 1], together[:, 1, 1]
    matrix[:length, :length] = products(x, xx * x + xy * y) + products(y, xy * x + yy * y)
    right[:length] = products(x, together[:, 0, _GOAL]) + products(y, together[:, 1, _GOAL])
    for c, (gram, light) in enumerate(zip(fit.grams, fit.lights, strict=True)):
        with_light = products(x, gram[:, 0, _LIGHT].T) + products(y, gram[:, 1, _LIGHT].T)
        if is_light_free:
            at = slice(length + 2 * c, length + 2 * c + 2)
            total = gram.sum(axis=0)
            matrix[:length, at], matrix[at, :length] = with_light, with_light.T
            matrix[at, at], right[at] = total[_LIGHT, _LIGHT], total[_LIGHT, _GOAL]
        else:
            right[:length] -= with_light @ light
    if penalty is not None:
        matrix[:length, :length] += fit.variance * penalty.matrix
        right[:length] += fit.variance * penalty.right
    return StepEquations(matrix, right, length)


def pulls(fit: Fit, basis: NDArray[np.float64], is_light_free: bool) -> NDArray[np.float64]:
    """How the residuals of each cell pull at each of the unknowns (size, cells): together, not at all where the fit is best."""
    sums = fit.by_residuals
    at_step = np.einsum("pnk,cnk->pn", basis, sums[..., :2])
    at_lights = np.moveaxis(sums[..., _LIGHT], 2, 1).reshape(-1, basis.shape[1])
    return np.concatenate([at_step, at_lights]) if is_light_free else at_step


def products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the last axis, of rows of ``a`` with rows of ``b``; not by BLAS, whose threads nobody asked for."""
    return np.asarray(np.einsum("pn,...n->p...", a, b))
