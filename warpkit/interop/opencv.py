"""OpenCV's ``warpAffine``, ``warpPerspective`` and ``remap`` with its signatures, flags and direction; cv2 is not needed.

Convention:
    OpenCV's points are warpkit's: (x, y) in pixels, the centre of the top-left pixel is (0, 0). Its matrices move the picture,
    source to target, unless ``WARP_INVERSE_MAP`` is set; the maps of ``remap`` are target to source. Sizes are (width, height).

Flags are OpenCV's numbers, ours or cv2's own. docs/drop-ins.md lists what differs: above all, coordinates are not rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, door, engine
from ..interpolations import Cubic, Interpolation
from ..kernels.stages import Pipeline
from ..transforms import Affine, Projective

INTER_NEAREST, INTER_LINEAR, INTER_CUBIC, INTER_AREA, INTER_LANCZOS4 = range(5)
INTER_MAX = 7
WARP_FILL_OUTLIERS, WARP_INVERSE_MAP, WARP_RELATIVE_MAP = 8, 16, 32
BORDER_CONSTANT, BORDER_REPLICATE, BORDER_REFLECT, BORDER_WRAP, BORDER_REFLECT_101, BORDER_TRANSPARENT = range(6)
BORDER_REFLECT101 = BORDER_DEFAULT = BORDER_REFLECT_101
BORDER_ISOLATED = 16

_INTERPOLATIONS: dict[int, Interpolation] = {
    INTER_NEAREST: "nearest",
    INTER_LINEAR: "bilinear",
    INTER_CUBIC: Cubic.keys(-0.75),
    INTER_AREA: "bilinear",  # as OpenCV's warps take it
    INTER_LANCZOS4: "lanczos4",
}
_BORDERS = {
    BORDER_CONSTANT: "constant",
    BORDER_REPLICATE: "edge",
    BORDER_REFLECT: "symmetric",
    BORDER_WRAP: "wrap",
    BORDER_REFLECT_101: "reflect",
    BORDER_TRANSPARENT: "constant",
}
_DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
_FRACTION_BITS = 5  # of fixed-point maps
_OUTSIDE = -1e9  # where a map is not finite

Picture = NDArray[Any]


def warpAffine(
    src: ArrayLike,
    M: ArrayLike,
    dsize: tuple[int, int] | None,
    dst: Picture | None = None,
    flags: int = INTER_LINEAR,
    borderMode: int = BORDER_CONSTANT,
    borderValue: Any = 0,
) -> Picture:
    """Move a picture by an affine map, as ``cv2.warpAffine``.

    Parameters
    ----------
    src : (H, W) or (H, W, C)
        uint8, uint16, int16, float32 or float64; any number of channels.
    M : (2, 3)
        Source to target; target to source with ``WARP_INVERSE_MAP``.
    dsize : (width, height)
        None or (0, 0): the size of ``src``.
    dst : array, optional
        Where to write, if it has the result's shape and dtype; else it is left alone. May be ``src`` itself.
    flags : int
        An interpolation, ``INTER_NEAREST``, ``INTER_LINEAR``, ``INTER_CUBIC`` (a = -3/4), ``INTER_LANCZOS4`` or ``INTER_AREA``
        (linear), and ``WARP_INVERSE_MAP``.
    borderMode : int
        ``BORDER_CONSTANT``, ``_REPLICATE``, ``_REFLECT``, ``_REFLECT_101``, ``_WRAP`` or ``_TRANSPARENT``, where taps beyond
        the border have the value that ``dst`` has at the pixel.
    borderValue : number or up to four
        Of each channel; a single number is the first channel's, and the others are 0, as in OpenCV. From the fifth channel on
        the four are repeated. Rounded and clipped to the dtype.

    Returns
    -------
    (height, width) or (height, width, C), of src's dtype
        (height, width) for C = 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    picture = _picture(src)
    shape = _shape(dsize, picture)
    pipeline = from_opencv(checks.finite_array("M", M, (2, 3)), flags).pipeline
    return _warp(picture, pipeline, engine.NO_GRID, shape, dst, flags, borderMode, borderValue)


def warpPerspective(
    src: ArrayLike,
    M: ArrayLike,
    dsize: tuple[int, int] | None,
    dst: Picture | None = None,
    flags: int = INTER_LINEAR,
    borderMode: int = BORDER_CONSTANT,
    borderValue: Any = 0,
) -> Picture:
    """Move a picture by a homography, as ``cv2.warpPerspective``.

    As OpenCV does, and unlike :func:`warpkit.warp`, this takes no notice of the sign of w: what lies behind the horizon is seen
    upside down.

    Parameters
    ----------
    M : (3, 3)
        Source to target; target to source with ``WARP_INVERSE_MAP``.
    src, dsize, dst, flags, borderMode, borderValue
        As for :func:`warpAffine`.

    Returns
    -------
    (height, width) or (height, width, C), of src's dtype

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    picture = _picture(src)
    shape = rows, columns = _shape(dsize, picture)
    inverse_map = from_opencv(checks.finite_array("M", M, (3, 3)), flags)
    a, b, c = inverse_map.matrix[2]
    w = [a * x + b * y + c for x in (0, columns - 1) for y in (0, rows - 1)]
    if min(w) <= 0 < max(w):
        return _warp(picture, engine.NO_STAGES, _grid(inverse_map.matrix, shape), shape, dst, flags, borderMode, borderValue)
    if max(w) <= 0:
        inverse_map = Projective(-inverse_map.matrix)
    return _warp(picture, inverse_map.pipeline, engine.NO_GRID, shape, dst, flags, borderMode, borderValue)


def remap(
    src: ArrayLike,
    map1: ArrayLike,
    map2: ArrayLike | None,
    interpolation: int,
    dst: Picture | None = None,
    borderMode: int = BORDER_CONSTANT,
    borderValue: Any = 0,
) -> Picture:
    """Sample a picture at given points, as ``cv2.remap``, at any size.

    Parameters
    ----------
    map1, map2 : (rows, columns) and (rows, columns), or (rows, columns, 2) and None
        The x and y of each output pixel, floating; or the fixed-point maps of ``cv2.convertMaps``: whole pixels, int16 (rows,
        columns, 2), and, unless None, their fractions in 32nds, uint16 (rows, columns). What is not finite is outside.
    interpolation : int
        As flags in :func:`warpAffine`; with ``WARP_RELATIVE_MAP``, maps are shifts from the pixel's own place.
    src, dst, borderMode, borderValue
        As for :func:`warpAffine`.

    Returns
    -------
    (rows, columns) or (rows, columns, C), of src's dtype

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    picture = _picture(src)
    grid = door.grid_array(_points(map1, map2))
    if checks.integer("interpolation", interpolation) & WARP_RELATIVE_MAP:
        rows, columns = np.indices(grid.shape[:2])
        grid = grid + np.stack([columns, rows], axis=-1).astype(grid.dtype)
    if not np.isfinite(grid).all():
        grid = np.nan_to_num(grid, nan=_OUTSIDE, posinf=_OUTSIDE, neginf=_OUTSIDE)
    return _warp(picture, engine.NO_STAGES, grid, grid.shape[:2], dst, interpolation, borderMode, borderValue)


def from_opencv(M: ArrayLike, flags: int = 0) -> Affine | Projective:
    """The inverse map that a matrix of OpenCV stands for.

    Parameters
    ----------
    M : (2, 3) or (3, 3)
        As for :func:`warpAffine` or :func:`warpPerspective`: source to target.
    flags : int
        With ``WARP_INVERSE_MAP``, ``M`` is target to source.

    Returns
    -------
    Affine for (2, 3), Projective for (3, 3)

    Raises
    ------
    ValueError
        If M is not finite, singular or of another shape.
    """
    transform = door.as_transform("M", checks.finite_array("M", M))
    assert isinstance(transform, Affine | Projective)
    return transform if checks.integer("flags", flags) & WARP_INVERSE_MAP else transform.inverse


def getRotationMatrix2D(center: ArrayLike, angle: float, scale: float) -> NDArray[np.float64]:
    """``cv2.getRotationMatrix2D``: (2, 3), turns ``angle`` degrees anticlockwise on a screen and scales, about ``center``."""
    return Affine.similarity(scale, -checks.finite_number("angle", angle), center=center).matrix.copy()


def getAffineTransform(src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
    """``cv2.getAffineTransform``: (2, 3), takes three points to three points, (3, 2) or (3, 1, 2)."""
    return Affine.fit(_corners("src", src, 3), _corners("dst", dst, 3)).matrix.copy()


def getPerspectiveTransform(src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
    """``cv2.getPerspectiveTransform``: (3, 3), takes four points to four points, (4, 2) or (4, 1, 2)."""
    return Projective.from_quads(_corners("src", src, 4), _corners("dst", dst, 4)).matrix.copy()


def _corners(name: str, points: ArrayLike, count: int) -> NDArray[np.float64]:
    """Points as they are, or as OpenCV's contours hold them."""
    array = checks.finite_array(name, points)
    return checks.finite_array(name, array[:, 0] if array.shape == (count, 1, 2) else array, (count, 2))


def _picture(src: ArrayLike) -> Picture:
    picture = door.image_array("src", src, (2, 3))
    if picture.dtype.name not in _DTYPES:
        raise TypeError(f"src must have one of the dtypes {', '.join(_DTYPES)}, got {picture.dtype}")
    return picture[..., 0] if picture.shape[2:] == (1,) else picture


def _shape(dsize: Any, picture: Picture) -> tuple[int, int]:
    """(rows, columns) of the result."""
    if dsize is None or (isinstance(dsize, Iterable) and tuple(dsize) == (0, 0)):
        return picture.shape[:2]
    try:
        width, height = dsize
    except (TypeError, ValueError):
        raise TypeError(f"dsize must be two integers (width, height), got {dsize!r}") from None
    return checks.shape_2d("dsize (height, width)", (height, width))


def _points(map1: ArrayLike, map2: ArrayLike | None) -> NDArray[Any]:
    """The maps as one grid of points."""
    first = checks.plain_array("map1", map1)
    second = None if map2 is None else checks.plain_array("map2", map2)
    second = None if second is None or second.size == 0 else second
    pairs = first.ndim == 3 and first.shape[2] == 2
    if pairs and first.dtype == np.int16:
        if second is None:
            return first.astype(np.float32)
        if second.shape != first.shape[:2] or second.dtype not in (np.uint16, np.int16):
            raise ValueError(f"map2 must be uint16 of shape {first.shape[:2]}, got {second.dtype} of shape {second.shape}")
        fraction = second.astype(np.int64)
        steps = np.stack([fraction, fraction >> _FRACTION_BITS], axis=-1) & (2**_FRACTION_BITS - 1)
        return np.asarray(first + steps / 2.0**_FRACTION_BITS)
    if first.dtype.kind != "f" or (second is not None and second.dtype.kind != "f"):
        raise TypeError("map1 and map2 must be floating, or map1 int16 of shape (rows, columns, 2)")
    if pairs and second is None:
        return first
    if first.ndim != 2 or second is None or second.shape != first.shape:
        raise ValueError(
            "map1 and map2 must have the same shape (rows, columns), or map1 (rows, columns, 2) and map2 None,"
            f" got {first.shape} and {None if second is None else second.shape}"
        )
    return np.stack([first, second], axis=-1)


def _grid(matrix: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """The points of a homography on both sides of its horizon, (0, 0) on it, as OpenCV computes them."""
    rows, columns = shape
    checks.fits_in_memory(f"dsize: a grid of {rows} x {columns}", 8 * 8 * rows * columns)
    y, x = np.indices(shape)
    homogeneous = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    w = homogeneous[..., 2:]
    return np.where(w != 0, homogeneous[..., :2] / np.where(w != 0, w, 1), 0.0)


def _warp(
    src: Picture,
    pipeline: Pipeline,
    grid: NDArray[Any],
    shape: tuple[int, ...],
    dst: Picture | None,
    flags: int,
    border: int,
    border_value: Any,
) -> Picture:
    """Sample ``src`` at the points of a map or a grid, and deliver into ``dst`` if it will do."""
    code = checks.integer("flags", flags) & INTER_MAX
    if code not in _INTERPOLATIONS:
        raise ValueError(f"flags must hold one of the interpolations {sorted(_INTERPOLATIONS)}, got {code}")
    border = checks.integer("borderMode", border) & ~BORDER_ISOLATED
    if border not in _BORDERS:
        raise ValueError(f"borderMode must be one of {sorted(_BORDERS)}, got {border}")
    values = _border_values(border_value, src)
    full_shape = (*shape, *src.shape[2:])
    fits = isinstance(dst, np.ndarray) and dst.shape == full_shape and dst.dtype == src.dtype and dst.flags.writeable
    if border == BORDER_TRANSPARENT:
        if dst is None or not fits:
            raise ValueError(f"dst must be given for BORDER_TRANSPARENT, with shape {full_shape} and dtype {src.dtype}")
        return _over(dst, src, pipeline, grid, _INTERPOLATIONS[code])
    into = dst if fits and dst is not None and not door.overlap(dst, src) and not door.overlap(dst, grid) else None
    result = _sampled(src, pipeline, grid, full_shape, into, _INTERPOLATIONS[code], _BORDERS[border], values)
    if not fits or dst is None:
        return result
    if result is not dst:
        dst[...] = result
    return dst


def _sampled(
    src: Picture,
    pipeline: Pipeline,
    grid: NDArray[Any],
    shape: tuple[int, ...],
    out: Picture | None,
    interpolation: Interpolation,
    mode: str,
    values: NDArray[np.float64],
) -> Picture:
    result = door.output_array(src, shape, out)
    points = grid[None] if grid.ndim == 3 else grid
    engine.forward_into(engine.problem("src", src[None], pipeline, points, interpolation, mode, values), result[None])
    return result


def _over(dst: Picture, src: Picture, pipeline: Pipeline, grid: NDArray[Any], interpolation: Interpolation) -> Picture:
    """Warp over ``dst``: taps beyond the border have its values, as if they were a constant of each output pixel."""
    real = np.float64 if src.dtype == np.float64 else np.float32
    options = (pipeline, grid, dst.shape, None, interpolation, "constant", np.zeros(src.shape[2] if src.ndim == 3 else 1))
    covered = _sampled(np.ones(src.shape, real), *options)
    result = _sampled(src.astype(real), *options) + (1 - covered) * dst
    dst[...] = result if src.dtype.kind == "f" else _saturated(result, src.dtype)
    return dst


def _border_values(value: Any, src: Picture) -> NDArray[np.float64]:
    """``borderValue`` for each channel; the four numbers are repeated if there are more."""
    given = checks.numeric_array("borderValue", value).reshape(-1)
    for number in given:
        checks.finite_number("borderValue", number, or_nan=src.dtype.kind == "f")
    if not 0 < len(given) <= 4:
        raise ValueError(f"borderValue must be a number or up to four, got {len(given)}")
    four = np.concatenate([given, np.zeros(4 - len(given))])
    values = np.resize(four, src.shape[2] if src.ndim == 3 else 1)
    return values if src.dtype.kind == "f" else _saturated(values, src.dtype).astype(np.float64)


def _saturated(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers as integers of ``dtype``, halves to the even one, clipped to its range."""
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
