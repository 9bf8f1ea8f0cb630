"""How exactly a motion is known, from the pictures alone.

What noise does to a step is read off what it did in many places: the sums over cells of residual times derivative differ by
chance, and their covariance, with the normal equations' matrix on both sides, is that of the step (White 1980; for what is
correlated with its surroundings, Conley 1999). So noise may be of any kind, and what the warp makes of edges counts as far as
it pulls at the motion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alignment import Refined
from .equations import Measure, cell_centres, cell_size, pulls, step_equations
from .motions import Motion, corners
from .pyramid import Level

# Eigenvalues of the equations' matrix below this part of the largest are what rounding to float32 leaves.
_SMALLEST_PART = 1e-8


def step_covariance(level: Level, refined: Refined, measure: Measure) -> NDArray[np.float64]:
    """(P, P): of a step's numbers; NaN where they are not determined.

    A penalty counts as if it had been measured, with the noise that the pixels have.
    """
    fit, penalty = refined.fit, refined.motion.penalty()
    basis = refined.motion.basis(cell_centres(level.shape))
    matrix = _not_negative(step_equations(fit.without_noise, basis, measure.is_light_free, None).matrix)
    spread = _spread(pulls(fit, basis, measure.is_light_free), level.shape)
    length = len(basis)
    if penalty is not None:
        matrix[:length, :length] += fit.variance * penalty.matrix
        spread[:length, :length] += fit.noise * fit.variance * penalty.matrix
    values = np.linalg.eigvalsh(matrix)
    if values[0] <= _SMALLEST_PART * values[-1]:
        return np.full((length, length), np.nan)
    inverse = np.linalg.inv(matrix)
    return np.asarray((inverse @ spread @ inverse)[:length, :length])


def _not_negative(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def _spread(cells: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """The covariance of sums over the picture, from those over its cells (n, cells), of which neighbours are correlated: each
    two by two are taken together, so that each cell is part of four sums."""
    rows, columns = (-(-side // cell_size(shape)) for side in shape)
    around = np.pad(cells.reshape(-1, rows, columns), [(0, 0), (1, 1), (1, 1)])
    fours = around[:, 1:, 1:] + around[:, :-1, 1:] + around[:, 1:, :-1] + around[:, :-1, :-1]
    flat = fours.reshape(len(cells), -1)
    return np.asarray(np.einsum("an,bn->ab", flat, flat)) / 4


def params_covariance(motion: Motion, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the transform's parameters, from that of a step's numbers."""
    slopes = motion.slopes()
    return np.asarray(slopes @ covariance @ slopes.T)


def corner_error(motion: Motion, covariance: NDArray[np.float64], shape: tuple[int, int]) -> float:
    """How far off the corners of the fixed picture are to be expected in the moving one, root mean square, in pixels; infinite
    where they are not determined."""
    points = corners(shape)
    moved = np.einsum("nij,pjn->pni", motion.transform.jacobian(points), motion.basis(points))
    variance = np.einsum("pnk,pq,qnk->", moved, covariance, moved) / len(points)
    return float(np.sqrt(variance)) if variance >= 0 else np.inf
