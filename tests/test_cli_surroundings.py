"""The command where something around it is missing, old, broken, or stops it: told in a line, with the right exit code."""

from __future__ import annotations

import errno
import json
import struct
import sys
import types
from importlib import metadata
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
import tifffile
from command import PHOTO, invoke, leftovers
from PIL import ExifTags, Image

from warpkit_cli import doctor, drawing, journal, main

pytestmark = pytest.mark.usefixtures("five_pictures")


@pytest.mark.parametrize("log", ["plain", "json"])
def test_an_interrupted_run_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch, log: str) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(journal.Log, "add", interrupted)
    done = invoke("warp", "in", "-o", "out", "--log", log, code=130)
    if log == "plain":
        assert "interrupted; 5 of 5 not made; --resume goes on" in done.stderr
    else:
        (end,) = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert (end["event"], end["reason"], end["done"]) == ("end", "interrupted", 0)
    assert not leftovers(Path())


def test_an_opencv_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(__version__="4.9.0"))  # type: ignore[arg-type]
    assert "needs OpenCV 5 or newer, got 4.9.0" in invoke("warp", "in", "-o", "out", code=1).stderr


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without_tifffile(package: str) -> str:
        if package == "tifffile":
            raise metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(metadata, "version", without_tifffile)
    assert "package    tifffile is not installed" in invoke("doctor").stdout


def test_doctor_says_where_no_cache_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from warpkit.kernels import cpu

    monkeypatch.setattr(cpu, "warp_tiles", None)
    assert "no writable folder" in doctor._cache()


def test_doctor_fails_where_pictures_come_out_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import warpkit as wk

    monkeypatch.setattr(wk, "warp", lambda picture, inverse_map: picture)
    assert "FAILED: a quarter turn came out wrong" in invoke("doctor", code=1).stdout


def test_an_archive_whose_decoder_throws_is_one_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise cv2.error("bad memory")

    Image.fromarray(np.zeros((8, 8), np.uint16)).save("in/deep.tif", compression="tiff_lzw")
    for name in ("imdecode", "imdecodemulti"):
        monkeypatch.setattr(cv2, name, broken)
    done = invoke("warp", "in/0.png", "in/deep.tif", "-o", "out", code=1)
    assert "failed: in/0.png: cannot be decoded: " in done.stderr
    assert "failed: in/deep.tif: cannot be decoded: " in done.stderr


def test_pairs_that_are_no_text(tmp_path: Path) -> None:
    Path("pairs.csv").write_bytes(b"\xff\xfe\x00")
    assert "pairs.csv: cannot be read: " in invoke("fit", "pairs.csv", "-o", "t.json", code=2).stderr


def test_empty_lines_of_pairs_are_passed_over() -> None:
    rows = "0,0,1,2\n\n10,0,11,2\n , , ,\n0,10,1,12\n"
    Path("pairs.csv").write_text("source_x,source_y,target_x,target_y\n" + rows)
    invoke("fit", "pairs.csv", "--model", "affine", "-o", "t.json")
    assert json.loads(Path("t.json").read_text())["direction"] == "inverse"


def test_no_pictures_are_told() -> None:
    assert "give INPUT, or --manifest" in invoke("warp", "-o", "out", code=2).stderr
    Path("empty").mkdir()
    assert "no pictures found in empty" in invoke("warp", "empty", "-o", "out", code=2).stderr


def test_a_size_that_cannot_fit_is_told() -> None:
    done = invoke("warp", "in/0.png", "-o", "out.png", "--quad", "0,0 79,0 79,59 40,30.1", "--size", "fit", code=1)
    assert "failed: in/0.png: --size fit: part of the picture's outline has no place on the canvas" in done.stderr


def test_transparency_of_floats_stays_float() -> None:
    pixels = np.dstack([PHOTO, PHOTO[..., 0]]).astype(np.float32) / 255
    tifffile.imwrite("in/alpha.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    invoke("warp", "in/alpha.tif", "-o", "out.tif", "--translate", "1,0")
    moved = tifffile.imread("out.tif")
    assert moved.dtype == np.float32
    assert np.allclose(moved[:, 1:, 3], pixels[:, :-1, 3], atol=1e-6)


SHOWN = {
    "16 bits, grey": (np.full((2, 3), 65535, np.uint16), 255),
    "float, grey": (np.full((2, 3, 1), 0.4, np.float32), 102),
    "transparent": (np.zeros((2, 3, 4), np.uint8), 255),
    "colours": (np.full((2, 3, 3), 9, np.uint8), 9),
}


@pytest.mark.parametrize(("pixels", "expected"), SHOWN.values(), ids=SHOWN)
def test_figures_show_pixels_of_any_kind(pixels: np.ndarray, expected: int) -> None:
    shown = drawing.as_displayable(pixels)
    assert (shown.shape, shown.dtype) == ((2, 3, 3), np.uint8)
    assert (shown == expected).all()


def test_show_tells_what_cannot_be_shown() -> None:
    turned = {"format": "warpkit-transform", "version": 1, "direction": "inverse"}
    behind = {"type": "projective", "matrix": [[-1, 0, 0], [0, -1, 0], [0, 0, -1]]}
    Path("behind.json").write_text(json.dumps(turned | behind))
    Path("in/bad.png").write_bytes(b"")
    done = invoke("show", "in/bad.png", "--map", "behind.json", "-o", "figure.png", code=1)
    assert "in/bad.png: the file is empty" in done.stderr
    assert "horizon" in invoke("show", "in/0.png", "--map", "behind.json", "-o", "figure.png", code=1).stderr
    assert "figure.xyz: cannot be encoded" in invoke("show", "in/0.png", "-o", "figure.xyz", code=1).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "pairs.csv", "-o", "pairs.csv"],
        ["show", "in/0.png", "-o", "linked/0.png"],
        ["register", "in/0.png", "in/1.png", "-o", "in/1.png"],
        ["register", "in/0.png", "in/1.png", "-o", "map.json", "--aligned", "in/0.png"],
        ["register", "in/0.png", "in/1.png", "-o", "new.png", "--overlay", "new.png"],
    ],
)
def test_inputs_are_not_written_over(arguments: list[str]) -> None:
    Path("pairs.csv").write_text("source_x,source_y,target_x,target_y\n0,0,1,1\n9,0,9,1\n0,9,1,8\n")
    Path("linked").symlink_to("in")
    before = {path: path.read_bytes() for path in Path().glob("*/*.png")}
    assert "choose another" in invoke(*arguments, code=2).stderr
    assert all(path.read_bytes() == data for path, data in before.items())


def test_output_that_cannot_be_written_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(click, "echo", full)
    assert invoke("completion", "bash", code=1).stderr == "Error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("command", sorted(main.warpkit.commands))
def test_every_option_says_what_it_does(command: str) -> None:
    options = [option for option in main.warpkit.commands[command].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_of_the_picture_as_it_was_is_taken_out(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    upper = struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 26)  # orientation 6, then a second directory
    thumbnail = struct.pack(order + "HHHIII", 1, 0x0201, 4, 1, 44, 0)
    Image.fromarray(PHOTO).save("in.jpg", exif=b"Exif\0\0" + mark + upper + thumbnail + b"thumbnail")
    with Image.open("in.jpg") as before:
        assert before.getexif().get_ifd(ExifTags.IFD.IFD1)
    invoke("warp", "in.jpg", "-o", "out.jpg", "--rotate", 5)
    with Image.open("out.jpg") as after:
        assert dict(after.getexif()) == {0x0112: 1}
        assert not after.getexif().get_ifd(ExifTags.IFD.IFD1)
