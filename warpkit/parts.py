"""Parts of a warped picture from windows of its source, for pictures that are larger than the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, engine, pixels
from .door import Interpolation, Map, Mode
from .interpolations import Kernel, kernel_of
from .kernels.lattice import has_lattice
from .kernels.rows import Origins
from .pixels import Cval
from .source_windows import Sampling, Window, window_of_part

# How far points on a GPU, whose compiler fuses multiplications and additions, may be from those computed here, in pixels.
_ROUNDING_ON_GPU = 1e-3


def source_window(
    inverse_map: Map,
    part: Window,
    image_shape: tuple[int, int],
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    antialias: bool = False,
    tolerance: float = 0.01,
    on_gpu: bool = False,
) -> Window | None:
    """Find the rows and columns of a picture that a part of its warp is made from, without the picture.

    Parameters
    ----------
    inverse_map : Transform or matrix
        Of the whole warp, as for :func:`warp`.
    part : (slice, slice)
        Rows and columns of the output, each from a start to a stop beyond it.
    image_shape : (height, width)
        Of the whole picture.
    interpolation, mode, antialias, tolerance
        As for :func:`warp`; "bspline3" is refused: its coefficients depend on all pixels.
    on_gpu : bool
        Whether the window's pixels will be on a GPU, which rounds coordinates in its own way: the window has room for that,
        a thousandth of a pixel. Antialiasing is refused then.

    Returns
    -------
    (slice, slice) or None
        Rows and columns of the picture. All that is read is among them, and what a border rule needs to be the same for the
        window as for the picture: with "wrap", a part that crosses the border has the whole axis. None: no pixel is read, the
        part is all fill.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Notes
    -----
    The window is found by proven bounds, not by a look at some points, and is at most a few pixels, or half a percent, larger
    than it must be: by intervals of the map's derivative on boxes, which are cut until bounds are within half a pixel, or 1/512
    of the window, of points that were computed. Matrices, thin-plate splines, lenses, swirls, polar, cylindrical and polynomial
    maps and their compositions take a millisecond or so, however large the part. For displacement fields, piecewise affine maps
    and inverses found by Newton's method all points of the part are computed, which is a proof too, and takes about as long as
    to warp it.
    """
    shape = checks.shape_2d("image_shape", image_shape)
    error = checks.not_negative("tolerance", tolerance)
    door.check_antialias(antialias, interpolation)
    rows, columns = _slices("part", part)
    kernel = _kernel_of_parts(interpolation)
    pipeline = door.as_transform("inverse_map", inverse_map).pipeline
    off = error if has_lattice(engine.NO_GRID, pipeline.table, error) else 0.0
    if on_gpu:
        door.refuse_antialias_on_gpu(antialias)
        off = _ROUNDING_ON_GPU  # maps have no lattice there
    sampling = Sampling(kernel.code, engine.border_code(mode), bool(antialias), off)
    return window_of_part(pipeline, rows, columns, shape, sampling)


def warp_part(
    window_pixels: ArrayLike,
    inverse_map: Map,
    part: Window,
    *,
    window: Window | None,
    image_shape: tuple[int, int],
    output_shape: tuple[int, int] | None = None,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Warp a part of a picture from a window of it: ``wk.warp(image, inverse_map, ...)[part]``, bit for bit.

    Parameters
    ----------
    window_pixels : (h, w) or (h, w, C)
        ``image[window]``, or any larger window of the picture. Without a window, ``image[:0, :0]``, for dtype and channels. An
        array on a GPU is warped there, as by :func:`warp`; its window is one that was found for a GPU.
    inverse_map : Transform or matrix
        Of the whole warp, as for :func:`warp`.
    part : (slice, slice)
        Rows and columns of the output, each from a start to a stop beyond it. Parts that begin at multiples of 64 rows and 256
        columns are the fastest.
    window : (slice, slice) or None
        What :func:`source_window` returned for the same arguments, or more. With less the result is another one: pixels beside
        the window are taken for outside the picture.
    image_shape : (height, width)
        Of the whole picture.
    output_shape : (rows, columns), optional
        Of the whole output; needed for antialiasing under a thin-plate spline, unless ``tolerance`` is 0: whether the spline
        makes anything smaller anywhere decides where its lattice lies.
    interpolation, mode, cval, antialias, tolerance
        As for :func:`warp`; "bspline3" is refused: its coefficients depend on all pixels.
    out : array, optional
        Where to write: of the part's shape and the picture's dtype, writable, not overlapping ``window_pixels``.

    Returns
    -------
    (rows, columns) or (rows, columns, C), of the pixels' dtype
        ``out`` if it was given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    error = checks.not_negative("tolerance", tolerance)
    door.check_antialias(antialias, interpolation)
    rows, columns = _slices("part", part)
    _kernel_of_parts(interpolation)
    transform = door.as_transform("inverse_map", inverse_map)
    part_shape = (rows.stop - rows.start, columns.stop - columns.start)
    picture_shape = checks.shape_2d("image_shape", image_shape)
    if checks.is_on_gpu(window_pixels):
        from . import gpu_warping

        door.refuse_antialias_on_gpu(antialias)
        memory = gpu_warping.window_memory(window_pixels)
        origin = _window_origin(memory.shape, memory.dtype, window, picture_shape)
        pipeline = None if window is None else transform.pipeline
        on_gpu: NDArray[Any] = gpu_warping.warp_part(
            memory, pipeline, part_shape, Origins(rows.start, columns.start, *origin), picture_shape,
            interpolation, mode, cval, out,
        )  # fmt: skip
        return on_gpu
    is_one_lattice = antialias and has_lattice(engine.NO_GRID, transform.pipeline.table, error)
    if is_one_lattice and output_shape is None:
        raise ValueError("output_shape must be given to antialias under a thin-plate spline, unless tolerance is 0")
    whole = checks.shape_2d("output_shape", output_shape) if is_one_lattice else None
    source = checks.plain_array("window_pixels", window_pixels)
    origin = _window_origin(source.shape, source.dtype, window, picture_shape)
    result = door.output_array(source, (*part_shape, *source.shape[2:]), out)
    if window is None:
        carrier = pixels.carrier_dtype("window_pixels", source.dtype)
        fill = pixels.fill_value(cval, source.dtype, carrier, source.shape[2] if source.ndim == 3 else 1)
        pixels.store(np.broadcast_to(fill.reshape(source.shape[2:]), result.shape), result)
        return result
    job = engine.problem(
        "window_pixels", source[None], transform.pipeline, engine.NO_GRID, interpolation, mode, cval, error, antialias
    )
    origins = Origins(rows.start, columns.start, *origin)
    engine.forward_into(job._replace(origins=origins, output_shape=whole), result[None])
    return result


def _kernel_of_parts(interpolation: Interpolation) -> Kernel:
    kernel = kernel_of(interpolation)
    if kernel.is_spline:
        raise ValueError(
            "interpolation 'bspline3' cannot be done by parts: its coefficients depend on all pixels; use 'bicubic'"
        )
    return kernel


def _window_origin(
    shape: tuple[int, ...], dtype: np.dtype[Any], window: Window | None, image_shape: tuple[int, int]
) -> tuple[int, int]:
    """Where a window, whose pixels have this shape and dtype, begins in the picture."""
    if window is None:
        if len(shape) not in (2, 3):
            raise ValueError(f"window_pixels must have shape (0, 0) or (0, 0, C) without a window, got {shape}")
        return 0, 0
    door.check_image("window_pixels", shape, dtype, (2, 3))
    rows, columns = _slices("window", window)
    if rows.stop > image_shape[0] or columns.stop > image_shape[1]:
        raise ValueError(f"window must lie in a picture of image_shape {image_shape}, got {window}")
    if shape[:2] != (rows.stop - rows.start, columns.stop - columns.start):
        raise ValueError(f"window_pixels must have the shape of window {window}, got {shape}")
    return rows.start, columns.start


def _slices(name: str, value: Any) -> Window:
    """Rows and columns that are not empty."""
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(axis, slice) for axis in value)):
        raise TypeError(f"{name} must be two slices (rows, columns), got {value!r}")
    bounds = []
    for axis in value:
        if axis.step not in (None, 1) or axis.start is None or axis.stop is None:
            raise ValueError(f"{name} must be slices from a start to a stop, got {value!r}")
        start, stop = checks.integer(f"{name}: start", axis.start), checks.integer(f"{name}: stop", axis.stop)
        if not 0 <= start < stop < 2**31:
            raise ValueError(f"{name} must be slices from a start, at least 0, to a stop beyond it, got {value!r}")
        bounds.append(slice(start, stop))
    return bounds[0], bounds[1]
