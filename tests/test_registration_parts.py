"""What registration is made of, beside the same written out: small enough for kernels as plain Python."""

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.optimize

import warpkit as wk
from warpkit.kernels.alignment import FACTORS, HUBER, NO_ROBUST, PRODUCTS, TILE, TUKEY, cell_sums, smooth_rows
from warpkit.kernels.total_variation import dual_rows, median_rows, primal_rows
from warpkit.registration import equations
from warpkit.registration.models import GENERATORS, exponential
from warpkit.registration.motions import MatrixMotion, SplineMotion
from warpkit.registration.pyramid import Level


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


SHAPE, MATRIX = (50, 60), np.array([[1.01, 0.02, 3.0], [-0.02, 0.99, -2.0], [0, 0, 1]])
HOMOGRAPHY = np.vstack([MATRIX[:2], [1e-4, 2e-4, 1]])
MOTIONS = {
    "euclidean": MatrixMotion(MATRIX, GENERATORS["euclidean"], SHAPE),
    "affine": MatrixMotion(MATRIX, GENERATORS["affine"], SHAPE),
    "projective": MatrixMotion(HOMOGRAPHY, GENERATORS["projective"], SHAPE),
    "tps": SplineMotion.on_grid(wk.Projective(HOMOGRAPHY), SHAPE, (3, 4), 1e-4),
}


@pytest.mark.parametrize("model", ["affine", "projective"])
def test_parts_have_the_sums_of_the_whole(model, monkeypatch):
    monkeypatch.setattr(equations, "_PART", 500)
    moving, fixed = np.random.default_rng(0).normal(size=(2, 2, *SHAPE)).astype(np.float32)
    level = Level(1, moving, fixed, np.empty((0, 0), np.float32))
    measure, lights = equations.Measure(True, None), np.tile([1.0, 0.0], (2, 1))
    whole = measure.fit(level, level.warped(MOTIONS[model].at(1)), lights)
    assert np.array_equal(measure(level, MOTIONS[model], lights).sums, whole.sums)
    bands = whole.sums.reshape(2, PRODUCTS, -1, -(-SHAPE[1] // equations.cell_size(SHAPE)))
    third = measure.sums(level, MOTIONS[model].at(1), lights, every=3).reshape(bands.shape)
    assert np.array_equal(third[:, :, ::3], bands[:, :, ::3])
    assert not third[:, :, 1::3].any()


@pytest.mark.parametrize("model", MOTIONS)
def test_slopes_of_the_parameters_are_central_differences(model):
    motion = MOTIONS[model]
    slopes = motion.slopes()
    for unit, column in zip(1e-3 * np.eye(slopes.shape[1]), slopes.T, strict=True):
        ahead, back = motion.moved(unit).transform.params, motion.moved(-unit).transform.params
        assert np.allclose((ahead - back) / 2e-3, column, rtol=1e-4, atol=1e-5)


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
