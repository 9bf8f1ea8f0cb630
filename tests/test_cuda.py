"""Arrays on a GPU, or on Numba's simulator of one: the oracles and the CPU's results, at sizes that the simulator can bear.

``make test-cuda`` runs this file on the simulator; where a device is, plain pytest runs it there.
"""

import functools
import sys

import numpy as np
import oracles
import pytest
import simulator
from more_families import MORE_FAMILIES
from oracles import MODES

import warpkit as wk
from warpkit.testing import TOLERANCES, check_adjoint

pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from warpkit import cuda_engine
from warpkit.kernels import cuda_sums
from warpkit.kernels.cuda_target import IS_SIMULATOR, cuda

pytestmark = [
    pytest.mark.skipif(not (IS_SIMULATOR or cuda.is_available()), reason="no GPU and no simulator: make test-cuda"),
    # NaN and infinity in pictures are meant; plain Python warns of them where machine code does not
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3")
ALIKE = {"mitchell": "the formula of bicubic", "lanczos4": "that of lanczos3"}
SMOOTH = ("bilinear", "bicubic", "lanczos3")
DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
)
SHAPE = (6, 7)
OUTPUT_SHAPE = (5, 8)
CORNERS = np.array([[0, 0], [6, 0], [6, 5], [0, 5]], dtype=float)
QUAD = CORNERS + np.array([[0.7, 0.4], [-0.9, 0.5], [0.6, -0.8], [-0.7, -0.2]])
KNOTS = np.array([[0, 0], [6, 1], [3, 2.5], [1, 5], [6, 5]], dtype=float)
VALUES = KNOTS + np.array([[0.4, -0.3], [-0.2, 0.45], [0.6, 0.1], [-0.3, -0.4], [0.1, 0.2]])
# Grey levels by which an integer may be off the exact value: rounding, and 8-bit pixels' fixed point.
LEVELS = 0.53


@pytest.fixture(autouse=True)
def small_launches(monkeypatch):
    """The simulator starts a Python thread for each CUDA thread, and polls them in a loop that gives way only at switches."""
    before = sys.getswitchinterval()
    if IS_SIMULATOR:
        sys.setswitchinterval(1e-5)
        monkeypatch.setattr(cuda_engine, "BLOCK", (4, 2))
        monkeypatch.setattr(cuda_engine, "BAND_THREADS", 3)
        monkeypatch.setattr(cuda_sums, "ADDERS", 2)
        simulator.make_shared_arrays_once(monkeypatch)
    yield
    sys.setswitchinterval(before)


def field_values():
    return np.random.default_rng(5).normal(0, 0.6, (*SHAPE, 2))


@functools.cache
def transform(family):
    """A map of each family, for pictures of ``SHAPE``."""
    return {
        "affine": lambda: wk.Affine.similarity(1.13, 17, (0.3, -0.7), (3, 2)),
        "projective": lambda: wk.Projective.from_quads(CORNERS, QUAD),
        "horizon": lambda: wk.Projective([[0.31, 0, 0], [0, 0.31, 0], [-0.2, 0, 1.0]]),
        "thin plate": lambda: wk.ThinPlateSpline(KNOTS, VALUES),
        "displacement": lambda: wk.DisplacementField(field_values()),
        "inverse of thin plate": lambda: transform("thin plate").inverse,
        "inverse of displacement": lambda: wk.DisplacementField(field_values() / 4).inverse,
        "composition": lambda: transform("affine") @ transform("displacement") @ transform("thin plate"),
    }[family]()


FAMILIES = (
    *("affine", "projective", "horizon", "thin plate", "displacement"),
    *("inverse of thin plate", "inverse of displacement", "composition"),
)


@functools.cache
def oracle_points(family):
    """Where the output's pixels come from; of the inverses, by their definition: what the map sends to the pixels."""
    grid = oracles.pixel_grid(*OUTPUT_SHAPE)
    chosen = transform(family)
    if family == "affine":
        return oracles.affine(chosen.matrix, grid)
    if family in ("projective", "horizon"):
        return oracles.homography(chosen.matrix, grid)
    if family == "thin plate":
        return oracles.thin_plate_spline(KNOTS, VALUES, grid)
    if family == "displacement":
        return oracles.displacement_field(field_values(), grid)
    if family == "composition":
        bent = oracles.displacement_field(field_values(), oracles.thin_plate_spline(KNOTS, VALUES, grid))
        return oracles.affine(transform("affine").matrix, bent)
    return chosen(grid)


def picture(dtype, channels=(2,), seed=0, shape=SHAPE):
    random, dtype = np.random.default_rng(seed), np.dtype(dtype)
    size = (*shape, *channels)
    if dtype.kind == "b":
        return random.integers(0, 2, size).astype(bool)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return random.integers(max(info.min, -(2**40)), min(info.max, 2**40), size, dtype=dtype, endpoint=True)
    return (random.standard_normal(size) * 100).astype(dtype)


def on_gpu(array):
    return cuda.to_device(np.ascontiguousarray(array))


def on_host(array):
    return array.copy_to_host()


def assert_near(actual, expected, tolerance):
    """NaN where NaN is expected, else within ``tolerance`` of the largest magnitude."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    assert actual.shape == expected.shape
    assert np.array_equal(np.isnan(actual), np.isnan(expected))
    assert np.nanmax(np.abs(actual - expected), initial=0) <= tolerance * max(1, np.nanmax(np.abs(expected), initial=0))


# Matrices have kernels of their own, all other families share theirs: of each, one family meets every type.
FAMILIES_AND_DTYPES = (
    *((family, dtype) for family in ("projective", "composition") for dtype in DTYPES),
    *((family, dtype) for family in FAMILIES if family not in ("projective", "composition") for dtype in ("uint8", "float64")),
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("family", "dtype"), FAMILIES_AND_DTYPES)
def test_warp_is_the_oracle(family, dtype, interpolation, mode):
    source = picture(dtype)
    options = {"interpolation": interpolation, "mode": mode, "cval": 1}
    warped = on_host(wk.warp(on_gpu(source), transform(family), OUTPUT_SHAPE, **options))
    points = oracle_points(family)
    kernel = {"bicubic": oracles.cubic_kernel, "lanczos3": lambda d: oracles.lanczos(d, 3)}.get(interpolation)
    exact = oracles.separable(source, points, kernel, mode, 1) if kernel else oracles.sample(source, points, **options)
    assert warped.dtype == source.dtype
    if source.dtype.kind == "f":
        assert_near(warped, exact, TOLERANCES[dtype])
    else:
        low, high = (0, 1) if source.dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        assert np.abs(warped.astype(float) - np.clip(exact, low, high)).max() <= LEVELS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_is_the_cpus(dtype, interpolation, mode):
    source = picture(dtype)
    grid = np.random.default_rng(1).uniform(-4, 11, (*OUTPUT_SHAPE, 2)).astype("float32" if dtype == "uint8" else "float64")
    grid[0, 0], grid[1, :3], grid[2, 0] = (1e30, -1e12), 2.0, (-0.5, 5.5)
    options = {"interpolation": interpolation, "mode": mode, "cval": 1}
    expected = wk.sample(source, grid, **options)
    for given in (on_gpu(grid), grid):
        sampled = on_host(wk.sample(on_gpu(source), given, **options))
        if source.dtype.kind == "f":
            assert_near(sampled, expected, TOLERANCES[dtype])
        else:
            assert np.abs(sampled.astype(float) - expected.astype(float)).max() <= 1


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lattice_maps_move_pixels_and_compute_none(dtype, interpolation):
    source = picture(dtype, (3,), shape=(6, 6))
    if source.dtype.kind == "f":
        source[1, 2] = np.nan, np.inf, -np.inf
    options = {"interpolation": interpolation}
    same = on_host(wk.warp(on_gpu(source), wk.Affine.identity(), **options))
    assert same.tobytes() == source.tobytes()
    turned = on_host(wk.warp(on_gpu(source), wk.Affine.rotation(90, (2.5, 2.5)).inverse, **options))
    assert turned.tobytes() == np.rot90(source, -1).tobytes()
    for mode in MODES:
        padded = np.pad(source, [(2, 2), (2, 2), (0, 0)], mode=mode)
        moved = on_host(
            wk.warp(on_gpu(source), wk.Projective([[1, 0, -2], [0, 1, -2], [0, 0, 1]]), (10, 10), mode=mode, **options)
        )
        assert moved.tobytes() == padded.tobytes()


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_any_layout_is_read_and_written_in_place(interpolation):
    source = picture("float32", (3,))
    options = {"interpolation": interpolation, "mode": "reflect"}
    expected = wk.warp(source, transform("affine"), **options)
    channels_first = on_gpu(source.transpose(2, 0, 1)).transpose((1, 2, 0))
    large = on_gpu(np.pad(source, [(1, 2), (3, 1), (0, 2)]))
    sideways = on_gpu(source.transpose(1, 0, 2)).transpose((1, 0, 2))
    for given in (channels_first, large[1:7, 3:10, :3], sideways):
        out = on_gpu(np.zeros((3, *SHAPE), "float32")).transpose((1, 2, 0))
        assert wk.warp(given, transform("affine"), out=out, **options) is out
        assert_near(on_host(out), expected, TOLERANCES["float32"])


@pytest.mark.parametrize("kind", ["one map", "one family", "mixed", "matrices"])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_batches_are_their_images(kind, channels):
    images = np.stack([picture("float64", channels, seed) for seed in range(4)])
    spline, affine = transform("thin plate"), transform("affine")
    given = {
        "one map": spline,
        "one family": [spline, spline.with_params(spline.params + 1), spline, spline],
        "mixed": [affine, spline.with_params(spline.params), affine, affine],
        "matrices": np.stack([wk.Affine.rotation(n, (3, 3)).matrix for n in range(4)]),
    }[kind]
    maps = [given] * 4 if kind == "one map" else list(map(wk.Affine, given)) if kind == "matrices" else given
    batch = on_host(wk.warp_batch(on_gpu(images), given, OUTPUT_SHAPE))
    for image, inverse_map, warped in zip(images, maps, batch, strict=True):
        assert np.array_equal(warped, on_host(wk.warp(on_gpu(image), inverse_map, OUTPUT_SHAPE)))
    if kind == "mixed":
        maps = given = [affine, affine.inverse, wk.Affine.identity(), affine]
    _, pullback = wk.warp_batch_vjp(on_gpu(images), given, OUTPUT_SHAPE)
    grad = np.random.default_rng(0).normal(size=batch.shape)
    grad_images, grad_params = pullback(on_gpu(grad))
    _, expected = wk.warp_batch_vjp(images, given, OUTPUT_SHAPE)
    assert_near(on_host(grad_images), expected(grad)[0], TOLERANCES["float64"])
    assert_near(grad_params, expected(grad)[1], TOLERANCES["float64"])


def test_a_launch_of_any_size_gives_the_same_bits(monkeypatch):
    source, grad = on_gpu(picture("float32")), on_gpu(picture("float32", shape=OUTPUT_SHAPE))
    results = []
    for block, many, largest in (((4, 2), 4096, 65535), ((8, 1), 1, 65535), ((2, 1), 4096, 1)):
        monkeypatch.setattr(cuda_engine, "BLOCK", block)
        monkeypatch.setattr(cuda_engine, "MANY_BLOCKS", many)
        monkeypatch.setattr(cuda_engine, "LARGEST_GRID", largest)
        output, pullback = wk.warp_vjp(source, transform("composition"), OUTPUT_SHAPE, mode="wrap")
        results.append((on_host(output).tobytes(), *(np.asarray(_host(g)).tobytes() for g in pullback(grad))))
    assert results[0] == results[1] == results[2]


def _host(array):
    return array if isinstance(array, np.ndarray) else on_host(array)


# --- derivatives ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_the_cpus(family, interpolation, mode):
    source, grad = picture("float64"), picture("float64", shape=OUTPUT_SHAPE, seed=1)
    options = {"interpolation": interpolation, "mode": mode, "cval": 0.3}
    _, expected = wk.warp_vjp(source, transform(family), OUTPUT_SHAPE, **options)
    expected_image, expected_params = expected(grad)
    # atomic sums instead of fixed point: the taps, whose borders differ, are the same
    for deterministic in (True, False) if mode == "wrap" else (True,):
        output, pullback = wk.warp_vjp(on_gpu(source), transform(family), OUTPUT_SHAPE, deterministic=deterministic, **options)
        grad_image, grad_params = pullback(on_gpu(grad))
        assert output.shape == (*OUTPUT_SHAPE, 2)
        assert_near(on_host(grad_image), expected_image, TOLERANCES["float64"])
        assert_near(grad_params, expected_params, TOLERANCES["float64"])


@pytest.mark.parametrize("name", MORE_FAMILIES)
def test_the_smaller_families_are_the_cpus(name):
    source, grad = picture("float64", (), shape=(40, 60)), picture("float64", (), shape=OUTPUT_SHAPE, seed=1)
    inverse_map = MORE_FAMILIES[name] @ wk.Affine.scaling(7.3)
    expected, expected_pullback = wk.warp_vjp(source, inverse_map, OUTPUT_SHAPE, mode="edge")
    output, pullback = wk.warp_vjp(on_gpu(source), inverse_map, OUTPUT_SHAPE, mode="edge")
    assert_near(on_host(output), expected, 1e-9)
    assert_near(pullback(on_gpu(grad), image=False)[1], expected_pullback(grad, image=False)[1], 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_image_gradient_is_the_adjoint(interpolation, mode, dtype):
    options = {"interpolation": interpolation, "mode": mode}
    image = np.zeros((*SHAPE, 2), dtype)
    _, pullback = wk.warp_vjp(on_gpu(image), transform("projective"), OUTPUT_SHAPE, **options)
    check_adjoint(
        lambda v: on_host(wk.warp(on_gpu(v), transform("projective"), OUTPUT_SHAPE, **options)),
        lambda g: on_host(pullback(on_gpu(g), params=False)[0]),
        image,
    )


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "float64"])
@pytest.mark.parametrize("interpolation", SMOOTH)
def test_gradients_of_each_dtype_are_the_cpus(dtype, interpolation):
    source, grid = picture(dtype), np.random.default_rng(1).uniform(-2, 8, (*OUTPUT_SHAPE, 2))
    output, expected = wk.sample_vjp(source, grid, interpolation=interpolation, mode="edge")
    grad = np.random.default_rng(2).normal(size=output.shape).astype("float32" if source.dtype.kind != "f" else dtype)
    _, pullback = wk.sample_vjp(on_gpu(source), on_gpu(grid), interpolation=interpolation, mode="edge")
    for found, wanted in zip(pullback(on_gpu(grad)), expected(grad), strict=True):
        assert found.dtype == wanted.dtype
        assert_near(on_host(found), wanted, TOLERANCES[wanted.dtype.name])


@pytest.mark.parametrize("family", ["affine", "composition"])
@pytest.mark.parametrize("interpolation", SMOOTH)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_the_same_bits_in_every_run(dtype, interpolation, family):
    source, grad = on_gpu(picture(dtype)), on_gpu(picture(dtype, shape=OUTPUT_SHAPE))
    _, pullback = wk.warp_vjp(source, transform(family), OUTPUT_SHAPE, interpolation=interpolation, mode="wrap")
    first = [_host(g).tobytes() for g in pullback(grad)]
    for _ in range(3):
        assert [_host(g).tobytes() for g in pullback(grad)] == first


def test_fixed_point_keeps_the_digits_of_float64_in_a_sum_of_very_different_shares():
    grad = np.array([[1e12, 1.0, -1e12, 1e-3]])
    _, pullback = wk.warp_vjp(on_gpu(np.zeros((1, 1))), wk.Affine.scaling(1e-6, 1), (1, 4), interpolation="nearest")
    assert on_host(pullback(on_gpu(grad), params=False)[0])[0, 0] == pytest.approx(1.001, rel=1e-9)


def test_infinite_and_missing_gradients_stay_where_they_are():
    source, grad = picture("float32", ()), np.ones(SHAPE, "float32")
    grad[1, 2], grad[3, 4], grad[5, 0] = np.nan, np.inf, -np.inf
    _, pullback = wk.warp_vjp(on_gpu(source), wk.Affine.identity())
    assert on_host(pullback(on_gpu(grad), params=False)[0]).tobytes() == grad.tobytes()


def test_sums_too_long_for_shared_memory_have_room_elsewhere(monkeypatch):
    source, grad = picture("float64"), picture("float64", shape=OUTPUT_SHAPE, seed=1)
    _, pullback = wk.warp_vjp(on_gpu(source), transform("thin plate"), OUTPUT_SHAPE)
    expected = pullback(on_gpu(grad), image=False)[1]
    monkeypatch.setattr(cuda_engine, "SHARED_BYTES", 0)
    monkeypatch.setattr(cuda_engine, "ROOM_BYTES", 1)
    assert np.array_equal(pullback(on_gpu(grad), image=False)[1], expected)


def test_what_is_not_asked_for_is_none():
    source, grad = on_gpu(picture("float32")), on_gpu(picture("float32"))
    _, pullback = wk.warp_vjp(source, transform("affine"))
    assert pullback(grad, image=False)[0] is None
    assert pullback(grad, params=False)[1] is None
    _, pullback = wk.sample_vjp(source, on_gpu(np.zeros((*SHAPE, 2))))
    assert pullback(grad, image=False)[0] is None
    assert pullback(grad, grid=False)[1] is None


def test_the_benchmark_finds_what_disagrees(monkeypatch):
    benchmark = pytest.importorskip("benchmarks.cuda", reason="run from the root of the checkout")
    monkeypatch.setattr(benchmark, "maps", lambda rows, columns: {"affine": transform("affine")})
    assert benchmark.disagreements(on_gpu, on_host, *SHAPE) == []
    found = benchmark.disagreements(on_gpu, lambda array: on_host(array)[::-1], *SHAPE)
    assert len(found) == 12


# --- the door ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda image: wk.warp(on_gpu(np.zeros((3, 3), complex)), wk.Affine.identity()),
            TypeError,
            "image must have an integer",
        ),
        (lambda image: wk.warp(on_gpu(np.zeros(3)), wk.Affine.identity()), ValueError, r"image must have shape \(H, W\)"),
        (lambda image: wk.warp(on_gpu(np.zeros((3, 3), ">f4")), wk.Affine.identity()), TypeError, "machine's byte order"),
        (lambda image: wk.warp(image[::-1], wk.Affine.identity()), ValueError, "image must have strides"),
        (lambda image: wk.warp(image, "identity"), TypeError, "inverse_map must be a transform"),
        (lambda image: wk.warp(image, wk.Affine.identity(), cval=np.inf), ValueError, "cval must be finite"),
        (lambda image: wk.warp(image, wk.Affine.identity(), mode="mirror"), ValueError, "mode must be one of"),
        (lambda image: wk.warp(image, wk.Affine.identity(), out=np.zeros(SHAPE)), TypeError, "out must be an array on the GPU"),
        (lambda image: wk.warp(image, wk.Affine.identity(), out=on_gpu(np.zeros((2, 2)))), ValueError, "out must have shape"),
        (lambda image: wk.warp(image, wk.Affine.identity(), out=image), ValueError, "out must not overlap the image"),
        (lambda image: wk.warp(np.zeros(SHAPE), wk.Affine.identity(), out=image), TypeError, "out must be a plain array"),
        (lambda image: wk.sample(image, on_gpu(np.zeros((3, 3)))), ValueError, r"grid must have shape \(rows, columns, 2\)"),
        (lambda image: wk.sample(image, on_gpu(np.zeros((3, 3, 2), int))), TypeError, "grid must be float32 or float64"),
        (lambda image: wk.sample(image, on_gpu(np.zeros((3, 3, 4)))[..., :2]), ValueError, "grid must be C-contiguous"),
        (
            lambda image: wk.warp_vjp(image, wk.Affine.identity())[1](np.zeros(SHAPE)),
            TypeError,
            "grad_output must be an array on",
        ),
        (
            lambda image: wk.warp_vjp(image, wk.Affine.identity())[1](image[:2]),
            ValueError,
            "grad_output must have the output's",
        ),
        (lambda image: wk.sample(np.zeros(SHAPE), on_gpu(np.zeros((3, 3, 2)))), TypeError, "grid must be an array on the host"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call(on_gpu(np.zeros(SHAPE, "float32")))


@pytest.mark.skipif(not IS_SIMULATOR, reason="Numba makes no broadcast arrays on a device")
def test_an_output_that_repeats_its_elements_is_refused():
    image = on_gpu(np.zeros(SHAPE, "float32"))
    repeated = type(image)(np.lib.stride_tricks.as_strided(np.zeros(7, "float32"), SHAPE, (0, 4)))
    with pytest.raises(ValueError, match="out must have an element for each pixel"):
        wk.warp(image, wk.Affine.identity(), out=repeated)


@pytest.mark.parametrize("interpolation", [*INTERPOLATIONS, *ALIKE])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_hard_edges_and_kernels_like_others_are_those_of_the_cpu(interpolation, dtype):
    image, wide = picture(dtype, (3,)), wk.Affine.similarity(1.7, 20, (-4.3, -2.9))
    options = {"interpolation": interpolation, "mode": "fill", "cval": 7}
    found, expected = on_host(wk.warp(on_gpu(image), wide, (13, 17), **options)), wk.warp(image, wide, (13, 17), **options)
    assert np.abs(found.astype(float) - expected).max() <= (1 if dtype == "uint8" else 1e-9)


def test_what_lies_outside_may_be_missing():
    image, turn = picture(np.float64), wk.Affine.rotation(20)
    moved = on_host(wk.warp(on_gpu(image), turn, cval=np.nan))
    np.testing.assert_allclose(moved, wk.warp(image, turn, cval=np.nan), rtol=0, atol=1e-9)
    assert np.isnan(moved).any()
