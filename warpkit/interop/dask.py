"""Warps of pictures that are larger than the memory: Dask arrays, chunk by chunk.

Each chunk of the output depends on the chunks of the picture that its window meets, see :func:`warpkit.source_window`, and no
others. The result is that of :func:`warpkit.warp` on the whole picture, bit for bit, whatever the chunks and the scheduler.

Tasks have no side effects and may be repeated. One that runs in a pool, as they do under the threaded, the process and the
distributed scheduler, uses one thread: the pool has work for the others.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from .. import checks, door, engine
from ..door import Interpolation, Map, Mode
from ..interpolations import kernel_of
from ..parts import source_window, warp_part
from ..pixels import Cval
from ..source_windows import Sampling, Window, window_of_points
from ..threads import at_most
from ..transforms import Affine, Transform
from ..warping import sample

Chunks: TypeAlias = int | str | tuple[Any, ...] | None
Sizes: TypeAlias = tuple[tuple[int, ...], ...]  # of the chunks along each axis


def warp(
    image: Any,
    inverse_map: Map | Any,
    output_shape: tuple[int, int] | None = None,
    chunks: Chunks = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
) -> Any:
    """Warp a Dask array, lazily.

    Parameters
    ----------
    image : dask array (H, W) or (H, W, C)
        Of any dtype that :func:`warpkit.warp` takes, on the host. Channels are brought into one chunk.
    inverse_map : Transform or matrix, or dask array (rows, columns, 2)
        As for :func:`warpkit.warp`. A Dask array is a displacement field, (dx, dy) in pixels at each pixel of the output, as
        :class:`warpkit.DisplacementField` has it: it is rechunked as the output is, and never gathered. To find the windows,
        it is read once when this function is called, by the scheduler that is set then; only four numbers of each chunk come
        back.
    output_shape : (rows, columns), default: the image's, or the displacement field's, which it must be
    chunks : int, tuple or "auto", optional
        Of the output's rows and columns, as for ``dask.array.rechunk``; by default sizes are those of the image's chunks.
    interpolation, mode, cval, antialias, tolerance
        As for :func:`warpkit.warp`. Refused are "bspline3", which needs the whole picture, and antialiasing under a chunked
        displacement field.

    Returns
    -------
    dask array (rows, columns) or (rows, columns, C), of image's dtype

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it. A displacement field that is not finite is found when
        it is read.

    Notes
    -----
    The windows of all chunks are found when this function is called, about a millisecond for each; a large displacement field
    or spline that is given as a transform goes to every worker. Each chunk of the image is read once if it stays in memory
    until the last output that needs it is done. Chunks of about 2,000 pixels a side read little twice and leave tasks of some
    milliseconds.
    """
    picture = _picture(image)
    field = inverse_map if isinstance(inverse_map, da.Array) else None
    shape = _output_shape(picture, field, output_shape)
    sizes = _chunks(picture, shape, chunks)
    options = {"interpolation": interpolation, "mode": mode, "cval": cval, "tolerance": tolerance}
    if field is None:
        transform = door.as_transform("inverse_map", inverse_map)
        door.check_horizon("inverse_map", transform, shape)
        options |= {"antialias": antialias, "output_shape": shape}
        windows = _windows_of_map(transform, sizes, picture.shape[:2], options)
        return _graph(picture, transform, None, sizes, windows, options)
    if antialias:
        raise ValueError("antialias is not possible under a chunked displacement field; pass a DisplacementField")
    chunked = field.rechunk((*sizes, -1))
    return _graph(picture, None, chunked, sizes, _windows_of_field(chunked, picture.shape[:2], interpolation, mode), options)


# --- arguments --------------------------------------------------------------------------------------------------------------


def _picture(image: Any) -> Any:
    """The image, with its channels in one chunk."""
    if not isinstance(image, da.Array):
        raise TypeError(f"image must be a dask array, got {type(image).__name__}; dask.array.from_array makes one")
    if checks.is_on_gpu(image._meta):
        raise TypeError("image must have chunks on the host, got chunks on a GPU; image.map_blocks(cupy.asnumpy) fetches them")
    if any(np.isnan(size) for size in image.shape):
        raise ValueError("image must have known chunk sizes; image.compute_chunk_sizes() finds them")
    door.check_image("image", image.shape, image.dtype, (2, 3))
    return image.rechunk({2: -1}) if image.ndim == 3 else image


def _output_shape(picture: Any, field: Any, output_shape: tuple[int, int] | None) -> tuple[int, int]:
    if field is None:
        return picture.shape[:2] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    if field.ndim != 3 or field.shape[2] != 2 or 0 in field.shape or field.dtype.kind not in "biuf":
        raise ValueError(f"inverse_map must be a field (rows, columns, 2) of real numbers, got {field.dtype} {field.shape}")
    shape = checks.shape_2d("inverse_map: a field's shape", field.shape[:2])
    if output_shape is not None and checks.shape_2d("output_shape", output_shape) != shape:
        raise ValueError(f"output_shape must be the displacement field's, {shape}, got {output_shape}")
    return shape


def _chunks(picture: Any, shape: tuple[int, int], chunks: Chunks) -> Sizes:
    asked = picture.chunksize[:2] if chunks is None else chunks
    try:
        sizes = da.core.normalize_chunks(asked, shape=shape, dtype=picture.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"chunks must fit an output of shape {shape}: {error}") from None
    return tuple(sizes)


# --- windows ----------------------------------------------------------------------------------------------------------------


def _parts(sizes: Sizes) -> Iterator[tuple[int, int, Window]]:
    """Row and column of each chunk, and the rows and columns of the array that it has."""
    spans = [[slice(end - size, end) for size, end in zip(axis, np.cumsum(axis).tolist(), strict=True)] for axis in sizes[:2]]
    for (i, rows), (j, columns) in product(*map(enumerate, spans)):
        yield i, j, (rows, columns)


def _windows_of_map(transform: Transform, sizes: Sizes, shape: tuple[int, int], options: dict[str, Any]) -> list[Window | None]:
    names = ("interpolation", "mode", "antialias", "tolerance")
    own = {name: options[name] for name in names}
    return [source_window(transform, part, shape, **own) for _, _, part in _parts(sizes)]


def _windows_of_field(field: Any, shape: tuple[int, int], interpolation: Interpolation, mode: Mode) -> list[Window | None]:
    sampling = Sampling(kernel_of(interpolation).code, engine.border_code(mode), False, 0.0)
    blocks = field.to_delayed()[:, :, 0]
    windows = [dask.delayed(_window_of_field)(blocks[i, j], part, shape, sampling) for i, j, part in _parts(field.chunks)]
    return list(dask.compute(*windows))


def _window_of_field(field: NDArray[Any], part: Window, shape: tuple[int, int], sampling: Sampling) -> Window | None:
    return window_of_points(_field_points(field, part), shape, sampling)


def _field_points(field: NDArray[Any], part: Window) -> NDArray[np.float64]:
    """The points of the picture that a chunk of a displacement field leads to."""
    points = checks.finite_array("inverse_map: a displacement field", field, (None, None, 2))
    points[..., 0] += np.arange(part[1].start, part[1].stop)
    points[..., 1] += np.arange(part[0].start, part[0].stop)[:, None]
    return points


# --- tasks ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """What a task makes."""

    part: Window
    window: Window | None
    pieces: list[Window]  # where in the picture its chunks lie
    empty: NDArray[Any]  # of the picture's dtype and channels, no pixels
    image_shape: tuple[int, int]
    options: dict[str, Any]


def _graph(
    picture: Any,
    transform: Transform | None,
    field: Any,
    sizes: Sizes,
    windows: list[Window | None],
    options: dict[str, Any],
) -> Any:
    shape, last = picture.shape[:2], (0,) * (picture.ndim - 2)
    map_token = field.name if transform is None else (type(transform).__name__, *transform.pipeline[:2])
    name = "warp-" + tokenize(picture.name, map_token, sizes, options)
    empty = np.empty((0, 0, *picture.shape[2:]), picture.dtype)
    places: dict[tuple[int, ...], Window] = {(i, j): place for i, j, place in _parts(picture.chunks)}
    layer: dict[Any, Any] = {}
    map_key = None if transform is None else name.replace("warp-", "map-of-warp-")
    if map_key is not None:
        layer[map_key] = transform
    for (i, j, part), window in zip(_parts(sizes), windows, strict=True):
        met = [] if window is None else list(product(*map(_met, picture.chunks, window)))
        chunk = _Chunk(part, window, [places[block] for block in met], empty, shape, options)
        keys = [(picture.name, *block, *last) for block in met]
        layer[(name, i, j, *last)] = (
            (_warp_chunk, chunk, keys, map_key) if field is None else (_warp_field_chunk, chunk, keys, (field.name, i, j, 0))
        )
    dependencies = [picture] if field is None else [picture, field]
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    return da.Array(graph, name, chunks=(*sizes, *picture.chunks[2:]), meta=np.empty((0,) * picture.ndim, picture.dtype))


def _met(sizes: tuple[int, ...], span: slice) -> range:
    """The chunks of an axis that a window meets."""
    first, last = np.searchsorted(np.cumsum(sizes), [span.start, span.stop - 1], side="right").tolist()
    return range(first, last + 1)


def _warp_chunk(chunk: _Chunk, blocks: list[NDArray[Any]], transform: Transform) -> NDArray[Any]:
    """One chunk of the output."""
    with _share_of_threads():
        pixels = _window_pixels(chunk, blocks)
        return warp_part(pixels, transform, chunk.part, window=chunk.window, image_shape=chunk.image_shape, **chunk.options)


def _warp_field_chunk(chunk: _Chunk, blocks: list[NDArray[Any]], field: NDArray[Any]) -> NDArray[Any]:
    """As :func:`_warp_chunk`, by a chunk of a displacement field."""
    if chunk.window is None:
        return _warp_chunk(chunk, blocks, Affine.identity())
    points = _field_points(field, chunk.part)
    # exact for all points that are not just the fill
    points -= (chunk.window[1].start, chunk.window[0].start)
    options = {name: chunk.options[name] for name in ("interpolation", "mode", "cval")}
    with _share_of_threads():
        return sample(_window_pixels(chunk, blocks), points, **options)


def _window_pixels(chunk: _Chunk, blocks: list[NDArray[Any]]) -> NDArray[Any]:
    """The window, put together from the chunks that it meets."""
    if chunk.window is None:
        return chunk.empty
    rows, columns = chunk.window
    if len(blocks) == 1:
        top, left = chunk.pieces[0][0].start, chunk.pieces[0][1].start
        return blocks[0][rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    shape = (rows.stop - rows.start, columns.stop - columns.start, *chunk.empty.shape[2:])
    window = np.empty(shape, chunk.empty.dtype)
    for block, piece in zip(blocks, chunk.pieces, strict=True):
        there, here = [], []
        for span, own in zip(chunk.window, piece, strict=True):
            start, stop = max(span.start, own.start), min(span.stop, own.stop)
            there.append(slice(start - span.start, stop - span.start))
            here.append(slice(start - own.start, stop - own.start))
        window[tuple(there)] = block[tuple(here)]
    return window


def _share_of_threads() -> Any:
    """One thread in a pool's task, whose other threads or processes have tasks of their own."""
    in_pool = threading.current_thread() is not threading.main_thread() or multiprocessing.parent_process() is not None
    return at_most(1) if in_pool else nullcontext()
