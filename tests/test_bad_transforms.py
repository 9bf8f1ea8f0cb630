"""Bad arguments of transforms, their constructors and their fits: refused by name."""

import numpy as np
import pytest
from refusals import IDENTITY, TRIANGLE, refuses, table

import warpkit as wk
from warpkit import Affine, DisplacementField, Projective, ThinPlateSpline

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
