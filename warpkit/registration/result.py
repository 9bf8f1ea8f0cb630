"""What a registration returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..transforms import Transform


class Record(NamedTuple):
    """One step of a registration."""

    scale: int
    """How many pixels of the full size a pixel of the level has along each axis"""
    correlation: float
    """Of the level's pictures before the step"""
    step: float
    """How far it moves the pixel that it moves farthest, in pixels of the full size"""
    accepted: bool
    """Whether it was taken; else a shorter one was tried"""


@dataclass(frozen=True, eq=False)
class Registration:
    """The motion between two pictures: :func:`warpkit.register`.

    Attributes
    ----------
    transform : Transform
        The inverse map: takes points of ``fixed`` to points of ``moving``, so that ``wk.warp(moving, transform,
        fixed.shape[:2])`` shows ``moving`` as ``fixed`` does. The best that was found, also where it did not converge.
    converged : bool
        Whether it may be trusted.
    reason : str
        Why not; empty if it may.
    correlation : float
        Of the aligned pictures, where both are known.
    slope_correlation : float
        Of their slopes, at about 100 pixels a side: what tells right from wrong, since any two bright things on dark correlate.
    overlap : float
        How much of ``fixed`` was compared: 0 to 1.
    gain, bias : (C,) float64
        ``gain * moving + bias`` is as bright as ``fixed``, channel by channel; 1 and 0 for the measure "ssd".
    covariance : (P, P) float64 or None
        Of ``transform.params``, from how the residuals of the picture's parts differ in where they pull, and how pulls change
        with a small shift (a sandwich estimator: Huber 1967, White 1980, Conley 1999); the noise may be of any kind. A spline's
        bending counts as if it had been measured. None for a displacement field. NaN where nothing was determined.
    corner_error : float or None
        How far ``transform(corners of fixed)`` is to be expected from the truth, root mean square, in pixels of ``moving``: the
        covariance at the four corners. Infinite where the pictures do not pull the motion back to where it is: mostly the sign
        of a wrong one. None for a displacement field.
    history : tuple of Record
        All steps, from the smallest pictures to the largest.
    """

    transform: Transform
    converged: bool
    reason: str
    correlation: float
    slope_correlation: float
    overlap: float
    gain: NDArray[np.float64]
    bias: NDArray[np.float64]
    covariance: NDArray[np.float64] | None
    corner_error: float | None
    history: tuple[Record, ...]

    def __repr__(self) -> str:
        state = "converged" if self.converged else f"not converged: {self.reason}"
        return f"Registration({self.transform!r}, {state}, correlation {self.correlation:.4f}, overlap {self.overlap:.0%})"
