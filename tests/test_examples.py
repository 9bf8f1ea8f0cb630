"""The examples that train nets, for an epoch on a few made-up digits; the robust fit."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(script: str, *arguments: object, code: int = 0) -> str:
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four IDX files: bright squares, whose size is the label."""
    folder = tmp_path_factory.mktemp("digits")
    for name, count in (("train", 300), ("t10k", 60)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[12 - label : 15 + label, 12 - label : 15 + label] = 255
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return folder


def test_distorted_mnist_trains_goes_on_and_makes_its_table_and_figure(data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--models", "ST-FCN affine", "--recipes", "RTS", "--epochs", 2, "--output", tmp_path, "--quiet"]
    run("distorted_mnist/train.py", *options)
    whole = json.loads((tmp_path / "ST-FCN-affine-RTS.json").read_text())
    assert len(whole["history"]) == 2
    assert 390_000 < whole["parameters"] <= 400_000
    assert whole["history"][1]["loss"] < whole["history"][0]["loss"]
    assert "epoch" not in run("distorted_mnist/train.py", *options), "finished cells are not done again"
    table = run("distorted_mnist/table.py", tmp_path)
    assert f"| ST-FCN affine | {whole['history'][1]['test error']:.2f} (0.8) |" in table
    figure = tmp_path / "figure.png"
    run("distorted_mnist/figure.py", tmp_path, figure, "--data", data, "--model", "ST-FCN affine")
    assert figure.stat().st_size > 0


def test_a_cell_that_was_cut_off_ends_as_one_that_was_not(data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--models", "FCN", "--recipes", "R", "--epochs", 2, "--quiet"]
    run("distorted_mnist/train.py", *options, "--output", tmp_path / "whole")
    whole = json.loads((tmp_path / "whole" / "FCN-R.json").read_text())
    script = (
        "import sys, os, cells; sys.argv = sys.argv[1:]\n"
        "original = cells.os.replace\n"
        "def once(*arguments):\n"
        "    original(*arguments); os._exit(9)\n"
        "from distorted_mnist import train\n"
        "cells.os = type(sys)('os'); cells.os.replace = once\n"
        "train.main()\n"
    )
    cut = [sys.executable, "-c", script, "train.py", *map(str, options), "--output", str(tmp_path / "cut")]
    assert subprocess.run(cut, cwd=EXAMPLES, timeout=300, check=False).returncode == 9
    assert len(json.loads((tmp_path / "cut" / "FCN-R.json").read_text())["history"]) == 1
    run("distorted_mnist/train.py", *options, "--output", tmp_path / "cut")
    resumed = json.loads((tmp_path / "cut" / "FCN-R.json").read_text())
    assert [epoch["test error"] for epoch in resumed["history"]] == [epoch["test error"] for epoch in whole["history"]]
    assert [epoch["loss"] for epoch in resumed["history"]] == [epoch["loss"] for epoch in whole["history"]]


def test_a_checkpoint_of_another_epoch_is_refused(data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--models", "FCN", "--recipes", "R", "--epochs", 2, "--output", tmp_path, "--quiet"]
    run("distorted_mnist/train.py", *options)
    cell = tmp_path / "FCN-R.json"
    content = json.loads(cell.read_text())
    cell.write_text(json.dumps(content | {"history": content["history"][:1]}))
    assert "different epochs" in run("distorted_mnist/train.py", *options, code=1)


def test_mnist_addition_trains_and_makes_its_figure(data: Path, tmp_path: Path) -> None:
    run("mnist_addition/train.py", "--data", data, "--models", "2 x ST-CNN", "--epochs", 1, "--output", tmp_path, "--quiet")
    cell = json.loads((tmp_path / "2-x-ST-CNN.json").read_text())
    assert len(cell["history"]) == 1
    run("mnist_addition/figure.py", tmp_path, tmp_path / "figure.png", "--data", data)
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_synthetic_house_numbers_train_and_make_their_figure(data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--models", "ST-CNN Single", "--epochs", 1, "--steps", 2, "--output", tmp_path, "--quiet"]
    run("house_numbers/train.py", *options)
    cell = json.loads((tmp_path / "ST-CNN-Single-64-px.json").read_text())
    assert cell["digits"] == "synthetic house numbers of MNIST"
    run("house_numbers/figure.py", tmp_path, tmp_path / "figure.png", "--data", data)
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_folders_without_digits_are_told(tmp_path: Path) -> None:
    assert "has no train-images-idx3-ubyte.gz" in run("distorted_mnist/train.py", "--data", tmp_path, code=1)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no digits"))
    assert "is not an IDX file" in run("distorted_mnist/train.py", "--data", tmp_path, code=1)


def test_a_robust_fit_is_nearer_than_one_through_all_matches(tmp_path: Path) -> None:
    figure = tmp_path / "figure.jpg"
    told = run("robust_fit.py", figure)
    through_all, robust = (float(line.split()[2]) for line in told.splitlines() if line.startswith("worst corner"))
    assert robust < 2
    assert through_all > 10 * robust
    assert figure.stat().st_size > 0


def test_what_registration_is_for_works(tmp_path: Path) -> None:
    figure = tmp_path / "figure.jpg"
    told = run("registration.py", figure)
    converged = re.findall(r"^(.+): (\d+) of (\d+) converged, .* before, ([\d.]+) after", told, re.MULTILINE)
    assert [name for name, *_ in converged] == ["shaking sequence", "exposures", "colours", "page"]
    assert all(done == count and float(after) < 0.5 for _, done, count, after in converged), told
    assert figure.stat().st_size > 0
