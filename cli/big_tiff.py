"""What makes a BigTIFF file of tiles that are in it already: its header and its directories (little-endian)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_HEADER = struct.Struct("<2sHHHQ")
HEADER_BYTES = _HEADER.size
_ALIGNED = 8
_INLINE = 8  # a value up to so many bytes lies in its entry


class Kind(NamedTuple):
    """A type of values: its code, and struct's for one of them."""

    code: int
    format: str


SHORT, LONG, BYTES, LONG8 = Kind(3, "H"), Kind(4, "I"), Kind(7, "B"), Kind(16, "Q")


class Tag(NamedTuple):
    """An entry of a directory."""

    code: int
    kind: Kind
    values: Sequence[int]


def header(first_directory: int) -> bytes:
    """The first bytes of the file."""
    return _HEADER.pack(b"II", 43, 8, 0, first_directory)


def directories(pages: Sequence[Sequence[Tag]], end: int) -> tuple[int, bytes]:
    """Directories of pages for a file that ends at ``end`` so far: where the first will lie, and what to append."""
    first = end + -end % _ALIGNED
    data = bytes(first - end)
    for number, tags in enumerate(pages):
        data += _directory(tags, end + len(data), is_last=number == len(pages) - 1)
    return first, data


def _directory(tags: Sequence[Tag], start: int, *, is_last: bool) -> bytes:
    """A directory that lies at ``start``, with the values that are too long for its entries behind it."""
    behind = start + 8 + 20 * len(tags) + 8
    entries, values = b"", b""
    for code, kind, given in sorted(tags):
        packed = struct.pack(f"<{len(given)}{kind.format}", *given)
        field = packed.ljust(_INLINE, b"\0")
        if len(packed) > _INLINE:
            field = struct.pack("<Q", behind + len(values))
            values += packed + bytes(-len(packed) % _ALIGNED)
        entries += struct.pack("<HHQ", code, kind.code, len(given)) + field
    following = 0 if is_last else behind + len(values)
    return struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", following) + values
