"""Memory for arrays of some megabytes that are made and forgotten again and again.

The system takes such memory back when an array goes, and has to clear it for the next one: for a warp of 8-bit pixels that
costs about a quarter of its time.
"""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_MEGABYTE = 2**20
# Less comes from memory that the process has anyway.
_SMALLEST = 2 * _MEGABYTE
# So much is kept that no array needs.
_MOST_IDLE = 128 * _MEGABYTE

_idle: deque[NDArray[np.uint8]] = deque()


class _Loan:
    """Memory that goes to others when no array needs it any more: arrays and their views hold on to this, not to the memory."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        # may run in the middle of empty(), or in another thread: a deque's methods are atomic
        _idle.append(self._memory)
        while sum(memory.nbytes for memory in _idle.copy()) > _MOST_IDLE:
            with suppress(IndexError):  # another thread was faster
                _idle.popleft()


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """As ``numpy.empty``, of memory that was used before if there is some of the size."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALLEST:
        return np.empty(shape, dtype)
    array = np.asarray(_Loan(_memory(size)))
    return array[:size].view(dtype).reshape(shape)


def _memory(size: int) -> NDArray[np.uint8]:
    """At least ``size`` bytes and at most a quarter more: windows differ a little in size."""
    for _ in range(len(_idle)):
        try:
            memory = _idle.pop()
        except IndexError:
            break
        if size <= memory.nbytes <= size + size // 4 + _MEGABYTE:
            return memory
        _idle.appendleft(memory)
    return np.empty(math.ceil(size / _MEGABYTE) * _MEGABYTE, np.uint8)
