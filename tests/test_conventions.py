"""Other conventions of coordinates, against their own formulas: PyTorch's normalised one and the corner-origin one."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import warpkit as wk
from warpkit import conventions

POSITION_PX = 1e-9
ROUND_TRIP = 1e-12
GREY_LEVELS_FLOAT32 = 1e-3  # of 255, where cv2 computes in float32

THETA = np.array([[0.9, -0.2, 0.1], [0.15, 1.2, -0.3]])
THETA_PROJECTIVE = np.array([[0.9, -0.2, 0.1], [0.15, 1.2, -0.3], [0.05, -0.1, 1.1]])

sizes = st.integers(1, 50)
shapes = st.tuples(sizes, sizes)
# With align_corners an axis of one pixel has no extent, and torch's map onto it has no inverse.
long_shapes = st.tuples(st.integers(2, 50), st.integers(2, 50))
either_alignment = pytest.mark.parametrize("align_corners", [True, False])


def torch_base_points(size, align_corners):
    """What ``affine_grid`` lays along an axis of ``size`` output pixels."""
    if size == 1:
        return np.zeros(1)
    ends = np.linspace(-1, 1, size)
    return ends if align_corners else ends * (size - 1) / size


def torch_source_points(theta, input_shape, output_shape, align_corners):
    """``affine_grid``, then ``grid_sample``'s way back to pixels: (rows, columns, 2)."""
    x, y = np.meshgrid(torch_base_points(output_shape[1], align_corners), torch_base_points(output_shape[0], align_corners))
    moved = np.stack([x, y, np.ones_like(x)], axis=-1) @ theta.T
    if len(theta) == 3:
        moved = moved[..., :2] / moved[..., 2:]
    size = np.array([input_shape[1], input_shape[0]])
    return (moved + 1) / 2 * (size - 1) if align_corners else ((moved + 1) * size - 1) / 2


@either_alignment
@pytest.mark.parametrize("theta", [THETA, THETA_PROJECTIVE], ids=["affine", "projective"])
@given(input_shape=long_shapes, output_shape=shapes)
def test_from_normalized_equals_torchs_formulas(theta, align_corners, input_shape, output_shape):
    inverse_map = conventions.from_normalized(theta, input_shape, output_shape, align_corners=align_corners)
    assert type(inverse_map) is (wk.Affine if len(theta) == 2 else wk.Projective)
    expected = torch_source_points(theta, input_shape, output_shape, align_corners)
    assert np.allclose(wk.sampling_grid(inverse_map, output_shape), expected, rtol=0, atol=POSITION_PX)


@either_alignment
@pytest.mark.parametrize("theta", [THETA, THETA_PROJECTIVE], ids=["affine", "projective"])
@pytest.mark.parametrize("input_shape", [(1, 7), (7, 1), (1, 1)])
def test_sources_of_one_pixel_equal_torchs_formulas(theta, align_corners, input_shape):
    inverse_map = conventions.from_normalized(theta, input_shape, (5, 9), align_corners=align_corners)
    expected = torch_source_points(theta, input_shape, (5, 9), align_corners)
    assert np.allclose(wk.sampling_grid(inverse_map, (5, 9)), expected, rtol=0, atol=POSITION_PX)


@either_alignment
@given(shapes)
def test_identity_theta_with_equal_sizes_is_the_identity_map(align_corners, shape):
    inverse_map = conventions.from_normalized(np.eye(2, 3), shape, shape, align_corners=align_corners)
    identity = wk.sampling_grid(wk.Affine.identity(), shape)
    assert np.allclose(wk.sampling_grid(inverse_map, shape), identity, rtol=0, atol=POSITION_PX)


@either_alignment
def test_identity_theta_between_sizes_maps_the_picture_onto_the_picture(align_corners):
    resize = conventions.from_normalized(np.eye(2, 3), (30, 20), (7, 9), align_corners=align_corners)
    first, last = resize([[0.0, 0.0], [8.0, 6.0]])
    if align_corners:
        assert np.allclose([first, last], [[0, 0], [19, 29]], rtol=0, atol=POSITION_PX)
    else:
        assert np.allclose(resize([[-0.5, -0.5], [8.5, 6.5]]), [[-0.5, -0.5], [19.5, 29.5]], rtol=0, atol=POSITION_PX)


@either_alignment
@pytest.mark.parametrize("theta", [THETA, THETA_PROJECTIVE], ids=["affine", "projective"])
@given(input_shape=shapes, output_shape=shapes)
def test_theta_round_trip(theta, align_corners, input_shape, output_shape):
    inverse_map = conventions.from_normalized(theta, input_shape, output_shape, align_corners=align_corners)
    again = conventions.to_normalized(inverse_map, input_shape, output_shape, align_corners=align_corners)
    assert again.shape == theta.shape
    assert np.allclose(again, theta, rtol=0, atol=100 * ROUND_TRIP)


@either_alignment
@given(input_shape=long_shapes, output_shape=long_shapes)
def test_map_round_trip(align_corners, input_shape, output_shape):
    for inverse_map in (wk.Affine.similarity(1.5, 20, (3, 4)), wk.Projective([[1, 0.1, 3], [0, 1, 2], [1e-3, 2e-3, 1]])):
        theta = conventions.to_normalized(inverse_map, input_shape, output_shape, align_corners=align_corners)
        again = conventions.from_normalized(theta, input_shape, output_shape, align_corners=align_corners)
        points = [[0.0, 0.0], [output_shape[1] - 1.0, output_shape[0] - 1.0]]
        assert np.allclose(again(points), inverse_map(points), rtol=0, atol=POSITION_PX)


def test_align_corners_has_no_default():
    with pytest.raises(TypeError, match="align_corners"):
        conventions.from_normalized(THETA, (3, 3), (3, 3))
    with pytest.raises(TypeError, match="align_corners"):
        conventions.to_normalized(wk.Affine.identity(), (3, 3), (3, 3))


# --- corner origin ---------------------------------------------------------------------------------------------------------

CORNER_AFFINE = np.array([[1.5, -0.25, 4], [0.5, 0.75, -2]])
CORNER_PROJECTIVE = np.vstack([CORNER_AFFINE, [1e-3, -2e-3, 1]])


@pytest.mark.parametrize("matrix", [CORNER_AFFINE, CORNER_PROJECTIVE], ids=["affine", "projective"])
def test_from_corner_origin_moves_points_by_half_a_pixel(matrix):
    points = np.random.default_rng(0).uniform(0, 100, (50, 2))
    moved = np.column_stack([points + 0.5, np.ones(len(points))]) @ matrix.T
    expected = moved[:, :2] / (moved[:, 2:] if len(matrix) == 3 else 1) - 0.5
    transform = conventions.from_corner_origin(matrix)
    assert type(transform) is (wk.Affine if len(matrix) == 2 else wk.Projective)
    assert np.allclose(transform(points), expected, rtol=0, atol=POSITION_PX)


@pytest.mark.parametrize("matrix", [CORNER_AFFINE, CORNER_PROJECTIVE], ids=["affine", "projective"])
def test_corner_origin_round_trip(matrix):
    assert np.allclose(conventions.to_corner_origin(conventions.from_corner_origin(matrix)), matrix, rtol=0, atol=ROUND_TRIP)


def test_a_shift_is_the_same_in_both_conventions():
    assert conventions.from_corner_origin([[1, 0, 3], [0, 1, -2]]) == wk.Affine.translation(3, -2)
    assert conventions.to_corner_origin(wk.Affine.translation(3, -2)).tolist() == [[1, 0, 3], [0, 1, -2]]


@pytest.mark.parametrize("factor", [2, 3])
def test_corner_origin_scaling_is_what_resize_does(camera, factor):
    image = camera[:60, :80].astype(np.float32)
    expected = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    inverse_map = conventions.from_corner_origin([[1 / factor, 0, 0], [0, 1 / factor, 0]])
    enlarged = wk.warp(image, inverse_map, expected.shape)
    interior = (slice(factor, -factor),) * 2
    assert np.allclose(enlarged[interior], expected[interior], rtol=0, atol=GREY_LEVELS_FLOAT32)
    assert np.allclose(wk.warp(image, inverse_map, expected.shape, mode="edge"), expected, rtol=0, atol=GREY_LEVELS_FLOAT32)


def test_normalised_scaling_without_aligned_corners_is_what_resize_does(camera):
    image = camera[:61, :83].astype(np.float32)
    expected = cv2.resize(image, (120, 97), interpolation=cv2.INTER_LINEAR)
    inverse_map = conventions.from_normalized(np.eye(2, 3), image.shape, (97, 120), align_corners=False)
    assert np.allclose(wk.warp(image, inverse_map, (97, 120), mode="edge"), expected, rtol=0, atol=GREY_LEVELS_FLOAT32)


# --- refusals --------------------------------------------------------------------------------------------------------------

IDENTITY = wk.Affine.identity()
REFUSALS = {
    "theta (2, 2)": (lambda: conventions.from_normalized(np.eye(2), (3, 3), (3, 3), align_corners=True), ValueError, "theta"),
    "theta of NaN": (
        lambda: conventions.from_normalized(np.full((2, 3), np.nan), (3, 3), (3, 3), align_corners=True),
        ValueError,
        "theta",
    ),
    "theta of text": (lambda: conventions.from_normalized("abc", (3, 3), (3, 3), align_corners=True), TypeError, "theta"),
    "singular theta": (
        lambda: conventions.from_normalized(np.zeros((2, 3)), (3, 3), (3, 3), align_corners=True),
        ValueError,
        "singular",
    ),
    "input_shape of zero": (
        lambda: conventions.from_normalized(THETA, (0, 3), (3, 3), align_corners=True),
        ValueError,
        "input_shape",
    ),
    "output_shape of floats": (
        lambda: conventions.from_normalized(THETA, (3, 3), (3.0, 3), align_corners=True),
        TypeError,
        "output_shape",
    ),
    "a spline to theta": (
        lambda: conventions.to_normalized(IDENTITY @ IDENTITY, (3, 3), (3, 3), align_corners=True),
        TypeError,
        "inverse_map",
    ),
    "a matrix to theta": (
        lambda: conventions.to_normalized(np.eye(3), (3, 3), (3, 3), align_corners=True),
        TypeError,
        "inverse_map",
    ),
    "corner-origin matrix (2, 2)": (lambda: conventions.from_corner_origin(np.eye(2)), ValueError, "matrix"),
    "corner-origin matrix of infinity": (lambda: conventions.from_corner_origin(np.full((2, 3), np.inf)), ValueError, "matrix"),
    "an array to corner-origin": (lambda: conventions.to_corner_origin(np.eye(3)), TypeError, "transform"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS.values(), ids=REFUSALS)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- Pillow and GDAL -------------------------------------------------------------------------------------------------------

PILLOW_DATA = [(0.8, -0.3, 7.25, 0.2, 1.1, -4.5), (0.8, -0.3, 7.25, 0.2, 1.1, -4.5, 1e-3, -2e-3)]


@pytest.mark.parametrize("data", PILLOW_DATA, ids=["affine", "perspective"])
def test_from_pillow_samples_what_pillow_samples(data):
    rows, columns = np.mgrid[:60, :80]
    picture = Image.fromarray((2 * columns + 3 * rows).astype(np.float32))
    method = Image.Transform.AFFINE if len(data) == 6 else Image.Transform.PERSPECTIVE
    theirs = np.asarray(picture.transform((50, 40), method, data, Image.Resampling.BILINEAR))
    points = wk.sampling_grid(conventions.from_pillow(data), (40, 50))
    inside = ((points > 0) & (points < (79, 59))).all(axis=2)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(theirs[inside], points[inside] @ (2, 3), rtol=0, atol=GREY_LEVELS_FLOAT32)


@pytest.mark.parametrize("data", PILLOW_DATA, ids=["affine", "perspective"])
def test_to_pillow_undoes_from_pillow(data):
    np.testing.assert_allclose(conventions.to_pillow(conventions.from_pillow(data)), data, rtol=0, atol=ROUND_TRIP)


def test_pillow_cannot_be_told_of_a_horizon_before_the_first_pixel():
    with pytest.raises(ValueError, match="horizon"):
        conventions.to_pillow(wk.Projective([[1, 0, 0], [0, 1, 0], [1, 0, -5]]))


@pytest.mark.parametrize("data", [(1, 2, 3), (1, 2, 3, 2, 4, 6), (1, 0, np.nan, 0, 1, 0)])
def test_from_pillow_refuses_what_is_no_map(data):
    with pytest.raises(ValueError, match="must"):
        conventions.from_pillow(data)


def test_geotransforms_meet_in_the_world():
    source = (500_000.0, 10.0, 0.5, 4_600_000.0, 0.25, -10.0)
    output = (500_210.0, 2.5, 0.0, 4_599_800.0, 0.0, -2.5)

    def world(geotransform, points):
        x0, a, b, y0, d, e = geotransform
        x, y = (points + 0.5).T
        return np.column_stack([x0 + a * x + b * y, y0 + d * x + e * y])

    points = np.array([[0.0, 0.0], [99.0, 3.0], [-5.0, 41.5]])
    inverse_map = conventions.from_geotransforms(source, output)
    np.testing.assert_allclose(world(source, inverse_map(points)), world(output, points), rtol=1e-14)
    assert conventions.from_geotransforms(source, source) == wk.Affine.identity()


def test_geotransforms_are_checked_by_name():
    good = (0, 1, 0, 0, 0, -1)
    with pytest.raises(ValueError, match="source must have shape"):
        conventions.from_geotransforms(good[:5], good)
    with pytest.raises(ValueError, match="output must not be singular"):
        conventions.from_geotransforms(good, (0, 1, 1, 0, 1, 1))
