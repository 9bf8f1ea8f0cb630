"""Chunks of a picture that were read last, kept for the windows that come next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from numpy.typing import NDArray

Key: TypeAlias = tuple[int, ...]


class Kept:
    """Chunks by key, each loaded once by whoever asks first; those used longest ago go when they take too much."""

    def __init__(self, load: Callable[[Key], NDArray[Any]], limit: int) -> None:
        self._load, self._limit = load, limit
        self._chunks: OrderedDict[Key, Future[NDArray[Any]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> NDArray[Any]:
        """A chunk, which others may read at the same time."""
        with self._lock:
            future = self._chunks.get(key)
            is_first = future is None
            if future is None:
                future = self._chunks[key] = Future()
            self._chunks.move_to_end(key)
        if is_first:
            self._fill(key, future)
        return future.result()

    def _fill(self, key: Key, future: Future[NDArray[Any]]) -> None:
        try:
            chunk = self._load(key)
        except BaseException as error:
            with self._lock:
                del self._chunks[key]
            future.set_exception(error)
            return
        future.set_result(chunk)
        with self._lock:
            self._bytes += chunk.nbytes
            for old in list(self._chunks):
                if self._bytes <= self._limit:
                    break
                if self._chunks[old].done() and old != key:
                    self._bytes -= self._chunks.pop(old).result().nbytes
