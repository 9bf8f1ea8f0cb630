"""Projective maps (homographies)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import PROJECTIVE
from ..kernels.stages import Stage
from .base import Transform, read_only
from .fitting import normalising_matrix

# Singular values and areas below this, relative to the largest, are rounding errors.
_AMBIGUOUS = 1e-10


class Projective(Transform):
    """``(x, y) -> (X / w, Y / w)`` with ``(X, Y, w) = matrix (x, y, 1)``.

    Parameters
    ----------
    matrix : (3, 3)
        On homogeneous pixel coordinates. Its scale is free but its sign is not: points with w <= 0 lie at or beyond the
        horizon and have no value (NaN); as an inverse map they are outside the image.

    Raises
    ------
    ValueError
        If the matrix is not finite, of another shape, or singular.
    """

    _json_name = "projective"

    def __init__(self, matrix: ArrayLike) -> None:
        array = checks.finite_array("matrix", matrix, (3, 3))
        checks.not_singular("matrix", array)
        self.matrix = read_only(array)

    @classmethod
    def from_quads(cls, src: ArrayLike, dst: ArrayLike) -> Projective:
        """The homography that takes four points ``src`` (4, 2) to four points ``dst`` (4, 2), exactly.

        Raises
        ------
        ValueError
            If three points of a quad lie on a line, or no homography without a horizon between the points exists, as
            when the corners are in another order.
        """
        return cls.fit(checks.finite_array("src", src, (4, 2)), checks.finite_array("dst", dst, (4, 2)))

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike) -> Projective:
        """The homography that takes ``src`` (n, 2) to ``dst`` (n, 2); exact for four points.

        For more points it minimises the algebraic error of the normalised direct linear transform (Hartley and
        Zisserman 2004, algorithm 4.2).

        Raises
        ------
        ValueError
            If there are fewer than four points, or they do not determine a homography (three of four on a line), or the
            points lie on both sides of its horizon.
        """
        src, dst = checks.point_pairs(src, dst, 4)
        from_src, from_dst = normalising_matrix("src", src), normalising_matrix("dst", dst)
        p = np.column_stack([src, np.ones(len(src))]) @ from_src.T
        q = np.column_stack([dst, np.ones(len(dst))]) @ from_dst.T
        zero = np.zeros_like(p)
        system = np.concatenate([np.hstack([p, zero, -q[:, :1] * p]), np.hstack([zero, p, -q[:, 1:2] * p])])
        # four points give eight rows; a ninth, of zeros, lets the null space come out of the small decomposition
        _, singular_values, right = np.linalg.svd(np.vstack([system, np.zeros(9)]), full_matrices=False)
        on_a_line = len(src) == 4 and (_three_on_a_line(p) or _three_on_a_line(q))
        if on_a_line or singular_values[7] <= _AMBIGUOUS * singular_values[0]:
            raise ValueError("src and dst do not determine a homography: too many points lie on one line")
        matrix = np.linalg.inv(from_dst) @ right[-1].reshape(3, 3) @ from_src
        try:
            checks.not_singular("matrix", matrix)
        except ValueError:
            raise ValueError("src and dst do not determine a homography: too many points lie on one line") from None
        w = p @ np.linalg.inv(from_src).T @ matrix[2]
        if w.sum() < 0:
            matrix, w = -matrix, -w
        if not w.min() > 0:
            raise ValueError("src and dst lie on both sides of the homography's horizon; are the points in matching order?")
        # h33 = 1 as others have it (-1 where the origin is behind the horizon), unless the horizon runs through the origin.
        return cls(matrix / (abs(matrix[2, 2]) if abs(matrix[2, 2]) > 1e-9 * w.max() else w.max()))

    @property
    def inverse(self) -> Projective:
        # The adjugate, so that turns by 90 degrees and flips stay exact; dividing by the determinant keeps the sign of w.
        scale = 2.0 ** -np.frexp(np.abs(self.matrix).max())[1]
        m = self.matrix * scale
        adjugate = np.stack([np.cross(m[1], m[2]), np.cross(m[2], m[0]), np.cross(m[0], m[1])], axis=1)
        return Projective(adjugate / (m[0] @ adjugate[:, 0]) * scale)

    @property
    def params(self) -> NDArray[np.float64]:
        """The 3 x 3 matrix, row by row: 9 numbers."""
        return self.matrix.reshape(-1)

    def with_params(self, params: ArrayLike) -> Projective:
        return Projective(checks.finite_array("params", params, (9,)).reshape(3, 3))

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(PROJECTIVE, self.params),)

    def _to_dict(self) -> dict[str, Any]:
        return {"matrix": self.matrix.tolist()}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Projective:
        return cls(fields["matrix"])

    def __repr__(self) -> str:
        return "Projective([" + ", ".join("[" + ", ".join(f"{v:.6g}" for v in row) + "]" for row in self.matrix) + "])"


def _three_on_a_line(homogeneous: NDArray[np.float64]) -> bool:
    """Whether any three of four points (4, 3) span no area to speak of."""
    areas = [abs(np.linalg.det(np.delete(homogeneous, k, axis=0))) for k in range(4)]
    return bool(min(areas) <= _AMBIGUOUS)
