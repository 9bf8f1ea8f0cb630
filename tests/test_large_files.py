"""Zarr and large TIFF by tiles: the pixels of the whole warp, within a budget of memory, stopped and resumed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import numpy as np
import pytest
import skimage.data
import tifffile
from command import invoke, leftovers
from numpy.typing import NDArray
from PIL import Image

import warpkit as wk
from warpkit_cli import tile_runs
from warpkit_cli.large import Memory
from warpkit_cli.motion import Motion, Plan

zarr = pytest.importorskip("zarr")
pytestmark = [pytest.mark.usefixtures("set_num_threads")]

GREY = skimage.data.camera()[:300, :400].copy()
COLOUR = skimage.data.astronaut()[:300, :250].copy()
TURNED = {"rotate": 20.0, "size": "fit"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan_of(motion: dict[str, Any]) -> Plan:
    return Plan(Motion(**(dict.fromkeys(Motion._fields) | {"model": "tps", "size": "same"} | motion)))


def whole(pixels: NDArray[Any], motion: dict[str, Any], **options: Any) -> NDArray[Any]:
    """What ``wk.warp`` makes of the whole picture."""
    plan = plan_of(motion)
    inverse_map, shape = plan.for_picture(pixels.shape[:2])
    return wk.warp(pixels, inverse_map, shape, **options)


def write_zarr(name: str, pixels: NDArray[Any], chunks: tuple[int, ...], **options: Any) -> None:
    zarr.create_array(name, data=pixels, chunks=chunks, overwrite=True, **options)


def turn(*arguments: object, code: int = 0) -> str:
    return invoke("warp", *arguments, "--rotate", 20, "--size", "fit", "--tile", 96, code=code).stderr


def halves(pixels: NDArray[Any]) -> NDArray[Any]:
    """Means over blocks of two by two, cut at the far borders: slow and plain."""
    rows, columns = pixels.shape
    return np.array(
        [[np.rint(pixels[y : y + 2, x : x + 2].mean()) for x in range(0, columns, 2)] for y in range(0, rows, 2)], pixels.dtype
    )


# --- the same pixels -------------------------------------------------------------------------------------------------------


def test_zarr_to_a_pyramid() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    assert turn("in.zarr", "-o", "out.zarr").endswith(" tiles warped\n")
    group = zarr.open_group("out.zarr", mode="r")
    levels = [group[str(level)][:] for level in range(len(list(group.arrays())))]
    assert np.array_equal(levels[0], whole(GREY, TURNED))
    for finer, coarser in itertools.pairwise(levels):
        assert np.array_equal(coarser, halves(finer))
    assert max(levels[-1].shape) <= 96 < max(levels[-2].shape)
    assert set(group.attrs) == {"ome"}
    assert sorted(os.listdir()) == ["in.zarr", "out.zarr"]


@pytest.mark.parametrize(
    "options", [{"tile": (96, 64), "compression": "zlib"}, {"rowsperstrip": 7}, {"planarconfig": "separate"}]
)
def test_tiff_to_tiff(options: dict[str, Any]) -> None:
    stored = np.moveaxis(COLOUR, -1, 0) if "planarconfig" in options else COLOUR
    tifffile.imwrite("in.tif", stored, photometric="rgb", iccprofile=b"profile", **options)
    turn("in.tif", "-o", "out.tif")
    with tifffile.TiffFile("out.tif") as file:
        assert file.is_bigtiff
        (page,) = file.pages
        assert (page.tilewidth, page.tilelength, page.compression.name) == (96, 96, "ADOBE_DEFLATE")
        assert page.photometric.name == "RGB"
        assert page.tags[34675].value == b"profile"
        assert np.array_equal(page.asarray(), whole(COLOUR, TURNED))
    assert np.array_equal(Image.open("out.tif"), whole(COLOUR, TURNED))  # by libtiff
    assert sorted(os.listdir()) == ["in.tif", "out.tif"]


def test_pages_become_planes_and_planes_pages() -> None:
    pages = np.stack([GREY, GREY[::-1], 255 - GREY])
    tifffile.imwrite("in.tif", pages, photometric="minisblack", tile=(64, 64))
    turn("in.tif", "-o", "out.zarr")
    warped = np.stack([whole(page, TURNED) for page in pages])
    array = zarr.open_group("out.zarr", mode="r")["0"]
    assert array.metadata.dimension_names == ("z", "y", "x")
    assert np.array_equal(array[:], warped)
    invoke("warp", "out.zarr", "-o", "back.tif", "--tile", 128)
    assert np.array_equal(tifffile.imread("back.tif"), warped)


def test_colours_go_through_zarr_and_back() -> None:
    tifffile.imwrite("in.tif", COLOUR, photometric="rgb")
    turn("in.tif", "-o", "out.zarr")
    assert zarr.open_group("out.zarr", mode="r")["0"].metadata.dimension_names == ("c", "y", "x")
    invoke("warp", "out.zarr", "-o", "back.tif", "--tile", 128)
    with tifffile.TiffFile("back.tif") as file:
        assert file.pages[0].photometric.name == "RGB"
        assert np.array_equal(file.asarray(), whole(COLOUR, TURNED))


def test_hidden_colours_do_not_bleed() -> None:
    """As in small files; where the file does not say that a channel is alpha, it is a channel like others."""
    pixels = np.dstack([COLOUR, np.where(GREY[:300, :250] > 100, GREY[:300, :250], 0)])
    for extra, warp in (("unassalpha", wk.warp_alpha), ("unspecified", wk.warp)):
        tifffile.imwrite("in.tif", pixels, photometric="rgb", extrasamples=[extra], tile=(64, 64))
        turn("in.tif", "-o", "out.tif", "--overwrite")
        inverse_map, shape = plan_of(TURNED).for_picture(pixels.shape[:2])
        assert np.array_equal(tifffile.imread("out.tif"), warp(pixels, inverse_map, shape))
        with tifffile.TiffFile("out.tif") as file:
            assert file.pages[0].extrasamples == (tifffile.EXTRASAMPLE[extra.upper()],)
    tifffile.imwrite("in.tif", pixels, photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64))
    invoke("warp", "in.tif", "-o", "small.tif", "--rotate", 20, "--size", "fit")
    turn("in.tif", "-o", "out.tif", "--overwrite")
    assert np.array_equal(tifffile.imread("out.tif"), tifffile.imread("small.tif"))
    turn("in.tif", "-o", "out.zarr")
    finer, coarser = (np.moveaxis(zarr.open_group("out.zarr")[level][:], 0, -1).astype(float) for level in "01")
    y, x = np.argwhere(coarser[..., 3] > 0)[[3, 500, -3]].T
    for row, column in zip(y, x, strict=True):
        block = finer[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1, 4)
        colour = (block[:, :3] * block[:, 3:]).sum(axis=0) / block[:, 3].sum()
        assert np.abs(coarser[row, column] - [*colour, block[:, 3].mean()]).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (2, 40, 50), (2, 3, 2, 40, 50)])
def test_arrays_of_all_ranks(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    write_zarr("in.zarr", pixels, (*(2 for _ in shape[:-2]), 16, 16) if shape[-1] != 3 else (16, 16, 3))
    invoke("warp", "in.zarr", "-o", "out.zarr", "--rotate", 20, "--tile", 32)
    array = zarr.open_group("out.zarr", mode="r")["0"][:]
    if shape[-1] == 3 or shape == (2, 40, 50):
        planar = np.moveaxis(pixels, -1, 0) if shape[-1] == 3 else pixels
        assert np.array_equal(array, [whole(plane, {"rotate": 20.0}) for plane in planar])
    else:
        planes = [whole(plane, {"rotate": 20.0}) for plane in pixels.reshape(-1, *shape[-2:])]
        assert np.array_equal(array.reshape(-1, *shape[-2:]), planes)


def test_options_mean_what_they_do_for_small_files() -> None:
    write_zarr("in.zarr", GREY, (64, 64))
    spline = wk.ThinPlateSpline(
        [[0, 0], [399, 0], [0, 299], [399, 299], [200, 150]], [[5, 3], [390, 8], [9, 280], [399, 299], [230, 140]]
    )
    Path("bend.json").write_text(json.dumps(json.loads(spline.to_json()) | {"direction": "inverse"}))
    arguments = ("warp", "in.zarr", "--map", "bend.json", "--mode", "reflect", "--tile", 128, "--size", "350x200")
    invoke(*arguments, "-o", "out.zarr")
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], wk.warp(GREY, spline, (200, 350), mode="reflect"))
    invoke("warp", "in.zarr", "-o", "half.zarr", "--scale", 0.4, "--size", "fit", "--antialias", "--cval", 7, "--tile", 64)
    smaller = whole(GREY, {"scale": (0.4,), "size": "fit"}, antialias=True, cval=7)
    assert np.array_equal(zarr.open_group("half.zarr")["0"][:], smaller)


def test_a_spline_that_shrinks_in_places() -> None:
    write_zarr("in.zarr", GREY, (128, 128))
    pairs = ["0,0,0,0", "399,0,399,0", "0,299,0,299", "399,299,399,299", "150,120,180,170"]
    Path("pairs.csv").write_text("\n".join(["source_x,source_y,target_x,target_y", *pairs]))
    invoke("warp", "in.zarr", "-o", "out.zarr", "--points", "pairs.csv", "--antialias", "--tile", 96)
    expected = whole(GREY, {"points": Path("pairs.csv"), "smoothing": 0.0, "order": 2}, antialias=True)
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], expected)


def test_urls() -> None:
    import fsspec

    write_zarr("in.zarr", GREY, (70, 90))
    system = fsspec.filesystem("memory")
    turn("in.zarr", "-o", "memory://out.zarr")
    assert "exists; use --overwrite or --resume" in turn("in.zarr", "-o", "memory://out.zarr", code=1)
    turn("memory://out.zarr", "-o", "again.zarr")
    assert np.array_equal(zarr.open_group("again.zarr")["0"][:], whole(whole(GREY, TURNED), TURNED))
    turn("in.zarr", "-o", "memory://out.zarr", "--overwrite")
    assert json.loads(system.cat("/out.zarr/zarr.json"))["attributes"].keys() == {"ome"}
    system.rm("/out.zarr", recursive=True)


def test_files_by_url() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    turn(f"file://{Path.cwd()}/in.zarr", "-o", f"file://{Path.cwd()}/out.zarr")
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], whole(GREY, TURNED))
    turn(f"file://{Path.cwd()}/in.zarr", "-o", f"file://{Path.cwd()}/out.tif")
    assert np.array_equal(tifffile.imread("out.tif"), whole(GREY, TURNED))


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_http() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        turn(f"{address}/in.zarr", "-o", "out.zarr")
        assert "cannot be opened" in turn(f"{address}/none.zarr", "-o", "none.zarr", code=1)
        assert "cannot be" in turn("in.zarr", "-o", f"{address}/other.zarr", code=1)
        server.shutdown()
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], whole(GREY, TURNED))


# --- OME-Zarr's metadata ---------------------------------------------------------------------------------------------------


def write_ome(version: str) -> None:
    """Two levels of (c, y, x): pixels of 0.5 x 0.25 um, from (10, 20) on."""
    group = zarr.open_group("in.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, pixels in enumerate([np.stack([GREY] * 5), np.stack([GREY[::2, ::2]] * 5)]):
        group.create_array(str(level), data=pixels, chunks=(1, 64, 64))
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    steps = [{"type": "scale", "scale": [1, 0.5, 0.25]}, {"type": "translation", "translation": [0, 10, 20]}]
    datasets = [{"path": str(level), "coordinateTransformations": steps} for level in range(2)]
    ome = {"multiscales": [{"axes": axes, "datasets": datasets}], "omero": {"channels": []}}
    group.attrs.update(ome if version == "0.4" else {"ome": ome | {"version": version}})


def places(name: str, level: int) -> tuple[list[float], list[float]]:
    ome = zarr.open_group(name, mode="r").attrs["ome"]
    scale, translation = ome["multiscales"][0]["datasets"][level]["coordinateTransformations"]
    return scale["scale"], translation["translation"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_sizes_and_places_of_pixels(version: str) -> None:
    write_ome(version)
    invoke("warp", "in.zarr", "-o", "half.zarr", "--scale", 0.5, "--size", "fit", "--tile", 64)
    # The first of the larger pixels spans the first two of the smaller: its centre is half a small pixel further.
    assert places("half.zarr", 0) == ([1, 1, 0.5], [0, 10.25, 20.125])
    assert places("half.zarr", 1) == ([1, 2, 1], [0, 10.75, 20.375])
    ome = zarr.open_group("half.zarr", mode="r").attrs["ome"]
    assert ome["multiscales"][0]["axes"][1] == {"name": "y", "type": "space", "unit": "micrometer"}
    assert ome["omero"] == {"channels": []}
    assert ome["version"] == "0.5"
    invoke("warp", "in.zarr", "-o", "turned.zarr", "--rotate", 20, "--tile", 64)
    assert places("turned.zarr", 1) == ([1, 2, 2], [0, 0.5, 0.5])  # pixels were not square: no size any more
    invoke("warp", "turned.zarr", "-o", "again.zarr", "--rotate", 20, "--tile", 64)
    assert places("again.zarr", 0)[0] == pytest.approx([1, 1, 1])


# --- memory ----------------------------------------------------------------------------------------------------------------


def most_taken(run: Callable[[], object]) -> int:
    """The most bytes that all threads had taken from the budget at a time during a run."""
    budgets: list[tile_runs.Budget] = []

    def watched(limit: int) -> tile_runs.Budget:
        budgets.append(budget(limit))
        return budgets[-1]

    budget = tile_runs.Budget
    with mock.patch.object(tile_runs, "Budget", watched):
        run()
    return max(found.most for found in budgets)


def test_memory_is_bounded_however_large_the_windows() -> None:
    pixels = np.tile(GREY, (4, 4))
    write_zarr("in.zarr", pixels, (64, 64))
    memory = 2**20

    def shrink() -> None:
        invoke(
            "warp",
            "in.zarr",
            "-o",
            "out.zarr",
            "--scale",
            0.1,
            "--size",
            "fit",
            "--antialias",
            "--tile",
            64,
            "--memory",
            "1M",
            "-j",
            2,
        )

    assert 2**18 < most_taken(shrink) <= memory // 2
    assert np.array_equal(zarr.open_group("out.zarr")["0"][:], whole(pixels, {"scale": (0.1,), "size": "fit"}, antialias=True))


def test_chunks_are_read_once_where_windows_overlap() -> None:
    write_zarr("in.zarr", np.tile(GREY, (4, 4)), (128, 128))
    from warpkit_cli.zarr_source import ZarrSource

    read: list[object] = []
    whole_read = ZarrSource.read_chunk

    def counted(self: ZarrSource, key: tuple[int, ...]) -> NDArray[Any]:
        read.append(key)
        return whole_read(self, key)

    with mock.patch.object(ZarrSource, "read_chunk", counted):
        invoke("warp", "in.zarr", "-o", "out.zarr", "--rotate", 10, "--tile", 128)
    assert 120 < len(read) == len(set(read))


@pytest.mark.parametrize("name", ["picture.zarr", "picture.tif"])
def test_bytes_are_reported(name: str) -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    invoke("warp", "in.zarr", "-o", name, "--tile", 64, "--report", "report.jsonl")
    invoke("warp", name, "-o", f"again-{name}", "--tile", 64, "--report", "again.jsonl")
    first, second = (json.loads(Path(report).read_text()) for report in ("report.jsonl", "again.jsonl"))
    assert first["bytes_decoded"] == GREY.nbytes
    chunks = sum(path.stat().st_size for path in Path("in.zarr/c").rglob("*") if path.is_file())
    assert chunks < first["bytes_read"] < chunks + 5000  # with metadata
    stored = sum(path.stat().st_size for path in [Path(name), *Path(name).rglob("*")] if path.is_file())
    assert stored - 5000 < first["bytes_written"] < stored + 5000  # metadata are written more than once
    assert second["bytes_read"] < first["bytes_written"]
    assert second["bytes_decoded"] >= GREY.nbytes


def test_too_little_memory_is_told() -> None:
    write_zarr("in.zarr", GREY, (300, 400))
    assert "give more --memory" in turn("in.zarr", "-o", "out.zarr", "--memory", "300K", code=1)


def test_sizes_of_memory() -> None:
    convert = Memory().convert
    assert [convert(text, None, None) for text in ("64", "1k", "1.5M", "2GiB", "1 tb")] == [64, 2**10, 3 * 2**19, 2**31, 2**40]
    assert "expected a size such as 500M" in invoke("warp", "a.zarr", "-o", "b.zarr", "--memory", "much", code=2).stderr


# --- refusals --------------------------------------------------------------------------------------------------------------


def test_what_is_not_supported() -> None:
    def error(*arguments: object, code: int = 1) -> str:
        return invoke("warp", *arguments, code=code).stderr

    write_zarr("in.zarr", GREY, (70, 90))
    assert "its output is the input itself" in error("in.zarr", "-o", "in.zarr", "--overwrite")
    assert "one large picture at a time" in error("in.zarr", "in.zarr", "-o", "out.zarr", code=2)
    assert "--quality" in error("in.zarr", "-o", "out.zarr", "--quality", 9, code=2)
    assert "written as .zarr, or .tif" in error("in.zarr", "-o", "out.png")
    assert "bspline3" in error("in.zarr", "-o", "out.zarr", "-r", "bspline3", code=2)
    assert "multiples of 16" in error("in.zarr", "-o", "out.tif", "--tile", 100)
    assert "cannot be opened" in error("none.zarr", "-o", "out.zarr")
    zarr.create_group("group.zarr").create_array("a", data=GREY)
    assert "name one of its arrays (a)" in error("group.zarr", "-o", "out.zarr")
    write_zarr("complex.zarr", GREY.astype(np.complex64), (64, 64))
    assert "real numbers are expected" in error("complex.zarr", "-o", "out.zarr")
    write_zarr("transposed.zarr", GREY, (64, 64), dimension_names=("x", "y"))
    assert "(..., y, x) or (y, x, c) is expected" in error("transposed.zarr", "-o", "out.zarr")
    tifffile.imwrite("turned.tif", GREY, extratags=[(274, "H", 1, 6, True)])
    assert "stored turned" in error("turned.tif", "-o", "out.tif", "--tile", 64)
    with tifffile.TiffWriter("mixed.tif") as writer:
        writer.write(GREY)
        writer.write(GREY[:9])
    assert "its pages differ" in error("mixed.tif", "-o", "out.tif", "--tile", 64)
    Path("damaged.tif").write_bytes(b"II*\0")
    assert "failed: damaged.tif: cannot be" in error("damaged.tif", "-o", "out.tif", "--tile", 64)
    Path("cut.tif").write_bytes(b"II*\0" + (1000).to_bytes(4, "little") + bytes(100))
    assert "failed: cut.tif: is damaged or cut short: it has no page" in error("cut.tif", "-o", "out.tif", "--tile", 64)
    assert not Path("out.tif").exists()
    assert not Path("out.zarr").exists()
    assert not leftovers(Path())


def test_a_damaged_chunk_is_told_and_nothing_gets_the_name() -> None:
    write_zarr("in.zarr", GREY, (70, 90))
    Path("in.zarr/c/1/1").write_bytes(b"damaged")
    assert "failed: in.zarr: cannot be read: " in turn("in.zarr", "-o", "out.zarr", code=1)
    assert not Path("out.zarr").exists()
    shutil.rmtree("in.zarr")


def test_small_tiffs_take_the_ordinary_path() -> None:
    tifffile.imwrite("in.tif", GREY, extratags=[(274, "H", 1, 6, True)])
    invoke("warp", "in.tif", "-o", "out.tif", "--rotate", 20)
    assert tifffile.imread("out.tif").shape == GREY.T.shape


def test_without_zarr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "warpkit_cli.zarr_source", raising=False)
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert "pip install 'numba-warpkit[large]'" in invoke("warp", "in.zarr", "-o", "out.zarr", code=1).stderr


def test_dry_run() -> None:
    write_zarr("in.zarr", GREY, (64, 64))
    dry = ["warp", "in.zarr", "-o", "out.zarr", "--dry-run"]
    assert invoke(*dry).stdout == "in.zarr -> out.zarr\n"
    assert not Path("out.zarr").exists()
    Path("out.zarr").mkdir()
    assert "out.zarr exists; use --overwrite or --resume" in invoke(*dry, code=1).stderr
