"""A codec that crashes on a file: the run dies of it, the next one names the file and makes all others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import invoke, leftovers, names

from warpkit_cli import deaths
from warpkit_cli.making import Outcome
from warpkit_cli.worklist import Item
from warpkit_cli.writing import locked

pytestmark = [
    pytest.mark.usefixtures("five_pictures"),
    pytest.mark.skipif(sys.platform != "linux", reason="pictures are made apart where processes fork"),
]

# The command with a codec that dies of files with this ending.
FRAGILE = """
import os, resource, signal, sys
from warpkit_cli import making
from warpkit_cli.main import main

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
decode = making.decode

def fragile(data, *rest):
    if data.endswith(b"hostile"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return decode(data, *rest)

making.decode = fragile
main()
"""
DIED = "the process that made it died: Segmentation fault"


def fragile(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", FRAGILE, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def good() -> bytes:
    """What in/2.png was before it became hostile."""
    content = Path("in/2.png").read_bytes()
    Path("in/2.png").write_bytes(content + b"hostile")
    return content


def test_the_next_run_names_the_file_that_a_process_died_of(good: bytes) -> None:
    command = ("warp", "in", "-o", "out", "--rotate", "180", "--resume")
    assert fragile(*command).returncode < 0
    assert leftovers(Path("out"))
    for _ in range(2):
        done = fragile(*command, "--report", "report.jsonl")
        assert done.returncode == 1
        assert done.stderr.splitlines()[0] == f"failed: in/2.png: {DIED}"
        assert DIED in Path("report.jsonl").read_text()
        assert [name for name in names("out") if not name.startswith(".")] == ["0.png", "1.png", "3.png", "4.png"]
    Path("in/2.png").write_bytes(good)
    assert "1 picture warped, 4 skipped" in fragile(*command).stderr
    assert not leftovers(Path("out"))


def test_all_copies_of_what_a_process_died_of_are_made_apart(good: bytes) -> None:
    command = ("augment", "in", "-o", "out", "--recipe", "P", "--copies", "9", "--resume")
    assert fragile(*command).returncode < 0
    done = fragile(*command)
    assert done.returncode == 1
    assert done.stderr.count(f"failed: in/2.png: {DIED}") == 9
    assert len([name for name in names("out") if not name.startswith(".")]) == 36


def test_what_a_killed_run_had_begun_is_made_apart_like_any_other() -> None:
    invoke("warp", "in", "-o", "out", "--rotate", 3)
    whole = Path("out/1.png").read_bytes()
    Path("out/1.png").rename(deaths.temporary_name(Path("out/1.png")))
    assert "1 picture warped, 4 skipped" in invoke("warp", "in", "-o", "out", "--rotate", 3, "--resume").stderr
    assert Path("out/1.png").read_bytes() == whole
    assert not leftovers(Path())


def test_how_a_child_ended_is_told() -> None:
    def leave(item: Item) -> Outcome:
        sys.exit(7)

    outcome = deaths.make_apart(leave, Item(Path("a"), Path("b")))
    assert (outcome.result, outcome.error) == ("failed", "the process that made it died: exit code 7")


def test_nothing_is_suspected_where_nothing_died() -> None:
    items = [Item(Path("in/0.png"), Path("none/0.png")), Item(Path("in/1.png"), Path("in/1.png"))]
    assert deaths.begun_sources(items) == set()
    Path("out").mkdir()
    with locked(deaths.temporary_name(Path("out/2.png"))):  # by a worker that lives
        assert deaths.begun_sources([Item(Path("in/2.png"), Path("out/2.png"))]) == set()
