"""Encoded tiles in the file that becomes a TIFF, in their order: what a dead run leaves is good up to the first broken one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

from .errors import PictureError
from .writing import locked

_HEAD = struct.Struct("<QQ")  # before each record: its length and checksum


class TileFile:
    """Room for a header, a record that says what job the file belongs to, then a record for each tile.

    Tiles that come before their turn are held until then, so the file has the same bytes for any number of threads and after
    any number of kills.
    """

    def __init__(self, path: Path, room: int) -> None:
        self._path, self._room = path, room
        self.places: list[tuple[int, int]] = []  # offset and length by number
        self.bytes_written = 0
        self._held: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """Open the file for ourselves, and go on with it if that is asked for and it is of the same ``job``."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._stack.enter_context(locked(self._path))
        self._file = self._stack.enter_context(os.fdopen(os.dup(handle), "rb+", buffering=0))
        name = hashlib.blake2b(json.dumps(job).encode()).digest()
        end = self._room
        if resume and (place := self._whole_record(end)):
            if self._read(*place) != name:
                raise PictureError("was begun with other options or another input; without --resume it is begun anew")
            end = sum(place)
            while place := self._whole_record(end):
                self.places.append(place)
                end = sum(place)
        self._file.truncate(end)
        if end == self._room:
            self._add(name)

    def _whole_record(self, start: int) -> tuple[int, int] | None:
        """The place of the record that begins there; None if there is none, or not as it was written."""
        head = self._read(start, _HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        place = start + _HEAD.size, length
        if not 0 < length <= os.fstat(self._file.fileno()).st_size - place[0]:
            return None
        return place if zlib.crc32(self._read(*place)) == checksum else None

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def put(self, number: int, data: bytes) -> None:
        """Write a tile, now or as soon as all before it are there."""
        with self._lock:
            self._held[number] = data
            while (ready := self._held.pop(len(self.places), None)) is not None:
                self.places.append(self._add(ready))

    def _add(self, data: bytes) -> tuple[int, int]:
        start = self._file.seek(0, os.SEEK_END)
        self._write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        return start + _HEAD.size, len(data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        self.bytes_written += len(data)

    @property
    def end(self) -> int:
        """Where what :meth:`finish` appends will lie."""
        return self._file.seek(0, os.SEEK_END)

    def finish(self, header: bytes, rest: bytes, path: Path) -> None:
        """Append the rest, put the header into its room, and give the file its name."""
        self._file.seek(0, os.SEEK_END)
        self._write(rest)
        self._file.seek(0)
        self._write(header)
        os.fsync(self._file.fileno())
        os.replace(self._path, path)

    def close(self) -> None:
        self._stack.close()
