"""Polynomials against scikit-image and NumPy."""

import math

import numpy as np
import pytest
import skimage.transform
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

PEER_PX = 1e-6
EXACT_PX = 1e-9


def picture_points(count=60, seed=0):
    return np.random.default_rng(seed).uniform([0, 0], [639, 479], (count, 2))


def monomials(points, order):
    x, y = points.T
    return np.column_stack([x ** (degree - q) * y**q for degree in range(order + 1) for q in range(degree + 1)])


def random_polynomial(order, seed=0):
    random = np.random.default_rng(seed)
    coefficients = random.normal(0, 4, (2, (order + 1) * (order + 2) // 2))
    coefficients[:, :3] = [[320, 320, 0], [240, 0, 320]]
    return wk.Polynomial(coefficients, (320, 240), 320)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_a_polynomial_is_the_sum_of_its_monomials(order):
    polynomial = random_polynomial(order)
    points = picture_points()
    expected = monomials((points - [320, 240]) / 320, order) @ polynomial.coefficients.T
    assert np.allclose(polynomial(points), expected, rtol=0, atol=EXACT_PX)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_scikit_images_coefficients_are_taken_as_they_are(order):
    coefficients = np.random.default_rng(1).normal(size=(2, (order + 1) * (order + 2) // 2)) * 1e-3
    points = picture_points()
    expected = skimage.transform.PolynomialTransform(coefficients)(points)
    assert np.allclose(wk.Polynomial(coefficients)(points), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_fit_finds_the_polynomial_as_scikit_image_does(order):
    truth = random_polynomial(order)
    src = picture_points()
    fitted = wk.Polynomial.fit(src, truth(src), order)
    points = picture_points(seed=5)
    assert np.allclose(fitted(points), truth(points), rtol=0, atol=EXACT_PX * 100)
    peer = skimage.transform.PolynomialTransform.from_estimate(src, truth(src), order)
    assert np.allclose(fitted(points), peer(points), rtol=0, atol=PEER_PX)


@given(st.integers(1, 4), st.integers(0, 1000))
def test_a_fit_is_the_least_squares_solution(order, seed):
    src = picture_points(40, seed)
    dst = src + np.random.default_rng(seed).normal(0, 5, src.shape)
    design = monomials((src - 300) / 300, order)
    expected = design @ np.linalg.lstsq(design, dst, rcond=None)[0]
    assert np.allclose(wk.Polynomial.fit(src, dst, order)(src), expected, rtol=0, atol=EXACT_PX * 100)


def test_a_fit_far_from_the_origin_keeps_its_digits():
    src = picture_points()
    dst = random_polynomial(3)(src)
    far = wk.Polynomial.fit(src + 1e6, dst, 3)
    assert np.allclose(far(src + 1e6), dst, rtol=0, atol=1e-6)


def test_the_inverse_of_a_gentle_polynomial_undoes_it():
    polynomial = random_polynomial(3)
    points = picture_points()
    assert np.allclose(polynomial.inverse(polynomial(points)), points, rtol=0, atol=PEER_PX)


def test_the_inverse_has_no_value_where_the_polynomial_does_not_reach():
    parabola = wk.Polynomial([[0, 1, 0, 0.01, 0, 0], [0, 0, 1, 0, 0, 0]])
    assert np.isnan(parabola.inverse([-1000.0, 0.0])).all()
    flat = wk.Polynomial([[0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]])
    assert np.isnan(flat.inverse([4.0, 0.0])).all()


LINE = np.column_stack([np.arange(20.0), 2 * np.arange(20.0)])
CIRCLE = np.column_stack([np.cos(np.arange(20)), np.sin(np.arange(20))])
BAD_FITS = {
    "order 0": (picture_points(), 0, "order must be at least 1"),
    "too few points": (picture_points(5), 2, "at least 6"),
    "on a line": (LINE, 1, "curve"),
    "on a circle": (CIRCLE, 2, "curve"),
    "one point": (np.ones((9, 2)), 1, "one single point"),
}


@pytest.mark.parametrize(("src", "order", "message"), BAD_FITS.values(), ids=BAD_FITS)
def test_impossible_fits_are_refused(src, order, message):
    with pytest.raises(ValueError, match=message):
        wk.Polynomial.fit(src, src, order)


BAD = {
    "a constant": (([[1], [1]],), "coefficients"),
    "four coefficients": ((np.ones((2, 4)),), "coefficients"),
    "three rows": ((np.ones((3, 6)),), "coefficients"),
    "NaN": ((np.full((2, 6), math.nan),), "coefficients"),
    "infinite centre": ((np.ones((2, 6)), (0, math.inf)), "center"),
    "scale of zero": ((np.ones((2, 6)), (0, 0), 0), "scale"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_polynomials_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wk.Polynomial(*arguments)


def test_the_order_of_a_fit_is_an_integer():
    with pytest.raises(TypeError, match="order"):
        wk.Polynomial.fit(picture_points(), picture_points(), 2.0)
