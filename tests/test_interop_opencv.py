"""``warpkit.interop.opencv`` beside cv2 itself.

OpenCV rounds coordinates to 1/32 pixel for the kernels and pixel types that have no newer code, and computes the others in
float32. So its pixels must lie between ours for maps that are shifted by a little more than half of that, and a grey level;
with half the width of that range on either side, for the kinks in it.
"""

import cv2
import numpy as np
import pytest
import scipy.ndimage

import warpkit as wk
from warpkit.interop import opencv

DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
BORDERS = (
    cv2.BORDER_CONSTANT,
    cv2.BORDER_REPLICATE,
    cv2.BORDER_REFLECT,
    cv2.BORDER_REFLECT_101,
    cv2.BORDER_WRAP,
    cv2.BORDER_TRANSPARENT,
)
CALLS = 400
SHIFT = 1 / 60  # pixels
GREY_LEVEL = 1
FLOAT_TOLERANCE = 0.02  # of pixels up to 255, after sums in float32 with weights from a table


def has_another_transparency(dtype, channels, interpolation):
    """Where OpenCV's transparent border is not one of taps that have the pixel's own value in ``dst``.

    Its older linear code keeps pixels or takes them whole; its bicubic code reads ``dst`` where the tap is in ``src``;
    Lanczos keeps pixels whose point is outside and reflects taps.
    """
    older = dtype in ("int16", "float64") or channels == 2
    return interpolation in (cv2.INTER_CUBIC, cv2.INTER_LANCZOS4) or (
        interpolation in (cv2.INTER_LINEAR, cv2.INTER_AREA) and older
    )


class Call:
    """Random arguments of a warp.

    The longer kernels are drawn for some types only: to compile them for all would take longer than all calls.
    """

    def __init__(self, seed, bicubic=DTYPES, lanczos4=("uint8", "float64")):
        self.rng = np.random.default_rng(seed)
        dtype, self.channels = self.rng.choice(DTYPES), int(self.rng.integers(1, 5))
        self.interpolation, self.border = int(self.rng.choice(INTERPOLATIONS)), int(self.rng.choice(BORDERS))
        if self.border == cv2.BORDER_TRANSPARENT and has_another_transparency(dtype, self.channels, self.interpolation):
            self.border = cv2.BORDER_CONSTANT
        if self.interpolation == cv2.INTER_LANCZOS4 and dtype not in lanczos4:
            self.interpolation = cv2.INTER_CUBIC
        if self.interpolation == cv2.INTER_CUBIC and dtype not in bicubic:
            self.interpolation = cv2.INTER_LINEAR
        height, width = self.rng.integers(8, 40, 2)
        self.shape = tuple(self.rng.integers(1, 40, 2).tolist())
        tail = () if self.channels == 1 else (self.channels,)
        rough = self.rng.uniform(0, 255, (height, width, *tail))
        self.src = scipy.ndimage.gaussian_filter(rough, (2, 2) + (0,) * len(tail)).astype(dtype)
        self.dst = self.rng.uniform(100, 150, (*self.shape, *tail)).astype(dtype)
        self.options = {"borderMode": self.border, "borderValue": self.rng.uniform(100, 150, self.rng.integers(1, 5)).tolist()}

    def matrix(self):
        """From target to source, (3, 3): any turn about the middle of the pictures, a third to three times as large."""
        source, target = np.array(self.src.shape[1::-1]) / 2, np.array(self.shape[::-1]) / 2
        scale, far = np.exp(self.rng.uniform(-1, 1)), self.rng.choice([0, 0, 60])
        turn = wk.Affine.similarity(scale, self.rng.uniform(-180, 180), source - target, center=target)
        shear = wk.Affine.shearing(*self.rng.uniform(-20, 20, 2)).matrix[:, :2]
        matrix = np.vstack([np.column_stack([turn.matrix[:, :2] @ shear, turn.matrix[:, 2] + far]), [0, 0, 1]])
        return matrix


def known_to_opencv(call, points):
    """Where OpenCV's bicubic kernel works: it loses count of taps that are a whole picture away."""
    if call.interpolation != cv2.INTER_CUBIC or call.border == cv2.BORDER_CONSTANT:
        return np.ones(points.shape[:2], bool)
    size = np.array(call.src.shape[1::-1])
    return ((points > -0.5 * size) & (points < 1.5 * size)).all(axis=2)


def pixel_grid(shape):
    return np.stack(np.meshgrid(*(np.arange(n) for n in shape[::-1])), axis=-1).astype(float)


SHIFTS = [(x, y) for x in (-SHIFT, 0, SHIFT) for y in (-SHIFT, 0, SHIFT)]


def assert_between(theirs, shifted, call, points):
    assert all(picture.shape == theirs.shape and picture.dtype == theirs.dtype for picture in shifted)
    low, high = np.min(shifted, axis=0).astype(float), np.max(shifted, axis=0).astype(float)
    # beyond the border, OpenCV's bicubic code reads float64 pixels as whole numbers, and its weights add up to more than 1
    # without their signs
    cut = theirs.dtype == np.float64 and call.interpolation == cv2.INTER_CUBIC
    level = 1.5 * GREY_LEVEL if cut else GREY_LEVEL
    slack = (level if theirs.dtype.kind != "f" or cut else FLOAT_TOLERANCE) + (high - low) / 2
    beyond = np.maximum(low - slack - theirs, theirs - high - slack)
    worst = beyond[known_to_opencv(call, points)].max(initial=0)
    assert worst <= 0, (worst, call.src.dtype, call.channels, call.interpolation, call.border)


def shifted_matrix(matrix, shift):
    moved = matrix.copy()
    moved[0] += shift[0] * matrix[2]
    moved[1] += shift[1] * matrix[2]
    return moved


@pytest.mark.parametrize("part", range(4))
def test_warp_affine_over_all_flags(part):
    for seed in range(part, CALLS, 4):
        call = Call(seed)
        matrix = call.matrix()
        size = call.shape[::-1]
        inverted = bool(call.rng.integers(2))
        theirs_flags = call.interpolation | (cv2.WARP_INVERSE_MAP if inverted else 0)
        given = matrix[:2] if inverted else cv2.invertAffineTransform(matrix[:2])
        theirs = cv2.warpAffine(call.src, given, size, call.dst.copy(), theirs_flags, **call.options)
        unshifted = opencv.warpAffine(call.src, given, size, call.dst.copy(), theirs_flags, **call.options)
        flags = call.interpolation | opencv.WARP_INVERSE_MAP
        ours = [
            opencv.warpAffine(call.src, shifted_matrix(matrix, s)[:2], size, call.dst.copy(), flags, **call.options)
            for s in SHIFTS
        ]
        assert_between(theirs, [unshifted, *ours], call, wk.Affine(matrix[:2])(pixel_grid(call.shape)))


@pytest.mark.parametrize("part", range(4))
def test_warp_perspective_over_all_flags(part):
    for seed in range(part, CALLS, 4):
        call = Call(1000 + seed)
        matrix = call.matrix()
        lean = call.rng.uniform(-0.3, 0.3, 2) / call.shape[::-1]
        matrix = matrix @ np.vstack([np.eye(3)[:2], [*lean, 1]]) * call.rng.choice([1, -1, 7.5])
        size = call.shape[::-1]
        inverted = bool(call.rng.integers(2))
        theirs_flags = call.interpolation | (cv2.WARP_INVERSE_MAP if inverted else 0)
        given = matrix if inverted else np.linalg.inv(matrix)
        theirs = cv2.warpPerspective(call.src, given, size, call.dst.copy(), theirs_flags, **call.options)
        unshifted = opencv.warpPerspective(call.src, given, size, call.dst.copy(), theirs_flags, **call.options)
        flags = call.interpolation | opencv.WARP_INVERSE_MAP
        ours = [
            opencv.warpPerspective(call.src, shifted_matrix(matrix, s), size, call.dst.copy(), flags, **call.options)
            for s in SHIFTS
        ]
        points = wk.Projective(np.sign(matrix[2, 2]) * matrix)(pixel_grid(call.shape))
        assert_between(theirs, [unshifted, *ours], call, points)


def random_maps(call):
    """x and y, float32."""
    grid = pixel_grid(call.shape)
    points = wk.Projective(call.matrix())(grid) + 3 * np.sin(grid / 5 + call.rng.uniform(0, 6, 2))
    return points[..., 0].astype(np.float32), points[..., 1].astype(np.float32)


@pytest.mark.parametrize("part", range(4))
def test_remap_over_all_flags(part):
    for seed in range(part, CALLS, 4):
        call = Call(2000 + seed, bicubic=("uint8", "float32"), lanczos4=("uint8",))
        x, y = random_maps(call)
        maps = [(x, y), (np.stack([x, y], axis=-1), None)][call.rng.integers(2)]
        theirs = cv2.remap(call.src, *maps, call.interpolation, call.dst.copy(), **call.options)
        unshifted = opencv.remap(call.src, *maps, call.interpolation, call.dst.copy(), **call.options)
        ours = [
            opencv.remap(call.src, x + np.float32(sx), y + np.float32(sy), call.interpolation, call.dst.copy(), **call.options)
            for sx, sy in SHIFTS
        ]
        assert_between(theirs, [unshifted, *ours], call, np.stack([x, y], axis=-1))


@pytest.mark.parametrize("whole", [True, False])
def test_fixed_point_maps_mean_what_convert_maps_says(whole):
    call = Call(5)
    x, y = random_maps(call)
    fixed = cv2.convertMaps(x, y, cv2.CV_16SC2, nninterpolation=whole)
    x, y = np.moveaxis(np.float32(fixed[0]), -1, 0) if whole else cv2.convertMaps(*fixed, cv2.CV_32FC1)
    np.testing.assert_array_equal(opencv.remap(call.src, *fixed, 1), opencv.remap(call.src, x, y, 1))


def test_relative_maps_are_shifts():
    src = np.random.default_rng(0).uniform(0, 255, (20, 30)).astype(np.uint8)
    x, y = np.full((20, 30), 2.5, np.float32), np.full((20, 30), -1.0, np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
    np.testing.assert_allclose(opencv.remap(src, x, y, flags).astype(int), cv2.remap(src, x, y, flags), atol=GREY_LEVEL)


def test_maps_that_are_not_finite_are_outside():
    src = np.full((5, 5), 9, np.uint8)
    x = np.array([[1, np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(opencv.remap(src, x, np.ones_like(x), 1, borderValue=3), [[9, 3, 3, 3]])


@pytest.mark.parametrize("flags", [cv2.INTER_NEAREST, cv2.INTER_LINEAR])
def test_what_lies_outside_may_be_missing(flags):
    src, matrix = np.random.default_rng(0).random((20, 30), np.float32), np.array([[0.9, 0.2, -3.3], [-0.2, 0.9, 4.6]])
    theirs = cv2.warpAffine(src, matrix, (30, 20), flags=flags, borderValue=float("nan"))
    assert np.isnan(theirs).any()
    np.testing.assert_allclose(
        opencv.warpAffine(src, matrix, (30, 20), flags=flags, borderValue=np.nan), theirs, rtol=0, atol=1e-5
    )
    with pytest.raises(ValueError, match="borderValue must be finite"):
        opencv.warpAffine(np.zeros((2, 2), np.uint8), matrix, (3, 3), borderValue=np.nan)


# --- the documented examples: OpenCV's tutorials on geometric transformations and remapping --------------------------------


@pytest.mark.parametrize("module", [cv2, opencv], ids=["cv2", "warpkit"])
class TestDocumentedExamples:
    """Both ways, with only the module changed; within a grey level of cv2's pictures."""

    def assert_same(self, module, example, picture):
        ours, theirs = example(module, picture), example(cv2, picture)
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs).max() <= GREY_LEVEL

    def test_translation(self, module, camera):
        def example(cv, img):
            rows, cols = img.shape
            M = np.float32([[1, 0, 100], [0, 1, 50]])
            return cv.warpAffine(img, M, (cols, rows))

        self.assert_same(module, example, camera)

    def test_rotation(self, module, camera):
        def example(cv, img):
            rows, cols = img.shape
            M = cv.getRotationMatrix2D(((cols - 1) / 2.0, (rows - 1) / 2.0), 90, 1)
            return cv.warpAffine(img, M, (cols, rows))

        self.assert_same(module, example, camera)

    def test_affine(self, module, coffee):
        def example(cv, img):
            rows, cols, _ = img.shape
            pts1 = np.float32([[50, 50], [200, 50], [50, 200]])
            pts2 = np.float32([[10, 100], [200, 50], [100, 250]])
            M = cv.getAffineTransform(pts1, pts2)
            return cv.warpAffine(img, M, (cols, rows))

        self.assert_same(module, example, coffee)

    def test_perspective(self, module, coffee):
        def example(cv, img):
            pts1 = np.float32([[56, 65], [368, 52], [28, 387], [389, 390]])
            pts2 = np.float32([[0, 0], [300, 0], [0, 300], [300, 300]])
            M = cv.getPerspectiveTransform(pts1, pts2)
            return cv.warpPerspective(img, M, (300, 300))

        self.assert_same(module, example, coffee)

    @pytest.mark.parametrize("which", range(4))
    def test_remapping(self, module, which, coffee):
        def example(cv, src):
            rows, cols = src.shape[:2]
            map_y, map_x = np.indices((rows, cols)).astype(np.float32)
            if which == 0:
                inside = (map_x > cols * 0.25) & (map_x < cols * 0.75) & (map_y > rows * 0.25) & (map_y < rows * 0.75)
                map_x = np.where(inside, 2 * (map_x - cols * 0.25) + 0.5, 0).astype(np.float32)
                map_y = np.where(inside, 2 * (map_y - rows * 0.25) + 0.5, 0).astype(np.float32)
            elif which == 1:
                map_y = rows - map_y
            elif which == 2:
                map_x = cols - map_x
            else:
                map_x, map_y = cols - map_x, rows - map_y
            return cv.remap(src, map_x, map_y, cv.INTER_LINEAR)

        self.assert_same(module, example, coffee)


def test_the_helpers_give_opencvs_matrices():
    rng = np.random.default_rng(4)
    three, four = rng.uniform(0, 100, (2, 3, 2)).astype(np.float32), np.float32([[[0, 0], [9, 1], [8, 9], [1, 7]]] * 2)
    four[1] += rng.uniform(-1, 1, (4, 2))
    angle, scale = 33.0, 1.7
    np.testing.assert_allclose(
        opencv.getRotationMatrix2D((3, 4), angle, scale), cv2.getRotationMatrix2D((3, 4), angle, scale), atol=1e-9
    )
    np.testing.assert_allclose(opencv.getAffineTransform(*three), cv2.getAffineTransform(*three), atol=1e-6)
    np.testing.assert_allclose(opencv.getPerspectiveTransform(*four), cv2.getPerspectiveTransform(*four), atol=1e-6)
    for function, points in ((opencv.getAffineTransform, three), (opencv.getPerspectiveTransform, four)):
        contours = [corners[:, None] for corners in points]  # as cv2.approxPolyDP gives them
        np.testing.assert_array_equal(function(*contours), function(*points))


def test_from_opencv_gives_the_inverse_map(coffee):
    M = cv2.getRotationMatrix2D((300, 200), 25, 0.8)
    theirs = cv2.warpAffine(coffee, M, (600, 400)).astype(int)
    assert np.abs(wk.warp(coffee, opencv.from_opencv(M)) - theirs).max() <= GREY_LEVEL
    assert opencv.from_opencv(M, opencv.WARP_INVERSE_MAP) == wk.Affine(M)
    H = np.array([[1, 0.1, 3], [0, 1, 5], [1e-4, 0, 1]])
    np.testing.assert_allclose(opencv.from_opencv(H)(wk.Projective(H)([[7.0, 9.0]])), [[7, 9]])


def test_constants_are_opencvs():
    names = [name for name in dir(opencv) if name.startswith(("INTER_", "WARP_", "BORDER_"))]
    assert len(names) > 15
    assert {name: getattr(opencv, name) for name in names} == {name: getattr(cv2, name) for name in names}


# --- what is returned, and where it is written -----------------------------------------------------------------------------

SHIFT_RIGHT = np.array([[1.0, 0, 1], [0, 1, 0]])


def test_one_channel_loses_its_axis_as_in_opencv():
    assert opencv.warpAffine(np.zeros((4, 5, 1), np.uint8), SHIFT_RIGHT, (3, 2)).shape == (2, 3)


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_no_size_is_that_of_the_source(size):
    assert opencv.warpAffine(np.zeros((4, 5), np.uint8), SHIFT_RIGHT, size).shape == (4, 5)


def test_dst_is_written_if_it_fits_and_left_alone_if_not():
    src = np.arange(20, dtype=np.uint8).reshape(4, 5)
    expected = cv2.warpAffine(src, SHIFT_RIGHT, (5, 4))
    dst = np.full((4, 5), 77, np.uint8)
    assert opencv.warpAffine(src, SHIFT_RIGHT, (5, 4), dst) is dst
    np.testing.assert_array_equal(dst, expected)
    other = np.full((3, 5), 77, np.uint8)
    np.testing.assert_array_equal(opencv.warpAffine(src, SHIFT_RIGHT, (5, 4), other), expected)
    assert (other == 77).all()
    every_second = np.full((8, 5), 77, np.uint8)[::2]
    assert opencv.warpAffine(src, SHIFT_RIGHT, (5, 4), every_second) is every_second
    np.testing.assert_array_equal(every_second, expected)
    assert opencv.warpAffine(src, SHIFT_RIGHT, (5, 4), src) is src
    np.testing.assert_array_equal(src, expected)


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("value", [7, (7, 8), (300, -5, 2.5, 3.5)])
def test_border_values_of_each_channel(channels, value):
    src = np.zeros((3, 3, channels), np.uint8)
    far = np.array([[1.0, 0, 100], [0, 1, 0]])
    theirs = cv2.warpAffine(src, far, (2, 2), borderValue=value)
    np.testing.assert_array_equal(opencv.warpAffine(src, far, (2, 2), borderValue=value), theirs)


def test_both_sides_of_a_horizon_are_seen():
    src = scipy.ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 255, (60, 80)), 4)
    inverse = np.array([[1, 0, -30], [0, 1, -35], [0.05, 0, -2.0]])
    theirs = cv2.warpPerspective(src, inverse, (90, 70), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    ours = opencv.warpPerspective(src, inverse, (90, 70), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    w = 0.05 * np.arange(90) - 2
    steady = np.abs(w) > 0.3
    assert (ours[:, w < -0.3] > 0).any()
    assert (ours[:, w > 0.3] > 0).any()
    edge = scipy.ndimage.maximum_filter(np.abs(np.diff(ours > 0, axis=0, prepend=0)), 5)
    difference = np.where(edge | ~steady, 0, np.abs(ours - theirs))
    assert difference.max() <= GREY_LEVEL


SRC, EYE = np.zeros((4, 5), np.uint8), np.eye(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: opencv.warpAffine(SRC.astype(np.int64), EYE, (5, 4)), TypeError, "src must have one of the dtypes"),
        (lambda: opencv.warpAffine(SRC[0], EYE, (5, 4)), ValueError, "src must have shape"),
        (lambda: opencv.warpAffine(SRC, np.eye(3), (5, 4)), ValueError, r"M must have shape \(2, 3\)"),
        (lambda: opencv.warpAffine(SRC, np.zeros((2, 3)), (5, 4)), ValueError, "M: matrix must not be singular"),
        (lambda: opencv.warpAffine(SRC, EYE, 5), TypeError, "dsize must be two integers"),
        (lambda: opencv.warpAffine(SRC, EYE, (5, -4)), ValueError, "dsize .* must be at least"),
        (lambda: opencv.warpAffine(SRC, EYE, (5, 4), flags=5), ValueError, "flags must hold one of the interpolations"),
        (lambda: opencv.warpAffine(SRC, EYE, (5, 4), flags="linear"), TypeError, "flags must be an integer"),
        (lambda: opencv.warpAffine(SRC, EYE, (5, 4), borderMode=7), ValueError, "borderMode must be one of"),
        (lambda: opencv.warpAffine(SRC, EYE, (5, 4), borderMode=5), ValueError, "dst must be given"),
        (
            lambda: opencv.warpAffine(SRC, EYE, (5, 4), borderValue=range(5)),
            ValueError,
            "borderValue must be a number or up to",
        ),
        (lambda: opencv.warpPerspective(SRC, EYE, (5, 4)), ValueError, r"M must have shape \(3, 3\)"),
        (
            lambda: opencv.remap(SRC, np.zeros((3, 4), np.float32), None, 1),
            ValueError,
            "map1 and map2 must have the same shape",
        ),
        (
            lambda: opencv.remap(SRC, np.zeros((3, 4), int), np.zeros((3, 4), int), 1),
            TypeError,
            "map1 and map2 must be floating",
        ),
        (
            lambda: opencv.remap(SRC, np.zeros((3, 4, 2), np.int16), np.zeros(3, np.uint16), 1),
            ValueError,
            "map2 must be uint16",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
