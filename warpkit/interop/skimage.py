"""scikit-image's ``warp`` by its rules, and its transforms as warpkit's and back.

Convention:
    scikit-image's transforms take (x, y) as warpkit's do, and its ``inverse_map`` is one: output to image. Coordinate arrays
    are in (row, column) order.

What warpkit has no kernel for, and pictures that are not flat, are handed on to scikit-image itself: see :func:`warp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, warping
from ..door import Interpolation, Mode
from ..transforms import Affine, PiecewiseAffine, Polynomial, Projective, ThinPlateSpline, Transform

_INTERPOLATIONS: dict[int, Interpolation] = {0: "nearest", 1: "bilinear", 3: "bicubic"}
_MODES = ("constant", "edge", "symmetric", "reflect", "wrap")
_OUTSIDE = -1e9


def warp(
    image: ArrayLike,
    inverse_map: Any,
    map_args: dict[str, Any] | None = None,
    output_shape: tuple[int, ...] | None = None,
    order: int | None = None,
    mode: Mode = "constant",
    cval: float = 0.0,
    clip: bool = True,
    preserve_range: bool = False,
) -> NDArray[Any]:
    """Warp a picture, as ``skimage.transform.warp``.

    Parameters
    ----------
    image : (H, W) or (H, W, C)
    inverse_map : transform, matrix (3, 3), callable or coordinates (2, rows, columns)
        Output to image: a transform of scikit-image or of warpkit, a function of points (n, 2) in (x, y) order, or the (row,
        column) of each output pixel, for (H, W) images. Matrices, as scikit-image's, take no notice of the sign of w.
    map_args : dict, optional
        Further arguments of a callable.
    output_shape : (rows, columns), default: the image's
    order : int, optional
        0 nearest, 1 bilinear (the default but for bool images), 3 bicubic: Catmull-Rom, as scikit-image has it for matrices.
    mode : {"constant", "edge", "symmetric", "reflect", "wrap"}
    cval : float
        In the range of the result.
    clip : bool
        Keep the result within the range of the image (and ``cval``, where it is seen).
    preserve_range : bool
        Keep integers' values; else they are scaled as ``skimage.util.img_as_float`` does. Not for order 0.

    Returns
    -------
    (rows, columns) or (rows, columns, C)
        float64; float32 for float32 and float16 images; the image's dtype for order 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Notes
    -----
    Handed on to scikit-image: orders 2, 4 and 5; order 3 along coordinates or callables, which is a B-spline there;
    coordinates for images that are not (H, W). Points that are not finite are outside and have ``cval``,
    where scikit-image gives NaN.
    """
    picture = checks.plain_array("image", image)
    if picture.size == 0 or picture.ndim not in (2, 3):
        raise ValueError(f"image must have shape (H, W) or (H, W, C), not empty, got {picture.shape}")
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    order = _checked_order(picture.dtype, order)
    transform, matrix = _as_map(inverse_map) if not map_args else (None, None)
    along_points = transform is None and matrix is None
    shape = _rows_and_columns(output_shape, picture)
    coordinates = isinstance(inverse_map, np.ndarray) and matrix is None
    if order not in _INTERPOLATIONS or shape is None or (order == 3 and along_points) or (coordinates and picture.ndim > 2):
        return _by_skimage(picture, inverse_map, map_args, output_shape, order, mode, cval, clip, preserve_range)
    if order > 0:
        picture = _as_float(picture, preserve_range)
    interpolation = _INTERPOLATIONS[order]
    if matrix is not None:
        transform = _in_front(matrix, shape)
    if transform is not None:
        warped = warping.warp(picture, transform, shape, interpolation=interpolation, mode=mode, cval=cval, tolerance=0.0)
    else:
        grid = _grid(inverse_map, map_args or {}, shape) if matrix is None else _both_sides(matrix, shape)
        grid = np.nan_to_num(grid, nan=_OUTSIDE, posinf=-_OUTSIDE, neginf=_OUTSIDE)
        warped = warping.sample(picture, grid, interpolation=interpolation, mode=mode, cval=cval)
    return _clipped(warped, picture, mode, cval) if clip else warped


def from_skimage(tform: Any) -> Affine | Projective | ThinPlateSpline | Polynomial | PiecewiseAffine:
    """A transform of scikit-image as warpkit's: the same map of (x, y) points.

    Parameters
    ----------
    tform : EuclideanTransform, SimilarityTransform, AffineTransform, ProjectiveTransform, ThinPlateSplineTransform, \
PolynomialTransform or PiecewiseAffineTransform
        In the plane. A homography's sign, which scikit-image ignores, is taken so that the origin is in front of the horizon. A
        spline goes through the points to which scikit-image's, solved in float32, sends its control points. A piecewise map
        keeps its triangles; outside them it has no value (NaN) where scikit-image has -1.

    Raises
    ------
    TypeError
        For other transforms.
    ValueError
        If the transform is singular or has not been estimated.
    """
    from skimage import transform

    if isinstance(tform, transform.ThinPlateSplineTransform):
        if tform.src is None:
            raise ValueError("tform must have been estimated")
        return ThinPlateSpline(tform.src, tform(np.asarray(tform.src)))
    if isinstance(tform, transform.PolynomialTransform):
        return Polynomial(tform.params)
    if isinstance(tform, transform.PiecewiseAffineTransform):
        return _from_piecewise(tform)
    known = (
        transform.EuclideanTransform,
        transform.SimilarityTransform,
        transform.AffineTransform,
        transform.ProjectiveTransform,
    )
    if not isinstance(tform, known):
        raise TypeError(f"tform must be a flat transform of scikit-image, got {type(tform).__name__}")
    matrix = checks.finite_array("tform", tform.params, (3, 3))
    if np.array_equal(matrix[2], [0, 0, 1]):
        return Affine(matrix)
    return Projective(-matrix if matrix[2, 2] < 0 else matrix)


def _from_piecewise(tform: Any) -> PiecewiseAffine:
    """The same triangles; scikit-image shows where their corners go only by an affine map of each."""
    if tform.affines is None:
        raise ValueError("tform must have been estimated")
    points, triangles = tform._tesselation.points, tform._tesselation.simplices
    values = points.copy()  # a point of no triangle goes nowhere
    for affine, corners in zip(tform.affines, triangles, strict=True):
        values[corners] = affine(points[corners])
    return PiecewiseAffine(points, values, triangles)


def to_skimage(transform: Affine | Projective | ThinPlateSpline) -> Any:
    """A map as scikit-image's AffineTransform, ProjectiveTransform or ThinPlateSplineTransform.

    Raises
    ------
    TypeError
        For other maps, and splines with smoothing, which scikit-image does not have.
    """
    from skimage import transform as theirs

    if isinstance(transform, Affine):
        return theirs.AffineTransform(matrix=np.vstack([transform.matrix, [0, 0, 1]]))
    if isinstance(transform, Projective):
        return theirs.ProjectiveTransform(matrix=transform.matrix.copy())
    if isinstance(transform, ThinPlateSpline) and transform.smoothing == 0:
        spline = theirs.ThinPlateSplineTransform()
        points, values = transform.control_points.copy(), transform.values.copy()
        if hasattr(spline, "from_estimate"):
            return theirs.ThinPlateSplineTransform.from_estimate(points, values)
        spline.estimate(points, values)
        return spline
    raise TypeError(f"transform must be Affine, Projective or ThinPlateSpline without smoothing, got {transform!r}")


def _checked_order(dtype: np.dtype[Any], order: int | None) -> int:
    if order is None:
        return 0 if dtype.kind == "b" else 1
    order = checks.integer("order", order)
    if not 0 <= order <= 5:
        raise ValueError(f"order must be from 0 to 5, got {order}")
    if dtype.kind == "b" and order != 0:
        raise ValueError(f"order must be 0 for bool images, got {order}")
    return order


def _as_map(inverse_map: Any) -> tuple[Transform | None, NDArray[np.float64] | None]:
    """A transform of warpkit's, or the matrix (3, 3) of one of scikit-image's, or neither."""
    if isinstance(inverse_map, Transform):
        return inverse_map, None
    matrix = inverse_map if isinstance(inverse_map, np.ndarray) else getattr(inverse_map, "params", None)
    if isinstance(matrix, np.ndarray) and matrix.shape == (3, 3):
        return None, checks.finite_array("inverse_map", matrix)
    if isinstance(inverse_map, np.ndarray) or callable(inverse_map):
        return None, None
    raise TypeError(f"inverse_map must be a transform, a matrix, a callable or coordinates, got {type(inverse_map).__name__}")


def _rows_and_columns(output_shape: Any, picture: NDArray[Any]) -> tuple[int, int] | None:
    """The shape of the output; None if it is not one of a flat picture with the image's channels."""
    if output_shape is None:
        return picture.shape[0], picture.shape[1]
    numbers = checks.numeric_array("output_shape", output_shape)
    whole = numbers.astype(np.int64)
    if numbers.ndim != 1 or not np.array_equal(whole, numbers):
        raise ValueError(f"output_shape must be whole numbers (rows, columns), got {output_shape!r}")
    if len(whole) not in (2, 3) or tuple(whole[2:]) not in ((), picture.shape[2:]):
        return None
    return checks.shape_2d("output_shape", whole[:2].tolist())


def _as_float(picture: NDArray[Any], preserve_range: bool) -> NDArray[Any]:
    if picture.dtype == np.float16:
        return picture.astype(np.float32)
    if picture.dtype in (np.float32, np.float64):
        return picture
    if preserve_range:
        return picture.astype(np.float64)
    from skimage.util import img_as_float

    return np.asarray(img_as_float(picture))


def _in_front(matrix: NDArray[np.float64], shape: tuple[int, int]) -> Transform | None:
    """The map of a matrix of any sign; None if its horizon runs through the output, or it has no inverse."""
    (a, b, c), (rows, columns) = matrix[2], shape
    w = [a * x + b * y + c for x in (0, columns - 1) for y in (0, rows - 1)]
    if min(w) <= 0 <= max(w):
        return None
    try:
        return Affine(matrix) if (a, b, c) == (0, 0, 1) else Projective(np.sign(w[0]) * matrix)
    except ValueError:
        return None


def _both_sides(matrix: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """The points of a homography on both sides of its horizon."""
    y, x = np.indices(shape)
    homogeneous = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:])


def _grid(
    inverse_map: NDArray[Any] | Callable[..., Any], map_args: dict[str, Any], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """The (x, y) points (rows, columns, 2) of coordinates or of a callable, which sees all pixels, column by column."""
    if isinstance(inverse_map, np.ndarray):
        coordinates = checks.numeric_array("inverse_map", inverse_map)
        if coordinates.ndim != 3 or len(coordinates) != 2:
            raise ValueError(f"inverse_map must be a matrix (3, 3) or have shape (2, rows, columns), got {coordinates.shape}")
        return np.moveaxis(coordinates[::-1], 0, -1)
    rows, columns = shape
    points = np.indices((columns, rows), dtype=np.float64).reshape(2, -1).T
    mapped = checks.numeric_array("inverse_map(points)", inverse_map(points, **map_args))
    if mapped.shape != (rows * columns, 2):
        raise ValueError(f"inverse_map must return points of shape {(rows * columns, 2)}, got {mapped.shape}")
    return mapped.reshape(columns, rows, 2).swapaxes(0, 1)


def _clipped(warped: NDArray[Any], picture: NDArray[Any], mode: str, cval: float) -> NDArray[Any]:
    """Clipped to the range of the picture; and to ``cval`` where that is outside and a pixel has it or is beyond it."""
    low, high = np.nanmin(picture), np.nanmax(picture)
    outside = mode == "constant" and not low <= cval <= high
    if outside and np.nanmin(warped) <= cval <= np.nanmax(warped):
        value = picture.dtype.type(cval)
        low, high = min(low, value), max(high, value)
    return np.clip(warped, low, high, out=warped)


def _by_skimage(image: NDArray[Any], inverse_map: Any, map_args: dict[str, Any] | None, *options: Any) -> NDArray[Any]:
    from skimage import transform

    theirs: Any = to_skimage(inverse_map) if isinstance(inverse_map, Affine | Projective) else inverse_map
    return np.asarray(transform.warp(image, theirs, map_args, *options))
