"""Accuracy does not fall with the size of the picture: measured against float64 oracles near x = 0, 16,000 and 40,000."""

import numpy as np
import oracles
import pytest
from oracles import MODES, pixel_grid

import warpkit as wk

# Grey levels from the unrounded value: half a level is the rounding, the rest is for float32 arithmetic.
INTEGER_TOLERANCE = 0.52
# Relative to the largest pixel: a few times float32's 2**-24 and float64's 2**-53, and coordinates in float64.
FLOAT32_TOLERANCE = 5e-7
FLOAT64_TOLERANCE = 1e-9

LONG_SIDE = 45_000
PLACES = (0, 16_000, 40_000)
WINDOW = 600
DTYPES = ("uint8", "uint16", "int16", "float32", "float64")


def noise(dtype, shape):
    """Pixels from the whole range of an integer dtype, or between 0 and 1: neighbours differ as much as they can."""
    rng = np.random.default_rng(9)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.uniform(0, 1, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def assert_accurate(warped, expected):
    tolerance = {"float32": FLOAT32_TOLERANCE, "float64": FLOAT64_TOLERANCE}.get(warped.dtype.name, INTEGER_TOLERANCE)
    np.testing.assert_allclose(warped.astype(np.float64), expected, rtol=0, atol=tolerance)


def long_shape(axis, short_side=3):
    return (short_side, LONG_SIDE) if axis == "x" else (LONG_SIDE, short_side)


def window_grid(rows, columns, x, y):
    """The position of each pixel of a window of an output whose top-left pixel is (x, y)."""
    return pixel_grid(rows, columns) + np.array([x, y])


def maps_about(x, y):
    """Matrices (2, 3) of maps that stay near (x, y), with fractions at every pixel."""
    return {
        "shift": wk.Affine.translation(0.37, -0.21).matrix,
        "turn": wk.Affine.similarity(1.0003, 0.4, (0.123, 0.321), (x, y)).matrix,
        "magnification": wk.Affine.similarity(0.31, 1.7, (-0.3, 0.7), (x, y)).matrix,
    }


@pytest.mark.parametrize("mode", ["reflect", "constant"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_window_at_a_place_of_a_long_picture(dtype, axis, place, mode):
    picture = noise(dtype, long_shape(axis))
    x, y = (place, 0) if axis == "x" else (0, place)
    rows, columns = (5, WINDOW) if axis == "x" else (WINDOW, 5)
    for matrix in maps_about(x + columns / 2, y + rows / 2).values():
        points = oracles.affine(matrix, window_grid(rows, columns, x, y))
        expected = oracles.sample(picture, points, mode=mode)
        window = wk.Affine(matrix) @ wk.Affine.translation(x, y)
        assert_accurate(wk.warp(picture, window, (rows, columns), mode=mode), expected)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_of_a_long_picture(dtype, axis):
    picture = noise(dtype, long_shape(axis, short_side=9))
    matrix = wk.Affine.similarity(1.00013, 0.003, (0.37, 0.21)).matrix
    points = oracles.affine(matrix, pixel_grid(*picture.shape))
    expected = oracles.sample(picture, points, mode="edge")
    warped = wk.warp(picture, wk.Affine(matrix), mode="edge")
    for place in PLACES:
        window = np.s_[:, place : place + WINDOW] if axis == "x" else np.s_[place : place + WINDOW]
        assert_accurate(warped[window], expected[window])
    assert_accurate(warped, expected)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_homography_of_a_long_picture(dtype, axis):
    picture = noise(dtype, long_shape(axis, short_side=9))
    # It tilts the long side by a tenth from end to end and keeps the middle where it is.
    slope = np.array([1e-1 / LONG_SIDE, 1e-6] if axis == "x" else [1e-6, 1e-1 / LONG_SIDE])
    middle = np.array([picture.shape[1] - 1, picture.shape[0] - 1]) / 2
    matrix = np.array([[1.01, 0, 0.3], [0, 0.99, -0.2], [*slope, 1 - slope @ middle]])
    points = oracles.homography(matrix, pixel_grid(*picture.shape))
    expected = oracles.sample(picture, points, mode="reflect")
    assert_accurate(wk.warp(picture, wk.Projective(matrix), mode="reflect"), expected)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("grid_dtype", [np.float32, np.float64])
def test_sampling_at_a_place_of_a_long_picture(place, grid_dtype):
    picture = noise("uint8", (9, LONG_SIDE, 3))
    matrix = maps_about(place + WINDOW / 2, 4)["turn"]
    grid = oracles.affine(matrix, window_grid(9, WINDOW, place, 0)).astype(grid_dtype)
    expected = oracles.sample(picture, grid.astype(np.float64), mode="edge")
    assert_accurate(wk.sample(picture, grid, mode="edge"), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(2, 70_000, 5), (70_000, 2, 6), (3, 33_000, 1), (5, 7, 300), (33_000, 2)])
def test_long_sides_and_many_channels(shape, mode):
    picture = noise("uint8", shape)
    matrix = np.array([[1, 0.125, -3.3], [-0.0625, 1, 2.6]])
    inverse_map = wk.Affine(matrix)
    points = oracles.affine(matrix, pixel_grid(*shape[:2]))
    assert_accurate(wk.warp(picture, inverse_map, mode=mode, cval=9), oracles.sample(picture, points, mode=mode, cval=9))
    nearest = oracles.sample(picture, points, "nearest", mode, cval=9)
    np.testing.assert_array_equal(wk.warp(picture, inverse_map, interpolation="nearest", mode=mode, cval=9), nearest)


@pytest.mark.parametrize("channels", [1, 3])
def test_more_than_two_to_the_31_elements(channels):
    # Zeros cost no memory until they are written, and only the last corner is.
    side = 50_000 if channels == 1 else 30_000
    picture = np.zeros((side, side, channels), np.uint8)
    assert picture.size > 2**31
    corner = noise("uint8", (100, 150, channels))
    picture[-100:, -150:] = corner
    matrix = maps_about(50, 60)["turn"]
    to_corner = wk.Affine.translation(side - 150, side - 100)
    expected = oracles.sample(corner, oracles.affine(matrix, window_grid(80, 120, 15, 10)))
    warped = wk.warp(picture, to_corner @ wk.Affine(matrix) @ wk.Affine.translation(15, 10), (80, 120))
    assert_accurate(warped, expected)
