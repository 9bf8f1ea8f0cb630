"""Parts of warped pictures on a GPU, or on Numba's simulator of one: the bits of the whole that the same device makes. And Dask
arrays of such chunks."""

import dask.array as da
import numpy as np
import pytest
from families import FAMILIES, HALF_PLANE

import warpkit as wk
from warpkit.interop import dask as warpkit_dask
from warpkit.kernels.taps import MODES
from warpkit.testing import TOLERANCES

pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from test_cuda import INTERPOLATIONS, assert_near, on_gpu, on_host, small_launches  # noqa: F401, a fixture

from warpkit import gpu_arrays
from warpkit.kernels.cuda_target import IS_SIMULATOR, cuda

simulated = pytest.mark.skipif(not IS_SIMULATOR, reason="a library of the simulator's arrays")
pytestmark = pytest.mark.skipif(not (IS_SIMULATOR or cuda.is_available()), reason="no GPU and no simulator: make test-cuda")

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (40, 60), np.uint8)
COLOUR = RANDOM.normal(size=(40, 60, 2)).astype(np.float32)
OUTPUT = (8, 11)
PART = (slice(2, 6), slice(3, 8))
AFFINE = wk.Affine.similarity(5.3, 17, (3.3, -9.7))


def in_view(transform):
    """The map of a small output that shows all of the picture, and a little beyond."""
    return transform @ wk.Affine([[6.1, 0, -3.3], [0, 5.7, -2.2]])


def random_parts(count, seed):
    random = np.random.default_rng(seed)
    for _ in range(count):
        bounds = [np.sort(random.choice(size + 1, 2, replace=False)).tolist() for size in OUTPUT]
        yield tuple(slice(*axis) for axis in bounds)


def by_part(picture, transform, part, **options):
    """A part, made on the GPU from its window alone."""
    own = {name: value for name, value in options.items() if name in ("interpolation", "mode")}
    window = wk.source_window(transform, part, picture.shape[:2], on_gpu=True, **own)
    pixels = on_gpu(picture[:0, :0] if window is None else picture[window])
    return on_host(wk.warp_part(pixels, transform, part, window=window, image_shape=picture.shape[:2], **options))


def assert_parts_are_the_whole(picture, transform, parts, **options):
    whole = on_host(wk.warp(on_gpu(picture), transform, OUTPUT, **options))
    for part in parts:
        assert np.array_equal(by_part(picture, transform, part, **options), whole[part]), part


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_have_the_bits_of_the_whole(family):
    seed = sorted(FAMILIES).index(family)
    mode = sorted(MODES)[seed % len(MODES)]
    assert_parts_are_the_whole(COLOUR, in_view(FAMILIES[family]), random_parts(3, seed), mode=mode, cval=0.5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_parts_by_all_kernels_and_border_modes(interpolation, mode):
    parts = [(slice(0, 3), slice(0, 4)), PART, (slice(5, 8), slice(7, 11))]
    assert_parts_are_the_whole(GREY, AFFINE, parts, interpolation=interpolation, mode=mode, cval=7)


def test_a_part_far_out_has_exact_coordinates():
    shift = wk.Affine.translation(-(10**9) + 3.25, -(2 * 10**9) + 1.5)
    part = (slice(2 * 10**9, 2 * 10**9 + 4), slice(10**9, 10**9 + 5))
    assert np.array_equal(
        by_part(COLOUR, shift, part), on_host(wk.warp(on_gpu(COLOUR), wk.Affine.translation(3.25, 1.5), (4, 5)))
    )


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
def test_parts_beside_the_picture_are_fill(interpolation):
    beside, options = wk.Affine.translation(100, 0), {"interpolation": interpolation, "cval": 9}
    assert wk.source_window(beside, PART, GREY.shape, on_gpu=True) is None
    assert by_part(GREY, beside, PART, **options).tolist() == [[9] * 5] * 4
    assert by_part(COLOUR, beside, PART, **options).tolist() == [[[9.0] * 2] * 5] * 4
    assert by_part(GREY, HALF_PLANE, PART, mode="wrap", **options).tolist() == [[9] * 5] * 4


def test_a_window_has_room_for_coordinates_that_are_rounded_otherwise():
    """Where nearest sampling is at halves, the last bit of a coordinate decides."""
    half = wk.Affine.translation(9.5, 9.5)
    here = wk.source_window(half, PART, GREY.shape, interpolation="nearest")
    on_device = wk.source_window(half, PART, GREY.shape, interpolation="nearest", on_gpu=True)
    assert here == (slice(12, 16), slice(13, 18))
    assert on_device == (slice(11, 16), slice(12, 18))


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "fill"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_what_is_beside_a_window_is_taken_for_outside_as_on_the_cpu(interpolation, mode):
    for window in ((slice(20, 23), slice(30, 33)), (slice(0, 7), slice(50, 60))):
        options = {"window": window, "image_shape": GREY.shape, "interpolation": interpolation, "mode": mode, "cval": 7}
        found = on_host(wk.warp_part(on_gpu(COLOUR[window]), AFFINE, PART, **options))
        assert_near(found, wk.warp_part(COLOUR[window], AFFINE, PART, **options), TOLERANCES["float32"])


def test_any_layout_is_read_and_written_in_place():
    window = wk.source_window(AFFINE, PART, GREY.shape, on_gpu=True)
    pixels, out = on_gpu(COLOUR.transpose(2, 0, 1)).transpose((1, 2, 0))[window], on_gpu(np.zeros((*OUTPUT, 2), "float32"))
    assert wk.warp_part(pixels, AFFINE, PART, window=window, image_shape=GREY.shape, out=(view := out[PART])) is view
    expected = np.zeros((*OUTPUT, 2), "float32")
    expected[PART] = on_host(wk.warp(on_gpu(COLOUR), AFFINE, OUTPUT))[PART]
    assert np.array_equal(on_host(out), expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"antialias": True}, ValueError, "antialias is for arrays on the host"),
        ({"cval": (1, 2)}, ValueError, "cval must be the same for all channels"),
        ({"interpolation": "bspline3"}, ValueError, "its coefficients depend on all pixels"),
        ({"mode": "mirror"}, ValueError, "mode must be one of"),
        ({"window": (slice(0, 39), slice(0, 60))}, ValueError, "window_pixels must have the shape of window"),
        ({"window": (slice(0, 41), slice(0, 60))}, ValueError, "window must lie in a picture of image_shape"),
        ({"out": np.zeros((4, 5, 2), "float32")}, TypeError, "out must be an array on the GPU"),
    ],
)
def test_what_is_refused(options, error, message):
    given = {"window": (slice(0, 40), slice(0, 60)), "image_shape": GREY.shape} | options
    with pytest.raises(error, match=message):
        wk.warp_part(on_gpu(COLOUR), AFFINE, PART, **given)


def test_windows_of_averages_are_refused():
    with pytest.raises(ValueError, match="antialias is for arrays on the host"):
        wk.source_window(AFFINE, PART, GREY.shape, antialias=True, on_gpu=True)


# --- Dask arrays of such chunks ---------------------------------------------------------------------------------------------


@pytest.fixture
def own_array(monkeypatch):
    """Arrays of a library of its own, as CuPy is, that the simulator knows."""
    numba_array = type(cuda.device_array(1))

    class OwnArray(numba_array):
        def __getitem__(self, where):
            found = super().__getitem__(where)
            return OwnArray(found._ary) if isinstance(found, numba_array) else found

    class Library(gpu_arrays.Numba):
        def empty(self, shape, dtype, like):
            return OwnArray(np.empty(shape, dtype))

    monkeypatch.setitem(gpu_arrays._LIBRARIES, OwnArray.__module__, Library())
    return OwnArray


def chunked(array, chunks=(13, 17)):
    return da.from_array(array, chunks=(*chunks, *(1,) * (array.ndim - 2)))


def chunked_on_gpu(array, kind):
    meta = kind(np.empty((0,) * array.ndim, array.dtype))
    return chunked(array).rechunk({array.ndim - 1: -1} if array.ndim == 3 else {}).map_blocks(kind, meta=meta)


def gathered(warped, kind):
    """On the host, all chunks being of the kind."""
    assert isinstance(warped._meta, kind)

    def fetched(chunk):
        assert isinstance(chunk, kind)
        return on_host(chunk)

    on_the_host = warped.map_blocks(fetched, dtype=warped.dtype, meta=np.empty((0,) * warped.ndim, warped.dtype))
    return on_the_host.compute(scheduler="sync")


@simulated
@pytest.mark.parametrize(
    ("picture", "transform", "options"),
    [
        (GREY, AFFINE, {"mode": "reflect"}),
        (COLOUR, in_view(FAMILIES["spline"]), {"interpolation": "bicubic", "cval": 0.5}),
        (COLOUR, in_view(FAMILIES["polar"]), {"mode": "wrap"}),
        (GREY, in_view(HALF_PLANE), {"interpolation": "nearest", "mode": "edge", "cval": 3}),
    ],
    ids=["affine", "spline", "polar", "fill"],
)
def test_chunks_on_a_gpu_have_the_bits_of_the_whole(own_array, picture, transform, options):
    warped = warpkit_dask.warp(chunked_on_gpu(picture, own_array), transform, OUTPUT, (3, 4), **options)
    assert np.array_equal(gathered(warped, own_array), on_host(wk.warp(on_gpu(picture), transform, OUTPUT, **options)))


@simulated
def test_chunked_fields_and_chunks_on_a_gpu_have_the_bits_of_the_whole(own_array):
    field = RANDOM.normal((20, 15), 4, (*OUTPUT, 2))
    warped = warpkit_dask.warp(chunked_on_gpu(GREY, own_array), chunked(field, (3, 4)), chunks=(3, 4))
    assert np.array_equal(gathered(warped, own_array), on_host(wk.warp(on_gpu(GREY), wk.DisplacementField(field), OUTPUT)))


@simulated
def test_what_chunks_on_a_gpu_do_not_have_is_refused_at_once(own_array):
    picture = chunked_on_gpu(GREY, own_array)
    with pytest.raises(ValueError, match="antialias is for arrays on the host"):
        warpkit_dask.warp(picture, AFFINE, OUTPUT, antialias=True)
    with pytest.raises(TypeError, match="inverse_map must have chunks on the host"):
        warpkit_dask.warp(picture, chunked_on_gpu(RANDOM.normal(size=(*GREY.shape, 2)), own_array))
