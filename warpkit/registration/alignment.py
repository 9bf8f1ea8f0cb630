"""Damped Gauss-Newton steps at one size of the pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..transforms import Transform
from .equations import Fit, cell_centres, measure, step_equations
from .models import GENERATORS, Matrix, as_transform, displacements, exponential, normalising
from .pyramid import Level

Penalty = tuple[NDArray[np.float64], NDArray[np.float64]]


class Motion(Protocol):
    """What a step changes: an inverse map, in pixels of the full size."""

    def at(self, scale: int) -> Transform:
        """The inverse map between levels of this scale."""

    def basis(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How each number of a step displaces points (n, 2) of the fixed picture: (P, n, 2)."""

    def moved(self, step: NDArray[np.float64]) -> Motion | None:
        """After a step; None where there is no such map."""

    def penalty(self) -> Penalty | None: ...

    def cost(self) -> float: ...


@dataclass(frozen=True)
class MatrixMotion:
    """A matrix, and the generators of its model; the numbers of a step are pixels at the corners of the fixed picture."""

    matrix: Matrix
    generators: NDArray[np.float64]
    shape: tuple[int, int]

    def at(self, scale: int) -> Transform:
        sizes = np.array([scale, scale, 1.0])
        return as_transform(self.matrix * sizes / sizes[:, None])

    def basis(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        to_normal = normalising(self.shape)
        return displacements(self.generators, points * to_normal[0, 0] + to_normal[:2, 2])

    def moved(self, step: NDArray[np.float64]) -> MatrixMotion | None:
        to_normal = normalising(self.shape)
        change = exponential(np.tensordot(step * to_normal[0, 0], self.generators, 1))
        matrix = self.matrix @ np.linalg.inv(to_normal) @ change @ to_normal
        w = matrix[2] @ np.column_stack([corners(self.shape), np.ones(4)]).T
        if w.min() <= 0 or np.linalg.det(matrix) <= 0:
            return None
        return replace(self, matrix=matrix / matrix[2, 2])

    def with_model(self, model: str) -> MatrixMotion:
        return replace(self, generators=GENERATORS[model])

    def penalty(self) -> None:
        return None

    def cost(self) -> float:
        return 0.0


def corners(shape: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = shape
    return np.array([(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)], dtype=np.float64)


class Measure(NamedTuple):
    """How pictures are compared."""

    is_light_free: bool
    robust: str | None

    def fit(self, level: Level, motion: Motion, lights: NDArray[np.float64]) -> Fit:
        return measure(level, level.warped(motion.at(level.scale)), lights, self.robust, self.is_light_free)

    def cost(self, fit: Fit, motion: Motion) -> float:
        """What steps make smaller: the mean squared residual as a part of the fixed picture's variance, and the penalty."""
        totals = fit.grams.sum(axis=1)
        residual, variance = 0.0, 0.0
        for gram, (gain, bias) in zip(totals, fit.lights, strict=True):
            factors = np.array([0, 0, gain, bias, -1.0])
            residual += factors @ gram @ factors
            variance += gram[4, 4] - gram[3, 4] ** 2 / max(gram[3, 3], 1e-30)
        return residual / max(variance, 1e-30) + motion.cost() / max(variance, 1e-30)


class Record(NamedTuple):
    """One step of a registration."""

    scale: int
    """Pixels of the full size to one of the level's"""
    correlation: float
    """Of the pictures before the step"""
    step: float
    """How far it moves the farthest corner, in pixels of the full size"""
    accepted: bool


class Refined(NamedTuple):
    motion: Motion
    fit: Fit
    settled: bool
    equations_matrix: NDArray[np.float64]


def refine(
    level: Level,
    motion: Motion,
    lights: NDArray[np.float64],
    how: Measure,
    tolerance: float,
    most_steps: int,
    history: list[Record] | None = None,
) -> Refined:
    """Steps until one moves no point by more than ``tolerance`` pixels of the level, or no step helps."""
    centres = cell_centres(level.shape) * level.scale
    fit, damping, settled = how.fit(level, motion, lights), 0.0, False
    for _ in range(most_steps):
        basis = motion.basis(centres)
        equations = step_equations(fit, basis / level.scale, how.is_light_free, motion.penalty())
        step = equations.solve(damping)
        size = float(np.hypot(*np.tensordot(step, basis, 1).T).max())
        trial = motion.moved(step)
        settled = size <= tolerance * level.scale
        accepted = trial is not None
        if settled and trial is not None:
            motion = trial
        elif trial is not None:
            found = how.fit(level, trial, fit.lights)
            accepted = found.pixels > 0 and how.cost(found, trial) < how.cost(fit, motion)
        if history is not None:
            history.append(Record(level.scale, fit.correlation, size, accepted))
        if settled:
            break
        if accepted:
            motion, fit, damping = trial, found, damping / 10 if damping > 1e-4 else 0.0
        else:
            damping = max(10 * damping, 1e-2)
            if damping > 1e5:
                break
    return Refined(motion, fit, settled, equations.matrix)
