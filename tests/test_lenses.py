"""Lenses against OpenCV, on the axis and in the corners, and their bad parameters."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from more_families import CAMERA, FISHEYE, LENS, NEW_CAMERA, RATIONAL_LENS

import warpkit as wk

PEER_PX = 1e-9
FLOAT32_MAP_PX = 2e-5
INVERSE_PX = 1e-6

HD = np.array([[1100.0, 0, 960.5], [0, 1090.0, 540.25], [0, 0, 1]])
HD_NEW = np.array([[800.0, 0, 950.0], [0, 820.0, 550.0], [0, 0, 1]])
DISTORTIONS = {
    "four": [-0.28, 0.08, 1e-3, -5e-4],
    "five": [-0.28, 0.08, 1e-3, -5e-4, -0.01],
    "rational": [2.1, 0.9, 1e-3, -5e-4, 0.05, 2.4, 1.5, 0.3],
    "pincushion": [0.15, 0.02, -1e-3, 2e-3],
    "none": [0, 0, 0, 0],
}
coefficients = st.lists(st.floats(-0.05, 0.05), min_size=4, max_size=4)


def pixel_grid(rows, columns, step=1):
    return np.stack(np.meshgrid(np.arange(0, columns, step), np.arange(0, rows, step)), axis=-1).astype(float)


def rays(points, camera):
    return (points - camera[:2, 2]) / camera[[0, 1], [0, 1]]


def opencv_bent(points, camera, distortion, new_camera):
    """Forward distortion in float64, by projecting the rays of pixels."""
    directions = np.column_stack([rays(points, new_camera), np.ones(len(points))])
    return cv2.projectPoints(directions, np.zeros(3), np.zeros(3), camera, np.array(distortion, dtype=float))[0][:, 0]


# --- Brown and Conrady -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS)
def test_points_are_opencvs(distortion):
    points = pixel_grid(1080, 1920, 53).reshape(-1, 2)
    lens = wk.BrownConrady(HD, distortion, HD_NEW)
    assert np.allclose(lens(points), opencv_bent(points, HD, distortion, HD_NEW), rtol=0, atol=PEER_PX)


@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS)
def test_the_sampling_grid_is_opencvs_map(distortion):
    lens = wk.BrownConrady(CAMERA, distortion, NEW_CAMERA)
    camera, new_camera, coefficients = np.array(CAMERA), np.array(NEW_CAMERA), np.array(distortion, dtype=float)
    expected = cv2.initUndistortRectifyMap(camera, coefficients, np.eye(3), new_camera, (60, 40), cv2.CV_32FC2)[0]
    assert np.allclose(lens(pixel_grid(40, 60)), expected, rtol=0, atol=FLOAT32_MAP_PX)


@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS)
def test_the_inverse_is_opencvs_undistortion(distortion):
    lens = wk.BrownConrady(HD, distortion, HD_NEW)
    points = lens(pixel_grid(1080, 1920, 53).reshape(-1, 2) * 0.7 + [288, 162])
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 1000, 1e-12)
    expected = cv2.undistortPoints(points, HD, np.array(distortion, dtype=float), None, np.eye(3), HD_NEW, criteria=criteria)[
        :, 0
    ]
    found = lens.inverse(points)
    assert np.allclose(lens(found), points, rtol=0, atol=INVERSE_PX)
    settled = np.abs(opencv_bent(expected, HD, distortion, HD_NEW) - points).max(axis=1) < 1e-9
    assert settled.mean() > 0.9
    assert np.allclose(found[settled], expected[settled], rtol=0, atol=INVERSE_PX)


def test_coefficients_as_opencv_returns_them():
    five = DISTORTIONS["five"]
    assert wk.BrownConrady(HD, np.reshape(five, (1, 5))) == wk.BrownConrady(HD, np.reshape(five, (5, 1)))
    lens = wk.BrownConrady(HD, [five], HD_NEW)
    assert lens.distortion.tolist() == five
    assert np.array_equal(lens.camera_matrix, HD)
    assert np.array_equal(lens.new_camera_matrix, HD_NEW)
    assert lens.params.tolist() == [1100, 1090, 960.5, 540.25, 800, 820, 950, 550, *five]
    assert np.array_equal(wk.BrownConrady(HD, five).new_camera_matrix, HD)


# --- fisheye ---------------------------------------------------------------------------------------------------------------


@given(coefficients)
def test_fisheye_points_are_opencvs(distortion):
    points = pixel_grid(1080, 1920, 97).reshape(-1, 2)
    expected = cv2.fisheye.distortPoints(rays(points, HD_NEW)[:, None], HD, np.array(distortion))[:, 0]
    assert np.allclose(wk.Fisheye(HD, distortion, HD_NEW)(points), expected, rtol=0, atol=PEER_PX)


@given(coefficients)
def test_the_fisheye_sampling_grid_is_opencvs_map(distortion):
    camera, new_camera = np.array(CAMERA), np.array(NEW_CAMERA)
    options = (np.array(distortion), np.eye(3), new_camera, (60, 40), cv2.CV_32F)
    expected = np.stack(cv2.fisheye.initUndistortRectifyMap(camera, *options), axis=-1)
    lens = wk.Fisheye(CAMERA, distortion, NEW_CAMERA)
    assert np.allclose(lens(pixel_grid(40, 60)), expected, rtol=0, atol=FLOAT32_MAP_PX)


@given(st.lists(st.floats(0, 0.05), min_size=4, max_size=4))
def test_the_fisheye_inverse_undoes_it_to_the_sides(distortion):
    lens = wk.Fisheye(HD, distortion, HD_NEW)
    tangents = np.tan(np.linspace(0, 1.4, 15))[:, None] * [math.cos(0.7), math.sin(0.7)]
    points = tangents * HD_NEW[[0, 1], [0, 1]] + HD_NEW[:2, 2]
    assert np.allclose(lens.inverse(lens(points)), points, rtol=1e-8, atol=INVERSE_PX)


def test_the_fisheye_inverse_is_opencvs_undistortion():
    distortion = np.array([-0.02, 0.01, -0.004, 0.001])
    points = pixel_grid(1080, 1920, 97).reshape(-1, 2)
    expected = cv2.fisheye.undistortPoints(points[:, None], HD, distortion, None, None, HD_NEW)[:, 0]
    assert np.allclose(wk.Fisheye(HD, distortion, HD_NEW).inverse(points), expected, rtol=0, atol=INVERSE_PX)


def test_a_ray_from_the_side_has_no_pixel():
    lens = wk.Fisheye(HD, [0, 0, 0, 0])
    sideways = [[1100 * math.pi / 2 + pixels, 0] for pixels in (-1, 1, 500)]
    before, *beyond = lens.inverse(HD[:2, 2] + np.array(sideways))
    assert np.isfinite(before).all()
    assert np.isnan(beyond).all()


@pytest.mark.parametrize("distance", [0, 1e-9, 1e-7, 0.9e-6, 1.1e-6, 1e-5, 1e-3])
def test_a_fisheye_on_its_axis_has_the_limit_of_its_slopes(distance):
    distortion = [0.2, -0.1, 0.05, 0.02]
    ray = distance * np.array([math.cos(0.5), math.sin(0.5)])
    lens = wk.Fisheye(np.eye(3), distortion)
    # the series of the model: u (1 + (k1 - 1/3) r^2 + ...)
    second = distortion[0] - 1 / 3
    expected = np.eye(2) + second * (distance**2 * np.eye(2) + 2 * np.outer(ray, ray))
    assert np.allclose(lens.jacobian(ray), expected, rtol=0, atol=1e-11)
    assert np.allclose(lens(ray), ray * (1 + second * distance**2), rtol=0, atol=1e-14)
    assert np.allclose(lens.inverse(lens(ray)), ray, rtol=0, atol=1e-8)


# --- both ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lens", [LENS, RATIONAL_LENS, FISHEYE], ids=["five", "rational", "fisheye"])
def test_undistorting_a_picture_is_opencvs(lens):
    x, y = np.moveaxis(pixel_grid(40, 60), -1, 0)
    picture = 100 + 50 * np.sin(x / 9) * np.cos(y / 7)
    maps = lens(pixel_grid(40, 60)).astype(np.float32)
    expected = cv2.remap(picture, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # OpenCV samples at steps of 1/32 pixel
    assert np.abs(wk.warp(picture, lens, mode="edge") - expected).max() < 0.3


SKEWED = [[70.0, 0.5, 30], [0, 70, 20], [0, 0, 1]]
BAD = {
    "skew": ((SKEWED, [0] * 4), "camera_matrix"),
    "focal length of zero": (([[0, 0, 30], [0, 70, 20], [0, 0, 1]], [0] * 4), "camera_matrix"),
    "negative focal length": ((CAMERA, [0] * 4, [[70, 0, 30], [0, -70, 20], [0, 0, 1]]), "new_camera_matrix"),
    "last row": (([[70, 0, 30], [0, 70, 20], [0, 0, 2]], [0] * 4), "camera_matrix"),
    "2 x 3": ((CAMERA[:2], [0] * 4), "camera_matrix"),
    "NaN camera": (([[math.nan, 0, 30], [0, 70, 20], [0, 0, 1]], [0] * 4), "camera_matrix"),
    "three coefficients": ((CAMERA, [0] * 3), "distortion"),
    "twelve coefficients": ((CAMERA, [0] * 12), "distortion"),
    "square coefficients": ((CAMERA, [[0, 0], [0, 0]]), "distortion"),
    "infinite coefficient": ((CAMERA, [0, 0, 0, math.inf]), "distortion"),
}


@pytest.mark.parametrize("family", [wk.BrownConrady, wk.Fisheye])
@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_lenses_are_refused(family, arguments, message):
    with pytest.raises(ValueError, match=message):
        family(*arguments)


def test_a_fisheye_has_four_coefficients():
    with pytest.raises(ValueError, match="4 coefficients"):
        wk.Fisheye(CAMERA, [0] * 5)
