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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba.core.compiler_lock import global_compiler_lock

from . import checks

# A dispatch to the pool costs about 80 us: less work than this stays in the caller's thread.
_SMALL_WORK_NS = 200_000.0
# One call of a kernel cannot be interrupted: it holds no more work than this.
_LONGEST_CALL_NS = 20_000_000.0
# Each call takes some microseconds of the interpreter, which threads share: less work than this is not worth one.
_SHORTEST_CALL_NS = 100_000.0
_CALLS_PER_THREAD = 8

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_num_threads = 0


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
    return _num_threads or _default_num_threads()


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


def _get_pool(workers: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < workers:
            # A smaller pool is not shut down: another thread may be about to use it; it goes with its last user.
            _pool = ThreadPoolExecutor(workers, thread_name_prefix="warpkit")
            _pool_size = workers
        return _pool


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
    starts = itertools.count(0, size)
    cancelled = threading.Event()

    def work_until_done() -> int:
        total = 0
        while not cancelled.is_set():
            first = next(starts)
            if first >= count:
                break
            total += kernel(first, min(count, first + size))
        return total

    if threads == 1:
        return work_until_done()
    helpers = []
    with contextlib.suppress(RuntimeError):  # no new work for pools while the interpreter exits: the caller does it all
        pool = _get_pool(threads - 1)
        for _ in range(threads - 1):
            helpers.append(pool.submit(work_until_done))
    try:
        total = work_until_done()
    except BaseException:
        cancelled.set()
        for helper in helpers:
            if not helper.cancel():
                helper.exception()
        raise
    return total + sum(helper.result() for helper in helpers if not helper.cancel())


def _forget_pool() -> None:
    """After a fork the child has the pool's bookkeeping but none of its threads."""
    global _pool, _pool_size, _lock
    _pool, _pool_size, _lock = None, 0, threading.Lock()


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
