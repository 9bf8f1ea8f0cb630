"""Warps with their derivatives: the vector-Jacobian products of :mod:`warping`'s functions, and normal equations.

Each ``*_vjp`` returns its output and a function that pulls the output's gradient back. Nothing is stored per pixel in between:
coordinates are computed anew. Gradients are the same bits for any number of threads, and on a GPU in every run.

Where the derivative does not exist, that is, where a point lies on a source pixel's centre along an axis, the slope is that
of the cell to the right or below, as in PyTorch. Rounding of integer images is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, engine, pixels
from .door import Interpolation, Map, Maps, Mode
from .kernels.maps import DISPLACEMENT
from .pixels import Cval

Gradient: TypeAlias = NDArray[Any] | None
Pullback: TypeAlias = Callable[..., tuple[Gradient, Gradient]]


def warp_vjp(
    image: ArrayLike,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    deterministic: bool = True,
) -> tuple[NDArray[Any], Pullback]:
    """:func:`warpkit.warp` with its derivative.

    Parameters
    ----------
    image, inverse_map, output_shape, interpolation, mode, cval, antialias
        As for :func:`warpkit.warp`; footprints are part of the derivative.
    deterministic : bool
        Whether gradients on a GPU are the same bits in every run; False is faster. On the CPU they always are.

    Returns
    -------
    output : array
        What ``warp`` returns.
    pullback : function
        ``pullback(grad_output, image=True, params=True) -> grad_image, grad_params``. ``grad_output`` has the output's shape.
        ``grad_image`` has the image's shape, and its dtype if that is floating, else that of the computation (float32, or
        float64 for 32- and 64-bit integers); ``grad_params`` is that of ``inverse_map.params``, float64 (for a matrix: its
        elements row by row), zero for nearest sampling. What is not asked for is not computed and None. The image must not
        have been changed in between.

    Raises
    ------
    TypeError, ValueError
        As :func:`warpkit.warp`.
    """
    door.check_antialias(antialias, interpolation)
    if checks.is_on_gpu(image):
        from . import gpu_warping

        return gpu_warping.warp_batch_vjp(
            "image", image, lambda _, shape: door.single_map(inverse_map, shape), output_shape, interpolation, mode, cval,
            antialias, deterministic, _pull_params,
        )  # fmt: skip
    source = door.image_array("image", image, (2, 3))
    shape = source.shape[:2] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    transform = door.as_transform("inverse_map", inverse_map)
    door.check_horizon("inverse_map", transform, shape)
    output, pull = _batch_vjp(
        source[None], Maps([transform], [transform.pipeline]), shape, interpolation, mode, cval, antialias
    )

    def pullback(grad_output: ArrayLike, image: bool = True, params: bool = True) -> tuple[Gradient, Gradient]:
        grad = _gradient_array(grad_output, output.shape[1:])
        grad_images, grad_params = pull(grad[None], image, params)
        return (None if grad_images is None else grad_images[0]), (None if grad_params is None else grad_params[0])

    return output[0], pullback


def warp_batch_vjp(
    images: ArrayLike,
    inverse_maps: Map | Sequence[Map],
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    deterministic: bool = True,
) -> tuple[NDArray[Any], Pullback]:
    """:func:`warpkit.warp_batch` with its derivative; ``deterministic`` as for :func:`warp_vjp`.

    Returns
    -------
    output : (N, rows, columns) or (N, rows, columns, C)
    pullback : function
        As :func:`warp_vjp`'s; ``grad_params`` is (N, P), one row for each image also where all share a map (sum them then).

    Raises
    ------
    TypeError, ValueError
        As :func:`warpkit.warp_batch`; also if the maps differ in their number of parameters.
    """
    door.check_antialias(antialias, interpolation)
    if checks.is_on_gpu(images):
        from . import gpu_warping

        return gpu_warping.warp_batch_vjp(
            "images", images, lambda count, shape: _alike(door.batch_maps(inverse_maps, count, shape)), output_shape,
            interpolation, mode, cval, antialias, deterministic, _pull_params,
        )  # fmt: skip
    sources = door.image_array("images", images, (3, 4))
    shape = sources.shape[1:3] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    maps = _alike(door.batch_maps(inverse_maps, len(sources), shape))
    output, pull = _batch_vjp(sources, maps, shape, interpolation, mode, cval, antialias)

    def pullback(grad_output: ArrayLike, image: bool = True, params: bool = True) -> tuple[Gradient, Gradient]:
        return pull(_gradient_array(grad_output, output.shape), image, params)

    return output, pullback


def _alike(maps: Maps) -> Maps:
    if len({transform.params.size for transform in maps.transforms}) > 1:
        raise ValueError("inverse_maps must have the same number of parameters for their gradients to be one array")
    return maps


def sample_vjp(
    image: ArrayLike,
    grid: ArrayLike,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    deterministic: bool = True,
) -> tuple[NDArray[Any], Pullback]:
    """:func:`warpkit.sample` with its derivative; ``deterministic`` as for :func:`warp_vjp`.

    Returns
    -------
    output : (rows, columns) or (rows, columns, C)
    pullback : function
        ``pullback(grad_output, image=True, grid=True) -> grad_image, grad_grid``; ``grad_grid`` (rows, columns, 2) per pixel
        of coordinate, in the type of the computation.
    """
    if checks.is_on_gpu(image):
        from . import gpu_warping

        return gpu_warping.sample_vjp(image, grid, interpolation, mode, cval, deterministic)
    source = door.image_array("image", image, (2, 3))
    points = door.grid_array(grid)
    job = engine.problem("image", source[None], engine.NO_STAGES, points[None], interpolation, mode, cval)
    output = np.empty((*points.shape[:2], *source.shape[2:]), source.dtype.newbyteorder("="))
    door.refuse_invalid_points(engine.forward_into(job, output[None]), points)

    def pullback(grad_output: ArrayLike, image: bool = True, grid: bool = True) -> tuple[Gradient, Gradient]:
        grad = _gradient_array(grad_output, output.shape)
        grad_image, pulled = _pull(job, grad[None], source.dtype, image=image, grid=grid)
        return (
            None if grad_image is None else grad_image.reshape(source.shape),
            None if pulled.grid is None else pulled.grid[0],
        )

    return output, pullback


class NormalEquations(NamedTuple):
    """Least squares by a map's parameters: :func:`warp_normal_equations`.

    A Gauss-Newton step is ``params - solve(jtj, jtr)``.
    """

    jtj: NDArray[np.float64]
    """(P, P)"""
    jtr: NDArray[np.float64]
    """(P,): the gradient of half the weighted sum of squares"""
    residual_norm: float
    """Square root of the weighted sum of squares"""
    pixels: int
    """How many took part"""


def warp_normal_equations(
    moving: ArrayLike, fixed: ArrayLike, inverse_map: Map, weights: ArrayLike | None = None
) -> NormalEquations:
    """J^T W J, J^T W r and the norm of the residual r = warp(moving) - fixed, J its derivative by the map's parameters.

    One pass, bilinear, nothing stored per pixel. A pixel takes part if its four neighbours are pixels of ``moving`` and its
    weight is not 0. Sums are float64, the same bits for any number of threads.

    Parameters
    ----------
    moving : (H, W) or (H, W, C)
        As for :func:`warpkit.warp`.
    fixed : (rows, columns) or (rows, columns, C)
        What the warped picture should be.
    inverse_map : Transform or matrix
        Takes pixels of ``fixed`` to points of ``moving``. Not a displacement field: it has a parameter for each pixel.
    weights : (rows, columns), optional
        At least 0, for all channels of a pixel.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    source = door.image_array("moving", moving, (2, 3))
    target = door.image_array("fixed", fixed, (2, 3))
    if target.shape[2:] != source.shape[2:]:
        raise ValueError(f"fixed must have as many channels as moving, got shapes {target.shape} and {source.shape}")
    rows, columns = target.shape[:2]
    transform = door.as_transform("inverse_map", inverse_map)
    door.check_horizon("inverse_map", transform, (rows, columns))
    length = transform.pipeline.params.shape[1]
    if DISPLACEMENT in np.abs(transform.pipeline.table[:, 0]):
        raise ValueError("inverse_map must not hold a displacement field, which has a parameter for each pixel")
    checks.fits_in_memory(f"inverse_map: normal equations of {length:,} numbers", 4 * 8 * length**2)
    job = engine.problem("moving", source[None], transform.pipeline, engine.NO_GRID, "bilinear", "constant", 0.0)
    goal = np.ascontiguousarray(target, dtype=job.fill.dtype).reshape(1, 1, rows, columns, job.images.shape[4])
    sums = engine.normal_sums(job, goal, _weights_array(weights, (rows, columns)))
    jtj = transform.pull_packed(transform.pull_packed(sums.jtj).T)
    return NormalEquations((jtj + jtj.T) / 2, transform.pull_packed(sums.jtr[None])[0], math.sqrt(sums.squares), sums.pixels)


def _weights_array(weights: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    if weights is None:
        return np.empty((0, 0))
    array = checks.finite_array("weights", weights, shape)
    if (array < 0).any():
        raise ValueError(f"weights must not be negative, got {array.min()}")
    return array


def _batch_vjp(
    sources: NDArray[Any],
    maps: Maps,
    shape: tuple[int, ...],
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    antialias: bool,
) -> tuple[NDArray[Any], Callable[[NDArray[Any], bool, bool], tuple[Gradient, Gradient]]]:
    """Forward and pull of images (N, H, W[, C]), in as many parts as there are pipelines."""
    outputs = door.output_array(sources, (len(sources), *shape, *sources.shape[3:]), None)
    size = len(sources) // len(maps.pipelines)
    parts = [slice(n * size, (n + 1) * size) for n in range(len(maps.pipelines))]
    jobs = [
        engine.problem("images", sources[part], pipeline, engine.NO_GRID, interpolation, mode, cval, antialias=antialias)
        for part, pipeline in zip(parts, maps.pipelines, strict=True)
    ]
    for job, part in zip(jobs, parts, strict=True):
        engine.forward_into(job, outputs[part])

    def pull(grad: NDArray[Any], image: bool, params: bool) -> tuple[Gradient, Gradient]:
        grad_images, packed = [], []
        for job, part in zip(jobs, parts, strict=True):
            grad_image, pulled = _pull(job, grad[part], sources.dtype, image=image, params=params)
            grad_images.append(grad_image)
            packed.append(pulled.params)
        return (
            np.concatenate(grad_images).reshape(sources.shape) if image else None,  # type: ignore[arg-type]
            _pull_params(maps, packed, len(sources)) if params else None,
        )

    return outputs, pull


def _pull(
    job: engine.Problem,
    grad_output: NDArray[Any],
    dtype: np.dtype[Any],
    *,
    image: bool = False,
    params: bool = False,
    grid: bool = False,
) -> tuple[Gradient, engine.Pulled]:
    """Gradients for an output gradient (N, rows, columns[, C]); that of the image in the image's dtype if it is floating."""
    count, rows, columns = grad_output.shape[:3]
    working = pixels.working_type(job.images.dtype)
    grad = np.ascontiguousarray(grad_output, dtype=working).reshape(count, 1, rows, columns, job.images.shape[4])
    grad_images, pulled = engine.gradients(job, grad, images=image, params=params, grid=grid)
    if grad_images is not None and dtype.kind == "f":
        grad_images = grad_images.astype(dtype.newbyteorder("="), copy=False)
    return grad_images, pulled


def _pull_params(maps: Maps, packed: list[Any], count: int) -> NDArray[np.float64]:
    """(N, P) from the packed gradients of each part; transforms that share their pull run through it together."""
    rows = np.concatenate(packed) if len({p.shape[1] for p in packed}) == 1 else None
    if len(maps.transforms) == 1 and rows is not None:
        return maps.transforms[0].pull_packed(rows)
    grads = np.empty((count, maps.transforms[0].params.size))
    for n, transform in enumerate(maps.transforms):
        own = rows[n : n + 1] if rows is not None else packed[n]
        grads[n] = transform.pull_packed(own)[0]
    return grads


def _gradient_array(grad_output: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    grad = checks.plain_array("grad_output", grad_output)
    if grad.dtype.kind not in "biuf":
        raise TypeError(f"grad_output must hold real numbers, got dtype {grad.dtype}")
    if grad.shape != shape:
        raise ValueError(f"grad_output must have the output's shape {shape}, got {grad.shape}")
    return grad
