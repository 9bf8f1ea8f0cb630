"""TIFF's channels: they come out in their order, and are alpha only where the file says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from command import invoke, names
from PIL import Image

COLOURS = np.random.default_rng(0).integers(1, 256, (20, 30, 3), np.uint8)
RAMP = np.tile(np.linspace(1, 255, 30).astype(np.uint8), (20, 1))  # alpha, or any other channel
FOUR = np.dstack([COLOURS, RAMP])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_num_threads: object) -> None:
    monkeypatch.chdir(tmp_path)


def warped() -> tuple[np.ndarray, tuple[int, ...]]:
    """The only page of in.tif, moved by nothing, and what its extra channels are."""
    invoke("warp", "in.tif", "-o", "out.tif")
    with tifffile.TiffFile("out.tif") as file:
        (page,) = file.pages
        return page.asarray(), page.extrasamples


def write(pixels: np.ndarray, photometric: str, **options: object) -> None:
    tifffile.imwrite("in.tif", pixels, photometric=photometric, planarconfig="contig", **options)


@pytest.mark.parametrize(
    ("pixels", "photometric"),
    [(COLOURS, "minisblack"), (COLOURS.astype(np.float32), "minisblack"), (np.dstack([COLOURS, RAMP, RAMP]), "rgb")],
)
def test_channels_keep_their_order(pixels: np.ndarray, photometric: str) -> None:
    write(pixels, photometric)
    assert np.array_equal(warped()[0], pixels)


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_a_fourth_channel_that_is_not_alpha_does_not_weight_the_others(photometric: str) -> None:
    write(FOUR, photometric, extrasamples=["unspecified"] * (1 if photometric == "rgb" else 3))
    invoke("warp", "in.tif", "-o", "out.tif", "--translate", "0.5,0")
    with tifffile.TiffFile("out.tif") as file:
        assert file.pages[0].extrasamples == (0,)
        expected = (FOUR[:, :-1].astype(float) + FOUR[:, 1:]) / 2
        assert np.abs(file.pages[0].asarray()[:, 1:] - expected).max() <= 0.52
    assert "none is alpha" in invoke("warp", "in.tif", "-o", "out.png", code=1).stderr


@pytest.mark.parametrize("pixels", [FOUR, FOUR.astype(np.uint16) * 257], ids=["8 bits", "16 bits"])
def test_colours_stored_multiplied_by_alpha_come_out_as_they_are_seen(pixels: np.ndarray) -> None:
    whole = np.iinfo(pixels.dtype).max
    stored = pixels.copy()
    stored[..., :3] = np.round(pixels[..., :3] * (pixels[..., 3:] / whole))
    write(stored, "rgb", extrasamples=["assocalpha"])
    out, extra = warped()
    assert extra == (2,)  # colours apart from alpha
    out = out.astype(float)
    assert np.array_equal(out[..., 3], stored[..., 3])
    assert np.abs(out[..., :3] * out[..., 3:] / whole - stored[..., :3]).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_alpha_under_compressions_that_tifffile_lacks(mode: str, orientation: int) -> None:
    pixels = FOUR[..., -len(mode) :]
    Image.fromarray(pixels, mode).save("in.tif", compression="tiff_lzw", exif={274: orientation})
    out, extra = warped()
    assert extra == (2,)
    assert np.array_equal(out, np.rot90(pixels, -1) if orientation == 6 else pixels)


def test_grey_with_alpha_does_not_bleed() -> None:
    pixels = np.full((20, 30, 2), 255, np.uint8)
    pixels[:, :15] = 0  # black where nothing is seen
    write(pixels, "minisblack", extrasamples=["unassalpha"])
    invoke("warp", "in.tif", "-o", "out.tif", "--translate", "0.5,0")
    out = tifffile.imread("out.tif")
    assert (out[..., 0][out[..., 1] > 0] == 255).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_file_without_a_page_fails_and_leaves_nothing() -> None:
    Path("in.tif").write_bytes(b"II*\0" + (1000).to_bytes(4, "little") + bytes(100))  # its directory lay in what was cut off
    assert "it has no page" in invoke("warp", "in.tif", "-o", "out.tif", code=1).stderr
    assert names(".") == ["in.tif"]


def test_copies_at_lower_resolution_are_left_out() -> None:
    with tifffile.TiffWriter("in.tif") as writer:
        writer.write(COLOURS, photometric="rgb")
        writer.write(COLOURS[::2, ::2], photometric="rgb", subfiletype=1)
    assert np.array_equal(warped()[0], COLOURS)


def test_a_strip_that_cannot_be_decoded_is_not_black() -> None:
    Image.fromarray(np.tile(COLOURS, (20, 20, 1))).save("in.tif", compression="tiff_lzw")
    data = bytearray(Path("in.tif").read_bytes())
    data[50_000:50_020] = b"\xff" * 20
    Path("in.tif").write_bytes(data)
    assert "failed: in.tif: is damaged" in invoke("warp", "in.tif", "-o", "out.tif", code=1).stderr


def test_a_compression_that_nobody_here_knows_is_named() -> None:
    tifffile.imwrite("in.tif", COLOURS, photometric="rgb", compression="zlib")
    data = bytearray(Path("in.tif").read_bytes())
    with tifffile.TiffFile("in.tif") as file:
        start = file.pages[0].tags["Compression"].valueoffset
    data[start : start + 2] = (50002).to_bytes(2, "little")  # JPEG XL
    Path("in.tif").write_bytes(data)
    assert "JPEGXL" in invoke("warp", "in.tif", "-o", "out.tif", code=1).stderr


def test_tiff_channels_one_after_another() -> None:
    planes = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    tifffile.imwrite("in.tif", planes, photometric="rgb", planarconfig="separate")
    invoke("warp", "in.tif", "-o", "out.tif", "--rotate", 180)
    assert np.array_equal(tifffile.imread("out.tif"), planes.transpose(1, 2, 0)[::-1, ::-1])
