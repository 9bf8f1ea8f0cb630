"""Registration beside motions that are known: photographs that SciPy's cubic splines moved, with noise and other light."""

import json

import numpy as np
import pytest
import scipy.interpolate
import scipy.ndimage

import warpkit as wk
from benchmarks import registration_pairs as made
from warpkit.registration.models import GENERATORS

MODELS = list(GENERATORS)


def matrix_of(transform):
    """(3, 3) of an affine map or a homography."""
    return np.vstack([transform.matrix, [0, 0, 1]])[:3]


def error(found, pair):
    return made.corner_error(matrix_of(found.transform), pair.matrix, pair.fixed.shape)


@pytest.fixture(scope="module")
def pair():
    return next(made.pairs("affine", 1, seed=4))


def bent_pair(name, seed, most=8.0):
    """Both pictures and the points of the moving one that the fixed one's pixels show: a thin plate through 25 points."""
    random, shape = np.random.default_rng(seed), made.moving_shape(name)
    y, x = np.meshgrid(np.linspace(0, shape[0] - 1, 5), np.linspace(0, shape[1] - 1, 5), indexing="ij")
    control = np.column_stack([x.ravel(), y.ravel()])
    bent = control + random.uniform(-most, most, control.shape)
    spline = scipy.interpolate.RBFInterpolator(control, bent, kernel="thin_plate_spline")
    points = spline(made.grid(shape).reshape(-1, 2)).reshape(*shape, 2)
    moving = made.with_noise(made.view(name, made.grid(shape)), 2, random)
    return moving, made.with_noise(made.lit(made.view(name, points), random), 2, random), points


# --- motions are found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_motions_are_found_from_afar(model):
    for pair in made.pairs(model, len(made.PICTURES), seed=MODELS.index(model)):
        found = wk.register(pair.moving, pair.fixed, model)
        assert found.converged, found.reason
        assert error(found, pair) < 0.05, pair.picture
        assert error(found, pair) < 3 * found.corner_error, pair.picture
        assert found.correlation > 0.98


def test_a_bent_picture_is_found_by_a_spline():
    moving, fixed, points = bent_pair("astronaut", 1)
    found = wk.register(moving, fixed, "tps")
    assert found.converged, found.reason
    assert isinstance(found.transform, wk.ThinPlateSpline)
    seen = ((points >= 0) & (points <= np.array(moving.shape[::-1]) - 1)).all(axis=-1)
    gaps = np.hypot(*np.moveaxis(found.transform(made.grid(fixed.shape)) - points, -1, 0))
    assert gaps[seen].mean() < 0.06
    affine = wk.register(moving, fixed, "affine")
    assert affine.correlation < found.correlation


def test_stiff_plates_hardly_bend():
    moving, fixed, _ = bent_pair("astronaut", 1)
    found = wk.register(moving, fixed, "tps", bending=1e6)
    control_points = found.transform.control_points
    plane = wk.Affine.fit(control_points, found.transform.values)
    assert np.abs(plane(control_points) - found.transform.values).max() < 0.01


def test_pictures_of_different_sizes():
    rows, columns = 150, 260
    pair = next(made.pairs("affine", 1, seed=4))
    cut = wk.register(pair.moving, np.ascontiguousarray(pair.fixed[60 : 60 + rows, 40 : 40 + columns]))
    assert cut.converged, cut.reason
    shifted = pair.matrix @ np.array([[1, 0, 40], [0, 1, 60], [0, 0, 1]])
    assert made.corner_error(matrix_of(cut.transform), shifted, (rows, columns)) < 0.1


def test_the_warp_by_the_result_shows_the_fixed_picture(pair):
    found = wk.register(pair.moving, pair.fixed)
    seen = wk.warp(np.ones_like(pair.moving, dtype=np.float32), found.transform, pair.fixed.shape) > 0.999
    warped = found.gain[0] * wk.warp(pair.moving.astype(np.float32), found.transform, pair.fixed.shape) + found.bias[0]
    residual = (warped - pair.fixed)[seen]
    assert abs(residual.mean()) < 0.2
    assert residual.std() < 8
    assert found.overlap == pytest.approx(seen.mean(), abs=0.02)


def test_gain_and_bias_are_of_each_channel(pair):
    gains, biases = np.array([0.5, 1.2, 0.9]), np.array([40.0, -10.0, 5.0])
    moving = np.repeat(pair.moving[..., None], 3, axis=2).astype(np.float32)
    matrix = wk.Affine.similarity(1.02, 2, (3, -2), (100, 100))
    found = wk.register(moving, wk.warp(moving * gains.astype(np.float32), matrix) + biases.astype(np.float32), "similarity")
    assert found.converged, found.reason
    assert np.allclose(found.gain, gains, rtol=1e-2)
    assert np.allclose(found.bias, biases, atol=1.5)
    assert np.abs(found.transform.matrix - matrix.matrix).max() < 0.02


def test_pictures_as_they_are(pair):
    matrix = wk.Affine.rotation(3, (100, 100))
    found = wk.register(pair.moving, wk.warp(pair.moving, matrix), "euclidean", measure="ssd")
    assert found.converged, found.reason
    assert found.gain.tolist() == [1.0]
    assert found.bias == pytest.approx([0.0], abs=1e-6)
    assert np.abs(found.transform.matrix - matrix.matrix).max() < 0.01


@pytest.mark.parametrize("dtype", ["uint16", "float64", "int32"])
def test_pixel_types(dtype, pair):
    moving, fixed = (picture[::2, ::2].astype(dtype) * 3 for picture in (pair.moving, pair.fixed))
    expected = wk.register(pair.moving[::2, ::2], pair.fixed[::2, ::2], "similarity")
    found = wk.register(moving, fixed, "similarity")
    assert np.allclose(found.transform.matrix, expected.transform.matrix, atol=1e-3)


def test_a_displacement_for_each_pixel():
    moving, fixed, points = bent_pair("immunohistochemistry", 1, most=6)
    found = wk.register(moving, fixed, "dense")
    assert found.converged, found.reason
    assert found.transform.field.shape == (*fixed.shape, 2)
    assert found.covariance is None
    seen = ((points >= 0) & (points <= np.array(moving.shape[::-1]) - 1)).all(axis=-1)
    gaps = np.linalg.norm(found.transform.field - points + made.grid(fixed.shape), axis=-1)
    assert gaps[seen].mean() < 0.2


def test_displacements_break_at_edges():
    """A square in the middle moves by 5 pixels over a background that rests."""
    random = np.random.default_rng(0)
    texture = scipy.ndimage.gaussian_filter(random.normal(size=(120, 160)), 1.2)
    square = scipy.ndimage.gaussian_filter(random.normal(size=(50, 60)), 1.2)
    moving, fixed = texture.copy(), texture.copy()
    moving[35:85, 55:115], fixed[35:85, 50:110] = square, square
    field = wk.register(moving, fixed, "dense").transform.field
    assert np.abs(field[42:78, 57:103] - (5, 0)).mean() < 0.2
    assert np.abs(field[:28]).mean() < 0.1


def test_a_dense_start_is_kept_where_nothing_is_seen(pair):
    start = wk.Affine.translation(3, -2)
    weights = np.zeros(pair.fixed.shape)
    weights[:, 150:] = 1
    moving = wk.warp(pair.fixed.astype(np.float32), start.inverse)
    found = wk.register(moving, pair.fixed, "dense", initial=start, fixed_weights=weights)
    assert np.abs(found.transform.field[20:-20, 20:140] - (3, -2)).max() < 0.3


# --- where to begin --------------------------------------------------------------------------------------------------------


def test_a_start_reaches_beyond_the_search():
    """A quarter turn, from two pairs of points a few pixels off."""
    picture = made.photograph("camera")[100:400, 50:450]
    turned = np.ascontiguousarray(np.rot90(picture))
    truth = np.array([[0, -1, 399.0], [1, 0, 0]])
    assert not wk.register(picture, turned).converged
    wide = wk.register(picture, turned, "euclidean", search="wide")
    assert wide.converged, wide.reason
    assert np.abs(wide.transform.matrix - truth).max() < 0.01
    fixed_points = np.array([[20.0, 30], [250, 350]])
    moving_points = fixed_points @ truth[:, :2].T + truth[:, 2] + [[3, -2], [-4, 1]]
    start = wk.Affine.fit(fixed_points, moving_points, "similarity")
    found = wk.register(picture, turned, initial=start)
    assert found.converged, found.reason
    assert np.abs(found.transform.matrix - truth).max() < 0.01


def test_a_wide_search_finds_any_turn_and_size(pair):
    truth = wk.Affine.similarity(0.7, 130, (20, -10), (190, 190)).matrix
    inverse = np.vstack([truth, [0, 0, 1]])
    fixed = made.view(pair.picture, made.apply(inverse, made.grid(pair.fixed.shape)))
    centre = made.view(pair.picture, made.grid(pair.fixed.shape))
    found = wk.register(centre, fixed, "similarity", search="wide")
    assert found.converged, found.reason
    assert made.corner_error(matrix_of(found.transform), inverse, fixed.shape) < 0.02


def test_steps_keep_the_turn_of_the_start():
    picture = made.photograph("camera")[100:400, 50:450]
    start = wk.Affine.rotation(7, (100, 80))
    truth = (start @ wk.Affine.translation(4, -3)).simplified()
    found = wk.register(picture, wk.warp(picture.astype(np.float32), truth), "translation", initial=start)
    assert np.allclose(found.transform.matrix[:, :2], start.matrix[:, :2])
    assert np.allclose(found.transform.matrix, truth.matrix, atol=0.01)


def test_splines_begin_anywhere():
    moving, fixed, points = bent_pair("astronaut", 1)
    start = wk.ThinPlateSpline([[0, 0], [300, 0], [0, 300], [300, 310]], [[2, 1], [301, 0], [3, 302], [302, 309]])
    found = wk.register(moving, fixed, "tps", initial=start)
    gaps = np.hypot(*np.moveaxis(found.transform(made.grid(fixed.shape)) - points, -1, 0))
    assert np.median(gaps) < 0.06


# --- what is not to be compared --------------------------------------------------------------------------------------------


def hidden(pair):
    """The fixed picture with a third of another one over it, and where."""
    fixed, other = pair.fixed.copy(), made.photograph("coffee")[: pair.fixed.shape[0], : pair.fixed.shape[1] // 3]
    fixed[: len(other), : other.shape[1]] = 255 - other
    over = np.zeros(fixed.shape, bool)
    over[: len(other), : other.shape[1]] = True
    return fixed, over


def test_weights_and_nan_take_pixels_out(pair):
    fixed, over = hidden(pair)
    by_weights = wk.register(pair.moving, fixed, fixed_weights=~over)
    by_nan = wk.register(pair.moving, np.where(over, np.nan, fixed.astype(np.float64)))
    for found in (by_weights, by_nan):
        assert found.converged, found.reason
        assert error(found, pair) < 0.05
    assert by_weights.overlap > 0.8, "of what counts"


def test_the_moving_picture_has_a_mask(pair):
    moving = pair.moving.copy()
    moving[100:250, 120:260] = 0
    mask = np.ones(moving.shape, bool)
    mask[100:250, 120:260] = False
    found = wk.register(moving, pair.fixed, moving_mask=mask)
    assert found.converged, found.reason
    assert error(found, pair) < 0.04


@pytest.mark.parametrize("robust", ["huber", "tukey"])
def test_robust_weights_bear_what_is_hidden(robust, pair):
    fixed = pair.fixed.copy()
    fixed[150:230, 100:220] = 255 - fixed[150:230, 100:220]
    plain, found = wk.register(pair.moving, fixed), wk.register(pair.moving, fixed, robust=robust)
    assert found.converged, found.reason
    assert error(found, pair) < 0.06
    assert error(found, pair) < 0.7 * error(plain, pair)


# --- what is not to be trusted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "count"), [("translation", 4), ("projective", 6), ("tps", 2)])
def test_pictures_of_different_things_are_not_aligned(model, count):
    pairs = list(made.pairs("affine", count, seed=2))
    for one, other in zip(pairs, pairs[1:] + pairs[:1], strict=True):
        found = wk.register(one.moving, other.fixed, model)
        assert not found.converged
        assert found.reason


def test_flat_pictures_are_not_aligned(pair):
    flat = np.full((40, 50), 7, np.uint8)
    for moving, fixed in ((flat, pair.fixed), (pair.moving, flat), (np.full((30, 30), np.nan), np.ones((30, 30)))):
        found = wk.register(moving, fixed)
        assert not found.converged
        assert "flat" in found.reason
        assert np.isnan(found.covariance).all()


def test_stripes_do_not_say_how_far_along_them():
    stripes = np.tile(np.sin(np.arange(200) / 9), (160, 1))
    found = wk.register(stripes, stripes, "translation")
    assert not found.converged
    assert "too little" in found.reason


def test_too_little_in_common_is_told(pair):
    found = wk.register(pair.moving, pair.fixed, least_overlap=0.99)
    assert not found.converged
    assert "overlap" in found.reason
    assert error(found, pair) < 0.05, "the result is there all the same"


def test_noise_is_not_aligned():
    random = np.random.default_rng(0)
    found = wk.register(random.normal(size=(100, 120)), random.normal(size=(100, 120)))
    assert not found.converged


# --- what is told about the result -----------------------------------------------------------------------------------------


def test_the_covariance_is_that_of_repeated_noise():
    random = np.random.default_rng(0)
    clean, truth = made.photograph("camera")[100:260, 150:350], np.array([[0.99, 0.02, 2.3], [-0.02, 0.99, 4.1], [0, 0, 1]])
    moved = scipy.ndimage.affine_transform(
        made.photograph("camera"), truth[1::-1, 1::-1], truth[1::-1, 2] + truth[1::-1, 1::-1] @ [0, 0] + [100, 150], clean.shape
    )
    results = [
        wk.register(clean + random.normal(0, 5, clean.shape), moved + random.normal(0, 5, clean.shape)) for _ in range(16)
    ]
    assert all(result.converged for result in results)
    spread = np.std([result.transform.params for result in results], axis=0)
    told = np.sqrt(np.diag(np.mean([result.covariance for result in results], axis=0)))
    assert (spread / told < 1.4).all()
    assert (spread / told > 0.6).all()


def test_an_accuracy_may_be_asked_for(pair):
    known = wk.register(pair.moving, pair.fixed)
    found = wk.register(pair.moving, pair.fixed, accuracy=known.corner_error / 2)
    assert not found.converged
    assert "the corners are known to" in found.reason
    assert wk.register(pair.moving, pair.fixed, accuracy=known.corner_error * 2).converged


def test_the_corner_error_is_the_covariance_at_the_corners(pair):
    found = wk.register(pair.moving, pair.fixed)
    rows, columns = pair.fixed.shape
    squares = []
    for x, y in [(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)]:
        derivative = np.kron(np.eye(2), [x, y, 1])
        squares.append(np.trace(derivative @ found.covariance @ derivative.T))
    assert found.corner_error == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
def test_there_is_no_error_where_there_is_no_noise(name):
    """Edges before an empty sky: smoothing first, and warping then, would move the result by hundredths of a pixel."""
    shape, matrix = made.moving_shape(name), np.array([[1.1, 0.1, -30], [-0.1, 1.15, -5], [0, 0, 1]])
    moving, fixed = (made.view(name, points) for points in (made.grid(shape), made.apply(matrix, made.grid(shape))))
    found = wk.register(moving, fixed)
    assert made.corner_error(matrix_of(found.transform), matrix, shape) < 0.005


def test_covariances_have_the_size_of_the_parameters():
    for model, size in (("translation", 6), ("projective", 9), ("tps", 32)):
        pair = next(made.pairs("translation", 1, seed=4))
        found = wk.register(pair.moving, pair.fixed, model, control_points=(4, 4))
        assert found.covariance.shape == (size, size)
        assert np.allclose(found.covariance, found.covariance.T)
        assert np.linalg.eigvalsh(found.covariance).min() > -1e-9 * np.abs(found.covariance).max()


def test_the_history_ends_with_a_short_step(pair):
    history = wk.register(pair.moving, pair.fixed).history
    scales = [record.scale for record in history]
    assert scales == sorted(scales, reverse=True)
    assert scales[-1] == 1
    assert history[-1].step < 0.02
    assert history[-1].correlation > history[0].correlation


def test_the_result_says_what_it_is(pair):
    found = wk.register(pair.moving, pair.fixed)
    assert "converged, correlation 0.99" in repr(found)
    assert "not converged" in repr(wk.register(pair.moving, pair.fixed, least_overlap=0.99))
    assert json.loads(found.transform.to_json(direction="inverse"))["direction"] == "inverse"


@pytest.mark.parametrize(
    ("model", "robust"), [("projective", None), ("projective", "huber"), ("tps", "huber"), ("dense", "huber")]
)
def test_same_bits_for_any_number_of_threads(model, robust, pair, set_num_threads):
    results = []
    for threads in (1, 2, 5):
        set_num_threads(threads)
        results.append(wk.register(pair.moving, pair.fixed, model, robust=robust))
    for result in results[1:]:
        assert result.transform.params.tobytes() == results[0].transform.params.tobytes()
        assert np.array_equal(result.covariance, results[0].covariance)
        assert result.history == results[0].history


def test_the_pictures_are_not_changed(pair):
    moving, fixed = pair.moving.astype(np.float32), pair.fixed.astype(np.float32)
    mask, weights = np.ones(moving.shape, bool), np.ones(fixed.shape, np.float32)
    mask[:9], weights[:9] = False, 0
    before = [array.copy() for array in (moving, fixed, mask, weights)]
    wk.register(moving, fixed, moving_mask=mask, fixed_weights=weights)
    for array, expected in zip((moving, fixed, mask, weights), before, strict=True):
        assert np.array_equal(array, expected)


# --- bending ---------------------------------------------------------------------------------------------------------------


def test_bending_energy_is_bookstein_s_integral():
    random = np.random.default_rng(0)
    control = np.stack(np.meshgrid([-1, 0, 1.0], [-1, 0, 1.0]), axis=-1).reshape(-1, 2)
    spline = wk.ThinPlateSpline(control, random.normal(size=(9, 2)))
    # all of the plane: what lies beyond the square is small, and falls with its fourth power
    side = np.linspace(-12, 12, 1201)
    step = side[1] - side[0]
    values = spline(np.stack(np.meshgrid(side, side), axis=-1))
    energy = np.zeros(2)
    for axis in range(2):
        by_y, by_x = np.gradient(values[..., axis], step)
        (yy, xy), xx = np.gradient(by_y, step), np.gradient(by_x, step)[1]
        energy[axis] = ((xx**2 + 2 * xy**2 + yy**2)[2:-2, 2:-2]).sum() * step**2
    told = np.diag(spline.values.T @ spline.bending_matrix @ spline.values)
    assert np.allclose(energy, 16 * np.pi * told, rtol=0.03)


# --- the door --------------------------------------------------------------------------------------------------------------

PICTURE = np.arange(400.0).reshape(20, 20)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"moving": np.ones(5)}, ValueError, "moving must have shape"),
        ({"moving": np.ones((5, 50))}, ValueError, "moving must be at least 8 pixels"),
        ({"fixed": np.ones((20, 7))}, ValueError, "fixed must be at least 8 pixels"),
        ({"fixed": np.ones((20, 20, 3))}, ValueError, "fixed must have as many channels as moving"),
        ({"fixed": np.ones((20, 20), complex)}, TypeError, "fixed"),
        ({"model": "rigid"}, ValueError, "model must be one of 'translation'"),
        ({"measure": "mi"}, ValueError, "measure must be 'ncc' or 'ssd'"),
        ({"robust": True}, ValueError, "robust must be 'huber', 'tukey' or None"),
        ({"initial": [[1, 0, 0], [0, 1, 0]]}, TypeError, "initial must be a transform or a matrix as an array"),
        ({"initial": np.zeros((2, 3))}, ValueError, "initial: matrix must not be singular"),
        ({"initial": wk.Projective(np.diag([1, 1, -1.0])), "model": "projective"}, ValueError, "initial: the whole output"),
        ({"initial": wk.Projective(np.eye(3))}, ValueError, "initial must be affine for the model 'affine'"),
        ({"initial": wk.Swirl((9, 9), 1, 5)}, TypeError, "initial must be a matrix, Affine or Projective"),
        (
            {"initial": wk.Projective([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1]]), "model": "tps"},
            ValueError,
            "initial must have a value",
        ),
        ({"search": "far"}, ValueError, "search must be 'near', 'wide', True, False or None, got 'far'"),
        ({"moving_mask": np.ones((20, 20))}, TypeError, "moving_mask must hold booleans"),
        ({"moving_mask": np.ones((20, 21), bool)}, ValueError, "moving_mask must have shape"),
        ({"fixed_weights": np.ones((20, 21))}, ValueError, "fixed_weights must have shape"),
        ({"fixed_weights": -np.ones((20, 20))}, ValueError, "fixed_weights must not be negative"),
        ({"control_points": (1, 5)}, ValueError, "control_points must be at least"),
        ({"control_points": 5}, TypeError, "control_points must be two integers"),
        ({"smoothness": 0}, ValueError, "smoothness must be positive"),
        ({"bending": -1}, ValueError, "bending must not be negative"),
        ({"accuracy": 0}, ValueError, "accuracy must be positive"),
        ({"accuracy": 0.1, "model": "dense"}, ValueError, "accuracy must be None for the model 'dense'"),
        ({"least_overlap": "half"}, TypeError, "least_overlap must be a number"),
        ({"least_correlation": np.nan}, ValueError, "least_correlation must be finite"),
    ],
)
def test_bad_arguments_are_named(change, kind, message):
    arguments = {"moving": PICTURE, "fixed": PICTURE, **change}
    with pytest.raises(kind, match=message):
        wk.register(**arguments)
