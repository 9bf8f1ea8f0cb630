"""Families of maps that a net can choose from: from as many numbers as the net gives to theta.

Theta is normalised: it takes points of the output, -1 to 1 over its width and height, to points of the input (Jaderberg et al.
2015); a thin-plate spline's is the input points of its control points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, thetas


class Family:
    """Maps by P numbers; theta, row by row, is an affine function of them, or of what bounds make of them.

    Attributes
    ----------
    kind : {"affine", "projective", "tps"}
    theta_shape : (rows, columns)
    start : (P,)
        The numbers of the identity, with which a net begins.
    """

    def __init__(
        self,
        kind: thetas.Family,
        theta_shape: tuple[int, int],
        matrix: NDArray[np.float64],
        fixed: NDArray[np.float64],
        identity: NDArray[np.float64],
        bounds: tuple[ArrayLike, ArrayLike] | None,
    ) -> None:
        self.kind = kind
        self.theta_shape = theta_shape
        self._matrix, self._fixed = matrix, fixed
        self._bounds = None if bounds is None else _checked_bounds(bounds, identity)
        self.start = identity if self._bounds is None else _outside(identity, *self._bounds)

    @property
    def count(self) -> int:
        """P, how many numbers a map has."""
        return len(self.start)

    def theta(self, numbers: NDArray[Any]) -> tuple[NDArray[np.float64], Callable[[NDArray[Any]], NDArray[np.float64]]]:
        """Theta (N, rows, columns) of numbers (N, P), and the function that pulls its gradient back to the numbers."""
        bounded, slopes = np.asarray(numbers, np.float64), np.ones(self.count)
        if self._bounds is not None:
            low, high = self._bounds
            share = 1 / (1 + np.exp(-np.clip(bounded, -500, 500)))
            bounded, slopes = low + (high - low) * share, (high - low) * share * (1 - share)
        theta = bounded @ self._matrix.T + self._fixed

        def pull(grad_theta: NDArray[Any]) -> NDArray[np.float64]:
            return np.asarray(grad_theta.reshape(len(theta), -1) @ self._matrix * slopes, np.float64)

        return theta.reshape(-1, *self.theta_shape), pull


def _checked_bounds(bounds: Any, identity: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        low, high = (np.broadcast_to(checks.finite_array("bounds", side), identity.shape) for side in bounds)
    except ValueError as error:
        raise ValueError(f"bounds must be (low, high), one number or {len(identity)} each: {error}") from None
    if not ((low < identity) & (identity < high)).all():
        raise ValueError(f"bounds must have the identity, {identity.tolist()}, between them, got {low} and {high}")
    return low, high


def _outside(inside: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers that the logistic function takes into the bounds, at ``inside``."""
    share = (inside - low) / (high - low)
    return np.log(share / (1 - share))


_MATRIX_IDENTITY = np.array([1.0, 0, 0, 0, 1, 0])
# a, b, x, y  ->  [[a, -b, x], [b, a, y]]
_SIMILARITY = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def family(name: str, *, points: int = 16, bounds: tuple[ArrayLike, ArrayLike] | None = None) -> Family:
    """A family by its name.

    Parameters
    ----------
    name : str
        ``"affine"``: 6 numbers, theta itself;
        ``"attention"``: scale, x, y: a window of the picture (Jaderberg et al. 2015, eq. 2);
        ``"similarity"``: a, b, x, y for ``[[a, -b, x], [b, a, y]]``, a = s cos, b = s sin;
        ``"projective"``: 8 numbers, the matrix without its last entry, which is 1;
        ``"tps"``: a thin-plate spline by the input points of a square grid of control points.
    points : int, default 16
        Of the spline: 4, 9, 16, ...
    bounds : (low, high), optional
        Each one number or one for each of the family's: a logistic function keeps the net's numbers between them.

    Raises
    ------
    ValueError
        For an unknown name, bounds that leave out the identity, or points that are not a square grid.
    """
    if name == "affine":
        return Family("affine", (2, 3), np.eye(6), np.zeros(6), _MATRIX_IDENTITY, bounds)
    if name == "attention":
        scaling = _SIMILARITY[:, [0, 2, 3]]
        return Family("affine", (2, 3), scaling, np.zeros(6), np.array([1.0, 0, 0]), bounds)
    if name == "similarity":
        return Family("affine", (2, 3), _SIMILARITY, np.zeros(6), np.array([1.0, 0, 0, 0]), bounds)
    if name == "projective":
        identity = np.array([1.0, 0, 0, 0, 1, 0, 0, 0])
        return Family("projective", (3, 3), np.eye(9, 8), np.eye(9)[8], identity, bounds)
    if name == "tps":
        grid = thetas.square_grid(checks.integer("points", points))
        return Family("tps", grid.shape, np.eye(grid.size), np.zeros(grid.size), grid.reshape(-1), bounds)
    raise ValueError(f"family must be 'affine', 'attention', 'similarity', 'projective' or 'tps', got {name!r}")
