"""``warpkit.interop.scipy`` beside ``scipy.ndimage`` itself."""

import numpy as np
import pytest
import scipy.ndimage

from warpkit.interop import scipy as ours

MODES = ("constant", "grid-constant", "nearest", "reflect", "grid-mirror", "mirror", "wrap", "grid-wrap")
DTYPES = ("bool", "uint8", "int16", "int32", "float32", "float64")
CALLS = 300
TOLERANCE = 1e-9  # sums of float64 in another order, pixels up to 255
FLOAT32_TOLERANCE = 1e-4


class Call:
    """Random arguments."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        dtype = self.rng.choice(DTYPES)
        self.picture = self.rng.uniform(0, 255, self.rng.integers(1, 20, 2)).astype(dtype)
        # sums of weights that make 1, or almost 1, are another bool each
        self.order, self.mode = 0 if dtype == "bool" else int(self.rng.integers(2)), str(self.rng.choice(MODES))
        self.options = {"order": self.order, "mode": self.mode, "cval": 7.0 if dtype != "bool" else 1.0}

    def coordinates(self):
        size = np.array(self.picture.shape)[:, None, None]
        points = self.rng.uniform(-2.5 * size, 3.5 * size, (2, *self.rng.integers(1, 30, 2)))
        if self.order == 1:  # centres, first, last and between: exactly on the edges of the rules
            whole = self.rng.random(points.shape[1:]) < 0.3
            points = np.where(whole, np.round(points), points)
        return points


def assert_same(mine, theirs, picture, note):
    assert mine.shape == theirs.shape
    assert mine.dtype == theirs.dtype
    tolerance = FLOAT32_TOLERANCE if mine.dtype == np.float32 else TOLERANCE
    np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=0, atol=tolerance, err_msg=note)


def test_map_coordinates_over_all_modes():
    for seed in range(CALLS):
        call = Call(seed)
        points = call.coordinates()
        theirs = scipy.ndimage.map_coordinates(call.picture, points, **call.options)
        assert_same(ours.map_coordinates(call.picture, points, **call.options), theirs, call.picture, f"seed {seed}")


def test_affine_transform_over_all_modes():
    for seed in range(CALLS):
        call = Call(10_000 + seed)
        matrix, offset = call.rng.normal(0, 1.2, (2, 2)), call.rng.uniform(-5, 5, 2)
        form = call.rng.integers(4)
        if form == 1:
            matrix = matrix[0]
        elif form == 2:
            matrix = np.column_stack([matrix, offset])
        elif form == 3:
            matrix = np.vstack([np.column_stack([matrix, offset]), [0, 0, 1]])
        shape = tuple(call.rng.integers(1, 30, 2).tolist())
        arguments = (call.picture, matrix, offset if form < 2 else 0.0, shape)
        theirs = scipy.ndimage.affine_transform(*arguments, **call.options)
        assert_same(ours.affine_transform(*arguments, **call.options), theirs, call.picture, f"seed {seed}")


@pytest.mark.parametrize("prefilter", [True, False])
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "grid-constant"])
def test_cubic_splines(mode, prefilter):
    rng = np.random.default_rng(4)
    options = {"mode": mode, "cval": 7.0, "prefilter": prefilter}
    for shape in ((31, 44), (25, 60)):
        picture = rng.uniform(0, 255, shape)
        points = rng.uniform(-2, 3, (2, 20, 30)) * np.array(shape)[:, None, None]
        theirs = scipy.ndimage.map_coordinates(picture, points, **options)
        # "nearest" differs by what is left of the ends of its padding
        tolerance = 1e-4 if mode == "nearest" and prefilter else TOLERANCE
        np.testing.assert_allclose(ours.map_coordinates(picture, points, **options), theirs, rtol=0, atol=tolerance)
        matrix, offset = [[0.9, 0.3], [-0.2, 1.1]], (3.3071, -2.1133)  # no point on an edge
        theirs = scipy.ndimage.affine_transform(picture, matrix, offset, **options)
        np.testing.assert_allclose(ours.affine_transform(picture, matrix, offset, **options), theirs, rtol=0, atol=tolerance)


def test_constant_has_hard_edges_and_grid_constant_soft_ones():
    picture = np.full((4, 5), 10.0)
    points = np.array([[1.0, 1.0, 1.0, 1.0], [-0.01, 0.0, 4.0, 4.5]])
    hard = ours.map_coordinates(picture, points, order=1, mode="constant", cval=2.0)
    soft = ours.map_coordinates(picture, points, order=1, mode="grid-constant", cval=2.0)
    np.testing.assert_allclose(hard, [2, 10, 10, 2])
    np.testing.assert_allclose(soft, [9.92, 10, 10, 6])


@pytest.mark.parametrize("mode", ["constant", "grid-constant"])
def test_what_lies_outside_may_be_missing(mode):
    picture, points = np.arange(12.0).reshape(3, 4), np.random.default_rng(0).uniform(-2, 5, (2, 40))
    theirs = scipy.ndimage.map_coordinates(picture, points, order=1, mode=mode, cval=np.nan)
    assert np.isnan(theirs).any()
    np.testing.assert_allclose(
        ours.map_coordinates(picture, points, order=1, mode=mode, cval=np.nan), theirs, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (0,), (2, 0)])
def test_points_of_any_shape(shape):
    picture = np.arange(30.0).reshape(5, 6)
    points = np.random.default_rng(0).uniform(-2, 7, (2, *shape))
    theirs = scipy.ndimage.map_coordinates(picture, points, order=1)
    np.testing.assert_allclose(ours.map_coordinates(picture, points, order=1), theirs)


def test_output_may_be_an_array_or_a_dtype():
    picture, points = np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 0.0], [0.5, 1.5]])
    assert ours.map_coordinates(picture, points, "uint8", order=1).dtype == np.uint8
    into = np.zeros(2, np.float32)
    assert ours.map_coordinates(picture, points, into, order=1) is into
    np.testing.assert_array_equal(into, [0.5, 1.5])
    canvas = np.zeros((1, 2))
    assert ours.affine_transform(picture, [1, 1], output=canvas, order=1) is canvas
    np.testing.assert_array_equal(canvas, [[0, 1]])


def test_the_documented_example_of_scipy():
    a = np.arange(12.0).reshape((4, 3))
    np.testing.assert_allclose(ours.map_coordinates(a, [[0.5, 2], [0.5, 1]], order=1), [2.0, 7.0])


PICTURE, POINTS = np.zeros((3, 4)), np.zeros((2, 5))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ours.map_coordinates(np.zeros((2, 3, 4)), POINTS, order=1), ValueError, r"input must have shape \(H, W\)"),
        (lambda: ours.map_coordinates(PICTURE * 1j, POINTS, order=1), TypeError, "input must hold real numbers"),
        (lambda: ours.map_coordinates(PICTURE, np.zeros((3, 5)), order=1), ValueError, "coordinates must have shape"),
        (lambda: ours.map_coordinates(PICTURE, POINTS, order=2), ValueError, "order must be one of"),
        (lambda: ours.map_coordinates(PICTURE, POINTS, order=1, mode="edge"), ValueError, "mode must be one of"),
        (lambda: ours.map_coordinates(PICTURE, POINTS, mode="grid-constant"), ValueError, "must not be"),
        (lambda: ours.map_coordinates(PICTURE, POINTS, np.uint8, order=1, cval=np.nan), ValueError, "cval must be finite"),
        (lambda: ours.map_coordinates(PICTURE, POINTS, np.zeros(4), order=1), ValueError, "output must have shape"),
        (lambda: ours.affine_transform(PICTURE, np.eye(4), order=1), ValueError, "matrix must have shape"),
        (lambda: ours.affine_transform(PICTURE, np.ones((3, 3)), order=1), ValueError, "last row"),
        (lambda: ours.affine_transform(PICTURE, np.eye(2), [1, 2, 3], order=1), ValueError, "offset must be a number or two"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
