"""Pictures in a store, such as Zarr's and HDF5's arrays: windows of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import recycling
from .kept import Kept, Key
from .source_windows import Window, common_span, touched


class StoredPicture:
    """An array (H, W) or (H, W, C) that is read by slices; a copy in another process reads for itself.

    Parameters
    ----------
    array : has ``shape``, ``dtype``, slices and, if it lies in chunks, ``chunks``: the sizes of one along all axes
    limit : int
        Bytes of the chunks read last that are kept, for windows that overlap.
    """

    def __init__(self, array: Any, limit: int) -> None:
        self._array, self._limit = array, limit
        self.shape = tuple(map(int, array.shape))
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        chunks = getattr(array, "chunks", None)
        self.chunk = None if chunks is None else (int(chunks[0]), int(chunks[1]))
        self._kept = Kept(self._read_chunk, limit)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredPicture, (self._array, self._limit)

    @property
    def token(self) -> Any:
        """What names the picture, for Dask."""
        return self._array

    def read(self, window: Window | None) -> NDArray[Any]:
        """The pixels of a window; no pixels without one."""
        if window is None:
            return np.empty((0, 0, *self.shape[2:]), self.dtype)
        if self.chunk is None:
            return self._read(window)
        pixels = recycling.empty((*(span.stop - span.start for span in window), *self.shape[2:]), self.dtype)
        for key in product(*map(touched, window, self.chunk)):
            there, here = zip(*map(common_span, window, _place(key, self.chunk)), strict=True)
            pixels[there] = self._kept.get(key)[here]
        return pixels

    def _read_chunk(self, key: Key) -> NDArray[Any]:
        assert self.chunk is not None
        return self._read(_place(key, self.chunk))

    def _read(self, place: Window) -> NDArray[Any]:
        return np.ascontiguousarray(self._array[place], self.dtype)


def _place(key: Key, chunk: tuple[int, int]) -> Window:
    """The rows and columns of a chunk."""
    rows, columns = (slice(k * size, (k + 1) * size) for k, size in zip(key, chunk, strict=True))
    return rows, columns
