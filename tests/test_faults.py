"""Faults from outside, on a real process: killed, interrupted, no space, no permission, nobody listening.

WARPKIT_FAULT_ROUNDS says how often a batch is killed: 2, or 20 by `make test-faults`.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from command import invoke, leftovers
from PIL import Image
from test_picture_files import png

COMMAND = [sys.executable, "-c", "from warpkit_cli.main import main; main()", "warp"]
ROUNDS = int(os.environ.get("WARPKIT_FAULT_ROUNDS", "2"))
PICTURES = 30 + 10 * ROUNDS
PHOTO = skimage.data.coffee()[..., ::-1].copy()

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, permissions and links are others on Windows")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_num_threads: object) -> Path:
    """A working folder with in/."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    return tmp_path


def fill(count: int) -> None:
    for n in range(count):
        cv2.imwrite(f"in/{n}.png", np.roll(PHOTO, 7 * n, axis=1), [cv2.IMWRITE_PNG_COMPRESSION, 1])


def contents(top: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(top).rglob("*.*") if not path.name.startswith(".")}


def identities(top: str) -> dict[str, tuple[int, int]]:
    """What changes when a file is written again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in Path(top).iterdir()}


def killed_after(new_pictures: int, pause: float) -> None:
    """Start or resume the batch and kill it once it has made some pictures, and a moment after that."""
    before = len(list(Path("out").glob("*.png")))
    command = [*COMMAND, "in", "-o", "out", "--rotate", "5", "--resume", "--report", "report.jsonl", "--quiet"]
    process = subprocess.Popen(command)
    while process.poll() is None and len(list(Path("out").glob("*.png"))) < before + new_pictures:
        time.sleep(0.001)
    time.sleep(pause)
    process.kill()
    process.wait()


def test_killed_and_resumed_the_folder_is_that_of_an_undisturbed_run(folder: Path) -> None:
    fill(PICTURES)
    invoke("warp", "in", "-o", "expected", "--rotate", 5)
    expected = contents("expected")
    chance = random.Random(ROUNDS)
    finished: dict[str, tuple[int, int]] = {}
    for _ in range(ROUNDS):
        killed_after(chance.randrange(8), chance.random() * 0.05)
        whole = {path.name: path.read_bytes() for path in Path("out").glob("*.png")}
        assert all(expected[name] == data for name, data in whole.items()), "no part of a file under its final name"
        now = identities("out") if Path("out").exists() else {}
        assert all(now[name] == identity for name, identity in finished.items()), "nothing finished is done again"
        finished.update({name: now[name] for name in whole})
    invoke("warp", "in", "-o", "out", "--rotate", 5, "--resume", "--report", "report.jsonl")
    assert contents("out") == expected
    now = identities("out")
    assert all(now[name] == identity for name, identity in finished.items())
    assert not leftovers(Path())
    assert len(Path("report.jsonl").read_text().splitlines()) >= PICTURES


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 2 MiB, where this system lets us mount one."""
    place = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode if shutil.which("mount") else 1  # fmt: skip
    if mounted != 0:
        place.rmdir()
        pytest.skip("mounting needs privileges")
    yield place
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


def test_a_full_disk_is_told_and_resume_works_after_space_is_made(folder: Path, small_disk: Path) -> None:
    fill(8)
    invoke("warp", "in", "-o", "expected", "--rotate", 5)
    (small_disk / "other").write_bytes(bytes(1_000_000))
    done = subprocess.run(
        [*COMMAND, "in", "-o", str(small_disk / "out"), "--rotate", "5"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot be written: No space left on device" in done.stderr
    assert "stopped, because the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not leftovers(small_disk)
    made, expected = contents(str(small_disk / "out")), contents("expected")
    assert made.items() <= expected.items()
    (small_disk / "other").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    invoke("warp", "in", "-o", small_disk / "out", "--rotate", 5, "--resume")
    assert contents(str(small_disk / "out")) == expected


@pytest.fixture
def as_nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user without privileges, who this process becomes if it has any."""
    place = Path(tempfile.mkdtemp())
    privileged = os.geteuid() == 0
    if privileged:
        os.chown(place, 65534, 65534)
        os.seteuid(65534)
    monkeypatch.chdir(place)
    yield place
    if privileged:
        os.seteuid(0)
    subprocess.run(["chmod", "-R", "u+rwx", str(place)], check=True)
    shutil.rmtree(place)


def test_unreadable_files_and_unwritable_folders(as_nobody: Path, set_num_threads: object) -> None:
    Path("in/closed").mkdir(parents=True)
    fill(3)
    Path("in/0.png").chmod(0)
    Path("in/closed").chmod(0)
    done = invoke("warp", "in", "-o", "out", code=1)
    assert "failed: in/0.png: cannot be read: Permission denied" in done.stderr
    assert "failed: in/closed: cannot be listed: Permission denied" in done.stderr
    assert sorted(contents("out")) == ["1.png", "2.png"]
    Path("shut").mkdir(mode=0o555)
    done = invoke("warp", "in/1.png", "in/2.png", "-o", "shut", code=1)
    assert done.stderr.count("cannot be written: Permission denied") == 2
    assert not list(Path("shut").iterdir())


def test_a_closed_standard_error_gives_no_traceback(folder: Path) -> None:
    for n in range(300):
        Path(f"in/{n}.png").write_bytes(b"")
    reader, writer = os.pipe()
    process = subprocess.Popen([*COMMAND, "in", "-o", "out"], stderr=writer, stdout=subprocess.DEVNULL)
    os.close(writer)
    os.close(reader)
    assert process.wait(timeout=120) == 1


# --- a folder as it comes --------------------------------------------------------------------------------------------------


def good_pictures(count: int) -> None:
    """Pictures of all formats, each with its own number of its rows moved."""
    suffixes = ("jpg", "png", "webp", "tif", "gif", "bmp")
    for n in range(count):
        picture = Image.fromarray(np.roll(PHOTO[:60, :80, ::-1], n, axis=0))
        mode = ("RGB", "L", "RGBA")[n // len(suffixes) % 3]
        suffix = suffixes[n % len(suffixes)]
        picture.convert("RGB" if (mode, suffix) == ("RGBA", "jpg") else mode).save(f"in/good{n}.{suffix}")


def bad_pictures(count: int) -> None:
    """Cut, empty, misnamed, bombs, text, broken inside, links to nothing, in turn."""
    whole = Path("in/good1.png").read_bytes()
    for n in range(count):
        path = Path(f"in/bad{n}.png")
        kind = n % 7
        if kind == 0:
            path.write_bytes(whole[: len(whole) * (n + 1) // (count + 1)])
        elif kind == 1:
            path.write_bytes(b"")
        elif kind == 2:
            shutil.copy("in/good0.jpg", path)
        elif kind == 3:
            path.write_bytes(png(50_000 + n, 50_000, 8, 2, zlib.compress(bytes(1000))))
        elif kind == 4:
            path.write_text("not a picture")
        elif kind == 5:
            path.write_bytes(whole[:100] + bytes(50) + whole[150:])
        else:
            path.symlink_to("nowhere")


def test_of_mixed_files_the_good_come_out_right_and_the_bad_are_all_named(folder: Path) -> None:
    good, bad, double = 950 * ROUNDS // 10, 40 * ROUNDS // 10, 10 * ROUNDS // 10
    good_pictures(good)
    bad_pictures(bad)
    Path("again").mkdir()
    for n in range(double):
        cv2.imwrite(f"again/good{6 * n + 1}.png", PHOTO[:10, :10])
    done = invoke("warp", "in", "again", "-o", "out", "--rotate", 180, code=1)
    for n in range(bad):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"failed: in/bad{n}.png: ")]
        assert len(line) > 30
    for n in range(double):
        assert f"failed: again/good{6 * n + 1}.png: would be written to the same file as in/good{6 * n + 1}.png" in done.stderr
    assert f"{good} pictures warped, {bad + double} failed" in done.stderr
    assert len(contents("out")) == good
    assert not leftovers(Path())
    for n in range(good):
        (source,) = Path("in").glob(f"good{n}.*")
        with Image.open(source) as image, Image.open(Path("out", source.name)) as out:
            assert out.mode == image.mode or source.suffix == ".gif"
            expected = np.asarray(image.convert("RGBA"))[::-1, ::-1].astype(int)
            limit = {".jpg": 6, ".webp": 12, ".gif": 6}.get(source.suffix, 0)
            assert np.abs(np.asarray(out.convert("RGBA")) - expected).mean() <= limit, source
