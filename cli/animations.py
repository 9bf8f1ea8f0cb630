"""GIF, and animated WebP, PNG and AVIF, frame by frame through Pillow: OpenCV's GIF encoder loses most colours."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import PictureError
from .headers import Metadata, require_pillow
from .stills import DEFAULT_QUALITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = {".apng": "PNG", ".avif": "AVIF", ".gif": "GIF", ".png": "PNG", ".webp": "WEBP"}


class Timing(NamedTuple):
    """Milliseconds that each frame is shown, and how often all are; 0 for ever, None once."""

    durations: tuple[int, ...] = ()
    loops: int | None = 0


def decode_frames(data: bytes) -> tuple[tuple[NDArray[Any], ...], Timing]:
    """All frames as they are shown, in BGR, or BGRA if any is transparent somewhere."""
    import numpy as np

    frames, durations = [], []
    try:
        with require_pillow().open(io.BytesIO(data)) as image:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                frames.append(np.asarray(image.convert("RGBA"))[..., [2, 1, 0, 3]])
                durations.append(round(image.info.get("duration", 0)))
            loops = image.info.get("loop")
    except Exception as error:  # whatever a damaged file provokes in its reader
        raise PictureError(f"cannot be decoded: {error or type(error).__name__}") from None
    if all(frame[..., 3].min() == 255 for frame in frames):
        frames = [np.ascontiguousarray(frame[..., :3]) for frame in frames]
    return tuple(frames), Timing(tuple(durations), loops)


def encode_frames(
    suffix: str, frames: tuple[NDArray[Any], ...], timing: Timing, metadata: Metadata, quality: int | None
) -> bytes:
    """The bytes of an animation, or of a GIF of one frame."""
    if any(frame.dtype.name != "uint8" for frame in frames):
        raise PictureError(f"an animated {suffix} holds 8 bits, got {frames[0].dtype}; try .tif")
    options = _options(suffix, timing, metadata, quality)
    first, *others = (_as_pillow(frame) for frame in frames)
    file = io.BytesIO()
    try:
        first.save(file, FORMATS[suffix], save_all=True, append_images=others, **options)
    except Exception as error:  # Pillow's writers raise what they please
        raise PictureError(f"cannot be encoded as {suffix}: {error or type(error).__name__}") from None
    return file.getvalue()


def _as_pillow(frame: NDArray[Any]) -> Any:
    import numpy as np

    if frame.ndim == 3:
        frame = frame[..., [2, 1, 0, *range(3, frame.shape[2])]]
    return require_pillow().fromarray(np.ascontiguousarray(frame))


def _options(suffix: str, timing: Timing, metadata: Metadata, quality: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if timing.durations:
        options["duration"] = list(timing.durations)
    if timing.loops is not None:
        options["loop"] = timing.loops
    elif suffix != ".gif":
        options["loop"] = 1  # GIF alone says "once" by saying nothing
    if suffix == ".gif":
        options["disposal"] = 2  # every frame is whole: what is transparent in it shows nothing of the last
    if suffix == ".webp" and quality is None:
        options["lossless"] = True
    elif suffix in (".avif", ".webp"):
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif and suffix != ".gif":
        options["exif"] = metadata.exif
    if metadata.dpi and FORMATS[suffix] == "PNG":
        options["dpi"] = metadata.dpi
    if metadata.xmp and suffix in (".avif", ".gif", ".webp"):
        options["xmp"] = metadata.xmp
    return options
