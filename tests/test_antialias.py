"""Averages over footprints: what they are, where they must change nothing, and their derivative."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from strategies import affine_matrices, pictures

import warpkit as wk
from warpkit.testing import check_adjoint, check_vjp

ROWS, COLUMNS = 14, 17
SHRINKING_MAPS = {
    "affine": wk.Affine([[2.71, 0.61, 1.13], [-0.47, 1.93, 8.37]]),
    "along x only": wk.Affine([[2.71, 0.0, 1.13], [0.0, 0.83, 8.37]]),
    "homography": wk.Projective([[2.13, 0.31, 1.17], [-0.2, 2.23, 3.19], [0.011, 0.017, 1]]),
    "spline": wk.ThinPlateSpline(
        [[0, 0], [17, 1], [0, 14], [16, 13], [8, 6]], [[1.2, 2.3], [47.1, 0.7], [0.4, 38.6], [48, 39], [20, 22]]
    ),
    "field": wk.Affine([[3.03, 0.1, 0.27], [-0.1, 2.87, 1.13]]) @ wk.DisplacementField.elastic((14, 17), 3, 2, seed=1),
    "inverse of a field": wk.Affine([[3.03, 0.1, 0.27], [-0.1, 2.87, 1.13]])
    @ wk.DisplacementField.elastic((14, 17), 3, 2, seed=1).inverse,
}  # fmt: skip
every_map = pytest.mark.parametrize("name", SHRINKING_MAPS)


def source(dtype=np.float64, channels=(2,)):
    values = np.random.default_rng(7).random((43, 51, *channels))
    return (values * 255).astype(dtype) if np.dtype(dtype).kind in "ui" else values.astype(dtype)


def warped(image, inverse_map, shape=(ROWS, COLUMNS), **options):
    return wk.warp(image, inverse_map, shape, antialias=True, tolerance=0, **options)


def framed(inverse_map, rows=ROWS, columns=COLUMNS):
    """Source points of the output and of one pixel around it."""
    return inverse_map(oracles.pixel_grid(rows + 2, columns + 2) - 1)


# --- what an average is ----------------------------------------------------------------------------------------------------


@every_map
@pytest.mark.parametrize("mode", oracles.MODES)
def test_each_pixel_is_the_mean_over_its_footprint(name, mode):
    image, inverse_map = source(), SHRINKING_MAPS[name]
    expected = oracles.antialiased(lambda points: oracles.sample(image, points, mode=mode, cval=0.3), framed(inverse_map))
    np.testing.assert_allclose(warped(image, inverse_map, mode=mode, cval=0.3), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (3,), (5,)])
def test_other_pixels_are_off_by_their_rounding(dtype, channels):
    image, inverse_map = source(dtype, channels), SHRINKING_MAPS["homography"]
    expected = oracles.antialiased(lambda points: oracles.sample(image, points, mode="edge"), framed(inverse_map))
    error = np.abs(warped(image, inverse_map, mode="edge").astype(float) - expected)
    assert error.max() <= (1e-6 if dtype == np.float32 else 1.0)


@pytest.mark.parametrize("mode", oracles.MODES)
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("matrix", [[[2.71, 0, 1.13], [0, 3.83, -9.4]], [[-7.3, 0, 60.2], [0, 1.02, 8.37]]])
def test_8_bit_pictures_that_are_not_turned_are_rounded_once(mode, channels, matrix):
    image, inverse_map = source(np.uint8, channels), wk.Affine(matrix)
    expected = oracles.antialiased(lambda points: oracles.sample(image, points, mode=mode, cval=77), framed(inverse_map))
    error = np.abs(warped(image, inverse_map, mode=mode, cval=77).astype(float) - expected)
    assert error.max() <= 0.52


def test_a_batch_of_turned_and_other_8_bit_pictures_is_as_each_alone():
    images = source(np.uint8, (3, 3)).transpose(2, 0, 1, 3)
    maps = [wk.Affine.scaling(2.3), SHRINKING_MAPS["affine"], wk.Affine.scaling(0.8)]
    together = wk.warp_batch(images, maps, (ROWS, COLUMNS), antialias=True)
    for n, inverse_map in enumerate(maps):
        np.testing.assert_array_equal(together[n], warped(images[n], inverse_map))
    np.testing.assert_array_equal(together[2], wk.warp(images[2], maps[2], (ROWS, COLUMNS)))


def test_a_part_of_a_thumbnail_is_that_part_of_the_whole():
    image, shrink = np.random.default_rng(3).integers(0, 256, (900, 1100), np.uint8), wk.Affine.scaling(2.5, 3.25)
    whole = warped(image, shrink, (300, 460), mode="reflect")
    part = warped(image, (shrink @ wk.Affine.translation(61, 43)).simplified(), (101, 257), mode="reflect")
    np.testing.assert_array_equal(part, whole[43:144, 61:318])
    place, options = (slice(43, 144), slice(61, 318)), {"antialias": True, "mode": "reflect"}
    window = wk.source_window(shrink, place, image.shape, **options)
    part = wk.warp_part(image[window], shrink, place, window=window, image_shape=image.shape, **options)
    np.testing.assert_array_equal(part, whole[place])


@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_a_picture_made_smaller_about_its_corner_has_the_means_of_its_areas(astronaut, mode):
    areas = astronaut.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
    about_the_corner = wk.Affine.scaling(8, center=(-0.5, -0.5))
    error = np.abs(wk.warp(astronaut, about_the_corner, (64, 64), antialias=True, mode=mode) - areas)
    assert error.max() < 2.5
    assert error.mean() < 0.4


def test_bicubic_samples_are_averaged_too():
    image, inverse_map = source(), SHRINKING_MAPS["affine"]
    expected = oracles.antialiased(lambda points: oracles.bicubic(image, points, "reflect"), framed(inverse_map), 0)
    result = warped(image, inverse_map, mode="reflect", interpolation="bicubic")
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)


def zone_plate(x, y, size=512):
    """Rings that come closer until there are 2.5 source pixels to each."""
    squared = (x - size / 2) ** 2 + (y - size / 2) ** 2
    return 0.5 + 0.5 * np.cos(0.8 * np.pi / size * squared)


@pytest.mark.parametrize("scale", [0.15, 0.25, 0.4])
def test_rings_too_fine_for_the_output_become_grey_and_not_other_rings(scale):
    size = 512
    image = zone_plate(*np.moveaxis(oracles.pixel_grid(size, size), -1, 0))
    rows = int(0.7 * size * scale)
    inverse_map = (
        wk.Affine.translation(size / 2, size / 2)
        @ wk.Affine.similarity(1 / scale, 17)
        @ wk.Affine.translation(-rows / 2, -rows / 2)
    )
    # 64 samples of the scene itself to each pixel
    offsets = (np.arange(8) + 0.5) / 8 - 0.5
    grid = oracles.pixel_grid(rows, rows)
    points = [inverse_map(grid + np.array([u, v])) for u in offsets for v in offsets]
    truth = np.mean([zone_plate(p[..., 0], p[..., 1]) for p in points], axis=0)
    error_plain = np.mean((wk.warp(image, inverse_map, (rows, rows)) - truth) ** 2)
    error = np.mean((warped(image, inverse_map, (rows, rows)) - truth) ** 2)
    assert 10 * np.log10(error_plain / error) > 10


# --- where nothing may change ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "inverse_map",
    [
        wk.Affine.identity(),
        wk.Affine.rotation(30, (20, 20)),
        wk.Affine.scaling(0.4, 0.9),
        wk.Projective([[0.7, 0.1, 3], [-0.1, 0.6, 4], [1e-3, 2e-3, 1]]),
        wk.Affine.translation(3, 4) @ wk.Affine.rotation(90, (5, 5)),
        wk.ThinPlateSpline([[0, 0], [50, 0], [0, 42], [50, 42]], [[9, 9], [40, 9], [9, 30], [40, 30]]),
    ],
    ids=["identity", "rotation", "magnification", "homography", "composition", "spline"],
)
def test_nothing_changes_where_nothing_shrinks(dtype, inverse_map):
    image = (source() * 255).astype(dtype)
    plain = wk.warp(image, inverse_map, mode="reflect", tolerance=0)
    np.testing.assert_array_equal(wk.warp(image, inverse_map, mode="reflect", antialias=True, tolerance=0), plain)


def test_nothing_changes_along_a_direction_that_does_not_shrink():
    rows = np.random.default_rng(0).random((40, 1)) * np.ones(50)
    squeezed = wk.Affine.scaling(3, 0.9)
    plain = wk.warp(rows, squeezed, (30, 15), mode="edge")
    np.testing.assert_array_equal(wk.warp(rows, squeezed, (30, 15), antialias=True, mode="edge"), plain)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("scale", [3.3, 70.0])
def test_a_constant_picture_stays_constant(dtype, scale):
    image = np.full((300, 200, 3), 201.3).astype(dtype)
    result = wk.warp(image, wk.Affine.scaling(scale), (90, 60), mode="edge", antialias=True)
    assert (result == image[0, 0, 0]).all()


@given(pictures(dtypes=("bool", "uint8", "float32", "int64")), affine_matrices())
def test_averages_stay_within_the_range_of_the_picture(image, matrix):
    result = wk.warp(image, wk.Affine(matrix), (4, 5), antialias=True, mode="edge")
    assert image.min() <= result.min()
    assert result.max() <= image.max()


def test_there_is_no_seam_where_a_homography_begins_to_shrink():
    """The mean of a ramp is its middle, whatever is averaged: steps of the output must stay smooth."""
    ramp = np.arange(400.0)[:, None] + np.zeros(300)
    receding = wk.Projective([[0.7, 0, 5], [0, 0.7, 5], [0, -0.0025, 1]])
    plain, smooth = wk.warp(ramp, receding, (150, 200)), wk.warp(ramp, receding, (150, 200), antialias=True)
    inside = np.s_[:, 2:-2]
    np.testing.assert_allclose(smooth[inside], plain[inside], rtol=0, atol=0.1)


def test_beyond_the_horizon_is_the_fill():
    result = warped(np.ones((50, 50)), wk.Projective([[1, 0, 0], [0, 1, 0], [0, -0.1, 1]]), (30, 30), cval=0.25)
    assert np.isfinite(result).all()
    assert (result[10:] == 0.25).all()


# --- tiles, threads, batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_a_part_of_the_output_is_that_part_of_the_whole(dtype):
    image = np.random.default_rng(3).integers(0, 256, (900, 1100)).astype(dtype)
    inverse_map = wk.Projective([[2.1, 0.3, 1], [-0.2, 1.7, 30], [1e-4, 3e-4, 1]])
    whole = warped(image, inverse_map, (300, 400), mode="reflect")
    part = warped(image, inverse_map @ wk.Affine.translation(61, 43), (101, 257), mode="reflect")
    np.testing.assert_array_equal(part, whole[43:144, 61:318])


def test_threads_and_batches_do_not_change_bits(set_num_threads):
    images = np.random.default_rng(4).random((3, 300, 280, 2))
    maps = [wk.Affine.scaling(scale) for scale in (2.3, 0.8, 4.1)]
    grad = np.random.default_rng(5).random((3, 140, 300, 2))
    results = []
    for threads in (1, 5):
        set_num_threads(threads)
        output, pullback = wk.warp_batch_vjp(images, maps, (140, 300), antialias=True)
        results.append((output, *pullback(grad)))
    for one, several in zip(*results, strict=True):
        np.testing.assert_array_equal(one, several)
    np.testing.assert_array_equal(results[0][0], wk.warp_batch(images, maps, (140, 300), antialias=True))
    for n, inverse_map in enumerate(maps):
        np.testing.assert_array_equal(results[0][0][n], wk.warp(images[n], inverse_map, (140, 300), antialias=True))


def test_a_spline_on_a_lattice_is_as_near_as_its_tolerance():
    image = np.arange(400.0)[:, None] + np.arange(500.0)  # whose slope is 1 along both axes
    spline = wk.ThinPlateSpline(
        [[0, 0], [199, 0], [0, 159], [199, 159], [90, 70]], [[0, 0], [499, 0], [0, 399], [499, 399], [240, 160]]
    )
    exact = wk.warp(image, spline, (160, 200), antialias=True, tolerance=0, mode="edge")
    near = wk.warp(image, spline, (160, 200), antialias=True, tolerance=0.01, mode="edge")
    assert 0 < np.abs(near - exact).max() <= 0.02


# --- derivative ------------------------------------------------------------------------------------------------------------


def check_params(image, inverse_map, **options):
    _, pullback = wk.warp_vjp(image, inverse_map, (ROWS, COLUMNS), antialias=True, **options)
    check_vjp(
        lambda params: warped(image, inverse_map.with_params(params), **options),
        lambda grad: pullback(grad, image=False)[1],
        inverse_map.params,
        step=3e-8,  # at longer ones some pixel takes one sample more or less, and the result jumps a little
        tolerance=1e-5,
    )


@every_map
@pytest.mark.parametrize("mode", ["constant", "symmetric"])
def test_the_derivative_by_parameters_has_footprints_in_it(name, mode):
    """By a kernel without kinks, of which a thousand samples would come too near to some."""
    check_params(source(), SHRINKING_MAPS[name], interpolation="bicubic", mode=mode)


@every_map
def test_the_derivative_of_bilinear_samples_is_right_where_there_are_no_kinks(name):
    rows, columns = np.indices((43, 51))
    check_params(np.dstack([rows + 0.1 * columns, 3.0 * columns - rows]), SHRINKING_MAPS[name], mode="edge")


@every_map
@pytest.mark.parametrize("threads", [1, 3])
def test_the_derivative_by_the_image_is_the_adjoint(name, threads, set_num_threads):
    set_num_threads(threads)
    image, inverse_map = source(), SHRINKING_MAPS[name]
    _, pullback = wk.warp_vjp(image, inverse_map, (ROWS, COLUMNS), antialias=True, mode="reflect")
    check_adjoint(
        lambda picture: warped(picture, inverse_map, mode="reflect"), lambda grad: pullback(grad, params=False)[0], image
    )


# --- the door --------------------------------------------------------------------------------------------------------------


def test_labels_are_not_averaged():
    with pytest.raises(ValueError, match="antialias averages pixels, which interpolation 'nearest' must not"):
        wk.warp(np.zeros((4, 4)), wk.Affine.identity(), interpolation="nearest", antialias=True)


def test_antialias_is_a_truth_value():
    with pytest.raises(TypeError, match="antialias must be True or False, got str"):
        wk.warp(np.zeros((4, 4)), wk.Affine.identity(), antialias="ewa")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_three_channels_are_as_three_pictures_in_the_last_corner(dtype):
    """Where loads of three channels would leave the array, samples are placed in another way."""
    picture = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(dtype)
    shrink = wk.Affine.scaling(61 / 23) @ wk.Projective([[1, 0, 0], [0, 1, 0], [1e-6, 0, 1]])
    warped = wk.warp(picture, shrink, (24, 24), antialias=True)
    apart = [wk.warp(np.ascontiguousarray(picture[..., c]), shrink, (24, 24), antialias=True) for c in range(3)]
    np.testing.assert_allclose(warped.astype(float), np.dstack(apart).astype(float), rtol=0, atol=1e-3)
