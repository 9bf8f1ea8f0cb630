"""The sampling kernels k(d; phi): each against its definition, against the libraries that have it, and its derivatives."""

import cv2
import numpy as np
import oracles
import pytest
import scipy.ndimage
from oracles import MODES, lanczos, mitchell_netravali

import warpkit as wk
from warpkit.testing import check_adjoint, check_vjp

# Each interpolation with the kernel that defines it, as a function of the distance.
KERNELS = {
    "bicubic": (lambda d: oracles.cubic_kernel(d, -0.5)),
    "mitchell": (lambda d: mitchell_netravali(d, 1 / 3, 1 / 3)),
    "lanczos3": (lambda d: lanczos(d, 3)),
    "lanczos4": (lambda d: lanczos(d, 4)),
    wk.Cubic.keys(-0.75): (lambda d: oracles.cubic_kernel(d, -0.75)),
    wk.Cubic(0.9, -0.3): (lambda d: mitchell_netravali(d, 0.9, -0.3)),
}
INTERPOLATING = ("bicubic", "lanczos3", "lanczos4", wk.Cubic.keys(-0.75))
OPENCV_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "edge": cv2.BORDER_REPLICATE,
    "symmetric": cv2.BORDER_REFLECT,
    "reflect": cv2.BORDER_REFLECT_101,
    "wrap": cv2.BORDER_WRAP,
}


def each_with(*dtypes, of=KERNELS):
    """Every kernel with every type, but of Lanczos' two only one with 8 bits: each takes long to compile."""
    pairs = [(name, dtype) for name in of for dtype in dtypes if (name, dtype) != ("lanczos3", "uint8")]
    return pytest.mark.parametrize(("interpolation", "dtype"), pairs, ids=str)


def picture_of(dtype, shape=(13, 17), seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def points_around(shape, seed=1, count=(30, 25), margin=6.0):
    height, width = shape
    return np.random.default_rng(seed).uniform(-margin, [width + margin, height + margin], (*count, 2))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", KERNELS, ids=str)
def test_equals_the_sum_over_all_pixels(interpolation, mode):
    picture = picture_of("float64")
    points = points_around(picture.shape)
    points[:4] = np.round(points[:4])
    exact = oracles.separable(picture, points, KERNELS[interpolation], mode, 0.7)
    sampled = wk.sample(picture, points, interpolation=interpolation, mode=mode, cval=0.7)
    assert np.abs(sampled - exact).max() < 1e-13
    small = wk.sample(picture.astype("float32"), points, interpolation=interpolation, mode=mode, cval=0.7)
    assert np.abs(small - exact).max() < 1e-5


@each_with("uint8", "int32")
def test_integers_are_rounded_and_clipped(interpolation, dtype):
    picture = picture_of(dtype, (13, 17, 3))
    points = points_around(picture.shape[:2])
    limits = np.iinfo(dtype)
    exact = np.clip(oracles.separable(picture, points, KERNELS[interpolation], "edge"), limits.min, limits.max)
    sampled = wk.sample(picture, points, interpolation=interpolation, mode="edge")
    assert sampled.dtype == picture.dtype
    assert np.abs(sampled - exact).max() < 0.55


@pytest.mark.parametrize("mode", MODES)
@each_with("uint8", "float64", of=INTERPOLATING)
def test_whole_pixel_moves_are_exact(interpolation, dtype, mode):
    picture = picture_of(dtype)
    padded = np.pad(picture, 3, mode)
    moved = wk.warp(picture, wk.Affine.translation(-3, -3), padded.shape, interpolation=interpolation, mode=mode)
    assert np.array_equal(moved, padded)


@each_with("uint8", "float32")
def test_constant_pictures_stay_constant(interpolation, dtype):
    picture = np.full((13, 17), 201, dtype)
    warped = wk.warp(picture, wk.Affine.similarity(1.1, 23, (0.3, 0.4), (8, 6)), interpolation=interpolation, mode="edge")
    assert np.abs(warped.astype(float) - 201).max() <= (2e-4 if dtype == "float32" else 0)


def test_pictures_narrower_than_the_kernel():
    for shape in ((1, 1), (1, 4), (3, 2), (2, 9)):
        picture = picture_of("float64", shape)
        points = points_around(shape, margin=3)
        for mode in MODES:
            sampled = wk.sample(picture, points, interpolation="lanczos4", mode=mode)
            assert np.abs(sampled - oracles.separable(picture, points, KERNELS["lanczos4"], mode)).max() < 1e-12


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("interpolation", INTERPOLATING, ids=str)
def test_taps_of_weight_zero_take_no_part(interpolation, bad):
    picture = picture_of("float64")
    picture[6, 8] = bad
    assert np.array_equal(wk.warp(picture, wk.Affine.identity(), interpolation=interpolation), picture, equal_nan=True)


@pytest.mark.parametrize("mode", OPENCV_BORDERS)
@pytest.mark.parametrize(
    ("interpolation", "flag"), [(wk.Cubic.keys(-0.75), cv2.INTER_CUBIC), ("lanczos4", cv2.INTER_LANCZOS4)], ids=str
)
def test_is_opencvs(interpolation, flag, mode):
    """At multiples of 1/32 pixel, which OpenCV rounds coordinates to."""
    points = np.round(points_around((40, 50), margin=3, count=(60, 70)) * 32).astype(np.float32) / 32
    maps = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
    options = {"interpolation": interpolation, "mode": mode}
    for dtype, tolerance in (("float32", 1e-5), ("uint8", 1)):
        picture = picture_of(dtype, (40, 50))
        theirs = cv2.remap(picture, *maps, flag, borderMode=OPENCV_BORDERS[mode])
        ours = wk.sample(picture, points.astype(float), **options)
        assert np.abs(ours.astype(float) - theirs).max() <= tolerance * max(1, np.abs(theirs).max() if dtype != "uint8" else 1)


# --- 8-bit pixels in blocks -------------------------------------------------------------------------------------------------

CUBICS = ("bicubic", "mitchell", wk.Cubic.keys(-0.75), wk.Cubic(2, 2), wk.Cubic(-1, 2))


@pytest.mark.parametrize("interpolation", CUBICS, ids=str)
def test_blocks_have_the_bits_of_single_points(interpolation):
    """Five channels are sampled point by point."""
    picture = picture_of("uint8", (90, 300, 5))
    picture[30:60] = picture[30:60] // 128 * 255
    turn = wk.Affine.rotation(17, (150, 45))
    options = {"interpolation": interpolation, "mode": "symmetric"}
    whole = wk.warp(picture, turn, (100, 300), **options)
    for channels in (1, 2, 3, 4):
        part = wk.warp(np.ascontiguousarray(picture[..., :channels]), turn, (100, 300), **options)
        assert np.array_equal(part, whole[..., :channels])
    exact = wk.warp(picture.astype(float), turn, (100, 300), **options)
    assert np.abs(whole - exact.clip(0, 255)).max() < 0.57


@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_have_the_bits_of_points_at_the_border(channels):
    """A picture inside a wider one of edge pixels: what is at the border of the first is inside the second."""
    picture = picture_of("uint8", (40, 90, channels))
    wide = np.pad(picture, [(64, 64), (64, 64), (0, 0)], "edge")
    turn = wk.Affine([[0.75, 0.25, -3.5], [-0.25, 0.75, 8.125]])  # whose points are the same numbers 64 pixels on
    options = {"interpolation": "bicubic", "mode": "edge"}
    here = wk.warp(picture, turn, (60, 130), **options)
    there = wk.warp(wide, wk.Affine.translation(64, 64) @ turn, (60, 130), **options)
    assert np.array_equal(here, there)


def test_bool_pictures_stay_within_their_range():
    mask = picture_of("uint8", (40, 90)) > 127
    warped = wk.warp(mask, wk.Affine.rotation(17, (45, 20)), interpolation="bicubic")
    assert warped.dtype == bool
    assert set(np.unique(warped.view("uint8"))) <= {0, 1}


# --- the cubic spline through the pixels --------------------------------------------------------------------------------------

SCIPY_MODES = {"reflect": "mirror", "symmetric": "reflect", "wrap": "grid-wrap"}


def scipys_spline(picture, points, mode):
    return scipy.ndimage.map_coordinates(picture, points[..., ::-1].transpose(2, 0, 1), mode=mode)


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("shape", [(40, 50), (1, 30), (12, 1), (14, 13)])
def test_spline_is_scipys(shape, mode):
    """SciPy's "reflect" is inexact for a few pixels: by 3e-4 for 2 x 3."""
    picture = picture_of("float64", shape)
    points = points_around(shape)
    exact = scipys_spline(picture, points, SCIPY_MODES[mode])
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-5)):
        sampled = wk.sample(picture.astype(dtype), points, interpolation="bspline3", mode=mode)
        assert np.abs(sampled - exact).max() < tolerance


@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_spline_is_scipys_far_from_borders_of_other_rules(mode):
    picture = picture_of("float64", (60, 60))
    points = points_around((60, 60), margin=-20)
    sampled = wk.sample(picture, points, interpolation="bspline3", mode=mode)
    assert np.abs(sampled - scipys_spline(picture, points, "mirror")).max() < 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_spline_goes_through_all_pixels(mode):
    options = {"interpolation": "bspline3", "mode": mode, "cval": 1}
    for shape in ((13, 17, 3), (1, 1), (1, 7), (2, 2)):
        picture = picture_of("float64", shape)
        assert np.abs(wk.warp(picture, wk.Affine.identity(), **options) - picture).max() < 1e-13
    for picture in (picture_of("uint8"), picture_of("int32"), picture_of("uint8") > 127):
        assert np.array_equal(wk.warp(picture, wk.Affine.identity(), **options), picture)


def test_spline_of_integers_is_rounded_and_clipped():
    picture = picture_of("uint8", (40, 50))
    points = points_around((40, 50))
    exact = scipys_spline(picture.astype(float), points, "mirror")
    sampled = wk.sample(picture, points, interpolation="bspline3", mode="reflect")
    assert sampled.dtype == np.uint8
    assert np.abs(sampled - np.clip(exact, 0, 255)).max() < 0.51


def test_spline_outside_is_the_fill():
    picture = np.full((9, 9), 5.0)
    sampled = wk.sample(picture, points_around((9, 9), margin=9), interpolation="bspline3", cval=5.0)
    assert np.abs(sampled - 5).max() < 1e-13
    assert wk.sample(picture, np.full((1, 1, 2), -50.0), interpolation="bspline3", cval=2.0) == 2


# --- derivatives ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", [*KERNELS, "bspline3"], ids=str)
def test_derivatives(interpolation, mode):
    picture = picture_of("float64", (13, 17, 2))
    options = {"interpolation": interpolation, "mode": mode}
    turn = wk.Affine.similarity(1.1, 23, (0.3, 0.4), (8, 6))
    _, pullback = wk.warp_vjp(picture, turn, (11, 15), **options)
    check_adjoint(lambda v: wk.warp(v, turn, (11, 15), **options), lambda g: pullback(g)[0], picture)
    check_vjp(lambda p: wk.warp(picture, turn.with_params(p), (11, 15), **options), lambda g: pullback(g)[1], turn.params)
    points = points_around((13, 17), margin=3)
    _, pullback = wk.sample_vjp(picture, points, **options)
    check_adjoint(lambda v: wk.sample(v, points, **options), lambda g: pullback(g)[0], picture)
    check_vjp(lambda p: wk.sample(picture, p, **options), lambda g: pullback(g)[1], points)


@pytest.mark.parametrize("interpolation", ["lanczos3", "bspline3"])
def test_any_number_of_threads_gives_the_same_bits(interpolation, set_num_threads):
    picture, grad = (picture_of("float64", (150, 170, 3), seed) for seed in (0, 1))
    turn = wk.Affine.rotation(10, (85, 75))
    found = []
    for threads in (1, 3):
        set_num_threads(threads)
        output, pullback = wk.warp_vjp(picture, turn, interpolation=interpolation, mode="reflect")
        found.append([output, *pullback(grad)])
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


# --- the public value -------------------------------------------------------------------------------------------------------


def test_cubic_is_a_value():
    assert wk.Cubic.keys(-0.5) == wk.Cubic(0, 0.5)
    assert hash(wk.Cubic.keys(-0.5)) == hash(wk.Cubic(0, 0.5))
    picture = picture_of("float32")
    turn = wk.Affine.rotation(20, (8, 6))
    for name, value in (("bicubic", wk.Cubic.keys(-0.5)), ("mitchell", wk.Cubic(1 / 3, 1 / 3))):
        assert np.array_equal(wk.warp(picture, turn, interpolation=name), wk.warp(picture, turn, interpolation=value))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 4.5])
def test_cubic_refuses_what_is_no_kernel(bad):
    with pytest.raises(ValueError, match=r"^b must be"):
        wk.Cubic(bad, 0)
    with pytest.raises(ValueError, match=r"^c must be"):
        wk.Cubic(0, bad)
    with pytest.raises(TypeError, match="b must be"):
        wk.Cubic("1", 0)


def test_unknown_names_are_refused():
    for bad in ("cubic", "lanczos", 3, None):
        with pytest.raises(ValueError, match=r"^interpolation must be one of 'nearest'.* or a Cubic, got"):
            wk.warp(np.zeros((3, 3)), wk.Affine.identity(), interpolation=bad)
