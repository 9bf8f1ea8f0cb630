"""Bad arguments: a ValueError or TypeError that names the argument, never a crash or a silently wrong picture.

The tables hold (call, exception, what the message must say).
"""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import warpkit as wk
from warpkit import Affine, DisplacementField, Projective, ThinPlateSpline

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)
BATCH = np.stack([IMAGE, IMAGE + 1])
GRID = np.zeros((2, 3, 2))
IDENTITY = Affine.identity()
MODES = ["constant", "edge", "symmetric", "reflect", "wrap"]
TRIANGLE = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
BEYOND_HORIZON = -np.eye(3)
# Refused before anything near its size is allocated.
SMALL_ALLOCATION_BYTES = 64 * 2**20
SUBPROCESS_SECONDS = 120

for array in (IMAGE, BATCH, GRID, TRIANGLE):
    array.flags.writeable = False


def table(rows):
    """Parameters for ``test(call, error, message)`` from {id: (call, error, message)}."""
    return pytest.mark.parametrize(("call", "error", "message"), rows.values(), ids=rows)


def refuses(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError)


# --- images ----------------------------------------------------------------------------------------------------------------

BAD_IMAGES = {
    "None": (None, TypeError),
    "text": ("picture.png", TypeError),
    "object": (np.full((4, 4), None), TypeError),
    "strings": (np.full((4, 4), "a"), TypeError),
    "bytes": (np.full((4, 4), b"a"), TypeError),
    "complex": (np.zeros((4, 4), complex), TypeError),
    "structured": (np.zeros((4, 4), [("r", "u1"), ("g", "u1")]), TypeError),
    "datetime": (np.zeros((4, 4), "datetime64[s]"), TypeError),
    "timedelta": (np.zeros((4, 4), "timedelta64[s]"), TypeError),
    "masked": (np.ma.masked_array(IMAGE, IMAGE > 5), TypeError),
    "ragged": ([[1, 2], [3]], ValueError),
    "number": (3, ValueError),
    "1-D": (np.zeros(4), ValueError),
    "4-D": (np.zeros((2, 2, 2, 2)), ValueError),
    "no rows": (np.zeros((0, 4)), ValueError),
    "no columns": (np.zeros((4, 0)), ValueError),
    "no channels": (np.zeros((4, 4, 0)), ValueError),
    "2^31 rows": (np.broadcast_to(np.uint8(0), (2**31, 1)), ValueError),
    "2^31 columns": (np.broadcast_to(np.uint8(0), (1, 2**31, 3)), ValueError),
    "int64 above 2^53": (np.array([[2**53 + 2, 0]], np.int64), ValueError),
    "int64 below -2^53": (np.array([[-(2**53) - 2, 0]], np.int64), ValueError),
    "uint64 above 2^53": (np.array([[2**53 + 2, 0]], np.uint64), ValueError),
}
if np.dtype(np.longdouble).itemsize > 8:
    BAD_IMAGES["long double"] = (np.zeros((4, 4), np.longdouble), TypeError)


@pytest.mark.parametrize(("image", "error"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_bad_images_are_refused(image, error):
    refuses(lambda: wk.warp(image, IDENTITY, (2, 2)), error, r"^image\b")
    refuses(lambda: wk.sample(image, GRID), error, r"^image\b")


@pytest.mark.parametrize(
    ("images", "error"),
    [(IMAGE, ValueError), (np.zeros((0, 3, 3)), ValueError), (np.zeros((2, 3, 3), complex), TypeError), (None, TypeError)],
    ids=["2-D", "no images", "complex", "None"],
)
def test_bad_batches_are_refused(images, error):
    refuses(lambda: wk.warp_batch(images, IDENTITY), error, r"^images\b")


def test_bad_values_in_a_batch_are_refused_by_its_argument_name():
    batch = np.full((1, 2, 2), 2**53 + 2, np.int64)
    refuses(lambda: wk.warp_batch(batch, IDENTITY), ValueError, r"^images\b")


def test_integers_up_to_2_to_the_53_are_kept():
    for dtype in (np.int64, np.uint64):
        image = np.array([[2**53, 2**53 - 1, 0]], dtype)
        assert np.array_equal(wk.warp(image, IDENTITY), image)


# --- maps ------------------------------------------------------------------------------------------------------------------

with np.errstate(all="ignore"):
    BAD_MAPS = {
        "None": (None, TypeError),
        "text": ("affine", TypeError),
        "number": (3, TypeError),
        "function": (lambda points: points, TypeError),
        "list": ([[1, 0, 0], [0, 1, 0]], TypeError),
        "(2, 2)": (np.eye(2), ValueError),
        "(6,)": (np.arange(6.0), ValueError),
        "(1, 2, 3)": (np.eye(2, 3)[None], ValueError),
        "object": (np.eye(3).astype(object), TypeError),
        "complex": (np.eye(3).astype(complex), TypeError),
        "strings": (np.eye(3).astype(str), TypeError),
        "NaN": (np.full((2, 3), np.nan), ValueError),
        "infinity": (np.array([[1, 0, np.inf], [0, 1, 0]]), ValueError),
        "zeros": (np.zeros((2, 3)), ValueError),
        "singular affine": (np.array([[1.0, 2.0, 0.0], [0.5, 1.0, 0.0]]), ValueError),
        "nearly singular affine": (np.array([[1.0, 2.0, 0.0], [0.5, 1.0 + 1e-15, 0.0]]), ValueError),
        "singular homography": (np.arange(9.0).reshape(3, 3), ValueError),
        "homography of rank one": (np.ones((3, 3)), ValueError),
        "homography without a last row": (np.diag([1.0, 1.0, 0.0]), ValueError),
        "beyond the horizon": (BEYOND_HORIZON, ValueError),
        "at the horizon": (np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0]]), ValueError),
        "a homography transform beyond the horizon": (Projective(BEYOND_HORIZON), ValueError),
    }


@pytest.mark.parametrize(("inverse_map", "error"), BAD_MAPS.values(), ids=BAD_MAPS)
def test_bad_maps_are_refused(inverse_map, error):
    refuses(lambda: wk.warp(IMAGE, inverse_map), error, r"^inverse_map\b")


def test_compositions_of_matrices_beyond_the_horizon_are_refused():
    for inverse_map in (IDENTITY @ Projective(BEYOND_HORIZON), Projective(BEYOND_HORIZON) @ Affine.translation(3, 4)):
        refuses(lambda inverse_map=inverse_map: wk.warp(IMAGE, inverse_map), ValueError, r"^inverse_map\b.*horizon")


BAD_BATCH_MAPS = {
    "None": (None, TypeError),
    "number": (3, TypeError),
    "text": ("ab", TypeError),
    "numbers": ([1, 2], TypeError),
    "no maps": ([], ValueError),
    "one for two": ([IDENTITY], ValueError),
    "three for two": ([IDENTITY] * 3, ValueError),
    "three matrices for two": (np.stack([np.eye(2, 3)] * 3), ValueError),
    "matrices (2, 2)": (np.stack([np.eye(2)] * 2), ValueError),
    "a matrix (2, 2)": (np.eye(2), ValueError),
    "4-D": (np.zeros((1, 2, 2, 3)), ValueError),
    "a list of matrices (2, 2)": ([np.eye(2)] * 2, ValueError),
    "one of them singular": (np.stack([np.eye(2, 3), np.zeros((2, 3))]), ValueError),
    "one of them NaN": (np.stack([np.eye(3), np.full((3, 3), np.nan)]), ValueError),
    "complex": (np.stack([np.eye(3)] * 2).astype(complex), TypeError),
    "object": (np.array([IDENTITY, IDENTITY], dtype=object), (TypeError, ValueError)),
    "a homography beyond the horizon": (Projective(BEYOND_HORIZON), ValueError),
    "one transform beyond the horizon": ([Projective(np.eye(3)), Projective(BEYOND_HORIZON)], ValueError),
    "one matrix beyond the horizon": (np.stack([np.eye(3), BEYOND_HORIZON]), ValueError),
}


@pytest.mark.parametrize(("inverse_maps", "error"), BAD_BATCH_MAPS.values(), ids=BAD_BATCH_MAPS)
def test_bad_batches_of_maps_are_refused(inverse_maps, error):
    refuses(lambda: wk.warp_batch(BATCH, inverse_maps), error, r"^inverse_maps\b")


@pytest.mark.parametrize("scale", [1e-4, 1e-9, 1e4, 1e9])
def test_small_and_large_scales_are_not_singular(scale):
    Affine([[scale, 0, 3], [0, scale, 4]])
    Affine([[scale, 0, 3], [0, 1 / scale, 4]])
    Projective(np.diag([scale, scale, 1]))
    Projective(scale * np.eye(3))
    assert wk.warp(IMAGE, Affine.scaling(1e-4), mode="edge").max() == 0


def test_pixels_beyond_a_horizon_inside_the_output_are_cval_in_every_mode():
    inverse_map = Projective([[1, 0, 0], [0, 1, 0], [1, 0, -3.5]])
    beyond = np.arange(8) < 3.5
    for mode in MODES:
        for interpolation in ("nearest", "bilinear"):
            warped = wk.warp(IMAGE, inverse_map, mode=mode, interpolation=interpolation, cval=200)
            assert (warped[:, beyond] == 200).all()
            if mode != "constant":
                assert (warped[:, ~beyond] < 200).all()


def far_maps():
    for far in (1e18, 1e30, 1e300, -1e30):
        yield Affine.translation(far, 0), GRID + np.array([far, 0])
        yield Affine.translation(0, far), GRID + np.array([0, far])
    yield Affine.scaling(1e30, center=(-1, -1)), GRID + 1e30


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", MODES)
def test_coordinates_of_1e30_are_far_outside(mode, interpolation):
    image = IMAGE + np.uint8(50)
    options = {"mode": mode, "interpolation": interpolation, "cval": 7}
    for inverse_map, grid in far_maps():
        for warped in (wk.warp(image, inverse_map, **options), wk.sample(image, grid, **options)):
            assert np.isin(warped, 7 if mode == "constant" else image).all()


def test_coordinates_of_1e30_meet_the_edge():
    options = {"mode": "edge"}
    assert np.array_equal(wk.warp(IMAGE, Affine.translation(1e30, 0), **options), IMAGE[:, -1:].repeat(8, axis=1))
    assert np.array_equal(wk.warp(IMAGE, Affine.translation(0, -1e30), **options), IMAGE[:1].repeat(6, axis=0))
    assert (wk.sample(IMAGE, np.full((2, 2, 2), 3e38, np.float32), **options) == IMAGE[-1, -1]).all()


def test_coordinates_that_overflow_are_cval():
    overflowing = Affine.scaling(1e120) @ Affine.scaling(1e120) @ Affine.scaling(1e120, center=(-1, -1))
    for mode in MODES:
        assert (wk.warp(IMAGE, overflowing, mode=mode, cval=9) == 9).all()


# --- grids and points ------------------------------------------------------------------------------------------------------

BAD_GRIDS = {
    "None": (None, TypeError),
    "text": ("ab", TypeError),
    "complex": (GRID.astype(complex), TypeError),
    "object": (GRID.astype(object), TypeError),
    "masked": (np.ma.masked_array(GRID, mask=True), TypeError),
    "ragged": ([[[1, 2], [3]]], ValueError),
    "2-D": (np.zeros((3, 2)), ValueError),
    "4-D": (np.zeros((1, 2, 3, 2)), ValueError),
    "three coordinates": (np.zeros((2, 3, 3)), ValueError),
    "axes first": (np.zeros((2, 3, 4)), ValueError),
    "no rows": (np.zeros((0, 3, 2)), ValueError),
    "NaN": (np.where(np.arange(12).reshape(2, 3, 2) == 5, np.nan, 0), ValueError),
    "infinity": (np.full((2, 3, 2), np.inf), ValueError),
    "float32 NaN": (np.full((2, 3, 2), np.nan, np.float32), ValueError),
    "minus infinity": (np.full((200, 300, 2), -np.inf), ValueError),
}


@pytest.mark.parametrize(("grid", "error"), BAD_GRIDS.values(), ids=BAD_GRIDS)
def test_bad_grids_are_refused(grid, error):
    for mode in MODES:
        refuses(lambda mode=mode: wk.sample(IMAGE, grid, mode=mode), error, r"^grid\b")


BAD_POINTS = {
    "None": (None, TypeError),
    "text": ("ab", TypeError),
    "complex": ([1j, 2], TypeError),
    "object": (np.array([1, 2], object), TypeError),
    "datetime": (np.zeros((3, 2), "datetime64[s]"), TypeError),
    "masked": (np.ma.masked_array([1.0, 2.0], mask=True), TypeError),
    "ragged": ([[1, 2], [3]], ValueError),
    "number": (3.0, ValueError),
    "three coordinates": ([1.0, 2.0, 3.0], ValueError),
    "axes first": (np.zeros((2, 5)), ValueError),
    "NaN": ([[0, 0], [np.nan, 0]], ValueError),
    "infinity": ([0, np.inf], ValueError),
}


@pytest.mark.parametrize(("points", "error"), BAD_POINTS.values(), ids=BAD_POINTS)
def test_bad_points_are_refused(points, error):
    refuses(lambda: IDENTITY(points), error, r"^points\b")
    refuses(lambda: IDENTITY.jacobian(points), error, r"^points\b")


# --- options ---------------------------------------------------------------------------------------------------------------


def warp_with(**options):
    image = options.pop("image", IMAGE)
    return lambda: wk.warp(image, IDENTITY, **options)


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
    "cval per channel": (warp_with(cval=[1, 2, 3]), TypeError, "^cval"),
    "cval ragged": (warp_with(cval=[1, [2, 3]]), TypeError, "^cval"),
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


# --- transforms ------------------------------------------------------------------------------------------------------------

FIELD = DisplacementField(np.zeros((2, 2, 2)))
HUGE = 10**400
BAD_AFFINES = {
    "None": (lambda: Affine(None), TypeError, "^matrix"),
    "text": (lambda: Affine("abc"), TypeError, "^matrix"),
    "complex": (lambda: Affine(np.eye(3, dtype=complex)), TypeError, "^matrix"),
    "object": (lambda: Affine(np.eye(3).astype(object)), TypeError, "^matrix"),
    "huge integers": (lambda: Affine([[HUGE, 0, 0], [0, 1, 0]]), TypeError, "^matrix"),
    "masked": (lambda: Affine(np.ma.masked_array(np.eye(2, 3), mask=True)), TypeError, "^matrix"),
    "ragged": (lambda: Affine([[1, 0, 0], [0, 1]]), ValueError, "^matrix"),
    "shape": (lambda: Affine(np.eye(2)), ValueError, r"^matrix.*\(2, 3\)"),
    "NaN": (lambda: Affine([[1, 0, np.nan], [0, 1, 0]]), ValueError, "^matrix.*finite"),
    "infinity": (lambda: Affine([[np.inf, 0, 0], [0, 1, 0]]), ValueError, "^matrix.*finite"),
    "singular": (lambda: Affine([[1, 2, 3], [2, 4, 6]]), ValueError, "^matrix.*singular"),
    "one zero row": (lambda: Affine([[1, 2, 3], [0, 0, 6]]), ValueError, "^matrix.*singular"),
    "last row": (lambda: Affine([[1, 0, 0], [0, 1, 0], [0, 0, 2]]), ValueError, "^matrix.*last row"),
    "translation NaN": (lambda: Affine.translation(np.nan, 0), ValueError, r"\bdx\b"),
    "translation text": (lambda: Affine.translation(0, "a"), TypeError, r"\bdy\b"),
    "rotation NaN": (lambda: Affine.rotation(np.nan), ValueError, "^degrees"),
    "rotation None": (lambda: Affine.rotation(None), TypeError, "^degrees"),
    "rotation about three numbers": (lambda: Affine.rotation(3, (1, 2, 3)), ValueError, "^center"),
    "rotation about NaN": (lambda: Affine.rotation(3, (np.nan, 2)), ValueError, "^center"),
    "scaling by zero": (lambda: Affine.scaling(0), ValueError, "singular|sx"),
    "scaling by NaN": (lambda: Affine.scaling(np.nan), ValueError, r"\bsx\b"),
    "scaling by text": (lambda: Affine.scaling(1, "a"), TypeError, r"\bsy\b"),
    "shearing by 90": (lambda: Affine.shearing(90), ValueError, "^degrees_x"),
    "shearing by 270": (lambda: Affine.shearing(0, -270), ValueError, "^degrees_y"),
    "shearing to a line": (lambda: Affine.shearing(45, 45), ValueError, "singular"),
    "similarity of scale zero": (lambda: Affine.similarity(0, 10), ValueError, "singular|scale"),
    "similarity of scale infinity": (lambda: Affine.similarity(np.inf, 10), ValueError, "^scale"),
    "similarity translation": (lambda: Affine.similarity(1, 10, (1,)), ValueError, "^translation"),
    "fit of two points": (lambda: Affine.fit(TRIANGLE[:2], TRIANGLE[:2]), ValueError, "at least 3"),
    "fit of different numbers": (lambda: Affine.fit(TRIANGLE, TRIANGLE[:2]), ValueError, "^src and dst.*same number"),
    "fit of NaN": (lambda: Affine.fit(TRIANGLE, TRIANGLE * np.nan), ValueError, "^dst"),
    "fit of one point": (lambda: Affine.fit(np.ones((4, 2)), np.ones((4, 2))), ValueError, "^src"),
    "fit of a line": (lambda: Affine.fit([[0, 0], [1, 2], [2, 4]], TRIANGLE), ValueError, "^src.*line"),
    "fit to a line": (lambda: Affine.fit(TRIANGLE, [[0, 0], [1, 2], [2, 4]]), ValueError, "singular|line"),
    "fit of 3-D points": (lambda: Affine.fit(np.eye(3), np.eye(3)), ValueError, "^src"),
}


@table(BAD_AFFINES)
def test_bad_affine_maps_are_refused(call, error, message):
    refuses(call, error, message)


BAD_PROJECTIVES = {
    "None": (lambda: Projective(None), TypeError, "^matrix"),
    "shape": (lambda: Projective(np.eye(2, 3)), ValueError, r"^matrix.*\(3, 3\)"),
    "NaN": (lambda: Projective(np.full((3, 3), np.nan)), ValueError, "^matrix.*finite"),
    "singular": (lambda: Projective(np.ones((3, 3))), ValueError, "^matrix.*singular"),
    "singular by rounding": (
        lambda: Projective([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]),
        ValueError,
        "^matrix.*singular",
    ),
    "five corners": (lambda: Projective.from_quads(np.zeros((5, 2)), np.zeros((5, 2))), ValueError, "^src"),
    "corners of NaN": (lambda: Projective.from_quads(np.zeros((4, 2)), np.full((4, 2), np.nan)), ValueError, "^dst"),
    "corners as text": (lambda: Projective.from_quads("abcd", np.zeros((4, 2))), TypeError, "^src"),
    "fit of three points": (lambda: Projective.fit(TRIANGLE, TRIANGLE), ValueError, "at least 4"),
}


@table(BAD_PROJECTIVES)
def test_bad_projective_maps_are_refused(call, error, message):
    refuses(call, error, message)


SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
BAD_SPLINES = {
    "two points": (lambda: ThinPlateSpline(TRIANGLE[:2], TRIANGLE[:2]), ValueError, "^control_points.*three"),
    "no points": (lambda: ThinPlateSpline(np.zeros((0, 2)), np.zeros((0, 2))), ValueError, "^control_points.*three"),
    "collinear": (lambda: ThinPlateSpline([[0, 0], [1, 1], [2, 2], [5, 5]], SQUARE), ValueError, "^control_points.*line"),
    "collinear by rounding": (
        lambda: ThinPlateSpline([[0, 0], [0.1, 0.3], [0.2, 0.6], [0.7, 2.1]], SQUARE),
        ValueError,
        "^control_points.*line",
    ),
    "collinear far away": (
        lambda: ThinPlateSpline(np.array([[0, 0], [1, 1], [2, 2], [5, 5]]) + 1e6, SQUARE),
        ValueError,
        "^control_points.*line",
    ),
    "duplicate": (
        lambda: ThinPlateSpline([*SQUARE, [10, 0]], [*SQUARE, [1, 1]]),
        ValueError,
        r"^control_points.*\[10.0, 0.0\]",
    ),
    "duplicate with the same value": (lambda: ThinPlateSpline([*SQUARE, [10, 0]], [*SQUARE, [10, 0]]), ValueError, "distinct"),
    "all the same": (lambda: ThinPlateSpline([[3, 3]] * 4, SQUARE), ValueError, "^control_points"),
    "NaN": (lambda: ThinPlateSpline(TRIANGLE * np.nan, TRIANGLE), ValueError, "^control_points"),
    "NaN values": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE * np.nan), ValueError, "^values"),
    "fewer values": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE[:2]), ValueError, r"^values.*\(3, 2\)"),
    "3-D points": (lambda: ThinPlateSpline(np.eye(3), TRIANGLE), ValueError, "^control_points"),
    "object": (lambda: ThinPlateSpline(TRIANGLE.astype(object), TRIANGLE), TypeError, "^control_points"),
    "negative smoothing": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE, -1), ValueError, "^smoothing"),
    "smoothing NaN": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE, np.nan), ValueError, "^smoothing"),
    "smoothing text": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE, "a"), TypeError, "^smoothing"),
    "huge smoothing": (lambda: ThinPlateSpline(TRIANGLE, TRIANGLE, HUGE), ValueError, "^smoothing"),
    "fit of different numbers": (lambda: ThinPlateSpline.fit(TRIANGLE, TRIANGLE[:2]), ValueError, "same number"),
    "inverse of an affine": (lambda: wk.Inverse(IDENTITY), TypeError, "^original"),
    "inverse of a number": (lambda: wk.Inverse(3), TypeError, "^original"),
    "composition of numbers": (lambda: wk.Composition([IDENTITY, 3]), TypeError, "^parts"),
    "composition of nothing": (lambda: wk.Composition([]), ValueError, "^parts"),
    "composition of a transform": (lambda: wk.Composition(IDENTITY), TypeError, "parts"),
}


@table(BAD_SPLINES)
def test_bad_splines_inverses_and_compositions_are_refused(call, error, message):
    refuses(call, error, message)


def elastic(shape=(4, 4), alpha=1, sigma=1, seed=0):
    return lambda: DisplacementField.elastic(shape, alpha, sigma, seed)


BAD_FIELDS = {
    "2-D": (lambda: DisplacementField(np.zeros((3, 2))), ValueError, "^field"),
    "axes first": (lambda: DisplacementField(np.zeros((2, 3, 3))), ValueError, "^field"),
    "empty": (lambda: DisplacementField(np.zeros((0, 3, 2))), ValueError, "^field"),
    "NaN": (lambda: DisplacementField(np.full((3, 3, 2), np.nan)), ValueError, "^field"),
    "complex": (lambda: DisplacementField(np.zeros((3, 3, 2), complex)), TypeError, "^field"),
    "masked": (lambda: DisplacementField(np.ma.masked_array(np.zeros((3, 3, 2)), mask=True)), TypeError, "^field"),
    "elastic shape": (elastic(shape=(0, 4)), ValueError, "^shape"),
    "elastic shape of floats": (elastic(shape=(4.0, 4)), TypeError, "^shape"),
    "elastic negative alpha": (elastic(alpha=-1), ValueError, "^alpha"),
    "elastic alpha NaN": (elastic(alpha=np.nan), ValueError, "^alpha"),
    "elastic sigma zero": (elastic(sigma=0), ValueError, "^sigma"),
    "elastic sigma text": (elastic(sigma="a"), TypeError, "^sigma"),
    "elastic sigma 1e308": (elastic(sigma=1e308), ValueError, "sigma|shape"),
    "elastic seed of float": (elastic(seed=1.5), TypeError, r"\bseed\b"),
    "elastic seed of None": (elastic(seed=None), TypeError, r"\bseed\b"),
    "elastic seed of bool": (elastic(seed=True), TypeError, r"\bseed\b"),
    "elastic negative seed": (elastic(seed=-1), ValueError, r"\bseed\b"),
    "from a matrix": (lambda: DisplacementField.from_transform(np.eye(3), (3, 3)), TypeError, r"\btransform\b"),
    "from_transform shape": (lambda: DisplacementField.from_transform(IDENTITY, (3,)), TypeError, "^shape"),
    "fit shape": (lambda: DisplacementField.fit(TRIANGLE, TRIANGLE, (3, -3)), ValueError, "^shape"),
    "with_params": (lambda: FIELD.with_params(np.zeros(7)), ValueError, "^params"),
    "with_params of NaN": (lambda: FIELD.with_params(np.full(8, np.nan)), ValueError, "^params"),
    "with_params of text": (lambda: FIELD.with_params("a"), TypeError, "^params"),
}


@table(BAD_FIELDS)
def test_bad_fields_are_refused(call, error, message):
    refuses(call, error, message)


@pytest.mark.parametrize("gap", [1e-5, 1e-9, 1e-13])
def test_a_spline_through_nearly_equal_points_is_right_or_refused(gap):
    control_points = np.array([*SQUARE, [10, gap]])
    values = np.array([*SQUARE, [11, 1]])
    try:
        spline = ThinPlateSpline(control_points, values)
    except ValueError as error:
        assert "control_points" in str(error)  # noqa: PT017  either answer is right
    else:
        assert np.allclose(spline(control_points), values, rtol=0, atol=1e-6)


# --- threads ---------------------------------------------------------------------------------------------------------------

BAD_THREADS = {
    "zero": (0, ValueError),
    "negative": (-1, ValueError),
    "float": (2.0, TypeError),
    "bool": (True, TypeError),
    "text": ("2", TypeError),
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
