"""Large pictures that are stopped: killed, cut off from power, there already; gone on with, or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tifffile
from command import invoke, leftovers
from test_large_files import GREY, TURNED, turn, whole, write_zarr

zarr = pytest.importorskip("zarr")
pytestmark = [pytest.mark.usefixtures("set_num_threads")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


KILLED = """
import os, signal, sys
from warpkit_cli import tile_runs
from warpkit_cli.main import main

made = tile_runs.TileWarper.made
count = iter(range(100))

def fragile(self, tile):
    if next(count) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return made(self, tile)

tile_runs.TileWarper.made = fragile
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("output", ["out.zarr", "out.tif"])
def test_killed_in_the_middle(output: str) -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    command = ["warp", "in.zarr", "-o", output, "--rotate", "20", "--size", "fit", "--tile", "96", "-j", "1"]
    assert subprocess.run([sys.executable, "-c", KILLED, *command], check=False).returncode < 0
    assert not Path(output).exists()
    assert leftovers(Path())
    assert "begun with other options" in invoke(*command[:4], "--rotate", 21, "--tile", 96, "--resume", code=1).stderr
    stderr = invoke(*command, "--resume").stderr
    made, skipped = (int(words.split()[0]) for words in stderr.split(", "))
    assert 1 <= skipped <= 9
    assert made + skipped == (25 if output.endswith(".tif") else 25 + 9 + 4 + 1)
    found = tifffile.imread(output) if output.endswith(".tif") else zarr.open_group(output)["0"][:]
    assert np.array_equal(found, whole(GREY, TURNED))
    assert not leftovers(Path())
    assert invoke(*command, "--resume").stderr == ""
    if output.endswith(".tif"):
        turn("in.zarr", "-o", "undisturbed.tif", "-j", 3)
        assert Path("undisturbed.tif").read_bytes() == Path(output).read_bytes()


def test_records_that_are_not_whole_are_made_again() -> None:
    with mock.patch("warpkit_cli.tiled_tiffs.TiffTarget.finish", side_effect=OSError("pulled plug")):
        write_zarr("in.zarr", GREY, (70, 90))
        assert "failed: in.zarr: pulled plug" in turn("in.zarr", "-o", "out.tif", code=1)
        (growing,) = leftovers(Path())
        good = growing.read_bytes()
        for damaged, told in [
            (good[:-5], "1 tile warped, 24 skipped"),
            (good + bytes(1000), "0 tiles warped, 25 skipped"),
            (good[:-3000] + bytes(3000), " tiles warped, "),
            (good[:16] + bytes(len(good) - 16), "25 tiles warped"),
        ]:
            growing.write_bytes(damaged)
            assert told in turn("in.zarr", "-o", "out.tif", "--resume", code=1)
            assert growing.read_bytes() == good
    assert "0 tiles warped, 25 skipped" in turn("in.zarr", "-o", "out.tif", "--resume")
    assert np.array_equal(tifffile.imread("out.tif"), whole(GREY, TURNED))


def test_chunks_that_are_not_whole_are_made_again() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    with mock.patch("warpkit_cli.zarr_target.ZarrTarget.finish", side_effect=OSError("pulled plug")):
        assert "failed: in.zarr: pulled plug" in turn("in.zarr", "-o", "out.zarr", code=1)
        (growing,) = (path for path in leftovers(Path()) if path.is_dir())
        chunks = [growing / "0/c/2/2", growing / "0/c/2/3", growing / "1/c/0/1", growing / "0/c/1/2"]
        good = [chunk.read_bytes() for chunk in chunks]
        chunks[0].write_bytes(good[0][:-5])
        chunks[1].write_bytes(b"")
        chunks[2].write_bytes(bytes(len(good[2])))
        chunks[3].write_bytes(good[3][:-9] + bytes([good[3][-9] ^ 1]) + good[3][-8:])
        assert "4 tiles warped, 35 skipped" in turn("in.zarr", "-o", "out.zarr", "--resume", code=1)
        assert [chunk.read_bytes() for chunk in chunks] == good
    assert "0 tiles warped, 39 skipped" in turn("in.zarr", "-o", "out.zarr", "--resume")
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], whole(GREY, TURNED))


def test_outputs_that_exist() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    for output in ("out.zarr", "out.tif"):
        turn("in.zarr", "-o", output)
        assert f"{output} exists; use --overwrite or --resume" in turn("in.zarr", "-o", output, code=1)
        turn("in.zarr", "-o", output, "--resume", "--report", "report.jsonl")
        invoke("warp", "in.zarr", "-o", output, "--tile", 96, "--overwrite", "--report", "report.jsonl")
    assert np.array_equal(tifffile.imread("out.tif"), GREY)
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], GREY)
    (record,) = map(json.loads, Path("report.jsonl").read_text().splitlines())
    assert (record["result"], record["input_size"], record["output_size"]) == ("done", [400, 300], [400, 300])
    assert not leftovers(Path())
