"""Pictures of every dtype, and one map of each family, for tests that compare bits."""

import numpy as np

import warpkit as wk

DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
)
# The types that kernels are compiled for; the others travel as one of these.
KERNEL_DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
LARGEST_EXACT_INTEGER = 2**53


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


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if actual.tobytes() != expected.tobytes():
        different = np.argwhere(~((actual == expected) | ((actual != actual) & (expected != expected))))
        raise AssertionError(f"{len(different)} of {actual.size} elements differ, first at {different[:1].tolist()}")


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


def padded_by(margin, picture, mode, cval):
    """``picture`` with ``margin`` pixels more on all four sides, made by NumPy."""
    fill = {"constant_values": cval} if mode == "constant" else {}
    return np.pad(picture, [(margin, margin)] * 2 + [(0, 0)] * (picture.ndim - 2), mode=mode, **fill)


def dyadic_affine(rng, shape):
    """A random affine whose coefficients are multiples of 1/64, so that float64 holds all its coordinates exactly."""
    linear = np.eye(2) + rng.integers(-64, 65, (2, 2)) / 64
    linear[0, 0] += 3 if abs(np.linalg.det(linear)) < 1 / 8 else 0
    linear[1, 1] += 3 if abs(np.linalg.det(linear)) < 1 / 8 else 0
    centre = np.array([shape[1] // 2, shape[0] // 2])
    offset = centre - linear @ centre + rng.integers(-512, 513, 2) / 64
    return wk.Affine(np.column_stack([linear, offset]))
