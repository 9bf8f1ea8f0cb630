"""Two ways to the same bits: tiles and whole, one thread and many, batches and loops, grids and maps, parts in turn."""

import numpy as np
import pytest
from exact_pictures import (
    DTYPES,
    FAMILIES,
    KERNEL_DTYPES,
    assert_same_bits,
    dyadic_affine,
    finite_picture,
    padded_by,
    random_picture,
    transforms_of_each_family,
)
from oracles import INTERPOLATIONS, MODES, pixel_grid, taps_inside

import warpkit as wk

# A tile is 64 x 256 pixels: one less, equal, one more, and twice.
BOUNDARY_SIZES = (1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257)


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
