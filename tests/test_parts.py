"""Parts of a warped picture from windows of its source: the bits of the whole, windows that hold all points and little else."""

import numpy as np
import pytest
from families import AFFINE, FAMILIES, HALF_PLANE, PROJECTIVE, SPLINE, every_family
from hypothesis import given
from hypothesis import strategies as st
from more_families import LENS

import warpkit as wk
from warpkit.enclosures import enclose, is_bounded
from warpkit.intervals import Interval, cosine, inverse, sine, square

MODES = ("constant", "fill", "edge", "symmetric", "reflect", "wrap")
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (40, 60), np.uint8)
COLOUR = RANDOM.normal(size=(40, 60, 3)).astype(np.float32)
OUTPUT = (90, 300)  # several tiles, some of them cut by every part
MOST_BEYOND = 2  # rows or columns that a window may have too many on each side


@st.composite
def spans(draw, size):
    start = draw(st.integers(0, size - 1))
    return slice(start, draw(st.integers(start + 1, size)))


parts = st.tuples(spans(OUTPUT[0]), spans(OUTPUT[1]))


def smaller(transform):
    """The same map of a picture 2.5 times as small."""
    composition = wk.Affine.scaling(2.5) @ transform @ wk.Affine.translation(-10, -7)
    return composition.simplified()


def by_part(picture, transform, part, **options):
    """A part, made from its window alone."""
    own = {name: value for name, value in options.items() if name != "cval"}
    window = wk.source_window(transform, part, picture.shape[:2], **own)
    pixels = picture[:0, :0] if window is None else picture[window].copy()
    return wk.warp_part(pixels, transform, part, window=window, image_shape=picture.shape[:2], output_shape=OUTPUT, **options)


def assert_parts_are_the_whole(picture, transform, some_parts, **options):
    whole = wk.warp(picture, transform, OUTPUT, **options)
    for part in some_parts:
        assert np.array_equal(by_part(picture, transform, part, **options), whole[part]), part


# --- the bits of the whole --------------------------------------------------------------------------------------------------

SOME_PARTS = [
    (slice(0, 30), slice(0, 40)),
    (slice(5, 23), slice(33, 61)),
    (slice(17, 90), slice(250, 300)),
    (slice(60, 70), slice(100, 280)),
]


@pytest.mark.parametrize("mode", MODES)
@every_family
def test_parts_have_the_bits_of_the_whole(transform, mode):
    assert_parts_are_the_whole(GREY, transform, SOME_PARTS, mode=mode, cval=7)


@every_family
def test_parts_of_antialiased_pictures_too(transform):
    assert_parts_are_the_whole(GREY, smaller(transform), SOME_PARTS[:3], antialias=True)


@pytest.mark.parametrize("mode", MODES)
def test_parts_of_thumbnails(mode):
    thumbnail = wk.Affine([[2.3, 0, -8], [0, 1.7, -5]])
    assert_parts_are_the_whole(GREY, thumbnail, SOME_PARTS, antialias=True, mode=mode, cval=7)


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
@pytest.mark.parametrize("mode", MODES)
def test_parts_by_other_kernels(interpolation, mode):
    for transform in (AFFINE, PROJECTIVE, SPLINE, LENS):
        assert_parts_are_the_whole(GREY, transform, SOME_PARTS, interpolation=interpolation, mode=mode, cval=7)


@given(parts, st.sampled_from(sorted(FAMILIES)), st.sampled_from(MODES), st.booleans())
def test_any_part_has_the_bits_of_the_whole(part, family, mode, is_smaller):
    transform = smaller(FAMILIES[family]) if is_smaller else FAMILIES[family]
    assert_parts_are_the_whole(COLOUR, transform, [part], mode=mode, cval=0.5)


@given(parts, st.sampled_from([0, 0.01, 3.0]), st.booleans())
def test_splines_have_the_lattice_of_the_whole(part, tolerance, antialias):
    assert_parts_are_the_whole(GREY, SPLINE, [part], tolerance=tolerance, antialias=antialias)


@given(parts)
def test_a_spline_that_shrinks_somewhere_has_the_lattice_for_averages_everywhere(part):
    corners = np.array([[0, 0], [299, 0], [0, 89], [299, 89], [150, 45]])
    spline = wk.ThinPlateSpline(corners, corners * [0.2, 0.45] + [[0, 0], [1, 0], [0, 1], [30, 0], [2, 1]])
    assert_parts_are_the_whole(GREY, spline, [part], antialias=True)


def test_parts_beyond_the_horizon_are_fill():
    assert_parts_are_the_whole(GREY, HALF_PLANE, SOME_PARTS, mode="edge", cval=3)
    part = (slice(0, 8), slice(0, 8))
    assert wk.source_window(HALF_PLANE, part, GREY.shape, mode="edge") is None
    assert (by_part(GREY, HALF_PLANE, part, mode="edge", cval=3) == 3).all()


@pytest.mark.parametrize("dtype", ["bool", "float16"])
def test_all_dtypes_have_parts(dtype):
    picture = (GREY % 2 if dtype == "bool" else GREY % 100).astype(dtype)
    for part in (SOME_PARTS[1], (slice(80, 90), slice(290, 300))):
        found = by_part(picture, AFFINE, part, cval=1)
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
        assert np.array_equal(found, wk.warp(picture, AFFINE, OUTPUT, cval=1)[part])


def test_a_part_far_out_has_exact_coordinates():
    """Rows and columns of which float32 knows only every 64th."""
    shift = wk.Affine.translation(-(10**9) + 3.25, -(2 * 10**9) + 1.5)
    part = (slice(2 * 10**9, 2 * 10**9 + 20), slice(10**9, 10**9 + 30))
    window = wk.source_window(shift, part, GREY.shape)
    found = wk.warp_part(GREY[window], shift, part, window=window, image_shape=GREY.shape)
    assert np.array_equal(found, wk.warp(GREY, wk.Affine.translation(3.25, 1.5), (20, 30)))


def test_a_larger_window_does_no_harm():
    part, whole = SOME_PARTS[1], (slice(0, 40), slice(0, 60))
    found = wk.warp_part(GREY, AFFINE, part, window=whole, image_shape=GREY.shape)
    assert np.array_equal(found, wk.warp(GREY, AFFINE, OUTPUT)[part])


def test_parts_are_written_where_the_caller_wants():
    whole = np.zeros(OUTPUT, np.uint8)
    for part in SOME_PARTS[:2]:
        window = wk.source_window(AFFINE, part, GREY.shape)
        out = whole[part]
        assert wk.warp_part(GREY[window], AFFINE, part, window=window, image_shape=GREY.shape, out=out) is out
        assert np.array_equal(whole[part], wk.warp(GREY, AFFINE, OUTPUT)[part])


# --- windows ----------------------------------------------------------------------------------------------------------------


def needed(transform, part, shape):
    """The window of bilinear sampling with constant borders, from all points."""
    y, x = np.mgrid[part]
    points = transform(np.stack([x, y], axis=-1))
    near = ((points > -1) & (points < shape[::-1])).all(axis=-1)
    if not near.any():
        return None
    low, high = np.floor(points[near].min(axis=0)), np.ceil(points[near].max(axis=0))
    low, high = np.maximum(low, 0).astype(int), np.minimum(high, np.array(shape[::-1]) - 1).astype(int)
    return slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)


def assert_holds_little_more(window, least):
    for found, wanted in zip(window, least, strict=True):
        assert wanted.start - MOST_BEYOND <= found.start <= wanted.start
        assert wanted.stop <= found.stop <= wanted.stop + MOST_BEYOND


@given(parts, st.sampled_from(sorted(FAMILIES)), st.booleans())
def test_windows_hold_all_points_and_little_else(part, family, is_smaller):
    transform = smaller(FAMILIES[family]) if is_smaller else FAMILIES[family]
    shape = (70, 110)
    window, least = wk.source_window(transform, part, shape), needed(transform, part, shape)
    if least is None:
        assert window is None or (window[0].stop - window[0].start) * (window[1].stop - window[1].start) <= 4 * sum(shape)
    else:
        assert_holds_little_more(window, least)


LARGE = 60_000
GRID = np.stack(np.meshgrid(np.linspace(0, LARGE, 4), np.linspace(0, LARGE, 4)), axis=-1).reshape(-1, 2)
CAMERA = [[50_000, 0, LARGE / 2], [0, 50_000, LARGE / 2], [0, 0, 1]]
LARGE_MAPS = {
    "spline": wk.ThinPlateSpline(GRID, GRID + np.random.default_rng(1).normal(0, 400, GRID.shape)),
    "lens": wk.BrownConrady(CAMERA, [-0.1, 0.03, 1e-3, 1e-3, 0.01]),
    "fisheye": wk.Fisheye(CAMERA, [-0.03, 0.02, -0.01, 0.003]),
    "swirl": wk.Swirl((LARGE / 2, LARGE / 2), 1.5, LARGE / 2),
    "polar": wk.Polar((LARGE / 2, LARGE / 2), LARGE / 2, (LARGE, LARGE)),
    "rolled up": wk.Polar((LARGE / 2, LARGE / 2), LARGE / 2, (LARGE, LARGE)).inverse,
}
LARGE_MAPS["chain"] = wk.Affine.rotation(30, (LARGE / 2, LARGE / 2)) @ LARGE_MAPS["spline"] @ LARGE_MAPS["lens"]


@pytest.mark.parametrize("family", LARGE_MAPS)
def test_windows_of_large_pictures_are_tight(family):
    random = np.random.default_rng(2)
    for row, column in [(29_900, 29_950), (29_990, 40_000), *random.integers(0, LARGE - 300, (3, 2)).tolist()]:
        part = (slice(row, row + 300), slice(column, column + 200))
        window = wk.source_window(LARGE_MAPS[family], part, (LARGE, LARGE))
        least = needed(LARGE_MAPS[family], part, (LARGE, LARGE))
        if least is None:
            assert window is None
        else:
            assert_holds_little_more(window, least)


def test_a_shift_by_whole_pixels_reads_no_pixel_more():
    part = (slice(0, 30), slice(30, 60))
    for interpolation in ("nearest", "bilinear"):
        window = wk.source_window(wk.Affine.translation(0, 10), part, (40, 60), interpolation=interpolation)
        assert window == (slice(10, 40), slice(30, 60))


@pytest.mark.parametrize("mode", MODES)
def test_pixels_beside_the_window_are_not_read(mode):
    """A whole picture that is NaN wherever the window is not has the same part."""
    for part in SOME_PARTS[:2]:
        window = wk.source_window(PROJECTIVE, part, GREY.shape, mode=mode)
        damaged = np.full_like(COLOUR, np.nan)
        damaged[window] = COLOUR[window]
        expected = wk.warp(COLOUR, PROJECTIVE, OUTPUT, mode=mode)[part]
        assert np.array_equal(wk.warp(damaged, PROJECTIVE, OUTPUT, mode=mode)[part], expected)


# --- bounds -----------------------------------------------------------------------------------------------------------------

BOUNDED = {name: transform for name, transform in (FAMILIES | LARGE_MAPS).items() if is_bounded(transform.pipeline)}


def test_which_families_have_bounds():
    missing = {name for name in FAMILIES if name not in BOUNDED}
    newton = {name for name in FAMILIES if name.startswith("inverse")} - {
        "inverse of cylinder", "inverse of polar", "inverse of log-polar"
    }  # fmt: skip
    assert missing == newton | {"field", "composition", "piecewise affine"}


@pytest.mark.parametrize("family", BOUNDED)
def test_bounds_hold_for_all_points_of_a_box_and_the_derivative(family):
    transform, random = BOUNDED[family], np.random.default_rng(3)
    extent = LARGE if family in LARGE_MAPS else 60
    sizes = extent * 10.0 ** random.uniform(-4, 0, (300, 1))
    low = random.uniform(-0.5 * extent, extent, (300, 2))
    high = low + sizes * random.uniform(0, 1, (300, 2))
    x, y, (a, b, c, d) = enclose(transform.pipeline, Interval(low[:, 0], high[:, 0]), Interval(low[:, 1], high[:, 1]))
    shares = np.concatenate([[[0, 0], [1, 0], [0, 1], [1, 1]], random.uniform(0, 1, (20, 2))])
    for share in shares:
        points = np.clip(low + share * (high - low), low, high)
        values, slopes = transform(points), transform.jacobian(points)
        exists = np.isfinite(values).all(axis=1)
        for found, bounds in ((values[:, 0], x), (values[:, 1], y)):
            assert ((bounds.low <= found) & (found <= bounds.high))[exists].all()
        for found, bounds in zip(slopes.reshape(-1, 4).T, (a, b, c, d), strict=True):
            slack = 1e-9 * (1 + np.abs(found))
            is_sound = (bounds.low - slack <= found) & (found <= bounds.high + slack)
            assert (is_sound | ~np.isfinite(found) | np.isnan(bounds.low))[exists].all()


intervals = st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(lambda ends: Interval(*map(np.array, sorted(ends))))


@given(intervals, intervals, st.floats(0, 1), st.floats(0, 1))
def test_intervals_hold_what_their_numbers_become(x, y, s, t):
    u, v = x.low + s * (x.high - x.low), y.low + t * (y.high - y.low)
    with np.errstate(all="ignore"):
        results = [
            (x + y, u + v), (x - y, u - v), (x * y, u * v), (x / y, u / v), (2.0 - x, 2.0 - u), (1.0 / x, 1.0 / u),
            (square(x), u * u), (cosine(x), np.cos(u)), (sine(x), np.sin(u)), (inverse(y), 1.0 / v),
        ]  # fmt: skip
    for bounds, number in results:
        slack = 1e-9 * (1 + abs(number)) if np.isfinite(number) else 0.0
        assert np.isnan(number) or bounds.low - slack <= number <= bounds.high + slack


# --- the door ---------------------------------------------------------------------------------------------------------------

PART = (slice(0, 10), slice(0, 10))


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ((slice(0, 10),), TypeError),
        ([slice(0, 10), slice(0, 10)], TypeError),
        ((slice(0, 10), 3), TypeError),
        ((slice(None), slice(0, 10)), ValueError),
        ((slice(0, 10, 2), slice(0, 10)), ValueError),
        ((slice(-3, 10), slice(0, 10)), ValueError),
        ((slice(4, 4), slice(0, 10)), ValueError),
        ((slice(0.0, 10), slice(0, 10)), TypeError),
    ],
)
def test_parts_that_are_none_are_refused(part, error):
    with pytest.raises(error, match="part"):
        wk.source_window(AFFINE, part, GREY.shape)
    with pytest.raises(error, match="part"):
        wk.warp_part(GREY, AFFINE, part, window=(slice(0, 40), slice(0, 60)), image_shape=GREY.shape)


def test_splines_through_the_pixels_are_refused():
    with pytest.raises(ValueError, match="its coefficients depend on all pixels"):
        wk.source_window(AFFINE, PART, GREY.shape, interpolation="bspline3")
    with pytest.raises(ValueError, match="its coefficients depend on all pixels"):
        wk.warp_part(GREY, AFFINE, PART, window=PART, image_shape=GREY.shape, interpolation="bspline3")


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="window must lie"):
        wk.warp_part(GREY, AFFINE, PART, window=(slice(0, 41), slice(0, 60)), image_shape=GREY.shape)
    with pytest.raises(ValueError, match="window_pixels must have the shape"):
        wk.warp_part(GREY, AFFINE, PART, window=(slice(0, 39), slice(0, 60)), image_shape=GREY.shape)
    with pytest.raises(ValueError, match="window_pixels must have shape"):
        wk.warp_part(GREY[0], AFFINE, PART, window=None, image_shape=GREY.shape)


def test_a_lattice_for_averages_needs_the_output_shape():
    with pytest.raises(ValueError, match="output_shape must be given"):
        wk.warp_part(GREY, SPLINE, PART, window=(slice(0, 40), slice(0, 60)), image_shape=GREY.shape, antialias=True)


def test_other_arguments_are_checked():
    for options in ({"mode": "no mode"}, {"interpolation": "no kernel"}, {"tolerance": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            wk.source_window(AFFINE, PART, GREY.shape, **options)
    with pytest.raises(TypeError, match="inverse_map"):
        wk.source_window("turn", PART, GREY.shape)
    with pytest.raises(ValueError, match="antialias"):
        wk.source_window(AFFINE, PART, GREY.shape, antialias=True, interpolation="nearest")
