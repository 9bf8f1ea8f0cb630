"""The thread pool that runs tiles.

Kernels release the GIL and take a range of tiles; nothing else in the library starts threads. Numba's own parallel loops are
not used: their thread layers abort under ``fork`` or when two Python threads call at once.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, overload

from numba.core.compiler_lock import global_compiler_lock

from . import checks

# To wake a worker and to be woken by it costs about 50 us: less work than this stays in the caller's thread.
_SMALL_WORK_NS = 120_000.0
# One call of a kernel cannot be interrupted: it holds no more work than this.
_LONGEST_CALL_NS = 20_000_000.0
# Each call takes some microseconds of the interpreter, which threads share: less work than this is not worth one.
_SHORTEST_CALL_NS = 100_000.0
_CALLS_PER_THREAD = 8

T = TypeVar("T")

_lock = threading.Lock()
_workers = 0
_runs: SimpleQueue[_Run] = SimpleQueue()
_num_threads = 0
_limit = threading.local()


def _default_num_threads() -> int:
    asked = os.environ.get("WARPKIT_NUM_THREADS", "")
    if asked:
        if not re.fullmatch("0*[1-9][0-9]{0,5}", asked):
            raise ValueError(f"environment variable WARPKIT_NUM_THREADS must be a positive integer, got {asked[:20]!r}")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_num_threads() -> int:
    """Number of threads that one call may use: all processors, or ``WARPKIT_NUM_THREADS``, or what was set."""
    return getattr(_limit, "threads", 0) or _num_threads or _default_num_threads()


@contextlib.contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Let calls from this thread use at most so many, others' as many as before."""
    before = getattr(_limit, "threads", 0)
    _limit.threads = min(threads, get_num_threads())
    try:
        yield
    finally:
        _limit.threads = before


def set_num_threads(n: int) -> None:
    """Let each call use at most ``n`` threads, the caller's included. Results do not depend on it.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not an integer of at least 1.
    """
    global _num_threads
    n = checks.integer("n", n)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    _num_threads = n


class _Run:
    """The work of one call, for the caller's thread and the workers that come before it is done."""

    def __init__(self, kernel: Callable[[int, int], int], count: int, size: int, workers: int) -> None:
        self._kernel, self._count, self._size = kernel, count, size
        self._starts = itertools.count(0, size)
        self._workers = workers
        self._invitations = [None] * workers
        self._results: SimpleQueue[int | BaseException] = SimpleQueue()
        self._cancelled = False

    def work(self) -> int:
        """Until nothing is left to begin."""
        total = 0
        while not self._cancelled and (first := next(self._starts)) < self._count:
            total += self._kernel(first, min(self._count, first + self._size))
        return total

    def help(self) -> None:
        """A worker's part, unless it comes too late."""
        try:
            self._invitations.pop()
        except IndexError:
            return
        try:
            result: int | BaseException = self.work()
        except BaseException as error:
            result = error
        self._results.put(result)

    def finish(self) -> int:
        """The caller's part, and what the workers have begun: the sum of all."""
        try:
            total = self.work()
        except BaseException:
            self._cancelled = True
            for _ in range(self._begun()):
                self._results.get()
            raise
        for _ in range(self._begun()):
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            total += result
        return total

    def _begun(self) -> int:
        """How many workers came, however early; no more will."""
        late = 0
        with contextlib.suppress(IndexError):
            while True:
                self._invitations.pop()
                late += 1
        return self._workers - late


def _work_for_ever(runs: SimpleQueue[_Run]) -> None:
    while True:
        runs.get().help()


def _invite(run: _Run, workers: int) -> None:
    """Have ``workers`` threads come to ``run``; fewer if the system has no more to give."""
    global _workers
    with _lock, contextlib.suppress(RuntimeError):  # no new threads while the interpreter exits: the caller does it all
        while _workers < workers:
            threading.Thread(target=_work_for_ever, args=(_runs,), name=f"warpkit-{_workers}", daemon=True).start()
            _workers += 1
    for _ in range(workers):
        _runs.put(run)


def run_ranges(kernel: Callable[[int, int], int], count: int, nanoseconds_each: float) -> int:
    """Call ``kernel(first, last)`` until the ranges cover 0 to ``count``; returns the sum of what it returned.

    The caller's thread works too and takes over whatever the pool has not begun, so that calls may nest in other pools.
    """
    if count * nanoseconds_each <= _SMALL_WORK_NS:
        return kernel(0, count)
    threads = min(get_num_threads(), count)
    share = count / threads
    chunk = max(share / _CALLS_PER_THREAD if threads > 1 else share, min(_SHORTEST_CALL_NS / nanoseconds_each, share))
    calls_per_thread = max(1, round(share / max(1.0, min(_LONGEST_CALL_NS / nanoseconds_each, chunk))))
    size = math.ceil(share / calls_per_thread)
    run = _Run(kernel, count, size, threads - 1)
    if threads > 1:
        _invite(run, threads - 1)
    return run.finish()


class ComputedOnce(Generic[T]):
    """A property that is kept, as ``functools.cached_property``, but without the lock that is in there before Python 3.12.

    All objects of a class share that lock: a child forked while another thread held it waited for ever. Here two threads may
    both compute, and get the same.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> ComputedOnce[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> ComputedOnce[T] | T:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


def _forget_pool() -> None:
    """After a fork the child has the pool's bookkeeping but none of its threads."""
    global _lock, _workers, _runs
    _lock, _workers, _runs = threading.Lock(), 0, SimpleQueue()


def _release_compiler_in_child() -> None:
    _forget_pool()
    global_compiler_lock.release()


if hasattr(os, "register_at_fork"):
    # A child forked while another thread compiles would wait for ever for the compiler's lock.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_release_compiler_in_child,
    )
