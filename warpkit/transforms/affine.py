"""Affine maps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import AFFINE
from ..kernels.stages import Stage
from .base import Transform, read_only
from .fitting import affine_fit, similarity_fit, weighted_pairs

_FEWEST_POINTS = {"affine": 3, "similarity": 2, "euclidean": 2, "translation": 1}


class Affine(Transform):
    """``(x, y) -> (a x + b y + c, d x + e y + f)``.

    Parameters
    ----------
    matrix : (2, 3) or (3, 3) with last row 0, 0, 1
        ``[[a, b, c], [d, e, f]]`` on (x, y) in pixels.

    Raises
    ------
    ValueError
        If the matrix is not finite, of another shape, or singular.

    Notes
    -----
    Convention: the constructors below move points with y down, so that a positive rotation is clockwise on a screen when the
    map moves the picture, that is, when its *inverse* is the inverse map of a warp.
    """

    _json_name = "affine"

    def __init__(self, matrix: ArrayLike) -> None:
        array = checks.finite_array("matrix", matrix)
        if array.shape == (3, 3):
            if not np.array_equal(array[2], [0, 0, 1]):
                raise ValueError(f"matrix must have the last row 0, 0, 1 to be affine, got {array[2].tolist()}")
            array = array[:2].copy()
        if array.shape != (2, 3):
            raise ValueError(f"matrix must have shape (2, 3) or (3, 3), got {array.shape}")
        checks.not_singular("matrix", array[:, :2])
        self.matrix = read_only(array)

    @classmethod
    def identity(cls) -> Affine:
        """The map that leaves every point where it is."""
        return cls([[1, 0, 0], [0, 1, 0]])

    @classmethod
    def translation(cls, dx: float, dy: float) -> Affine:
        """``(x + dx, y + dy)``, in pixels."""
        return cls([[1, 0, checks.finite_number("dx", dx)], [0, 1, checks.finite_number("dy", dy)]])

    @classmethod
    def rotation(cls, degrees: float, center: ArrayLike = (0, 0)) -> Affine:
        """``[[cos, -sin], [sin, cos]]`` about ``center``, exact for multiples of 90 degrees."""
        cos, sin = _cos_sin(degrees)
        return cls._about(center, cos, -sin, sin, cos)

    @classmethod
    def scaling(cls, sx: float, sy: float | None = None, center: ArrayLike = (0, 0)) -> Affine:
        """Scale by ``sx`` along x and ``sy`` (default: ``sx``) along y, about ``center``."""
        sx = checks.finite_number("sx", sx)
        return cls._about(center, sx, 0, 0, sx if sy is None else checks.finite_number("sy", sy))

    @classmethod
    def shearing(cls, degrees_x: float, degrees_y: float = 0, center: ArrayLike = (0, 0)) -> Affine:
        """``(x + tan(degrees_x) y, y + tan(degrees_y) x)`` about ``center``."""
        tangents = []
        for name, degrees in (("degrees_x", degrees_x), ("degrees_y", degrees_y)):
            cos, sin = _cos_sin(degrees, name)
            if abs(cos) < checks.SINGULAR:
                raise ValueError(f"{name} must not be 90 degrees or an odd multiple, got {degrees}")
            tangents.append(sin / cos)
        return cls._about(center, 1, tangents[0], tangents[1], 1)

    @classmethod
    def similarity(cls, scale: float, degrees: float, translation: ArrayLike = (0, 0), center: ArrayLike = (0, 0)) -> Affine:
        """Scale and rotate about ``center``, then translate."""
        scale = checks.finite_number("scale", scale)
        cos, sin = _cos_sin(degrees)
        matrix = cls._about(center, scale * cos, -scale * sin, scale * sin, scale * cos).matrix.copy()
        matrix[:, 2] += checks.finite_array("translation", translation, (2,))
        return cls(matrix)

    @classmethod
    def _about(cls, center: ArrayLike, a: float, b: float, d: float, e: float) -> Affine:
        x, y = checks.finite_array("center", center, (2,))
        return cls([[a, b, x - (a * x + b * y)], [d, e, y - (d * x + e * y)]])

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike, model: str = "affine", *, weights: ArrayLike | None = None) -> Affine:
        """The map of a kind that takes ``src`` (n, 2) nearest to ``dst`` (n, 2) in least squares.

        Parameters
        ----------
        src, dst : (n, 2)
            Corresponding points (x, y) in pixels.
        model : {"affine", "similarity", "euclidean", "translation"}
            Any affine map (at least three points, exact for three); scaling, turn and shift (two, exact for two); turn and
            shift (two); shift (one). None but the first mirrors (Umeyama 1991).
        weights : (n,), optional
            Of the squared distances, at least 0.

        Raises
        ------
        ValueError
            If there are too few points, or they do not determine the map: all on one line for an affine map, one single point
            for the next two.
        """
        if model not in _FEWEST_POINTS:
            raise ValueError(f"model must be one of {', '.join(map(repr, _FEWEST_POINTS))}, got {model!r}")
        points = weighted_pairs(src, dst, weights, _FEWEST_POINTS[model])
        if model == "affine":
            return cls(affine_fit(*points))
        if model == "translation":
            from_points, to_points, shares = points
            return cls.translation(*np.average(to_points - from_points, axis=0, weights=shares))
        return cls(similarity_fit(*points, keeps_size=model == "euclidean"))

    @property
    def inverse(self) -> Affine:
        (a, b, c), (d, e, f) = self.matrix
        determinant = a * e - b * d
        linear = np.array([[e, -b], [-d, a]]) / determinant
        return Affine(np.column_stack([linear, -(linear @ (c, f))]))

    @property
    def params(self) -> NDArray[np.float64]:
        """The 2 x 3 matrix, row by row: 6 numbers."""
        return self.matrix.reshape(-1)

    def with_params(self, params: ArrayLike) -> Affine:
        return Affine(checks.finite_array("params", params, (6,)).reshape(2, 3))

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(AFFINE, self.params),)

    def _to_dict(self) -> dict[str, Any]:
        return {"matrix": self.matrix.tolist()}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Affine:
        return cls(fields["matrix"])

    def __repr__(self) -> str:
        (a, b, c), (d, e, f) = self.matrix
        return f"Affine([[{a:.6g}, {b:.6g}, {c:.6g}], [{d:.6g}, {e:.6g}, {f:.6g}]])"


def _cos_sin(degrees: float, name: str = "degrees") -> tuple[float, float]:
    """Cosine and sine, exact at multiples of 90 degrees."""
    turns, rest = divmod(checks.finite_number(name, degrees), 90.0)
    cos, sin = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns % 4)):
        cos, sin = -sin, cos
    return cos, sin
