"""Picture files in and out: pixels in OpenCV's channel order, metadata kept, orientation applied once, files written whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .exif import orientation, with_upright_orientation

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset(
    {".avif", ".bmp", ".exr", ".jpeg", ".jpg", ".jp2", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_TIFF = frozenset({".tif", ".tiff"})

# The process's file mode mask can only be read by setting it, which is safe here, before there are threads.
_UMASK = os.umask(0)
os.umask(_UMASK)


class PictureError(Exception):
    """A picture that cannot be read or written, with the reason in one line."""


class Picture(NamedTuple):
    """Pixels (H, W) or (H, W, C) and the metadata chunks that go with them, each with OpenCV's number for its type."""

    pixels: NDArray[Any]
    metadata: tuple[tuple[int, NDArray[Any]], ...] = ()


def require_cv2() -> Any:
    """The module cv2, from whichever of its distributions; a missing one is told in one line."""
    try:
        import cv2
    except ImportError as error:
        raise click.ClickException(
            f"reading and writing pictures needs OpenCV ({error}): pip install 'numba-warpkit[cli]', and on a machine"
            " without libGL opencv-python-headless in place of opencv-python"
        ) from None
    if not hasattr(cv2, "imdecodeWithMetadata"):
        raise click.ClickException(f"reading and writing pictures needs OpenCV 5 or newer, got {cv2.__version__}")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged files are told by us, once
    return cv2


def read_picture(path: Path) -> Picture:
    """Decode a file: all bits, all channels, turned upright as its EXIF orientation says.

    Raises
    ------
    PictureError
        If it cannot be opened, is no picture, is damaged, or holds several frames or pages.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from None
    if not data:
        raise PictureError("the file is empty")
    if path.suffix.lower() in _TIFF:
        return _read_tiff(path)
    _refuse_animation(data)
    return _decode(data)


def _decode(data: bytes) -> Picture:
    import numpy as np

    cv2 = require_cv2()
    try:
        pixels, types, chunks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded: {error.err or error}") from None
    if pixels is None:
        raise PictureError("not a picture that OpenCV can read, or damaged")
    metadata = []
    for kind, chunk in zip(types, chunks, strict=True):
        if kind == cv2.IMAGE_METADATA_EXIF:
            exif = chunk.tobytes()
            pixels = turned_upright(pixels, orientation(exif))
            chunk = np.frombuffer(with_upright_orientation(exif), np.uint8)
        metadata.append((int(kind), np.atleast_2d(chunk)))
    return Picture(pixels, tuple(metadata))


def _read_tiff(path: Path) -> Picture:
    """TIFF through OpenCV; what it cannot decode (float64, more than four channels) through tifffile."""
    import numpy as np
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            if len(file.pages) > 1:
                raise PictureError(f"has {len(file.pages)} pages; files of one page only")
            try:
                return _decode(path.read_bytes())
            except PictureError:
                pixels = file.asarray()
    except (tifffile.TiffFileError, ValueError, KeyError, OSError) as error:
        raise PictureError(f"cannot be decoded: {error}") from None
    if pixels.ndim not in (2, 3):
        raise PictureError(f"has {pixels.ndim} dimensions; (H, W) or (H, W, C) only")
    return Picture(np.ascontiguousarray(pixels))


def _refuse_animation(data: bytes) -> None:
    """One frame of many would be a silent loss."""
    head = data[:4096]
    if head[:4] == b"GIF8" or b"acTL" in head[:200] or (head[8:12] == b"WEBP" and b"ANIM" in head[:200]):
        raise PictureError("is a GIF or an animation; still pictures only")


def turned_upright(pixels: NDArray[Any], exif_orientation: int) -> NDArray[Any]:
    """Undo the camera's position: EXIF orientation 1 to 8, 1 is upright."""
    import numpy as np

    if exif_orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if exif_orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if exif_orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def write_picture(path: Path, picture: Picture) -> None:
    """Encode into a temporary file beside ``path``, then rename: either the whole file is there or none.

    Raises
    ------
    PictureError
        If the format is unknown or cannot hold the pixels, or the file cannot be written.
    """
    data = _encode(path.suffix.lower(), picture)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".warpkit-", suffix=path.suffix, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except OSError as error:
        raise PictureError(f"cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _encode(suffix: str, picture: Picture) -> bytes:
    cv2 = require_cv2()
    pixels, metadata = picture
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if suffix in _TIFF and (channels > 4 or channels == 2 or pixels.dtype.name not in ("uint8", "uint16", "float32")):
        return _encode_tiff(pixels)
    if suffix in (".jpg", ".jpeg") and (channels == 4 or pixels.dtype.name != "uint8"):
        raise PictureError(f"JPEG holds 8 bits and no transparency, got {pixels.dtype} with {channels} channels; try .png")
    if pixels.dtype.name not in ("uint8", "uint16", "float32") or channels not in (1, 3, 4):
        raise PictureError(f"{suffix} cannot hold {pixels.dtype} pixels with {channels} channels; try .tif")
    parameters = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    try:
        types, chunks = [kind for kind, _ in metadata], [chunk for _, chunk in metadata]
        done, data = cv2.imencodeWithMetadata(suffix, pixels, types, chunks, parameters)
    except cv2.error as error:
        raise PictureError(f"cannot be encoded as {suffix}: {error.err or error}") from None
    if not done:
        raise PictureError(f"cannot be encoded as {suffix}")
    return bytes(data.tobytes())


def _encode_tiff(pixels: NDArray[Any]) -> bytes:
    import io

    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="minisblack", planarconfig="contig" if pixels.ndim == 3 else None)
    return file.getvalue()
