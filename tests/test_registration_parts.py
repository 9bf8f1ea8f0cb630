"""What registration is made of, beside the same written out: small enough for kernels as plain Python."""

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.optimize

from warpkit.kernels.alignment import FACTORS, HUBER, NO_ROBUST, PRODUCTS, TILE, TUKEY, cell_sums, smooth_rows
from warpkit.kernels.total_variation import dual_rows, median_rows, primal_rows
from warpkit.registration.models import exponential


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (9, 12), (33, 20)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_smoothing_is_the_binomial_filter(dtype, shape, step):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    out = np.empty((-(-shape[0] // step), -(-shape[1] // step)), np.float32)
    assert smooth_rows(picture, np.float32(100), np.float32(0.02), step, out, 0, len(out)) == 0
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    expected = 0.02 * (picture.astype(float) - 100)
    for axis in (0, 1):
        expected = scipy.ndimage.correlate1d(expected, kernel, axis, mode="nearest")
    assert np.abs(out - expected[::step, ::step]).max() < 1e-6


@pytest.mark.parametrize("robust", [NO_ROBUST, HUBER, TUKEY])
def test_cell_sums_are_those_written_out(robust):
    random = np.random.default_rng(robust)
    channels, rows, columns, cell = 2, 13, TILE + 6, 4
    warped, fixed = (random.normal(size=(channels, rows, columns)).astype(np.float32) for _ in range(2))
    warped[0, 5, 6] = warped[1, 0, 0] = fixed[1, 8, 9] = np.nan
    weights = random.uniform(0, 2, (rows, columns)).astype(np.float32)
    lights = np.array([[1.1, 0.2], [0.7, -0.3]], np.float32)
    sums = np.empty((channels, PRODUCTS, 4, -(-columns // cell)))
    cell_sums(warped, 0, fixed, weights, lights, robust, np.float32(0.8), cell, sums, 0, 4)
    expected = np.zeros_like(sums)
    for c, y, x in np.ndindex(channels, rows, columns):
        if not (0 < y < rows - 1 and 0 < x < columns - 1):
            continue
        gain, bias = lights[c].astype(float)
        m, f = warped[c].astype(float), fixed[c].astype(float)
        slopes = [(gain * (m[a] - m[b]) + f[a] - f[b]) / 4 for a, b in (((y, x + 1), (y, x - 1)), ((y + 1, x), (y - 1, x)))]
        factors = np.array([*slopes, m[y, x], 1, f[y, x]])
        if np.isnan(factors).any():
            continue
        ratio = abs(gain * m[y, x] + bias - f[y, x]) / 0.8
        weight = {NO_ROBUST: 1, HUBER: min(1, 1.345 / ratio), TUKEY: max(0, 1 - (ratio / 4.685) ** 2) ** 2}[robust]
        expected[c, :, y // cell, x // cell] += weights[y, x] * weight * np.outer(factors, factors)[np.triu_indices(FACTORS)]
    assert np.abs(sums - expected).max() < 1e-4
    part = np.zeros_like(sums)
    cell_sums(np.ascontiguousarray(warped[:, 3:9]), 3, fixed, weights, lights, robust, np.float32(0.8), cell, part, 1, 2)
    assert np.array_equal(part[:, :, 1], sums[:, :, 1])


def test_the_exponential_is_scipys():
    random = np.random.default_rng(0)
    for size in (1e-9, 0.1, 3.0):
        matrix = size * random.normal(size=(3, 3))
        assert np.allclose(exponential(matrix), scipy.linalg.expm(matrix), rtol=1e-10, atol=1e-12)


def test_medians_are_scipys():
    planes = np.random.default_rng(0).normal(size=(2, 9, 12)).astype(np.float32)
    out = np.empty_like(planes)
    median_rows(planes, out, 0, 9)
    for plane, median in zip(planes, out, strict=True):
        assert np.array_equal(median, scipy.ndimage.median_filter(plane, 3, mode="nearest"))


def test_primal_dual_steps_reach_the_least_energy():
    """With slopes 1 along x alone, displacements along x are a picture with its noise taken away: its energy is no larger than
    what a general solver finds."""
    random = np.random.default_rng(0)
    goal = (random.normal(0, 0.3, (10, 12)) + (np.arange(12) > 5)).astype(np.float32)
    unknowns = np.zeros((2, 10, 12), np.float32)
    ahead, duals = unknowns.copy(), np.zeros((4, 10, 12), np.float32)
    slopes = np.zeros_like(unknowns)
    slopes[0] = 1
    for _ in range(1500):
        dual_rows(ahead, duals, 0, 10)
        primal_rows(unknowns, ahead, duals, slopes, -goal, np.float32(0.8), 0, 10)

    def energy(x):
        across, down = np.diff(x, axis=1, append=x[:, -1:]), np.diff(x, axis=0, append=x[-1:])
        return np.sqrt(across**2 + down**2 + 1e-10).sum() + 0.8 * np.abs(x - goal).sum()

    found = scipy.optimize.minimize(lambda x: energy(x.reshape(goal.shape)), goal.ravel(), method="L-BFGS-B")
    assert energy(unknowns[0].astype(float)) <= found.fun * 1.001
    assert not unknowns[1].any()
