"""Thin-plate splines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import THIN_PLATE
from ..kernels.spline_maps import THIN_PLATE_HEADER
from ..kernels.stages import Stage
from ..threads import ComputedOnce
from .base import Transform, read_only, restore
from .inverse import Inverse

# A relative residual of the solved system above this means that its matrix is too ill-conditioned to trust.
_LARGEST_RESIDUAL = 1e-9


class ThinPlateSpline(Transform):
    """The map of least bending energy that takes each control point to its value.

    ``f(p) = a + A p + sum_k w_k U(|p - c_k|)`` with ``U(r) = r^2 ln r^2`` (Bookstein 1989), for x' and y' alike.

    Parameters
    ----------
    control_points : (K, 2)
        At least three points (x, y) in pixels, distinct and not on one line.
    values : (K, 2)
        Where they go.
    smoothing : float, default 0
        0 interpolates; more lets the spline miss its values for less bending, up to the affine least-squares fit. In units
        that do not depend on the size of the picture: it is added to the diagonal of the kernel matrix after the control
        points are scaled to fit the square [-1, 1].

    Raises
    ------
    ValueError
        For NaN or infinite numbers, fewer than three, duplicate or collinear control points, points too close together to
        solve for, negative smoothing, or more points than memory holds (the system has (K + 3)^2 numbers).
    """

    _json_name = "thin_plate_spline"

    def __init__(self, control_points: ArrayLike, values: ArrayLike, smoothing: float = 0.0) -> None:
        self._system = _System(
            checks.finite_array("control_points", control_points, (None, 2)), checks.finite_number("smoothing", smoothing)
        )
        self._set_values(checks.finite_array("values", values, (len(self.control_points), 2)))

    def _set_values(self, values: NDArray[np.float64]) -> None:
        self.values = read_only(values)
        self._packed = read_only(self._system.pack(values))

    @property
    def control_points(self) -> NDArray[np.float64]:
        """(K, 2), in pixels."""
        return self._system.control_points

    @property
    def smoothing(self) -> float:
        return self._system.smoothing

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike, smoothing: float = 0.0) -> ThinPlateSpline:
        """The spline that takes ``src`` (n, 2) to ``dst`` (n, 2), exactly unless ``smoothing`` is positive."""
        src, dst = checks.point_pairs(src, dst, 3)
        return cls(src, dst, smoothing)

    @property
    def inverse(self) -> Inverse:
        """The map that undoes this one, found by iteration: see :class:`Inverse`."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """The values, row by row: 2 K numbers."""
        return self.values.reshape(-1)

    def with_params(self, params: ArrayLike) -> ThinPlateSpline:
        values = checks.finite_array("params", params, (self.values.size,)).reshape(-1, 2)
        other = object.__new__(type(self))
        other._system = self._system
        other._set_values(values)
        return other

    def packing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A matrix (length, 2 K) and a vector (length,): the packed spline of other values is ``matrix @ values + vector``."""
        return self._system.packing()

    @property
    def bending_matrix(self) -> NDArray[np.float64]:
        """(K, K), symmetric: ``values.T @ bending_matrix @ values`` has the bending energy of x' and y' on its diagonal.

        Bookstein's integral of squared second derivatives (1989), divided by 16 pi, in coordinates that have the control points
        in the square [-1, 1]; 0 for affine maps. For splines without smoothing.
        """
        return self._system.bending

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(THIN_PLATE, self._packed),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._system.pull(packed)

    def _to_dict(self) -> dict[str, Any]:
        return {
            "control_points": self.control_points.tolist(),
            "values": self.values.tolist(),
            "smoothing": self.smoothing,
        }

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> ThinPlateSpline:
        return cls(fields["control_points"], fields["values"], fields.get("smoothing", 0.0))

    def __repr__(self) -> str:
        shift = np.hypot(*(self.values - self.control_points).T).max()
        return f"ThinPlateSpline({len(self.values)} control points, largest shift {shift:.4g} px, smoothing={self.smoothing:g})"


class _System:
    """The linear system ``[[K + smoothing I, P], [P^T, 0]] [w; a] = [values; 0]`` of a set of control points."""

    def __init__(self, control_points: NDArray[np.float64], smoothing: float) -> None:
        if smoothing < 0:
            raise ValueError(f"smoothing must not be negative, got {smoothing}")
        count = len(control_points)
        if count < 3:
            raise ValueError(f"control_points must be at least three, got {count}")
        # the matrix, its factors and the distances
        checks.fits_in_memory(f"control_points: a spline through {count:,} points", 4 * 8 * (count + 3) ** 2)
        self.control_points = read_only(control_points)
        self.smoothing = smoothing
        low, high = control_points.min(axis=0), control_points.max(axis=0)
        self._centre = (low + high) / 2
        self._inverse_scale = 2 / max(*(high - low), np.finfo(float).tiny)
        self._normalised = (control_points - self._centre) * self._inverse_scale
        _check_distinct(control_points)
        plane = np.column_stack([np.ones(count), self._normalised])
        singular_values = np.linalg.svd(plane, compute_uv=False)
        if singular_values[-1] <= 1e-10 * singular_values[0]:
            raise ValueError("control_points must not lie on one line")
        self._matrix = np.zeros((count + 3, count + 3))
        self._matrix[:count, :count] = _radial_matrix(self._normalised)
        self._matrix[np.arange(count), np.arange(count)] += smoothing
        self._matrix[:count, count:] = plane
        self._matrix[count:, :count] = plane.T

    def __setstate__(self, state: dict[str, Any]) -> None:
        restore(self, state)

    def solve(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solution for right-hand sides (K + 3, n), refined once."""
        try:
            solution = np.linalg.solve(self._matrix, right)
            solution = solution + np.linalg.solve(self._matrix, right - self._matrix @ solution)
        except np.linalg.LinAlgError:
            raise ValueError("control_points do not determine a spline: the system is singular") from None
        residual = np.abs(right - self._matrix @ solution).max()
        if not residual <= _LARGEST_RESIDUAL * max(np.abs(right).max(), np.finfo(float).tiny):
            raise ValueError(f"control_points are too close together for a spline: the system is solved only to {residual:.1g}")
        return np.asarray(solution, dtype=np.float64)

    @ComputedOnce
    def _operator(self) -> NDArray[np.float64]:
        """(K + 3, K): what the values are multiplied by to give weights and plane. One factorisation serves all values."""
        count = len(self.control_points)
        return self.solve(np.eye(count + 3, count))

    @ComputedOnce
    def bending(self) -> NDArray[np.float64]:
        """From values to weights, which are those values' slopes of half the bending energy."""
        weights = self._operator[: len(self.control_points)]
        return read_only((weights + weights.T) / 2)

    def pull(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gradient of the values, row by row (n, 2 K), from that of the packed spline (n, length)."""
        plane = packed[:, THIN_PLATE_HEADER - 6 : THIN_PLATE_HEADER].reshape(-1, 2, 3).transpose(0, 2, 1)
        weights = packed[:, THIN_PLATE_HEADER:].reshape(len(packed), 4, -1)[:, 2:].transpose(0, 2, 1)
        gradient = self._operator.T @ np.concatenate([weights, plane], axis=1)
        return np.asarray(gradient, dtype=np.float64).reshape(len(packed), -1)

    def packing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What :meth:`pack` does, as a matrix for the values, row by row, and a vector for what they do not change."""
        count = len(self.control_points)
        fixed = self.pack(np.zeros((count, 2)))
        matrix = np.zeros((fixed.size, 2 * count))
        for axis in range(2):
            plane = THIN_PLATE_HEADER - 6 + 3 * axis
            matrix[plane : plane + 3, axis::2] = self._operator[count:]
            weights = THIN_PLATE_HEADER + (2 + axis) * count
            matrix[weights : weights + count, axis::2] = self._operator[:count]
        return matrix, fixed

    def pack(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The spline through ``values`` as the kernel reads it, see :func:`warpkit.kernels.spline_maps.thin_plate`."""
        count = len(values)
        solution = self.solve(np.vstack([values, np.zeros((3, 2))]))
        header = np.concatenate([[count, *self._centre, self._inverse_scale], solution[count:, 0], solution[count:, 1]])
        assert len(header) == THIN_PLATE_HEADER
        return np.concatenate([header, self._normalised.T.reshape(-1), solution[:count].T.reshape(-1)])


def _radial_matrix(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """U between all pairs; the diagonal is the limit 0."""
    squared: NDArray[np.float64] = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, 1.0)
    return np.multiply(squared, np.log(squared))


def _check_distinct(control_points: NDArray[np.float64]) -> None:
    order = np.lexsort(control_points.T)
    same = (np.diff(control_points[order], axis=0) == 0).all(axis=1)
    if same.any():
        first = order[np.argmax(same)]
        raise ValueError(f"control_points must be distinct, got {control_points[first].tolist()} twice")
