"""From checked arguments to CUDA launches: what :mod:`engine` is for the CPU.

A launch takes few arguments: parameters go up in one array, sizes and strides as plain integers. Everything is queued on the
stream of the images; only what ends on the host waits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import gpu_arrays, pixels
from .kernels import cuda as forward_kernels
from .kernels import cuda_pull, cuda_sums
from .kernels.cuda import Layout
from .kernels.cuda_pull import ADD, MEASURE, Bands
from .kernels.cuda_sums import FAST
from .kernels.cuda_target import Memory, flat, launch
from .kernels.maps import AFFINE, DISPLACEMENT, PROJECTIVE
from .kernels.rows import WHOLE, Origins, sampling_extent
from .kernels.stages import Pipeline
from .kernels.taps import BILINEAR, NEAREST, near_range
from .kernels.weights import largest_sum

BLOCK = (32, 8)  # threads along a row, and rows
MANY_BLOCKS = 4096  # from here on a thread takes ROWS_PER_THREAD rows
ROWS_PER_THREAD = 4
LARGEST_GRID = 65535  # of blocks along the second and third axis

MEASURING_BLOCKS = 1024  # each of which ends in one atomic operation, on the same number

BAND_PIXELS = 2048
LARGEST_BANDS = 1024
BAND_THREADS = 128
SHARED_BYTES = 48 * 1024  # what a block may have without asking
ROOM_BYTES = 64 * 2**20  # for the sums of all blocks together, where they are not shared


class Packed(NamedTuple):
    """A pipeline on the device: ``numbers`` as :class:`Layout` says, parameters of displacement fields behind the others."""

    numbers: Memory | None  # float64; None until they are uploaded
    table: NDArray[np.int64]
    rows: int
    order: NDArray[np.int64]  # order[k] is the place that parameter k has in the transform's own pipeline
    length: int  # of those that are not a field's

    @property
    def is_matrix(self) -> bool:
        return len(self.table) == 1 and self.table[0, 0] in (AFFINE, PROJECTIVE)


class Problem(NamedTuple):
    """Everything that a warp is made from but its output."""

    source: Memory  # (N, H, W, C)
    packed: Packed
    points: Memory | None  # (N or 1, rows, columns, 2), contiguous
    interpolation: int
    mode: int
    fill: float
    phi: tuple[float, ...] = ()  # of kernels with more than two taps
    limits: tuple[float, float] = (-math.inf, math.inf)
    origins: Origins = WHOLE  # of the output, a part of a larger one, and of the source, a window of a larger picture
    picture_shape: tuple[int, int] | None = None  # of that picture

    @property
    def carrier(self) -> np.dtype[Any]:
        return pixels.carrier_dtype("image", self.source.dtype)

    @property
    def real(self) -> type[np.floating[Any]]:
        """The type that taps are computed in."""
        return pixels.working_type(self.carrier)

    @property
    def kernel_numbers(self) -> tuple[Any, ...]:
        """``phi`` in the type of the computation; where there is none, any will do."""
        return tuple(map(self.real, self.phi or (0.0, 0.5)))

    def layout(self, source: tuple[int, ...], target: Memory) -> Layout:
        """For a source with these strides and a target (N, rows, columns, C)."""
        _, height, width, channels = self.source.shape
        picture_height, picture_width = self.picture_shape or (height, width)
        count, rows, columns, _ = target.shape
        points, packed = self.points, self.packed
        length = packed.order.size
        _, _, reach = sampling_extent(self.interpolation)
        left, right = near_range(picture_width, reach, self.mode)
        top, bottom = near_range(picture_height, reach, self.mode)
        return Layout(
            count, rows, columns, channels, height, width, picture_height, picture_width, *self.origins,
            source[0], source[1], source[2], source[3],
            target.strides[0], target.strides[1], target.strides[2], target.strides[3],
            int(points is not None), 2 * rows * columns if points is not None and points.shape[0] > 1 else 0,
            len(packed.table), packed.table.size, length if packed.rows > 1 else 0,
            self.interpolation, self.mode,
            float(left), float(right), float(top), float(bottom),
            float(self.origins.left), self.origins.left + width - 1.0,
            float(self.origins.top), self.origins.top + height - 1.0,
        )  # fmt: skip

    @property
    def coordinates(self) -> tuple[Any, Any]:
        """The arrays that kernels compute points from; where there is no grid, any array will do for it."""
        assert self.packed.numbers is not None
        numbers = flat(self.packed.numbers)
        return (numbers if self.points is None else flat(self.points)), numbers


def pack(pipeline: Pipeline) -> tuple[NDArray[np.float64], Packed]:
    """The numbers of a pipeline, for the host to upload, and what is to be known of them."""
    starts = [*pipeline.table[:, 1].tolist(), pipeline.params.shape[1]]
    stages = range(len(pipeline.table))
    fields = [bool(abs(pipeline.table[s, 0]) == DISPLACEMENT) for s in stages]
    parts: list[NDArray[np.int64]] = []
    table, length = pipeline.table.copy(), 0
    for is_field in (False, True):
        for s in stages:
            if fields[s] == is_field:
                table[s, 1] = sum(part.size for part in parts)
                parts.append(np.arange(starts[s], starts[s + 1]))
        length = length if is_field else sum(part.size for part in parts)
    order = np.concatenate(parts) if parts else np.empty(0, np.int64)
    params = pipeline.params[:, order]
    numbers = np.concatenate([table.astype(np.float64).reshape(-1), params.reshape(-1), [0.0]])
    return numbers, Packed(None, table, len(params), order, length)


def on_device(pipeline: Pipeline, like: Memory) -> Packed:
    numbers, packed = pack(pipeline)
    uploaded = gpu_arrays.library_of(like.owner).upload(numbers, like.owner)
    return packed._replace(numbers=gpu_arrays.memory("numbers", uploaded))


def grid_shape(count: int, rows: int, columns: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and threads of a launch with one thread for each pixel or, in large pictures, for a few rows of one column."""
    across, down = -(-columns // BLOCK[0]), -(-rows // BLOCK[1])
    if across * down * count >= MANY_BLOCKS:
        down = -(-down // ROWS_PER_THREAD)
    return (across, min(down, LARGEST_GRID), min(count, LARGEST_GRID)), (*BLOCK, 1)


def forward(job: Problem, target: Memory) -> None:
    """Fill ``target`` (N, rows, columns, C), of the source's dtype."""
    call, arguments = forward_call(job, target)
    call(arguments)


def forward_call(job: Problem, target: Memory) -> tuple[Any, tuple[Any, ...]]:
    """The launch of :func:`forward` and its arguments, to be launched as often as one likes: for benchmarks."""
    source, out = flat(job.source), flat(target)
    points, numbers = job.coordinates
    is_matrix = job.packed.is_matrix and job.points is None
    options: tuple[Any, ...] = (job.real(job.fill),)
    if job.interpolation == BILINEAR:
        options += (pixels.largest_sampling_weight(job.carrier),)
    elif job.phi:
        options += (job.kernel_numbers, *map(job.real, job.limits))
    name = {NEAREST: "nearest", BILINEAR: "bilinear"}.get(job.interpolation, "separable")
    kernel = getattr(forward_kernels, f"warp_matrix_{name}" if is_matrix else f"warp_{name}")
    blocks, threads = grid_shape(*target.shape[:3])
    arguments = (source, out, points, numbers, options, job.layout(job.source.strides, target))
    return (lambda given: launch(kernel, blocks, threads, job.source.stream, 0, given)), arguments


class Sums:
    """Sums on the device that are the same bits in every run, or fast ones; see :mod:`cuda_sums`."""

    def __init__(self, job: Problem, size: int, dtype: type[np.floating[Any]], contributions: int, deterministic: bool) -> None:
        self.job, self.size = job, size
        self.bits = max(contributions - 1, 1).bit_length() if deterministic else FAST
        self.low = size if deterministic and dtype is np.float64 else 0
        self.memory = self._zeros(size, dtype)
        self.floats = flat(self.memory)
        self.largest = flat(self._zeros(1, np.int64))
        self.words = flat(self._zeros(size + self.low if deterministic else 1, np.int64))

    def _zeros(self, size: int, dtype: Any) -> Memory:
        memory = gpu_arrays.empty((size,), dtype, self.job.source)
        self._launch(cuda_sums.clear, size, (flat(memory), size))
        return memory

    def _launch(self, kernel: Any, size: int, arguments: tuple[Any, ...]) -> None:
        threads = BLOCK[0] * BLOCK[1]
        blocks = min(-(-size // threads), LARGEST_GRID)
        launch(kernel, (blocks,), (threads,), self.job.source.stream, 0, arguments)

    def measure(self, values: Memory) -> None:
        """Take the largest magnitude of an array (N, rows, columns, C) into account."""
        if self.bits == FAST:
            return
        count, rows, columns, channels = values.shape
        (across, down, deep), threads = grid_shape(count, rows, columns)
        down = min(down, max(1, MEASURING_BLOCKS // across))
        deep = min(deep, max(1, MEASURING_BLOCKS // (across * down)))
        arguments = (flat(values), self.largest, count, rows, columns, channels, *values.strides)
        launch(cuda_sums.find_largest, (across, down, deep), threads, self.job.source.stream, 0, arguments)

    def finish(self, target: Memory) -> None:
        """Write the sums to ``target``, contiguous, which may be their own ``memory``."""
        arguments = (self.floats, self.words, self.low, self.largest, self.bits, flat(target), self.size)
        self._launch(cuda_sums.finish_sums, self.size, arguments)


def image_gradient(job: Problem, grad: Memory, target: Memory, strides: tuple[int, ...], *, deterministic: bool) -> None:
    """Write the gradient of the images for ``grad`` (N, rows, columns, C) to ``target``, contiguous, with these strides."""
    _, rows, columns, _ = grad.shape
    # the weights of a pixel's taps add up to 1, but where some are negative, their magnitudes to more
    contributions = rows * columns * (math.ceil(largest_sum(job.phi) ** 2) if job.phi else 1)
    sums = Sums(job, math.prod(job.source.shape), job.real, contributions, deterministic)
    sums.measure(grad)
    points, numbers = job.coordinates
    arguments = (
        flat(grad), points, numbers, pixels.largest_weight(job.carrier), job.kernel_numbers,
        sums.floats, sums.words, sums.low, sums.largest, sums.bits, job.layout(strides, grad),
    )  # fmt: skip
    blocks, threads = grid_shape(*grad.shape[:3])
    launch(cuda_pull.scatter, blocks, threads, job.source.stream, 0, arguments)
    sums.finish(target)


def _pull_inputs(job: Problem, grad: Memory) -> tuple[Any, ...]:
    options = (job.real(job.fill), pixels.largest_weight(job.carrier), job.kernel_numbers)
    return (flat(job.source), flat(grad), *job.coordinates, *options)


def points_gradient(job: Problem, grad: Memory, target: Memory) -> None:
    """Write the gradient of the points that pixels are sampled at to ``target`` (N, rows, columns, 2), contiguous."""
    if job.interpolation == NEAREST:
        Sums(job, target.size, job.real, 1, deterministic=False).finish(target)
        return
    arguments = (*_pull_inputs(job, grad), flat(target), job.layout(job.source.strides, grad))
    blocks, threads = grid_shape(*grad.shape[:3])
    launch(cuda_pull.pull_points, blocks, threads, job.source.stream, 0, arguments)


def params_gradient(job: Problem, grad: Memory, *, deterministic: bool) -> tuple[Memory | None, Memory | None]:
    """Gradients of the packed parameters, float64, in the order of ``job.packed``: (N, length), and of fields (N, others).

    None where there are no such parameters, or none has a slope.
    """
    if job.interpolation == NEAREST:
        return None, None
    count, rows, columns, _ = grad.shape
    length = job.packed.length
    field = job.packed.order.size - length
    fields = Sums(job, max(count * field, 1), np.float64, rows * columns, deterministic)
    threads = min(BAND_THREADS, -(-columns // 32) * 32)
    band_rows = max(1, BAND_PIXELS // columns, -(-rows // LARGEST_BANDS))
    pitch = (length + 1) | 1  # odd: the threads' sums lie in different banks
    shared_bytes = threads * pitch * 8
    in_memory = shared_bytes > SHARED_BYTES
    bands = Bands(-(-rows // band_rows), band_rows, length, pitch, int(in_memory), field, ADD, fields.bits, fields.low)
    down = min(count, LARGEST_GRID, max(1, ROOM_BYTES // shared_bytes) if in_memory else count)
    across = min(bands.bands, max(1, ROOM_BYTES // (shared_bytes * down)) if in_memory else bands.bands)
    room = gpu_arrays.empty((across * down * threads * pitch if in_memory else 1,), np.float64, job.source)
    partial = gpu_arrays.empty((max(1, count * bands.bands * length),), np.float64, job.source)
    for step in (MEASURE, ADD) if field and deterministic else (ADD,):
        arguments = (
            *_pull_inputs(job, grad), flat(partial), flat(room), fields.floats, fields.words, fields.largest,
            job.layout(job.source.strides, grad), bands._replace(step=step),
        )  # fmt: skip
        launched_bytes = 0 if in_memory else shared_bytes
        launch(cuda_pull.pull_params, (across, down), (threads,), job.source.stream, launched_bytes, arguments)
    totals = None
    if length:
        totals = gpu_arrays.empty((count, length), np.float64, job.source)
        arguments = (flat(partial), flat(totals), count, bands.bands, length)
        blocks = min(count * length, LARGEST_GRID)
        launch(cuda_sums.add_groups, (blocks,), (cuda_sums.ADDERS,), job.source.stream, 0, arguments)
    if not field:
        return totals, None
    fields.finish(fields.memory)
    return totals, fields.memory._replace(shape=(count, field), strides=(field, 1))


def host_params_gradient(job: Problem, grad: Memory, *, deterministic: bool) -> NDArray[np.float64]:
    """(N, length of the packed parameters), in the order of the transform's own pipeline, on the host."""
    packed = np.zeros((grad.shape[0], job.packed.order.size))
    totals, fields = params_gradient(job, grad, deterministic=deterministic)
    length = job.packed.length
    if totals is not None:
        packed[:, job.packed.order[:length]] = gpu_arrays.download(totals)
    if fields is not None:
        packed[:, job.packed.order[length:]] = gpu_arrays.download(fields)
    return packed
