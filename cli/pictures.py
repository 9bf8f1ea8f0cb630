"""Picture files in and out: all frames and bits, metadata kept, orientation applied once, files written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import animations, stills, tiffs
from .animations import Timing
from .errors import PictureError
from .exif import orientation, turned_upright, with_upright_orientation, without_thumbnail
from .headers import Header, Metadata, read_header
from .writing import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({*stills.JPEG, *tiffs.SUFFIXES, *animations.FORMATS, ".bmp", ".exr", ".jp2", ".pbm", ".pgm", ".ppm"})
DEFAULT_MAX_PIXELS = 2**28


class Picture(NamedTuple):
    """Frames (H, W) or (H, W, C) in OpenCV's channel order, their timing, metadata, and what had to be given up.

    The last of two or four channels is alpha, unless ``has_alpha`` is False.
    """

    frames: tuple[NDArray[Any], ...]
    metadata: Metadata = Metadata()
    timing: Timing = Timing()
    notes: tuple[str, ...] = ()
    has_alpha: bool = True


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
    metadata, has_alpha = header.metadata, True
    if header.format == "TIFF":
        (frames, has_alpha), timing = tiffs.decode_pages(data, max_pixels), Timing()
    elif header.format == "GIF" or header.frames > 1:
        frames, timing = animations.decode_frames(data)
    else:
        frames, timing = (stills.decode_still(data, header.invisible_grey),), Timing()
    if metadata.exif and header.format != "TIFF":
        frames = tuple(turned_upright(frame, orientation(metadata.exif)) for frame in frames)
        metadata = metadata._replace(exif=without_thumbnail(with_upright_orientation(metadata.exif)))
    return _without_inks(header, Picture(frames, metadata, timing, has_alpha=has_alpha))


def _without_inks(header: Header, picture: Picture) -> Picture:
    """Decoders turn CMYK and L*a*b* into RGB by plain formulas; their profiles would be wrong for that."""
    if header.mode not in ("CMYK", "LAB"):
        return picture
    frames = tuple(frame[..., :3] for frame in picture.frames)
    metadata = picture.metadata._replace(icc=b"")
    return picture._replace(frames=frames, metadata=metadata, notes=(f"{header.mode} converted to RGB, without its profile",))


def encode(suffix: str, picture: Picture, quality: int | None = None) -> bytes:
    """The bytes of a file of the format that ``suffix`` names.

    Raises
    ------
    PictureError
        If the format is unknown or cannot hold the picture.
    """
    suffix = suffix.lower()
    frames, metadata, timing = picture.frames, picture.metadata, picture.timing
    if suffix in tiffs.SUFFIXES:
        return tiffs.encode_pages(frames, metadata, has_alpha=picture.has_alpha)
    if not picture.has_alpha and any(frame.shape[2:] == (4,) for frame in frames):
        raise PictureError(f"{suffix} cannot hold four channels of which none is alpha; try .tif")
    if suffix == ".gif" or (len(frames) > 1 and suffix in animations.FORMATS):
        return animations.encode_frames(suffix, frames, timing, metadata, quality)
    if len(frames) > 1:
        raise PictureError(f"{suffix} holds one picture, got {len(frames)} frames; try .tif, .gif, .png or .webp")
    return stills.encode_still(".png" if suffix == ".apng" else suffix, frames[0], metadata, quality)


def losses(suffix: str, picture: Picture) -> tuple[str, ...]:
    """What reading gave up, and what this format will."""
    exif, icc, xmp, _ = picture.metadata
    if (exif or icc or xmp) and suffix.lower() not in stills.KEEPS_METADATA:
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
