"""Normal equations of a warp against a Jacobian written out row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_derivatives import make_map

import warpkit as wk

FAMILIES = ["affine", "projective", "spline", "inverse spline", "composition"]


def matrix_map(family, shape, seed):
    """A map without a field, which would have a parameter for each pixel."""
    if family == "composition":
        return make_map("affine", shape, seed) @ make_map("spline", shape, seed + 1) @ make_map("projective", shape, seed + 2)
    return make_map(family, shape, seed)


def jacobian(moving, inverse_map, shape):
    """(pixels, channels, P): one pull for each element of the output."""
    output, pullback = wk.warp_vjp(moving, inverse_map, shape)
    rows = []
    for n in range(output.size):
        grad = np.zeros(output.size)
        grad[n] = 1
        rows.append(pullback(grad.reshape(output.shape), image=False)[1])
    return np.array(rows).reshape(shape[0] * shape[1], -1, inverse_map.params.size)


def inside(inverse_map, moving, shape):
    points = wk.sampling_grid(inverse_map, shape)
    limit = np.array(moving.shape[1::-1]) - 1
    return ((points >= 0) & (points < limit)).all(axis=-1).reshape(-1)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=settings.default.max_examples // 4)
@given(shape=st.tuples(st.integers(5, 12), st.integers(5, 12)), channels=st.integers(1, 3), seed=st.integers(0, 999))
def test_equal_the_jacobian_written_out(family, shape, channels, seed):
    random = np.random.default_rng(seed)
    moving, fixed = random.normal(size=(11, 13, channels)), random.normal(size=(*shape, channels))
    inverse_map = matrix_map(family, (11, 13), seed)
    weights = random.uniform(0, 2, shape) * (random.uniform(size=shape) > 0.2)
    residual = (wk.warp(moving, inverse_map, shape) - fixed).reshape(-1, channels)
    rows = jacobian(moving, inverse_map, shape)
    weight = weights.reshape(-1) * inside(inverse_map, moving, shape)
    found = wk.warp_normal_equations(moving, fixed, inverse_map, weights)
    jtj = np.einsum("n,ncp,ncq->pq", weight, rows, rows)
    jtr = np.einsum("n,ncp,nc->p", weight, rows, residual)
    scale = np.sqrt(np.diag(jtj)) + 1e-30
    assert found.jtj.shape == jtj.shape
    assert np.abs((found.jtj - jtj) / np.outer(scale, scale)).max() < 1e-9
    assert np.abs((found.jtr - jtr) / scale).max() < 1e-9 * (1 + np.sqrt((weight[:, None] * residual**2).sum()))
    assert found.residual_norm == pytest.approx(np.sqrt((weight[:, None] * residual**2).sum()), rel=1e-12)
    assert found.pixels == np.count_nonzero(weight)


def test_gauss_newton_finds_the_map():
    columns, rows = np.meshgrid(np.arange(80.0), np.arange(60.0))
    moving = np.sin(columns / 7) + np.cos(rows / 5 + columns / 11)
    true = wk.Affine.similarity(1.03, 4, (1.5, -0.7), (40, 30))
    fixed = wk.warp(moving, true)
    inverse_map = wk.Affine.identity()
    for _ in range(12):
        jtj, jtr, _, _ = wk.warp_normal_equations(moving, fixed, inverse_map, fixed != 0)
        inverse_map = inverse_map.with_params(inverse_map.params - np.linalg.solve(jtj, jtr))
    assert np.abs(inverse_map.matrix - true.matrix).max() < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_same_bits_for_any_number_of_threads(dtype):
    random = np.random.default_rng(0)
    moving, fixed = (random.uniform(0, 255, (300, 400, 3)).astype(dtype) for _ in range(2))
    inverse_map = matrix_map("spline", (300, 400), 1)
    before = wk.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            wk.set_num_threads(threads)
            results.append(wk.warp_normal_equations(moving, fixed, inverse_map))
    finally:
        wk.set_num_threads(before)
    for jtj, jtr, norm, pixels in results[1:]:
        assert jtj.tobytes() == results[0].jtj.tobytes()
        assert jtr.tobytes() == results[0].jtr.tobytes()
        assert (norm, pixels) == (results[0].residual_norm, results[0].pixels)
    assert np.array_equal(results[0].jtj, results[0].jtj.T)


def test_pixels_of_weight_zero_may_hold_anything():
    random = np.random.default_rng(0)
    moving, fixed = random.normal(size=(20, 20)), random.normal(size=(20, 20))
    weights = np.ones((20, 20))
    weights[5, 5] = 0
    turn = wk.Affine.rotation(5, (10, 10))
    expected = wk.warp_normal_equations(moving, fixed, turn, weights)
    fixed[5, 5] = np.nan
    for a, b in zip(wk.warp_normal_equations(moving, fixed, turn, weights), expected, strict=True):
        assert np.array_equal(a, b)
    assert np.isnan(wk.warp_normal_equations(moving, fixed, turn).residual_norm)


def test_nothing_in_common_is_no_pixels():
    zeros = wk.warp_normal_equations(np.ones((9, 9)), np.ones((9, 9)), wk.Affine.translation(100, 0))
    assert zeros.pixels == 0
    assert zeros.residual_norm == 0
    assert not zeros.jtj.any()
    assert not zeros.jtr.any()


@pytest.mark.parametrize(
    ("moving", "fixed", "inverse_map", "weights", "message"),
    [
        (np.ones(5), np.ones((5, 5)), wk.Affine.identity(), None, "moving must have shape"),
        (np.ones((5, 5)), np.ones((5, 5, 3)), wk.Affine.identity(), None, "fixed must have as many channels"),
        (np.ones((5, 5)), np.ones((5, 5)), wk.Affine.identity(), np.ones((4, 5)), "weights must have shape"),
        (np.ones((5, 5)), np.ones((5, 5)), wk.Affine.identity(), -np.ones((5, 5)), "weights must not be negative"),
        (np.ones((5, 5)), np.ones((5, 5)), wk.DisplacementField(np.zeros((5, 5, 2))), None, "inverse_map must not hold a disp"),
    ],
)
def test_bad_arguments_are_named(moving, fixed, inverse_map, weights, message):
    with pytest.raises(ValueError, match=message):
        wk.warp_normal_equations(moving, fixed, inverse_map, weights)
