"""Warp and sample images: checks at the door, then the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, pixels
from .kernels import cpu
from .kernels.rows import tile_count, tile_pixels
from .kernels.stages import Pipeline, frozen
from .kernels.taps import INTERPOLATIONS, MODES
from .threads import run_ranges
from .transforms import Affine, Projective, Transform

Interpolation: TypeAlias = Literal["nearest", "bilinear"]
Mode: TypeAlias = Literal["constant", "edge", "symmetric", "reflect", "wrap"]
Map: TypeAlias = Transform | NDArray[Any]

_NO_GRID = np.empty((0, 0, 0, 2))
_NO_STAGES = Pipeline(np.empty((0, 2), dtype=np.int64), np.empty((1, 0)), 0.0)


def warp(
    image: ArrayLike,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: float = 0.0,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Warp an image: each output pixel is sampled where ``inverse_map`` sends it.

    Convention:
        ``inverse_map`` takes output (x, y) to image (x, y), x = column, y = row, in pixels;
        the centre of the top-left pixel is (0, 0). To move a picture by ``T``, pass ``T.inverse``.

    Parameters
    ----------
    image : (H, W) or (H, W, C)
        uint8, uint16, int16, float32 and float64 are warped as they are. bool and int8 go through the next wider integer,
        32- and 64-bit integers through float64 (exact up to 2**53), float16 through float32; big-endian arrays are swapped and
        arrays that are not C-contiguous copied first. Never changed.
    inverse_map : Transform or matrix
        A matrix (2, 3) stands for ``Affine``, (3, 3) for ``Projective``.
    output_shape : (rows, columns), default: the image's
    interpolation : {"bilinear", "nearest"}
        Integers are rounded to the nearest, halves up. Nearest takes the right and lower pixel at halves.
    mode : {"constant", "edge", "symmetric", "reflect", "wrap"}
        What lies beyond the border, in numpy.pad's names. "constant" replaces each tap outside by ``cval``, so that edges
        are soft within one pixel. Where the map has no value (a homography's horizon), the output is ``cval`` in every mode.
    cval : float
        Finite, and within the range of the image's dtype; rounded for integers.
    out : array, optional
        Where to write: of the output's shape and the image's dtype, writable, not overlapping the image.

    Returns
    -------
    (rows, columns) or (rows, columns, C), of image's dtype
        ``out`` if it was given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Notes
    -----
    Coordinates are computed in float64, so that precision does not depend on the size of the image. The result is the
    same bits for any number of threads.
    """
    source = _image("image", image, (2, 3))
    shape = source.shape[:2] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    transform = _as_transform("inverse_map", inverse_map)
    _check_horizon(transform, shape)
    result = _output(source, (*shape, *source.shape[2:]), out)
    _run(source[None], transform.pipeline, _NO_GRID, result[None], interpolation, mode, cval)
    return result


def warp_batch(
    images: ArrayLike,
    inverse_maps: Map | Sequence[Transform],
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: float = 0.0,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Warp many images of one size, each by its own map or all by the same.

    Parameters
    ----------
    images : (N, H, W) or (N, H, W, C)
        As for :func:`warp`.
    inverse_maps : Transform or matrix, or N of them
        N transforms in a sequence (of one family they run as one call), or N matrices as an array (N, 2, 3) or (N, 3, 3).
    output_shape, interpolation, mode, cval, out
        As for :func:`warp`.

    Returns
    -------
    (N, rows, columns) or (N, rows, columns, C), of images' dtype
    """
    sources = _image("images", images, (3, 4))
    shape = sources.shape[1:3] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    pipelines = _batch_pipelines(inverse_maps, len(sources), shape)
    results = _output(sources, (len(sources), *shape, *sources.shape[3:]), out)
    if len(pipelines) == 1:
        _run(sources, pipelines[0], _NO_GRID, results, interpolation, mode, cval)
    else:
        for n, pipeline in enumerate(pipelines):
            _run(sources[n : n + 1], pipeline, _NO_GRID, results[n : n + 1], interpolation, mode, cval)
    return results


def sample(
    image: ArrayLike,
    grid: ArrayLike,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: float = 0.0,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Sample an image at given points, as OpenCV's ``remap`` does.

    Parameters
    ----------
    image : (H, W) or (H, W, C)
        As for :func:`warp`.
    grid : (rows, columns, 2)
        The image point (x, y) of each output pixel, in pixels; float32 and float64 are read as they are. Finite; points far
        outside (1e9, say) are outside.
    interpolation, mode, cval, out
        As for :func:`warp`.

    Returns
    -------
    (rows, columns) or (rows, columns, C), of image's dtype

    Raises
    ------
    TypeError, ValueError
        As :func:`warp`; also if the grid holds NaN or infinity, in which case what is in ``out`` is of no use.
    """
    source = _image("image", image, (2, 3))
    points = np.asarray(grid)
    if points.dtype.kind not in "biuf":
        raise TypeError(f"grid must hold real numbers, got dtype {points.dtype}")
    if points.ndim != 3 or points.shape[2] != 2 or points.size == 0:
        raise ValueError(f"grid must have shape (rows, columns, 2), not empty, got {points.shape}")
    points = np.ascontiguousarray(points, dtype=np.float32 if points.dtype == np.float32 else np.float64)
    result = _output(source, (*points.shape[:2], *source.shape[2:]), out)
    if out is not None and _overlap(out, points):
        raise ValueError("out must not overlap grid")
    invalid = _run(source[None], _NO_STAGES, points[None], result[None], interpolation, mode, cval)
    if invalid:
        raise ValueError(
            f"grid must hold finite points, got {invalid} with NaN or infinity of {points.size // 2};"
            " np.nan_to_num(grid, nan=1e9) puts them outside the image"
        )
    return result


def sampling_grid(inverse_map: Map, output_shape: tuple[int, int]) -> NDArray[np.float64]:
    """The image point of each output pixel: (rows, columns, 2), (x, y) in pixels, float64.

    What :func:`warp` would compute on the fly; useful to look at, or for :func:`sample`. NaN where the map has no value.
    """
    rows, columns = checks.shape_2d("output_shape", output_shape)
    checks.fits_in_memory(f"output_shape: a grid of {rows} x {columns}", 3 * 16 * rows * columns)
    transform = _as_transform("inverse_map", inverse_map)
    grid = np.empty((rows, columns, 2))
    grid[..., 0] = np.arange(columns)
    grid[..., 1] = np.arange(rows)[:, None]
    return transform(grid)


def _image(name: str, value: ArrayLike, ranks: tuple[int, int]) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, got a masked array; fill it first")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array, got a ragged sequence") from None
    pixels.carrier_dtype(name, array.dtype)
    if array.ndim not in ranks:
        axes = "(H, W) or (H, W, C)" if ranks == (2, 3) else "(N, H, W) or (N, H, W, C)"
        raise ValueError(f"{name} must have shape {axes}, got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if max(array.shape[:3]) >= 2**31:
        raise ValueError(f"{name} must be below 2**31 pixels on each side, got shape {array.shape}")
    return array


def _as_transform(name: str, value: Any) -> Transform:
    if isinstance(value, Transform):
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a transform or a matrix (2, 3) or (3, 3), got {type(value).__name__}")
    if value.shape not in ((2, 3), (3, 3)):
        raise ValueError(f"{name} must be a transform or a matrix (2, 3) or (3, 3), got shape {value.shape}")
    try:
        return Affine(value) if len(value) == 2 else Projective(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _check_horizon(transform: Transform, shape: tuple[int, ...]) -> None:
    """A homography of which nothing can be seen is a sign error, not a picture to return."""
    if isinstance(transform, Projective):
        rows, columns = shape
        corners = np.array([[0, 0, 1], [columns - 1, 0, 1], [0, rows - 1, 1], [columns - 1, rows - 1, 1]])
        w = corners @ transform.matrix[2]
        if w.max() <= 0:
            raise ValueError(
                "inverse_map: the whole output lies at or beyond the homography's horizon (w <= 0); negate the matrix if its"
                " sign was arbitrary"
            )


def _batch_pipelines(inverse_maps: Any, count: int, shape: tuple[int, ...]) -> list[Pipeline]:
    """One pipeline for all images, with one row of parameters or ``count``, or a pipeline for each."""
    if isinstance(inverse_maps, Transform) or (isinstance(inverse_maps, np.ndarray) and inverse_maps.ndim == 2):
        transforms = [_as_transform("inverse_maps", inverse_maps)]
    elif isinstance(inverse_maps, np.ndarray):
        matrices = checks.finite_array("inverse_maps", inverse_maps)
        if matrices.ndim != 3 or matrices.shape[1:] not in ((2, 3), (3, 3)) or len(matrices) != count:
            raise ValueError(f"inverse_maps must have shape ({count}, 2, 3) or ({count}, 3, 3), got {matrices.shape}")
        checks.not_singular("inverse_maps", matrices[:, :, :2] if matrices.shape[1] == 2 else matrices)
        example = Affine.identity() if matrices.shape[1] == 2 else Projective(np.eye(3))
        table, _, nanoseconds = example.pipeline
        return [Pipeline(table, matrices.reshape(count, -1), nanoseconds)]
    else:
        try:
            transforms = [_as_transform(f"inverse_maps[{n}]", item) for n, item in enumerate(inverse_maps)]
        except TypeError as error:
            raise TypeError(f"inverse_maps must be one transform or a sequence of them: {error}") from None
        if len(transforms) != count:
            raise ValueError(f"inverse_maps must be one or as many as images ({count}), got {len(transforms)}")
    for transform in transforms:
        _check_horizon(transform, shape)
    pipelines = [transform.pipeline for transform in transforms]
    table, params, nanoseconds = pipelines[0]
    if all(np.array_equal(p.table, table) and p.params.size == params.size for p in pipelines):
        return [Pipeline(table, np.concatenate([p.params for p in pipelines]), nanoseconds)]
    return pipelines


def _output(source: NDArray[Any], shape: tuple[int, ...], out: NDArray[Any] | None) -> NDArray[Any]:
    """A new array, or ``out`` when it will do."""
    dtype = source.dtype.newbyteorder("=")
    if out is None:
        carrier = pixels.carrier_dtype("image", source.dtype)
        size = 1
        for n in shape:
            size *= n
        checks.fits_in_memory(f"output_shape: an output of shape {shape}", size * max(dtype.itemsize, carrier.itemsize))
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"out must have shape {shape} and dtype {dtype}, got {out.shape} and {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got a read-only array")
    if _overlap(out, source):
        raise ValueError("out must not overlap the image")
    return out


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _run(
    sources: NDArray[Any],
    pipeline: Pipeline,
    grid: NDArray[Any],
    results: NDArray[Any],
    interpolation: str,
    mode: str,
    cval: float,
) -> int:
    """Warp (N, H, W[, C]) into ``results``; returns the number of grid points that are not finite."""
    images = pixels.load("image", sources)
    channels = images.shape[3] if images.ndim == 4 else 1
    fill = pixels.fill_value(cval, sources.dtype, images.dtype, channels)
    direct = results.dtype == images.dtype and results.flags.c_contiguous
    target = results if direct else np.empty(results.shape, images.dtype)
    images = images.reshape(len(images), 1, *images.shape[1:3], channels)
    planes = target.reshape(len(target), 1, *target.shape[1:3], channels)
    arguments = (
        frozen(images),
        planes,
        frozen(grid),
        pipeline.table,
        frozen(pipeline.params),
        fill,
        pixels.largest_weight(images.dtype),
        _code("interpolation", interpolation, INTERPOLATIONS),
        _code("mode", mode, MODES),
    )
    nanoseconds = tile_pixels(planes.shape) * (3.0 + 2.0 * channels + pipeline.nanoseconds)
    invalid = run_ranges(lambda first, last: cpu.warp_tiles(*arguments, first, last), tile_count(planes.shape), nanoseconds)
    if not direct:
        pixels.store(target, results)
    return invalid


def _code(name: str, value: Any, table: dict[str, int]) -> int:
    if not isinstance(value, str) or value not in table:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, table))}, got {value!r}")
    return table[value]
