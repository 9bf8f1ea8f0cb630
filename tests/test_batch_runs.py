"""Runs of many pictures: messages, reports, files written whole or not at all, threads."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import PHOTO, invoke, leftovers, names

from warpkit_cli import writing
from warpkit_cli.errors import PictureError
from warpkit_cli.files import Entry
from warpkit_cli.making import Maker, Outcome
from warpkit_cli.pipeline import run_bounded
from warpkit_cli.worklist import Item, Worklist

pytestmark = pytest.mark.usefixtures("five_pictures")

# --- messages, reports -----------------------------------------------------------------------------------------------------


def test_log_modes() -> None:
    Path("in/bad.png").write_bytes(b"")
    plain = invoke("warp", "in", "-o", "a", code=1).stderr
    assert plain.splitlines() == ["failed: in/bad.png: the file is empty", "5 pictures warped, 1 failed"]
    for quiet in (["--quiet"], ["--log", "quiet"]):
        done = invoke("warp", "in", "-o", "b", "--overwrite", *quiet, code=1)
        assert done.stderr == "failed: in/bad.png: the file is empty\n"
    events = [json.loads(line) for line in invoke("warp", "in", "-o", "c", "--log", "json", code=1).stderr.splitlines()]
    assert [event["event"] for event in events] == ["failed", "end"]
    assert events[0]["error"] == "the file is empty"
    assert (events[1]["done"], events[1]["failed"], events[1]["total"], events[1]["seconds_left"]) == (5, 1, 6, 0.0)


def test_names_cannot_break_a_message() -> None:
    Path("in/a\n\x1b[31mb.png").write_bytes(b"")
    for option in ([], ["--dry-run", "--overwrite"]):
        Path("list.csv").write_text('input,output\n"in/a\n\x1b[31mb.png",' + ("x.png\n" if not option else "x\n"))
        lines = invoke("warp", "--manifest", "list.csv", "-o", "out", *option, code=1).stderr.splitlines()
        assert lines[0].startswith("failed: in/a\\x0a\\x1b[31mb.png: ")


def test_the_json_log_tells_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warpkit_cli.journal._SECONDS_BETWEEN_PROGRESS", -1.0)
    events = [json.loads(line) for line in invoke("warp", "in", "-o", "c", "--log", "json").stderr.splitlines()]
    assert [event["event"] for event in events] == ["progress"] * 5 + ["end"]
    assert events[2]["done"] == 3


def test_the_report_has_a_line_for_each_picture_and_goes_on() -> None:
    Path("in/bad.png").write_bytes(b"")
    invoke("warp", "in", "-o", "out", "--scale", 0.5, "--size", "fit", "--report", "report.jsonl", code=1)
    lines = Path("report.jsonl").read_text().splitlines()
    records = {record["input"]: record for record in map(json.loads, lines)}
    assert records["in/0.png"]["input_size"] == [80, 60]
    assert records["in/0.png"]["output_size"] == [40, 30]
    assert records["in/0.png"]["result"] == "done"
    assert records["in/bad.png"]["error"] == "the file is empty"
    Path("report.jsonl").write_text("\n".join(lines) + '\n{"input": "cut by a po')
    invoke("warp", "in", "-o", "out", "--resume", "--report", "report.jsonl", code=1)
    grown = Path("report.jsonl").read_text().splitlines()
    assert grown[:6] == lines
    assert sorted(json.loads(line)["result"] for line in grown[7:]) == ["failed"] + ["skipped"] * 5


def test_a_report_replaces_nothing_but_reports() -> None:
    picture = Path("in/0.png").read_bytes()
    done = invoke("warp", "in", "-o", "out", "--report", "in/0.png", code=2)
    assert "--report in/0.png exists, and no run of warpkit wrote it" in done.stderr
    assert Path("in/0.png").read_bytes() == picture
    manifest = '{"input": "in/0.png", "output": "0.png"}\n'
    Path("list.jsonl").write_text(manifest)
    assert "is an input" in invoke("warp", "--manifest", "list.jsonl", "-o", "out", "--report", "list.jsonl", code=2).stderr
    assert Path("list.jsonl").read_text() == manifest


def test_reports_that_cannot_be_written() -> None:
    assert "--report none/r.jsonl" in invoke("warp", "in", "-o", "out", "--report", "none/r.jsonl", code=2).stderr
    if Path("/dev/full").exists():
        assert "--report /dev/full" in invoke("warp", "in", "-o", "out", "--report", "/dev/full", code=1).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    if shell == "bash" and not Path("/bin/bash").exists():
        pytest.skip("needs bash")
    assert "_WARPKIT_COMPLETE" in invoke("completion", shell).stdout


def test_completion_knows_subcommands_and_options() -> None:
    program = [sys.executable, "-c", "from warpkit_cli.main import main; main()"]
    for words, expected in (("warpkit ", "augment"), ("warpkit warp --re", "--resume"), ("warpkit warp --mode ", "reflect")):
        surroundings = os.environ | {
            "_WARPKIT_COMPLETE": "zsh_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done = subprocess.run(program, env=surroundings, capture_output=True, text=True, check=False)
        assert expected in done.stdout


# --- written whole or not at all -------------------------------------------------------------------------------------------


def test_a_file_of_a_killed_run_is_taken_over() -> None:
    stale = writing.temporary_name(Path("out/a.png"))
    stale.parent.mkdir()
    stale.write_bytes(b"half of a longer picture" * 10_000)
    invoke("warp", "in/0.png", "-o", "out/a.png")
    assert np.array_equal(cv2.imread("out/a.png"), PHOTO)
    assert not leftovers(Path())


@pytest.mark.skipif(os.name == "nt", reason="Windows refuses by itself")
def test_two_processes_do_not_write_the_same_file() -> None:
    import fcntl

    with writing.temporary_name(Path("a.png")).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process is writing it" in invoke("warp", "in/0.png", "-o", "a.png", code=1).stderr
    assert not Path("a.png").exists()


def test_a_failed_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(PictureError, match="cannot be written: Input/output error"):
        writing.write_whole(Path("a.png"), b"data")
    assert not leftovers(Path())
    assert not Path("a.png").exists()


def test_a_full_disk_ends_the_run_and_resume_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(100):
        Path(f"in/more{n}.png").write_bytes(Path("in/0.png").read_bytes())
    space = [200_000]
    write = os.write

    def limited(handle: int, data: bytes) -> int:
        space[0] -= len(data)
        if space[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", limited)
        done = invoke("warp", "in", "-o", "out", "--rotate", 3, "--workers", 1, code=1)
    assert "cannot be written: No space left on device" in done.stderr
    assert "stopped, because the disk is full" in done.stderr
    assert "of 105 not made; --resume goes on" in done.stderr
    assert not leftovers(Path())
    assert 0 < len(names("out")) < 105
    invoke("warp", "in", "-o", "out", "--rotate", 3, "--resume")
    assert len(names("out")) == 105


@pytest.mark.parametrize("kind", ["folder", "below a file"])
def test_outputs_that_cannot_be(kind: str) -> None:
    if kind == "folder":
        Path("out/0.png").mkdir(parents=True)
    else:
        Path("out").write_text("a file")
    done = invoke("warp", "in/0.png", "-o", "out/0.png" if kind != "folder" else "out", "--overwrite", code=1)
    assert "failed: in/0.png: " in done.stderr
    assert not leftovers(Path())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_keep_nobody_waiting() -> None:
    os.mkfifo("in/pipe.png")
    done = invoke("warp", "in/pipe.png", "in/0.png", "-o", "out", code=1)
    assert "failed: in/pipe.png: cannot be read: a pipe or device, not a file" in done.stderr


def test_transforms_are_written_whole() -> None:
    Path("pairs.csv").write_text("source_x,source_y,target_x,target_y\n0,0,1,2\n10,0,11,2\n0,10,1,12\n")
    assert "none.json" in invoke("fit", "pairs.csv", "--model", "affine", "-o", "pairs.csv/none.json", code=1).stderr
    invoke("fit", "pairs.csv", "--model", "affine", "-o", "new/t.json")
    assert json.loads(Path("new/t.json").read_text())["direction"] == "inverse"


# --- the pipeline ----------------------------------------------------------------------------------------------------------


def test_items_are_taken_only_as_threads_come_free() -> None:
    taken, finished = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(500):
            taken += 1
            assert taken - finished <= 2 * 4 + 1
            yield n

    for _ in run_bounded(lambda n: n, items(), 4):
        finished += 1
    assert finished == 500


def test_closing_gives_up_what_was_not_begun() -> None:
    begun = []
    results = run_bounded(lambda n: begun.append(n), iter(range(1000)), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("warpkit-picture")]


def test_faults_that_nobody_thought_of_are_one_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Maker, item: Item, is_new: bool) -> object:
        raise ZeroDivisionError("unheard of")

    monkeypatch.setattr(Maker, "_make", broken)
    assert "failed: in/3.png: ZeroDivisionError: unheard of" in invoke("warp", "in", "-o", "out", code=1).stderr


def test_the_worklist_keeps_order_and_finds_clashes_among_many() -> None:
    entries = (Entry(f"in/{n}.png", f"out/{n % 9_000}.png") for n in range(10_000))
    items = list(Worklist(entries))
    assert [item.source.stem for item in items] == [str(n) for n in range(10_000)]
    assert [bool(item.problem) for item in items] == [False] * 9_000 + [True] * 1_000
    assert items[9_005].problem == "would be written to the same file as in/5.png"


def test_outcomes_as_json() -> None:
    outcome = Outcome(Item(Path("a"), Path("b")), "done", 0.5, (1, 2), (3, 4))
    assert json.loads(json.dumps(outcome.record()))["output_size"] == [3, 4]


# --- sampling --------------------------------------------------------------------------------------------------------------


def test_smaller_pictures_are_averages_when_asked_for() -> None:
    stripes = np.tile(np.array([[0, 255]], np.uint8), (64, 32))
    cv2.imwrite("stripes.png", stripes)
    invoke("warp", "stripes.png", "-o", "small.png", "--scale", "0.2", "--size", "fit", "--antialias", "--mode", "edge")
    small = cv2.imread("small.png", cv2.IMREAD_GRAYSCALE)[1:-1, 1:-1]
    assert np.abs(small.astype(float) - 127.5).max() < 32


def test_labels_are_not_averaged() -> None:
    done = invoke("warp", "in", "-o", "out", "--antialias", "--interpolation", "nearest", code=2)
    assert "--interpolation nearest must not" in done.stderr
