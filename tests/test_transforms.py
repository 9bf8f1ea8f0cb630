"""Transforms as values: points, inverses, compositions, fits, JSON, copies, derivatives; every family."""

import copy
import json
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk
from warpkit.transforms.base import transform_and_direction

EXACT_PX = 1e-12  # arithmetic on numbers around 1 to 100
MATRIX_INVERSE_PX = 1e-9  # 1e-12 of coordinates up to 1,000
ITERATED_INVERSE_PX = 1e-7
FIT_PX = 1e-9
SPLINE_ORACLE_PX = 1e-9
CONTROL_POINT_PX = 1e-9
AFFINE_LIMIT_PX = 1e-5
VISIBLE_PX = 0.02
DIFFERENCE_STEP = 1e-3
SLOPE = 1e-4
SLOPE_PRODUCT = 1e-9
ELASTIC_STD_RELATIVE = 0.05  # 3.5 standard errors over the seeds below
ELASTIC_BORDER_VARIANCE_RELATIVE = 0.25  # 4 standard errors
ELASTIC_BORDER_CORRELATION = 0.2  # 4 standard errors
FIT_MEMORY_BYTES = 64 * 2**20

CONTROL_POINTS = np.array([[0, 0], [59, 0], [0, 39], [59, 39], [20, 12], [41, 30], [33, 5.5]])
VALUES = CONTROL_POINTS + np.array([[1, 2], [-2, 1], [0, -1.5], [2, 1], [1.5, -1], [-1, 2], [0.5, 0.25]])

AFFINE = wk.Affine([[1.1, -0.3, 5.25], [0.2, 0.9, -3.5]])
PROJECTIVE = wk.Projective([[1.05, 0.1, 3], [-0.08, 0.95, 2], [2e-4, -1e-4, 1]])
SPLINE = wk.ThinPlateSpline(CONTROL_POINTS, VALUES)
SMOOTH_SPLINE = wk.ThinPlateSpline(CONTROL_POINTS, VALUES, smoothing=0.05)
FIELD = wk.DisplacementField.elastic((40, 60), alpha=100, sigma=9, seed=1)
COMPOSITION = PROJECTIVE @ AFFINE @ FIELD

FAMILIES = {
    "affine": AFFINE,
    "projective": PROJECTIVE,
    "spline": SPLINE,
    "smooth spline": SMOOTH_SPLINE,
    "field": FIELD,
    "inverse of spline": SPLINE.inverse,
    "inverse of field": FIELD.inverse,
    "composition": COMPOSITION,
    "inverse of composition": COMPOSITION.inverse,
    "composition with spline": AFFINE @ SPLINE,
}
every_family = pytest.mark.parametrize("transform", FAMILIES.values(), ids=FAMILIES)

# The horizon of this map is the line x = 10; points to its right have a value.
HALF_PLANE = wk.Projective([[1, 0, 0], [0, 1, 0], [0.1, 0, -1]])


def picture_points(count=200, seed=0):
    """Points of a 60 x 40 picture."""
    return np.random.default_rng(seed).uniform([0, 0], [59, 39], (count, 2))


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


# --- inverses --------------------------------------------------------------------------------------------------------------

numbers = st.floats(-500, 500)
factors = st.floats(0.5, 2)


@st.composite
def affines(draw):
    shear = wk.Affine.shearing(draw(st.floats(-40, 40)))
    scale = wk.Affine.scaling(draw(factors), draw(factors) * draw(st.sampled_from([-1, 1])))
    turn = wk.Affine.similarity(1, draw(st.floats(-360, 360)), (draw(numbers), draw(numbers)))
    return (turn @ scale @ shear).simplified()


@st.composite
def projectives(draw):
    """Maps of a 100 x 100 square to a convex quadrilateral."""
    square = np.array([[0, 0], [100, 0], [100, 100], [0, 100.0]])
    moves = draw(st.lists(st.floats(-24, 24), min_size=8, max_size=8))
    return wk.Projective.from_quads(square, square + np.reshape(moves, (4, 2)))


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


# --- fits ------------------------------------------------------------------------------------------------------------------


@given(affines())
def test_affine_fit_is_exact_for_three_points(transform):
    src = np.array([[3, 5], [90, 8], [20, 70.0]])
    fitted = wk.Affine.fit(src, transform(src))
    assert np.allclose(fitted(src), transform(src), rtol=0, atol=FIT_PX)
    assert np.allclose(fitted.params, transform.params, rtol=FIT_PX, atol=FIT_PX)


@pytest.mark.parametrize("offset", [0, 1e5])
def test_affine_fit_is_the_least_squares_solution(offset):
    random = np.random.default_rng(4)
    src = random.uniform(0, 300, (40, 2)) + offset
    dst = AFFINE(src) + random.normal(0, 3, src.shape)
    design = np.column_stack([src - src.mean(axis=0), np.ones(len(src))])
    expected = design @ np.linalg.lstsq(design, dst, rcond=None)[0]
    assert np.allclose(wk.Affine.fit(src, dst)(src), expected, rtol=FIT_PX)


@given(projectives())
def test_projective_fit_is_exact_for_four_points(transform):
    src = np.array([[0, 0], [100, 0], [100, 100], [0, 100.0]])
    fitted = wk.Projective.from_quads(src, transform(src))
    assert np.allclose(fitted(src), transform(src), rtol=0, atol=FIT_PX)
    inside = picture_points()
    assert np.allclose(fitted(inside), transform(inside), rtol=0, atol=FIT_PX)


@given(projectives())
def test_projective_fit_recovers_a_homography_from_many_points(transform):
    src = picture_points(30)
    assert np.allclose(wk.Projective.fit(src, transform(src))(src), transform(src), rtol=0, atol=FIT_PX)


def test_projective_fit_of_noisy_points_is_near_the_truth():
    random = np.random.default_rng(5)
    src = random.uniform(0, 300, (200, 2))
    noise = 0.5
    fitted = wk.Projective.fit(src, PROJECTIVE(src) + random.normal(0, noise, src.shape))
    assert np.abs(fitted(src) - PROJECTIVE(src)).max() < noise


def test_projective_fit_of_many_points_needs_little_memory():
    src = picture_points(2000)
    dst = PROJECTIVE(src)
    tracemalloc.start()
    try:
        wk.Projective.fit(src, dst)
        assert tracemalloc.get_traced_memory()[1] < FIT_MEMORY_BYTES
    finally:
        tracemalloc.stop()


SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
NO_QUADS = {
    "three on a line": [[0, 0], [5, 0], [10, 0], [0, 10]],
    "four on a line": [[0, 0], [1, 1], [2, 2], [3, 3]],
    "two the same": [[0, 0], [0, 0], [10, 10], [0, 10]],
    "one point": [[4, 4]] * 4,
    "reordered": SQUARE[[0, 2, 1, 3]],
    "one corner inside": [[0, 0], [10, 0], [3, 3], [0, 10]],
}


@pytest.mark.parametrize("quad", NO_QUADS.values(), ids=NO_QUADS)
def test_from_quads_refuses_degenerate_and_reordered_corners(quad):
    with pytest.raises(ValueError, match=r"src|dst"):
        wk.Projective.from_quads(SQUARE, quad)
    with pytest.raises(ValueError, match=r"src|dst"):
        wk.Projective.from_quads(quad, SQUARE)


@given(st.permutations(range(4)), st.floats(0.1, 0.9), st.floats(10, 100), st.floats(0, 360), st.tuples(numbers, numbers))
def test_from_quads_refuses_three_points_on_any_line(order, ratio, length, degrees, other):
    on_line = np.array([[0, 0], [ratio * length, 0], [length, 0]])
    quad = np.array([*wk.Affine.similarity(1, degrees, (30, 40))(on_line), other])[order]
    with pytest.raises(ValueError, match=r"src|dst"):
        wk.Projective.from_quads(SQUARE, quad)
    with pytest.raises(ValueError, match=r"src|dst"):
        wk.Projective.from_quads(quad, SQUARE)


def test_from_quads_takes_a_mirrored_quad():
    mirrored = SQUARE[::-1] + np.array([100, 50])
    assert np.allclose(wk.Projective.from_quads(SQUARE, mirrored)(SQUARE), mirrored, rtol=0, atol=FIT_PX)


def test_spline_and_field_fit_pass_through_their_points():
    spline = wk.ThinPlateSpline.fit(CONTROL_POINTS, VALUES, smoothing=0.05)
    assert spline == SMOOTH_SPLINE
    whole = np.floor(CONTROL_POINTS)
    field = wk.DisplacementField.fit(whole, VALUES, (40, 60))
    assert field.field.shape == (40, 60, 2)
    assert np.allclose(field(whole), VALUES, rtol=0, atol=CONTROL_POINT_PX)


# --- JSON ------------------------------------------------------------------------------------------------------------------

NESTED = wk.Composition([SPLINE.inverse, COMPOSITION, FIELD.inverse, SMOOTH_SPLINE])


@pytest.mark.parametrize("transform", [*FAMILIES.values(), NESTED], ids=[*FAMILIES, "nested"])
def test_json_round_trip_is_exact(transform):
    again = wk.transform_from_json(transform.to_json())
    assert again == transform
    assert type(again) is type(transform)
    assert again.params.tobytes() == transform.params.tobytes()
    assert np.array_equal(again(picture_points()), transform(picture_points()))
    assert again.to_json() == transform.to_json()


finite_numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite_numbers, min_size=12, max_size=12))
def test_json_keeps_every_bit_of_a_field(values):
    field = wk.DisplacementField(np.reshape(values, (2, 3, 2)))
    assert wk.transform_from_json(field.to_json()).params.tobytes() == field.params.tobytes()


@given(st.lists(finite_numbers, min_size=2, max_size=2), st.floats(1e-30, 1e30))
def test_json_keeps_every_bit_of_a_matrix(shift, scale):
    transform = wk.Affine([[scale, 0, shift[0]], [0, -scale, shift[1]]])
    assert wk.transform_from_json(transform.to_json()).params.tobytes() == transform.params.tobytes()


@every_family
@pytest.mark.parametrize("direction", [None, "inverse", "forward"])
def test_json_notes_the_direction(transform, direction):
    text = transform.to_json(direction=direction)
    assert json.loads(text).get("direction") == direction
    assert transform_and_direction(text) == (transform, direction)
    assert wk.transform_from_json(text) == transform


def test_json_refuses_another_direction():
    with pytest.raises(ValueError, match="direction"):
        AFFINE.to_json(direction="backward")
    document = json.loads(AFFINE.to_json()) | {"direction": "backward"}
    with pytest.raises(ValueError, match="direction"):
        wk.transform_from_json(json.dumps(document))


HEAD = {"format": "warpkit-transform", "version": 1}
TRIANGLE = [[0, 0], [1, 0], [0, 1]]
MALFORMED = {
    "empty": ("", "JSON"),
    "not JSON": ("{", "JSON"),
    "a list": ("[]", "format"),
    "a number": ("1", "format"),
    "another format": ('{"format": "something"}', "format"),
    "a newer version": ({"version": 2, "type": "affine", "matrix": [[1, 0, 0], [0, 1, 0]]}, "version"),
    "no type": ({}, "type"),
    "an unknown type": ({"type": "lens"}, "lens"),
    "a type that is a list": ({"type": ["affine"]}, "type"),
    "no matrix": ({"type": "affine"}, "matrix"),
    "a singular matrix": ({"type": "affine", "matrix": [[1, 1, 0], [1, 1, 0]]}, "singular"),
    "a matrix of NaN": ({"type": "affine", "matrix": [[float("nan"), 0, 0], [0, 1, 0]]}, "finite"),
    "a matrix of text": ({"type": "projective", "matrix": "abc"}, "matrix"),
    "a matrix that is an object": ({"type": "affine", "matrix": {"a": 1}}, "matrix"),
    "a ragged matrix": ({"type": "affine", "matrix": [[1, 0, 0], [0, 1]]}, "matrix"),
    "a huge integer": ({"type": "affine", "matrix": [[10**400, 0, 0], [0, 1, 0]]}, "matrix"),
    "a huge smoothing": (
        {"type": "thin_plate_spline", "control_points": TRIANGLE, "values": TRIANGLE, "smoothing": 10**400},
        "smoothing",
    ),
    "text for smoothing": (
        {"type": "thin_plate_spline", "control_points": TRIANGLE, "values": TRIANGLE, "smoothing": "a"},
        "smoothing",
    ),
    "too few bytes": ({"type": "displacement_field", "shape": [1, 1, 2], "float64_base64": "AAAA"}, "base64"),
    "no base64": ({"type": "displacement_field", "shape": [1, 1, 2], "float64_base64": "%"}, "base64"),
    "a number for base64": ({"type": "displacement_field", "shape": [1, 1, 2], "float64_base64": 3}, "field"),
    "a shape of text": ({"type": "displacement_field", "shape": "abc", "float64_base64": ""}, "shape|field"),
    "a huge shape": ({"type": "displacement_field", "shape": [10**30, 1, 2], "float64_base64": ""}, "shape"),
    "an inverse of an affine": ({"type": "inverse", "of": {"type": "affine", "matrix": [[1, 0, 0], [0, 1, 0]]}}, "original"),
    "an inverse of nothing": ({"type": "inverse"}, "of"),
    "no parts": ({"type": "composition", "parts": []}, "parts"),
    "parts that are numbers": ({"type": "composition", "parts": [1]}, "1"),
    "parts that are an object": ({"type": "composition", "parts": {}}, "parts"),
    "deep nesting": ("[" * 100_000, "JSON|nested"),
    "deeply nested compositions": (
        '{"format": "warpkit-transform", "version": 1, "type": "composition", "parts": ['
        + '{"type": "composition", "parts": [' * 400
        + "]}" * 400
        + "]}",
        "parts|nested|JSON",
    ),
}


@pytest.mark.parametrize(("document", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_refused(document, message):
    text = document if isinstance(document, str) else json.dumps(HEAD | document)
    with pytest.raises(ValueError, match=message):
        wk.transform_from_json(text)


def load_or_refuse(text):
    """A transform that can be written again, or a ValueError; anything else fails the test."""
    try:
        transform = wk.transform_from_json(text)
    except ValueError:
        return
    assert wk.transform_from_json(transform.to_json()) == transform


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = [
    json.loads(transform.to_json(direction="inverse"))
    for transform in (AFFINE, PROJECTIVE, SMOOTH_SPLINE, wk.DisplacementField(np.ones((1, 2, 2))), AFFINE @ SPLINE.inverse)
]


def places(value, path=()):
    """Paths to all values inside a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def mutated_documents(draw):
    """A valid document in which one value, at any depth, is replaced or missing."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    *parents, last = draw(st.sampled_from([path for path in places(document) if path]))
    holder = document
    for key in parents:
        holder = holder[key]
    if draw(st.integers(0, 4)) == 0:
        del holder[last]
    else:
        holder[last] = draw(json_values)
    return json.dumps(document)


@given(st.text() | json_values.map(json.dumps))
def test_random_text_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  any message will do
        wk.transform_from_json(text)


@given(
    json_values, st.sampled_from(["affine", "projective", "thin_plate_spline", "displacement_field", "composition", "inverse"])
)
def test_random_fields_are_loaded_or_refused(value, family):
    names = ("matrix", "control_points", "values", "smoothing", "shape", "float64_base64", "parts", "of")
    load_or_refuse(json.dumps(HEAD | {"type": family} | dict.fromkeys(names, value)))


@given(mutated_documents())
def test_mutated_documents_are_loaded_or_refused(text):
    load_or_refuse(text)


@given(st.sampled_from(DOCUMENTS).map(json.dumps), st.data())
def test_cut_documents_are_refused(text, data):
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(ValueError, match=r"JSON|format"):
        wk.transform_from_json(cut)


# --- values: copies, equality, text ----------------------------------------------------------------------------------------

COPIES = {
    "pickle": lambda t: pickle.loads(pickle.dumps(t)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle of a used one": lambda t: (t([0.0, 0.0]), pickle.loads(pickle.dumps(t)))[1],
}


def arrays_of(transform):
    """All arrays that a transform shows."""
    yield transform.params
    for name in ("matrix", "field", "values", "control_points"):
        if hasattr(transform, name):
            yield getattr(transform, name)
    for part in getattr(transform, "parts", ()):
        yield from arrays_of(part)
    if hasattr(transform, "original"):
        yield from arrays_of(transform.original)


@every_family
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_are_equal(transform, duplicate):
    again = duplicate(transform)
    assert again == transform
    assert hash(again) == hash(transform)
    assert np.array_equal(again(picture_points()), transform(picture_points()))
    assert again.with_params(transform.params) == transform


@every_family
def test_copies_are_still_immutable(transform):
    for again in (pickle.loads(pickle.dumps(transform)), copy.copy(transform), copy.deepcopy(transform)):
        assert not any(array.flags.writeable for array in arrays_of(again))


@every_family
def test_arrays_are_read_only(transform):
    for array in arrays_of(transform):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        (wk.Affine, [AFFINE.matrix]),
        (wk.Projective, [PROJECTIVE.matrix]),
        (wk.ThinPlateSpline, [CONTROL_POINTS, VALUES]),
        (wk.DisplacementField, [FIELD.field]),
    ],
)
def test_constructors_copy_their_input(family, arguments):
    arguments = [np.array(argument) for argument in arguments]
    transform = family(*arguments)
    before = transform.to_json()
    for argument in arguments:
        assert argument.flags.writeable
        argument += 1
    assert transform.to_json() == before


def test_with_params_copies_its_input():
    params = np.array(SPLINE.params)
    other = SPLINE.with_params(params)
    params += 1
    assert other == SPLINE


def test_equal_transforms_have_equal_hashes():
    same = [
        (AFFINE, wk.Affine(AFFINE.matrix.tolist())),
        (SPLINE, wk.ThinPlateSpline(CONTROL_POINTS.tolist(), VALUES.tolist())),
        (AFFINE @ SPLINE, wk.Composition([SPLINE, AFFINE])),
        (FIELD.inverse, wk.Inverse(wk.DisplacementField(FIELD.field))),
        (wk.Affine.identity(), wk.Affine.rotation(0)),  # which holds -0.0
    ]
    for one, other in same:
        assert one == other
        assert hash(one) == hash(other)
        assert len({one, other}) == 1


def test_different_transforms_are_not_equal():
    different = [
        *FAMILIES.values(),
        wk.Affine(AFFINE.matrix + np.eye(2, 3) * 1e-15),
        wk.Projective(np.vstack([AFFINE.matrix, [0, 0, 1]])),
        wk.ThinPlateSpline(CONTROL_POINTS + 1, VALUES),
        wk.DisplacementField(FIELD.field.reshape(60, 40, 2)),
        wk.Composition([AFFINE]),
    ]
    for n, one in enumerate(different):
        assert [other == one for other in different] == [m == n for m in range(len(different))]
        assert one != one.params.tolist()


def test_repr_tells_what_the_map_is():
    assert eval(repr(AFFINE), vars(wk)) == AFFINE
    assert eval(repr(PROJECTIVE), vars(wk)) == PROJECTIVE
    assert repr(SPLINE) == "ThinPlateSpline(7 control points, largest shift 2.236 px, smoothing=0)"
    assert "smoothing=0.05" in repr(SMOOTH_SPLINE)
    assert repr(wk.DisplacementField(np.full((3, 5, 2), [3.0, 4.0]))) == "DisplacementField(3 x 5, largest shift 5 px)"
    assert repr(SPLINE.inverse) == repr(SPLINE) + ".inverse"
    assert repr(AFFINE @ SPLINE) == f"{AFFINE!r} @ {SPLINE!r}"


# --- derivatives -----------------------------------------------------------------------------------------------------------


def central_differences(transform, point):
    steps = DIFFERENCE_STEP * np.eye(2)
    return (transform(point + steps) - transform(point - steps)).T / (2 * DIFFERENCE_STEP)


# Away from the samples of a field, between which it is smooth.
off_samples = st.tuples(
    st.builds(lambda cell, rest: cell + rest, st.integers(1, 57), st.floats(0.05, 0.95)),
    st.builds(lambda cell, rest: cell + rest, st.integers(1, 37), st.floats(0.05, 0.95)),
)


@pytest.mark.parametrize("name", FAMILIES)
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
