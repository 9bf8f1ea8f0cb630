"""TIFF: any number of pages, channels and bits, through tifffile; palettes and rarer compressions through OpenCV."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any

from .errors import PictureError
from .exif import turned_upright
from .headers import Metadata, refuse_too_large, require_pillow
from .opencv import require_cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".tif", ".tiff")
_EXIF_DIRECTORIES = (0x8769, 0x8825)
_ICC_TAG, _XMP_TAG = 34675, 700
_BYTE, _ASCII, _LONG, _UNDEFINED = 1, 2, 4, 7
_MINISBLACK, _RGB = 1, 2


def decode_pages(data: bytes, max_pixels: int) -> tuple[NDArray[Any], ...]:
    """All pages, upright."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            refuse_too_large(sum(page.imagewidth * page.imagelength * page.imagedepth for page in file.pages), max_pixels)
            if all(_is_plain(page) for page in file.pages):
                with contextlib.suppress(ValueError):  # a compression that tifffile lacks
                    return tuple(_by_tifffile(page) for page in file.pages)
            return _by_opencv(data, len(file.pages))
    except PictureError:
        raise
    except Exception as error:  # whatever a damaged directory provokes in its reader
        raise PictureError(f"cannot be decoded: {error or type(error).__name__}") from None


def _is_plain(page: Any) -> bool:
    """Numbers as they are: no palette, no inks, no bits packed into bytes."""
    return page.photometric in (_MINISBLACK, _RGB) and page.bitspersample in (8, 16, 32, 64)


def _by_opencv(data: bytes, count: int) -> tuple[NDArray[Any], ...]:
    """Knows all usual compressions and colours, and turns pages upright itself."""
    import numpy as np

    cv2 = require_cv2()
    try:
        done, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded: {error.err or error}") from None
    if not done or len(pages) != count:
        raise PictureError("is damaged or cut short, or neither tifffile nor OpenCV can read it")
    return tuple(pages)


def _by_tifffile(page: Any) -> NDArray[Any]:
    import numpy as np

    pixels = page.asarray()
    if pixels.ndim == 3 and page.planarconfig == 2:  # channels one after another
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in (2, 3):
        raise PictureError(f"has a page of {pixels.ndim} dimensions; (H, W) or (H, W, C) only")
    if page.photometric == _RGB and pixels.ndim == 3:
        pixels = _swapped(pixels)
    orientation = page.tags.get(274)
    return turned_upright(pixels, orientation.value if orientation else 1)


def _swapped(pixels: NDArray[Any]) -> NDArray[Any]:
    """RGB to BGR and back, with whatever channels follow."""
    import numpy as np

    order = [2, 1, 0, *range(3, pixels.shape[2])]
    return np.ascontiguousarray(pixels[..., order])


def encode_pages(pages: tuple[NDArray[Any], ...], metadata: Metadata) -> bytes:
    """A TIFF file of these pages, losslessly compressed; metadata goes with the first."""
    import tifffile

    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=sum(page.nbytes for page in pages) > 2**32 - 2**25) as writer:
        for number, page in enumerate(pages):
            tags = _tags(metadata) if number == 0 else []
            writer.write(
                _with_photometric(page), **_photometric(page), **_COMPRESSION, extratags=tags, metadata=None, software=False
            )
    if metadata.exif:
        _append_directories(file, metadata.exif)
    return file.getvalue()


_COMPRESSION: dict[str, Any] = {"compression": "zlib", "compressionargs": {"level": 1}}


def _is_colour(page: NDArray[Any]) -> bool:
    return page.ndim == 3 and page.shape[2] in (3, 4)


def _with_photometric(page: NDArray[Any]) -> NDArray[Any]:
    return _swapped(page) if _is_colour(page) else page


def _photometric(page: NDArray[Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"photometric": "rgb" if _is_colour(page) else "minisblack"}
    if page.ndim == 3:
        options["planarconfig"] = "contig"
    if _is_colour(page) and page.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    if page.dtype.kind in "ui":
        options["predictor"] = True
    return options


def _tags(metadata: Metadata) -> list[tuple[int, int, int, Any, bool]]:
    tags: list[tuple[int, int, int, Any, bool]] = []
    if metadata.icc:
        tags.append((_ICC_TAG, _UNDEFINED, len(metadata.icc), metadata.icc, True))
    if metadata.xmp:
        tags.append((_XMP_TAG, _BYTE, len(metadata.xmp), metadata.xmp, True))
    exif = _loaded(metadata.exif)
    tags += [(tag, _ASCII, 0, value, True) for tag, value in exif.items() if isinstance(value, str)]
    return tags + [(_placeholder(tag), _LONG, 1, 0, True) for tag in _EXIF_DIRECTORIES if exif.get_ifd(tag)]


def _placeholder(tag: int) -> int:
    """What stands for the tag of a directory until it is known where that lies: tifffile leaves out the tag itself."""
    return tag + 1


def _loaded(exif: bytes) -> Any:
    loaded = require_pillow().Exif()
    if exif:
        loaded.load(b"Exif\0\0" + exif)
    return loaded


def _append_directories(file: io.BytesIO, exif: bytes) -> None:
    """Put the EXIF and GPS directories behind the pages, and say in the first page where they are."""
    import tifffile
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    loaded = _loaded(exif)
    offsets = {}
    for tag in _EXIF_DIRECTORIES:
        entries = loaded.get_ifd(tag)
        if entries:
            directory = ImageFileDirectory_v2(b"II*\0\x08\0\0\0" if sys.byteorder == "little" else b"MM\0*\0\0\0\x08")
            for name, value in entries.items():
                directory[name] = value
            offset = file.seek(0, io.SEEK_END)
            offset += file.write(bytes(offset % 2))
            file.write(directory.tobytes(offset))
            offsets[tag] = offset
    if offsets:
        file.seek(0)
        with tifffile.TiffFile(file) as written:
            for tag, offset in offsets.items():
                entry = written.pages[0].tags[_placeholder(tag)]
                entry.overwrite(offset)
                file.seek(entry.offset)
                file.write(tag.to_bytes(2, sys.byteorder))
