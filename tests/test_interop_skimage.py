"""``warpkit.interop.skimage`` beside scikit-image itself."""

import numpy as np
import pytest
import skimage.transform
from skimage.transform import AffineTransform, EuclideanTransform, ProjectiveTransform, SimilarityTransform

import warpkit as wk
from warpkit.interop.skimage import from_skimage, to_skimage, warp

MODES = ("constant", "edge", "symmetric", "reflect", "wrap")
CALLS = 300
TOLERANCE = 1e-6
# scikit-image computes these images' matrices and points in float32.
FLOAT32_TOLERANCE = 2e-3


class Call:
    """Random arguments of a warp."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        dtype = str(self.rng.choice(["float64", "float64", "float32", "uint8", "int16", "bool"]))
        tail = [(), (1,), (3,)][self.rng.integers(3)]
        self.image = self.rng.uniform(0, 1, (*self.rng.integers(2, 25, 2), *tail))
        if dtype in ("uint8", "int16"):
            self.image = self.image * 255
        self.image = (self.image > 0.5) if dtype == "bool" else self.image.astype(dtype)
        self.shape = tuple(self.rng.integers(1, 25, 2).tolist())
        self.options = {
            "output_shape": [None, self.shape][self.rng.integers(2)],
            "order": None if dtype == "bool" else [None, 0, 1, 3][self.rng.integers(4)],
            "mode": str(self.rng.choice(MODES)),
            "cval": float(self.rng.choice([0, 0, 1, 3])) if dtype != "bool" else 0.0,
            "clip": bool(self.rng.integers(2)),
            "preserve_range": bool(self.rng.integers(2)),
        }

    def transform(self):
        rng = self.rng
        shift = rng.uniform(-8, 8, 2)
        turn = rng.uniform(-3, 3)
        which = rng.integers(4)
        if which == 0:
            return EuclideanTransform(rotation=turn, translation=shift)
        if which == 1:
            return SimilarityTransform(scale=rng.uniform(0.4, 2.5), rotation=turn, translation=shift)
        affine = AffineTransform(scale=rng.uniform(0.4, 2.5, 2), rotation=turn, shear=rng.uniform(-0.5, 0.5), translation=shift)
        if which == 2:
            return affine
        lean = np.vstack([np.eye(3)[:2], [*rng.uniform(-0.01, 0.01, 2), 1]])
        return ProjectiveTransform(matrix=affine.params @ lean * rng.choice([1, -2]))


def assert_same(ours, theirs, note):
    assert ours.shape == theirs.shape, note
    assert ours.dtype == theirs.dtype, note
    tolerance = FLOAT32_TOLERANCE if ours.dtype == np.float32 else TOLERANCE * max(1, np.abs(theirs).max())
    np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=0, atol=tolerance, err_msg=note)


@pytest.mark.parametrize("part", range(3))
def test_transforms_and_matrices_over_all_options(part):
    for seed in range(part, CALLS, 3):
        call = Call(seed)
        tform = call.transform()
        given = tform.params if call.rng.integers(2) else tform
        theirs = skimage.transform.warp(call.image, given, **call.options)
        assert_same(warp(call.image, given, **call.options), theirs, f"seed {seed}: {call.image.dtype} {call.options}")


def test_callables_over_all_options():
    def wavy(points, strength):
        return points + strength * np.sin(points[:, ::-1] / 3)

    for seed in range(CALLS):
        call = Call(10_000 + seed)
        strength = call.rng.uniform(-4, 4)
        arguments = (wavy, {"strength": strength})
        theirs = skimage.transform.warp(call.image, *arguments, **call.options)
        assert_same(warp(call.image, *arguments, **call.options), theirs, f"seed {seed}: {call.image.dtype} {call.options}")


def test_coordinates_over_all_options():
    for seed in range(CALLS):
        call = Call(20_000 + seed)
        image = call.image if call.image.ndim == 2 else call.image[..., 0]
        coordinates = call.rng.uniform(-5, 30, (2, *call.shape))
        theirs = skimage.transform.warp(image, coordinates, **call.options)
        assert_same(warp(image, coordinates, **call.options), theirs, f"seed {seed}: {image.dtype} {call.options}")


def test_the_documented_examples(camera):
    theirs = skimage.transform.warp(camera, SimilarityTransform(translation=(0, -10)))

    def shift_down(xy):
        xy[:, 1] -= 10
        return xy

    matrix = np.array([[1, 0, 0], [0, 1, -10], [0, 0, 1]])
    tform = SimilarityTransform(translation=(0, -10))
    for inverse_map in (tform, shift_down, matrix, ProjectiveTransform(matrix=matrix), wk.Affine.translation(0, -10)):
        np.testing.assert_allclose(warp(camera, inverse_map), theirs, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        warp(camera, tform.inverse), skimage.transform.warp(camera, tform.inverse), rtol=0, atol=TOLERANCE
    )


def test_the_documented_example_in_three_dimensions():
    cube_shape = np.array([30, 30, 30])
    cube = np.random.default_rng(0).random(cube_shape)
    scale = 0.1
    output_shape = (scale * cube_shape).astype(int)
    coords0, coords1, coords2 = np.mgrid[: output_shape[0], : output_shape[1], : output_shape[2]]
    coords = (np.array([coords0, coords1, coords2]) + 0.5) / scale - 0.5
    np.testing.assert_array_equal(warp(cube, coords), skimage.transform.warp(cube, coords))


def test_a_horizon_through_the_picture(camera):
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0.0031, 0, -0.5]])
    image = camera[:200, :300] / 255
    theirs = skimage.transform.warp(image, matrix, mode="edge")
    w = matrix[2, 0] * np.arange(300) - 0.5
    near = np.abs(w) < 0.01
    np.testing.assert_allclose(warp(image, matrix, mode="edge")[:, ~near], theirs[:, ~near], rtol=0, atol=TOLERANCE)


def test_what_has_no_kernel_is_handed_on(camera):
    image = camera[::8, ::8]
    tform = SimilarityTransform(rotation=0.1)
    for order in (4, 5):
        np.testing.assert_array_equal(warp(image, tform, order=order), skimage.transform.warp(image, tform, order=order))


def test_what_lies_outside_may_be_missing(camera):
    image, tform = camera[::8, ::8], SimilarityTransform(rotation=0.1)
    for order in (0, 1):
        ours = warp(image / 255, tform, order=order, cval=np.nan)
        theirs = skimage.transform.warp(image / 255, tform, order=order, cval=np.nan)
        assert np.isnan(ours).any()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def test_points_that_are_not_finite_are_outside():
    image = np.random.default_rng(0).random((6, 7))
    assert (warp(image, lambda points: points * np.nan, cval=0.25) == 0.25).all()


@pytest.mark.parametrize("seed", range(8))
def test_transforms_go_there_and_back(seed):
    tform = Call(seed).transform()
    points = np.random.default_rng(seed).uniform(0, 20, (50, 2))
    ours = from_skimage(tform)
    np.testing.assert_allclose(ours(points), tform(points), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(to_skimage(ours)(points), tform(points), rtol=1e-9, atol=1e-9)


def test_splines_go_there_and_back():
    rng = np.random.default_rng(3)
    source = rng.uniform(0, 100, (12, 2))
    spline = wk.ThinPlateSpline(source, source + rng.normal(0, 3, (12, 2)))
    points = rng.uniform(0, 100, (50, 2))
    theirs = to_skimage(spline)
    # scikit-image solves the system in float32
    np.testing.assert_allclose(theirs(points), spline(points), rtol=0, atol=0.05)
    np.testing.assert_allclose(from_skimage(theirs)(points), theirs(points), rtol=0, atol=0.05)


def estimated(kind, *arguments):
    if hasattr(kind, "from_estimate"):
        return kind.from_estimate(*arguments)
    tform = kind()  # before scikit-image 0.26
    assert tform.estimate(*arguments)
    return tform


@pytest.mark.parametrize("order", [1, 2, 3])
def test_polynomials_are_the_same_map(order):
    random = np.random.default_rng(order)
    source = random.uniform(0, 100, (20, 2))
    tform = estimated(skimage.transform.PolynomialTransform, source, source + random.normal(0, 3, source.shape), order)
    points = random.uniform(0, 100, (50, 2))
    np.testing.assert_allclose(from_skimage(tform)(points), tform(points), rtol=1e-9, atol=1e-9)


def test_piecewise_maps_are_the_same_inside_and_have_no_value_outside():
    random = np.random.default_rng(4)
    source = np.vstack([random.uniform(0, 100, (12, 2)), [[0, 0], [100, 0], [0, 100], [100, 100]]])
    tform = estimated(skimage.transform.PiecewiseAffineTransform, source, source + random.normal(0, 3, source.shape))
    ours, points = from_skimage(tform), random.uniform(0, 100, (200, 2))
    np.testing.assert_allclose(ours(points), tform(points), rtol=1e-9, atol=1e-9)
    assert np.isnan(ours([[-5.0, 50.0]])).all()


IMAGE, IDENTITY = np.zeros((4, 5)), np.eye(3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: warp(np.zeros((0, 4)), IDENTITY), ValueError, "image must have shape"),
        (lambda: warp(np.zeros(4), IDENTITY), ValueError, "image must have shape"),
        (lambda: warp(IMAGE, "turn"), TypeError, "inverse_map must be a transform"),
        (lambda: warp(IMAGE, np.full((3, 3), np.nan)), ValueError, "inverse_map must hold finite"),
        (lambda: warp(IMAGE, np.zeros((3, 4, 5)), order=1), ValueError, "inverse_map must be a matrix"),
        (lambda: warp(IMAGE, lambda points: points[:3]), ValueError, "inverse_map must return points"),
        (lambda: warp(IMAGE, IDENTITY, order=6), ValueError, "order must be from 0 to 5"),
        (lambda: warp(IMAGE > 0, IDENTITY, order=1), ValueError, "order must be 0 for bool"),
        (lambda: warp(IMAGE, IDENTITY, mode="mirror"), ValueError, "mode must be one of"),
        (lambda: warp(IMAGE, IDENTITY, mode="fill"), ValueError, "mode must be one of"),
        (lambda: warp(IMAGE, IDENTITY, output_shape=(2.5, 3)), ValueError, "output_shape must be whole numbers"),
        (lambda: from_skimage(np.eye(3)), TypeError, "tform must be"),
        (lambda: from_skimage(skimage.transform.ThinPlateSplineTransform()), ValueError, "must have been estimated"),
        (lambda: from_skimage(skimage.transform.PiecewiseAffineTransform()), ValueError, "must have been estimated"),
        (lambda: from_skimage(ProjectiveTransform(matrix=np.ones((3, 3)))), ValueError, "singular"),
        (lambda: to_skimage(wk.DisplacementField(np.zeros((2, 2, 2)))), TypeError, "transform must be Affine"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
