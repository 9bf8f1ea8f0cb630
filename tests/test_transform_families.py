"""What each family of transforms promises of its own: constructors, rules between samples, oracles."""

import numpy as np
import pytest
import scipy.ndimage
from families import (
    AFFINE,
    CONTROL_POINT_PX,
    CONTROL_POINTS,
    EXACT_PX,
    FIELD,
    HALF_PLANE,
    MATRIX_INVERSE_PX,
    SMOOTH_SPLINE,
    SPLINE,
    VALUES,
    every_family,
    factors,
    numbers,
    picture_points,
)
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

SPLINE_ORACLE_PX = 1e-9
AFFINE_LIMIT_PX = 1e-5
VISIBLE_PX = 0.02
ELASTIC_STD_RELATIVE = 0.05  # 3.5 standard errors over the seeds below
ELASTIC_BORDER_VARIANCE_RELATIVE = 0.25  # 4 standard errors
ELASTIC_BORDER_CORRELATION = 0.2  # 4 standard errors


# --- affine constructors ---------------------------------------------------------------------------------------------------

angles = st.floats(-1000, 1000)


@given(angles, st.tuples(numbers, numbers))
def test_rotation_is_cos_minus_sin_sin_cos_about_its_centre(degrees, center):
    turn = wk.Affine.rotation(degrees, center)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    assert np.allclose(turn.matrix[:, :2], [[cos, -sin], [sin, cos]], rtol=0, atol=EXACT_PX)
    assert np.allclose(turn(center), center, rtol=0, atol=MATRIX_INVERSE_PX)


@pytest.mark.parametrize("quarters", range(-9, 10))
def test_rotation_is_exact_at_quarter_turns(quarters):
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    assert wk.Affine.rotation(90 * quarters).matrix.tolist() == [[cos, -sin, 0], [sin, cos, 0]]
    expected = [[cos, -sin, 2.5 - cos * 2.5 + sin * 7], [sin, cos, 7 - sin * 2.5 - cos * 7]]
    assert wk.Affine.rotation(90 * quarters, (2.5, 7)).matrix.tolist() == expected


def test_positive_rotation_moves_right_to_down():
    assert wk.Affine.rotation(90)([1.0, 0.0]).tolist() == [0, 1]


@given(factors, angles, st.tuples(numbers, numbers), st.tuples(numbers, numbers), st.tuples(numbers, numbers))
def test_similarity_scales_and_turns_about_its_centre_then_translates(scale, degrees, translation, center, point):
    turned = wk.Affine.rotation(degrees)(np.subtract(point, center))
    expected = np.add(center, translation) + scale * turned
    similarity = wk.Affine.similarity(scale, degrees, translation, center)
    assert np.allclose(similarity(point), expected, rtol=0, atol=MATRIX_INVERSE_PX)


def test_scaling_and_translation():
    assert wk.Affine.scaling(2, 3, center=(10, 20))([11.0, 21.0]).tolist() == [12, 23]
    assert wk.Affine.scaling(2, center=(10, 20))([11.0, 21.0]).tolist() == [12, 22]
    assert wk.Affine.scaling(-1, 1)([11.0, 21.0]).tolist() == [-11, 21]
    assert wk.Affine.translation(2, -3)([11.0, 21.0]).tolist() == [13, 18]
    assert wk.Affine.identity()([11.0, 21.0]).tolist() == [11, 21]


def test_shearing_moves_x_by_the_tangent_of_y():
    assert np.allclose(wk.Affine.shearing(45)([1.0, 10.0]), [11, 10], rtol=EXACT_PX)
    assert np.allclose(wk.Affine.shearing(0, 45)([1.0, 10.0]), [1, 11], rtol=EXACT_PX)
    tangent = np.tan(np.radians([20, -30]))
    sheared = wk.Affine.shearing(20, -30, center=(4, 6))([9.0, 16.0])
    assert np.allclose(sheared, [9 + 10 * tangent[0], 16 + 5 * tangent[1]], rtol=EXACT_PX)


def test_affine_takes_a_square_matrix_with_an_affine_last_row():
    square = np.vstack([AFFINE.matrix, [0, 0, 1]])
    assert wk.Affine(square) == AFFINE
    with pytest.raises(ValueError, match="last row"):
        wk.Affine(2 * square)


# --- displacement fields ---------------------------------------------------------------------------------------------------


def test_field_is_bilinear_between_samples_and_constant_beyond():
    points = np.random.default_rng(2).uniform([-20, -20], [80, 60], (3000, 2))
    points[:100] = np.round(points[:100])
    moves = [
        scipy.ndimage.map_coordinates(FIELD.field[..., axis], points[:, ::-1].T, order=1, mode="nearest") for axis in range(2)
    ]
    assert np.allclose(FIELD(points), points + np.column_stack(moves), rtol=0, atol=100 * EXACT_PX)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_thin_fields_follow_the_same_rule(shape):
    field = wk.DisplacementField(np.random.default_rng(0).normal(size=(*shape, 2)))
    points = np.random.default_rng(1).uniform(-2, 7, (200, 2))
    rows, columns = np.clip(points[:, 1], 0, shape[0] - 1), np.clip(points[:, 0], 0, shape[1] - 1)
    along = np.arange(max(shape))
    moves = [np.interp(columns + rows, along, field.field[..., axis].ravel()) for axis in range(2)]
    assert np.allclose(field(points), points + np.column_stack(moves), rtol=0, atol=EXACT_PX)


@every_family
def test_from_transform_reads_off_the_map_at_pixel_centres(transform):
    field = wk.DisplacementField.from_transform(transform, (13, 17))
    assert field.field.shape == (13, 17, 2)
    centres = np.stack(np.meshgrid(np.arange(17.0), np.arange(13.0)), axis=-1)
    assert np.allclose(field(centres), transform(centres), rtol=0, atol=100 * EXACT_PX)


def test_from_transform_of_an_affine_map_is_that_map_inside():
    field = wk.DisplacementField.from_transform(AFFINE, (40, 60))
    assert np.allclose(field(picture_points()), AFFINE(picture_points()), rtol=0, atol=100 * EXACT_PX)


def test_from_transform_refuses_a_map_without_a_value():
    with pytest.raises(ValueError, match="transform must have a value at every pixel"):
        wk.DisplacementField.from_transform(HALF_PLANE, (3, 30))


ELASTIC_ALPHA, ELASTIC_SIGMA = 10.0, 4.0


@pytest.fixture(scope="module")
def elastic_fields():
    """60 random fields of 64 x 64."""
    return np.array([wk.DisplacementField.elastic((64, 64), ELASTIC_ALPHA, ELASTIC_SIGMA, seed).field for seed in range(60)])


def test_elastic_depends_on_the_seed_alone():
    one, other = (wk.DisplacementField.elastic((20, 30), 5, 2, seed=7) for _ in range(2))
    assert one == other
    assert one != wk.DisplacementField.elastic((20, 30), 5, 2, seed=8)
    assert one.field.shape == (20, 30, 2)
    assert np.allclose(wk.DisplacementField.elastic((20, 30), 10, 2, seed=7).field, 2 * one.field, rtol=EXACT_PX)
    assert not wk.DisplacementField.elastic((20, 30), 0, 2, seed=7).field.any()


def test_elastic_has_the_documented_standard_deviation(elastic_fields):
    expected = 0.163 * ELASTIC_ALPHA / ELASTIC_SIGMA
    for axis in range(2):
        assert np.std(elastic_fields[..., axis]) == pytest.approx(expected, rel=ELASTIC_STD_RELATIVE)
    assert np.abs(elastic_fields.mean(axis=0)).max() < expected


def test_elastic_axes_are_independent(elastic_fields):
    correlation = np.corrcoef(elastic_fields[..., 0].ravel(), elastic_fields[..., 1].ravel())[0, 1]
    assert abs(correlation) < ELASTIC_BORDER_CORRELATION


def test_elastic_is_as_strong_at_the_border_as_in_the_centre(elastic_fields):
    centre = elastic_fields[:, 16:48, 16:48].var()
    for border in (elastic_fields[:, 0], elastic_fields[:, -1], elastic_fields[:, :, 0], elastic_fields[:, :, -1]):
        assert border.var() == pytest.approx(centre, rel=ELASTIC_BORDER_VARIANCE_RELATIVE)


def test_elastic_does_not_wrap_around(elastic_fields):
    for one, other in ((elastic_fields[:, 0], elastic_fields[:, -1]), (elastic_fields[:, :, 0], elastic_fields[:, :, -1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < ELASTIC_BORDER_CORRELATION


# --- thin-plate splines ----------------------------------------------------------------------------------------------------


def spline_oracle(control_points, values, points, smoothing):
    """The spline of least bending energy, from its system as Bookstein (1989) writes it, with U = r^2 ln r."""
    low, high = control_points.min(axis=0), control_points.max(axis=0)
    half = max(high - low) / 2
    centred, points = (control_points - (low + high) / 2) / half, (points - (low + high) / 2) / half

    def radial(one, other):
        distance = np.linalg.norm(one[:, None] - other[None], axis=2)
        return distance**2 * np.log(np.where(distance > 0, distance, 1))

    count = len(centred)
    plane = np.column_stack([np.ones(count), centred])
    # U = r^2 ln r is half of r^2 ln r^2, and so is the smoothing.
    system = np.block([[radial(centred, centred) + smoothing / 2 * np.eye(count), plane], [plane.T, np.zeros((3, 3))]])
    solution = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    return radial(points, centred) @ solution[:count] + np.column_stack([np.ones(len(points)), points]) @ solution[count:]


@pytest.mark.parametrize("smoothing", [0, 1e-3, 0.05, 3])
def test_spline_solves_the_bending_energy_system(smoothing):
    points = np.vstack([picture_points(), CONTROL_POINTS, [[-50, 90]]])
    spline = wk.ThinPlateSpline(CONTROL_POINTS, VALUES, smoothing)
    expected = spline_oracle(CONTROL_POINTS, VALUES, points, smoothing)
    assert np.allclose(spline(points), expected, rtol=0, atol=SPLINE_ORACLE_PX)


def test_spline_passes_through_its_control_points():
    assert np.allclose(SPLINE(CONTROL_POINTS), VALUES, rtol=0, atol=CONTROL_POINT_PX)
    assert np.abs(SMOOTH_SPLINE(CONTROL_POINTS) - VALUES).max() > VISIBLE_PX


def test_spline_through_many_points_passes_through_them():
    random = np.random.default_rng(6)
    cells = np.stack(np.meshgrid(np.arange(20), np.arange(15)), axis=-1).reshape(-1, 2)
    control_points = 50 * (cells + random.uniform(0.1, 0.9, cells.shape))
    assert len(control_points) == 300
    values = control_points + random.normal(0, 5, control_points.shape)
    assert np.allclose(wk.ThinPlateSpline(control_points, values)(control_points), values, rtol=0, atol=CONTROL_POINT_PX)


def test_spline_through_affine_values_is_affine():
    spline = wk.ThinPlateSpline(CONTROL_POINTS, AFFINE(CONTROL_POINTS))
    assert np.allclose(spline(picture_points()), AFFINE(picture_points()), rtol=0, atol=SPLINE_ORACLE_PX)
    three = wk.ThinPlateSpline(CONTROL_POINTS[:3], VALUES[:3])
    plane = wk.Affine.fit(CONTROL_POINTS[:3], VALUES[:3])
    assert np.allclose(three(picture_points()), plane(picture_points()), rtol=0, atol=SPLINE_ORACLE_PX)


def test_smoothing_tends_to_the_affine_least_squares_fit():
    plane = wk.Affine.fit(CONTROL_POINTS, VALUES)
    spline = wk.ThinPlateSpline(CONTROL_POINTS, VALUES, smoothing=1e8)
    assert np.allclose(spline(picture_points()), plane(picture_points()), rtol=0, atol=AFFINE_LIMIT_PX)


@given(st.floats(1e-3, 1e3), st.tuples(numbers, numbers), st.floats(0, 10))
def test_smoothing_does_not_depend_on_the_size_of_the_picture(scale, shift, smoothing):
    resize = wk.Affine.similarity(scale, 0, shift)
    small = wk.ThinPlateSpline(CONTROL_POINTS, VALUES, smoothing)
    large = wk.ThinPlateSpline(resize(CONTROL_POINTS), resize(VALUES), smoothing)
    points = picture_points(20)
    assert np.allclose(large(resize(points)), resize(small(points)), rtol=0, atol=SPLINE_ORACLE_PX * (1 + scale))
