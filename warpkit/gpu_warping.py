"""What :mod:`warping` and :mod:`derivatives` do, for arrays on a GPU.

The public functions come here by where the image lives; their docstrings say what holds. docs/cuda.md lists the differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import checks, cuda_engine, door, gpu_arrays, pixels
from .cuda_engine import Packed, Problem
from .door import Maps
from .engine import NO_STAGES, border_code
from .interpolations import Interpolation, kernel_of
from .kernels.cuda_target import Memory, require_device
from .kernels.rows import Origins
from .kernels.stages import Pipeline
from .kernels.taps import CONSTANT, NEAREST
from .pixels import Cval

GpuArray: TypeAlias = Any
Gradient: TypeAlias = Any
Pullback: TypeAlias = Callable[..., tuple[Gradient, Gradient]]


def image_memory(name: str, image: GpuArray, ranks: tuple[int, int]) -> Memory:
    """An image or a batch of them, checked."""
    require_device()
    memory = gpu_arrays.memory(name, image)
    door.check_image(name, memory.shape, memory.dtype, ranks)
    return memory


def as_batch(memory: Memory, *, is_batch: bool) -> Memory:
    """As (N, H, W, C), whether or not it has all these axes."""
    shape, strides = memory.shape, memory.strides
    if not is_batch:
        shape, strides = (1, *shape), (0, *strides)
    if len(shape) == 3:
        shape, strides = (*shape, 1), (*strides, 0)
    return memory._replace(shape=shape, strides=strides)


def problem(
    source: Memory, packed: Packed, points: Memory | None, interpolation: Interpolation, mode: str, cval: Cval
) -> Problem:
    dtype = source.dtype
    fills = pixels.fill_value(cval, dtype, pixels.carrier_dtype("image", dtype), source.shape[3])
    if not np.array_equal(fills, np.broadcast_to(fills[0], fills.shape), equal_nan=True):
        raise ValueError(f"cval must be the same for all channels of an image on a GPU, got {fills.tolist()}")
    kernel = kernel_of(interpolation)
    if kernel.is_spline:
        raise ValueError(f"interpolation {interpolation!r} is not there for arrays on a GPU: its filter has no CUDA kernel yet")
    limits = pixels.clipping_range(dtype)
    return Problem(source, packed, points, kernel.code, border_code(mode), float(fills[0]), kernel.phi, limits)


def output_memory(image: Memory, shape: tuple[int, ...], out: GpuArray | None) -> Memory:
    """A new array of the caller's library, or ``out`` when it will do."""
    if out is None:
        return gpu_arrays.empty(shape, image.dtype, image)
    if not checks.is_on_gpu(out):
        raise TypeError(f"out must be an array on the GPU, as the image is, got {type(out).__name__}")
    result = gpu_arrays.memory("out", out)
    if result.shape != shape or result.dtype != image.dtype:
        raise ValueError(f"out must have shape {shape} and dtype {image.dtype}, got {result.shape} and {result.dtype}")
    if gpu_arrays.is_read_only(out):
        raise ValueError("out must be writable, got a read-only array")
    if any(step == 0 and n > 1 for n, step in zip(result.shape, result.strides, strict=True)):
        raise ValueError("out must have an element for each pixel, got a broadcast array")
    if gpu_arrays.overlap(result, image):
        raise ValueError("out must not overlap the image")
    return result


def finished(image: Memory, result: Memory, out: GpuArray | None) -> GpuArray:
    return out if out is not None else gpu_arrays.library_of(image.owner).result(result.owner)


def warp_batch(
    name: str,
    image: GpuArray,
    maps: Callable[[int, tuple[int, int]], Maps],
    output_shape: tuple[int, int] | None,
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    antialias: bool,
    out: GpuArray | None,
) -> GpuArray:
    """``warp`` for ``name`` "image", else ``warp_batch``; ``maps`` checks them for a count and shape."""
    door.refuse_antialias_on_gpu(antialias)
    jobs, memory, result, _ = _warp_jobs(name, image, maps, output_shape, interpolation, mode, cval, out)
    for job, part in jobs:
        cuda_engine.forward(job, part)
    return finished(memory, result, out)


def _warp_jobs(
    name: str,
    image: GpuArray,
    maps: Callable[[int, tuple[int, int]], Maps],
    output_shape: tuple[int, int] | None,
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    out: GpuArray | None,
) -> tuple[list[tuple[Problem, Memory]], Memory, Memory, Maps]:
    """The parts of a batch with one pipeline each, and where their outputs go."""
    is_batch = name == "images"
    memory = image_memory(name, image, (3, 4) if is_batch else (2, 3))
    sources = as_batch(memory, is_batch=is_batch)
    count, height, width, _ = sources.shape
    shape = (height, width) if output_shape is None else checks.shape_2d("output_shape", output_shape)
    found = maps(count, shape)
    lead = (count,) if is_batch else ()
    result = output_memory(memory, (*lead, *shape, *memory.shape[len(lead) + 2 :]), out)
    results = as_batch(result, is_batch=is_batch)
    size = count // len(found.pipelines)
    jobs = []
    for k, pipeline in enumerate(found.pipelines):
        part = sources.part(k * size, size)
        job = problem(part, cuda_engine.on_device(pipeline, memory), None, interpolation, mode, cval)
        jobs.append((job, results.part(k * size, size)))
    return jobs, memory, result, found


def window_memory(window_pixels: GpuArray) -> Memory:
    require_device()
    return gpu_arrays.memory("window_pixels", window_pixels)


def warp_part(
    memory: Memory,
    pipeline: Pipeline | None,
    part_shape: tuple[int, int],
    origins: Origins,
    picture_shape: tuple[int, int],
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    out: GpuArray | None,
) -> GpuArray:
    """:func:`parts.warp_part`; without a pipeline all is fill."""
    result = output_memory(memory, (*part_shape, *memory.shape[2:]), out)
    target = as_batch(result, is_batch=False)
    if pipeline is None:
        # nothing is inside of a picture without pixels: any element will do for it
        nothing = target._replace(shape=(1, 0, 0, target.shape[3]), strides=(0, 0, 0, 0))
        job = problem(nothing, cuda_engine.on_device(NO_STAGES, memory), None, interpolation, mode, cval)
        job = job._replace(interpolation=NEAREST, mode=CONSTANT, phi=())
    else:
        packed = cuda_engine.on_device(pipeline, memory)
        job = problem(as_batch(memory, is_batch=False), packed, None, interpolation, mode, cval)
        job = job._replace(origins=origins, picture_shape=picture_shape)
    cuda_engine.forward(job, target)
    return finished(memory, result, out)


def grid_memory(image: Memory, grid: GpuArray) -> Memory:
    """A grid of points (rows, columns, 2) as (1, rows, columns, 2); one on the host is copied to the GPU."""
    if not checks.is_on_gpu(grid):
        grid = gpu_arrays.library_of(image.owner).upload(door.grid_array(grid), image.owner)
    points = gpu_arrays.memory("grid", grid)
    if points.dtype not in (np.float32, np.float64):
        raise TypeError(f"grid must be float32 or float64, got dtype {points.dtype}")
    if len(points.shape) != 3 or points.shape[2] != 2 or 0 in points.shape:
        raise ValueError(f"grid must have shape (rows, columns, 2), not empty, got {points.shape}")
    if not gpu_arrays.is_contiguous(points):
        raise ValueError("grid must be C-contiguous; copy it first")
    return points._replace(shape=(1, *points.shape), strides=(0, *points.strides))


def sample(
    image: GpuArray, grid: GpuArray, interpolation: Interpolation, mode: str, cval: Cval, out: GpuArray | None
) -> GpuArray:
    """:func:`warping.sample`."""
    job, memory = _sample_job(image, grid, interpolation, mode, cval)
    assert job.points is not None
    result = output_memory(memory, (*job.points.shape[1:3], *memory.shape[2:]), out)
    if out is not None and gpu_arrays.overlap(result, job.points):
        raise ValueError("out must not overlap grid")
    cuda_engine.forward(job, as_batch(result, is_batch=False))
    return finished(memory, result, out)


def _sample_job(image: GpuArray, grid: GpuArray, interpolation: Interpolation, mode: str, cval: Cval) -> tuple[Problem, Memory]:
    memory = image_memory("image", image, (2, 3))
    points = grid_memory(memory, grid)
    packed = cuda_engine.on_device(NO_STAGES, memory)
    return problem(as_batch(memory, is_batch=False), packed, points, interpolation, mode, cval), memory


# --- derivatives ------------------------------------------------------------------------------------------------------------


def warp_batch_vjp(
    name: str,
    image: GpuArray,
    maps: Callable[[int, tuple[int, int]], Maps],
    output_shape: tuple[int, int] | None,
    interpolation: Interpolation,
    mode: str,
    cval: Cval,
    antialias: bool,
    deterministic: bool,
    pull_params: Callable[[Maps, list[NDArray[np.float64]], int], NDArray[np.float64]],
) -> tuple[GpuArray, Pullback]:
    """The vjp of :func:`warp_batch`; ``pull_params`` turns the packed gradients of each part into those of the maps."""
    door.refuse_antialias_on_gpu(antialias)
    jobs, memory, result, found = _warp_jobs(name, image, maps, output_shape, interpolation, mode, cval, None)
    for job, part in jobs:
        cuda_engine.forward(job, part)

    def pullback(grad_output: GpuArray, image: bool = True, params: bool = True) -> tuple[Gradient, Gradient]:
        grad = _gradient_memory(grad_output, result.shape)
        grads = as_batch(grad, is_batch=name == "images")
        size = grads.shape[0] // len(jobs)
        parts = [grads.part(k * size, size) for k in range(len(jobs))]
        target = _image_gradient(memory, jobs, parts, deterministic) if image else None
        if not params:
            return target, None
        packed = [
            cuda_engine.host_params_gradient(job, part, deterministic=deterministic)
            for (job, _), part in zip(jobs, parts, strict=True)
        ]
        grad_params = pull_params(found, packed, grads.shape[0])
        return target, grad_params if name == "images" else grad_params[0]

    return finished(memory, result, None), pullback


def sample_vjp(
    image: GpuArray, grid: GpuArray, interpolation: Interpolation, mode: str, cval: Cval, deterministic: bool
) -> tuple[GpuArray, Pullback]:
    """:func:`derivatives.sample_vjp`."""
    job, memory = _sample_job(image, grid, interpolation, mode, cval)
    assert job.points is not None
    result = output_memory(memory, (*job.points.shape[1:3], *memory.shape[2:]), None)
    cuda_engine.forward(job, as_batch(result, is_batch=False))
    points_shape = job.points.shape[1:]

    def pullback(grad_output: GpuArray, image: bool = True, grid: bool = True) -> tuple[Gradient, Gradient]:
        grad = as_batch(_gradient_memory(grad_output, result.shape), is_batch=False)
        grad_image = _image_gradient(memory, [(job, grad)], [grad], deterministic) if image else None
        if not grid:
            return grad_image, None
        target = gpu_arrays.empty(points_shape, job.real, memory)
        cuda_engine.points_gradient(job, grad, target)
        return grad_image, finished(memory, target, None)

    return finished(memory, result, None), pullback


def _gradient_memory(grad_output: GpuArray, shape: tuple[int, ...]) -> Memory:
    if not checks.is_on_gpu(grad_output):
        raise TypeError(f"grad_output must be an array on the GPU, as the image is, got {type(grad_output).__name__}")
    grad = gpu_arrays.memory("grad_output", grad_output)
    if grad.dtype.kind != "f":
        raise TypeError(f"grad_output must hold floating numbers, got dtype {grad.dtype}")
    if grad.shape != shape:
        raise ValueError(f"grad_output must have the output's shape {shape}, got {grad.shape}")
    return grad


def _image_gradient(memory: Memory, jobs: list[tuple[Problem, Memory]], grads: list[Memory], deterministic: bool) -> Gradient:
    """An array of the image's shape, contiguous; of its dtype if that is floating, else of that of the computation."""
    target = gpu_arrays.empty(memory.shape, memory.dtype if memory.dtype.kind == "f" else jobs[0][0].real, memory)
    first = 0
    for (job, _), grad in zip(jobs, grads, strict=True):
        count, height, width, channels = job.source.shape
        image_size = height * width * channels
        part = target._replace(shape=(memory.size,), strides=(1,)).part(first, count * image_size)
        strides = (image_size, width * channels, channels, 1)
        cuda_engine.image_gradient(job, grad, part, strides, deterministic=deterministic)
        first += count * image_size
    return finished(memory, target, None)
