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

from .chunked import Key, Layout
from .errors import PictureError
from .tile_log import TileLog
from .tile_runs import Tile, tiles_of
from .writing import temporary_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEPARATE = 2  # channels one after another
_MINISBLACK, _RGB, _YCBCR = 1, 2, 6
_JPEG = 7
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
        self.profile = first.tags[_ICC].value if _ICC in first.tags else None
        self._lock = threading.Lock()

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

    Tiles are kept, encoded, in a file beside the output as they come. At the end they are put in order.
    """

    def __init__(self, path: Path, layout: Layout, shape: tuple[int, int], tile: int) -> None:
        if tile % _TILE_STEP:
            raise PictureError(f"tiles of TIFF are multiples of {_TILE_STEP} pixels, got --tile {tile}")
        self._path, self._layout, self._tile = path, layout, tile
        self.shapes = [shape]
        self.planes = layout.planes()
        self._log = TileLog(temporary_name(path).with_suffix(".tiles"))
        self._ordered = {
            tile: number
            for number, tile in enumerate(
                Tile(0, plane, t.row, t.column) for plane in self.planes for t in tiles_of(0, [()], self._tile, shape)
            )
        }

    def exists(self) -> bool:
        return os.path.lexists(self._path)

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """See :class:`ZarrTarget`."""
        self._log.begin(job, resume=resume)

    def has(self, tile: Tile) -> bool:
        return self._ordered[tile] in self._log.places

    def write(self, tile: Tile, pixels: NDArray[Any]) -> None:
        self._log.add(self._ordered[tile], self._encoded(pixels))

    def _encoded(self, pixels: NDArray[Any]) -> bytes:
        """zlib's stream of a whole tile, after TIFF's horizontal predictor for integers."""
        import numpy as np

        whole = np.zeros((self._tile, self._tile, *self._layout.pixel), self._layout.dtype)
        whole[: pixels.shape[0], : pixels.shape[1]] = pixels
        if whole.dtype.kind in "ui":
            whole[:, 1:] -= whole[:, :-1].copy()
        return zlib.compress(whole.data, 1)

    def finish(self, source: Any, inverse_map: Any) -> None:
        """Put the tiles in order, and give the file its name."""
        temporary = temporary_name(self._path)
        with _told():
            with tifffile.TiffWriter(temporary, bigtiff=True) as writer:
                for first in range(0, len(self._ordered), len(self._ordered) // len(self.planes)):
                    count = len(self._ordered) // len(self.planes)
                    writer.write(
                        (self._log.read(number) for number in range(first, first + count)),
                        shape=(*self.shapes[0], *self._layout.pixel), dtype=self._layout.dtype, tile=(self._tile, self._tile),
                        compression="zlib", predictor=self._layout.dtype.kind in "ui",
                        iccprofile=getattr(source, "profile", None), metadata=None, software=False,
                        **_photometric(self._layout),
                    )  # fmt: skip
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        self._log.remove()

    def close(self) -> None:
        """See :class:`ZarrTarget`."""
        self._log.close()


def _photometric(layout: Layout) -> dict[str, Any]:
    is_colour = layout.channels in (3, 4) and layout.dtype.itemsize <= 2
    options: dict[str, Any] = {"photometric": "rgb" if is_colour else "minisblack"}
    if layout.channels is not None:
        options["planarconfig"] = "contig"
    if is_colour and layout.channels == 4:
        options["extrasamples"] = ["unassalpha"]
    return options
