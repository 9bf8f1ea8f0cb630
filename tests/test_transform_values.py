"""Transforms as values: JSON, copies, equality, text; every family."""

import copy
import json
import pickle

import numpy as np
import pytest
from families import (
    AFFINE,
    COMPOSITION,
    CONTROL_POINTS,
    FAMILIES,
    FIELD,
    PROJECTIVE,
    SMOOTH_SPLINE,
    SPLINE,
    VALUES,
    every_family,
    picture_points,
)
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk
from warpkit.transforms.base import transform_and_direction

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


def test_json_is_text():
    for document in (None, {"format": "warpkit-transform"}):
        with pytest.raises(TypeError, match=f"^text must be JSON text, got {type(document).__name__}"):
            wk.transform_from_json(document)


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


@every_family
def test_attributes_cannot_be_changed(transform):
    before = transform(picture_points())  # now it is packed for kernels, which would not know of a change
    for name in vars(transform):
        with pytest.raises(AttributeError, match=f"^{name} cannot be changed"):
            setattr(transform, name, None)
    assert np.array_equal(transform(picture_points()), before)


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


@every_family
def test_repr_begins_with_the_family(transform):
    parts = transform.parts if isinstance(transform, wk.Composition) else [transform]
    first = parts[-1].inverse if repr(parts[-1]).endswith(".inverse") else parts[-1]
    assert repr(transform).startswith(f"{type(first).__name__}(")


@pytest.mark.parametrize("name", ["polar", "log-polar", "swirl", "cylinder"])
def test_repr_of_few_numbers_is_the_map(name):
    assert eval(repr(FAMILIES[name]), vars(wk)) == FAMILIES[name]
