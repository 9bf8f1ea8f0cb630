"""Maps about a centre against OpenCV and scikit-image, their limits and their bad parameters."""

import math

import cv2
import numpy as np
import pytest
import skimage.transform
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import _warps as skimage_maps

import warpkit as wk

PEER_PX = 1e-9
OPENCV_GREY = 0.2  # OpenCV's float32 maps and 1/32 pixel steps, in grey levels of a smooth picture
ROUND_TRIP_PX = 1e-9
ONE_ULP_OF_ONE = 2.3e-16

CENTER, RADIUS, SHAPE = (31.3, 18.7), 25.5, (40, 60)
SPACINGS = ("linear", "log", "log1p")


def pixel_grid(rows, columns):
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(float)


def smooth_picture(rows=40, columns=60):
    x, y = np.moveaxis(pixel_grid(rows, columns), -1, 0)
    return 100 + 50 * np.sin(x / 9) * np.cos(y / 7)


def picture_points(count=300, seed=0):
    return np.random.default_rng(seed).uniform([-20, -20], [80, 60], (count, 2))


# --- polar -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", ["linear", "log"])
def test_polar_points_are_scikit_images(spacing):
    rows, columns = SHAPE
    span = RADIUS if spacing == "linear" else math.log(RADIUS)
    mapping = skimage_maps._linear_polar_mapping if spacing == "linear" else skimage_maps._log_polar_mapping
    grid = pixel_grid(*SHAPE)
    expected = mapping(grid.reshape(-1, 2), rows / (2 * math.pi), columns / span, CENTER[::-1]).reshape(grid.shape)
    assert np.allclose(wk.Polar(CENTER, RADIUS, SHAPE, spacing)(grid), expected, rtol=0, atol=PEER_PX)


@pytest.mark.parametrize("scaling", ["linear", "log"])
def test_unrolling_is_scikit_images(scaling):
    picture = smooth_picture()
    expected = skimage.transform.warp_polar(picture, CENTER[::-1], radius=RADIUS, output_shape=(90, 70), scaling=scaling)
    warped = wk.warp(picture, wk.Polar(CENTER, RADIUS, (90, 70), scaling), (90, 70))
    assert np.allclose(warped, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("spacing", "flag"), [("linear", cv2.WARP_POLAR_LINEAR), ("log1p", cv2.WARP_POLAR_LOG)])
def test_unrolling_and_rolling_up_are_opencvs(spacing, flag):
    picture = smooth_picture()
    polar = wk.Polar(CENTER, 17.5, (80, 70), spacing)
    unrolled = wk.warp(picture, polar, (80, 70))
    flags = flag | cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    assert np.allclose(
        cv2.warpPolar(picture.astype(np.float32), (70, 80), CENTER, 17.5, flags), unrolled, rtol=0, atol=OPENCV_GREY
    )
    rolled = cv2.warpPolar(unrolled.astype(np.float32), (60, 40), CENTER, 17.5, flags | cv2.WARP_INVERSE_MAP)
    # OpenCV joins the last row to the first; so do we, by a border that wraps, away from the innermost and outermost pixels
    distance = np.hypot(*np.moveaxis(pixel_grid(40, 60) - CENTER, -1, 0))
    compared = (distance > 2) & (distance < 15)
    ours = wk.warp(unrolled, polar.inverse, (40, 60), mode="wrap")
    assert np.abs(ours - rolled)[compared].max() < OPENCV_GREY
    assert np.abs(ours - picture)[compared].max() < 1


@pytest.mark.parametrize("spacing", SPACINGS)
@given(st.tuples(st.floats(-200, 200), st.floats(-200, 200)), st.floats(1.5, 500), st.integers(0, 100))
def test_rolling_up_undoes_unrolling(spacing, center, radius, seed):
    polar = wk.Polar(center, radius, SHAPE, spacing)
    points = picture_points(20, seed)
    found = polar.inverse(points)
    assert (found[:, 1] >= 0).all()
    assert (found[:, 1] <= SHAPE[0]).all()
    assert np.allclose(polar(found), points, rtol=1e-12, atol=ROUND_TRIP_PX)


def test_the_inverse_is_cut_along_the_ray_to_the_right():
    polar = wk.Polar((10, 10), 5, (36, 50))
    assert polar.inverse([12.0, 10.0]).tolist() == [20, 0]
    assert polar.inverse([10.0, 12.0]) == pytest.approx([20, 9])
    below, above = polar.inverse([[12.0, 10 + 1e-9], [12.0, 10 - 1e-9]])
    assert below[1] == pytest.approx(0, abs=1e-6)
    assert above[1] == pytest.approx(36, abs=1e-6)


def test_the_centre_has_a_place_unless_the_radius_begins_at_one_pixel():
    for spacing in ("linear", "log1p"):
        assert wk.Polar(CENTER, RADIUS, SHAPE, spacing).inverse(CENTER).tolist() == [0, 0]
    assert np.isnan(wk.Polar(CENTER, RADIUS, SHAPE, "log").inverse(CENTER)).all()


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_pixel_at_the_centre_leaves_gradients_finite(spacing):
    picture = smooth_picture()
    for inverse_map in (wk.Polar((30, 20), RADIUS, SHAPE, spacing), wk.Polar((30, 20), RADIUS, SHAPE, spacing).inverse):
        _, pullback = wk.warp_vjp(picture, inverse_map, mode="edge")
        assert np.isfinite(pullback(picture)[1]).all()


@pytest.mark.parametrize("spacing", ["log", "log1p"])
def test_a_radius_beyond_all_numbers_is_no_point(spacing):
    assert np.isnan(wk.Polar(CENTER, RADIUS, SHAPE, spacing)([1e6, 3.0])).all()


def test_angles_are_exact_to_an_ulp_up_to_a_million_radians_and_none_beyond():
    unit = wk.Polar((0, 0), 1, (1, 1))
    turns = np.random.default_rng(0).uniform(-1, 1, 5000) * np.geomspace(1e-8, 1e6, 5000) / (2 * math.pi)
    angles = turns * (2 * math.pi)
    expected = np.column_stack([np.cos(angles), np.sin(angles)])
    assert np.abs(unit(np.column_stack([np.ones_like(turns), turns])) - expected).max() <= ONE_ULP_OF_ONE
    assert np.isnan(unit([1.0, 1e6])).all()


BAD_POLAR = {
    "NaN centre": (((math.nan, 0), 5, SHAPE), "center"),
    "three coordinates": (((1, 2, 3), 5, SHAPE), "center"),
    "radius of zero": ((CENTER, 0, SHAPE), "radius"),
    "negative radius": ((CENTER, -1, SHAPE), "radius"),
    "infinite radius": ((CENTER, math.inf, SHAPE), "radius"),
    "logarithmic radius of one": ((CENTER, 1, SHAPE, "log"), "radius"),
    "no rows": ((CENTER, 5, (0, 3)), "output_shape"),
    "another spacing": ((CENTER, 5, SHAPE, "square"), "spacing"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_POLAR.values(), ids=BAD_POLAR)
def test_bad_polar_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wk.Polar(*arguments)


# --- swirls ----------------------------------------------------------------------------------------------------------------


@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.floats(-20, 20), st.floats(0.5, 500), st.floats(-7, 7))
def test_swirl_points_are_scikit_images(center, strength, radius, rotation):
    points = picture_points()
    expected = skimage_maps._swirl_mapping(points.copy(), center, rotation, strength, radius)
    swirl = wk.Swirl(center, strength, radius, rotation)
    assert np.allclose(swirl(points), expected, rtol=0, atol=PEER_PX)
    assert np.allclose(swirl.inverse(swirl(points)), points, rtol=0, atol=ROUND_TRIP_PX)


def test_a_swirled_picture_is_scikit_images():
    picture = smooth_picture()
    expected = skimage.transform.swirl(picture, CENTER, 2, 40, 0.5, mode="reflect")
    assert np.allclose(wk.warp(picture, wk.Swirl(CENTER, 2, 40, 0.5), mode="reflect"), expected, rtol=0, atol=PEER_PX)


def test_a_swirl_turns_its_centre_by_its_strength():
    swirl = wk.Swirl((30, 20), 0.7, 50, 0.1)
    assert swirl([30.0, 20.0]).tolist() == [30, 20]
    cos, sin = math.cos(0.8), math.sin(0.8)
    assert np.allclose(swirl.jacobian([30.0, 20.0]), [[cos, -sin], [sin, cos]], rtol=0, atol=1e-15)
    _, pullback = wk.warp_vjp(smooth_picture(), swirl)
    assert np.isfinite(pullback(smooth_picture())[1]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((math.nan, 0), 1, 5), "center"),
        ((CENTER, math.inf, 5), "strength"),
        ((CENTER, 1, 0), "radius"),
        ((CENTER, 1, -3), "radius"),
        ((CENTER, 1, 5, math.nan), "rotation"),
    ],
)
def test_bad_swirl_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wk.Swirl(*arguments)


# --- cylinders -------------------------------------------------------------------------------------------------------------


def test_cylinder_points_are_opencvs():
    focal_length, center = 70.0, (31.25, 18.75)
    camera = np.array([[focal_length, 0, center[0]], [0, focal_length, center[1]], [0, 0, 1]], dtype=np.float32)
    warper = cv2.PyRotationWarper("cylindrical", focal_length)
    points = picture_points(50)
    # OpenCV's cylinder has its origin where the camera looks
    expected = [np.add(warper.warpPoint(tuple(point), camera, np.eye(3, dtype=np.float32)), center) for point in points]
    assert np.allclose(wk.Cylindrical(focal_length, center).inverse(points), expected, rtol=0, atol=1e-4)


@given(st.floats(5, 1e4), st.tuples(st.floats(-100, 100), st.floats(-100, 100)), st.integers(0, 100))
def test_the_cylinder_and_the_plane_are_inverses(focal_length, center, seed):
    cylinder = wk.Cylindrical(focal_length, center)
    points = picture_points(20, seed)
    assert np.allclose(cylinder(cylinder.inverse(points)), points, rtol=1e-10, atol=ROUND_TRIP_PX)


def test_a_cylinder_has_no_point_a_quarter_turn_away_and_beyond():
    cylinder = wk.Cylindrical(10, (0, 0))
    assert np.isfinite(cylinder([[15.7, 3.0], [-15.7, 3.0]])).all()
    assert np.isnan(cylinder([[15.8, 3.0], [-15.8, 3.0], [1e9, 3.0], [31.0, 0.0]])).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, CENTER), "focal_length"), ((math.nan, CENTER), "focal_length"), ((5, (math.inf, 0)), "center"), ((5, 3), "center")],
)
def test_bad_cylinders_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wk.Cylindrical(*arguments)
