"""Items through threads: a bounded number at a time, results as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WAITING_PER_THREAD = 2


def run_bounded(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """``function`` of each item, in the order they are done. Items are taken only as threads come free.

    Closing the iterator, or an exception, gives up what was not begun and waits for what was.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="warpkit-picture")
    pending: set[Future[R]] = set()
    try:
        for item in items:
            pending.add(pool.submit(function, item))
            if len(pending) >= threads * _WAITING_PER_THREAD:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


def run_in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """As :func:`run_bounded`, with results in the order of the items: none is begun long before one ahead of it is done."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="warpkit-picture")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= threads * _WAITING_PER_THREAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
