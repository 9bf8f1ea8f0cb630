"""What changes in EXIF when a picture is turned upright and warped: orientation and thumbnail; other bytes stay as they are.

EXIF is a TIFF structure (Exif 2.32, section 4.5): byte order mark, offset of the first directory, entries of 12 bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORIENTATION = 0x0112
_SHORT = 3


def _first_directory(exif: bytes) -> tuple[range, str] | None:
    """Places of its entries, which end where the next directory is told, and the byte order; None where it is cut short."""
    start = 6 if exif[:6] == b"Exif\0\0" else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", exif, start + 4)
        (count,) = struct.unpack_from(order + "H", exif, start + directory)
    except struct.error:
        return None
    first = start + directory + 2
    return range(first, first + 12 * count, 12), order


def _find_orientation(exif: bytes) -> tuple[int, str] | None:
    """Place of the orientation's value and the byte order; None where there is no such entry."""
    entries, order = _first_directory(exif) or (range(0), "")
    for entry in entries:
        if entry + 12 > len(exif):
            break
        tag, kind = struct.unpack_from(order + "HH", exif, entry)
        if tag == _ORIENTATION and kind == _SHORT:
            return entry + 8, order
    return None


def orientation(exif: bytes) -> int:
    """EXIF orientation, 1 to 8; 1, upright, where none or an impossible one is given."""
    found = _find_orientation(exif)
    if found is None:
        return 1
    (value,) = struct.unpack_from(found[1] + "H", exif, found[0])
    return int(value) if 1 <= value <= 8 else 1


def with_upright_orientation(exif: bytes) -> bytes:
    """The same EXIF with orientation 1."""
    found = _find_orientation(exif)
    if found is None:
        return exif
    changed = bytearray(exif)
    struct.pack_into(found[1] + "H", changed, found[0], 1)
    return bytes(changed)


def without_thumbnail(exif: bytes) -> bytes:
    """The same EXIF without its second directory, the thumbnail's, which shows the picture as it was."""
    entries, order = _first_directory(exif) or (range(0), "")
    if not order or entries.stop + 4 > len(exif):
        return exif
    changed = bytearray(exif)
    struct.pack_into(order + "I", changed, entries.stop, 0)
    return bytes(changed)


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
