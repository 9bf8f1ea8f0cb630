"""Reading of Zarr and OME-Zarr by chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zarr

from . import ome
from .chunked import Key, Layout
from .errors import PictureError
from .zarr_stores import is_url, open_store, store_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_CHANNELS = 4  # of pictures whose channels are warped together


class ZarrSource:
    """An array, or the highest resolution of an OME-Zarr group (0.4 in Zarr 2, 0.5 in Zarr 3).

    Axes come from the group's metadata or the array's dimension names, and end in y, x. Without them an array is (y, x),
    (y, x, up to 4 channels), or planes (..., y, x). Zarr does not say what channels mean: none is taken for alpha.
    """

    has_alpha = False

    def __init__(self, name: str) -> None:
        self.is_remote = is_url(name)
        with store_errors("opened"):
            self._store = open_store(name, read_only=True)
            opened = zarr.open(self._store, mode="r")
            self.attributes = ome.attributes_of(dict(opened.attrs))
            self._array = _highest(opened, self.attributes)
        axes = _axes(self._array, self.attributes)
        shape, chunks = self._array.shape, self._array.chunks
        self._is_interleaved = axes[-1] == "c"
        self._is_planar = axes == ("c", "y", "x") and 2 <= shape[0] <= _MOST_CHANNELS
        count = shape[-1] if self._is_interleaved else shape[0] if self._is_planar else None
        y = axes.index("y")
        leading = 0 if self._is_planar else y
        dtype = self._array.dtype.newbyteorder("=")
        self.layout = Layout(shape[:leading], axes[:leading], shape[y], shape[y + 1], count, dtype)
        self.chunk = (*chunks[:leading], chunks[y], chunks[y + 1])

    def read_chunk(self, key: Key) -> NDArray[Any]:
        import numpy as np

        place = tuple(slice(k * size, (k + 1) * size) for k, size in zip(key, self.chunk, strict=True))
        with store_errors("read"):
            if self._is_planar:
                pixels = np.moveaxis(np.asarray(self._array[(slice(None), *place)]), 0, -1)
            else:
                pixels = np.asarray(self._array[place])
        return np.ascontiguousarray(pixels, self.layout.dtype)

    @property
    def bytes_read(self) -> int:
        """As stored."""
        return self._store.bytes_read

    def close(self) -> None:
        """Nothing is held open."""


def _highest(opened: Any, attributes: dict[str, Any]) -> Any:
    if isinstance(opened, zarr.Array):
        return opened
    if not attributes.get("multiscales"):
        arrays = ", ".join(sorted(name for name, _ in opened.arrays())) or "none"
        raise PictureError(f"is a group without OME-Zarr's multiscales; name one of its arrays ({arrays})")
    return opened[attributes["multiscales"][0]["datasets"][0]["path"]]


def _axes(array: Any, attributes: dict[str, Any]) -> tuple[str, ...]:
    count = array.ndim
    named = getattr(array.metadata, "dimension_names", None)
    if attributes.get("multiscales"):
        axes = tuple(map(ome.axis_name, attributes["multiscales"][0].get("axes", "tczyx"[-count:])))
    elif named and None not in named:
        axes = tuple(map(ome.axis_name, named))
    elif count == 3 and array.shape[2] <= _MOST_CHANNELS:
        axes = ("y", "x", "c")
    else:
        axes = tuple("tczyx"[-count:])
    if len(axes) != count or (axes[-2:] != ("y", "x") and axes != ("y", "x", "c")):
        raise PictureError(f"has the axes {' '.join(axes)} for shape {array.shape}; (..., y, x) or (y, x, c) is expected")
    if array.dtype.kind not in "uif" or 0 in array.shape:
        raise PictureError(f"holds {array.dtype} of shape {array.shape}; real numbers are expected")
    return axes
