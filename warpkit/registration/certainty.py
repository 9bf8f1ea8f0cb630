"""How exactly a motion is known, from the pictures alone.

The motion is where the residuals' pulls at it cancel. By chance they do so a little beside the truth: how far, their covariance
tells, with the inverse of how they change with the motion on both sides (the sandwich of M-estimators: Huber 1967, White 1980).
Both are read off the pictures: the covariance from how the pulls of parts differ, of small and of large ones, since residuals
may be correlated with their surroundings (Conley 1999); the change from what a small shift does. So noise may be of any kind,
and where the pictures do not agree, nothing pulls back: the motion is not determined.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.alignment import XX, XY, YY
from ..transforms import Affine, Composition
from .alignment import Refined
from .equations import Fit, Measure, cell_centres, cell_size, pulls, step_equations
from .motions import Motion, corners
from .pyramid import Level

# Eigenvalues of the equations' matrix below this part of the largest are what rounding to float32 leaves.
_SMALLEST_PART = 1e-8
_SHIFT = 0.25  # pixels
# Of large pictures, which are smoothed, some rows of cells with about so many pixels tell how pulls change: at least each 16th.
_ENOUGH, _FARTHEST_APART = 2**17, 16
# Parts whose pulls are compared: small ones of two by two cells, large ones of a quarter of the shorter side.
_SMALL, _LARGE = 2, 1 / 4


class Certainty(NamedTuple):
    """By the parts, small or large, that say less."""

    covariance: NDArray[np.float64]  # of the transform's parameters
    corner_error: float


def certainty(level: Level, refined: Refined, measure: Measure) -> Certainty:
    """How exactly the motion is known."""
    motion, fit, shape = refined.motion, refined.fit, level.shape
    basis = motion.basis(cell_centres(shape))
    inverse = _inverse(_changing(level, refined, measure), basis, measure, motion)
    at_cells, penalty = pulls(fit, basis, measure.is_light_free), motion.penalty()
    large = max(_SMALL, round(_LARGE * min(shape) / cell_size(shape)))
    spreads = np.stack([_spread(at_cells, shape, part) for part in (_SMALL, large)])
    if penalty is not None:
        # as if it had been measured, with the noise that the pixels have
        spreads[:, : len(basis), : len(basis)] += fit.noise * fit.variance * penalty.matrix
    covariances = (inverse @ spreads @ inverse)[:, : len(basis), : len(basis)]
    errors, slopes = _corner_errors(motion, covariances, shape), motion.slopes()
    return Certainty(slopes @ covariances[int(np.argmax(errors))] @ slopes.T, max(errors))


def _changing(level: Level, refined: Refined, measure: Measure) -> Fit:
    """The fit with how pulls change when the fixed picture's points move, in place of the slopes' squares.

    Squares count the slopes of noise, which pull nowhere, and fall short of what a slope over two pixels misses.
    """
    fit, transform = refined.fit, refined.measured.transform
    every = min(max(1, level.fixed[0].size // _ENOUGH), _FARTHEST_APART) if level.is_smooth else 1
    here, changes = fit.by_residuals[:, :2], []
    for shift in ((_SHIFT, 0), (0, _SHIFT)):
        shifted = Composition((Affine.translation(*shift), transform)).simplified()
        there = replace(fit, sums=measure.sums(level, shifted, fit.lights, every))
        changes.append((there.by_residuals[:, :2] - here) / _SHIFT)
    along_x, along_y = changes
    found = np.stack([along_x[:, 0], (along_x[:, 1] + along_y[:, 0]) / 2, along_y[:, 1]], axis=1)
    sums, squares = fit.sums.copy(), [XX, XY, YY]
    is_seen = there.sums.any(axis=(0, 1))  # the others' squares change in proportion
    ratio = found[:, ::2, is_seen].sum() / max(sums[:, [XX, YY]][..., is_seen].sum(), 1e-30)
    sums[:, squares] = np.where(is_seen, found, ratio * sums[:, squares])
    return replace(fit, sums=sums)


def _inverse(fit: Fit, basis: NDArray[np.float64], measure: Measure, motion: Motion) -> NDArray[np.float64]:
    """Of the normal equations' matrix; NaN where it does not determine a step."""
    matrix, penalty = step_equations(fit, basis, measure.is_light_free, None).matrix, motion.penalty()
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0)) @ vectors.T
    if penalty is not None:
        matrix[: len(basis), : len(basis)] += fit.variance * penalty.matrix
    values = np.linalg.eigvalsh(matrix)
    if values[0] <= _SMALLEST_PART * values[-1]:
        return np.full(matrix.shape, np.nan)
    return np.linalg.inv(matrix)


def _spread(cells: NDArray[np.float64], shape: tuple[int, int], side: int) -> NDArray[np.float64]:
    """The covariance of sums over the picture, from those over its cells (n, cells), of which neighbours are correlated: all
    squares of ``side`` cells are taken together, so that each cell is part of as many sums as a square has cells."""
    rows, columns = (-(-length // cell_size(shape)) for length in shape)
    squares = _windows(rows, side) @ cells.reshape(-1, rows, columns) @ _windows(columns, side).T
    flat = squares.reshape(len(cells), -1)
    return np.asarray(flat @ flat.T) / side**2


def _windows(count: int, side: int) -> NDArray[np.float64]:
    """(windows, count): which of so many cells in a row each window of ``side`` cells has, also those that the ends cut."""
    windows = count + side - 1
    return np.tri(windows, count) - np.tri(windows, count, -side)


def _corner_errors(motion: Motion, covariances: NDArray[np.float64], shape: tuple[int, int]) -> list[float]:
    """How far off the corners of the fixed picture are to be expected in the moving one, root mean square, in pixels; infinite
    where they are not determined."""
    points = corners(shape)
    moved = np.einsum("nij,pjn->pni", motion.transform.jacobian(points), motion.basis(points))
    variances = np.einsum("pnk,spq,qnk->s", moved, covariances, moved) / len(points)
    return [float(np.sqrt(variance)) if variance >= 0 else np.inf for variance in variances]
