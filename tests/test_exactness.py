"""What must hold to the last bit of a picture: identity, shifts, turns, rounding, range, constants."""

import numpy as np
import pytest
from exact_pictures import (
    DTYPES,
    KERNEL_DTYPES,
    assert_same_bits,
    fill_for,
    finite_picture,
    padded_by,
    random_picture,
)
from hypothesis import given
from hypothesis import strategies as st
from oracles import INTERPOLATIONS, MODES, pixel_grid, taps_inside

import warpkit as wk


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES)
class TestLatticeMaps:
    """Maps that send pixels to pixels move values and compute none."""

    def test_identity_returns_the_picture(self, dtype, mode, interpolation):
        for shape in ((37, 53), (37, 53, 1), (37, 53, 3), (37, 53, 4), (37, 53, 5)):
            picture = random_picture(dtype, shape)
            assert_same_bits(wk.warp(picture, wk.Affine.identity(), mode=mode, interpolation=interpolation), picture)

    def test_whole_pixel_shift_equals_numpy_pad(self, dtype, mode, interpolation):
        options = {"mode": mode, "interpolation": interpolation, "cval": fill_for(dtype)}
        for channels in ((), (3,), (4,), (5,)):
            picture = random_picture(dtype, (11, 17, *channels), seed=len(channels))
            padded = padded_by(60, picture, mode, fill_for(dtype))
            for dx, dy in ((0, 1), (-3, 2), (5, -40), (-59, -31), (23, 17)):
                shifted = wk.warp(picture, wk.Affine.translation(dx, dy), (20, 30), **options)
                assert_same_bits(shifted, padded[60 + dy : 80 + dy, 60 + dx : 90 + dx])

    def test_turns_about_the_centre_equal_rot90(self, dtype, mode, interpolation):
        for channels in ((), (3,), (4,), (5,)):
            picture = random_picture(dtype, (70, 70, *channels))
            for quarters in (1, 2, 3, -1):
                turn = wk.Affine.rotation(90 * quarters, (34.5, 34.5))
                # As an inverse map, a clockwise rotation turns the picture the other way, as rot90 does.
                assert_same_bits(wk.warp(picture, turn, mode=mode, interpolation=interpolation), np.rot90(picture, quarters))

    def test_turns_of_an_oblong_picture_equal_rot90(self, dtype, mode, interpolation):
        picture = random_picture(dtype, (33, 130, 3))
        for quarters in (1, 2, 3):
            expected = np.rot90(picture, quarters)
            rows, columns = expected.shape[:2]
            turn = (
                wk.Affine.translation(64.5, 16)
                @ wk.Affine.rotation(90 * quarters)
                @ wk.Affine.translation(-(columns - 1) / 2, -(rows - 1) / 2)
            )
            turned = wk.warp(picture, turn, (rows, columns), mode=mode, interpolation=interpolation)
            assert_same_bits(turned, expected)

    def test_flips_equal_numpy_flip(self, dtype, mode, interpolation):
        for channels in ((), (3,), (4,), (5,)):
            picture = random_picture(dtype, (40, 131, *channels))
            centre = (65, 19.5)
            for scales, axes in (((-1, 1), 1), ((1, -1), 0), ((-1, -1), (0, 1))):
                flipped = wk.warp(picture, wk.Affine.scaling(*scales, centre), mode=mode, interpolation=interpolation)
                assert_same_bits(flipped, np.flip(picture, axes))


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if np.dtype(dtype).kind in "bui"])
def test_halves_of_a_grey_level_are_rounded_up(dtype):
    lower = [0, 0, 0] if dtype == "bool" else [2, 3, np.iinfo(dtype).max // 2**12]
    if np.dtype(dtype).kind == "i":
        lower += [-1, -2, -3]
    picture = np.array([lower, np.add(lower, 1)], dtype)
    for mode in MODES:
        np.testing.assert_array_equal(wk.warp(picture, wk.Affine.translation(0, 0.5), (1, len(lower)), mode=mode), picture[1:])


@pytest.mark.parametrize("mode", MODES)
def test_nearest_takes_the_right_and_lower_pixel_at_halves(mode):
    picture = random_picture("uint8", (9, 13))
    halfway = wk.warp(picture, wk.Affine.translation(-0.5, -0.5), interpolation="nearest", mode=mode)
    assert_same_bits(halfway, picture)
    just_before = wk.Affine.translation(*[np.nextafter(0.5, 0)] * 2)
    assert_same_bits(wk.warp(picture, just_before, (1, 1), interpolation="nearest", mode=mode), picture[:1, :1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_picture_stays_constant(dtype):
    extremes = random_picture(dtype, 64)
    values = [extremes.min(), extremes.max()] if extremes.dtype.kind != "f" else np.array([0.1, -3e4, 1e-4], dtype)
    rng = np.random.default_rng(4)
    for value in values:
        picture = np.full((50, 70, 3), value)
        inverse_map = wk.Affine(np.eye(2, 3) + rng.normal(0, [0.3, 0.3, 10], (2, 3)))
        inside = taps_inside(inverse_map(pixel_grid(60, 140)), 50, 70)
        assert inside.any()
        for interpolation in INTERPOLATIONS:
            constant = wk.warp(picture, inverse_map, (60, 140), interpolation=interpolation, cval=fill_for(dtype))
            assert (constant[inside] == value).all()
            for mode in set(MODES) - {"constant"}:
                assert (wk.warp(picture, inverse_map, (60, 140), interpolation=interpolation, mode=mode) == value).all()


small_affines = st.lists(st.floats(-3, 3), min_size=4, max_size=4).filter(lambda m: abs(m[0] * m[3] - m[1] * m[2]) > 1e-3)


@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
@given(
    seed=st.integers(0, 2**32 - 1),
    linear=small_affines,
    offset=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    mode=st.sampled_from(MODES),
    interpolation=st.sampled_from(INTERPOLATIONS),
)
def test_output_stays_within_source_and_cval(dtype, seed, linear, offset, mode, interpolation):
    picture = finite_picture(dtype, (7, 9), seed)
    inverse_map = wk.Affine(np.column_stack([np.reshape(linear, (2, 2)), offset]))
    warped = wk.warp(picture, inverse_map, (12, 12), mode=mode, interpolation=interpolation, cval=3)
    allowed = np.append(picture, picture.dtype.type(3)) if mode == "constant" else picture
    assert warped.min() >= allowed.min()
    assert warped.max() <= allowed.max()


@pytest.mark.parametrize(
    ("dtype", "mode", "coordinate"),
    [("float32", "edge", 1 - 2**-40), ("float32", "wrap", -(2**-60)), ("float64", "wrap", -(2**-60))],
)
def test_output_stays_within_source_where_a_weight_rounds_to_one(dtype, mode, coordinate):
    # The difference of both pixels rounds to 1, so that -1 plus all of it is 0, above both.
    barely_negative = -1e-20
    near, far = (0, 1) if coordinate > 0 else (-1, 0)
    picture = np.full((3, 3), barely_negative, dtype)
    picture[:, near] = -1
    for turned, grid in ((picture, [[[coordinate, 1.0]]]), (picture.T, [[[1.0, coordinate]]])):
        assert wk.sample(turned, np.array(grid), mode=mode) <= picture[0, far]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_output_stays_within_source_at_the_ends_of_the_float_range(dtype):
    largest = np.finfo(dtype).max
    picture = np.array([[-largest, largest, largest], [largest, -largest, -largest]], dtype)
    warped = wk.warp(picture, wk.Affine.translation(0.25, 0.25), mode="edge")
    assert np.isfinite(warped).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_pixels_reach_only_outputs_that_weigh_them(dtype, bad):
    picture = np.ones((8, 9, 3), dtype)
    picture[4, 5] = bad
    for dx, columns in ((0, [5]), (2, [3]), (0.5, [4, 5])):
        warped = wk.warp(picture, wk.Affine.translation(dx, 0), mode="edge")
        expected = np.zeros(picture.shape, bool)
        expected[4, columns] = True
        np.testing.assert_array_equal(~np.isfinite(warped), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_region_stays_infinite(dtype):
    picture = np.full((8, 9), np.inf, dtype)
    assert_same_bits(wk.warp(picture, wk.Affine.translation(0.5, 0.25), mode="edge"), picture)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arguments_are_never_changed(dtype):
    pictures = random_picture(dtype, (2, 30, 40, 3))
    grid = pixel_grid(20, 25) + 0.25
    matrix = np.array([[1.1, 0.2, -3], [0.1, 0.9, 2]])
    before = [array.tobytes() for array in (pictures, grid, matrix)]
    for interpolation in INTERPOLATIONS:
        for mode in MODES:
            wk.warp(pictures[0], matrix, mode=mode, interpolation=interpolation)
            wk.warp_batch(pictures, matrix, mode=mode, interpolation=interpolation)
            wk.sample(pictures[0], grid, mode=mode, interpolation=interpolation)
    assert [array.tobytes() for array in (pictures, grid, matrix)] == before
