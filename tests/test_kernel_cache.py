"""Compiled kernels on disk: found again, and never in the way when the disk is not as it should be."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import warpkit as wk

# Compilations on a busy machine; only a hang reaches it.
CHILD_SECONDS = 300

PACKAGE = Path(wk.__file__).parent

# A kernel that compiles quickly. Scripts print a result, how many kernels came from the cache and how many were compiled.
TINY_MODULE = """
from warpkit.kernels.compiling import driver


@driver
def doubled_sum(values):
    total = 0.0
    for value in values:
        total += 2.0 * value
    return total
"""
TINY = """
import json
import numpy as np
from tiny import doubled_sum

result = doubled_sum(np.arange(5.0))
print(json.dumps([result, sum(doubled_sum.stats.cache_hits.values()), sum(doubled_sum.stats.cache_misses.values())]))
"""
COMPILED, LOADED = [20.0, 0, 1], [20.0, 1, 0]
PICTURES = """
import json
import numpy as np
import warpkit as wk
from warpkit.kernels.cpu import warp_tiles

image = (np.arange(42, dtype=np.uint8) * 6).reshape(6, 7)
maps = [
    wk.DisplacementField([[[0.5, 0.25], [-1.0, 0.0]], [[0.0, 2.0], [0.3, 0.3]]]),
    wk.Affine.rotation(20, (3, 2)),
    wk.Projective([[1, 0.1, 0], [0, 1, 0.5], [0.02, -0.01, 1]]),
    wk.ThinPlateSpline([[0, 0], [6, 0], [0, 5], [6, 5]], [[0, 0.5], [6, 0], [0.3, 5], [6, 4]]).inverse,
]
options = [{"mode": "constant", "cval": 9}, {"mode": "reflect"}, {"mode": "edge", "interpolation": "nearest"}]
calls = [(inverse_map, option) for inverse_map in maps for option in options]
pictures = [wk.warp(image, inverse_map, **option).tolist() for inverse_map, option in calls]
stats = getattr(warp_tiles, "stats", None)
print(json.dumps([pictures, sum(stats.cache_hits.values()) if stats else 0, sum(stats.cache_misses.values()) if stats else 0]))
"""


# One of the kernels for pictures: the others take longer to compile.
TURNED = """
import json
import numpy as np
import warpkit as wk
from warpkit.kernels.cpu_matrix import warp_matrix_tiles

turned = wk.warp(np.arange(42.0).reshape(6, 7), wk.Affine.rotation(20, (3, 2)), interpolation="nearest")
stats = warp_matrix_tiles.stats
print(json.dumps([turned.tolist(), sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]))
"""


def run(script, cwd=None, **environment):
    """What a script printed in a fresh interpreter, as [result, kernels from the cache, kernels compiled]."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected_pictures():
    """Computed with whatever cache this process has."""
    return run(PICTURES)[0]


@pytest.fixture
def run_tiny(tmp_path):
    """Run the tiny kernel, with its own cache unless told otherwise, in a folder from where a copy of the package may come."""
    (tmp_path / "tiny.py").write_text(TINY_MODULE)

    def run_in_folder(script=TINY, **environment):
        return run(script, cwd=tmp_path, **{"NUMBA_CACHE_DIR": str(tmp_path / "cache"), **environment})

    return run_in_folder


# --- the cache at work -----------------------------------------------------------------------------------------------------


def test_kernels_are_loaded_from_the_cache_and_compiled_when_it_is_damaged(tmp_path):
    environment, expected = {"NUMBA_CACHE_DIR": str(tmp_path)}, run(TURNED)[0]
    assert run(TURNED, **environment) == [expected, 0, 1]
    before = contents(tmp_path)
    assert {path.suffix for path in before} == {".nbi", ".nbc"}
    assert run(TURNED, **environment) == [expected, 1, 0]
    assert contents(tmp_path) == before
    for path in tmp_path.rglob("*.nbc"):
        path.write_bytes(cut(path.read_bytes()))
    assert run(TURNED, **environment) == [expected, 0, 1]


def test_processes_may_fill_a_cache_together(run_tiny):
    with ThreadPoolExecutor(3) as pool:
        results = [future.result() for future in [pool.submit(run_tiny) for _ in range(3)]]
    assert {result[0] for result in results} == {20}
    assert run_tiny() == LOADED


def copy_of_package(folder):
    """A copy of the sources, without caches; a script that runs in ``folder`` imports it."""
    shutil.copytree(PACKAGE, folder / "warpkit", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "warpkit"


def test_a_change_in_any_kernel_source_compiles_anew(tmp_path, run_tiny):
    package = copy_of_package(tmp_path)
    assert run_tiny() == COMPILED
    assert run_tiny() == LOADED
    with (package / "kernels" / "maps.py").open("a") as source:
        source.write("\n# changed\n")
    assert run_tiny() == COMPILED
    assert run_tiny() == LOADED


# --- a damaged cache -------------------------------------------------------------------------------------------------------


def empty(data):
    return b""


def cut(data):
    return data[: len(data) // 2]


def garbage(data):
    return np.random.default_rng(0).bytes(len(data))


def zeros_at(place):
    """What a file system may leave after a power failure: the right size, a block of zeros somewhere."""

    def zero_block(data):
        start, size = int(place * len(data)), len(data) // 8
        return data[:start] + bytes(size) + data[start + size :]

    return zero_block


DAMAGES = {"empty": empty, "cut": cut, "garbage": garbage, "zeros early": zeros_at(0.05), "zeros late": zeros_at(0.6)}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_cache_costs_a_compilation(tmp_path, run_tiny, suffix, damage):
    assert run_tiny() == COMPILED
    (path,) = (tmp_path / "cache").rglob(f"*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    assert run_tiny() == COMPILED
    assert run_tiny() == LOADED, "the cache should be mended"


def test_a_missing_file_of_the_cache_costs_a_compilation(tmp_path, run_tiny):
    assert run_tiny() == COMPILED
    (path,) = (tmp_path / "cache").rglob("*.nbc")
    path.unlink()
    assert run_tiny() == COMPILED
    assert run_tiny() == LOADED


# --- no cache --------------------------------------------------------------------------------------------------------------


def not_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    "place",
    [not_a_folder, lambda tmp_path: not_a_folder(tmp_path) / "below", lambda tmp_path: Path("/proc/no/such/folder")],
    ids=["a file", "below a file", "not writable"],
)
def test_an_impossible_cache_folder_is_not_in_the_way(tmp_path, place, expected_pictures):
    assert run(PICTURES, NUMBA_CACHE_DIR=str(place(tmp_path)))[0] == expected_pictures


def test_without_any_writable_folder_every_process_compiles(tmp_path, run_tiny):
    (tmp_path / "__pycache__").write_bytes(b"a file where a folder should be")
    nowhere = dict.fromkeys(["HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "IPYTHONDIR"], str(not_a_folder(tmp_path) / "below"))
    assert run_tiny(**nowhere)[0] == 20
    assert not list(tmp_path.rglob("*.nb?"))


def test_a_cache_folder_that_vanishes_is_not_in_the_way(run_tiny):
    vanish = "import shutil, os\nimport tiny\nshutil.rmtree(os.environ['NUMBA_CACHE_DIR'])\n"
    assert run_tiny(vanish + TINY)[0] == 20


def test_the_same_bits_without_compiling(expected_pictures):
    assert run(PICTURES, NUMBA_DISABLE_JIT="1") == [expected_pictures, 0, 0]


# --- importing -------------------------------------------------------------------------------------------------------------

IMPORT = """
import json, sys
import numpy, numba
from numba.core.dispatcher import Dispatcher

before = set(sys.modules)  # numba itself imports scipy where there is one
import warpkit

modules = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == "warpkit"]
dispatchers = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
compiled = [dispatcher.__name__ for dispatcher in dispatchers if dispatcher.signatures]
imported = {name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
print(json.dumps([sorted(imported), len(dispatchers), compiled]))
"""


def test_importing_compiles_nothing_and_imports_no_other_library():
    imported, dispatchers, compiled = run(IMPORT)
    assert set(imported) <= {"warpkit", "numba", "numpy", "llvmlite"}
    assert dispatchers > 10
    assert compiled == []


def test_importing_writes_nothing(tmp_path):
    assert run("import warpkit\nprint('[]')", NUMBA_CACHE_DIR=str(tmp_path / "cache")) == []
    assert contents(tmp_path) == {}
