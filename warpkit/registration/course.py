"""The course of a registration: from the smallest pictures to the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..transforms import Affine, Projective, Transform
from .alignment import Refined, refine
from .certainty import Certainty, certainty
from .dense import DenseMotion, dense_motion
from .equations import Fit, Measure
from .models import GENERATORS
from .motions import MatrixMotion, Motion, SplineMotion
from .pyramid import Level
from .result import Record
from .search import Range, first_motion

# Where steps become shorter than so many pixels of the level, the next level goes on: of the last level, the one before it, and
# the others. What such a step leaves is a small part of it.
_SHORT_ENOUGH = 0.01, 0.03, 0.1
_MOST_STEPS = 30
# Control points closer than so many pixels of a level are not moved on it.
_PIXELS_PER_CONTROL_POINT = 12


class Outcome(NamedTuple):
    """What a course came to."""

    motion: Motion | DenseMotion
    fit: Fit
    settled: bool
    certainty: Certainty | None


class Spline(NamedTuple):
    """The grid of a spline's control points, and the price of its bending."""

    control_points: tuple[int, int]
    bending: float


@dataclass(frozen=True)
class Course:
    """What is looked for, and how pictures are compared."""

    model: str
    measure: Measure
    search: Range | None
    spline: Spline
    smoothness: float

    def run(self, levels: list[Level], start: Transform, history: list[Record]) -> Outcome:
        """Through all levels, the smallest first."""
        if self.model == "dense":
            dense = dense_motion(levels, start, self.measure, self.smoothness, history)
            return Outcome(DenseMotion(dense.field), dense.fit, dense.settled, None)
        refined = self._refined(levels, start, history)
        return Outcome(refined.motion, refined.fit, refined.settled, certainty(levels[0], refined, self.measure))

    def _refined(self, levels: list[Level], start: Transform, history: list[Record]) -> Refined:
        channels, shape = len(levels[0].fixed), levels[0].shape
        lights = np.tile([1.0, 0.0], (channels, 1))
        motion: Motion = self._first(start, shape)
        tolerances = [_SHORT_ENOUGH[min(n, 2)] for n in reversed(range(len(levels)))]
        for level, tolerance in zip(reversed(levels), tolerances, strict=True):
            if self.search and level is levels[-1] and isinstance(motion, MatrixMotion):
                found = first_motion(level, motion, self.model, self.search, lights, self.measure, history)
                motion, lights = found.motion, found.fit.lights
            motion = self._for_level(motion, level, level is levels[0])
            refined = refine(level, motion, lights, self.measure, tolerance, _MOST_STEPS, history)
            motion, lights = refined.motion, refined.fit.lights
        return refined

    def _first(self, start: Transform, shape: tuple[int, int]) -> Motion:
        matrix = np.eye(3)
        if isinstance(start, Affine | Projective):
            matrix[: len(start.matrix)] = start.matrix
            return MatrixMotion(matrix / matrix[2, 2], GENERATORS[self._matrix_model], shape)
        return SplineMotion.on_grid(start, shape, *self.spline)

    @property
    def _matrix_model(self) -> str:
        return self.model if self.model in GENERATORS else "affine"

    def _for_level(self, motion: Motion, level: Level, is_last: bool) -> Motion:
        """The motion that this level can show: a spline's where its control points are far enough from one another."""
        if not isinstance(motion, MatrixMotion):
            return motion
        if self.model == "tps":
            spacing = min(side / (count - 1) for side, count in zip(level.shape, self.spline.control_points, strict=True))
            if is_last or spacing >= _PIXELS_PER_CONTROL_POINT:
                return SplineMotion.on_grid(motion.transform, motion.shape, *self.spline)
        return motion.with_model(self._matrix_model)
