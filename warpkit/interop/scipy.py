"""``scipy.ndimage``'s ``map_coordinates`` and ``affine_transform`` for pictures, by its rules; SciPy is not needed.

Convention:
    SciPy's coordinates are (row, column), the centre of the first pixel is (0, 0); maps are output to input.

SciPy's border rules are not warpkit's, but for those whose names begin with "grid-": in "constant" all of a point outside the
centres of the outermost pixels is ``cval``, with no soft edge, and "wrap" repeats after one pixel less than the picture has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import checks, warping
from ..door import Interpolation, Mode
from ..interpolations import Cubic

_INTERPOLATIONS: dict[int, Interpolation] = {0: "nearest", 1: "bilinear", 3: "bspline3"}
_UNFILTERED = Cubic(1, 0)
# "constant" and "wrap" choose the points themselves.
_MODES: dict[str, Mode] = {
    "constant": "edge",
    "grid-constant": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "wrap": "edge",
    "grid-wrap": "wrap",
}
# Splines of order 3, whose coefficients SciPy solves for as for "mirror" where it has no rule of its own.
_SPLINE_MODES: dict[str, Mode] = {**_MODES, "constant": "reflect", "wrap": "reflect"}
_PADDING = 12  # pixels that SciPy repeats before it filters for "nearest"
_OUTSIDE = -1e9


def map_coordinates(
    input: ArrayLike,
    coordinates: ArrayLike,
    output: NDArray[Any] | DTypeLike | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> NDArray[Any]:
    """A picture at given points, as ``scipy.ndimage.map_coordinates``.

    Parameters
    ----------
    input : (H, W)
        bool, integers or floating; computed in float64.
    coordinates : (2, ...)
        (row, column) of each point.
    output : array or dtype, optional
        Where to write, or of which type the result is; by default input's. Integers are rounded, halves away from
        zero; bool is cut off.
    order : {0, 1, 3}
        0: nearest, at halves the larger index; 1: bilinear; 3: the cubic spline.
    mode : str
        "constant", "grid-constant" (not for order 3), "nearest", "reflect", "grid-mirror", "mirror", "wrap" or "grid-wrap".
    cval : float
        For "constant" and "grid-constant"; NaN for floating output only.
    prefilter : bool
        For order 3: whether ``input`` holds pixels, not a spline's coefficients.

    Returns
    -------
    coordinates.shape[1:]
        ``output`` if it is an array.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Notes
    -----
    Coefficients are solved for exactly. SciPy begins its recursion for "reflect" with an approximation, which is off on axes of
    fewer than about 20 pixels.
    """
    picture = checks.numeric_array("input", input)
    if picture.ndim != 2:
        raise ValueError(f"input must have shape (H, W), got {picture.shape}")
    points = checks.numeric_array("coordinates", coordinates)
    if points.ndim < 2 or len(points) != 2:
        raise ValueError(f"coordinates must have shape (2, ...), (row, column) in the first axis, got {points.shape}")
    if checks.integer("order", order) not in _INTERPOLATIONS:
        raise ValueError(f"order must be one of {sorted(_INTERPOLATIONS)}, got {order}")
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    if order == 3 and mode == "grid-constant":
        raise ValueError('mode must not be "grid-constant" for order 3')
    shape = points.shape[1:]
    into = output if isinstance(output, np.ndarray) else np.empty(shape, np.asarray(input).dtype if output is None else output)
    if into.shape != shape:
        raise ValueError(f"output must have shape {shape}, got {into.shape}")
    if into.size:
        interpolation = _INTERPOLATIONS[order] if prefilter or order < 3 else _UNFILTERED
        fill = checks.finite_number("cval", cval, or_nan=into.dtype.kind == "f")
        values = _sampled(picture, points.reshape(2, len(points[0]), -1), interpolation, mode, fill)
        into[...] = _rounded(values.reshape(shape), into.dtype)
    return into


def affine_transform(
    input: ArrayLike,
    matrix: ArrayLike,
    offset: ArrayLike = 0.0,
    output_shape: tuple[int, int] | None = None,
    output: NDArray[Any] | DTypeLike | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> NDArray[Any]:
    """A picture warped by ``input point = matrix @ output point + offset``, as ``scipy.ndimage.affine_transform``.

    Parameters
    ----------
    matrix : (2, 2), (2,), (2, 3) or (3, 3)
        On (row, column); (2,) is a diagonal; (2, 3) and (3, 3) hold the offset in their last column.
    offset : number or (2,)
        Of no effect for (2, 3) and (3, 3).
    output_shape : (rows, columns), optional
        By default input's, or that of the array ``output``.
    input, output, order, mode, cval, prefilter
        As for :func:`map_coordinates`.

    Returns
    -------
    (rows, columns)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    picture = checks.plain_array("input", input)
    linear, shift = _matrix_and_offset(matrix, offset)
    if output_shape is None:
        output_shape = output.shape if isinstance(output, np.ndarray) else picture.shape
    indices = np.indices(checks.shape_2d("output_shape", output_shape))
    points = np.einsum("ij,jrc->irc", linear, indices) + shift[:, None, None]
    return map_coordinates(picture, points, output, order, mode, cval, prefilter)


def _matrix_and_offset(matrix: ArrayLike, offset: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    array = checks.finite_array("matrix", matrix)
    if array.shape == (3, 3):
        if not np.array_equal(array[2], [0, 0, 1]):
            raise ValueError(f"matrix must have the last row 0, 0, 1, got {array[2].tolist()}")
        array = array[:2]
    if array.shape == (2, 3):
        return array[:, :2], array[:, 2]
    shift = checks.finite_array("offset", offset)
    if shift.shape not in ((), (2,)):
        raise ValueError(f"offset must be a number or two, got shape {shift.shape}")
    if array.shape == (2,):
        array = np.diag(array)
    if array.shape != (2, 2):
        raise ValueError(f"matrix must have shape (2, 2), (2,), (2, 3) or (3, 3), got {array.shape}")
    return array, np.broadcast_to(shift, (2,))


def _sampled(
    picture: NDArray[np.float64], points: NDArray[np.float64], interpolation: Interpolation, mode: str, fill: float
) -> NDArray[np.float64]:
    """At (row, column) ``points`` (2, rows, columns)."""
    last = np.array(picture.shape, dtype=np.float64)[:, None, None] - 1
    if mode == "wrap":
        points = _wrapped(points, last)
    border = _MODES[mode] if interpolation in ("nearest", "bilinear") else _SPLINE_MODES[mode]
    places = points
    if mode == "nearest" and interpolation == "bspline3":
        picture, border = np.pad(picture, _PADDING, mode="edge"), "symmetric"
        places = np.clip(points, -_PADDING, last + _PADDING) + _PADDING
    grid = np.nan_to_num(np.moveaxis(places[::-1], 0, -1), nan=_OUTSIDE, posinf=-_OUTSIDE, neginf=_OUTSIDE)
    values = warping.sample(picture, grid, interpolation=interpolation, mode=border, cval=fill)
    if mode == "constant":
        values[~((points >= 0) & (points <= last)).all(axis=0)] = fill
    return values


def _wrapped(points: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beyond the outermost centres, the same points whole numbers of ``last`` pixels away."""
    period = np.maximum(last, 1)
    below = points + period * (np.trunc(-points / period) + 1)
    above = points - period * np.trunc(points / period)
    return np.where(last == 0, 0.0, np.where(points < 0, below, np.where(points > last, above, points)))


def _rounded(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """As SciPy stores floats: integers rounded, halves away from zero, and clipped; bool cut off to 0 or 1."""
    if dtype.kind == "b":
        return np.trunc(values)
    if dtype.kind not in "iu":
        return values
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(values + np.copysign(0.5, values)), limits.min, limits.max)
