"""Explicit vectors: the same pictures whatever the processor has, and no access outside arrays."""

import json
import mmap
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import INTERPOLATIONS, MODES, pixel_grid

import warpkit as wk

CHILD_SECONDS = 600

# What LLVM is told the processor has; the first is what it finds here.
AVX2 = "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+movbe,+lzcnt"
AVX512 = f"{AVX2},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
PROCESSORS = {
    "avx512": ("skylake-avx512", AVX512),
    "avx2": ("haswell", AVX2),
    "ssse3": ("core2", "+sse3,+ssse3"),
    "generic": ("x86-64", ""),
}

DTYPES = ("uint8", "uint16", "float32")
# Single matrices: the drivers for other maps take minutes to compile and call the same blocks, as bicubic sampling does here.
MAPS = (
    wk.Affine.similarity(0.8, 17, center=(40, 30)),
    wk.Projective([[0.9, 0.1, 2], [-0.1, 0.8, 5], [1e-3, 5e-4, 1]]),
)
# By type and interpolation: how far pixels may be from those computed in float64.
TOLERANCES = {
    ("uint8", "bilinear"): 0.53,
    ("uint8", "bicubic"): 0.55,
    ("uint8", "nearest"): 0,
    ("uint16", "bilinear"): 0.501,
    ("uint16", "nearest"): 0,
    ("float32", "bilinear"): 1e-4,
    ("float32", "nearest"): 0,
}


def pictures(dtypes, *, exact=False):
    """By type, interpolation, channels and map; ``exact`` if computed in float64, of the same pixels."""
    made = {}
    for dtype, interpolation in TOLERANCES:
        for channels in (1, 2, 3, 4, 5, 8) if dtype in dtypes else ():
            picture = np.random.default_rng(channels).integers(0, 256, (61, 83, channels)).astype(dtype)
            options = {"interpolation": interpolation, "mode": "constant" if interpolation == "nearest" else "reflect"}
            for n, inverse_map in enumerate(MAPS):
                source = picture.astype(np.float64) if exact else picture
                made[f"{dtype} {interpolation} {channels} {n}"] = wk.warp(source, inverse_map, (70, 300), **options)
    return made


# Arrays that begin or end where memory ends.
GUARDED = """
import ctypes, itertools, mmap
import numpy as np
import warpkit as wk

libc = ctypes.CDLL(None, use_errno=True)
kept = []

def guarded(shape, dtype, at_end):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
    kept.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        assert libc.mprotect(ctypes.c_void_p(start + page * mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
    offset = (pages + 1) * mmap.PAGESIZE - size if at_end else mmap.PAGESIZE
    return np.ndarray(shape, dtype, memory, offset)

count = 0
shapes = (9, 40), (33, 17), (2, 3), (1, 1)
for dtype, channels, shape in itertools.product(("uint8", "uint16", "float32"), (1, 2, 3, 4, 5, 7), shapes):
    rows, columns = shape
    maps = [
        wk.Affine.identity(),
        wk.Affine.similarity(1 - 1e-9, 0.0),
        wk.Affine.rotation(180, center=((columns - 1) / 2, (rows - 1) / 2)),
        wk.Affine.rotation(20, center=((columns - 1) / 2, (rows - 1) / 2)),
        wk.Projective([[1, 0, 0], [0, 1, 0], [1e-9, 0, 1]]),
        wk.Affine.identity() @ wk.Affine.identity(),
    ]
    ordinary = np.random.default_rng(0).integers(0, 256, (*shape, channels)).astype(dtype)
    # of 16 bits, bicubic sampling reads single pixels: it has no vectors that might reach too far
    interpolations = ("bilinear", "nearest") if dtype == "uint16" else ("bilinear", "nearest", "bicubic")
    for at_end, interpolation in itertools.product((False, True), interpolations):
        picture, out = guarded((*shape, channels), dtype, at_end), guarded((*shape, channels), dtype, at_end)
        picture[...] = ordinary
        for inverse_map in maps:
            wk.warp(picture, inverse_map, interpolation=interpolation, out=out)
            assert np.array_equal(out, wk.warp(ordinary, inverse_map, interpolation=interpolation))
            grid = wk.sampling_grid(inverse_map, shape)
            guarded_grid = guarded(grid.shape, np.float32, at_end)
            guarded_grid[...] = grid
            sampled = wk.sample(picture, guarded_grid, interpolation=interpolation, out=out)
            assert np.array_equal(sampled, wk.sample(ordinary, guarded_grid.copy(), interpolation=interpolation))
            count += 1
print(count)
"""


def child(script, tmp_path, **environment):
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    assert run.returncode == 0, f"exit code {run.returncode}\n{run.stderr[-3000:]}"
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def ours():
    return pictures(DTYPES)


@pytest.fixture(scope="module")
def exact():
    return {name: picture.clip(0, 255) for name, picture in pictures(DTYPES, exact=True).items()}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 processors")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_processor_makes_the_same_pictures(processor, ours, exact, tmp_path):
    llvm = pytest.importorskip("llvmlite.binding")
    name, features = PROCESSORS[processor]
    here = llvm.get_host_cpu_features()
    lacking = [feature for feature in features.replace("+", "").split(",") if feature and not here.get(feature, False)]
    if lacking:
        pytest.skip(f"this processor lacks {', '.join(lacking)}")
    # what processors have of their own is for 8 bits, and whether they multiply and add at once: two show that
    dtypes = DTYPES if processor in ("avx2", "generic") else ("uint8",)
    environment = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    child(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import numpy as np, test_vector_paths\n"
        f"np.savez('found.npz', **test_vector_paths.pictures({dtypes}))\n"
        "print(0)",
        tmp_path,
        **environment,
    )
    with np.load(tmp_path / "found.npz") as found:
        assert list(found) == [picture for picture in ours if picture.split()[0] in dtypes]
        for picture in found:
            dtype, interpolation, *_ = picture.split()
            if dtype == "uint8" or interpolation == "nearest":
                np.testing.assert_array_equal(found[picture], ours[picture], picture)
            error = np.abs(found[picture] - exact[picture]).max()
            assert error <= TOLERANCES[dtype, interpolation], picture


@pytest.mark.skipif(not hasattr(mmap, "PROT_READ"), reason="needs memory protection")
def test_no_access_outside_arrays_at_the_end_of_memory(tmp_path):
    assert child(GUARDED, tmp_path) > 1000


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_rows_cut_at_the_border_equal_rows_looked_at_point_by_point(dtype, mode, interpolation):
    """Two stages go another way than one matrix; the identity changes no bit."""
    rng = np.random.default_rng(5)
    for channels, (rows, columns) in ((1, (90, 700)), (3, (300, 80)), (4, (7, 9))):
        picture = rng.integers(0, 256, (rows, columns, channels)).astype(dtype)
        centre = ((columns - 1) / 2, (rows - 1) / 2)
        tilt = wk.Projective([[1, 0.2, -3], [0.1, 1, 4], [0.5 / columns, -2 / rows, 1.1]])
        for inverse_map in (
            wk.Affine.rotation(17, center=centre),
            wk.Affine.similarity(3, -40, center=centre),
            wk.Affine.similarity(0.01, 5, center=centre),
            wk.Affine.translation(-5 * columns, 0.5),
            tilt,
        ):
            options = {"output_shape": (70, 600), "mode": mode, "interpolation": interpolation, "cval": 9}
            once = wk.warp(picture, inverse_map, **options)
            np.testing.assert_array_equal(once, wk.warp(picture, wk.Affine.identity() @ inverse_map, **options))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, -0.0, 3e38])
def test_special_values_inside_a_block_stay_where_they_are(special):
    picture = np.random.default_rng(0).standard_normal((20, 50)).astype(np.float32)
    picture[8, 20], picture[9, 21] = special, -special
    whole = wk.warp(picture, wk.Affine.translation(3, 1), (15, 40))
    np.testing.assert_array_equal(whole.view(np.uint32), picture[1:16, 3:43].view(np.uint32))
    between = wk.warp(picture, wk.Affine.translation(3.5, 1.25), (15, 40))
    untouched = np.ones(between.shape, bool)
    untouched[6:9, 15:19] = False
    ordinary = np.where(np.isfinite(picture) & (np.abs(picture) < 1e38), picture, 0)
    expected = wk.warp(ordinary.astype(np.float64), wk.Affine.translation(3.5, 1.25), (15, 40))
    np.testing.assert_allclose(between[untouched], expected[untouched], rtol=0, atol=1e-5)
    assert np.isfinite(between[untouched]).all()


def test_means_of_the_largest_values_do_not_overflow():
    largest = np.finfo(np.float32).max
    picture = np.tile(np.array([largest, -largest], np.float32), (4, 20))
    result = wk.warp(picture, wk.Affine.translation(0.5, 0.5), (3, 39))
    np.testing.assert_array_equal(result, 0)


@st.composite
def splines(draw):
    count = draw(st.integers(3, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from([40.0, 150.0, 700.0]))
    points = random.uniform(-0.2, 1.2, (count, 2)) * size
    return points, points + random.normal(0, draw(st.sampled_from([1.0, 10.0, 60.0])), (count, 2))


@settings(max_examples=60)
@given(splines(), st.sampled_from([0.1, 0.01, 0.001]))
def test_splines_keep_to_the_tolerance(spline, tolerance):
    """Seen through a picture of its own coordinates, which bilinear sampling reads exactly."""
    points, values = spline
    shape, margin = (130, 300), 500
    exact = wk.ThinPlateSpline(points, values)(pixel_grid(*shape))
    ramp = pixel_grid(1300, 1500) - margin
    found = wk.warp(ramp, wk.ThinPlateSpline(points, values + margin), shape, tolerance=tolerance)
    inside = ((exact > 1 - margin) & (exact < 790)).all(axis=-1)
    assert np.linalg.norm(found - exact, axis=-1)[inside].max(initial=0) <= tolerance + 1e-9
    unbent = wk.warp(ramp, wk.ThinPlateSpline(points, values + margin), shape, tolerance=0)
    # weights of control points that lie close together are large, and their rounding errors with them
    assert np.linalg.norm(unbent - exact, axis=-1)[inside].max(initial=0) <= 1e-7


def test_bad_tolerances_are_refused():
    picture = np.zeros((4, 4))
    for wrong, error in ((-1, ValueError), (np.nan, ValueError), ("0.1", TypeError), (None, TypeError)):
        with pytest.raises(error, match="tolerance"):
            wk.warp(picture, wk.Affine.identity(), tolerance=wrong)
        with pytest.raises(error, match="tolerance"):
            wk.warp_batch(picture[None], wk.Affine.identity(), tolerance=wrong)
