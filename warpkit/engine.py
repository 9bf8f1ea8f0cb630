"""From checked arguments to kernel calls: forward, and the two halves of the derivative."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import minification, pixels
from .interpolations import Interpolation, kernel_of
from .kernels import cpu, cpu_antialias, cpu_antialias_pull, cpu_matrix, cpu_pull, cpu_scatter, normal, small
from .kernels.maps import AFFINE, DISPLACEMENT, PROJECTIVE
from .kernels.rows import TILE_COLUMNS, WHOLE, Origins, tile_count, tile_pixels
from .kernels.stages import Pipeline, frozen
from .kernels.taps import BILINEAR, CUBIC, MODES, NEAREST
from .pixels import Cval
from .spline_coefficients import coefficients, pull_coefficients
from .threads import get_num_threads, run_ranges

NO_GRID = np.empty((0, 0, 0, 2))
NO_STAGES = Pipeline(np.empty((0, 2), dtype=np.int64), np.empty((1, 0)), 0.0)

_NO_REACH = np.empty((0, 0, 0, 2), np.int32)

# Sums of the parameters' gradient are kept for at most so many parts of an image; the number must not depend on threads.
_LARGEST_GROUPS = 64


class Problem(NamedTuple):
    """Everything that a warp is made from but its output."""

    images: NDArray[Any]  # (N, planes, H, W, C), a dtype that kernels know
    pipeline: Pipeline
    grid: NDArray[Any]  # (N or 1 or 0, rows, columns, 2)
    interpolation: int
    mode: int
    fill: NDArray[Any]  # (C,), its dtype is the working type
    phi: tuple[float, ...] = ()  # of kernels with more than two taps, see kernels.weights
    limits: tuple[float, float] = (-math.inf, math.inf)  # what their results, which may overshoot, are clipped to
    tolerance: float = 0.0  # pixels that the points of a thin-plate spline may be off
    antialias: bool = False
    is_spline: bool = False  # whether the images are the coefficients of splines through the caller's
    origins: Origins = WHOLE  # of the output, a part of a larger one, and of the images, windows of larger ones
    output_shape: tuple[int, int] | None = None  # of the whole output of which this is a part, where that matters

    @property
    def _inputs(self) -> tuple[Any, ...]:
        return frozen(self.grid), self.pipeline.table, frozen(self.pipeline.params)

    @property
    def _options(self) -> tuple[Any, ...]:
        real = self.fill.dtype.type
        kernel = (tuple(map(real, self.phi)), *map(real, self.limits)) if self.phi else None
        return self.interpolation, self.mode, kernel

    @property
    def _sampling(self) -> tuple[Any, ...]:
        return pixels.largest_weight(self.images.dtype), *self._options

    @property
    def variance(self) -> float:
        """That of the sampling kernel, see :mod:`kernels.footprints`."""
        if self.interpolation == BILINEAR:
            return 1 / 6
        return self.phi[0] / 3 if self.interpolation == CUBIC else 0.0

    def is_antialiased(self, out_shape: tuple[int, ...]) -> bool:
        """Whether any pixel of the output may be an average: elsewhere antialiasing changes nothing."""
        if not self.antialias:
            return False
        if self.output_shape is not None:
            return minification.may_shrink(self.pipeline, self.output_shape)
        return minification.may_shrink(self.pipeline, (out_shape[2], out_shape[3]), self.origins[:2])

    @property
    def is_matrix(self) -> bool:
        """Whether the map is one matrix, for each image."""
        table = self.pipeline.table
        return self.grid.size == 0 and len(table) == 1 and table[0, 0] in (AFFINE, PROJECTIVE)

    def nanoseconds(self, out_shape: tuple[int, ...]) -> float:
        """Rough time per tile."""
        in_blocks = self.interpolation == CUBIC and self.images.dtype in (np.uint8, np.float32)
        taps = 1.0 if in_blocks else 2.5 * self.interpolation**2
        channel = taps if self.phi else 0.4
        pixel = 0.8 + channel * self.images.shape[4] + self.pipeline.nanoseconds
        return float(tile_pixels(out_shape) * pixel)


def problem(
    name: str,
    images: NDArray[Any],
    pipeline: Pipeline,
    grid: NDArray[Any],
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    tolerance: float = 0.0,
    antialias: bool = False,
) -> Problem:
    """For images (N, H, W) or (N, H, W, C) of any dtype, which error messages call ``name``."""
    loaded = pixels.load(name, images)
    channels = loaded.shape[3] if loaded.ndim == 4 else 1
    loaded = loaded.reshape(*loaded.shape[:3], channels)
    kernel, border = kernel_of(interpolation), border_code(mode)
    fill = pixels.fill_value(cval, images.dtype, loaded.dtype, channels)
    if kernel.is_spline:
        loaded = coefficients(name, loaded, border, fill)
    return Problem(
        loaded[:, None],
        pipeline,
        grid,
        kernel.code,
        border,
        fill,
        kernel.phi,
        limits=pixels.clipping_range(images.dtype),
        tolerance=tolerance,
        antialias=antialias,
        is_spline=kernel.is_spline,
    )


def border_code(mode: Any) -> int:
    """The kernels' number for a border mode."""
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
    return MODES[mode]


def forward(job: Problem, out: NDArray[Any]) -> int:
    """Fill ``out`` (N, planes, rows, columns, C), C-contiguous; returns the number of grid points that are not finite."""
    if job.is_antialiased(out.shape):
        return _forward_antialiased(job, out)
    below_one = pixels.largest_sampling_weight(job.images.dtype)
    tiles, nanoseconds = tile_count(out.shape), job.nanoseconds(out.shape)
    images = frozen(job.images)
    arguments: tuple[Any, ...] = (images, out, job.origins)
    if job.is_matrix and not job.phi:
        matrices, nearest = frozen(job.pipeline.params), True if job.interpolation == NEAREST else None
        if nearest is None and job.origins == WHOLE and small.are_small(images, out, matrices, job.mode):
            kernel, arguments = small.warp_small_tiles, (images, out, matrices, job.fill, below_one, job.mode)
        else:
            kernel, arguments = cpu_matrix.warp_matrix_tiles, (*arguments, matrices, job.fill, below_one, nearest, job.mode)
    else:
        tiles = tile_count(out.shape, job.origins)
        kernel, arguments = cpu.warp_tiles, (*arguments, *job._inputs, job.fill, below_one, *job._options, job.tolerance)
    return run_ranges(lambda first, last: kernel(*arguments, first, last), tiles, nanoseconds)


def _forward_antialiased(job: Problem, out: NDArray[Any]) -> int:
    """As :func:`forward`, each pixel averaged over its footprint."""
    arguments = (frozen(job.images), out, job.origins, *job._inputs, job.fill)
    arguments += (
        pixels.largest_sampling_weight(job.images.dtype),
        *job._options,
        job.tolerance,
        job.variance,
        pixels.sum_type(job.images.dtype)(0),
        True if job.images.dtype == np.uint8 and not job.phi else None,
    )
    samples = minification.mean_samples(job.pipeline, (out.shape[2], out.shape[3]), job.origins[:2])
    return run_ranges(
        lambda first, last: cpu_antialias.warp_antialiased_tiles(*arguments, first, last),
        cpu_antialias.antialiased_tile_count(out.shape, job.origins),
        samples * job.nanoseconds(out.shape),
    )


def forward_into(job: Problem, results: NDArray[Any]) -> int:
    """As :func:`forward`, into (N, rows, columns[, C]) of any dtype and layout."""
    direct = bool(results.dtype == job.images.dtype and results.flags.c_contiguous)
    target = results if direct else np.empty(results.shape, job.images.dtype)
    invalid = forward(job, target.reshape(len(target), 1, *target.shape[1:3], job.images.shape[4]))
    if not direct:
        pixels.store(target, results)
    return invalid


class Pulled(NamedTuple):
    """Gradients that come from the slopes of the image; None where not asked for."""

    params: NDArray[np.float64] | None  # (N, length of the packed parameters)
    grid: NDArray[Any] | None  # (N, rows, columns, 2)
    reach: NDArray[np.int32]


def pull(
    job: Problem, grad_out: NDArray[Any], *, params: bool, grid: bool, reach: bool, grad_images: NDArray[Any] | None = None
) -> Pulled:
    """Pull ``grad_out`` (N, planes, rows, columns, C), working type, back to the packed parameters or the grid.

    If given, ``grad_images``, zero, receives the gradient of the images in the same pass, with one thread to an image.
    """
    count, _, rows, columns, _ = grad_out.shape
    groups, tiles_per_group = _groups(job, tile_count(grad_out.shape) // count)
    length = job.pipeline.params.shape[1]
    grads = np.zeros((count * groups if params else 0, length))
    grad_grid = np.empty((count if grid else 0, rows, columns, 2), grad_out.dtype)
    reached = np.empty((count if reach else 0, rows, -(-columns // TILE_COLUMNS), 2), np.int32)
    target = np.empty((0, 0, 0, 0, 0), grad_out.dtype) if grad_images is None else grad_images
    arguments = (frozen(job.images), frozen(grad_out), *job._inputs, job.fill, *job._sampling)
    arguments += (tiles_per_group, grads, grad_grid, target, reached)
    together = 1 if grad_images is None else groups
    run_ranges(
        lambda first, last: cpu_pull.pull_tiles(*arguments, first * together, last * together),
        count * groups // together,
        together * tiles_per_group * 8 * job.nanoseconds(grad_out.shape),
    )
    sums = grads.reshape(count, groups, length).sum(axis=1) if params else None
    return Pulled(sums, grad_grid if grid else None, reached)


def _groups(job: Problem, tiles: int) -> tuple[int, int]:
    """Into how many sums the parameters' gradient of an image of so many tiles is cut, and how many tiles each has."""
    # A displacement field has a parameter for each pixel: one sum per image, or memory would run out.
    groups = 1 if DISPLACEMENT in abs(job.pipeline.table[:, 0]) else min(tiles, _LARGEST_GROUPS)
    tiles_per_group = -(-tiles // groups)
    return -(-tiles // tiles_per_group), tiles_per_group


def _pull_antialiased(job: Problem, grad_out: NDArray[Any]) -> NDArray[np.float64]:
    """The gradient of the packed parameters, (N, length)."""
    count, _, rows, columns, _ = grad_out.shape
    groups, tiles_per_group = _groups(job, cpu_antialias.antialiased_tile_count(grad_out.shape) // count)
    grads = np.zeros((count * groups, job.pipeline.params.shape[1]))
    arguments = (
        frozen(job.images),
        frozen(grad_out),
        *job._inputs,
        job.fill,
        *job._sampling,
        job.variance,
        tiles_per_group,
        grads,
    )
    samples = minification.mean_samples(job.pipeline, (rows, columns))
    run_ranges(
        lambda first, last: cpu_antialias_pull.pull_antialiased_tiles(*arguments, first, last),
        count * groups,
        tiles_per_group * samples * 8 * job.nanoseconds(grad_out.shape),
    )
    sums: NDArray[np.float64] = grads.reshape(count, groups, -1).sum(axis=1)
    return sums


def strips_per_image(job: Problem) -> int:
    """Into how many strips of source rows an image is cut, so that all threads have work."""
    height: int = job.images.shape[2]
    return max(1, min(-(-get_num_threads() // len(job.images)), height))


def scatter(job: Problem, grad_out: NDArray[Any], strips: int, reach: NDArray[np.int32]) -> NDArray[Any]:
    """The gradient of the images: (N, planes, H, W, C), working type. ``reach`` is needed for more than one strip."""
    grad_images = np.zeros(job.images.shape, grad_out.dtype)
    arguments = (grad_images, frozen(grad_out), *job._inputs, *job._sampling, strips, reach)
    tiles = tile_count(grad_out.shape) // len(grad_out)
    run_ranges(
        lambda first, last: cpu_scatter.scatter_strips(*arguments, first, last),
        len(grad_images) * strips,
        tiles * 8 * job.nanoseconds(grad_out.shape) / strips,
    )
    return grad_images


def _scatter_antialiased(job: Problem, grad_out: NDArray[Any]) -> NDArray[Any]:
    """As :func:`scatter`."""
    grad_images, strips = np.zeros(job.images.shape, grad_out.dtype), strips_per_image(job)
    arguments = (
        frozen(job.images),
        grad_images,
        frozen(grad_out),
        *job._inputs,
        job.fill,
        *job._sampling,
        job.variance,
        strips,
    )
    tiles = cpu_antialias.antialiased_tile_count(grad_out.shape) // len(grad_out)
    samples = minification.mean_samples(job.pipeline, (grad_out.shape[2], grad_out.shape[3]))
    run_ranges(
        lambda first, last: cpu_antialias_pull.scatter_antialiased_strips(*arguments, first, last),
        len(grad_images) * strips,
        tiles * samples * 8 * job.nanoseconds(grad_out.shape) / strips,
    )
    return grad_images


def gradients(
    job: Problem, grad_out: NDArray[Any], *, images: bool, params: bool = False, grid: bool = False
) -> tuple[NDArray[Any] | None, Pulled]:
    """What is asked for: the gradient of the images and the others, for ``grad_out`` as :func:`pull` takes it."""
    grad_images, pulled = _sampling_gradients(job, grad_out, images=images, params=params, grid=grid)
    if grad_images is not None and job.is_spline:
        pull_coefficients(grad_images[:, 0], job.mode)
    return grad_images, pulled


def _sampling_gradients(
    job: Problem, grad_out: NDArray[Any], *, images: bool, params: bool, grid: bool
) -> tuple[NDArray[Any] | None, Pulled]:
    """As :func:`gradients`, those of the images that are sampled."""
    if job.is_antialiased(grad_out.shape):
        return (
            _scatter_antialiased(job, grad_out) if images else None,
            Pulled(_pull_antialiased(job, grad_out) if params else None, None, _NO_REACH),
        )
    if not images:
        return None, pull(job, grad_out, params=params, grid=grid, reach=False)
    strips = strips_per_image(job)
    if strips == 1 and (params or grid):
        grad_images = np.zeros(job.images.shape, grad_out.dtype)
        return grad_images, pull(job, grad_out, params=params, grid=grid, reach=False, grad_images=grad_images)
    pulled = pull(job, grad_out, params=params, grid=grid, reach=strips > 1)
    return scatter(job, grad_out, strips, pulled.reach), pulled


# What the sums of all groups of normal equations may hold together.
_LARGEST_SUMS = 4 * 2**20


class NormalSums(NamedTuple):
    """Least squares by the packed parameters."""

    jtj: NDArray[np.float64]  # (length, length)
    jtr: NDArray[np.float64]  # (length,)
    squares: float
    pixels: int


def normal_sums(job: Problem, fixed: NDArray[Any], weights: NDArray[np.float64]) -> NormalSums:
    """Sum J^T W J and J^T W r for one image; ``fixed`` (1, planes, rows, columns, C), working type, see :mod:`normal`."""
    length = job.pipeline.params.shape[1]
    tiles = tile_count(fixed.shape)
    groups = max(1, min(tiles, _LARGEST_GROUPS, _LARGEST_SUMS // (8 * length**2)))
    tiles_per_group = -(-tiles // groups)
    groups = -(-tiles // tiles_per_group)
    sums, jtj, jtr = np.zeros((groups, 2)), np.zeros((groups, length, length)), np.zeros((groups, length))
    arguments = (frozen(job.images), frozen(fixed), frozen(weights), *job._inputs, pixels.largest_weight(job.images.dtype))
    arguments += (tiles_per_group, sums, jtj, jtr)
    pull_nanoseconds = 20.0 + 8 * job.pipeline.nanoseconds + 0.5 * length**2
    run_ranges(
        lambda first, last: normal.normal_tiles(*arguments, first, last),
        groups,
        tiles_per_group * (job.nanoseconds(fixed.shape) + tile_pixels(fixed.shape) * pull_nanoseconds),
    )
    upper = np.triu(jtj.sum(axis=0))
    squares, count = sums.sum(axis=0)
    return NormalSums(upper + np.triu(upper, 1).T, jtr.sum(axis=0), float(squares), int(count))
