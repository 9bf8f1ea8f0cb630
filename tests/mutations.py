"""Deliberate faults, one at a time, in a copy of the checkout: the tests must catch each. `make test-mutations`.

Kernels run without the compiler here, which is what makes this quick.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROPERTIES = "tests/test_properties.py"
BAD_INPUT, BAD_OPTIONS, BAD_TRANSFORMS = "tests/test_bad_input.py", "tests/test_bad_options.py", "tests/test_bad_transforms.py"

# File, what stands there, the fault, the tests that should catch it.
FAULTS = (
    ("warpkit/kernels/taps.py", "return 0 if i < 0 else size - 1", "return 0 if i < 0 else size - 2", PROPERTIES),
    ("warpkit/kernels/taps.py", "return max(2 * size - 2, 1)", "return max(2 * size - 1, 1)", PROPERTIES),
    ("warpkit/kernels/taps.py", "x - whole >= 0.5)", "x - whole > 0.5)", "tests/test_exactness.py -k nearest_takes"),
    ("warpkit/kernels/matrix_maps.py", "w = w if w > 0 else math.nan", "w = w if w != 0 else math.nan", BAD_INPUT),
    ("warpkit/kernels/matrix_maps.py", "sums[at + 1] += g * y", "sums[at + 1] += g * x", "tests/test_derivatives.py"),
    ("warpkit/kernels/spline_maps.py", "slope = 2.0 * (radial_log(", "slope = 1.0 * (radial_log(", "tests/test_transforms.py"),
    ("warpkit/checks.py", "if not np.isfinite(number):", "if np.isnan(number):", BAD_TRANSFORMS),
    ("warpkit/checks.py", "> SINGULAR * magnitude", ">= 0 * magnitude", BAD_INPUT),
    ("warpkit/checks.py", "if rows < 1 or columns < 1:", "if rows < 0 or columns < 0:", BAD_OPTIONS),
    ("warpkit/checks.py", "if len(src) < minimum:", "if len(src) < minimum - 1:", BAD_TRANSFORMS),
    (
        "cli/exif.py",
        "if exif_orientation in (2, 3, 6, 7):",
        "if exif_orientation in (2, 3, 5, 7):",
        "tests/test_picture_files.py",
    ),
    ("cli/manifest.py", 'or ".." in _PARTS.split(target)', "", "tests/test_batches.py"),
)


def caught(copy: Path, file: str, original: str, fault: str, tests: str) -> bool:
    """Whether the tests fail with the fault in place."""
    path = copy / file
    text = path.read_text()
    assert text.count(original) == 1, f"{file}: {original!r} must stand there once"
    path.write_text(text.replace(original, fault))
    # Not installed: found ahead of the checkout, under both of its names.
    surroundings = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--numprocesses=0", "-p", "no:cacheprovider", *tests.split()]
    done = subprocess.run(command, cwd=copy, env=surroundings, capture_output=True, text=True, check=False)
    path.write_text(text)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 1


def main() -> int:
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        copy.mkdir()
        for part in ("warpkit", "cli", "tests", "fuzz"):
            shutil.copytree(ROOT / part, copy / part)
        shutil.copy(ROOT / "pyproject.toml", copy)
        (copy / "warpkit_cli").symlink_to("cli")
        for file, original, fault, tests in FAULTS:
            found = caught(copy, file, original, fault, tests)
            missed += not found
            print("caught" if found else "MISSED", f"{file}: {original}  ->  {fault or 'nothing'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
