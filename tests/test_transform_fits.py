"""Transforms through point pairs: exact where they can be, least squares otherwise, degenerate points refused."""

import tracemalloc

import numpy as np
import pytest
from families import (
    AFFINE,
    CONTROL_POINT_PX,
    CONTROL_POINTS,
    FIT_PX,
    PROJECTIVE,
    SMOOTH_SPLINE,
    VALUES,
    affines,
    numbers,
    picture_points,
    projectives,
)
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

FIT_MEMORY_BYTES = 64 * 2**20


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
