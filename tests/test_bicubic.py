"""Bicubic sampling: Keys's kernel with a = -1/2, against an oracle of its own and by what it must reproduce."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import MODES, bicubic

import warpkit as wk

DTYPES = ["uint8", "int8", "uint16", "float32", "float64"]


def random_picture(dtype, shape=(13, 17), seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("mode", MODES)
def test_equals_the_sum_over_all_pixels(mode):
    random = np.random.default_rng(1)
    picture = random.normal(size=(13, 17))
    points = random.uniform(-7, 22, (40, 30, 2))
    points[:5] = np.round(points[:5])
    sampled = wk.sample(picture, points, interpolation="bicubic", mode=mode, cval=0.7)
    assert np.abs(sampled - bicubic(picture, points, mode, 0.7)).max() < 1e-13


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_whole_pixel_moves_are_exact(dtype, mode):
    picture = random_picture(dtype)
    options = {"interpolation": "bicubic", "mode": mode}
    assert np.array_equal(wk.warp(picture, wk.Affine.identity(), **options), picture)
    assert np.array_equal(wk.warp(picture, wk.Affine.scaling(-1, 1, (8, 0)), **options), picture[:, ::-1])
    padded = np.pad(picture, 3, mode)
    assert np.array_equal(wk.warp(picture, wk.Affine.translation(-3, -3), padded.shape, **options), padded)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16"])
def test_overshoot_is_clipped(dtype):
    limits = np.iinfo(dtype)
    picture = np.full((9, 12), limits.min, dtype)
    picture[:, 6:] = limits.max
    points = np.stack(np.meshgrid(np.linspace(1, 10, 300), np.full(2, 4.0)), axis=-1)
    raw = bicubic(picture, points, "edge")
    assert raw.max() > limits.max + 5
    assert raw.min() < limits.min - 5
    sampled = wk.sample(picture, points, interpolation="bicubic", mode="edge").astype(float)
    assert np.abs(sampled - np.clip(raw, limits.min, limits.max)).max() < 0.51
    assert wk.sample(picture.astype("float32"), points, interpolation="bicubic", mode="edge").max() > limits.max + 5


@given(coefficients=st.tuples(*[st.floats(-2, 2)] * 6), x=st.floats(1, 13.999), y=st.floats(1, 9.999))
def test_parabolas_are_reproduced(coefficients, x, y):
    a, b, c, d, e, f = coefficients

    def parabola(x, y):
        return a + b * x + c * y + d * x * y + e * x * x + f * y * y

    columns, rows = np.meshgrid(np.arange(16.0), np.arange(12.0))
    sampled = wk.sample(parabola(columns, rows), np.array([[[x, y]]]), interpolation="bicubic")
    assert abs(sampled[0, 0] - parabola(x, y)) < 1e-10


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_taps_of_weight_zero_take_no_part(bad):
    picture = random_picture("float64")
    picture[6, 8] = bad
    kept = wk.warp(picture, wk.Affine.identity(), interpolation="bicubic")
    assert np.array_equal(kept, picture, equal_nan=True)
    shifted = wk.warp(picture, wk.Affine.translation(0.25, 0), interpolation="bicubic", mode="edge")
    assert (~np.isfinite(shifted)).sum() == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_inner_points_have_the_bits_of_border_points(dtype):
    """A picture inside a wider one of edge pixels: what is at the border of the first is inside the second."""
    picture = random_picture(dtype)
    wide = np.pad(picture, 6, "edge")
    turn = wk.Affine.rotation(23, (8, 6))
    options = {"interpolation": "bicubic", "mode": "edge"}
    moved = wk.Affine.translation(6, 6) @ turn
    here, there = wk.warp(picture, turn, **options), wk.warp(wide, moved, picture.shape, **options)
    if np.dtype(dtype).kind == "f":  # the coordinates are rounded 6 px apart
        assert np.allclose(here, there, rtol=0, atol=2e-5 if dtype == "float32" else 1e-12)
    else:
        assert np.array_equal(here, there)


@pytest.mark.parametrize("dtype", DTYPES)
def test_planes_batches_and_threads_agree(dtype):
    pictures = np.stack([random_picture(dtype, (40, 50, 3), seed) for seed in range(3)])
    turn = wk.Affine.rotation(10, (25, 20))
    before = wk.get_num_threads()
    try:
        wk.set_num_threads(1)
        batch = wk.warp_batch(pictures, turn, interpolation="bicubic", mode="reflect")
        wk.set_num_threads(3)
        assert np.array_equal(batch, wk.warp_batch(pictures, turn, interpolation="bicubic", mode="reflect"))
    finally:
        wk.set_num_threads(before)
    for picture, warped in zip(pictures, batch, strict=True):
        for c in range(3):
            plane = wk.warp(np.ascontiguousarray(picture[..., c]), turn, interpolation="bicubic", mode="reflect")
            assert np.array_equal(plane, warped[..., c])


def test_pictures_narrower_than_the_kernel():
    for shape in ((1, 1), (1, 4), (3, 2), (2, 9)):
        picture = random_picture("float64", shape)
        points = np.random.default_rng(2).uniform(-2, 10, (20, 20, 2))
        for mode in MODES:
            sampled = wk.sample(picture, points, interpolation="bicubic", mode=mode)
            assert np.abs(sampled - bicubic(picture, points, mode)).max() < 1e-12


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_blocks_of_float32_have_the_bits_of_more_channels_than_they_take(channels):
    picture = random_picture("float32", (60, 70, 5))
    picture[20, 30], picture[40, 10], picture[10:20, 40:50] = np.nan, np.inf, -0.0
    turn = wk.Affine.rotation(23, (35, 30)) @ wk.Affine.scaling(0.5)
    expected = wk.warp(picture, turn, (90, 110), interpolation="bicubic")[..., :channels]
    sampled = wk.warp(np.ascontiguousarray(picture[..., :channels]), turn, (90, 110), interpolation="bicubic")
    np.testing.assert_array_equal(sampled.view(np.int32), expected.view(np.int32))
    still = wk.warp(picture[..., :channels], wk.Affine.identity(), interpolation="bicubic")
    np.testing.assert_array_equal(still, picture[..., :channels])
