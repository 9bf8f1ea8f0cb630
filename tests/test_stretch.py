"""The proof that a map makes nothing smaller: a bound on its Jacobian, beside the Jacobian at many points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

import warpkit as wk
from warpkit.kernels.stretch import bounded_jacobian
from warpkit.minification import may_shrink

GRID = np.stack(np.meshgrid(np.linspace(0, 300, 4), np.linspace(0, 200, 3)), axis=-1).reshape(-1, 2)
HOMOGRAPHY = wk.Projective([[0.8, 0.05, 20], [-0.02, 0.7, 30], [5e-4, -3e-4, 1]])


def spline(seed, noise=5.0, scale=0.8):
    return wk.ThinPlateSpline(GRID, scale * GRID + np.random.default_rng(seed).normal(30, noise, GRID.shape))


@njit
def bounds(*arguments):
    return bounded_jacobian(*arguments)


def largest_stretch(inverse_map, rows, columns):
    points = np.stack(np.meshgrid(np.linspace(-1, columns, 150), np.linspace(-1, rows, 150)), axis=-1).reshape(-1, 2)
    return np.linalg.norm(inverse_map.jacobian(points), axis=1).max()


@given(
    st.sampled_from([HOMOGRAPHY, spline(1), HOMOGRAPHY @ spline(2), spline(3) @ HOMOGRAPHY @ wk.Affine.rotation(20)]),
    st.floats(0, 300),
    st.floats(0, 200),
    st.floats(0.01, 100),
    st.floats(0.01, 100),
)
def test_no_jacobian_of_a_cell_is_beyond_its_bound(inverse_map, x, y, x_half, y_half):
    pipeline = inverse_map.pipeline
    centre, radii = bounds(pipeline.table, pipeline.params[0], x, y, x_half, y_half)
    offsets = np.stack(np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9)), axis=-1).reshape(-1, 2)
    jacobians = inverse_map.jacobian(np.array([x, y]) + offsets * [x_half, y_half])
    off = np.abs(jacobians.reshape(-1, 4) - centre).max(axis=0)
    # where there is a horizon in the cell, the bound is NaN
    assert not (off > np.array(radii) * (1 + 1e-9) + 1e-9).any()


@given(st.integers(0, 2**32 - 1), st.floats(0, 15), st.floats(0.5, 1.1))
def test_what_shrinks_is_never_proven_not_to(seed, noise, scale):
    inverse_map = spline(seed, noise, scale)
    if largest_stretch(inverse_map, 200, 300) > 1 + 1e-6:
        assert may_shrink(inverse_map.pipeline, (200, 300))


@pytest.mark.parametrize(
    "inverse_map",
    [
        wk.Affine.identity(),
        wk.Affine.rotation(30, (100, 100)),
        HOMOGRAPHY,
        spline(1),
        wk.ThinPlateSpline(GRID, GRID),
        wk.Affine.translation(3, 4) @ wk.Affine.rotation(45),
        wk.Affine.scaling(0.9) @ spline(2) @ HOMOGRAPHY,
    ],
)
def test_matrices_splines_and_their_compositions_are_proven(inverse_map):
    assert largest_stretch(inverse_map, 200, 300) < 1 + 1e-9
    assert not may_shrink(inverse_map.pipeline, (200, 300))


def test_a_spot_that_shrinks_is_found():
    moved = 0.7 * GRID
    moved[5] += [25, 0]
    assert may_shrink(wk.ThinPlateSpline(GRID, moved).pipeline, (200, 300))


def test_a_horizon_is_not_proven():
    assert may_shrink(wk.Projective([[0.5, 0, 0], [0, 0.5, 0], [-1e-2, 0, 1]]).pipeline, (200, 300))
