"""Single pictures through OpenCV's codecs, which are the fastest at hand; channels in OpenCV's order."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from .errors import PictureError
from .headers import Metadata
from .opencv import require_cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

JPEG = (".jpg", ".jpeg")
# Formats whose metadata OpenCV writes; JPEG's segments are ours, because OpenCV has no XMP there, nor profiles beyond 64 KiB.
_WITH_METADATA = (".png", ".webp", ".avif")
KEEPS_METADATA = (*JPEG, *_WITH_METADATA, ".apng", ".gif", ".tif", ".tiff")
_SEGMENT_BYTES = 65533  # what a segment's length field allows, without itself
_LONGEST_SIDES = {**dict.fromkeys(JPEG, 65500), ".webp": 16383}
_END_OF_PNG_HEADER = 33
_METRES_PER_INCH = 0.0254
DEFAULT_QUALITY = 95  # of JPEG and AVIF; WebP is without loss


def decode_still(data: bytes, invisible_grey: int | None = None) -> NDArray[Any]:
    """All bits, all channels, as stored; palettes and CMYK come out as colours, and so do greys of which one is invisible."""
    import numpy as np

    cv2 = require_cv2()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded: {error.err or error}") from None
    if pixels is None:
        raise PictureError("is damaged or cut short, or OpenCV cannot read it")
    if invisible_grey is not None:  # which OpenCV passes over
        alpha = np.where(pixels == invisible_grey, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
        pixels = np.dstack([pixels, pixels, pixels, alpha])
    return pixels  # type: ignore[no-any-return]


def encode_still(suffix: str, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> bytes:
    """The bytes of a file of the format that ``suffix`` names."""
    _refuse_what_cannot_be_held(suffix, pixels)
    data = _encode(suffix, pixels, metadata if suffix in _WITH_METADATA else Metadata(), _quality(suffix, quality))
    if suffix in JPEG:
        return _with_segments(data, metadata)
    return _with_physical_size(data, metadata.dpi) if suffix == ".png" and metadata.dpi else data


def _refuse_what_cannot_be_held(suffix: str, pixels: NDArray[Any]) -> None:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    deep = pixels.dtype.name != "uint8"
    longest = _LONGEST_SIDES.get(suffix)
    if longest is not None and max(pixels.shape[:2]) > longest:
        raise PictureError(
            f"{suffix} holds at most {longest} pixels a side, got {pixels.shape[1]} x {pixels.shape[0]}; try .png"
        )
    if suffix in JPEG and (channels == 4 or deep):
        raise PictureError(f"JPEG holds 8 bits and no transparency, got {pixels.dtype} with {channels} channels; try .png")
    if (suffix in (".webp", ".bmp") and deep) or pixels.dtype.name not in ("uint8", "uint16", "float32"):
        raise PictureError(f"{suffix} cannot hold {pixels.dtype} pixels; try .tif")
    if channels not in (1, 3, 4):
        raise PictureError(f"{suffix} cannot hold {channels} channels; try .tif")
    if deep and pixels.dtype.kind == "f" and suffix != ".exr":
        raise PictureError(f"{suffix} cannot hold {pixels.dtype} pixels; try .tif")


def _quality(suffix: str, quality: int | None) -> list[int]:
    cv2 = require_cv2()
    if suffix in (*JPEG, ".avif"):
        parameter = cv2.IMWRITE_AVIF_QUALITY if suffix == ".avif" else cv2.IMWRITE_JPEG_QUALITY
        return [parameter, DEFAULT_QUALITY if quality is None else quality]
    return [cv2.IMWRITE_WEBP_QUALITY, quality] if suffix == ".webp" and quality is not None else []


def _encode(suffix: str, pixels: NDArray[Any], metadata: Metadata, parameters: list[int]) -> bytes:
    import numpy as np

    cv2 = require_cv2()
    if suffix == ".png" and metadata.xmp:  # OpenCV takes the text of PNG to the next zero, which it does not add
        metadata = metadata._replace(xmp=metadata.xmp + b"\0")
    kinds = {"exif": cv2.IMAGE_METADATA_EXIF, "icc": cv2.IMAGE_METADATA_ICCP, "xmp": cv2.IMAGE_METADATA_XMP}
    given = {kind: np.frombuffer(chunk, np.uint8)[None] for name, kind in kinds.items() if (chunk := getattr(metadata, name))}
    try:
        done, data = cv2.imencodeWithMetadata(suffix, pixels, list(given), list(given.values()), parameters)
    except cv2.error as error:
        raise PictureError(f"cannot be encoded as {suffix}: {error.err or error}") from None
    if not done or not len(data):
        reason = "; its ICC profile may be damaged" if metadata.icc else ""
        raise PictureError(f"cannot be encoded as {suffix}{reason}")
    return bytes(data.data)


def _with_segments(jpeg: bytes, metadata: Metadata) -> bytes:
    """Metadata as segments of a JPEG file, ahead of all others but JFIF's."""
    segments = []
    if metadata.exif:
        segments.append((0xE1, b"Exif\0\0" + metadata.exif))
    if metadata.xmp:
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + metadata.xmp))
    part = _SEGMENT_BYTES - 14
    parts = [metadata.icc[start : start + part] for start in range(0, len(metadata.icc), part)]
    segments += [(0xE2, b"ICC_PROFILE\0" + bytes([n, len(parts)]) + chunk) for n, chunk in enumerate(parts, start=1)]
    if any(len(body) > _SEGMENT_BYTES for _, body in segments):
        raise PictureError("JPEG holds at most 64 KiB of EXIF and of XMP each; try .png or .tif")
    start = 2
    if jpeg[2:4] == b"\xff\xe0":
        start += 2 + int.from_bytes(jpeg[4:6], "big")
    inserted = [b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body for marker, body in segments]
    return b"".join([_with_density(jpeg[:start], metadata.dpi), *inserted, jpeg[start:]])


def _with_density(jfif: bytes, dpi: tuple[float, float] | None) -> bytes:
    """The start of a JPEG file with JFIF's segment, and a resolution in that (units, then x and y)."""
    if dpi is None or jfif[6:11] != b"JFIF\0":
        return jfif
    per_inch = 1
    return jfif[:13] + struct.pack(">BHH", per_inch, *map(round, dpi)) + jfif[18:]


def _with_physical_size(png: bytes, dpi: tuple[float, float]) -> bytes:
    """A PNG file with its resolution in pixels per metre, behind the header."""
    per_metre = 1
    body = b"pHYs" + struct.pack(">IIB", *(round(per_inch / _METRES_PER_INCH) for per_inch in dpi), per_metre)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_END_OF_PNG_HEADER] + chunk + png[_END_OF_PNG_HEADER:]
