"""Bad images, maps, grids and points: a ValueError or TypeError that names the argument, never a crash or a wrong picture."""

from pathlib import Path

import numpy as np
import pytest
from refusals import BATCH, GRID, IDENTITY, IMAGE, MODES, refuses

import warpkit as wk
from warpkit import Affine, Projective

BEYOND_HORIZON = -np.eye(3)


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


@pytest.mark.parametrize("image", [None, "picture.png", Path("picture.png"), {"pixels": IMAGE}])
def test_what_is_no_array_is_named_by_its_type(image):
    # cv2.imread returns None where there is no file
    refuses(lambda: wk.warp(image, IDENTITY), TypeError, f"^image must be an array of numbers, got {type(image).__name__}$")


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
