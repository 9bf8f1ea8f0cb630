"""Theta, the normalised parameters of a family, as the packed parameters that kernels take.

For every family here the packed parameters, in pixels, are an affine function of theta.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .conventions import normalized_from_pixels, scale_and_offset
from .kernels.maps import AFFINE, PROJECTIVE, THIN_PLATE
from .kernels.stages import Pipeline, Stage
from .transforms import ThinPlateSpline

Family = Literal["affine", "projective", "tps"]

_KINDS = {"affine": AFFINE, "projective": PROJECTIVE, "tps": THIN_PLATE}
_MATRICES = {"affine": (2, 3), "projective": (3, 3)}


class Packing(NamedTuple):
    """``packed = matrix @ theta + fixed`` for theta row by row; ``kind`` is the kernels' name of the family."""

    kind: int
    matrix: NDArray[np.float64]
    fixed: NDArray[np.float64]

    def pipeline(self, thetas: NDArray[np.float64]) -> Pipeline:
        """For theta (N, P); one that is not finite gives NaN, and a warp without points."""
        with np.errstate(invalid="ignore", over="ignore"):
            # not a matrix product, whose rounding of one row may depend on how many there are
            params = np.einsum("np,lp->nl", thetas, self.matrix) + self.fixed
        return Pipeline(np.array([[self.kind, 0]]), params, Stage(self.kind, self.fixed).nanoseconds)


def packing(
    family: str,
    theta_shape: tuple[int, ...],
    input_shape: tuple[int, int],
    output_shape: tuple[int, int],
    align_corners: bool,
    control_points: NDArray[Any] | None,
) -> Packing:
    """How a batch of theta of ``theta_shape`` packs, for pictures of ``input_shape`` and ``output_shape`` (rows, columns).

    "affine" (N, 2, 3) and "projective" (N, 3, 3) take normalised output points to normalised input points; "tps" (N, K, 2)
    holds the normalised input points of K ``control_points`` (K, 2), also normalised, by default a square grid over [-1, 1].

    Raises
    ------
    ValueError
        For an unknown family, another shape of theta or impossible control points.
    """
    if family not in _KINDS:
        raise ValueError(f"family must be one of {', '.join(map(repr, _KINDS))}, got {family!r}")
    if family == "tps":
        if len(theta_shape) != 3 or theta_shape[2] != 2:
            raise ValueError(f"theta must have shape (N, K, 2) for 'tps', got {theta_shape}")
        points = square_grid(theta_shape[1]) if control_points is None else np.asarray(control_points, dtype=np.float64)
        if points.shape != theta_shape[1:]:
            raise ValueError(f"control_points must have shape ({theta_shape[1]}, 2), got {points.shape}")
        return _spline_packing(points.tobytes(), input_shape, output_shape, align_corners)
    if len(theta_shape) != 3 or theta_shape[1:] != _MATRICES[family]:
        rows, columns = _MATRICES[family]
        raise ValueError(f"theta must have shape (N, {rows}, {columns}) for {family!r}, got {theta_shape}")
    return _matrix_packing(family, input_shape, output_shape, align_corners)


@lru_cache
def _matrix_packing(family: str, input_shape: tuple[int, int], output_shape: tuple[int, int], align_corners: bool) -> Packing:
    """To input pixels @ theta @ from output pixels."""
    scale, offset = _axes(input_shape, align_corners)
    to_input = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]], [0, 0, 1]])
    from_output = normalized_from_pixels("output_shape", output_shape, align_corners)
    if family == "projective":
        return Packing(PROJECTIVE, np.kron(to_input, from_output.T), np.zeros(9))
    # the last row of theta is 0, 0, 1
    return Packing(AFFINE, np.kron(to_input[:2, :2], from_output.T), np.outer(to_input[:2, 2], from_output[2]).reshape(-1))


@lru_cache
def _spline_packing(
    control_points: bytes, input_shape: tuple[int, int], output_shape: tuple[int, int], align_corners: bool
) -> Packing:
    """The spline through control points in output pixels and values in input pixels."""
    from_output = normalized_from_pixels("output_shape", output_shape, align_corners)
    normalised = np.frombuffer(control_points).reshape(-1, 2)
    points = (normalised - from_output[:2, 2]) / np.diag(from_output)[:2]
    operator, fixed = ThinPlateSpline(points, points).packing()
    scale, offset = _axes(input_shape, align_corners)
    count = len(points)
    return Packing(THIN_PLATE, operator * np.tile(scale, count), fixed + operator @ np.tile(offset, count))


def _axes(shape: tuple[int, int], align_corners: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and offset from normalised to pixels, for x and y."""
    (scale_y, offset_y), (scale_x, offset_x) = (scale_and_offset(size, align_corners) for size in shape)
    return np.array([scale_x, scale_y]), np.array([offset_x, offset_y])


def square_grid(count: int) -> NDArray[np.float64]:
    """``count`` normalised control points (count, 2), row by row, the outermost at -1 and 1."""
    side = round(count**0.5)
    if side * side != count or side < 2:
        raise ValueError(f"control_points must be given for {count} points, which are not a square grid")
    line = np.linspace(-1, 1, side)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
