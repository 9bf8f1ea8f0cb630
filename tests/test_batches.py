"""Which pictures a run makes, and how: folders, manifests, options files, clashes, resuming."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import PHOTO, invoke, names

pytestmark = pytest.mark.usefixtures("five_pictures")

# --- which files -----------------------------------------------------------------------------------------------------------


def test_clashing_outputs_fail_by_name_and_the_first_is_made() -> None:
    cv2.imwrite("0.png", PHOTO)
    done = invoke("warp", "in", "0.png", "./in/1.png", "-o", "out", code=1)
    assert "failed: 0.png: would be written to the same file as in/0.png" in done.stderr
    assert "failed: in/1.png: would be written to the same file as in/1.png" in done.stderr
    assert names("out") == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert np.array_equal(cv2.imread("out/1.png"), cv2.imread("in/1.png"))


def test_links_in_the_way_to_a_folder_do_not_hide_a_clash() -> None:
    Path("out").mkdir()
    Path("linked").symlink_to("out")
    Path("list.csv").write_text("input,output\nin/0.png,out/a.png\nin/1.png,linked/a.png\n")
    done = invoke("warp", "--manifest", "list.csv", "-o", ".", code=1)
    assert "failed: in/1.png: would be written to the same file as in/0.png" in done.stderr


def test_an_output_that_is_an_input_fails() -> None:
    before = Path("in/0.png").read_bytes()
    done = invoke("warp", "in/0.png", "-o", "in/0.png", "--rotate", 5, "--overwrite", code=1)
    assert "is an input" in done.stderr
    Path("list.csv").write_text("input,output\nin/1.png,0.png\nin/0.png,9.png\n")
    done = invoke("warp", "--manifest", "list.csv", "-o", "in", "--overwrite", code=1)
    assert "failed: in/1.png: its output in/0.png is an input" in done.stderr
    assert Path("in/0.png").read_bytes() == before


def test_an_input_by_a_link_is_not_overwritten() -> None:
    Path("linked.png").symlink_to("in/0.png")
    done = invoke("warp", "linked.png", "-o", "in/0.png", "--overwrite", code=1)
    assert "its output is the input itself" in done.stderr


def test_the_output_folder_is_not_searched() -> None:
    invoke("warp", "in", "-o", "in/out")
    invoke("warp", "in", "-o", "in/out", "--overwrite")
    assert names("in/out") == ["0.png", "1.png", "2.png", "3.png", "4.png"]


def test_a_folder_that_cannot_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in/closed").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    done = invoke("warp", "in", "-o", "out", code=1)
    assert "failed: in/closed: cannot be listed: Permission denied" in done.stderr
    assert len(names("out")) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have Unicode names only")
def test_names_of_all_kinds() -> None:
    odd = [
        "with space.png",
        "žluťoučký 猫.png",
        "-dash.png",
        "new\nline.png",
        os.fsdecode(b"not\xffunicode.png"),
        "n" * 251 + ".png",
    ]
    Path("odd").mkdir()
    for name in odd:
        Path("odd", name).write_bytes(Path("in/0.png").read_bytes())
    Path("odd", os.fsdecode(b"broken\xff.png")).write_bytes(b"")
    done = invoke("warp", "odd", "-o", "out", "--report", "report.jsonl", code=1)
    assert "broken\\xff.png" in done.stderr or "broken\\udcff.png" in done.stderr
    assert names("out") == sorted(odd)
    assert len(Path("report.jsonl").read_text().splitlines()) == 7
    invoke("warp", "odd", "-o", "more", "--dry-run")


def test_names_with_a_leading_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("in")
    Path("0.png").rename("-o.png")
    invoke("warp", "-o", "one.png", "--", "-o.png")
    invoke("warp", "./-o.png", "-o", "two.png")
    assert np.array_equal(cv2.imread("one.png"), PHOTO)
    assert np.array_equal(cv2.imread("two.png"), PHOTO)
    assert "No such option" in invoke("warp", "-x.png", "-o", "out", code=2).stderr


def test_format_changes_all_outputs_of_a_folder() -> None:
    invoke("warp", "in", "-o", "out", "--format", "webp")
    assert names("out") == [f"{n}.webp" for n in range(5)]
    assert "said by its name" in invoke("warp", "in/0.png", "-o", "out.png", "-f", "jpg", code=2).stderr


# --- manifests -------------------------------------------------------------------------------------------------------------


def test_a_manifest_with_options_for_each_picture() -> None:
    Path("map.json").write_text('{"family": "affine"}')
    Path("list.csv").write_text(
        'input,output,rotate,translate,quad,size\n'
        'in/0.png,a.png,,,,\n'
        'in/1.png,deep/b.png,180,,,\n'
        'in/2.png,c.png,,"3,2",,\n'
        '"in/3.png",d.png,,,"0,0 79,0 79,59 0,59",40x30\n'
    )  # fmt: skip
    invoke("warp", "--manifest", "list.csv", "-o", "out", "--rotate", 90, "--size", "fit", "--translate", "0,0")
    read = [cv2.imread(f"in/{n}.png") for n in range(4)]
    assert np.array_equal(cv2.imread("out/a.png"), np.rot90(read[0], -1))
    assert np.array_equal(cv2.imread("out/deep/b.png"), read[1][::-1, ::-1])
    assert np.array_equal(cv2.imread("out/c.png"), np.rot90(read[2], -1))
    assert cv2.imread("out/d.png").shape == (30, 40, 3)


def test_a_line_replaces_the_commands_map() -> None:
    Path("list.jsonl").write_text(
        '{"input": "in/0.png", "output": "a.png", "matrix": [1, 0, 2, 0, 1, 0]}\n\n{"input": "in/0.png", "output": "b.png"}\n'
    )
    invoke("warp", "--manifest", "list.jsonl", "-o", "out", "--quad", "5,0 84,0 84,59 5,59")
    read = cv2.imread("in/0.png")
    assert np.array_equal(cv2.imread("out/a.png")[:, 2:], read[:, :-2])
    assert np.array_equal(cv2.imread("out/b.png")[:, 5:], read[:, :-5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns input,output"),
        ("input,target\n", "line 1: expected the columns input,output"),
        ("input,output,rotation\n", "rotation"),
        ("input,output,input\n", "line 1"),
        ('input,"out\n', "line 1"),
    ],
)
def test_headers_of_manifests_are_checked(text: str, message: str) -> None:
    Path("list.csv").write_text(text)
    assert message in invoke("warp", "--manifest", "list.csv", "-o", "out", code=2).stderr


BAD_LINES = {
    "list.csv": [
        ("in/0.png", "expected 3 fields, got 1"),
        (",x.png,", "input must be a file name"),
        ("in/0.png,,", "output must be a file name"),
        ("in/0.png,.,", "output must be a file name"),
        ("in/0.png,sub/,", "output must be a file name"),
        ("in/0.png,x.png,round", "rotate: 'round' is not a valid float"),
        ("in/0.png,x.png,inf", "rotate: expected a finite number, got 'inf'"),
        ("in/0.png,../x.png,", "leaves the output folder;"),
        ("in/0.png,deep/../../x.png,", "leaves the output folder;"),
        ("in/0.png,/x.png,", "leaves the output folder;"),
        ("in/0.png,linked/x.png,", "leaves the output folder by a link"),
        ("in/0.png,linked/deeper/x.png,", "leaves the output folder by a link"),
        ('in/0.png,"x".png,', "expected after"),
    ],
    "list.jsonl": [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["in/0.png", "x.png"]', "expected an object"),
        ('{"input": "in/0.png"}', "output must be a file name, got None"),
        ('{"input": 5, "output": "x.png"}', "input must be a file name, got 5"),
        ('{"input": "in/0.png", "output": "x\\u0000.png"}', "output must be a file name"),
        ('{"input": "in/0.png", "output": "x.png", "rotation": 5}', "rotation: no such field"),
        ('{"input": "in/0.png", "output": "x.png", "matrix": [1, 2, {}, 4, 5, 6]}', "matrix: expected a,b,c,d,e,f"),
        ('{"input": "in/0.png", "output": "x.png", "size": "0x5"}', "size: expected a size"),
        ('{"input": "in/0.png", "output": "x.png", "rotate": [5]}', "rotate: expected float, got [5]"),
        ('{"input": "in/0.png", "output": "x.png", "rotate": true}', "rotate: expected a value, got True"),
        ('{"input": "in/0.png", "output": "x.png", "order": [2]}', "order: expected integer range, got [2]"),
        ('{"input": "in/0.png", "output": "x.png", "map": 5}', "map: expected a file name, got 5"),
        ('{"input": "in/0.png", "output": "../x.png"}', "leaves the output folder;"),
    ],
}


@pytest.mark.parametrize("name", list(BAD_LINES))
def test_bad_lines_are_told_and_the_others_made(name: str) -> None:
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/linked").symlink_to("../elsewhere")
    csv = name.endswith("csv")
    good = (
        ["in/1.png,1.png,5", "in/2.png,2.png,"]
        if csv
        else ['{"input": "in/1.png", "output": "1.png"}', '{"input": "in/2.png", "output": "2.png"}']
    )
    lines = (["input,output,rotate"] if csv else []) + [good[0], *(line for line, _ in BAD_LINES[name]), good[1]]
    Path(name).write_text("\n".join(lines) + "\n")
    done = invoke("warp", "--manifest", name, "-o", "out", code=1)
    for number, (_, message) in enumerate(BAD_LINES[name], start=3 if csv else 2):
        (told,) = [line for line in done.stderr.splitlines() if f"{name}, line {number}: " in line]
        assert message in told
    assert sorted(names("out")) == ["1.png", "2.png"]
    assert not names("elsewhere")
    dry = invoke("warp", "--manifest", name, "-o", "out", "--dry-run", "--overwrite", code=1)
    own = ' {"rotate": "5"}' if csv else ""
    assert dry.stdout.splitlines() == [f"in/1.png -> out/1.png{own}", "in/2.png -> out/2.png"]


def test_allow_outside_permits_it() -> None:
    Path("list.csv").write_text("input,output\nin/0.png,../x.png\n")
    invoke("warp", "--manifest", "list.csv", "-o", "out/deep", "--allow-outside")
    assert Path("out/x.png").exists()


def test_manifests_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "\ufeffinput,output\nin/0.png,x.png\nin/1.png,ä.png\n".encode() + b"in/2.png,\xff.png\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="ascii"))
    invoke("warp", "--manifest", "-", "-o", "out")
    assert sorted(names("out")) == sorted(["x.png", "ä.png", os.fsdecode(b"\xff.png")])


def test_a_manifest_of_no_pictures_is_done_at_once() -> None:
    Path("list.csv").write_text("input,output\n")
    assert invoke("warp", "--manifest", "list.csv", "-o", "out").stderr == "0 pictures warped\n"


def test_manifests_say_all_themselves() -> None:
    Path("list.csv").write_text("input,output\nin/0.png,x.png\n")
    assert "not both" in invoke("warp", "in", "--manifest", "list.csv", "-o", "out", code=2).stderr
    assert "names its outputs" in invoke("warp", "--manifest", "list.csv", "-o", "o", "-f", "jpg", code=2).stderr
    assert "No such file" in invoke("warp", "--manifest", "none.csv", "-o", "out", code=2).stderr
    assert "--manifest" in invoke("warp", "-o", "out", code=2).stderr


def test_augment_takes_manifests() -> None:
    Path("list.csv").write_text("input,output\nin/0.png,x.png\nin/1.png,../y.png\n")
    invoke("augment", "--manifest", "list.csv", "-o", "out", "--recipe", "R", "--copies", 2, code=1)
    assert names("out") == ["x-0.png", "x-1.png"]


def test_dry_run_tells_what_would_fail() -> None:
    Path("list.csv").write_text("input,output\nin/0.png,a.png\nin/none.png,b.png\nin/1.png,c.xyz\nin/1.png,d\nin/2.png,e.png\n")
    Path("out").mkdir()
    Path("out/e.png").write_bytes(b"")
    arguments = ["warp", "--manifest", "list.csv", "-o", "out"]
    dry, done = (invoke(*arguments, *option, code=1) for option in (["--dry-run"], []))
    assert dry.stdout == "in/0.png -> out/a.png\n"
    assert sorted(dry.stderr.splitlines()) == sorted(done.stderr.splitlines()[:-1])
    for message in ("cannot be read: No such file", "out/c.xyz has no suffix", "out/d has no suffix", "out/e.png exists; use"):
        assert message in dry.stderr
    again = invoke(*arguments, "--dry-run", "--resume", code=1).stdout
    assert "in/2.png -> out/e.png (exists: skipped if it is whole)\n" in again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "-o", "out.png"], "--output must be a folder for several pictures, got out.png"),
        (["in/0.png", "in/1.png", "-o", "out.png"], "--output must be a folder for several pictures, got out.png"),
        (["in/0.png", "-o", "out.jxl"], "--output out.jxl: no format is known by that suffix"),
        (["in/0.png", "-o", "-"], "not pipes, got -"),
        (["-", "-o", "out.png"], "not pipes, got -"),
        (["in/0.png", "-o", "out.png", "--cval", "nan"], "'--cval' / '--background': expected a finite number, got 'nan'"),
        (["in/0.png", "-o", "out.png", "--scale", "0"], "--scale: matrix must not be singular"),
        (["in/0.png", "-o", "out.png", "--shear", "90,0"], "--shear: degrees_x must not be 90"),
        (["in/0.png", "-o", "out.png", "--swirl", "90,0"], "--swirl: radius must be positive"),
        (["in/0.png", "-o", "out.png", "--polar", "0"], "--polar: radius must be above 0"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_is_made(arguments: list[str], message: str) -> None:
    assert message in invoke("warp", *arguments, code=2).stderr
    assert sorted(os.listdir()) == ["in"]


# --- options files ---------------------------------------------------------------------------------------------------------


def test_an_options_file_holds_all_options_and_the_command_line_has_the_last_word() -> None:
    Path("job.toml").write_text(
        'inputs = ["in"]\noutput = "out"\nrotate = 180\ntranslate = [1, 2]\nsize = "same"\nresume = true\n'
    )
    invoke("warp", "--options", "job.toml", "--translate", "0,0")
    assert np.array_equal(cv2.imread("out/0.png"), PHOTO[::-1, ::-1])
    assert "5 skipped" in invoke("warp", "--options", "job.toml", "--translate", "0,0").stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rotate = 5\nrotat = 6\n", "line 2: rotat: no such option; did you mean rotate?"),
        ("\nrotate = 'much'\n", "line 2: rotate: 'much' is not a valid float"),
        ("\n\nmode = 'mirror'\n", "line 3: mode: 'mirror' is not one of"),
        ("matrix = [1, 2]\n", "line 1: matrix: expected a,b,c,d,e,f"),
        ("resume = 'yes'\n", "line 1: resume: expected true or false"),
        ("rotate = true\n", "line 1: rotate: expected a value, got True"),
        ("[rotate]\nx = 5\n", "line 1: rotate: expected a value"),
        ("rotate = \n", "line 1"),
        ("help = true\n", "line 1: help: no such option"),
        ("report = 5\n", "line 1: report: expected a file name, got 5"),
        ("workers = 0\n", "line 1: workers: 0 is not in the range"),
        ("a b = 5\n", "line 1"),
        ("cval = 1\nrotate = [1, 2]\n", "line 2: rotate: expected float, got [1, 2]"),
        ("workers = 2020-01-01\n", "line 1: workers: expected integer range, got datetime.date(2020, 1, 1)"),
        ("rotate = 1" + 400 * "0" + "\n", "line 1: rotate: expected float, got 1000"),
    ],
)
def test_errors_of_options_files_have_line_and_field(text: str, message: str) -> None:
    Path("job.toml").write_text(text)
    done = invoke("warp", "in", "-o", "out", "--options", "job.toml", code=2)
    assert "--options job.toml" in done.stderr
    assert message in done.stderr


def test_options_files_that_cannot_be_read() -> None:
    Path("job.toml").write_bytes(b"\xff\xfe")
    assert "--options job.toml" in invoke("warp", "in", "-o", "out", "--options", "job.toml", code=2).stderr
    assert "does not exist" in invoke("warp", "in", "-o", "out", "--options", "none.toml", code=2).stderr
