"""What is built, shipped and promised: the wheel, the README's Python, the examples."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
LEAST_STEREO_GAIN = 5.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the tree with the build tools at hand."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ignored.returncode != 0:
        pytest.skip("the list of files comes from git")
    for name in ignored.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)], check=True, capture_output=True
    )
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"warpkit", "warpkit_cli"}
    for path in [*(ROOT / "warpkit").rglob("*.py"), ROOT / "warpkit" / "py.typed"]:
        assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "cli").glob("*.py"):
        assert f"warpkit_cli/{path.name}" in names


def test_installed_wheel_gives_a_working_command(wheel: Path, tmp_path: Path) -> None:
    """Installed into a folder of its own, ahead of the checkout; the packages it needs are those of the test environment."""
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    program = (
        "import warpkit, warpkit_cli, sys; from pathlib import Path\n"
        "assert all(Path(m.__file__).is_relative_to(sys.argv[1]) for m in (warpkit, warpkit_cli))\n"
        "site = sys.argv.pop(1); from warpkit_cli.main import main; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    photo, turned = ROOT / "docs" / "panel.jpg", tmp_path / "turned.png"
    command = [sys.executable, "-c", program, str(site), "warp", str(photo), "-o", str(turned), "--rotate", "20"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert turned.stat().st_size > 0


NOT_RUN = {"cuda.md"}  # needs a device
WITH_PYTHON = [path for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if "```python" in path.read_text()]


@pytest.mark.parametrize("document", [path for path in WITH_PYTHON if path.name not in NOT_RUN], ids=lambda path: path.stem)
def test_python_of_the_documents_runs(document: Path, tmp_path: Path) -> None:
    """As a reader tries it: each block as it stands, after those above it."""
    blocks = re.findall(r"```python\n(.*?)```", document.read_text(), flags=re.DOTALL)
    if importlib.util.find_spec("torch") is None:
        blocks = [block for block in blocks if "import torch" not in block]
    if any("zarr.open" in block for block in blocks):
        zarr = pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
        for name in ("huge.zarr", "big.zarr"):
            zarr.create_array(tmp_path / name, data=np.ones((30, 40), np.uint8))
    subprocess.run([sys.executable, "-W", "error", "-c", "".join(blocks)], cwd=tmp_path, check=True)


def test_commands_of_the_readme_are_understood(tmp_path: Path) -> None:
    """Each line of the shell section that starts with warpkit, on made-up files."""
    import cv2
    import skimage.data

    picture = skimage.data.chelsea()[:, :440]
    for folder in ("photos", "scans", "frames"):
        (tmp_path / folder).mkdir()
    for name in ("cat.jpg", "cat.png", "photos/a.jpg", "scans/b.tif", "scan.jpg", "page.png", "frames/0.png", "frames/1.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "pairs.csv").write_text(
        "source_x,source_y,target_x,target_y\n0,0,5,5\n400,0,390,5\n0,280,9,270\n200,100,210,90\n"
    )
    (tmp_path / "list.csv").write_text("input,output,rotate,map\nphotos/a.jpg,a.jpg,15,\ncat.png,sub/cat.png,,bend.json\n")
    (tmp_path / "job.toml").write_text('inputs = ["photos/"]\noutput = "job"\nrotate = 15\nsize = "fit"\n')
    section = (ROOT / "README.md").read_text().split("## From the shell")[1].split("##")[0]
    lines = [line.split("#")[0] for line in section.splitlines() if line.startswith("warpkit")]
    assert len(lines) == 15
    run = f'"{sys.executable}" -c "from warpkit_cli.main import main; main()"'
    for line in lines:
        command = run + line.removeprefix("warpkit")
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)


def test_stereo_example_lowers_the_difference(tmp_path: Path) -> None:
    example = ROOT / "examples" / "stereo.py"
    done = subprocess.run(
        [sys.executable, str(example), "stereo.png"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    gains = [float(gain) for gain in re.findall(r"([\d.]+) x$", done.stdout, flags=re.MULTILINE)]
    assert gains[1] >= LEAST_STEREO_GAIN
    for line in done.stdout.splitlines()[:2]:
        before, after = re.findall(r"([\d.]+) -> ([\d.]+)", line)[0]
        assert f"| {before} | {after} |" in (ROOT / "examples" / "README.md").read_text()


def test_alignment_example_finds_the_motion(tmp_path: Path) -> None:
    example = ROOT / "examples" / "align.py"
    done = subprocess.run([sys.executable, str(example), "align.png"], cwd=tmp_path, capture_output=True, text=True, check=True)
    before, after = map(float, re.findall(r"off by ([\d.]+) -> ([\d.]+) px", done.stdout)[0])
    assert before > 30
    assert after < 0.2
