"""Random pictures, maps and memory layouts: what comes out is what the oracles say, whatever goes in."""

import numpy as np
import oracles
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from oracles import INTERPOLATIONS, pixel_grid
from strategies import DTYPES, affine_matrices, options, pictures

import warpkit as wk

# Grey levels from the unrounded value.
INTEGER_TOLERANCE = 0.52
# Relative to the largest pixel or cval: a few roundings of the type. Below its normal numbers there are no digits to lose.
FLOAT_TOLERANCE = {"float16": 2**-10, "float32": 2**-20, "float64": 2**-49}
OUTPUT_SHAPE = (6, 11)


def assert_is_oracle(warped, picture, points, interpolation, mode, cval):
    assert warped.dtype == picture.dtype
    expected = oracles.sample(picture, points, interpolation, mode, cval)
    if interpolation == "nearest":
        np.testing.assert_array_equal(warped, expected.astype(picture.dtype))
        return
    tolerance = INTEGER_TOLERANCE
    if picture.dtype.kind == "f":
        largest = max(float(np.abs(picture.astype(np.float64)).max()), cval)
        tolerance = max(FLOAT_TOLERANCE[picture.dtype.name] * largest, np.finfo(picture.dtype).tiny)
    np.testing.assert_allclose(warped.astype(np.float64), expected, rtol=0, atol=tolerance)


@given(picture=pictures(), matrix=affine_matrices(), options=options)
def test_affine_warp_is_the_oracle(picture, matrix, options):
    points = oracles.affine(matrix, pixel_grid(*OUTPUT_SHAPE))
    warped = wk.warp(picture, wk.Affine(matrix), OUTPUT_SHAPE, **options)
    assert_is_oracle(warped, picture, points, **options)


@given(
    picture=pictures(),
    matrix=affine_matrices(),
    vanishing_line=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-1, 2)),
    options=options,
)
def test_projective_warp_is_the_oracle(picture, matrix, vanishing_line, options):
    homography = np.vstack([matrix, vanishing_line])
    try:
        inverse_map = wk.Projective(homography)
    except ValueError:
        assume(False)
    # All of the output beyond the horizon is an error, and not this test's.
    points = oracles.homography(homography, pixel_grid(*OUTPUT_SHAPE))
    assume(np.isfinite(points).all(axis=-1).any())
    warped = wk.warp(picture, inverse_map, OUTPUT_SHAPE, **options)
    assert_is_oracle(warped, picture, points, **options)


@given(
    picture=pictures(),
    grid=arrays.arrays(
        np.float64,
        (3, 4, 2),
        elements=st.one_of(
            st.floats(-12, 12), st.integers(-24, 24).map(lambda n: n / 2), st.floats(allow_nan=False, allow_infinity=False)
        ),
    ),
    options=options,
)
def test_sampling_at_any_finite_point_is_the_oracle(picture, grid, options):
    assert_is_oracle(wk.sample(picture, grid, **options), picture, grid, **options)


@given(
    picture=arrays.arrays(np.uint8, (5, 7, 3), elements=st.integers(0, 255)),
    field=arrays.arrays(np.float64, (4, 6, 2), elements=st.floats(-1e3, 1e3)),
    options=options,
)
def test_warp_by_a_displacement_field_is_the_oracle(picture, field, options):
    # The field's bilinear values may differ in the last bit, which decides some halves: nearest has tests of its own.
    options = {**options, "interpolation": "bilinear"}
    points = oracles.displacement_field(field, pixel_grid(*OUTPUT_SHAPE))
    warped = wk.warp(picture, wk.DisplacementField(field), OUTPUT_SHAPE, **options)
    assert_is_oracle(warped, picture, points, **options)


@given(picture=pictures(), matrix=affine_matrices(), options=options)
def test_three_entry_points_agree(picture, matrix, options):
    inverse_map = wk.Affine(matrix)
    warped = wk.warp(picture, inverse_map, OUTPUT_SHAPE, **options)
    batch = wk.warp_batch(picture[None], inverse_map, OUTPUT_SHAPE, **options)
    sampled = wk.sample(picture, wk.sampling_grid(inverse_map, OUTPUT_SHAPE), **options)
    np.testing.assert_array_equal(batch[0], warped, strict=True)
    np.testing.assert_array_equal(sampled, warped, strict=True)


def every_second_of_a_larger_array(array):
    larger = np.zeros([2 * n for n in array.shape], array.dtype)
    larger[tuple(slice(None, None, 2) for _ in array.shape)] = array
    return larger[tuple(slice(None, None, 2) for _ in array.shape)]


def read_backwards(array):
    reverse = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[reverse])[reverse]


def channels_first(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def not_aligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = {
    "strided": every_second_of_a_larger_array,
    "negative strides": read_backwards,
    "Fortran": np.asfortranarray,
    "channels first": channels_first,
    "read-only": read_only,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "not aligned": not_aligned,
    "nested lists": lambda array: array.tolist() if array.dtype in (np.int64, np.float64, np.bool_) else array,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
class TestLayouts:
    """The memory layout of an argument does not matter."""

    picture = np.random.default_rng(11).integers(0, 2, (20, 30, 3)) * 100

    def test_of_the_source(self, dtype, layout):
        picture = self.picture.astype(dtype)
        other = LAYOUTS[layout](picture)
        inverse_map = wk.Affine.rotation(20, (15, 10))
        for interpolation in INTERPOLATIONS:
            expected = wk.warp(picture, inverse_map, interpolation=interpolation, mode="wrap")
            warped = wk.warp(other, inverse_map, interpolation=interpolation, mode="wrap")
            np.testing.assert_array_equal(warped, expected, strict=True)

    def test_of_a_batch(self, dtype, layout):
        pictures = np.stack([self.picture, self.picture[::-1]]).astype(dtype)
        inverse_maps = [wk.Affine.rotation(20, (15, 10)), wk.Affine.rotation(-5, (15, 10))]
        expected = wk.warp_batch(pictures, inverse_maps, mode="edge")
        np.testing.assert_array_equal(
            wk.warp_batch(LAYOUTS[layout](pictures), inverse_maps, mode="edge"), expected, strict=True
        )


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_source_with_zero_strides_equals_its_copy(dtype, axes):
    shape = [1 if axis in axes else n for axis, n in enumerate((20, 30, 3))]
    seed = (np.random.default_rng(12).integers(0, 2, shape) * 100).astype(dtype)
    broadcast = np.broadcast_to(seed, (20, 30, 3))
    assert all(broadcast.strides[axis] == 0 for axis in axes)
    inverse_map = wk.Affine.rotation(20, (15, 10))
    np.testing.assert_array_equal(wk.warp(broadcast, inverse_map), wk.warp(broadcast.copy(), inverse_map), strict=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("grid_dtype", [np.float32, np.float64])
def test_layout_of_the_grid(layout, grid_dtype):
    picture = np.random.default_rng(13).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grid = np.random.default_rng(14).uniform(-3, 33, (25, 35, 2)).astype(grid_dtype)
    expected = wk.sample(picture, grid, mode="reflect")
    np.testing.assert_array_equal(wk.sample(picture, LAYOUTS[layout](grid), mode="reflect"), expected, strict=True)


def test_grid_of_integers():
    picture = np.random.default_rng(15).integers(0, 256, (20, 30), dtype=np.uint8)
    rows, columns = np.meshgrid(np.arange(3, 20), np.arange(2, 30), indexing="ij")
    for dtype in (np.uint8, np.int16, np.int64):
        grid = np.stack([columns, rows], axis=-1).astype(dtype)
        np.testing.assert_array_equal(wk.sample(picture, grid), picture[3:, 2:])
