"""Polynomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import POLYNOMIAL
from ..kernels.polynomial_maps import POLYNOMIAL_HEADER
from ..kernels.stages import Stage
from .base import Transform, read_only
from .inverse import Inverse


class Polynomial(Transform):
    """A polynomial in x and y for each coordinate.

    Parameters
    ----------
    coefficients : (2, N)
        Of 1, u, v, u^2, u v, v^2, u^3, ... for x' and for y'; N = 3, 6, 10, 15, ... for order 1, 2, 3, 4, ...
    center : (2,), default (0, 0)
    scale : float, default 1
        Above 0; (u, v) = ((x, y) - center) / scale. With numbers about those of the picture the coefficients of all orders are
        of like size, which keeps their digits.

    Raises
    ------
    ValueError
        If a number is not finite, the scale not positive, or N another number.

    Notes
    -----
    With the default ``center`` and ``scale``, ``coefficients`` is the ``params`` of scikit-image's ``PolynomialTransform``.

    The inverse is found by iteration from the part of first order, see :class:`Inverse`. A polynomial of higher order bends
    back somewhere; there it has several points or none.
    """

    _json_name = "polynomial"

    def __init__(self, coefficients: ArrayLike, center: ArrayLike = (0, 0), scale: float = 1.0) -> None:
        array = checks.finite_array("coefficients", coefficients, (2, None))
        self.order = (math.isqrt(8 * array.shape[1] + 1) - 3) // 2
        if self.order < 1 or array.shape[1] != _count(self.order):
            raise ValueError(f"coefficients must have shape (2, 3), (2, 6), (2, 10), (2, 15) and so on, got {array.shape}")
        self.coefficients = read_only(array)
        self.center = read_only(checks.finite_array("center", center, (2,)))
        self.scale = checks.positive("scale", scale)

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike, order: int = 2) -> Polynomial:
        """The polynomial of an order that takes ``src`` (n, 2) nearest to ``dst`` (n, 2) in least squares.

        Raises
        ------
        ValueError
            If the order is below 1, there are fewer points than coefficients, (order + 1) (order + 2) / 2, or they do not
            determine them: all on a line, or on another curve of that order.
        """
        order = checks.integer("order", order)
        if order < 1:
            raise ValueError(f"order must be at least 1, got {order}")
        src, dst = checks.point_pairs(src, dst, _count(order))
        low, high = src.min(axis=0), src.max(axis=0)
        center, scale = (low + high) / 2, max(*(high - low)) / 2
        if not scale > 0:
            raise ValueError(f"src must not be one single point, got {len(src)} times {src[0].tolist()}")
        u, v = ((src - center) / scale).T
        design = np.column_stack([u ** (degree - q) * v**q for degree in range(order + 1) for q in range(degree + 1)])
        solution, _, _, singular_values = np.linalg.lstsq(design, dst, rcond=None)
        if singular_values[-1] <= checks.SINGULAR * singular_values[0]:
            raise ValueError(f"src does not determine a polynomial of order {order}: its points lie on a curve of that order")
        return cls(solution.T, center, scale)

    @property
    def inverse(self) -> Inverse:
        """The map that undoes this one, found by iteration: see :class:`Inverse`."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """The coefficients of x', then those of y': 2 N numbers."""
        return self.coefficients.reshape(-1)

    def with_params(self, params: ArrayLike) -> Polynomial:
        coefficients = checks.finite_array("params", params, (self.coefficients.size,)).reshape(2, -1)
        return Polynomial(coefficients, self.center, self.scale)

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(POLYNOMIAL, np.array([self.order, *self.center, 1 / self.scale, *self.params])),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return packed[:, POLYNOMIAL_HEADER:]

    def _to_dict(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients.tolist(), "center": self.center.tolist(), "scale": self.scale}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Polynomial:
        return cls(fields["coefficients"], fields["center"], fields["scale"])

    def __repr__(self) -> str:
        x, y = self.center.tolist()
        return f"Polynomial(order {self.order}, about ({x:.6g}, {y:.6g}), scale {self.scale:.6g})"


def _count(order: int) -> int:
    """How many coefficients a coordinate has."""
    return (order + 1) * (order + 2) // 2
