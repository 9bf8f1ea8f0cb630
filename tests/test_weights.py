"""Pixels that do not all count alike: masks, missing values, transparency; fills for points outside and for each channel."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

RNG = np.random.default_rng(11)
IMAGE = RNG.random((23, 31, 3))
MAPS = {
    "affine": wk.Affine.similarity(1.3, 25, (-4, 3), (15, 11)),
    "homography": wk.Projective([[1.1, 0.2, -3], [-0.1, 1.2, -2], [2e-3, 1e-3, 1]]),
    "spline": wk.ThinPlateSpline([[0, 0], [30, 0], [0, 22], [30, 22]], [[-3, 2], [33, -4], [2, 25], [28, 19]]),
    "field": wk.DisplacementField.elastic((23, 31), 30, 4, seed=3),
}
every_map = pytest.mark.parametrize("name", MAPS)


def points_of(inverse_map, shape=(23, 31)):
    return inverse_map(oracles.pixel_grid(*shape))


# --- masks and missing values ----------------------------------------------------------------------------------------------


@every_map
@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_an_output_pixel_is_the_mean_by_both_weights(name, mode, per_channel):
    weights = RNG.random(IMAGE.shape if per_channel else IMAGE.shape[:2])
    weights[RNG.random(weights.shape) < 0.3] = 0
    broken = np.where((weights if per_channel else weights[..., None]) == 0, np.nan, IMAGE)
    layers = weights if per_channel else weights[..., None] * np.ones(3)
    points = points_of(MAPS[name])
    sums, total = oracles.sample(IMAGE * layers, points, mode=mode), oracles.sample(layers, points, mode=mode)
    output, weight = wk.warp_weighted(broken, weights, MAPS[name], mode=mode, cval=7.0, least_weight=0.2, tolerance=0)
    np.testing.assert_allclose(weight, total if per_channel else total[..., 0], rtol=0, atol=1e-9)
    sure = np.abs(total - 0.2) > 1e-9
    expected = np.where(total > 0.2, sums / np.maximum(total, 0.1), 7.0)
    np.testing.assert_allclose(output[sure], expected[sure], rtol=0, atol=1e-9)


def test_a_missing_value_does_not_spread():
    """scikit-image #6266: one NaN and all that is near it is lost."""
    image = RNG.random((40, 40)).astype(np.float32)
    image[20, 20] = np.nan
    turned = wk.Affine.rotation(30, (19.5, 19.5))
    output, weight = wk.warp_weighted(image, None, turned, mode="edge", least_weight=0.01)
    assert np.isfinite(output).all()
    near = np.hypot(*np.moveaxis(points_of(turned, (40, 40)) - 20, -1, 0)) < 1.5
    assert ((weight < 1 - 1e-6) <= near).all()
    whole = wk.warp(np.where(np.isnan(image), 0.5, image).astype(np.float32), turned, mode="edge")
    np.testing.assert_allclose(output[~near], whole[~near], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "bool"])
def test_pixels_that_all_count_give_the_plain_picture(dtype):
    image = (IMAGE * (1 if dtype == "bool" else 200)).astype(dtype)
    output, weight = wk.warp_weighted(image, np.ones((23, 31)), MAPS["affine"], mode="edge")
    plain = wk.warp(image, MAPS["affine"], mode="edge")
    assert output.dtype == image.dtype
    assert np.abs(output.astype(float) - plain).max() <= (1 if image.dtype.kind != "f" else 1e-4)
    np.testing.assert_allclose(weight, 1, rtol=0, atol=1e-6)


@given(st.sampled_from(list(MAPS)), st.sampled_from(["bilinear", "nearest"]), st.integers(0, 2**32 - 1))
def test_what_is_masked_out_has_no_part(name, interpolation, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((23, 31)) < 0.5
    other = np.where(mask[..., None], IMAGE, rng.choice([np.nan, np.inf, 1e300], IMAGE.shape))
    one, _ = wk.warp_weighted(IMAGE, mask, MAPS[name], interpolation=interpolation)
    two, _ = wk.warp_weighted(other, mask, MAPS[name], interpolation=interpolation)
    np.testing.assert_array_equal(one, two)


def test_averages_over_footprints_have_weights_too():
    mask = np.zeros((40, 40))
    mask[:, ::2] = 1
    stripes = np.where(mask > 0, 3.0, 1000.0)
    output, weight = wk.warp_weighted(
        stripes, mask, wk.Affine.scaling(4), (9, 9), antialias=True, least_weight=0.3, mode="edge"
    )
    np.testing.assert_allclose(output, 3.0, rtol=1e-12)
    assert 0.4 < weight[1:, 1:].min() <= weight[1:, 1:].max() < 0.6


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((3, 3)), r"weights must have shape \(23, 31\) or the image's"),
        (np.full((23, 31), 2.0), "weights must be within 0 and 1"),
        (np.full((23, 31), np.nan), "weights must be within 0 and 1"),
    ],
)
def test_impossible_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        wk.warp_weighted(IMAGE, weights, MAPS["affine"])


def test_weights_are_not_counts():
    with pytest.raises(TypeError, match="weights must be bool or floating"):
        wk.warp_weighted(IMAGE, np.ones((23, 31), int), MAPS["affine"])


@pytest.mark.parametrize("least_weight", [0, 1.5, np.nan])
def test_an_impossible_least_weight_is_refused(least_weight):
    with pytest.raises(ValueError, match="least_weight must be"):
        wk.warp_weighted(IMAGE, None, MAPS["affine"], least_weight=least_weight)


# --- transparency ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_colours_that_cannot_be_seen_do_not_bleed(dtype, interpolation):
    """OpenCV #25473: the colour of transparent pixels shows at the edges of what is not."""
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    picture = np.zeros((40, 40, 4), dtype)
    picture[..., 0] = top  # red, transparent
    picture[10:30, 10:30] = [0, 0, top, top]  # blue
    warped = wk.warp_alpha(picture, wk.Affine.rotation(30, (19.5, 19.5)), interpolation=interpolation)
    visible = warped[..., 3] > 0
    assert 300 < visible.sum() < 600
    assert (warped[visible][:, 0] == 0).all()
    np.testing.assert_allclose(warped[visible][:, 2], top, rtol=1e-5)


def test_alpha_itself_is_warped_as_any_channel():
    picture = RNG.random((30, 30, 4)).astype(np.float32)
    warped = wk.warp_alpha(picture, MAPS["affine"])
    np.testing.assert_allclose(warped[..., 3], wk.warp(picture[..., 3], MAPS["affine"]), rtol=0, atol=1e-6)


def test_alpha_beyond_one_is_refused():
    with pytest.raises(ValueError, match="image must have an alpha channel within 0 and 1"):
        wk.warp_alpha(np.full((4, 4, 4), 2.0), wk.Affine.identity())


def test_a_picture_without_channels_is_refused():
    with pytest.raises(ValueError, match=r"image must have shape \(H, W, C\), got \(4, 4\)"):
        wk.warp_alpha(np.ones((4, 4)), wk.Affine.identity())


def test_a_picture_without_colours_is_refused():
    with pytest.raises(ValueError, match="at least two channels"):
        wk.warp_alpha(np.ones((4, 4, 1)), wk.Affine.identity())


# --- fills -----------------------------------------------------------------------------------------------------------------


@every_map
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
def test_fill_has_hard_edges_half_a_pixel_from_the_outermost_centres(name, interpolation):
    wide = MAPS[name] @ wk.Affine.translation(-12, -9)
    points = points_of(wide, (41, 55))
    sampled = (
        oracles.bicubic(IMAGE, np.clip(points, -8, (38, 30)), "edge")
        if interpolation == "bicubic"
        else oracles.sample(IMAGE, points, interpolation, "edge")
    )
    expected = oracles.with_fill(sampled, points, 23, 31, 5.0)
    result = wk.warp(IMAGE, wide, (41, 55), interpolation=interpolation, mode="fill", cval=5.0, tolerance=0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_area_of_pixels_includes_its_first_edge_only(interpolation, dtype):
    image = np.full((4, 4), 9, dtype)
    for shift, first, last in ((-0.5, 9, 9), (-0.5 - 1e-12, 0, 9), (0.5, 9, 0), (0.5 - 1e-12, 9, 9)):
        for inverse_map in (wk.Affine.translation(shift, 0), wk.Affine.translation(shift, 0) @ wk.Affine.identity()):
            row = wk.warp(image, inverse_map, mode="fill", interpolation=interpolation)[1]
            assert (row[0], row[-1]) == (first, last), shift


def test_fill_has_its_derivative():
    wide = wk.Affine.similarity(1.4, 20, (-9.3, -3.7))
    output, pullback = wk.warp_vjp(IMAGE, wide, (30, 40), mode="fill")
    inside = np.isfinite(oracles.with_fill(np.zeros((30, 40)), points_of(wide, (30, 40)), 23, 31, np.nan))
    assert 0 < inside.sum() < inside.size
    grad = RNG.random(output.shape)
    for whole, seen in zip(
        pullback(grad), wk.warp_vjp(IMAGE, wide, (30, 40), mode="edge")[1](grad * inside[..., None]), strict=True
    ):
        np.testing.assert_allclose(whole, seen, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["constant", "fill"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_each_channel_has_its_own_fill(mode, interpolation, dtype):
    image = (IMAGE * 255).astype(dtype)
    wide = MAPS["affine"] @ wk.Affine.translation(-12, -9)
    options = {"mode": mode, "interpolation": interpolation}
    result = wk.warp(image, wide, (41, 55), cval=(1, 200, 30), **options)
    for c, cval in enumerate((1, 200, 30)):
        np.testing.assert_array_equal(result[..., c], wk.warp(image[..., c], wide, (41, 55), cval=cval, **options))


@pytest.mark.parametrize("mode", ["constant", "fill", "edge"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("name", ["affine", "field"])
def test_a_fill_of_nan_is_seen_where_any_fill_is(name, interpolation, mode):
    wide = MAPS[name] @ wk.Affine.translation(-12, -9)
    options = {"mode": mode, "interpolation": interpolation}
    missing, white, black = (wk.warp(IMAGE, wide, (41, 55), cval=cval, **options) for cval in (np.nan, 900, -900))
    np.testing.assert_array_equal(missing, np.where(white == black, white, np.nan))


def test_identity_takes_nothing_from_a_fill_of_nan():
    for interpolation in ("bilinear", "bicubic"):
        same = wk.warp(IMAGE, wk.Affine.identity(), interpolation=interpolation, cval=np.nan)
        np.testing.assert_array_equal(same, IMAGE)


def test_what_is_missing_may_stay_missing():
    image = np.ones((9, 9))
    image[:, 4:] = np.nan
    shifted = wk.warp_weighted(image, None, wk.Affine.translation(-2, 0), cval=np.nan).output
    np.testing.assert_array_equal(shifted[0], [np.nan] * 2 + [1] * 4 + [np.nan] * 3)


def test_a_spline_has_no_fill_of_nan():
    with pytest.raises(ValueError, match="cval must be finite"):
        wk.warp(IMAGE, wk.Affine.identity(), interpolation="bspline3", cval=np.nan)


@pytest.mark.parametrize(
    ("cval", "message"),
    [
        ((1, 2), r"cval must be a number or one for each channel \(3\), got shape \(2,\)"),
        ([[1, 2, 3]], "cval must be a number or one for each channel"),
        ((1, 2, np.nan), r"cval\[2\] must be finite"),
        ((1, 2, np.inf), r"cval\[2\] must be finite"),
        ((1, 2, 300), r"cval\[2\] must be within 0 to 255"),
    ],
)
def test_impossible_fills_are_refused(cval, message):
    with pytest.raises(ValueError, match=message):
        wk.warp(np.zeros((4, 4, 3), np.uint8), wk.Affine.identity(), cval=cval)
