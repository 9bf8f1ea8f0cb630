"""The command's swirls, polar pictures and fits of other families are the library's."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import invoke

import warpkit as wk

ROWS, COLUMNS = 40, 60
CENTER = ((COLUMNS - 1) / 2, (ROWS - 1) / 2)


@pytest.fixture(autouse=True)
def threads_as_they_were(set_num_threads: object) -> None:
    """The command sets the number of threads, which is undone."""


@pytest.fixture
def picture(tmp_path: Path) -> np.ndarray:
    """photo.png in a folder of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    return pixels


def warped(folder: Path, *options: object) -> np.ndarray:
    invoke("warp", folder / "photo.png", "-o", folder / "out.png", *options, code=0)
    pixels = cv2.imread(str(folder / "out.png"), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


def test_a_swirl_turns_the_centre_clockwise(tmp_path: Path, picture: np.ndarray) -> None:
    inverse_map = wk.Swirl(CENTER, math.radians(80), 50).inverse
    assert np.array_equal(warped(tmp_path, "--swirl", "80,50"), wk.warp(picture, inverse_map))
    just_right = np.add(CENTER, (1e-3, 0))
    assert inverse_map.inverse(just_right)[1] > CENTER[1] + 0.9e-3


@pytest.mark.parametrize(("size", "canvas"), [("same", (ROWS, COLUMNS)), ("fit", (63, 20)), ("30x90", (90, 30))])
def test_a_disc_is_unrolled(tmp_path: Path, picture: np.ndarray, size: str, canvas: tuple[int, int]) -> None:
    expected = wk.warp(picture, wk.Polar(CENTER, 20, canvas), canvas)
    assert np.array_equal(warped(tmp_path, "--polar", 20, "--size", size), expected)


@pytest.mark.parametrize(("size", "canvas"), [("same", (ROWS, COLUMNS)), ("fit", (41, 41)), ("30x90", (90, 30))])
def test_a_polar_picture_is_rolled_up(tmp_path: Path, picture: np.ndarray, size: str, canvas: tuple[int, int]) -> None:
    center = ((canvas[1] - 1) / 2, (canvas[0] - 1) / 2)
    expected = wk.warp(picture, wk.Polar(center, 20, (ROWS, COLUMNS)).inverse, canvas, mode="wrap")
    assert np.array_equal(warped(tmp_path, "--unpolar", 20, "--size", size, "--mode", "wrap"), expected)


def test_a_lens_comes_from_a_file(tmp_path: Path, picture: np.ndarray) -> None:
    lens = wk.BrownConrady([[50, 0, 30], [0, 50, 20], [0, 0, 1]], [-0.2, 0.05, 0, 0])
    (tmp_path / "lens.json").write_text(lens.to_json(direction="inverse"))
    assert np.array_equal(warped(tmp_path, "--map", tmp_path / "lens.json"), wk.warp(picture, lens))


IMPOSSIBLE = [
    *(("--polar", "0"), ("--unpolar", "-3"), ("--polar", "nan"), ("--polar", "inf"), ("--polar", "0.1", "--size", "fit")),
    *(("--polar", "5", "--unpolar", "5"), ("--swirl", "30,0"), ("--swirl", "1")),
]


@pytest.mark.parametrize("options", IMPOSSIBLE)
def test_impossible_options_are_told(tmp_path: Path, picture: np.ndarray, options: tuple[str, ...]) -> None:
    done = invoke("warp", tmp_path / "photo.png", "-o", tmp_path / "out.png", *options, code=2)
    assert any(word in done.stderr for word in ("polar", "radius", "swirl", "output_shape"))
    assert not (tmp_path / "out.png").exists()


def test_other_families_are_fitted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    target = random.uniform(0, 100, (30, 2))
    source = target + random.normal(0, 1, target.shape)
    lines = [",".join(map(repr, map(float, (*s, *t)))) for s, t in zip(source, target, strict=True)]
    (tmp_path / "pairs.csv").write_text("\n".join(["source_x,source_y,target_x,target_y", *lines]))
    cases = {
        ("polynomial", "--order", "3"): wk.Polynomial.fit(target, source, 3),
        ("polynomial",): wk.Polynomial.fit(target, source, 2),
        ("piecewise",): wk.PiecewiseAffine.fit(target, source),
    }
    for options, expected in cases.items():
        invoke("fit", tmp_path / "pairs.csv", "-o", tmp_path / "t.json", "--model", *options, code=0)
        text = (tmp_path / "t.json").read_text()
        assert json.loads(text)["direction"] == "inverse"
        assert wk.transform_from_json(text) == expected
