"""The command as a person runs it: exit code, message, written file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from command import Done, invoke

import warpkit as wk

COMMAND = [sys.executable, "-c", "from warpkit_cli.main import main; main()"]


@pytest.fixture(autouse=True)
def threads_as_they_were(set_num_threads: object) -> None:
    """The command sets the number of threads, which is undone."""


def run(*arguments: object, cwd: Path, code: int = 0) -> Done:
    """Run the command in a folder, in this process; its exit code must be ``code``."""
    before = os.getcwd()
    os.chdir(cwd)
    try:
        return invoke(*arguments, code=code)
    finally:
        os.chdir(before)


@pytest.fixture
def photo() -> np.ndarray:
    """A colour picture, in OpenCV's channel order."""
    return skimage.data.coffee()[:120, :160, ::-1].copy()


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    """A working folder with photo.png."""
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    return tmp_path


def read(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels


def no_leftovers(folder: Path) -> bool:
    return not list(folder.rglob(".warpkit-*"))


def test_demo_writes_pictures_and_a_panel(tmp_path: Path) -> None:
    run("demo", "-o", "shown", cwd=tmp_path)
    names = {p.name for p in (tmp_path / "shown").iterdir()}
    families = {"original.png", "affine.png", "projective.png", "thin_plate_spline.png", "elastic.png"}
    assert names == families | {"panel.png"}
    original = read(tmp_path / "shown" / "original.png")
    for name in families - {"original.png"}:
        warped = read(tmp_path / "shown" / name)
        assert warped.shape == original.shape
        assert (warped != original).any()


def test_quarter_turn_is_clockwise_and_exact(folder: Path, photo: np.ndarray) -> None:
    run("warp", "photo.png", "-o", "turned.png", "--rotate", "90", "--size", "fit", cwd=folder)
    assert np.array_equal(read(folder / "turned.png"), np.rot90(photo, -1))


def test_options_describe_the_motion_of_the_picture(folder: Path, photo: np.ndarray) -> None:
    run("warp", "photo.png", "-o", "a.png", "--translate", "5,3", cwd=folder)
    run("warp", "photo.png", "-o", "b.png", "--matrix", "1,0,5,0,1,3", cwd=folder)
    expected = np.zeros_like(photo)
    expected[3:, 5:] = photo[:-3, :-5]
    assert np.array_equal(read(folder / "a.png"), expected)
    assert np.array_equal(read(folder / "b.png"), expected)


def test_several_motions_are_the_same_as_the_library(folder: Path, photo: np.ndarray) -> None:
    run(
        "warp", "photo.png", "-o", "out.png", "--scale", "1.2,0.9", "--shear", "5,2", "--rotate", "-7", "--translate", "4,1",
        "--mode", "reflect", cwd=folder,
    )  # fmt: skip
    center = (79.5, 59.5)
    motion = (
        wk.Affine.translation(4, 1)
        @ wk.Affine.rotation(-7, center)
        @ wk.Affine.shearing(5, 2, center)
        @ wk.Affine.scaling(1.2, 0.9, center)
    )
    expected = wk.warp(photo, motion.inverse.simplified(), mode="reflect")
    assert np.array_equal(read(folder / "out.png"), expected)


def test_quad_takes_the_corners_to_its_points(folder: Path, photo: np.ndarray) -> None:
    run("warp", "photo.png", "-o", "out.png", "--quad", "10,5 150,0 140,110 0,119", "--interpolation", "nearest", cwd=folder)
    warped = read(folder / "out.png")
    for (x, y), (column, row) in [((10, 5), (0, 0)), ((150, 0), (159, 0)), ((140, 110), (159, 119)), ((0, 119), (0, 119))]:
        assert np.array_equal(warped[y, x], photo[row, column])


@pytest.mark.parametrize(("scale", "size"), [("0.5", (60, 80)), ("2,1", (120, 320))])
def test_size_fit_holds_the_whole_result(folder: Path, scale: str, size: tuple[int, int]) -> None:
    run("warp", "photo.png", "-o", "out.png", "--scale", scale, "--size", "fit", cwd=folder)
    assert read(folder / "out.png").shape[:2] == size


def test_size_fit_of_a_turned_picture_cuts_nothing(folder: Path) -> None:
    cv2.imwrite(str(folder / "white.png"), np.full((50, 90), 255, np.uint8))
    run("warp", "white.png", "-o", "out.png", "--rotate", "33", "--size", "fit", cwd=folder)
    assert abs(read(folder / "out.png").sum() / 255 - 50 * 90) < 1.0


def test_size_centres_a_turned_picture_on_the_canvas(folder: Path, photo: np.ndarray) -> None:
    run("warp", "photo.png", "-o", "out.png", "--size", "100x80", cwd=folder)
    assert np.array_equal(read(folder / "out.png"), photo[20:100, 30:130])


def test_folders_keep_their_structure_and_bad_files_are_named(folder: Path, photo: np.ndarray) -> None:
    source = folder / "in"
    (source / "deeper").mkdir(parents=True)
    cv2.imwrite(str(source / "one.png"), photo)
    cv2.imwrite(str(source / "deeper" / "zwei é.jpg"), photo)
    (source / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:500])
    (source / "empty.jpg").write_bytes(b"")
    (source / "text.png").write_text("not a picture")
    (source / "notes.txt").write_text("left alone")
    done = run("warp", "in", "-o", "out", "--rotate", "5", "--report", "report.jsonl", cwd=folder, code=1)
    written = sorted(str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*") if p.is_file())
    assert written == ["deeper/zwei é.jpg", "one.png"]
    assert "2 pictures warped, 3 failed" in done.stderr
    for name in ("cut.png", "empty.jpg", "text.png"):
        assert name in done.stderr
    report = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    assert sorted(record["result"] for record in report) == ["done", "done", "failed", "failed", "failed"]
    assert all(record["error"] for record in report if record["result"] == "failed")
    assert no_leftovers(folder)


def test_globs_are_expanded(folder: Path, photo: np.ndarray) -> None:
    cv2.imwrite(str(folder / "second.png"), photo)
    run("warp", "*.png", "-o", "out", "--rotate", "5", cwd=folder)
    assert {p.name for p in (folder / "out").iterdir()} == {"photo.png", "second.png"}


def test_existing_outputs_are_kept_unless_told(folder: Path) -> None:
    run("warp", "photo.png", "-o", "out.png", "--rotate", "5", cwd=folder)
    first = (folder / "out.png").read_bytes()
    done = run("warp", "photo.png", "-o", "out.png", "--rotate", "50", cwd=folder, code=1)
    assert "exists" in done.stderr
    assert (folder / "out.png").read_bytes() == first
    run("warp", "photo.png", "-o", "out.png", "--rotate", "50", "--overwrite", cwd=folder)
    assert (folder / "out.png").read_bytes() != first


def test_resume_redoes_only_what_is_not_whole(folder: Path, photo: np.ndarray) -> None:
    cv2.imwrite(str(folder / "second.png"), photo)
    run("warp", "photo.png", "second.png", "-o", "out", "--rotate", "5", cwd=folder)
    whole = (folder / "out" / "second.png").read_bytes()
    (folder / "out" / "second.png").write_bytes(whole[:200])
    done = run("warp", "photo.png", "second.png", "-o", "out", "--rotate", "5", "--resume", cwd=folder)
    assert "1 picture warped, 1 skipped" in done.stderr
    assert (folder / "out" / "second.png").read_bytes() == whole


def test_dry_run_writes_nothing(folder: Path) -> None:
    done = run("warp", "photo.png", "-o", "out", "--rotate", "5", "--dry-run", cwd=folder)
    assert "photo.png -> out" in done.stdout
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["warp", "photo.png", "-o", "out.png", "--matrix", "1,2,3"], "--matrix"),
        (["warp", "photo.png", "-o", "out.png", "--matrix", "1,2,0,2,4,0"], "singular"),
        (["warp", "photo.png", "-o", "out.png", "--rotate", "nan"], "finite"),
        (["warp", "photo.png", "-o", "out.png", "--scale", "0"], "singular"),
        (["warp", "photo.png", "-o", "out.png", "--size", "0x3"], "--size"),
        (["warp", "photo.png", "-o", "out.png", "--quad", "0,0 1,0 2,0 3,0"], "line"),
        (["warp", "photo.png", "-o", "out.png", "--map", "none.json"], "none.json"),
        (["warp", "photo.png", "-o", "out.png", "--map", "x.json", "--points", "y.csv"], "give one of"),
        (["warp", "photo.png", "-o", "out.png", "--resume", "--overwrite"], "not both"),
        (["warp", "-o", "out.png"], "INPUT"),
        (["turn"], "turn"),
    ],
)
def test_wrong_usage_is_told_in_a_line(folder: Path, arguments: list[str], message: str) -> None:
    assert message in run(*arguments, cwd=folder, code=2).stderr
    assert not (folder / "out.png").exists()


def test_fit_then_warp_and_show(folder: Path, photo: np.ndarray) -> None:
    source = np.array([[10.0, 10], [150, 12], [140, 110], [12, 100], [80, 60]])
    target = source + np.array([[4, 2], [-3, 1], [0, -5], [2, 2], [6, -4]])
    lines = ["source_x,source_y,target_x,target_y", *(",".join(map(str, row)) for row in np.hstack([source, target]))]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    done = run("fit", "pairs.csv", "--model", "tps", "-o", "bend.json", cwd=folder)
    assert "5 pairs" in done.stdout
    run("warp", "photo.png", "-o", "map.png", "--map", "bend.json", cwd=folder)
    run("warp", "photo.png", "-o", "points.png", "--points", "pairs.csv", cwd=folder)
    expected = wk.warp(photo, wk.ThinPlateSpline.fit(target, source))
    assert np.array_equal(read(folder / "map.png"), expected)
    assert np.array_equal(read(folder / "points.png"), expected)
    run("show", "photo.png", "--map", "bend.json", "-o", "figure.png", cwd=folder)
    assert read(folder / "figure.png").shape[1] > 3 * photo.shape[1]


def test_map_files_say_their_direction(folder: Path, photo: np.ndarray) -> None:
    shift = wk.Affine.translation(5, 3)
    (folder / "forward.json").write_text(shift.to_json(direction="forward"))
    (folder / "inverse.json").write_text(shift.inverse.to_json(direction="inverse"))
    (folder / "mute.json").write_text(shift.to_json())
    run("warp", "photo.png", "-o", "a.png", "--map", "forward.json", cwd=folder)
    run("warp", "photo.png", "-o", "b.png", "--map", "inverse.json", cwd=folder)
    assert np.array_equal(read(folder / "a.png"), read(folder / "b.png"))
    assert np.array_equal(read(folder / "a.png")[3:, 5:], photo[:-3, :-5])
    assert "direction" in run("warp", "photo.png", "-o", "c.png", "--map", "mute.json", cwd=folder, code=2).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "first line"),
        ("source_x,source_y,target_x,target_y\n1,2,3\n", "line 2"),
        ("source_x,source_y,target_x,target_y\n1,2,3,four\n", "line 2"),
        ("source_x,source_y,target_x,target_y\n1,2,3,4\n", "at least"),
        ("source_x,source_y,target_x,target_y\n0,0,0,0\n1,1,1,1\n2,2,2,2\n", "line"),
        ("source_x,source_y,target_x,target_y\n0,0,0,0\n1,5,1,1\n2,2,nan,2\n", "finite"),
    ],
)
def test_bad_pairs_are_told_with_file_and_line(folder: Path, text: str, message: str) -> None:
    (folder / "pairs.csv").write_text(text)
    done = run("fit", "pairs.csv", "--model", "affine", "-o", "t.json", cwd=folder, code=2)
    assert "pairs.csv" in done.stderr
    assert message in done.stderr
    assert not (folder / "t.json").exists()


def test_sixteen_bits_and_float_stay(folder: Path) -> None:
    sixteen = (np.arange(40 * 50 * 3).reshape(40, 50, 3) * 10).astype(np.uint16)
    cv2.imwrite(str(folder / "deep.png"), sixteen)
    tifffile.imwrite(folder / "float.tif", sixteen[..., 0].astype(np.float32))
    tifffile.imwrite(folder / "six.tif", np.dstack([sixteen, sixteen]), photometric="minisblack", planarconfig="contig")
    run("warp", "deep.png", "float.tif", "six.tif", "-o", "out", "--rotate", "180", cwd=folder)
    assert np.array_equal(read(folder / "out" / "deep.png"), sixteen[::-1, ::-1])
    assert np.array_equal(tifffile.imread(folder / "out" / "float.tif"), sixteen[::-1, ::-1, 0].astype(np.float32))
    assert np.array_equal(tifffile.imread(folder / "out" / "six.tif"), np.dstack([sixteen, sixteen])[::-1, ::-1])


def test_transparent_colours_do_not_bleed(folder: Path) -> None:
    picture = np.zeros((20, 20, 4), np.uint8)
    picture[:, :10] = (0, 0, 255, 0)  # invisible red
    picture[:, 10:] = (0, 255, 0, 255)  # solid green
    cv2.imwrite(str(folder / "icon.png"), picture)
    run("warp", "icon.png", "-o", "out.png", "--translate", "0.5,0", cwd=folder)
    warped = read(folder / "out.png")
    assert np.array_equal(warped[5, 10], (0, 255, 0, 128))
    assert np.array_equal(warped[5, 12], (0, 255, 0, 255))


def exif_with_orientation(orientation: int) -> bytes:
    """A big-endian EXIF block with one entry."""
    entry = (0x0112).to_bytes(2, "big") + (3).to_bytes(2, "big") + (1).to_bytes(4, "big") + orientation.to_bytes(2, "big")
    return b"MM\0*" + (8).to_bytes(4, "big") + (1).to_bytes(2, "big") + entry + bytes(2) + bytes(4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(folder: Path, orientation: int) -> None:
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[:8, :8] = 255
    chunk = np.frombuffer(exif_with_orientation(orientation), np.uint8)[None]
    done, data = cv2.imencodeWithMetadata(".png", picture, [cv2.IMAGE_METADATA_EXIF], [chunk])
    assert done
    (folder / "in.png").write_bytes(data.tobytes())
    upright = cv2.imread(str(folder / "in.png"), cv2.IMREAD_COLOR)  # OpenCV applies the tag when it reads in colour
    run("warp", "in.png", "-o", "out.png", cwd=folder)
    assert np.array_equal(read(folder / "out.png"), upright)
    assert np.array_equal(cv2.imread(str(folder / "out.png"), cv2.IMREAD_COLOR), upright)


def test_metadata_is_kept(folder: Path, photo: np.ndarray) -> None:
    exif = np.frombuffer(exif_with_orientation(1), np.uint8)[None]
    profile = np.arange(200, dtype=np.uint8)[None]
    kinds = [cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP]
    _, data = cv2.imencodeWithMetadata(".jpg", photo, kinds, [exif, profile])
    (folder / "in.jpg").write_bytes(data.tobytes())
    run("warp", "in.jpg", "-o", "out.jpg", "--rotate", "3", cwd=folder)
    _, kinds_out, chunks = cv2.imreadWithMetadata(str(folder / "out.jpg"), cv2.IMREAD_UNCHANGED)
    kept = dict(zip(kinds_out, (bytes(chunk.ravel()) for chunk in chunks), strict=True))
    assert kept == {cv2.IMAGE_METADATA_EXIF: exif.tobytes(), cv2.IMAGE_METADATA_ICCP: profile.tobytes()}


def test_formats_that_cannot_hold_the_pixels_are_refused(folder: Path) -> None:
    cv2.imwrite(str(folder / "deep.png"), np.zeros((20, 20), np.uint16))
    done = run("warp", "deep.png", "-o", "out.jpg", cwd=folder, code=1)
    assert "JPEG holds 8 bits" in done.stderr
    assert not (folder / "out.jpg").exists()


def test_help_and_version_need_no_numba_or_opencv(folder: Path) -> None:
    program = (
        "import sys; sys.argv = ['warpkit', sys.argv[1]]\n"
        "from warpkit_cli.main import main\n"
        "try: main()\n"
        "finally: assert not {'numba', 'numpy', 'cv2'} & set(sys.modules)"
    )
    for option in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", program, option], cwd=folder, check=True, capture_output=True)


def test_a_missing_opencv_is_told_in_one_line(folder: Path) -> None:
    program = "import sys; sys.modules['cv2'] = None\nfrom warpkit_cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "demo"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "opencv-python-headless" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_passes_its_own_test(folder: Path) -> None:
    done = run("doctor", cwd=folder)
    assert "passed" in done.stdout
    assert "threads" in done.stdout


def test_doctor_warms_the_kernels(folder: Path) -> None:
    done = run("doctor", "--warm", cwd=folder)
    for dtype in ("uint8", "uint16", "int16", "float32", "float64"):
        assert f"warmed     {dtype}" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_no_partial_file(folder: Path, photo: np.ndarray, stop: signal.Signals) -> None:
    big = cv2.resize(photo, (3000, 2500))
    for n in range(40):
        cv2.imwrite(str(folder / f"big{n}.bmp"), big)
    process = subprocess.Popen(
        [*COMMAND, "warp", "big*.bmp", "-o", "out", "--rotate", "5"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob("out/*.bmp")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(stop)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in message
    assert "Traceback" not in message
    assert no_leftovers(folder)
    assert all(read(path).shape == big.shape for path in folder.glob("out/*.bmp"))


def test_a_closed_reader_gives_no_traceback(folder: Path, photo: np.ndarray) -> None:
    for n in range(300):
        (folder / f"some-long-name-{n}.png").write_bytes(b"")
    command = [*COMMAND, "warp", "*.png", "-o", "out", "--dry-run"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


# --- augment ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["R", "RTS", "P", "E"])
def test_augment_writes_copies_that_differ(folder: Path, photo: np.ndarray, recipe: str) -> None:
    run("augment", "photo.png", "-o", "more", "--recipe", recipe, "--copies", 3, cwd=folder)
    names = sorted(p.name for p in (folder / "more").iterdir())
    assert names == ["photo-0.png", "photo-1.png", "photo-2.png"]
    copies = [read(folder / "more" / name) for name in names]
    rows, columns = photo.shape[:2]
    assert {c.shape for c in copies} == {(180, 240, 3) if recipe == "RTS" else (rows, columns, 3)}
    assert not np.array_equal(copies[0], copies[1])
    assert all(copy.mean() > 0.2 * photo.mean() for copy in copies), "the picture is still there"


def test_augment_repeats_itself_whatever_else_is_done(folder: Path, photo: np.ndarray) -> None:
    cv2.imwrite(str(folder / "another.png"), photo[::-1])
    run("augment", "photo.png", "-o", "one", "--recipe", "P", "--copies", 2, cwd=folder)
    run("augment", "another.png", "photo.png", "-o", "two", "--recipe", "P", "--copies", 2, "--workers", 1, cwd=folder)
    run("augment", "photo.png", "-o", "three", "--recipe", "P", "--copies", 2, "--seed", 5, cwd=folder)
    for name in ("photo-0.png", "photo-1.png"):
        first = read(folder / "one" / name)
        assert np.array_equal(first, read(folder / "two" / name))
        assert not np.array_equal(first, read(folder / "three" / name))


def test_augment_is_told_a_folder(folder: Path) -> None:
    done = run("augment", "photo.png", "-o", "more.png", "--recipe", "R", cwd=folder, code=2)
    assert "--output must be a folder" in done.stderr
    assert no_leftovers(folder)
