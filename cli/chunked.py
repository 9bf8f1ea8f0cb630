"""Large pictures that lie in chunks: windows of them, read through a cache of bounded size."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Slices: TypeAlias = tuple[slice, slice]
Key: TypeAlias = tuple[int, ...]  # the chunk's number along each leading axis, along rows and along columns

_READERS = 4
_REMOTE_READERS = 16  # most of which wait for the network


class Layout(NamedTuple):
    """What a large picture is: planes along leading axes, each of them (rows, columns) or (rows, columns, channels)."""

    leading: tuple[int, ...]
    names: tuple[str, ...]  # of the leading axes
    rows: int
    columns: int
    channels: int | None
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def pixel(self) -> tuple[int, ...]:
        """The shape of one pixel: () or (channels,)."""
        return () if self.channels is None else (self.channels,)

    @property
    def bytes_per_pixel(self) -> int:
        return int(self.dtype.itemsize) * (self.channels or 1)

    def planes(self) -> list[Key]:
        """The places of all planes along the leading axes, the last changing fastest."""
        return list(itertools.product(*map(range, self.leading)))


class Source(Protocol):
    """A large picture that can be read by its chunks, from several threads at once."""

    layout: Layout
    chunk: tuple[int, ...]  # along each leading axis, rows and columns
    is_remote: bool
    bytes_read: int  # as stored
    has_alpha: bool  # the last channel says how visible the others are

    def read_chunk(self, key: Key) -> NDArray[Any]:
        """The pixels of a chunk: leading axes, rows, columns, and channels if there are any; smaller at the far borders."""
        ...

    def close(self) -> None: ...


class ChunkReader:
    """Windows of a source. Chunks that were read last are kept, within ``limit`` bytes, for the windows that overlap."""

    def __init__(self, source: Source, limit: int) -> None:
        from warpkit.kept import Kept

        self._source = source
        readers = _REMOTE_READERS if source.is_remote else _READERS
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="warpkit-chunk")
        self._kept = Kept(self._load, limit)
        self._lock, self.bytes_decoded = threading.Lock(), 0

    def _load(self, key: Key) -> NDArray[Any]:
        chunk = self._source.read_chunk(key)
        with self._lock:
            self.bytes_decoded += chunk.nbytes
        return chunk

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def read(self, plane: Key, window: Slices) -> NDArray[Any]:
        """The pixels of a window of a plane."""
        import numpy as np

        from warpkit.source_windows import common_span, touched

        layout, (*blocks, chunk_rows, chunk_columns) = self._source.layout, self._source.chunk
        rows, columns = window
        leading = tuple(place // block for place, block in zip(plane, blocks, strict=True))
        within = tuple(place % block for place, block in zip(plane, blocks, strict=True))
        keys = [(*leading, i, j) for i in touched(rows, chunk_rows) for j in touched(columns, chunk_columns)]
        pixels = np.empty((rows.stop - rows.start, columns.stop - columns.start, *layout.pixel), layout.dtype)
        for key, chunk in zip(keys, self._pool.map(self._kept.get, keys), strict=True):
            top, left = key[-2] * chunk_rows, key[-1] * chunk_columns
            to_rows, from_rows = common_span(rows, slice(top, top + chunk_rows))
            to_columns, from_columns = common_span(columns, slice(left, left + chunk_columns))
            pixels[to_rows, to_columns] = chunk[within][from_rows, from_columns]
        return pixels
