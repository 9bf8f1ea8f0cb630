"""Large TIFF files: read by their tiles or strips, written as BigTIFF in tiles."""

from __future__ import annotations

import contextlib
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tifffile

from .big_tiff import BYTES, HEADER_BYTES, LONG, LONG8, SHORT, Tag, directories, header
from .chunked import Key, Layout
from .errors import PictureError
from .tile_file import TileFile
from .tile_runs import Tile
from .writing import temporary_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INTERLEAVED, _SEPARATE = 1, 2  # channels within a pixel, or one after another
_MINISBLACK, _RGB, _YCBCR = 1, 2, 6
_JPEG, _ZLIB = 7, 8
_NO_PREDICTOR, _HORIZONTAL = 1, 2
_UNSPECIFIED, _UNASSOCIATED_ALPHA = 0, 2  # extra channels
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
_ORIENTATION, _ICC = 274, 34675
_TILE_STEP = 16  # TIFF's tiles are multiples of it


class TiffSource:
    """The pages of a TIFF file, which must be alike; copies at lower resolution are left out."""

    is_remote = False

    def __init__(self, path: Path) -> None:
        with contextlib.ExitStack() as opened:
            with _told():
                self._file = opened.enter_context(tifffile.TiffFile(path))
                self._pages = [page.aspage() for page in self._file.pages if not page.aspage().is_reduced]
            if not self._pages:
                raise PictureError("is damaged or cut short: it has no page")
            first = self._pages[0]
            for page in self._pages:
                _refuse_what_is_lost(page)
                if page.shaped != first.shaped or page.dtype != first.dtype:
                    raise PictureError(f"its pages differ: {first.shape} {first.dtype} and {page.shape} {page.dtype}")
            opened.pop_all()
        names = () if len(self._pages) == 1 else ("t",) if first.samplesperpixel > 1 else ("z",)
        self.layout = Layout(
            (len(self._pages),) if names else (), names, first.imagelength, first.imagewidth,
            first.samplesperpixel if first.samplesperpixel > 1 else None, first.dtype,
        )  # fmt: skip
        rows, columns = (first.tilelength, first.tilewidth) if first.is_tiled else (first.rowsperstrip, first.imagewidth)
        self._segment = min(rows, first.imagelength), columns
        self.chunk = ((1,) if names else ()) + self._segment
        self.extra_channels = list(first.extrasamples)
        self.has_alpha = first.photometric == _RGB and self.extra_channels == [_UNASSOCIATED_ALPHA]
        self.profile = first.tags[_ICC].value if _ICC in first.tags else None
        self._lock = threading.Lock()
        self.bytes_read = 0

    def close(self) -> None:
        self._file.close()

    def read_chunk(self, key: Key) -> NDArray[Any]:
        import numpy as np

        *plane, row, column = key
        page = self._pages[plane[0] if plane else 0]
        rows, columns = self._segment
        across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
        height, width = min(rows, page.imagelength - row * rows), min(columns, page.imagewidth - column * columns)
        count = page.samplesperpixel if page.planarconfig == _SEPARATE else 1
        with _told():
            parts = [self._decoded(page, (sample * down + row) * across + column) for sample in range(count)]
        if any(part is None for part in parts):  # a hole
            pixels = np.full((height, width, *self.layout.pixel), page.nodata, self.layout.dtype)
        else:
            pixels = np.concatenate([part[0, :height, :width] for part in parts], axis=-1)
        return pixels.reshape(*(1 for _ in plane), height, width, *self.layout.pixel)

    def _decoded(self, page: Any, index: int) -> Any:
        """(depth, rows, columns, samples) of a tile or strip; None where none is stored."""
        if page.databytecounts[index] == 0:
            return None
        with self._lock:
            self._file.filehandle.seek(page.dataoffsets[index])
            data = self._file.filehandle.read(page.databytecounts[index])
            self.bytes_read += len(data)
        tables = {"jpegtables": page.jpegtables} if page.jpegtables is not None else {}
        return page.decode(data, index, **tables)[0]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever a damaged file provokes in its reader, as an error of the picture."""
    try:
        yield
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror or error}") from None
    except Exception as error:
        raise PictureError(f"cannot be decoded: {error or type(error).__name__}") from None


def _refuse_what_is_lost(page: Any) -> None:
    is_plain = page.photometric in (_MINISBLACK, _RGB) or (page.photometric == _YCBCR and page.compression == _JPEG)
    if not is_plain or page.imagedepth != 1 or page.bitspersample not in (8, 16, 32, 64) or page.dtype.kind not in "uif":
        raise PictureError(
            f"a page of {page.photometric.name} with {page.bitspersample} bits and shape {page.shape} is not supported in large"
            " files; grey or RGB of 8, 16, 32 or 64 bits is"
        )
    orientation = page.tags.get(_ORIENTATION)
    if orientation is not None and orientation.value != 1:
        raise PictureError(f"is stored turned (orientation {orientation.value}), which large files must not be")


class TiffTarget:
    """A BigTIFF file in compressed tiles, a page for each plane.

    Tiles go into the file in the order of :func:`tiles_of`; the directories that say where they are follow at the end.
    """

    def __init__(self, path: Path, layout: Layout, shape: tuple[int, int], tile: int) -> None:
        if tile % _TILE_STEP:
            raise PictureError(f"tiles of TIFF are multiples of {_TILE_STEP} pixels, got --tile {tile}")
        self._path, self._layout, self._tile = path, layout, tile
        self.shapes = [shape]
        self.planes = layout.planes()
        self._pages = {plane: page for page, plane in enumerate(self.planes)}
        self._file = TileFile(temporary_name(path), HEADER_BYTES)

    def exists(self) -> bool:
        return os.path.lexists(self._path)

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """See :class:`ZarrTarget`."""
        self._file.begin(job, resume=resume)

    def _number(self, tile: Tile) -> int:
        across = -(-self.shapes[0][1] // self._tile)
        return (tile.row * across + tile.column) * len(self.planes) + self._pages[tile.plane]

    @property
    def bytes_written(self) -> int:
        return self._file.bytes_written

    def has(self, tile: Tile) -> bool:
        return self._number(tile) < len(self._file.places)

    def write(self, tile: Tile, pixels: NDArray[Any]) -> None:
        self._file.put(self._number(tile), self._encoded(pixels))

    def _encoded(self, pixels: NDArray[Any]) -> bytes:
        """zlib's stream of a whole tile, after TIFF's horizontal predictor for integers."""
        import numpy as np

        whole = np.zeros((self._tile, self._tile, *self._layout.pixel), self._layout.dtype.newbyteorder("<"))
        whole[: pixels.shape[0], : pixels.shape[1]] = pixels
        if whole.dtype.kind in "ui":
            whole[:, 1:] -= whole[:, :-1].copy()
        return zlib.compress(whole.data, 1)

    def finish(self, source: Any, inverse_map: Any) -> None:
        """Say where the tiles are, and give the file its name."""
        places = self._file.places
        pages = [self._tags(source, places[page :: len(self.planes)]) for page in range(len(self.planes))]
        first, directories_of_pages = directories(pages, self._file.end)
        self._file.finish(header(first), directories_of_pages, self._path)

    def close(self) -> None:
        """See :class:`ZarrTarget`."""
        self._file.close()

    def _tags(self, source: Any, places: list[tuple[int, int]]) -> list[Tag]:
        (rows, columns), samples, dtype = self.shapes[0], self._layout.channels or 1, self._layout.dtype
        is_colour = samples in (3, 4) and dtype.itemsize <= 2
        own_extra = [_UNASSOCIATED_ALPHA] * (samples - 3) if is_colour else [_UNSPECIFIED] * (samples - 1)
        extra = getattr(source, "extra_channels", own_extra) if is_colour else own_extra
        profile = getattr(source, "profile", None)
        tags = [
            Tag(256, LONG, [columns]),
            Tag(257, LONG, [rows]),
            Tag(258, SHORT, [8 * dtype.itemsize] * samples),
            Tag(259, SHORT, [_ZLIB]),
            Tag(262, SHORT, [_RGB if is_colour else _MINISBLACK]),
            Tag(277, SHORT, [samples]),
            Tag(284, SHORT, [_INTERLEAVED]),
            Tag(317, SHORT, [_HORIZONTAL if dtype.kind in "ui" else _NO_PREDICTOR]),
            Tag(322, LONG, [self._tile]),
            Tag(323, LONG, [self._tile]),
            Tag(324, LONG8, [offset for offset, _ in places]),
            Tag(325, LONG8, [length for _, length in places]),
            Tag(338, SHORT, extra),
            Tag(339, SHORT, [_SAMPLE_FORMATS[dtype.kind]] * samples),
            Tag(_ICC, BYTES, profile or b""),
        ]
        return [tag for tag in tags if tag.values]
