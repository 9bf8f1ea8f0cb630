"""TIFF: any number of pages, channels and bits, through tifffile; palettes and rarer compressions through Pillow and OpenCV."""

from __future__ import annotations

import contextlib
import io
import math
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
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2


def decode_pages(data: bytes, max_pixels: int) -> tuple[tuple[NDArray[Any], ...], bool]:
    """All pages, upright, without copies at lower resolution, and whether the last of two or four channels is alpha."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = list(file.pages)
            if not pages:
                raise PictureError("is damaged or cut short: it has no page")
            refuse_too_large(sum(page.imagewidth * page.imagelength * page.imagedepth for page in pages), max_pixels)
            frames = _decoded(data, pages)
            is_copy = [page.is_reduced for page in pages]
            has_alpha = all(_says_alpha(page) for page in pages if page.samplesperpixel in (2, 4))
    except PictureError:
        raise
    except Exception as error:  # whatever a damaged directory provokes in its reader
        raise PictureError(f"cannot be decoded: {error or type(error).__name__}") from None
    return tuple(frame for frame, copy in zip(frames, is_copy, strict=True) if not copy) or frames, has_alpha


def _decoded(data: bytes, pages: list[Any]) -> tuple[NDArray[Any], ...]:
    if all(map(_is_plain, pages)):
        with contextlib.suppress(ImportError, ValueError):  # a compression that tifffile lacks
            return tuple(map(_by_tifffile, pages))
    # OpenCV takes 8-bit strips that cannot be decoded for black, and multiplies colours by alpha; Pillow has no deep colours.
    shallow = [number for number, page in enumerate(pages) if page.bitspersample <= 8]
    frames = _by_opencv(data, pages) if len(shallow) < len(pages) else {}
    frames |= _by_pillow(data, pages, shallow)
    return tuple(frames[number] for number in range(len(pages)))


def _is_plain(page: Any) -> bool:
    """Numbers as they are: no palette, no inks, no bits packed into bytes."""
    return page.photometric in (_MINISBLACK, _RGB) and page.bitspersample in (8, 16, 32, 64)


def _says_alpha(page: Any) -> bool:
    return tuple(page.extrasamples) in ((_ASSOCIATED_ALPHA,), (_UNASSOCIATED_ALPHA,))


def _is_multiplied(page: Any) -> bool:
    return tuple(page.extrasamples) == (_ASSOCIATED_ALPHA,)


def _by_opencv(data: bytes, pages: list[Any]) -> dict[int, NDArray[Any]]:
    """Pages by their numbers; it turns them upright itself."""
    import numpy as np

    cv2 = require_cv2()
    try:
        done, frames = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded: {error.err or error}") from None
    if not done or len(frames) != len(pages):
        raise PictureError(f"is damaged or cut short, or {_needs_imagecodecs(pages)}")
    for page, frame in zip(pages, frames, strict=True):
        _refuse_lost_channels(page, frame)
    return {n: _divided_by_alpha(frame) if _is_multiplied(pages[n]) else frame for n, frame in enumerate(frames)}


def _by_pillow(data: bytes, pages: list[Any], numbers: list[int]) -> dict[int, NDArray[Any]]:
    """Some pages by their numbers; it turns them upright, and divides by alpha, itself."""
    import numpy as np

    frames = {}
    try:
        with require_pillow().open(io.BytesIO(data)) as image:
            for number in numbers:
                image.seek(number)
                plain = image if _is_plain(pages[number]) else image.convert("L" if image.mode in ("1", "L") else "RGB")
                frames[number] = _in_opencv_order(np.asarray(plain))
                _refuse_lost_channels(pages[number], frames[number])
    except OSError:
        raise PictureError(f"is damaged or cut short, or {_needs_imagecodecs(pages)}") from None
    return frames


def _refuse_lost_channels(page: Any, frame: NDArray[Any]) -> None:
    if _is_plain(page) and math.prod(frame.shape[2:]) != page.samplesperpixel:
        raise PictureError(f"has {page.samplesperpixel} channels, and {_needs_imagecodecs([page])}")


def _needs_imagecodecs(pages: list[Any]) -> str:
    compressions = sorted({getattr(page.compression, "name", str(page.compression)) for page in pages})
    return f"needs the package imagecodecs (compression {', '.join(compressions)})"


def _by_tifffile(page: Any) -> NDArray[Any]:
    import numpy as np

    pixels = page.asarray()
    if pixels.ndim == 3 and page.planarconfig == 2:  # channels one after another
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in (2, 3):
        raise PictureError(f"has a page of {pixels.ndim} dimensions; (H, W) or (H, W, C) only")
    if _is_multiplied(page):
        pixels = _divided_by_alpha(pixels)
    orientation = page.tags.get(274)
    return turned_upright(_in_opencv_order(pixels), orientation.value if orientation else 1)


def _divided_by_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """Colours as they are seen, of those that are stored multiplied by alpha."""
    import numpy as np

    from warpkit.weighted import opaque, unpremultiplied

    multiplied = pixels.astype(np.float64)
    multiplied[..., -1] /= opaque(pixels.dtype)
    return unpremultiplied(multiplied, pixels.dtype)


def _is_colour(pixels: NDArray[Any]) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] in (3, 4)


def _in_opencv_order(pixels: NDArray[Any]) -> NDArray[Any]:
    """Colours from red first to blue first, and back; all else as it is."""
    import numpy as np

    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]) if _is_colour(pixels) else pixels


def encode_pages(pages: tuple[NDArray[Any], ...], metadata: Metadata, *, has_alpha: bool) -> bytes:
    """A TIFF file of these pages, losslessly compressed; metadata goes with the first."""
    import tifffile

    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=sum(page.nbytes for page in pages) > 2**32 - 2**25) as writer:
        for number, page in enumerate(pages):
            tags = _tags(metadata) if number == 0 else []
            layout = _layout(page, has_alpha) | ({"resolution": metadata.dpi, "resolutionunit": "INCH"} if metadata.dpi else {})
            writer.write(_in_opencv_order(page), **layout, **_COMPRESSION, extratags=tags, metadata=None, software=False)
    if metadata.exif:
        _append_directories(file, metadata.exif)
    return file.getvalue()


_COMPRESSION: dict[str, Any] = {"compression": "zlib", "compressionargs": {"level": 1}}


def _layout(page: NDArray[Any], has_alpha: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"photometric": "rgb" if _is_colour(page) else "minisblack"}
    if page.ndim == 3:
        options["planarconfig"] = "contig"
        if page.shape[2] in (2, 4):
            options["extrasamples"] = ["unassalpha" if has_alpha else "unspecified"]
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
