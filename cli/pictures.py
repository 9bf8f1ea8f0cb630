"""Picture files in and out: all frames and bits, metadata kept, orientation applied once, files written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import animations, stills, tiffs
from .animations import Timing
from .errors import PictureError
from .exif import orientation, turned_upright, with_upright_orientation
from .headers import Header, Metadata, read_header
from .writing import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({*stills.JPEG, *tiffs.SUFFIXES, *animations.FORMATS, ".bmp", ".exr", ".jp2", ".pbm", ".pgm", ".ppm"})
DEFAULT_MAX_PIXELS = 2**28


class Picture(NamedTuple):
    """Frames (H, W) or (H, W, C) in OpenCV's channel order, their timing, metadata, and what had to be given up."""

    frames: tuple[NDArray[Any], ...]
    metadata: Metadata = Metadata()
    timing: Timing = Timing()
    notes: tuple[str, ...] = ()


def read_picture(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Open and decode a file, turned upright as its EXIF orientation says.

    Raises
    ------
    PictureError
        If it cannot be opened, is no picture, is not what its name says, is damaged or has more than ``max_pixels``.
    """
    return decode(read_file(path), path.suffix.lower(), max_pixels)


def read_file(path: Path) -> bytes:
    """All bytes of a file."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise PictureError("cannot be read: a pipe or device, not a file")  # which might keep us waiting for ever
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror or error}") from None


def decode(data: bytes, suffix: str, max_pixels: int) -> Picture:
    """The picture of a file whose name ends in ``suffix``."""
    header = read_header(data, suffix, max_pixels)
    metadata = header.metadata
    if header.format == "TIFF":
        frames, timing = tiffs.decode_pages(data, max_pixels), Timing()
    elif header.format == "GIF" or header.frames > 1:
        frames, timing = animations.decode_frames(data)
    else:
        frames, timing = (stills.decode_still(data),), Timing()
    if metadata.exif and header.format != "TIFF":
        frames = tuple(turned_upright(frame, orientation(metadata.exif)) for frame in frames)
        metadata = metadata._replace(exif=with_upright_orientation(metadata.exif))
    return _without_cmyk(header, Picture(frames, metadata, timing))


def _without_cmyk(header: Header, picture: Picture) -> Picture:
    """Decoders turn CMYK into RGB by a plain formula; the inks' profile would be wrong for that."""
    if header.mode != "CMYK":
        return picture
    frames = tuple(frame[..., :3] for frame in picture.frames)
    metadata = picture.metadata._replace(icc=b"")
    return picture._replace(frames=frames, metadata=metadata, notes=("CMYK converted to RGB, without its profile",))


def encode(suffix: str, picture: Picture, quality: int | None = None) -> bytes:
    """The bytes of a file of the format that ``suffix`` names.

    Raises
    ------
    PictureError
        If the format is unknown or cannot hold the picture.
    """
    suffix = suffix.lower()
    frames, metadata, timing, _ = picture
    if suffix in tiffs.SUFFIXES:
        return tiffs.encode_pages(frames, metadata)
    if suffix == ".gif" or (len(frames) > 1 and suffix in animations.FORMATS):
        return animations.encode_frames(suffix, frames, timing, metadata, quality)
    if len(frames) > 1:
        raise PictureError(f"{suffix} holds one picture, got {len(frames)} frames; try .tif, .gif, .png or .webp")
    return stills.encode_still(".png" if suffix == ".apng" else suffix, frames[0], metadata, quality)


def losses(suffix: str, picture: Picture) -> tuple[str, ...]:
    """What reading gave up, and what this format will."""
    if any(picture.metadata) and suffix.lower() not in stills.KEEPS_METADATA:
        return (*picture.notes, f"{suffix} holds no metadata")
    return picture.notes


def write_picture(path: Path, picture: Picture, quality: int | None = None) -> None:
    """Encode, then write: either the whole file is there or none.

    Raises
    ------
    PictureError
        If the format is unknown or cannot hold the pixels, or the file cannot be written.
    """
    write_whole(path, encode(path.suffix, picture, quality))
