"""What must hold to the last bit: identity, shifts, turns, threads, tiles, the path without border checks, batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import INTERPOLATIONS, MODES, pixel_grid, taps_inside

import warpkit as wk

DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
)
# The types that kernels are compiled for; the others travel as one of these.
KERNEL_DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
LARGEST_EXACT_INTEGER = 2**53
# A tile is 64 x 256 pixels: one less, equal, one more, and twice.
BOUNDARY_SIZES = (1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257)


def random_picture(dtype, shape, seed=0):
    """Pixels from the whole range of the dtype, extremes included; floats with NaN, infinities and -0.0 among them."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = max(info.min, -LARGEST_EXACT_INTEGER), min(info.max, LARGEST_EXACT_INTEGER)
        picture = rng.integers(low, high, shape, dtype=dtype, endpoint=True)
        specials = [low, high]
    else:
        info = np.finfo(dtype)
        picture = (rng.standard_normal(shape) * 1000).astype(dtype)
        specials = [np.nan, np.inf, -np.inf, -0.0, info.max, info.min, info.tiny, info.smallest_subnormal]
    where = rng.permutation(picture.size)[: len(specials)]
    picture.reshape(-1)[where] = np.array(specials, dtype)[: len(where)]
    return picture


def finite_picture(dtype, shape, seed=0):
    """As ``random_picture``, without the specials of floats."""
    if np.dtype(dtype).kind == "f":
        return (np.random.default_rng(seed).standard_normal(shape) * 1000).astype(dtype)
    return random_picture(dtype, shape, seed)


def fill_for(dtype):
    """A cval that every pixel type holds exactly."""
    return 1 if np.dtype(dtype).kind == "b" else 7


def padded_by(margin, picture, mode, cval):
    """``picture`` with ``margin`` pixels more on all four sides, made by NumPy."""
    fill = {"constant_values": cval} if mode == "constant" else {}
    return np.pad(picture, [(margin, margin)] * 2 + [(0, 0)] * (picture.ndim - 2), mode=mode, **fill)


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if actual.tobytes() != expected.tobytes():
        different = np.argwhere(~((actual == expected) | ((actual != actual) & (expected != expected))))
        raise AssertionError(f"{len(different)} of {actual.size} elements differ, first at {different[:1].tolist()}")


def dyadic_affine(rng, shape):
    """A random affine whose coefficients are multiples of 1/64, so that float64 holds all its coordinates exactly."""
    linear = np.eye(2) + rng.integers(-64, 65, (2, 2)) / 64
    linear[0, 0] += 3 if abs(np.linalg.det(linear)) < 1 / 8 else 0
    linear[1, 1] += 3 if abs(np.linalg.det(linear)) < 1 / 8 else 0
    centre = np.array([shape[1] // 2, shape[0] // 2])
    offset = centre - linear @ centre + rng.integers(-512, 513, 2) / 64
    return wk.Affine(np.column_stack([linear, offset]))


def transforms_of_each_family():
    """One map of each family, fit for a picture of about 60 x 80."""
    corners = np.array([[0, 0], [79, 0], [79, 59], [0, 59]], dtype=float)
    knots = np.array([[5, 5], [70, 8], [40, 30], [10, 50], [75, 55]], dtype=float)
    spline = wk.ThinPlateSpline(knots, knots + np.array([[4, -3], [-2, 5], [6, 1], [-3, -4], [1, 2]]))
    field = wk.DisplacementField.elastic((60, 80), alpha=40, sigma=6, seed=3)
    affine = wk.Affine.similarity(1.13, 17, (3.3, -2.7), (40, 30))
    projective = wk.Projective.from_quads(corners, corners + np.array([[6, 3], [-9, 5], [-4, -8], [7, -2]]))
    return {
        "affine": affine,
        "projective": projective,
        "thin plate": spline,
        "displacement": field,
        "inverse of thin plate": spline.inverse,
        "inverse of displacement": field.inverse,
        "composition": field @ projective @ affine @ spline,
    }


FAMILIES = tuple(transforms_of_each_family())


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


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
class TestTwoWaysToTheSameBits:
    """Pairs of calls that reach the same samples by different code."""

    def test_affine_given_as_projective(self, dtype, mode, interpolation):
        rng = np.random.default_rng(1)
        picture = random_picture(dtype, (60, 80, 3))
        for _ in range(10):
            matrix = np.vstack([np.eye(2, 3) + rng.normal(0, [0.4, 0.4, 20], (2, 3)), [0, 0, 1]])
            options = {"mode": mode, "interpolation": interpolation, "cval": 5}
            direct = wk.warp(picture, wk.Affine(matrix), **options)
            assert_same_bits(wk.warp(picture, wk.Projective(matrix), **options), direct)
            assert_same_bits(wk.warp(picture, matrix, **options), direct)

    def test_path_without_border_checks_equals_checked_path(self, dtype, mode, interpolation):
        rng = np.random.default_rng(2)
        margin = 400
        options = {"mode": mode, "interpolation": interpolation, "cval": 5}
        for trial, shape in enumerate([(23, 41), (64, 129, 3), (9, 5, 4), (40, 40, 5), (1, 70), (70, 1, 3)]):
            picture = random_picture(dtype, shape, seed=trial)
            padded = padded_by(margin, picture, mode, cval=5)
            inverse_map = dyadic_affine(rng, shape)
            into_padded = wk.Affine.translation(margin, margin) @ inverse_map
            points = into_padded(pixel_grid(70, 140))
            assert taps_inside(points, *padded.shape[:2]).all()
            assert not taps_inside(inverse_map(pixel_grid(70, 140)), *shape[:2]).all()
            checked = wk.warp(picture, inverse_map, (70, 140), **options)
            assert_same_bits(checked, wk.warp(padded, into_padded, (70, 140), **options))

    def test_window_of_the_output_equals_slice_of_the_whole(self, dtype, mode, interpolation):
        rng = np.random.default_rng(3)
        picture = random_picture(dtype, (90, 150, 3))
        options = {"mode": mode, "interpolation": interpolation, "cval": 5}
        for _ in range(4):
            inverse_map = dyadic_affine(rng, (90, 150))
            whole = wk.warp(picture, inverse_map, (140, 270), **options)
            for row, column, rows, columns in ((0, 0, 64, 128), (64, 128, 76, 142), (63, 127, 2, 2), (17, 5, 101, 200)):
                window = wk.Affine(
                    inverse_map.matrix + np.column_stack([np.zeros((2, 2)), inverse_map.matrix[:, :2] @ (column, row)])
                )
                part = wk.warp(picture, window, (rows, columns), **options)
                assert_same_bits(part, whole[row : row + rows, column : column + columns])


@pytest.mark.parametrize("family", FAMILIES)
def test_tiles_equal_the_whole_for_every_family(family):
    inverse_map = transforms_of_each_family()[family]
    picture = finite_picture("uint8", (60, 80, 3))
    whole = wk.warp(picture, inverse_map, (70, 140), mode="reflect", tolerance=0)
    for row, column, rows, columns in ((0, 0, 64, 128), (64, 128, 6, 12), (31, 77, 39, 63)):
        part = wk.warp(picture, inverse_map @ wk.Affine.translation(column, row), (rows, columns), mode="reflect")
        assert_same_bits(part, whole[row : row + rows, column : column + columns])


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


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_number_of_threads_does_not_change_a_bit(dtype, family, set_num_threads):
    inverse_map = transforms_of_each_family()[family]
    picture = finite_picture(dtype, (60, 80, 3))
    results = []
    for threads in (1, 2, 5):
        set_num_threads(threads)
        results.append(wk.warp(picture, inverse_map, (330, 530), mode="symmetric"))
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("rows", BOUNDARY_SIZES)
def test_any_output_size_is_a_part_of_a_larger_one(rows, interpolation):
    picture = finite_picture("uint8", (70, 90, 3))
    inverse_map = wk.Affine.similarity(0.4, 17, (3.3, -2.7), (40, 30))
    larger = wk.warp(picture, inverse_map, (300, 300), mode="wrap", interpolation=interpolation)
    for columns in BOUNDARY_SIZES:
        warped = wk.warp(picture, inverse_map, (rows, columns), mode="wrap", interpolation=interpolation)
        assert_same_bits(warped, larger[:rows, :columns])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("height", BOUNDARY_SIZES)
def test_any_source_size_is_shifted_and_flipped_exactly(height, interpolation):
    for width in BOUNDARY_SIZES:
        picture = random_picture("uint8", (height, width), seed=width)
        flip = wk.Affine.scaling(-1, -1, ((width - 1) / 2, (height - 1) / 2))
        assert_same_bits(wk.warp(picture, flip, interpolation=interpolation), picture[::-1, ::-1])
        shifted = wk.warp(picture, wk.Affine.translation(-1, 1), mode="wrap", interpolation=interpolation)
        assert_same_bits(shifted, np.roll(picture, (-1, 1), axis=(0, 1)))


def assert_batch_equals_loop(pictures, inverse_maps, each, **options):
    """``each`` holds the map of every picture, however ``inverse_maps`` says it."""
    expected = np.stack([wk.warp(picture, one, **options) for picture, one in zip(pictures, each, strict=True)])
    assert_same_bits(wk.warp_batch(pictures, inverse_maps, **options), expected)


@pytest.mark.parametrize("channels", [(), (1,), (3,), (5,)])
class TestBatch:
    """A batch is a loop of single warps."""

    def test_one_map_for_all(self, channels):
        pictures = finite_picture("uint8", (4, 60, 80, *channels))
        for inverse_map in (*transforms_of_each_family().values(), np.eye(2, 3) + 0.1, np.diag([1.1, 0.9, 1.0])):
            assert_batch_equals_loop(pictures, inverse_map, [inverse_map] * 4, mode="edge")

    def test_as_many_maps_of_one_family(self, channels):
        pictures = finite_picture("uint8", (3, 60, 80, *channels))
        shifts = [wk.Affine.translation(dx, 0.3) for dx in (0.5, -7.25, 11)]
        for inverse_map in transforms_of_each_family().values():
            each = [inverse_map @ shift for shift in shifts]
            assert_batch_equals_loop(pictures, each, each, mode="symmetric", output_shape=(70, 130))
        assert_batch_equals_loop(pictures, tuple(shifts), shifts)

    def test_maps_of_mixed_families(self, channels):
        families = list(transforms_of_each_family().values())
        pictures = finite_picture("float64", (len(families), 60, 80, *channels))
        assert_batch_equals_loop(pictures, families, families, cval=2.5)

    def test_maps_of_one_family_and_different_sizes(self, channels):
        pictures = finite_picture("uint8", (4, 60, 80, *channels))
        fields = [wk.DisplacementField.elastic(shape, 20, 4, seed=1) for shape in ((60, 80), (80, 60), (5, 7), (1, 4800))]
        assert_batch_equals_loop(pictures, fields, fields, mode="reflect")

    @pytest.mark.parametrize("rows", [2, 3])
    def test_matrices_as_an_array(self, channels, rows):
        pictures = finite_picture("uint8", (5, 60, 80, *channels))
        matrices = np.eye(rows, 3) + np.random.default_rng(5).normal(0, [0.1, 0.1, 5], (5, rows, 3))
        if rows == 3:
            matrices[:, 2] = np.random.default_rng(6).normal([0, 0, 1], 1e-3, (5, 3))
        each = [wk.Affine(matrix) if rows == 2 else wk.Projective(matrix) for matrix in matrices]
        assert_batch_equals_loop(pictures, matrices, each, output_shape=(70, 131))

    def test_nearest(self, channels):
        pictures = finite_picture("uint16", (3, 60, 80, *channels))
        each = [wk.Affine.rotation(degrees, (40, 30)) for degrees in (10, 90, -35.5)]
        assert_batch_equals_loop(pictures, each, each, interpolation="nearest", mode="wrap")


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_sampling_the_grid_of_a_map_equals_its_warp(family, mode, interpolation):
    inverse_map = transforms_of_each_family()[family]
    picture = finite_picture("float64", (60, 80, 3))
    grid = wk.sampling_grid(inverse_map, (65, 140))
    missing = np.isnan(grid)
    assert "inverse" in family or not missing.any()
    # A grid must be finite; where an inverse has no value, the warp is cval whatever the mode.
    grid[missing] = 0
    expected = wk.sample(picture, grid, mode=mode, interpolation=interpolation, cval=4)
    expected[missing.any(axis=2)] = 4
    options = {"mode": mode, "interpolation": interpolation, "cval": 4, "tolerance": 0}
    assert_same_bits(wk.warp(picture, inverse_map, (65, 140), **options), expected)


def test_sampling_the_grid_of_a_homography_with_a_horizon_equals_its_warp():
    tilted = wk.Projective([[1, 0.1, 3], [0.05, 1.2, -4], [0.004, -0.01, 0.6]])
    picture = finite_picture("uint8", (60, 80, 3))
    grid = wk.sampling_grid(tilted, (90, 120))
    beyond = np.isnan(grid).any(axis=2)
    assert beyond.any()
    assert not beyond.all()
    grid[beyond] = 1e9
    for mode in MODES:
        expected = wk.sample(picture, grid, mode=mode, cval=9)
        expected[beyond] = 9
        assert_same_bits(wk.warp(picture, tilted, (90, 120), mode=mode, cval=9), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_receives_the_same_bits(dtype):
    pictures = random_picture(dtype, (2, 60, 80, 3))
    inverse_map = wk.Affine.rotation(30, (40, 30))
    grid = wk.sampling_grid(inverse_map, (50, 70))
    for call, source, argument, shape in (
        (wk.warp, pictures[0], inverse_map, (60, 80, 3)),
        (wk.warp_batch, pictures, inverse_map, (2, 60, 80, 3)),
        (wk.sample, pictures[0], grid, (50, 70, 3)),
    ):
        expected = call(source, argument, mode="edge")
        contiguous = np.empty(shape, dtype)
        scattered = np.empty((*shape[:-1], 5), dtype)[..., ::-1][..., 1:4]
        for out in (contiguous, scattered):
            assert call(source, argument, mode="edge", out=out) is out
            assert_same_bits(out, expected)


@pytest.mark.parametrize("second", FAMILIES)
@pytest.mark.parametrize("first", FAMILIES)
def test_composition_applies_its_parts_in_turn(first, second):
    maps = transforms_of_each_family()
    points = np.random.default_rng(7).uniform(10, 50, (200, 2))
    halfway = maps[first](points)
    assert np.isfinite(halfway).all()
    assert_same_bits((maps[second] @ maps[first])(points), maps[second](halfway))


@pytest.mark.parametrize("family", FAMILIES)
def test_warp_by_a_composition_samples_once_where_its_parts_lead(family):
    inner = wk.Affine.similarity(0.7, -20, (2.5, 1.25), (40, 30))
    outer = transforms_of_each_family()[family]
    picture = finite_picture("uint8", (60, 80, 3))
    points = outer(inner(pixel_grid(60, 80)))
    assert np.isfinite(points).all()
    assert_same_bits(wk.warp(picture, outer @ inner, mode="edge"), wk.sample(picture, points, mode="edge"))
