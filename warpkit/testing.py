"""Checks of derivatives by inner products, and the tolerances by dtype that the library is held to.

One inner product covers a whole Jacobian: for random v and g, <g, J v> = <J^T g, v>.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Relative error allowed in a comparison of results computed in a type.
TOLERANCES: dict[str, float] = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}

# Relative error allowed in a comparison with central differences in float64.
DIFFERENCE_TOLERANCE = 1e-7


def check_adjoint(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    pullback: Callable[[NDArray[Any]], NDArray[Any]],
    x: ArrayLike,
    *,
    seed: int = 0,
    tolerance: float | None = None,
) -> None:
    """Check that ``pullback`` is the adjoint of a *linear* ``function``, without differences.

    Parameters
    ----------
    function : x -> y
        Linear: ``function(0)`` is 0.
    pullback : g -> array of x's shape
        For g of y's shape.
    x : array
        Gives shape and dtype; its values play no part.
    seed : int
        Of the random directions.
    tolerance : float, optional
        Relative to the magnitudes that are added up; the default is that of x's dtype in ``TOLERANCES``.

    Raises
    ------
    AssertionError
        If <g, function(v)> and <pullback(g), v> differ by more.
    """
    random = np.random.default_rng(seed)
    example = np.asarray(x)
    v = random.standard_normal(example.shape).astype(example.dtype)
    y = np.asarray(function(v))
    g = random.standard_normal(y.shape).astype(y.dtype)
    if tolerance is None:
        tolerance = TOLERANCES[example.dtype.name]
    _compare("<g, f(v)>", g, y, "<pullback(g), v>", np.asarray(pullback(g)), v, tolerance)


def check_vjp(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    pullback: Callable[[NDArray[Any]], NDArray[Any]],
    x: ArrayLike,
    *,
    grad_output: ArrayLike | None = None,
    direction: ArrayLike | None = None,
    step: float = 1e-6,
    seed: int = 0,
    tolerance: float = DIFFERENCE_TOLERANCE,
) -> None:
    """Check that ``pullback`` is the vector-Jacobian product of ``function`` at ``x``, by central differences.

    Parameters
    ----------
    function : x -> y
        In float64, smooth around x.
    pullback : g -> array of x's shape
        The vector-Jacobian product at x, for g of y's shape.
    x : array
    grad_output, direction : array, optional
        g and the direction v; random by default. Set g to zero where the function has a kink near x.
    step : float
        ``x +- step * v`` are compared.
    seed : int
        Of the random directions.
    tolerance : float
        Relative to the magnitudes that are added up.

    Raises
    ------
    AssertionError
        If <g, J v> and <pullback(g), v> differ by more.
    """
    random = np.random.default_rng(seed)
    at = np.asarray(x, dtype=np.float64)
    v = random.standard_normal(at.shape) if direction is None else np.asarray(direction, dtype=np.float64)
    slope = (np.asarray(function(at + step * v)) - np.asarray(function(at - step * v))) / (2 * step)
    g = random.standard_normal(slope.shape) if grad_output is None else np.asarray(grad_output, dtype=np.float64)
    _compare("<g, J v> by differences", g, slope, "<pullback(g), v>", np.asarray(pullback(g)), v, tolerance)


def _compare(
    left_name: str, a: NDArray[Any], b: NDArray[Any], right_name: str, c: NDArray[Any], d: NDArray[Any], tolerance: float
) -> None:
    if c.shape != d.shape:
        raise AssertionError(f"the pullback must return shape {d.shape}, got {c.shape}")
    left_terms, right_terms = a.astype(np.float64) * b, c.astype(np.float64) * d
    left, right = left_terms.sum(), right_terms.sum()
    magnitude = max(np.sqrt((left_terms**2).sum()), np.sqrt((right_terms**2).sum()), abs(left), abs(right))
    if not abs(left - right) <= tolerance * magnitude:
        error = abs(left - right) / magnitude if magnitude else np.inf
        raise AssertionError(f"{left_name} = {left!r}, {right_name} = {right!r}: relative error {error:.2g} > {tolerance:g}")
