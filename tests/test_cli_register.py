"""`warpkit register` and `warpkit align`: pairs and stacks of pictures, moved by SciPy."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.ndimage
import skimage.data
from command import invoke, names

import warpkit as wk

PICTURE = skimage.data.chelsea()[40:240, 60:340, ::-1].copy()  # BGR
SHAPE = PICTURE.shape[:2]
CORNERS = np.array([[0, 0], [SHAPE[1] - 1, 0], [SHAPE[1] - 1, SHAPE[0] - 1], [0, SHAPE[0] - 1]], dtype=np.float64)


def motion(n: int) -> wk.Affine:
    """Of the n-th picture of a stack: an inverse map, the picture's points to those of PICTURE."""
    centre = ((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2)
    return wk.Affine.translation(3.0 * n, -2.0 * n) @ wk.Affine.rotation(1.5 * n, centre)


def moved(inverse_map: wk.Affine) -> np.ndarray:
    """PICTURE through a map, by cubic splines; what lies beyond its border is mirrored, as in a wider view."""
    columns, rows = np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))
    x, y = np.moveaxis(inverse_map(np.stack([columns, rows], axis=-1).astype(np.float64)), -1, 0)
    channels = [scipy.ndimage.map_coordinates(PICTURE[..., c], [y, x], np.float64, order=3, mode="reflect") for c in range(3)]
    return np.clip(np.round(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)


def distance(found: wk.Transform, truth: wk.Transform) -> float:
    """Root mean square, at the corners, in pixels."""
    return float(np.sqrt(((found(CORNERS) - truth(CORNERS)) ** 2).sum(axis=1).mean()))


def read_transform(path: str) -> wk.Transform:
    text = Path(path).read_text()
    assert json.loads(text)["direction"] == "inverse"
    return wk.transform_from_json(text)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stack():
    """Four pictures; the first is PICTURE."""
    Path("in").mkdir()
    for n in range(4):
        cv2.imwrite(f"in/{n}.png", moved(motion(n)))


def test_a_pair_gives_the_inverse_map_the_aligned_picture_and_a_figure():
    cv2.imwrite("fixed.png", PICTURE)
    cv2.imwrite("moving.png", moved(motion(2)))
    done = invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--aligned", "aligned.png", "--overlay", "look.png")
    found = read_transform("map.json")
    assert distance(found, motion(2).inverse) < 0.1
    assert "turned by 3.0" in done.stdout
    np.testing.assert_array_equal(cv2.imread("aligned.png"), wk.warp(cv2.imread("moving.png"), found))
    figure = cv2.imread("look.png").astype(int)
    before, after = np.array_split(np.ptp(figure, axis=2), 2, axis=1)
    assert after.mean() < before.mean() / 3  # grey where they agree
    invoke("warp", "moving.png", "-o", "same.png", "--map", "map.json")
    np.testing.assert_array_equal(cv2.imread("same.png"), cv2.imread("aligned.png"))


def test_an_accuracy_that_the_pictures_do_not_give_is_an_error():
    cv2.imwrite("fixed.png", PICTURE)
    cv2.imwrite("moving.png", moved(motion(1)))
    done = invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--accuracy", "1e-5", code=1)
    assert "the corners are known to" in done.stderr
    assert "only, not to 1e-05" in done.stderr
    assert "corners known to 0.0" in invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--accuracy", "0.2").stdout
    assert (
        "accuracy"
        in invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--model", "dense", "--accuracy", "1", code=1).stderr
    )


def test_a_pair_of_grey_and_colours():
    cv2.imwrite("fixed.png", cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY))
    cv2.imwrite("moving.png", moved(motion(1)))
    invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--model", "euclidean")
    assert distance(read_transform("map.json"), motion(1).inverse) < 0.2


def test_pictures_that_have_nothing_in_common_give_an_error_and_no_file():
    cv2.imwrite("moving.png", PICTURE)
    cv2.imwrite("fixed.png", np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8))
    done = invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--aligned", "aligned.png", code=1)
    assert "moving.png: cannot be aligned: " in done.stderr
    assert names(".") == ["fixed.png", "moving.png"]


def test_a_pair_names_the_file_that_is_no_picture():
    cv2.imwrite("moving.png", PICTURE)
    Path("fixed.png").write_text("nothing")
    assert "fixed.png" in invoke("register", "moving.png", "fixed.png", "-o", "map.json", code=1).stderr


def test_a_table_replaces_nothing_but_tables(stack):
    done = invoke("align", "in", "-o", "out", "--table", "in/0.png", code=2)
    assert "--table in/0.png exists, and no run of warpkit wrote it" in done.stderr


@pytest.mark.parametrize("to", ["first", "previous", "mean"])
def test_a_stack_lies_on_its_first_picture(stack, to):
    invoke("align", "in", "-o", "out", "--model", "euclidean", "--to", to, "--table", "moved.csv", "--report", "report.jsonl")
    for n in range(4):
        found = read_transform(f"out/{n}.png.json")
        assert distance(found, motion(n).inverse) < 0.25
        np.testing.assert_array_equal(cv2.imread(f"out/{n}.png"), wk.warp(cv2.imread(f"in/{n}.png"), found))
    with open("moved.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["input"] for row in rows] == [f"in/{n}.png" for n in range(4)]
    for n, row in enumerate(rows):
        assert float(row["turned"]) == pytest.approx(1.5 * n, abs=0.1)
        assert float(row["scaled"]) == pytest.approx(1, abs=1e-6)
        assert float(row["correlation"]) > 0.95
        assert float(row["corner_error"]) < 0.1
    assert len(Path("report.jsonl").read_text().splitlines()) == 4


def test_the_first_picture_of_a_stack_stays_as_it_is(stack):
    invoke("align", "in", "-o", "out", "--model", "euclidean")
    np.testing.assert_array_equal(cv2.imread("out/0.png"), PICTURE)


def test_a_picture_that_cannot_be_aligned_fails_and_the_others_go_on(stack):
    cv2.imwrite("in/1.png", np.random.default_rng(0).integers(0, 255, PICTURE.shape, dtype=np.uint8))
    Path("in/2.png").write_bytes(b"no picture")
    done = invoke("align", "in", "-o", "out", "--model", "euclidean", "--to", "previous", code=1)
    assert "failed: in/1.png: cannot be aligned: " in done.stderr
    assert "failed: in/2.png: " in done.stderr
    assert names("out") == ["0.png", "0.png.json", "3.png", "3.png.json"]
    assert distance(read_transform("out/3.png.json"), motion(3).inverse) < 0.25


def test_a_stack_is_not_written_over_itself_unless_asked(stack):
    arguments = ("align", "in", "-o", "out", "--model", "euclidean")
    invoke(*arguments)
    assert "exists; use --overwrite or --resume" in invoke(*arguments, code=1).stderr
    Path("out/2.png").unlink()
    done = invoke(*arguments, "--resume")
    assert "1 picture warped, 3 skipped" in done.stderr
    invoke(*arguments, "--overwrite")


def test_dry_run_aligns_nothing(stack):
    done = invoke("align", "in", "-o", "out", "--dry-run")
    assert "in/0.png -> out/0.png" in done.stdout
    assert not Path("out").exists()


def test_options_from_a_file(stack):
    Path("job.toml").write_text('inputs = ["in"]\noutput = "out"\nto = "previous"\nmodel = "euclidean"\n')
    invoke("align", "--options", "job.toml")
    assert len(names("out")) == 8


@pytest.mark.parametrize("to", ["first", "previous", "mean"])
def test_a_stack_of_unreadable_pictures_fails_by_name(to):
    Path("a.png").write_bytes(b"")
    assert "failed: a.png: " in invoke("align", "a.png", "-o", "out", "--to", to, code=1).stderr


@pytest.mark.parametrize("model", ["tps", "dense"])
def test_maps_that_bend_are_written_and_applied(model):
    cv2.imwrite("fixed.png", PICTURE)
    cv2.imwrite("moving.png", moved(motion(0.3)))
    invoke("register", "moving.png", "fixed.png", "-o", "map.json", "--model", model, "--aligned", "aligned.png")
    found = read_transform("map.json")
    centre = np.array([140.0, 100.0])
    assert np.hypot(*(found(centre) - motion(0.3).inverse(centre))) < 0.2
    np.testing.assert_array_equal(cv2.imread("aligned.png"), wk.warp(cv2.imread("moving.png"), found))
