"""Piecewise affine maps on triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import PIECEWISE_AFFINE
from ..kernels.stages import Stage
from ..kernels.triangle_maps import TRIANGLE
from .base import Transform, read_only, restore

_FLAT = 1e-12  # area of a triangle, relative to the square of its longest side


class PiecewiseAffine(Transform):
    """The map that takes the corners of triangles to their values and is affine within each.

    Outside all triangles it has no value (NaN): in a warp such a pixel gets ``cval``.

    Parameters
    ----------
    control_points : (K, 2)
        At least three points (x, y) in pixels.
    values : (K, 2)
        Where they go.
    triangles : (T, 3) integers, optional
        Which control points are the corners of each. By default the Delaunay triangulation, for which SciPy must be installed.

    Raises
    ------
    ValueError
        If numbers are not finite, indices out of range, or a triangle without area.
    ImportError
        If triangles are to be found without SciPy.

    Notes
    -----
    scikit-image's ``PiecewiseAffineTransform``, the inverse apart: that is the piecewise affine map of the same triangles in
    their new places, and undoes this one unless triangles are turned over. Where triangles overlap, the first one counts.
    """

    _json_name = "piecewise_affine"

    def __init__(self, control_points: ArrayLike, values: ArrayLike, triangles: ArrayLike | None = None) -> None:
        points = checks.finite_array("control_points", control_points, (None, 2))
        if len(points) < 3:
            raise ValueError(f"control_points must be at least three, got {len(points)}")
        self._mesh = _Mesh(points, _delaunay(points) if triangles is None else _indices(triangles, len(points)))
        self._set_values(checks.finite_array("values", values, points.shape))

    def _set_values(self, values: NDArray[np.float64]) -> None:
        self.values = read_only(values)
        self._packed = read_only(self._mesh.pack(values))

    @property
    def control_points(self) -> NDArray[np.float64]:
        """(K, 2), in pixels."""
        return self._mesh.control_points

    @property
    def triangles(self) -> NDArray[np.int64]:
        """(T, 3), indices of control points."""
        return self._mesh.triangles

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike) -> PiecewiseAffine:
        """The map that takes ``src`` (n, 2) to ``dst`` (n, 2) exactly, on the Delaunay triangulation of ``src``."""
        src, dst = checks.point_pairs(src, dst, 3)
        return cls(src, dst)

    @property
    def inverse(self) -> PiecewiseAffine:
        """The map of the same triangles from their values to their control points; ValueError if one has lost its area."""
        return PiecewiseAffine(self.values, self.control_points, self.triangles)

    @property
    def params(self) -> NDArray[np.float64]:
        """The values, row by row: 2 K numbers."""
        return self.values.reshape(-1)

    def with_params(self, params: ArrayLike) -> PiecewiseAffine:
        values = checks.finite_array("params", params, (self.values.size,)).reshape(-1, 2)
        other = object.__new__(type(self))
        other._mesh = self._mesh
        other._set_values(values)
        return other

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(PIECEWISE_AFFINE, self._packed),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._mesh.pull(packed)

    def _to_dict(self) -> dict[str, Any]:
        return {
            "control_points": self.control_points.tolist(),
            "values": self.values.tolist(),
            "triangles": self.triangles.tolist(),
        }

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> PiecewiseAffine:
        return cls(fields["control_points"], fields["values"], fields["triangles"])

    def __repr__(self) -> str:
        shift = np.hypot(*(self.values - self.control_points).T).max()
        triangles = len(self.triangles)
        return f"PiecewiseAffine({len(self.values)} control points, {triangles} triangles, largest shift {shift:.4g} px)"


class _Mesh:
    """Triangles, and a table of cells to find the one that holds a point."""

    def __init__(self, control_points: NDArray[np.float64], triangles: NDArray[np.int64]) -> None:
        self.control_points = read_only(control_points)
        self.triangles = triangles
        self.triangles.flags.writeable = False
        self._corners = control_points[triangles]  # (T, 3, 2)
        self._check_areas()
        # barycentric @ (x, y, 1): the weights of a triangle's corners at a point
        homogeneous = np.concatenate([self._corners, np.ones((*triangles.shape, 1))], axis=2)
        self._barycentric = np.linalg.inv(homogeneous.transpose(0, 2, 1))
        self._search = self._search_table()

    def __setstate__(self, state: dict[str, Any]) -> None:
        restore(self, state)

    def _check_areas(self) -> None:
        first, second = self._corners[:, 1] - self._corners[:, 0], self._corners[:, 2] - self._corners[:, 0]
        area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        longest = np.maximum((first**2).sum(axis=1), (second**2).sum(axis=1))
        flat = ~(area > _FLAT * longest)
        if flat.any():
            worst = int(np.argmax(flat))
            raise ValueError(f"triangles[{worst}] must have an area, got corners {self._corners[worst].tolist()}")

    def _search_table(self) -> NDArray[np.float64]:
        """Header and table as the kernel reads them, see :func:`warpkit.kernels.triangle_maps.triangle_of`."""
        low, high = self._corners.min(axis=(0, 1)), self._corners.max(axis=(0, 1))
        count = len(self.triangles)
        width, height = high - low
        columns = int(np.clip(np.sqrt(count * width / height), 1, count))
        rows = max(1, count // columns)
        cells = np.array([columns, rows])
        first, last = (
            np.minimum(((corners - low) / (high - low) * cells).astype(np.int64), cells - 1)
            for corners in (self._corners.min(axis=1), self._corners.max(axis=1))
        )
        across, down = (last - first + 1).T
        checks.fits_in_memory("triangles: the table of their places", 8 * 8 * float((across * down).sum()))
        triangle = np.repeat(np.arange(count), across * down)
        place = np.arange(triangle.size) - np.repeat(np.cumsum(across * down) - across * down, across * down)
        column = first[triangle, 0] + place % across[triangle]
        row = first[triangle, 1] + place // across[triangle]
        cell = row * columns + column
        starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=columns * rows))])
        lists = triangle[np.argsort(cell, kind="stable")]
        header = [*low, *high, columns, rows, starts.size + lists.size, count]
        return np.concatenate([header, starts, lists]).astype(np.float64)

    def pack(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        matrices = values[self.triangles].transpose(0, 2, 1) @ self._barycentric
        numbers = np.concatenate([self._barycentric[:, :2], matrices], axis=1)
        return np.concatenate([self._search, numbers.reshape(-1)])

    def pull(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gradient of the values, row by row (n, 2 K), from that of the packed map (n, length)."""
        matrices = packed[:, self._search.size :].reshape(len(packed), -1, TRIANGLE)[..., 6:].reshape(len(packed), -1, 2, 3)
        shares = (self._barycentric @ matrices.transpose(0, 1, 3, 2)).transpose(1, 2, 0, 3)  # (T, corner, n, axis)
        gradient = np.zeros((len(self.control_points), len(packed), 2))
        np.add.at(gradient, self.triangles, shares)
        return gradient.transpose(1, 0, 2).reshape(len(packed), -1)


def _indices(triangles: ArrayLike, count: int) -> NDArray[np.int64]:
    array = checks.plain_array("triangles", triangles)
    if array.dtype.kind not in "iu":
        raise TypeError(f"triangles must hold integers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise ValueError(f"triangles must have shape (T, 3) with at least one, got {array.shape}")
    if array.min() < 0 or array.max() >= count:
        raise ValueError(f"triangles must hold indices from 0 to {count - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _delaunay(points: NDArray[np.float64]) -> NDArray[np.int64]:
    try:
        from scipy.spatial import Delaunay, QhullError
    except ImportError:
        raise ImportError(
            "a Delaunay triangulation needs SciPy (pip install 'numba-warpkit[triangulation]'); or give triangles"
        ) from None
    try:
        triangulation = Delaunay(points)
    except QhullError:
        raise ValueError("control_points must not lie on one line") from None
    for left_out, _, nearest in triangulation.coplanar:
        raise ValueError(f"control_points must be apart, got {points[left_out].tolist()} beside {points[nearest].tolist()}")
    return np.array(triangulation.simplices, dtype=np.int64)
