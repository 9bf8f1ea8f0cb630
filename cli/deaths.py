"""Pictures that a process was making when it died: found by what it left, and made where they can do no harm.

A codec that crashes on a file ends the whole process, which cannot say any more which file it was. But the temporary files that
it leaves tell what it had begun. The next run makes these pictures first, each in a process of its own, and names those that
die of it.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

from .making import Outcome
from .worklist import Item
from .writing import leftover_names, temporary_name, was_left

_FOLDERS_REMEMBERED = 1024


def begun_sources(items: Iterable[Item]) -> set[Path]:
    """Inputs that were being made into pictures when a process died."""
    leftovers = lru_cache(_FOLDERS_REMEMBERED)(leftover_names)

    def was_begun(item: Item) -> bool:
        names, temporary = leftovers(item.target.parent), temporary_name(item.target)
        return bool(names) and temporary.name in names and was_left(temporary)

    return {item.source for item in items if not item.problem and was_begun(item)}


def make_apart(make: Callable[[Item], Outcome], item: Item) -> Outcome:
    """Make a picture in a child process, where this system forks; that it died is the picture's error.

    What the child leaves stays, so that the next run does not make this picture in its own process either.
    """
    if sys.platform != "linux":
        return make(item)
    start = time.perf_counter()
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(make, item, writer))
    child.start()
    writer.close()
    try:
        outcome: Outcome = reader.recv()
    except EOFError:
        child.join()
        seconds = round(time.perf_counter() - start, 6)
        return Outcome(item, "failed", seconds, error=f"the process that made it died: {_reason(child.exitcode or 0)}")
    finally:
        child.join()
        reader.close()
    return outcome


def _send(make: Callable[[Item], Outcome], item: Item, writer: Connection) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # they may reach all processes: what was begun is finished
        signal.signal(stop, signal.SIG_IGN)
    writer.send(make(item))


def _reason(exitcode: int) -> str:
    return f"exit code {exitcode}" if exitcode >= 0 else signal.strsignal(-exitcode) or f"signal {-exitcode}"
