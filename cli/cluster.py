"""Many pictures on the workers of a Dask scheduler: groups, a bounded number at a time, made again where a worker is lost."""

from __future__ import annotations

import contextlib
import itertools
import logging
import pydoc
import signal
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from distributed import CancelledError, Client, Future, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed.comm.addressing import get_address_host_port
from distributed.scheduler import KilledWorker

import warpkit as wk

from .deaths import make_apart
from .files import seen_from_here
from .making import Maker, MapFor, Outcome, Settings
from .opencv import require_cv2
from .pipeline import run_bounded
from .worklist import Item

_LARGEST_GROUP = 16
_GROUPS_PER_THREAD = 2  # one is made, another waits at the worker
_READERS_AND_WRITERS = 2
_SECONDS_BETWEEN_COUNTS = 1.0
_SECONDS_FOR_ANSWER = 30
# A worker that was given up may live a little longer than its connection, and still hold the file that it writes.
_BUSY_TRIES, _SECONDS_BETWEEN_TRIES = 20, 0.25


class LostError(Exception):
    """The scheduler is gone with what was sent to it."""


class Order(NamedTuple):
    """An item, and whether its output was not there when it was sent: another try must not take the first's for an old one."""

    item: Item
    is_new: bool


class Workshop(WorkerPlugin):  # type: ignore[misc]
    """What a worker needs for all items of a run; the scheduler hands it to workers that come later, too."""

    def __init__(self, recipe: tuple[MapFor, Settings], *, is_local: bool) -> None:
        self.name = f"warpkit-{uuid.uuid4().hex}"
        self._recipe = recipe
        self._is_local = is_local
        self._folder = Path.cwd()
        self._version = wk.__version__

    def setup(self, worker: Any) -> None:
        if wk.__version__ != self._version:
            raise RuntimeError(f"warpkit is {wk.__version__} here, not {self._version}")  # told by a worker that comes later
        if self._is_local:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: what was begun is finished
        self._threads_before = wk.get_num_threads()
        wk.set_num_threads(1)
        require_cv2().setNumThreads(1)
        self._maker = Maker(*self._recipe, worker.state.nthreads, seen_from_here(self._folder))

    def teardown(self, worker: Any) -> None:
        wk.set_num_threads(self._threads_before)

    def make(self, order: Order) -> Outcome:
        for _ in range(_BUSY_TRIES):
            outcome = self._maker.make(order.item, is_new=order.is_new)
            if not outcome.busy:
                break
            time.sleep(_SECONDS_BETWEEN_TRIES)
        return outcome


def make_group(workshop: str, group: list[Order]) -> list[Outcome]:
    """The task: it may run again on another worker, and then makes the same files."""
    make = get_worker().plugins[workshop].make
    return list(run_bounded(make, group, min(len(group), 1 + _READERS_AND_WRITERS)))


def check_address(scheduler: str) -> None:
    """Refuse what can be no address; to look for it would take a minute."""
    if scheduler != "local":
        try:
            get_address_host_port(scheduler)
        except ValueError as error:
            raise click.UsageError(f"--scheduler is local or an address such as tcp://10.0.0.1:8786: {error}") from None


def make_on_cluster(
    scheduler: str, processes: int, maker: Maker, count: int, items: Iterable[Item]
) -> Generator[Outcome, None, None]:
    """What workers make as ``maker`` does of ``count`` items, as it comes.

    ``scheduler`` is an address, or "local" for a new one with ``processes`` workers of one thread.

    Closing the iterator gives up what was not begun.

    Raises
    ------
    click.ClickException
        If the scheduler does not answer, has no workers or one without this version of warpkit, or is lost on the way.
    """
    with _client(scheduler, processes) as client, _workshop(scheduler, client, maker.recipe) as workshop:
        yield from _outcomes(scheduler, client, workshop, maker, items, count)


def _outcomes(
    scheduler: str, client: Client, workshop: str, maker: Maker, items: Iterable[Item], count: int
) -> Generator[Outcome, None, None]:
    capacity = _Capacity(client)
    size = max(1, min(_LARGEST_GROUP, count // (4 * capacity.groups)))
    sent: dict[Future, list[Order]] = {}
    returned = as_completed(loop=client.loop)

    def next_outcomes() -> list[Outcome]:
        future = next(returned)
        group = sent.pop(future)
        with _told(scheduler):
            try:
                return list(future.result())
            except KilledWorker:  # something in the group kills workers
                return [make_apart(partial(maker.make, is_new=is_new), item) for item, is_new in group]
            except (CancelledError, OSError):  # from the client: errors of pictures are outcomes
                raise LostError from None

    try:
        for group in _groups(items, size):
            orders = [Order(item, maker.is_new(item)) for item in group]
            future = client.submit(make_group, workshop, orders, pure=False)
            sent[future] = orders
            returned.add(future)
            while len(sent) >= capacity.groups:
                yield from next_outcomes()
        while sent:
            yield from next_outcomes()
    finally:
        if _is_connected(client):
            client.cancel(list(sent))


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while group := list(itertools.islice(remaining, size)):
        yield group


class _Capacity:
    """How many groups the workers can have at a time; workers come and go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._counted = float("-inf")
        self._groups = _GROUPS_PER_THREAD

    @property
    def groups(self) -> int:
        if time.monotonic() - self._counted > _SECONDS_BETWEEN_COUNTS:
            with contextlib.suppress(OSError):  # of a lost scheduler, which results will tell
                threads = sum(self._client.nthreads().values())
                self._groups = max(1, threads) * _GROUPS_PER_THREAD
            self._counted = time.monotonic()
        return self._groups


@contextlib.contextmanager
def _client(scheduler: str, processes: int) -> Iterator[Client]:
    for name in ("distributed", "distributed.client"):  # lost workers are no news, and a lost scheduler is told once
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        with _told(scheduler):
            address: Any = scheduler
            if scheduler == "local":
                address = stack.enter_context(
                    LocalCluster(
                        n_workers=processes, threads_per_worker=1, memory_limit=0, dashboard_address=":0",
                        silence_logs=logging.CRITICAL,
                    )
                )  # fmt: skip
            client = stack.enter_context(Client(address, timeout=_SECONDS_FOR_ANSWER, set_as_default=False))
        yield client


@contextlib.contextmanager
def _workshop(scheduler: str, client: Client, recipe: tuple[MapFor, Settings]) -> Iterator[str]:
    """The name of a workshop that all workers have until the end."""
    workshop = Workshop(recipe, is_local=scheduler == "local")
    with _told(scheduler):
        _check_workers(client)
    try:
        with _told(scheduler):
            client.register_plugin(workshop)
        yield workshop.name
    finally:
        if _is_connected(client):
            with contextlib.suppress(Exception):  # workers that could not set it up have nothing to take down
                client.unregister_worker_plugin(workshop.name)


def _check_workers(client: Client) -> None:
    """That there are some, and that they have our version: one that lacks it could not even unpickle what would tell."""
    try:
        client.wait_for_workers(1, timeout=_SECONDS_FOR_ANSWER)
    except TimeoutError:
        raise RuntimeError(f"has no workers: none came within {_SECONDS_FOR_ANSWER} seconds") from None
    for worker, version in client.run(pydoc.locate, "warpkit.__version__").items():
        if version != wk.__version__:
            found = "no warpkit" if version is None else f"warpkit {version}"
            raise RuntimeError(f"its worker {worker} has {found}; {wk.__version__}, as here, is needed")


def _is_connected(client: Client) -> bool:
    """Whether there is a scheduler to talk to; to wait for one that is lost would take minutes."""
    return bool(client.status == "running")


@contextlib.contextmanager
def _told(scheduler: str) -> Iterator[None]:
    """What Dask raises, as an error of the run."""
    try:
        yield
    except LostError:
        reason = "the connection to it was lost"
    except Exception as error:
        reason = str(error) or type(error).__name__
    else:
        return
    raise click.ClickException(f"--scheduler {scheduler}: {reason}")
