"""Whether a registration may be trusted, and how exactly its parameters are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alignment import Refined
from .dense import DenseMotion
from .motions import Motion, corners
from .pyramid import Level

# Slopes are compared on the smallest level that has so many pixels along its shorter side.
_GUARD_SIDE = 64
_LARGEST_DEVIATION = 1.0  # pixels


def slope_correlation(levels: list[Level], motion: Motion | DenseMotion) -> float:
    """The correlation of both pictures' differences between neighbours."""
    level = min((one for one in levels if min(one.shape) >= _GUARD_SIDE), key=lambda one: -one.scale, default=levels[0])
    warped, fixed = level.warped(motion.at(level.scale)).astype(np.float64), level.fixed.astype(np.float64)
    product = squares = other_squares = 0.0
    for axis in (1, 2):
        a, b = np.diff(warped, axis=axis), np.diff(fixed, axis=axis)
        known = ~np.isnan(a + b)
        a, b = np.where(known, a, 0), np.where(known, b, 0)
        product, squares, other_squares = product + (a * b).sum(), squares + (a * a).sum(), other_squares + (b * b).sum()
    return product / np.sqrt(squares * other_squares) if squares > 0 and other_squares > 0 else 0.0


def step_covariance(refined: Refined) -> NDArray[np.float64]:
    """(P, P): of a step's numbers, if the residual is white noise that the pyramid's filter has smoothed."""
    equations = refined.equations
    try:
        inverse = np.linalg.inv(equations.matrix)
    except np.linalg.LinAlgError:
        return np.full((equations.length, equations.length), np.nan)
    return np.asarray(inverse[: equations.length, : equations.length] * refined.fit.noise)


def params_covariance(motion: Motion, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the transform's parameters, from that of a step's numbers."""
    slopes = motion.slopes()
    return np.asarray(slopes @ covariance @ slopes.T)


def corner_deviation(motion: Motion, covariance: NDArray[np.float64], shape: tuple[int, int]) -> float:
    """The standard deviation of the corner that is known least, in pixels of the fixed picture."""
    basis = motion.basis(corners(shape))
    variances = np.einsum("pkn,pq,qkn->n", basis, covariance, basis)
    return float(np.sqrt(variances.max())) if np.all(variances >= 0) else np.inf


def doubt(
    settled: bool, overlap: float, slopes: float, deviation: float, least_overlap: float, least_correlation: float
) -> str:
    """Why a registration may not be trusted; empty if it may."""
    if overlap < least_overlap:
        return f"the pictures overlap by {overlap:.0%} of the fixed one, less than {least_overlap:.0%}"
    if not slopes >= least_correlation:
        return f"the aligned pictures' slopes correlate by {slopes:.2f}, less than {least_correlation:.2f}"
    if deviation > _LARGEST_DEVIATION:
        return f"the pictures show too little: a corner is known to {deviation:.2g} pixels only"
    if not settled:
        return "steps did not become short"
    return ""
