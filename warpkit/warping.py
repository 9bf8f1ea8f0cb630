"""Warp and sample images: checks at the door, then the kernels of the CPU or, for arrays on a GPU, of CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, engine
from .door import Interpolation, Map, Mode
from .pixels import Cval


def warp(
    image: ArrayLike,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
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
        arrays that are not C-contiguous copied first. Never changed. An array on a GPU (CuPy, PyTorch, JAX, Numba) is warped
        there, and the result is one of the same library: see docs/cuda.md.
    inverse_map : Transform or matrix
        A matrix (2, 3) stands for ``Affine``, (3, 3) for ``Projective``.
    output_shape : (rows, columns), default: the image's
    interpolation : {"bilinear", "nearest", "bicubic", "mitchell", "bspline3", "lanczos3", "lanczos4"} or Cubic
        The sampling kernel k(d; phi) (Jaderberg et al. 2015, eq. 3). "nearest" is their integer kernel (eq. 4), which takes
        the right and lower pixel at halves. "bicubic" is Catmull-Rom's (Keys 1981 with a = -1/2), "mitchell" Mitchell and
        Netravali's (1988) with b = c = 1/3, a little softer, without ringing; :class:`Cubic` is any other of theirs.
        "bspline3" is the cubic spline through the pixels (Unser 1999; SciPy's order 3), from coefficients computed first, to
        which ``mode`` applies: NaN spreads, and arrays on a GPU are refused yet. "lanczos3" and "lanczos4",
        windowed sinc functions, have 6 and 8 taps an axis, their weights divided by their sum. All but the first two may
        overshoot: integers are clipped to their range, floats are not. Integers are rounded to the nearest, halves up.
    mode : {"constant", "fill", "edge", "symmetric", "reflect", "wrap"}
        What lies beyond the border, in numpy.pad's names. "constant" replaces each tap outside by ``cval``, so that edges
        are soft within one pixel (with 4, 6 or 8 taps an axis: two, three or four). "fill" has the taps of "edge" and hard
        edges: where the point itself lies outside the area of the picture's pixels, which ends half a pixel from the
        outermost's centres, the output is ``cval``. Where the map has no value (a homography's
        horizon), the output is ``cval`` in every mode.
    cval : float, or a sequence of them, one for each channel
        Within the range of the image's dtype; rounded for integers. NaN in floating images, where what lies outside is missing:
        under "constant" so is every pixel that has a tap there, and "bspline3" is refused.
    antialias : bool
        Whether pixels are averages over their footprint where the map makes the picture smaller: by its derivative at each
        pixel, along each direction as far as it shrinks that. Nothing changes where it does not.
    tolerance : float
        How far, in pixels, the points that a thin-plate spline samples may be from their places; computed on a lattice, to a
        proven bound, they cost little. 0: exact. Other maps are exact, and splines that are part of a composition.
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
    same bits for any number of threads. 8-bit pixels are sampled in fixed point, bilinearly within 0.53 levels of the exact
    value, by cubic kernels within 0.57; the same bits on all processors if the map is a matrix.
    """
    error = checks.not_negative("tolerance", tolerance)
    door.check_antialias(antialias, interpolation)
    if checks.is_on_gpu(image):
        from . import gpu_warping

        on_gpu: NDArray[Any] = gpu_warping.warp_batch(
            "image", image, lambda _, shape: door.single_map(inverse_map, shape), output_shape,
            interpolation, mode, cval, antialias, out,
        )  # fmt: skip
        return on_gpu
    source = door.image_array("image", image, (2, 3))
    shape = source.shape[:2] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    transform = door.as_transform("inverse_map", inverse_map)
    door.check_horizon("inverse_map", transform, shape)
    result = door.output_array(source, (*shape, *source.shape[2:]), out)
    engine.forward_into(
        engine.problem("image", source[None], transform.pipeline, engine.NO_GRID, interpolation, mode, cval, error, antialias),
        result[None],
    )
    return result


def warp_batch(
    images: ArrayLike,
    inverse_maps: Map | Sequence[Map],
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Warp many images of one size, each by its own map or all by the same.

    Parameters
    ----------
    images : (N, H, W) or (N, H, W, C)
        As for :func:`warp`.
    inverse_maps : Transform or matrix, or N of them
        N in a sequence (of one family they run as one call), or N matrices as an array (N, 2, 3) or (N, 3, 3).
    output_shape, interpolation, mode, cval, antialias, tolerance, out
        As for :func:`warp`.

    Returns
    -------
    (N, rows, columns) or (N, rows, columns, C), of images' dtype
    """
    error = checks.not_negative("tolerance", tolerance)
    door.check_antialias(antialias, interpolation)
    if checks.is_on_gpu(images):
        from . import gpu_warping

        on_gpu: NDArray[Any] = gpu_warping.warp_batch(
            "images", images, lambda count, shape: door.batch_maps(inverse_maps, count, shape), output_shape,
            interpolation, mode, cval, antialias, out,
        )  # fmt: skip
        return on_gpu
    sources = door.image_array("images", images, (3, 4))
    shape = sources.shape[1:3] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    _, pipelines = door.batch_maps(inverse_maps, len(sources), shape)
    results = door.output_array(sources, (len(sources), *shape, *sources.shape[3:]), out)
    step = len(sources) // len(pipelines)
    for n, pipeline in enumerate(pipelines):
        part = slice(n * step, (n + 1) * step)
        job = engine.problem("images", sources[part], pipeline, engine.NO_GRID, interpolation, mode, cval, error, antialias)
        engine.forward_into(job, results[part])
    return results


def sample(
    image: ArrayLike,
    grid: ArrayLike,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
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
    if checks.is_on_gpu(image):
        from . import gpu_warping

        on_gpu: NDArray[Any] = gpu_warping.sample(image, grid, interpolation, mode, cval, out)
        return on_gpu
    source = door.image_array("image", image, (2, 3))
    points = door.grid_array(grid)
    result = door.output_array(source, (*points.shape[:2], *source.shape[2:]), out)
    if out is not None and door.overlap(out, points):
        raise ValueError("out must not overlap grid")
    job = engine.problem("image", source[None], engine.NO_STAGES, points[None], interpolation, mode, cval)
    door.refuse_invalid_points(engine.forward_into(job, result[None]), points)
    return result


def sampling_grid(inverse_map: Map, output_shape: tuple[int, int]) -> NDArray[np.float64]:
    """The image point of each output pixel: (rows, columns, 2), (x, y) in pixels, float64.

    What :func:`warp` would compute on the fly; useful to look at, or for :func:`sample`. NaN where the map has no value.
    """
    rows, columns = checks.shape_2d("output_shape", output_shape)
    checks.fits_in_memory(f"output_shape: a grid of {rows} x {columns}", 3 * 16 * rows * columns)
    transform = door.as_transform("inverse_map", inverse_map)
    grid = np.empty((rows, columns, 2))
    grid[..., 0] = np.arange(columns)
    grid[..., 1] = np.arange(rows)[:, None]
    return transform(grid)
