"""Warps of pictures that are larger than the memory: Dask arrays, chunk by chunk.

Each chunk of the output is made from its window of the picture, see :func:`warpkit.source_window`, and nothing else. Of a Dask
array it depends on the chunks that the window meets; from a stored picture its task reads the window itself. The result is that
of :func:`warpkit.warp` on the whole picture, bit for bit, whatever the chunks and the scheduler.

A task that runs in a pool, as they do under the threaded, the process and the distributed scheduler, uses one thread: the pool
has work for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, TypeAlias

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from .. import checks, door, engine
from ..door import Interpolation, Map, Mode
from ..interpolations import kernel_of
from ..pixels import Cval
from ..source_windows import Sampling, Window
from ..stored import StoredPicture
from .dask_tasks import Job, empty_like, warp_blocks, warp_stored, window_by_field

Chunks: TypeAlias = int | str | tuple[Any, ...] | None
Sizes: TypeAlias = tuple[tuple[int, ...], ...]  # of the chunks along each axis

_NO_CHUNK = (2048, 2048)  # of the output, for pictures without chunks


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
    keep: int = 2**28,
) -> Any:
    """Warp a Dask array or a stored picture, lazily.

    Parameters
    ----------
    image : dask array, or array of Zarr, HDF5 and the like, (H, W) or (H, W, C)
        Of any dtype that :func:`warpkit.warp` takes. Channels of a Dask array are brought into one chunk. Its chunks may be on
        a GPU (CuPy), which Dask must know, by the array's meta; they are warped there, into chunks of the same kind. What is no
        Dask array has ``shape``, ``dtype``, slices and, if it lies in chunks, ``chunks``; it is read by the tasks, needs the
        least memory, and goes to other processes only if it can be pickled.
    inverse_map : Transform or matrix, or dask array (rows, columns, 2)
        As for :func:`warpkit.warp`. A Dask array is a displacement field, (dx, dy) in pixels at each pixel of the output, as
        :class:`warpkit.DisplacementField` has it, on the host: it is rechunked as the output is, and never gathered. To find
        the windows of a Dask image, it is read once when this function is called, by the scheduler that is set then; only four
        numbers of each chunk come back.
    output_shape : (rows, columns), default: the image's, or the displacement field's, which it must be
    chunks : int, tuple or "auto", optional
        Of the output's rows and columns, as for ``dask.array.rechunk``; by default sizes are those of the image's chunks, or
        2048 if it has none.
    interpolation, mode, cval, antialias, tolerance
        As for :func:`warpkit.warp`. Refused are "bspline3", which needs the whole picture, and antialiasing under a chunked
        displacement field or on a GPU.
    keep : int
        Bytes of a stored image's chunks that each process keeps for the tiles that come next. Chunks are read about once if
        the chunks that a row of tiles sweeps over find place, else more often. Dask keeps a Dask image's chunks, without limit.

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
    The windows of a Dask image's tiles are found when this function is called, about a millisecond for each, those of a stored
    one by the tasks. A large displacement field or spline that is given as a transform goes to every worker. Tiles of about
    4,000 pixels a side, and chunks of a quarter to a half of that, read little twice and leave tasks of some ten milliseconds.
    """
    picture: Any = _picture(image) if isinstance(image, da.Array) else _stored(image, keep)
    field = inverse_map if isinstance(inverse_map, da.Array) else None
    image_shape: tuple[int, int] = picture.shape[:2]
    kind = _kind(picture)
    shape = _output_shape(picture, field, output_shape)
    sizes = _chunks(picture, shape, chunks)
    options = {"interpolation": interpolation, "mode": mode, "cval": cval, "tolerance": tolerance}
    if field is not None:
        if antialias:
            raise ValueError("antialias is not possible under a chunked displacement field; pass a DisplacementField")
        options.pop("tolerance")
        of_field = Sampling(kernel_of(interpolation).code, engine.border_code(mode), False, 0.0)
        job = Job(image_shape, options, of_field, checks.is_on_gpu(kind))
        chunked = field.rechunk((*sizes, -1))
        windows = _windows_of_field(chunked, job) if isinstance(picture, da.Array) else None
        return _graph(picture, chunked, sizes, windows, job)
    transform = door.as_transform("inverse_map", inverse_map)
    door.check_horizon("inverse_map", transform, shape)
    job = Job(image_shape, options | {"antialias": antialias, "output_shape": shape}, None, checks.is_on_gpu(kind))
    job.window(transform, (slice(0, 1), slice(0, 1)))  # refuses what it must before there is a graph
    windows = [job.window(transform, part) for _, _, part in _parts(sizes)] if isinstance(picture, da.Array) else None
    return _graph(picture, transform, sizes, windows, job)


# --- arguments --------------------------------------------------------------------------------------------------------------


def _picture(image: Any) -> Any:
    """The image, with its channels in one chunk."""
    if any(np.isnan(size) for size in image.shape):
        raise ValueError("image must have known chunk sizes; image.compute_chunk_sizes() finds them")
    door.check_image("image", image.shape, image.dtype, (2, 3))
    return image.rechunk({2: -1}) if image.ndim == 3 else image


def _stored(image: Any, keep: int) -> StoredPicture:
    if isinstance(image, np.ndarray) or checks.is_on_gpu(image) or not all(hasattr(image, a) for a in ("shape", "dtype")):
        raise TypeError(
            f"image must be a dask array, or an array of a store such as Zarr, got {type(image).__name__};"
            " dask.array.from_array makes a dask array"
        )
    door.check_image("image", tuple(image.shape), np.dtype(image.dtype), (2, 3))
    limit = checks.integer("keep", keep)
    if limit < 0:
        raise ValueError(f"keep must not be negative, got {limit}")
    return StoredPicture(image, limit)


def _kind(picture: Any) -> Any:
    """An array without pixels of the kind and dtype that the picture's parts are of."""
    return np.empty(0, picture.dtype) if isinstance(picture, StoredPicture) else picture._meta


def _output_shape(picture: Any, field: Any, output_shape: tuple[int, int] | None) -> tuple[int, int]:
    if field is None:
        return picture.shape[:2] if output_shape is None else checks.shape_2d("output_shape", output_shape)
    if field.ndim != 3 or field.shape[2] != 2 or 0 in field.shape or field.dtype.kind not in "biuf":
        raise ValueError(f"inverse_map must be a field (rows, columns, 2) of real numbers, got {field.dtype} {field.shape}")
    if checks.is_on_gpu(field._meta):
        raise TypeError("inverse_map must have chunks on the host, got a displacement field on a GPU")
    shape = checks.shape_2d("inverse_map: a field's shape", field.shape[:2])
    if output_shape is not None and checks.shape_2d("output_shape", output_shape) != shape:
        raise ValueError(f"output_shape must be the displacement field's, {shape}, got {output_shape}")
    return shape


def _chunks(picture: Any, shape: tuple[int, int], chunks: Chunks) -> Sizes:
    own = (picture.chunk or _NO_CHUNK) if isinstance(picture, StoredPicture) else picture.chunksize[:2]
    asked = own if chunks is None else chunks
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


def _windows_of_field(field: Any, job: Job) -> list[Window | None]:
    blocks = field.to_delayed()[:, :, 0]
    windows = [dask.delayed(window_by_field)(job, blocks[i, j], part) for i, j, part in _parts(field.chunks)]
    return list(dask.compute(*windows))


# --- the graph --------------------------------------------------------------------------------------------------------------


def _graph(picture: Any, by: Any, sizes: Sizes, windows: list[Window | None] | None, job: Job) -> Any:
    """The output, by a map or a displacement field in the output's chunks; ``windows`` are those of a Dask picture's parts."""
    is_field, is_stored = isinstance(by, da.Array), windows is None
    by_token = by.name if is_field else (type(by).__name__, *by.pipeline[:2])
    name = "warp-" + tokenize(picture.token if is_stored else picture.name, by_token, sizes, job.options)
    map_key, picture_key = f"map-of-{name}", f"picture-of-{name}"
    layer: dict[Any, Any] = {} if is_field else {map_key: by}
    if is_stored:
        layer[picture_key] = picture
    last = (0,) * (len(picture.shape) - 2)
    for number, (i, j, part) in enumerate(_parts(sizes)):
        key, by_key = (name, i, j, *last), (by.name, i, j, 0) if is_field else map_key
        if windows is None:
            layer[key] = (warp_stored, job, part, picture_key, by_key)
        else:
            layer[key] = (warp_blocks, job, part, *_blocks(picture, windows[number]), by_key)
    dependencies = [one for one in (picture, by) if isinstance(one, da.Array)]
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    channels = tuple((size,) for size in picture.shape[2:])
    return da.Array(graph, name, chunks=(*sizes, *channels), meta=empty_like(_kind(picture), (0,) * len(picture.shape)))


def _blocks(picture: Any, window: Window | None) -> tuple[Any, ...]:
    """The window, where the chunks lie that it meets, and their keys."""
    if window is None:
        return None, [], [empty_like(_kind(picture), (0, 0, *picture.shape[2:]))]
    last = (0,) * (picture.ndim - 2)
    met = [_met(sizes, span) for sizes, span in zip(picture.chunks, window, strict=False)]
    pieces = [(rows, columns) for (_, rows), (_, columns) in product(*met)]
    return window, pieces, [(picture.name, i, j, *last) for (i, _), (j, _) in product(*met)]


def _met(sizes: tuple[int, ...], span: slice) -> list[tuple[int, slice]]:
    """The chunks of an axis that a window meets: number and place."""
    ends = np.cumsum(sizes)
    first, last = np.searchsorted(ends, [span.start, span.stop - 1], side="right").tolist()
    return [(k, slice(int(ends[k]) - sizes[k], int(ends[k]))) for k in range(first, last + 1)]
