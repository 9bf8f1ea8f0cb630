"""Damped Gauss-Newton steps at one size of the pictures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .equations import Fit, Measure, cell_centres, step_equations
from .motions import Motion
from .pyramid import Level
from .result import Record

# Steps below half a pixel are taken though the cost does not fall, if they become shorter: slopes that are the mean of both
# pictures' lead to where the residual has no slope, which noise moves a little away from where it is least.
_SHORT = 0.5
_LARGEST_DAMPING = 1e4
# A step is short, too, if it is below a tenth of what noise leaves uncertain: squared, for each of its numbers.
_FEW_DEVIATIONS = 0.01


class Refined(NamedTuple):
    motion: Motion
    measured: Motion  # that the fit is of: the one before the last step
    fit: Fit
    settled: bool


def refine(
    level: Level,
    motion: Motion,
    lights: NDArray[np.float64],
    measure: Measure,
    tolerance: float,
    most_steps: int,
    history: list[Record],
) -> Refined:
    """Steps until one moves no pixel farther than ``tolerance``, in pixels of the level, or little beside what noise hides, or
    none helps.

    The last step is taken without another look at the pictures: ``fit`` is of the motion before it.
    """
    basis = motion.basis(cell_centres(level.shape) * level.scale) / level.scale
    measured, fit, damping, shortest = motion, measure(level, motion, lights), 0.0, np.inf
    for _ in range(most_steps):
        equations = step_equations(fit, basis, measure.is_light_free, motion.penalty())
        step = equations.solve(damping)
        size = float(np.hypot(*np.einsum("p,pkn->kn", step, basis)).max())
        trial = motion.moved(step)
        deviations = step @ equations.matrix[: len(step), : len(step)] @ step / max(len(step) * fit.noise, 1e-30)
        settled = trial is not None and bool(size <= tolerance or deviations < _FEW_DEVIATIONS)
        found = measure(level, trial, fit.lights) if trial is not None and not settled else fit
        accepted = settled or (
            trial is not None and found.pixels > 0 and (found.cost < fit.cost or (size < _SHORT and size < 0.7 * shortest))
        )
        history.append(Record(level.scale, fit.correlation, size * level.scale, accepted))
        if accepted and trial is not None:
            measured = motion if settled else trial
            motion, fit, shortest = trial, found, min(size, shortest)
            damping = damping / 10 if damping > 1e-3 else 0.0
        else:
            damping = max(10 * damping, 1e-2)
        if settled or damping > _LARGEST_DAMPING:
            break
    return Refined(motion, measured, fit, settled)
