"""Bad options, output shapes, sizes, ``out`` and numbers of threads: refused by name, before anything is allocated."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from refusals import BATCH, GRID, IDENTITY, IMAGE, refuses, table, warp_with

import warpkit as wk
from warpkit import Affine, DisplacementField, ThinPlateSpline

# Refused before anything near its size is allocated.
SMALL_ALLOCATION_BYTES = 64 * 2**20
SUBPROCESS_SECONDS = 120


def image_of(dtype):
    return np.zeros((3, 3), dtype)


BAD_OPTIONS = {
    "unknown interpolation": (warp_with(interpolation="bicubik"), ValueError, "^interpolation.*'nearest'.*bicubik"),
    "interpolation by number": (warp_with(interpolation=1), ValueError, "^interpolation"),
    "interpolation None": (warp_with(interpolation=None), ValueError, "^interpolation"),
    "interpolation list": (warp_with(interpolation=["nearest"]), ValueError, "^interpolation"),
    "unknown mode": (warp_with(mode="mirror"), ValueError, "^mode.*'reflect'.*mirror"),
    "mode by number": (warp_with(mode=0), ValueError, "^mode"),
    "mode None": (warp_with(mode=None), ValueError, "^mode"),
    "cval NaN": (warp_with(cval=np.nan), ValueError, "^cval"),
    "cval infinite": (warp_with(cval=-np.inf, image=image_of("f4")), ValueError, "^cval"),
    "cval None": (warp_with(cval=None), TypeError, "^cval"),
    "cval text": (warp_with(cval="black"), TypeError, "^cval"),
    "cval complex": (warp_with(cval=1j), TypeError, "^cval"),
    "cval numpy complex": (warp_with(cval=np.complex128(1 + 2j)), TypeError, "^cval"),
    "cval timedelta": (warp_with(cval=np.timedelta64(3)), TypeError, "^cval"),
    "cval masked": (warp_with(cval=np.ma.masked), (TypeError, ValueError), "^cval"),
    "cval for three channels of one": (warp_with(cval=[1, 2, 3]), ValueError, "^cval.*each channel"),
    "cval ragged": (warp_with(cval=[1, [2, 3]]), ValueError, "^cval.*ragged"),
    "cval huge integer": (warp_with(cval=10**400), ValueError, "^cval"),
    "cval 256 for uint8": (warp_with(cval=256), ValueError, "^cval.*255.*uint8"),
    "cval -1 for uint8": (warp_with(cval=-1), ValueError, "^cval"),
    "cval 2 for bool": (warp_with(cval=2, image=image_of(bool)), ValueError, "^cval"),
    "cval 128 for int8": (warp_with(cval=128, image=image_of("i1")), ValueError, "^cval"),
    "cval 65536 for uint16": (warp_with(cval=65536, image=image_of("u2")), ValueError, "^cval"),
    "cval -32769 for int16": (warp_with(cval=-32769, image=image_of("i2")), ValueError, "^cval"),
    "cval 2^31 for int32": (warp_with(cval=2**31, image=image_of("i4")), ValueError, "^cval"),
    "cval -1 for uint64": (warp_with(cval=-1, image=image_of("u8")), ValueError, "^cval"),
    "cval 2^63 for int64": (warp_with(cval=2.0**63, image=image_of("i8")), ValueError, "^cval"),
    "cval 1e5 for float16": (warp_with(cval=1e5, image=image_of("f2")), ValueError, "^cval"),
    "cval 1e39 for float32": (warp_with(cval=1e39, image=image_of("f4")), ValueError, "^cval"),
    "an unknown option": (warp_with(order=1), TypeError, "order"),
}


@table(BAD_OPTIONS)
def test_bad_options_are_refused(call, error, message):
    refuses(call, error, message)


def test_all_functions_refuse_the_same_options():
    for bad in ({"interpolation": "a"}, {"mode": "a"}, {"cval": np.nan}):
        (name,) = bad
        refuses(lambda bad=bad: wk.warp_batch(BATCH, IDENTITY, **bad), ValueError, f"^{name}")
        refuses(lambda bad=bad: wk.sample(IMAGE, GRID, **bad), ValueError, f"^{name}")


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8", ">u2", ">f4"])
def test_cval_at_the_ends_of_the_range_is_kept(dtype):
    image = np.ones((2, 2), dtype)
    limits = np.finfo(dtype) if image.dtype.kind == "f" else np.iinfo(dtype) if dtype != "?" else None
    for value in (limits.min, limits.max) if limits else (False, True):
        assert (wk.warp(image, Affine.translation(9, 9), cval=float(value)) == value).all()


BAD_SHAPES = {
    "a number": (5, TypeError),
    "a float": ((5.0, 5), TypeError),
    "a bool": ((True, 5), TypeError),
    "text": ("55", TypeError),
    "strings": (("5", "5"), TypeError),
    "None inside": ((None, 5), TypeError),
    "NaN": ((np.nan, 5), TypeError),
    "one number": ((5,), TypeError),
    "three numbers": ((5, 5, 3), TypeError),
    "an array of floats": (np.array([5.0, 5.0]), TypeError),
    "no rows": ((0, 5), ValueError),
    "negative": ((5, -1), ValueError),
    "2^31 rows": ((2**31, 1), ValueError),
    "10^30 columns": ((1, 10**30), ValueError),
}


@pytest.mark.parametrize(("shape", "error"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_bad_output_shapes_are_refused(shape, error):
    refuses(lambda: wk.warp(IMAGE, IDENTITY, shape), error, "^output_shape")
    refuses(lambda: wk.warp_batch(BATCH, IDENTITY, shape), error, "^output_shape")
    refuses(lambda: wk.sampling_grid(IDENTITY, shape), error, "^output_shape")


@pytest.mark.parametrize(
    "shape", [[3, 4], np.array([3, 4]), (np.int8(3), np.uint64(4))], ids=["list", "array", "numpy integers"]
)
def test_output_shape_takes_any_two_integers(shape):
    assert wk.warp(IMAGE, IDENTITY, shape).shape == (3, 4)


# --- sizes -----------------------------------------------------------------------------------------------------------------

MANY_POINTS = np.random.default_rng(0).uniform(0, 1000, (200_000, 2))
TOO_LARGE = {
    "warp": (lambda: wk.warp(IMAGE, IDENTITY, (2**30, 2**30)), "^output_shape"),
    "warp of floats": (lambda: wk.warp(IMAGE.astype(float), IDENTITY, (2**31 - 1, 2**31 - 1)), "^output_shape"),
    "warp of float16": (lambda: wk.warp(IMAGE.astype(np.float16), IDENTITY, (2**30, 2**30)), "^output_shape"),
    "warp_batch": (lambda: wk.warp_batch(BATCH, IDENTITY, (2**30, 2**30)), "^output_shape"),
    "sampling_grid": (lambda: wk.sampling_grid(IDENTITY, (2**30, 2**30)), "^output_shape"),
    "the image's own shape": (
        lambda: wk.warp(np.broadcast_to(np.uint8(1), (2**30, 2**30)), IDENTITY),
        "^output_shape|^image",
    ),
    "an image that must be copied": (
        lambda: wk.warp(np.broadcast_to(np.uint8(1), (2**30, 2**30)), IDENTITY, (2, 2)),
        "^image",
    ),
    "spline": (lambda: ThinPlateSpline(MANY_POINTS, MANY_POINTS), "^control_points"),
    "spline fit": (lambda: ThinPlateSpline.fit(MANY_POINTS, MANY_POINTS), "points"),
    "elastic": (lambda: DisplacementField.elastic((2**30, 2**30), 1, 1, 0), "^shape"),
    "elastic with a wide filter": (lambda: DisplacementField.elastic((4, 4), 1, 1e12, 0), "shape|sigma"),
    "from_transform": (lambda: DisplacementField.from_transform(IDENTITY, (2**30, 2**30)), "^shape"),
}


@pytest.mark.parametrize(("call", "message"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_does_not_fit_in_memory_is_refused_before_it_is_allocated(call, message):
    tracemalloc.start()
    try:
        refuses(call, ValueError, message)
        assert tracemalloc.get_traced_memory()[1] < SMALL_ALLOCATION_BYTES
    finally:
        tracemalloc.stop()


# --- out -------------------------------------------------------------------------------------------------------------------


def read_only(array):
    array.flags.writeable = False
    return array


def overlapping(part):
    """A call that warps a picture onto memory it shares."""

    def call():
        memory = np.zeros((12, 16), np.uint8)
        return wk.warp(memory[:6, :8], IDENTITY, out=memory[part])

    return call


BAD_OUTPUTS = {
    "list": (warp_with(out=IMAGE.tolist()), TypeError, "^out"),
    "bytes": (warp_with(out=bytearray(48)), TypeError, "^out"),
    "read-only": (warp_with(out=read_only(IMAGE.copy())), ValueError, "^out.*read-only"),
    "transposed shape": (warp_with(out=np.zeros((8, 6), np.uint8)), ValueError, "^out.*shape"),
    "with channels": (warp_with(out=np.zeros((6, 8, 1), np.uint8)), ValueError, "^out.*shape"),
    "not output_shape": (warp_with(out=np.zeros_like(IMAGE), output_shape=(3, 3)), ValueError, "^out.*shape"),
    "another dtype": (warp_with(out=np.zeros((6, 8), np.int8)), ValueError, "^out.*dtype"),
    "big-endian": (warp_with(image=IMAGE.astype("<u2"), out=np.zeros((6, 8), ">u2")), ValueError, "^out.*dtype"),
    "masked": (warp_with(out=np.ma.masked_array(np.zeros_like(IMAGE), mask=True)), TypeError, "^out"),
    "the image": (overlapping((slice(6), slice(8))), ValueError, "^out.*overlap"),
    "one pixel of the image": (overlapping((slice(5, 11), slice(7, 15))), ValueError, "^out.*overlap"),
    "every other pixel of the image": (overlapping((slice(6), slice(0, 16, 2))), ValueError, "^out.*overlap"),
    "the grid": (lambda: sample_onto_grid(), ValueError, "^out.*grid"),
    "a batch's shape": (lambda: wk.warp_batch(BATCH, IDENTITY, out=np.zeros((1, 6, 8), np.uint8)), ValueError, "^out.*shape"),
}


def sample_onto_grid():
    grid = np.zeros((2, 3, 2))
    return wk.sample(np.zeros((4, 4)), grid, out=grid[..., 0])


@table(BAD_OUTPUTS)
def test_bad_outputs_are_refused(call, error, message):
    refuses(call, error, message)


def test_a_refused_call_leaves_out_as_it_was():
    out = np.full_like(IMAGE, 77)
    for bad in ({"mode": "a"}, {"interpolation": "a"}, {"cval": 999}):
        refuses(lambda bad=bad: wk.warp(IMAGE, IDENTITY, out=out, **bad), ValueError, f"^{next(iter(bad))}")
    assert (out == 77).all()


INTERLEAVED = {
    "columns": ((slice(6), slice(0, 16, 2)), (slice(6), slice(1, 16, 2))),
    "rows": ((slice(0, 12, 2), slice(8)), (slice(1, 12, 2), slice(8))),
    "side by side": ((slice(6), slice(8)), (slice(6), slice(8, 16))),
    "turned round": ((slice(6), slice(8)), (slice(11, 5, -1), slice(15, 7, -1))),
}


@pytest.mark.parametrize(("source", "target"), INTERLEAVED.values(), ids=INTERLEAVED)
def test_out_may_share_memory_without_overlapping(source, target):
    memory = np.zeros((12, 16), np.uint8)
    memory[source] = IMAGE
    out = memory[target]
    inverse_map = Affine.rotation(10, (4, 3))
    assert wk.warp(memory[source], inverse_map, out=out) is out
    assert np.array_equal(memory[target], wk.warp(IMAGE, inverse_map))
    assert np.array_equal(memory[source], IMAGE)


@pytest.mark.parametrize("dtype", ["u1", "f8", "i4", "f2", "?"])
def test_out_may_have_any_layout(dtype):
    image = (IMAGE % 2).astype(dtype)
    expected = wk.warp(image, Affine.rotation(10, (4, 3)))
    for out in (np.zeros((6, 8), dtype, order="F"), np.zeros((12, 24), dtype)[::-2, ::3], np.zeros((6, 8), dtype)):
        wk.warp(image, Affine.rotation(10, (4, 3)), out=out)
        assert np.array_equal(out, expected)


# --- threads ---------------------------------------------------------------------------------------------------------------

BAD_THREADS = {
    "zero": (0, ValueError),
    "negative": (-1, ValueError),
    "float": (2.0, TypeError),
    "bool": (True, TypeError),
    "text": ("2", TypeError),
    "several": (np.array([2, 3]), TypeError),
    "None": (None, TypeError),
    "NaN": (np.nan, TypeError),
}


@pytest.mark.parametrize(("n", "error"), BAD_THREADS.values(), ids=BAD_THREADS)
def test_bad_numbers_of_threads_are_refused(n, error):
    before = wk.get_num_threads()
    refuses(lambda: wk.set_num_threads(n), error, r"^n\b")
    assert wk.get_num_threads() == before


def test_numbers_of_threads_may_be_numpys(set_num_threads):
    set_num_threads(np.int64(3))
    assert wk.get_num_threads() == 3


ENVIRONMENT_SCRIPT = """
import os, sys
import numpy as np
import warpkit as wk

for value in sys.argv[1:]:
    os.environ["WARPKIT_NUM_THREADS"] = value
    for call in (wk.get_num_threads, lambda: wk.warp(np.zeros((700, 700), np.uint8), wk.Affine.identity())):
        try:
            call()
        except ValueError as error:
            assert "WARPKIT_NUM_THREADS" in str(error), (value, str(error))
        else:
            raise AssertionError(f"{value!r} was taken")
os.environ["WARPKIT_NUM_THREADS"] = "3"
assert wk.get_num_threads() == 3
wk.set_num_threads(2)
assert wk.get_num_threads() == 2
"""


def test_bad_values_of_the_environment_variable_are_refused():
    values = ["0", "-1", "two", "1.5", " ", "1e3", "\N{SUPERSCRIPT TWO}", "9" * 5000]
    script = [sys.executable, "-c", ENVIRONMENT_SCRIPT, *values]
    done = subprocess.run(script, capture_output=True, text=True, timeout=SUBPROCESS_SECONDS, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
