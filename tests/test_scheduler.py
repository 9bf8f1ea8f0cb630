"""Many pictures on a Dask scheduler's workers: the files, reports and messages of a plain run, whatever dies on the way."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE
from unittest import mock

import dask
import pytest
from command import invoke, leftovers, names

import warpkit as wk
from warpkit_cli import cluster
from warpkit_cli.deaths import make_apart
from warpkit_cli.journal import Report
from warpkit_cli.making import Maker, Outcome, Settings
from warpkit_cli.motion import Motion, Plans
from warpkit_cli.worklist import Item

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.usefixtures("five_pictures"),
    # Sockets of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# In each worker: a decoder that dies of some files, of others only once.
FRAGILE = """
import os, pathlib, signal
from warpkit_cli import making

if not hasattr(making, "sound_decode"):
    making.sound_decode = making.decode

def fragile(data, *rest):
    once = pathlib.Path(__file__).with_name("died")
    if data.endswith(b"hostile") or (data.endswith(b"once") and not once.exists()):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return making.sound_decode(data, *rest)

making.decode = fragile
"""


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, in another folder than the tests."""
    preload = tmp_path_factory.mktemp("workers") / "fragile.py"
    preload.write_text(FRAGILE)
    with (
        dask.config.set({"distributed.worker.preload": [str(preload)], "distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as made,
    ):
        yield made.scheduler_address


def records(path: str) -> dict[str, dict[str, object]]:
    """The lines of a report by input and output folder, without what the clock says; each picture must be there once."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    found = {line["output"].partition("/")[2]: line for line in lines}
    assert len(found) == len(lines)
    for line in lines:
        del line["seconds"], line["output"]
    return found


def assert_same_as_plain_run(command: str, inputs: list[str], options: list[str], scheduler: str, code: int = 0) -> None:
    plain = invoke(command, *inputs, "-o", "plain", *options, "--report", "plain.jsonl", code=code)
    spread = invoke(command, *inputs, "-o", "spread", *options, "--report", "spread.jsonl", "--scheduler", scheduler, code=code)
    assert sorted(spread.stderr.replace("spread/", "plain/").splitlines()) == sorted(plain.stderr.splitlines())
    assert names("spread") == names("plain") != []
    assert all(Path("spread", name).read_bytes() == Path("plain", name).read_bytes() for name in names("plain"))
    assert records("spread.jsonl") == records("plain.jsonl")
    assert not leftovers(Path())


def test_the_same_as_a_plain_run(scheduler: str) -> None:
    Path("in/bad.png").write_bytes(b"")
    assert_same_as_plain_run("warp", ["in"], ["--rotate", "7", "--size", "fit"], scheduler, code=1)
    invoke("warp", "in", "-o", "spread", "--rotate", 7, "--scheduler", scheduler, code=1)
    done = invoke("warp", "in", "-o", "spread", "--rotate", 7, "--scheduler", scheduler, "--resume", code=1)
    assert done.stderr.splitlines()[-1] == "0 pictures warped, 5 skipped, 1 failed"


def test_a_manifest_with_maps_of_its_own(scheduler: str) -> None:
    Path("bend.json").write_text(json.dumps(json.loads(wk.Affine.rotation(5).to_json()) | {"direction": "inverse"}))
    Path("list.csv").write_text(
        "input,output,rotate,map\nin/0.png,0.png,9,\nin/1.png,sub/1.png,,bend.json\nin/2.png,../2.png,,\n"
    )
    assert_same_as_plain_run("warp", [], ["--manifest", "list.csv"], scheduler, code=1)


def test_distortions_are_the_same(scheduler: str) -> None:
    assert_same_as_plain_run("augment", ["in"], ["--recipe", "P", "--copies", "3", "--seed", "2"], scheduler)


def test_a_stack_is_aligned_as_in_a_plain_run(scheduler: str) -> None:
    assert_same_as_plain_run("align", ["in"], ["--model", "translation"], scheduler)


def test_a_lost_worker(scheduler: str) -> None:
    """It dies with part of its group made, which another makes again."""
    many = [f"in/{n}.png" for n in range(5)]
    Path("in/3.png").write_bytes(Path("in/3.png").read_bytes() + b"once")
    assert_same_as_plain_run("augment", many, ["--recipe", "R", "--copies", "12"], scheduler)


def test_a_file_that_workers_die_of_is_named(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("pictures are made apart where processes fork")

    def fragile(make: Callable[[Item], Outcome], item: Item) -> Outcome:
        if item.source.read_bytes().endswith(b"hostile"):
            os.kill(os.getpid(), signal.SIGKILL)
        return make(item)

    monkeypatch.setattr(cluster, "make_apart", lambda make, item: make_apart(partial(fragile, make), item))
    Path("in/2.png").write_bytes(Path("in/2.png").read_bytes() + b"hostile")
    done = invoke("warp", "in", "-o", "out", "--rotate", 3, "--scheduler", scheduler, code=1)
    assert done.stderr.splitlines()[-1] == "4 pictures warped, 1 failed"
    assert "failed: in/2.png: the process that made it died: Killed" in done.stderr


def make_many(scheduler: str, count: int, taken: list[Item]) -> Generator[Outcome, None, None]:
    """The same picture many times; ``taken`` grows as items are asked for."""
    motion = Motion(**dict.fromkeys(Motion._fields))._replace(size="same")
    settings = Settings("bilinear", "constant", 0.0, False, None, 2**28, resume=False, overwrite=False)
    maker = Maker(Plans(motion).for_item, settings, 1)

    def items() -> Iterator[Item]:
        for n in range(count):
            item = Item(Path("in/0.png"), Path(f"out/{n}.png"))
            taken.append(item)
            yield item

    return cluster.make_on_cluster(scheduler, 1, maker, count, items())


def test_a_bounded_number_of_pictures_is_sent(scheduler: str) -> None:
    taken: list[Item] = []
    capacity = 2 * cluster._GROUPS_PER_THREAD * cluster._LARGEST_GROUP
    for done, _ in enumerate(make_many(scheduler, 5 * capacity, taken)):
        assert len(taken) <= done + capacity
    assert done + 1 == 5 * capacity


def test_closing_gives_up_what_was_not_begun(scheduler: str) -> None:
    taken: list[Item] = []
    outcomes = make_many(scheduler, 2000, taken)
    assert len(list(itertools.islice(outcomes, 3))) == 3
    outcomes.close()
    with distributed.Client(scheduler, set_as_default=False) as client:
        assert not client.run(lambda dask_worker: [name for name in dask_worker.plugins if "warpkit" in name]).popitem()[1]
    assert len(names("out")) <= len(taken) < 2000


def test_a_local_cluster() -> None:
    done = invoke("warp", "in", "-o", "out", "--rotate", 3, "--scheduler", "local", "--workers", 1)
    assert done.stderr == "5 pictures warped\n"
    assert len(names("out")) == 5


# --- stopped ---------------------------------------------------------------------------------------------------------------


# A scheduler and its worker of one thread in a process, until that is killed or its input ends.
SCHEDULER = """
import sys
from distributed import LocalCluster
with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", memory_limit=0,
                  dashboard_address=None) as made:
    print(made.scheduler_address, flush=True)
    sys.stdin.read()
"""


@contextmanager
def own_scheduler() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler that may be killed, and its address."""
    with subprocess.Popen([sys.executable, "-c", SCHEDULER], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def stopped(scheduler: str, happens: Callable[[], object], reason: str, code: int) -> str:
    """The last line of a run in which something happens after two pictures; all others are checked."""
    add, reported = Report.add, itertools.count(1)

    def counted(self: Report, outcome: Outcome) -> None:
        add(self, outcome)
        if next(reported) == 2:
            happens()

    with mock.patch.object(Report, "add", counted):
        done = invoke("warp", "in", "-o", "out", "--rotate", 7, "--report", "report.jsonl", "--scheduler", scheduler, code=code)
    made = records("report.jsonl")
    lines = done.stderr.splitlines()
    assert lines[:2] == [f"{len(made)} pictures warped", f"{reason}; {5 - len(made)} of 5 not made; --resume goes on"]
    assert set(made) <= set(names("out"))
    assert 2 <= len(made) < 5
    return lines[-1]


def assert_completed_by_resume(*arguments: str) -> None:
    invoke("warp", "in", "-o", "plain", "--rotate", 7)
    invoke("warp", "in", "-o", "out", "--rotate", 7, "--report", "report.jsonl", "--resume", *arguments)
    assert names("out") == names("plain")
    assert all(Path("out", name).read_bytes() == Path("plain", name).read_bytes() for name in names("plain"))
    reported = [json.loads(line)["output"] for line in Path("report.jsonl").read_text().splitlines()]
    assert {name.removeprefix("out/") for name in reported} == set(names("plain"))


def test_a_lost_scheduler() -> None:
    with own_scheduler() as (process, address):
        line = stopped(address, process.kill, "stopped", 1)
    assert line == f"Error: --scheduler {address}: the connection to it was lost"
    assert_completed_by_resume()


def test_ctrl_c(scheduler: str) -> None:
    assert stopped(scheduler, partial(signal.raise_signal, signal.SIGINT), "interrupted", 130) == "interrupted"
    assert_completed_by_resume("--scheduler", scheduler)


# --- errors ----------------------------------------------------------------------------------------------------------------


def test_what_cannot_be(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("warp", "in", "-o", "out", "--scheduler", scheduler)
    assert "--workers is for this machine" in invoke(*command, "--workers", 2, code=2).stderr
    assert "missing port number in address 'here'" in invoke(*command[:-1], "here", code=2).stderr
    with monkeypatch.context() as patched:
        patched.setattr(wk, "__version__", "99")
        assert "has warpkit 0.1.0; 99, as here, is needed" in invoke(*command, code=1).stderr
        patched.setattr(cluster.pydoc, "locate", lambda name: None)
        assert "has no warpkit; 99, as here, is needed" in invoke(*command, code=1).stderr
    monkeypatch.setattr(cluster, "_SECONDS_FOR_ANSWER", 1)
    assert "--scheduler tcp://127.0.0.1:1: " in invoke(*command[:-1], "tcp://127.0.0.1:1", code=1).stderr
    with distributed.LocalCluster(n_workers=0, protocol="tcp://", dashboard_address=None) as made:
        assert "has no workers: none came within 1 seconds" in invoke(*command[:-1], made.scheduler_address, code=1).stderr
    assert not Path("out").exists()


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "warpkit_cli.cluster")
    monkeypatch.delattr("warpkit_cli.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'numba-warpkit[dask]'" in invoke("warp", "in", "-o", "out", "--scheduler", "local", code=1).stderr
