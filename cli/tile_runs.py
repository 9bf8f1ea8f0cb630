"""A large picture warped tile by tile: each from the window of the source that it needs, within a budget of memory."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .chunked import ChunkReader, Key, Slices, Source
from .errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform

_TILES_REMEMBERED = 256
_SMALLEST_PART = 16


class Tile(NamedTuple):
    """One tile of one plane of one level of the output."""

    level: int
    plane: Key
    row: int
    column: int


def part_of(tile: Tile, size: int, shape: tuple[int, int]) -> Slices:
    """The rows and columns of a tile in a level of ``shape`` (rows, columns)."""
    return (
        slice(tile.row * size, min((tile.row + 1) * size, shape[0])),
        slice(tile.column * size, min((tile.column + 1) * size, shape[1])),
    )


def tiles_of(level: int, planes: list[Key], size: int, shape: tuple[int, int]) -> Iterator[Tile]:
    """All tiles of a level, row by row; the planes of one after another, because they need the same window."""
    for row in range(math.ceil(shape[0] / size)):
        for column in range(math.ceil(shape[1] / size)):
            for plane in planes:
                yield Tile(level, plane, row, column)


class Budget:
    """Bytes that are shared out among threads; who asks for more than is left waits."""

    def __init__(self, limit: int) -> None:
        self._limit, self._taken, self.most = limit, 0, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, count: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._taken + count <= self._limit)
            self._taken += count
            self.most = max(self.most, self._taken)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= count
                self._changed.notify_all()


class TileWarper:
    """Makes tiles of a warped large picture, and holds at most ``memory`` bytes of pixels.

    Half of them are for chunks of the source that are kept, the other half for what ``threads`` tiles need: the tile, as pixels
    and encoded, the window that it is made from, and the chunks that the window is cut from. A tile that needs more than its
    share is made in smaller parts.

    Where the source has alpha, colours are weighted by it, as :func:`warpkit.warp_alpha` does; not by nearest neighbours.
    """

    def __init__(
        self, source: Source, inverse_map: Transform, shape: tuple[int, int], *,
        tile: int, memory: int, cores: int, threads: int, options: dict[str, Any],
    ) -> None:  # fmt: skip
        self._source, self._layout, self._shape = source, source.layout, shape
        self.is_weighted = source.has_alpha and options["interpolation"] != "nearest"
        self._map, self._tile, self._options = inverse_map, tile, options
        self.bytes_per_pixel = self._layout.bytes_per_pixel
        wide = 4 * (8 if self._layout.dtype.itemsize > 2 else 4) if self.is_weighted else 0
        self.bytes_per_wide_pixel = self.bytes_per_pixel + wide
        # as pixels, encoded, and as many more as may wait, encoded, for their turn; with alpha, sums and averages
        self._tile_bytes = (4 * self.bytes_per_pixel + 6 * wide) * min(tile, shape[0]) * min(tile, shape[1])
        self._window_limit = memory // 2 // threads - self._tile_bytes
        self._budget = Budget(memory // 2)
        self._cores = threading.BoundedSemaphore(cores)
        self._reader = ChunkReader(source, memory // 2)
        self._windows = lru_cache(_TILES_REMEMBERED)(self._find_windows)

    @property
    def bytes_decoded(self) -> int:
        """Of the source so far, as pixels."""
        return self._reader.bytes_decoded

    def close(self) -> None:
        self._reader.close()

    @contextlib.contextmanager
    def made(self, tile: Tile) -> Iterator[NDArray[Any]]:
        """The pixels of a tile; its memory is given back at the end.

        Raises
        ------
        PictureError
            If the memory is too small even for a small part of the tile.
        """
        import numpy as np

        parts = self._windows(tile.row, tile.column)
        rows, columns = part_of(tile, self._tile, self._shape)
        needed = max(self._bytes_of(window) for _, window in parts)
        with self._budget.take(self._tile_bytes + needed):
            pixels = np.empty((rows.stop - rows.start, columns.stop - columns.start, *self._layout.pixel), self._layout.dtype)
            for part, window in parts:
                pixels[_within(part, (rows.start, columns.start))] = self._warped(tile.plane, part, window)
            yield pixels

    def _warped(self, plane: Key, part: Slices, window: Slices | None) -> NDArray[Any]:
        import numpy as np

        import warpkit as wk
        from warpkit.weighted import premultiplied, unpremultiplied

        nothing = np.empty((0, 0, *self._layout.pixel), self._layout.dtype)
        read = nothing if window is None else self._reader.read(plane, window)
        options = {
            **self._options, "window": window, "image_shape": self._layout.shape, "output_shape": self._shape,
        }  # fmt: skip
        with self._cores:
            if not self.is_weighted:
                return wk.warp_part(read, self._map, part, **options)
            del options["cval"]  # what lies outside is transparent
            warped = wk.warp_part(premultiplied(read), self._map, part, **options)
            return unpremultiplied(warped, self._layout.dtype)

    def _find_windows(self, row: int, column: int) -> list[tuple[Slices, Slices | None]]:
        """The parts that a tile is made in, and what of the source each needs."""
        import warpkit as wk

        options = {name: value for name, value in self._options.items() if name != "cval"}

        def split(part: Slices) -> Iterator[tuple[Slices, Slices | None]]:
            window = wk.source_window(self._map, part, self._layout.shape, **options)
            needed = self._bytes_of(window)
            if needed <= self._window_limit:
                yield part, window
                return
            rows, columns = part
            if max(rows.stop - rows.start, columns.stop - columns.start) <= _SMALLEST_PART:
                raise PictureError(
                    f"a part of {_SMALLEST_PART} x {_SMALLEST_PART} pixels needs {needed} bytes of the source at once, of"
                    f" {max(0, self._window_limit)} that are left beside the tiles; give more --memory or a smaller --tile"
                )
            for half in _halves(part):
                yield from split(half)

        return list(split(part_of(Tile(0, (), row, column), self._tile, self._shape)))

    def _bytes_of(self, window: Slices | None) -> int:
        """What a window takes, with the chunks that it is cut from."""
        if window is None:
            return 0
        *blocks, chunk_rows, chunk_columns = self._source.chunk
        whole_rows, whole_columns = (_rounded(s, size) for s, size in zip(window, (chunk_rows, chunk_columns), strict=True))
        read = math.prod(int(s.stop - s.start) for s in window) * self.bytes_per_wide_pixel
        return read + math.prod(blocks) * whole_rows * whole_columns * self.bytes_per_pixel


def _rounded(span: slice, size: int) -> int:
    """The length of all chunks along an axis that a span touches."""
    return int(math.ceil(span.stop / size) - span.start // size) * size


def _halves(part: Slices) -> tuple[Slices, Slices]:
    rows, columns = part
    if rows.stop - rows.start >= columns.stop - columns.start:
        middle = (rows.start + rows.stop) // 2
        return (slice(rows.start, middle), columns), (slice(middle, rows.stop), columns)
    middle = (columns.start + columns.stop) // 2
    return (rows, slice(columns.start, middle)), (rows, slice(middle, columns.stop))


def _within(part: Slices, origin: tuple[int, int]) -> Slices:
    rows, columns = (slice(s.start - o, s.stop - o) for s, o in zip(part, origin, strict=True))
    return rows, columns
