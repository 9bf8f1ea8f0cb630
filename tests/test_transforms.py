"""Transforms as maps of points: calls, inverses, compositions, parameters, derivatives; every family."""

import numpy as np
import pytest
from families import (
    AFFINE,
    COMPOSITION,
    CONTROL_POINTS,
    EXACT_PX,
    FAMILIES,
    FIELD,
    HALF_PLANE,
    MATRIX_INVERSE_PX,
    PROJECTIVE,
    SMOOTH_SPLINE,
    SPLINE,
    VALUES,
    affines,
    every_family,
    picture_points,
    projectives,
)
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

ITERATED_INVERSE_PX = 1e-7
DIFFERENCE_STEP = 1e-3
SLOPE = 1e-4
SLOPE_PRODUCT = 1e-9


# --- calling ---------------------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("shape", [(2,), (0, 2), (5, 2), (3, 4, 2), (1, 2, 3, 2)])
def test_call_keeps_any_leading_shape(transform, shape):
    points = np.resize(picture_points(), shape)
    moved = transform(points)
    assert moved.shape == shape
    assert moved.dtype == np.float64
    one_by_one = [transform(point) for point in points.reshape(-1, 2)]
    assert np.array_equal(moved.reshape(-1, 2), np.reshape(one_by_one, (-1, 2)))


@every_family
def test_call_takes_lists_integers_and_strided_arrays(transform):
    points = np.arange(24).reshape(6, 2, 2)
    expected = transform(points.astype(np.float64))
    assert np.array_equal(transform(points.tolist()), expected)
    assert np.array_equal(transform(points.astype(np.uint8)), expected)
    assert np.array_equal(transform(points.astype(">f4")), expected)
    assert np.array_equal(transform(points.astype(np.float64)[::-1]), expected[::-1])
    assert np.array_equal(transform(np.asfortranarray(points, dtype=np.float64)), expected)


def test_affine_and_projective_follow_their_formula():
    x, y = picture_points().T
    assert np.allclose(
        AFFINE(picture_points()), np.column_stack([1.1 * x - 0.3 * y + 5.25, 0.2 * x + 0.9 * y - 3.5]), rtol=EXACT_PX
    )
    w = 2e-4 * x - 1e-4 * y + 1
    expected = np.column_stack([(1.05 * x + 0.1 * y + 3) / w, (-0.08 * x + 0.95 * y + 2) / w])
    assert np.allclose(PROJECTIVE(picture_points()), expected, rtol=EXACT_PX)


def test_a_projective_map_has_no_value_at_or_beyond_its_horizon():
    moved = HALF_PLANE([[9.0, 5.0], [10.0, 5.0], [20.0, 5.0]])
    assert np.isnan(moved[:2]).all()
    assert np.array_equal(moved[2], [20.0, 5.0])


@every_family
def test_a_point_without_a_value_stays_without_one(transform):
    assert np.isnan((transform @ HALF_PLANE)([0.0, 0.0])).all()


@given(affines() | projectives(), st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=5))
def test_inverse_of_a_matrix_undoes_it(transform, points):
    moved = transform(points)
    assert not np.isnan(moved).any()
    assert np.allclose(transform.inverse(moved), points, rtol=0, atol=MATRIX_INVERSE_PX)
    assert np.allclose(transform.inverse.inverse.params, transform.params, rtol=MATRIX_INVERSE_PX, atol=MATRIX_INVERSE_PX)


def test_inverse_of_a_projective_map_keeps_the_side_of_the_horizon():
    points = np.array([[11.0, -3.0], [300.0, 40.0]])
    for transform in (HALF_PLANE, wk.Projective(7 * HALF_PLANE.matrix)):
        assert np.allclose(transform.inverse(transform(points)), points, rtol=EXACT_PX)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_inverse_of_quarter_turns_is_exact(degrees):
    turn = wk.Affine.rotation(degrees, (3.5, 2))
    assert np.array_equal(turn.inverse.matrix, wk.Affine.rotation(-degrees, (3.5, 2)).matrix)
    homography = wk.Projective(np.vstack([turn.matrix, [0, 0, 1]]))
    assert np.array_equal(homography.inverse.matrix[:2], turn.inverse.matrix)


@pytest.mark.parametrize("transform", [SPLINE, SMOOTH_SPLINE, FIELD, COMPOSITION, AFFINE @ SPLINE])
def test_iterated_inverse_undoes_a_gentle_map(transform):
    points = picture_points()
    assert np.allclose(transform(transform.inverse(points)), points, rtol=0, atol=ITERATED_INVERSE_PX)
    assert np.allclose(transform.inverse(transform(points)), points, rtol=0, atol=10 * ITERATED_INVERSE_PX)


def test_inverse_of_an_inverse_is_the_original():
    assert SPLINE.inverse.inverse == SPLINE
    assert FIELD.inverse.inverse == FIELD
    assert np.allclose(COMPOSITION.inverse.inverse.params, COMPOSITION.params, rtol=EXACT_PX)


def test_inverse_is_nan_where_the_map_does_not_reach():
    corners = np.array([[x, y] for x in (-10.0, 0.0, 10.0) for y in (-10.0, 10.0)])
    parabola = wk.ThinPlateSpline(corners, np.column_stack([corners[:, 0] ** 2, corners[:, 1]]))
    everywhere = np.stack(np.meshgrid(np.linspace(-400, 400, 101), np.linspace(-400, 400, 101)), axis=-1)
    assert parabola(everywhere)[..., 0].min() > -100
    assert np.isnan(parabola.inverse([-1000.0, 0.0])).all()


def test_inverse_of_a_folding_map_is_right_or_nan():
    steep = wk.DisplacementField.elastic((40, 60), alpha=1000, sigma=4, seed=3)
    assert np.linalg.det(steep.jacobian(picture_points())).min() < 0, "the map should fold"
    points = picture_points(2000)
    found = steep.inverse(points)
    has_value = ~np.isnan(found).any(axis=1)
    assert np.array_equal(has_value, ~np.isnan(found).all(axis=1))
    assert has_value.any()
    assert np.allclose(steep(found[has_value]), points[has_value], rtol=0, atol=ITERATED_INVERSE_PX)


# --- compositions ----------------------------------------------------------------------------------------------------------


def test_matmul_applies_the_right_hand_map_first():
    shift, double = wk.Affine.translation(1, 0), wk.Affine.scaling(2)
    assert (double @ shift)([3.0, 0.0]).tolist() == [8, 0]
    assert (shift @ double)([3.0, 0.0]).tolist() == [7, 0]


@every_family
@pytest.mark.parametrize("first", [AFFINE, PROJECTIVE, SPLINE, FIELD])
def test_composition_equals_one_map_after_the_other(transform, first):
    points = picture_points()
    assert np.allclose((transform @ first)(points), transform(first(points)), rtol=EXACT_PX, atol=0)


def test_compositions_flatten_in_the_order_of_application():
    assert (AFFINE @ SPLINE @ FIELD).parts == (FIELD, SPLINE, AFFINE)
    assert (AFFINE @ (SPLINE @ FIELD)) == ((AFFINE @ SPLINE) @ FIELD)
    assert ((AFFINE @ SPLINE) @ (FIELD @ PROJECTIVE)).parts == (PROJECTIVE, FIELD, SPLINE, AFFINE)
    assert (AFFINE @ SPLINE).inverse.parts == (AFFINE.inverse, SPLINE.inverse)


@pytest.mark.parametrize("other", [3, "affine", None, np.eye(3)], ids=["int", "str", "None", "array"])
def test_a_transform_composes_with_transforms_only(other):
    # numpy answers for arrays, with a ValueError
    with pytest.raises((TypeError, ValueError)):
        AFFINE @ other
    with pytest.raises((TypeError, ValueError)):
        other @ AFFINE


def test_simplified_multiplies_neighbouring_matrices():
    points = picture_points()
    cases = [
        (AFFINE @ AFFINE.inverse @ AFFINE, wk.Affine, 1),
        (PROJECTIVE @ AFFINE, wk.Projective, 1),
        (AFFINE @ PROJECTIVE, wk.Projective, 1),
        (AFFINE @ PROJECTIVE @ SPLINE @ AFFINE @ AFFINE, wk.Composition, 3),
        (SPLINE @ FIELD, wk.Composition, 2),
    ]
    for composition, family, parts in cases:
        simple = composition.simplified()
        assert type(simple) is family
        assert len(getattr(simple, "parts", [simple])) == parts
        assert np.allclose(simple(points), composition(points), rtol=EXACT_PX, atol=EXACT_PX)
    assert wk.Composition([SPLINE]).simplified() == SPLINE


# --- parameters ------------------------------------------------------------------------------------------------------------


def test_params_have_the_documented_order():
    assert AFFINE.params.tolist() == [1.1, -0.3, 5.25, 0.2, 0.9, -3.5]
    assert PROJECTIVE.params.tolist() == [1.05, 0.1, 3, -0.08, 0.95, 2, 2e-4, -1e-4, 1]
    assert SPLINE.params.tolist() == VALUES.ravel().tolist()
    assert FIELD.params.tolist() == FIELD.field.ravel().tolist()
    assert SPLINE.inverse.params.tolist() == SPLINE.params.tolist()
    in_order = np.concatenate([FIELD.params, SPLINE.params, AFFINE.params])
    assert (AFFINE @ SPLINE @ FIELD).params.tolist() == in_order.tolist()


@every_family
def test_with_params_round_trip(transform):
    params = transform.params
    assert params.ndim == 1
    assert params.dtype == np.float64
    assert transform.with_params(params) == transform
    assert type(transform.with_params(params)) is type(transform)
    changed = params + 1e-3
    assert np.array_equal(transform.with_params(changed).params, changed)
    assert not np.array_equal(transform.with_params(changed)(picture_points()), transform(picture_points()))


@every_family
def test_with_params_refuses_another_number_of_them(transform):
    for wrong in (transform.params[:-1], np.append(transform.params, 0), transform.params[None]):
        with pytest.raises(ValueError, match="params"):
            transform.with_params(wrong)


def test_with_params_keeps_control_points_and_smoothing():
    other = SMOOTH_SPLINE.with_params(VALUES[::-1].ravel())
    assert other == wk.ThinPlateSpline(CONTROL_POINTS, VALUES[::-1], smoothing=0.05)


# --- derivatives -----------------------------------------------------------------------------------------------------------


def central_differences(transform, point):
    steps = DIFFERENCE_STEP * np.eye(2)
    return (transform(point + steps) - transform(point - steps)).T / (2 * DIFFERENCE_STEP)


# Away from the samples of a field, between which it is smooth.
off_samples = st.tuples(
    st.builds(lambda cell, rest: cell + rest, st.integers(1, 57), st.floats(0.05, 0.95)),
    st.builds(lambda cell, rest: cell + rest, st.integers(1, 37), st.floats(0.05, 0.95)),
)


@pytest.mark.parametrize("name", [name for name in FAMILIES if "piecewise" not in name])
@given(point=off_samples)
def test_jacobian_equals_central_differences(name, point):
    transform = FAMILIES[name]
    # An inverse is smooth where the point it leads to is off the samples.
    at = transform.inverse(point) if name.startswith("inverse") else np.array(point)
    assert np.allclose(transform.jacobian(at), central_differences(transform, at), rtol=0, atol=SLOPE)


@every_family
def test_jacobian_of_the_inverse_is_the_inverse_jacobian(transform):
    there = transform(picture_points())
    product = transform.inverse.jacobian(there) @ transform.jacobian(picture_points())
    assert np.allclose(product, np.eye(2), rtol=0, atol=SLOPE if isinstance(transform, wk.Inverse) else 1e3 * SLOPE_PRODUCT)


@every_family
@pytest.mark.parametrize("shape", [(2,), (0, 2), (3, 4, 2)])
def test_jacobian_keeps_any_leading_shape(transform, shape):
    points = np.resize(picture_points(), shape)
    jacobian = transform.jacobian(points)
    assert jacobian.shape == (*shape, 2)
    one_by_one = [transform.jacobian(point) for point in points.reshape(-1, 2)]
    assert np.array_equal(jacobian.reshape(-1, 2, 2), np.reshape(one_by_one, (-1, 2, 2)))


def test_jacobian_has_the_axes_in_the_documented_order():
    assert AFFINE.jacobian([7.0, 9.0]).tolist() == [[1.1, -0.3], [0.2, 0.9]]


def test_jacobian_at_a_control_point_is_the_limit():
    at = SPLINE.control_points
    nearby = SPLINE.jacobian(at + 1e-7)
    assert np.allclose(SPLINE.jacobian(at), nearby, rtol=0, atol=SLOPE)


def test_jacobian_beyond_a_field_and_a_horizon():
    assert FIELD.jacobian([-5.0, -5.0]).tolist() == [[1, 0], [0, 1]]
    assert FIELD.jacobian([100.0, 100.0]).tolist() == [[1, 0], [0, 1]]
    assert np.isnan(HALF_PLANE.jacobian([0.0, 0.0])).all()


def test_simplified_keeps_the_first_of_two_horizons():
    tilted = wk.Projective([[1, 0, 0], [0, 1, 0], [0.1, 0, -1]])
    there_and_back = tilted.inverse @ tilted
    for points in ([[0.0, 0]], [[20.0, 5]]):
        assert np.array_equal(there_and_back(points), there_and_back.simplified()(points), equal_nan=True)


def test_a_refined_family_does_not_take_over_its_json():
    class Mine(wk.Affine):
        pass

    assert type(wk.transform_from_json(wk.Affine.identity().to_json())) is wk.Affine


def test_a_matrix_is_no_part_of_a_composition():
    with pytest.raises(TypeError):
        wk.Affine.identity() @ np.eye(3)
