"""Encoded tiles in the order in which they come, in a file: what a killed run leaves is good up to the last whole one."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
from pathlib import Path
from typing import Any

from .errors import PictureError
from .writing import locked

_HEAD = struct.Struct("<QQ")  # number and length
_JOB = 2**64 - 1  # the number of the record that describes the job


class TileLog:
    """Records of a number and bytes; the first says what job they belong to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.places: dict[int, tuple[int, int]] = {}  # offset and length by number
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """Open the file for ourselves, and go on with it if that is asked for and it is of the same ``job``."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._stack.enter_context(locked(self._path))
        self._file = self._stack.enter_context(os.fdopen(os.dup(handle), "rb+", buffering=0))
        end = self._scan() if resume else 0
        if end:
            offset, length = self.places.pop(_JOB)
            self._file.seek(offset)
            if json.loads(self._file.read(length)) != job:
                raise PictureError("was begun with other options or another input; without --resume it is begun anew")
        self._file.truncate(end)
        if not end:
            self.add(_JOB, json.dumps(job).encode())
            del self.places[_JOB]

    def _scan(self) -> int:
        """Find all whole records; returns where the last of them ends."""
        size, end = os.fstat(self._file.fileno()).st_size, 0
        while end + _HEAD.size <= size:
            self._file.seek(end)
            number, length = _HEAD.unpack(self._file.read(_HEAD.size))
            if end + _HEAD.size + length > size:
                break
            self.places[number] = (end + _HEAD.size, length)
            end += _HEAD.size + length
        return end

    def add(self, number: int, data: bytes) -> None:
        with self._lock:
            start = self._file.seek(0, os.SEEK_END)
            rest = memoryview(_HEAD.pack(number, len(data)) + data)
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
            self.places[number] = (start + _HEAD.size, len(data))

    def read(self, number: int) -> bytes:
        offset, length = self.places[number]
        self._file.seek(offset)
        return self._file.read(length)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        self._stack.close()
