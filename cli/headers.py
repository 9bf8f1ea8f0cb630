"""What a file says of itself, before a pixel is decoded: format, size, frames, colours, metadata."""

from __future__ import annotations

import io
import logging
import warnings
from functools import cache
from typing import Any, NamedTuple

from .errors import PictureError

# Names of formats as Pillow has them; cameras write MPO, several JPEGs in one file, of which the first is the picture.
FORMATS = {
    ".avif": ("AVIF",),
    ".bmp": ("BMP",),
    ".gif": ("GIF",),
    ".jp2": ("JPEG2000",),
    ".jpeg": ("JPEG", "MPO"),
    ".jpg": ("JPEG", "MPO"),
    ".pbm": ("PPM",),
    ".pgm": ("PPM",),
    ".apng": ("PNG",),
    ".png": ("PNG",),
    ".ppm": ("PPM",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".webp": ("WEBP",),
}
_SIGNATURE_OF_EXR = b"\x76\x2f\x31\x01"
_SIGNATURES_OF_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_KNOWN = sorted({names[0] for names in FORMATS.values()})
_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")

# What of a TIFF file's directory describes the picture rather than the file.
_DESCRIPTIVE = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432)
_EXIF_DIRECTORIES = (0x8769, 0x8825)  # camera settings, GPS
_ICC_TAG, _XMP_TAG, _ORIENTATION_TAG = 34675, 700, 274
_DPI_LIMIT = 65535  # of JPEG
_PNG_BITS = 24  # where its header has them


class Metadata(NamedTuple):
    """What goes with the pixels, as the bytes of their own formats; EXIF starts with its byte order mark.

    ``dpi`` is the resolution along x and y, pixels per inch, of formats that have it beside their EXIF.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None


class Header(NamedTuple):
    """Format as Pillow names it, size, number of frames (of TIFF: unknown, 1), Pillow's colour mode."""

    format: str
    width: int
    height: int
    frames: int
    mode: str
    metadata: Metadata
    invisible_grey: int | None = None  # of PNG without an alpha channel


_TIFF = Header("TIFF", 0, 0, 1, "", Metadata())  # with channels or bits that Pillow does not know
_EXR = Header("EXR", 0, 0, 1, "F", Metadata())


@cache
def require_pillow() -> Any:
    """Pillow's Image, with all its formats, and with limits and complaints left to us."""
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for package in ("PIL", "tifffile"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
    return Image


def read_header(data: bytes, suffix: str, max_pixels: int) -> Header:
    """Look at the start of a file whose name ends in ``suffix``.

    Raises
    ------
    PictureError
        If it is empty, no picture, another format than its name says, damaged at first sight, or too large.
    """
    if not data:
        raise PictureError("the file is empty")
    header = _EXR if data.startswith(_SIGNATURE_OF_EXR) else _identify(data)
    expected = FORMATS.get(suffix)
    if expected is not None and header.format not in expected:
        raise PictureError(f"is named {suffix} but holds {header.format}")
    refuse_too_large(header.width * header.height * header.frames, max_pixels)
    return header


def refuse_too_large(pixels: int, max_pixels: int) -> None:
    """A small file may unpack to more than the memory holds."""
    if pixels > max_pixels:
        raise PictureError(f"has {pixels} pixels, more than --max-pixels {max_pixels}")


def _identify(data: bytes) -> Header:
    image_module = require_pillow()
    try:
        with image_module.open(io.BytesIO(data), formats=_KNOWN) as image:
            width, height = image.size
            frames = image.n_frames if image.format in _ANIMATED and getattr(image, "is_animated", False) else 1
            return Header(image.format, width, height, frames, image.mode, _metadata(image), _invisible_grey(image, data))
    except OSError:
        if data.startswith(_SIGNATURES_OF_TIFF):
            return _TIFF
        raise PictureError("not a picture of a known format, or damaged") from None
    except Exception as error:  # whatever a damaged header provokes in its reader
        raise PictureError(f"its header is damaged: {error or type(error).__name__}") from None


def _metadata(image: Any) -> Metadata:
    if image.format == "TIFF":
        icc, xmp = (_bytes(image.tag_v2.get(tag)) for tag in (_ICC_TAG, _XMP_TAG))
        return Metadata(_exif_of_tiff(image), icc, xmp, _dpi(image))
    exif = _bytes(image.info.get("exif")).removeprefix(b"Exif\0\0")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return Metadata(exif, _bytes(image.info.get("icc_profile")), _bytes(xmp), _dpi(image))


def _dpi(image: Any) -> tuple[float, float] | None:
    x, y = map(float, image.info.get("dpi", (0, 0)))
    return (x, y) if 1 <= x <= _DPI_LIMIT and 1 <= y <= _DPI_LIMIT else None


def _invisible_grey(image: Any, data: bytes) -> int | None:
    """As it is among the decoded pixels: Pillow brings greys of 1 bit to 8, those of 2 and 4 it leaves as they are stored."""
    if image.format != "PNG" or image.mode not in ("1", "L", "I;16") or "transparency" not in image.info:
        return None
    grey: int = image.info["transparency"]
    bits = data[_PNG_BITS]
    return grey * (255 // (2**bits - 1)) if bits in (2, 4) else grey


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if value else b""


def _exif_of_tiff(image: Any) -> bytes:
    """The descriptive tags and the EXIF and GPS directories, as other formats hold them; pixels are turned already."""
    found = image.getexif()
    kept = require_pillow().Exif()
    for tag in _DESCRIPTIVE:
        if tag in found:
            kept[tag] = found[tag]
    for directory in _EXIF_DIRECTORIES:
        entries = found.get_ifd(directory)
        if entries:
            kept.get_ifd(directory).update(entries)
    if not kept and not any(kept.get_ifd(directory) for directory in _EXIF_DIRECTORIES):
        return b""
    written: bytes = kept.tobytes()
    return written.removeprefix(b"Exif\0\0")
