"""The same pictures by OpenCV, SciPy, scikit-image, and by oracles that share no code with warpkit."""

import cv2
import numpy as np
import oracles
import pytest
import scipy.interpolate
import scipy.ndimage
import skimage.transform
from oracles import INTERPOLATIONS, MODES, pixel_grid, taps_inside

import warpkit as wk

# Grey levels. OpenCV rounds halves to even, warpkit up, and OpenCV computes coordinates in float32.
OPENCV_LARGEST_MEAN_DIFFERENCE = 0.05
OPENCV_LARGEST_DIFFERENCE = 1
# float64 pixels in [0, 1] after the same sums in another order.
FLOAT64_TOLERANCE = 1e-9
# Pixels.
SPLINE_TOLERANCE = 1e-6
CONTROL_POINT_TOLERANCE = 1e-9
FIELD_TOLERANCE = 1e-12
# Pixels in [0, 1] where points may be off by the spline's tolerance along x and y.
FREE_MAP_TOLERANCE = 2 * SPLINE_TOLERANCE

OPENCV_BORDERS = {"constant": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE}
SCIPY_MODES = {
    "constant": "grid-constant",
    "edge": "nearest",
    "symmetric": "reflect",
    "reflect": "mirror",
    "wrap": "grid-wrap",
}
PICTURES = ("astronaut", "chelsea", "coffee", "camera")


def centre_of(shape):
    return ((shape[1] - 1) / 2, (shape[0] - 1) / 2)


def corners_of(shape):
    right, bottom = shape[1] - 1, shape[0] - 1
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], dtype=np.float64)


def tilted(shape, strength):
    """A homography that moves the corners of a picture inwards and apart by fractions of its size."""
    corners = corners_of(shape)
    moves = np.array([[0.3, 0.1], [-0.35, 0.05], [-0.02, -0.1], [0.1, -0.02]]) * (shape[1], shape[0])
    return wk.Projective.from_quads(corners, corners + strength * moves)


AFFINES = {
    "small turn": lambda shape: wk.Affine.rotation(0.3, centre_of(shape)),
    "turn": lambda shape: wk.Affine.rotation(17, centre_of(shape)),
    "diagonal turn": lambda shape: wk.Affine.rotation(45, centre_of(shape)),
    "magnified": lambda shape: wk.Affine.similarity(1 / 2.3, -8, (3.3, -2.1), centre_of(shape)),
    "reduced": lambda shape: wk.Affine.similarity(1 / 0.6, 33, center=centre_of(shape)),
    "sheared": lambda shape: wk.Affine.shearing(20, -5, centre_of(shape)),
    "shifted": lambda shape: wk.Affine.translation(3.37, -7.81),
}
PROJECTIVES = {
    "tilted": lambda shape: tilted(shape, 0.3),
    "tilted far": lambda shape: tilted(shape, 1.0),
    "tilted away": lambda shape: tilted(shape, -0.5),
}
MATRIX_MAPS = {**AFFINES, **PROJECTIVES}


def spline_for(shape, seed=0):
    """A thin-plate spline with 5 x 5 control points, moved by about 2 % of the picture's width."""
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, 5), np.linspace(0, shape[0] - 1, 5))
    control_points = np.column_stack([x.ravel(), y.ravel()])
    moves = np.random.default_rng(seed).normal(0, 0.02 * shape[1], control_points.shape)
    return control_points, control_points + moves


FREE_MAPS = {
    "spline": lambda shape: wk.ThinPlateSpline(*spline_for(shape)),
    "elastic": lambda shape: wk.DisplacementField.elastic(shape[:2], alpha=300, sigma=8, seed=1),
    "reduced": AFFINES["reduced"],
}


def assert_agrees_with_opencv(ours, theirs, inside):
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert inside.mean() > 0.25
    assert difference[inside].mean() < OPENCV_LARGEST_MEAN_DIFFERENCE
    assert difference.mean() < OPENCV_LARGEST_MEAN_DIFFERENCE
    assert difference.max() <= OPENCV_LARGEST_DIFFERENCE


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(("mode", "cval"), [("constant", 0), ("constant", 200), ("edge", 0)])
class TestOpenCV:
    """Bilinear uint8, everywhere: also across the border."""

    @pytest.mark.parametrize("which", MATRIX_MAPS)
    def test_matrices(self, pictures, name, which, mode, cval):
        picture = pictures[name]
        rows, columns = picture.shape[:2]
        inverse_map = MATRIX_MAPS[which](picture.shape)
        opencv_warp = cv2.warpAffine if which in AFFINES else cv2.warpPerspective
        theirs = opencv_warp(
            picture,
            inverse_map.matrix,
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=OPENCV_BORDERS[mode],
            borderValue=(cval,) * 4,
        )
        inside = taps_inside(inverse_map(pixel_grid(rows, columns)), rows, columns)
        assert_agrees_with_opencv(wk.warp(picture, inverse_map, mode=mode, cval=cval), theirs, inside)

    @pytest.mark.parametrize("which", FREE_MAPS)
    def test_remap(self, pictures, name, which, mode, cval):
        picture = pictures[name]
        rows, columns = picture.shape[:2]
        grid = wk.sampling_grid(FREE_MAPS[which](picture.shape), (rows, columns)).astype(np.float32)
        theirs = cv2.remap(
            picture,
            np.ascontiguousarray(grid[..., 0]),
            np.ascontiguousarray(grid[..., 1]),
            cv2.INTER_LINEAR,
            borderMode=OPENCV_BORDERS[mode],
            borderValue=(cval,) * 4,
        )
        assert_agrees_with_opencv(wk.sample(picture, grid, mode=mode, cval=cval), theirs, taps_inside(grid, rows, columns))


def scipy_bilinear(picture, points, mode, cval):
    """``map_coordinates`` for each channel of a picture (H, W, C)."""
    coordinates = [points[..., 1], points[..., 0]]
    options = {"order": 1, "mode": SCIPY_MODES[mode], "cval": cval}
    planes = [scipy.ndimage.map_coordinates(plane, coordinates, **options) for plane in np.moveaxis(picture, -1, 0)]
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", [*MATRIX_MAPS, *FREE_MAPS])
def test_float64_agrees_with_scipy(coffee, which, mode):
    picture = coffee[::2, ::2] / 255
    inverse_map = {**FREE_MAPS, **MATRIX_MAPS}[which](picture.shape)
    points = inverse_map(pixel_grid(*picture.shape[:2]))
    theirs = scipy_bilinear(picture, points, mode, cval=0.7)
    ours = wk.warp(picture, inverse_map, mode=mode, cval=0.7, tolerance=0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=FLOAT64_TOLERANCE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", MATRIX_MAPS)
def test_float64_agrees_with_skimage(camera, which, mode):
    picture = camera / 255
    inverse_map = MATRIX_MAPS[which](picture.shape)
    matrix = np.vstack([inverse_map.matrix, [0, 0, 1]]) if which in AFFINES else inverse_map.matrix
    theirs = skimage.transform.warp(picture, matrix, order=1, mode=mode, cval=0.7, clip=False)
    ours = wk.warp(picture, inverse_map, mode=mode, cval=0.7)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=FLOAT64_TOLERANCE)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", MATRIX_MAPS)
def test_float64_agrees_with_the_padded_picture(chelsea, which, mode, interpolation):
    picture = chelsea[::2, ::2] / 255
    inverse_map = MATRIX_MAPS[which](picture.shape)
    evaluate = oracles.affine if which in AFFINES else oracles.homography
    # Twice the picture's size, a quarter of it before: well over every border.
    rows, columns = 2 * picture.shape[0], 2 * picture.shape[1]
    window = wk.Affine.translation(-columns // 4, -rows // 4)
    points = evaluate(inverse_map.matrix, pixel_grid(rows, columns) - (columns // 4, rows // 4))
    expected = oracles.sample(picture, points, interpolation, mode, cval=0.7)
    ours = wk.warp(picture, inverse_map @ window, (rows, columns), interpolation=interpolation, mode=mode, cval=0.7)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=FLOAT64_TOLERANCE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PICTURES)
def test_nearest_picks_the_oracles_pixels(pictures, name, mode):
    picture = pictures[name]
    inverse_map = AFFINES["reduced"](picture.shape)
    points = oracles.affine(inverse_map.matrix, pixel_grid(*picture.shape[:2]))
    expected = oracles.sample(picture, points, "nearest", mode, cval=200).astype(np.uint8)
    np.testing.assert_array_equal(wk.warp(picture, inverse_map, interpolation="nearest", mode=mode, cval=200), expected)


def test_homography_agrees_with_its_formula_on_both_sides_of_the_horizon():
    matrix = np.array([[1, 0.1, 3], [0.05, 1.2, -4], [0.004, -0.01, 0.6]])
    points = pixel_grid(90, 120)
    expected = oracles.homography(matrix, points)
    assert 0 < np.isnan(expected).mean() < 1
    np.testing.assert_allclose(wk.Projective(matrix)(points), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.01, 10.0])
@pytest.mark.parametrize("seed", range(5))
def test_spline_agrees_with_an_independent_evaluation(seed, smoothing):
    shape = (1080, 1920)
    control_points, values = spline_for(shape, seed)
    points = np.random.default_rng(seed).uniform(-500, 2500, (2000, 2))
    expected = oracles.thin_plate_spline(control_points, values, points, smoothing)
    spline = wk.ThinPlateSpline(control_points, values, smoothing)
    np.testing.assert_allclose(spline(points), expected, rtol=0, atol=SPLINE_TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
def test_spline_agrees_with_scipy(seed):
    control_points = np.random.default_rng(seed).uniform(0, 1000, (40, 2))
    values = control_points + np.random.default_rng(seed + 100).normal(0, 20, (40, 2))
    points = np.random.default_rng(seed + 200).uniform(-200, 1200, (2000, 2))
    peer = scipy.interpolate.RBFInterpolator(control_points, values, kernel="thin_plate_spline", degree=1)
    np.testing.assert_allclose(wk.ThinPlateSpline(control_points, values)(points), peer(points), rtol=0, atol=SPLINE_TOLERANCE)


@pytest.mark.parametrize("count", [3, 4, 16, 100])
def test_spline_goes_through_its_control_points(count):
    rng = np.random.default_rng(count)
    control_points = rng.uniform(0, 2000, (count, 2))
    values = control_points + rng.normal(0, 30, (count, 2))
    spline = wk.ThinPlateSpline(control_points, values)
    np.testing.assert_allclose(spline(control_points), values, rtol=0, atol=CONTROL_POINT_TOLERANCE)


@pytest.mark.parametrize("count", [400, 1000])
def test_spline_goes_through_many_control_points_that_move_smoothly(count):
    # Neighbours a pixel apart that move by 30 pixels each their own way would ask for more digits than float64 has.
    control_points = np.random.default_rng(count).uniform(0, 2000, (count, 2))
    values = control_points + 30 * np.sin(control_points[:, ::-1] / 300)
    spline = wk.ThinPlateSpline(control_points, values)
    np.testing.assert_allclose(spline(control_points), values, rtol=0, atol=CONTROL_POINT_TOLERANCE)


def test_heavy_smoothing_leads_to_the_affine_fit():
    control_points, values = spline_for((300, 400), seed=3)
    points = pixel_grid(30, 40) * 10
    spline = wk.ThinPlateSpline(control_points, values, smoothing=1e9)
    design = np.column_stack([control_points, np.ones(len(control_points))])
    matrix = np.linalg.lstsq(design, values, rcond=None)[0].T
    np.testing.assert_allclose(spline(points), oracles.affine(matrix, points), rtol=0, atol=SPLINE_TOLERANCE)


@pytest.mark.parametrize("shape", [(60, 80), (1, 80), (60, 1), (1, 1)])
def test_displacement_field_agrees_with_its_definition(shape):
    rng = np.random.default_rng(8)
    field = rng.normal(0, 5, (*shape, 2))
    points = np.concatenate([rng.uniform(-30, 110, (2000, 2)), pixel_grid(*shape).reshape(-1, 2)])
    expected = oracles.displacement_field(field, points)
    np.testing.assert_allclose(wk.DisplacementField(field)(points), expected, rtol=0, atol=FIELD_TOLERANCE)


@pytest.mark.parametrize("family", ["spline", "elastic"])
def test_warp_by_a_free_map_agrees_with_the_oracle(camera, family):
    picture = camera / 255
    inverse_map = FREE_MAPS[family](picture.shape)
    grid = pixel_grid(*picture.shape)
    if family == "spline":
        points = oracles.thin_plate_spline(*spline_for(picture.shape), grid)
    else:
        points = oracles.displacement_field(inverse_map.field, grid)
    expected = oracles.sample(picture, points, mode="reflect")
    ours = wk.warp(picture, inverse_map, mode="reflect", tolerance=0)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=FREE_MAP_TOLERANCE)
