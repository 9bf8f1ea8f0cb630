"""The machine code of the CUDA kernels, without a device: every kernel, for what the library launches it with.

The public functions are called with arrays that only look as if they were on a GPU; what they would launch is compiled instead.
"""

import types as python_types

import numpy as np
import pytest

import warpkit as wk

pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from numba import types

from warpkit import cuda_engine, gpu_arrays, gpu_warping, interpolations
from warpkit.kernels import cuda as forward_kernels
from warpkit.kernels import cuda_pull, cuda_sums, cuda_target, separable, taps, weights
from warpkit.kernels.compiling import shared

pytestmark = pytest.mark.skipif(cuda_target.IS_SIMULATOR, reason="the simulator compiles nothing")

CAPABILITIES = ((8, 0), (9, 0))
DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
)
# By how long they take to compile: how pixels are read and written is seen in the first, for every type.
SHORT, BICUBIC, LONG = ("nearest", "bilinear"), ("bicubic",), ("lanczos3", "lanczos4")
KERNELS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (forward_kernels, cuda_pull, cuda_sums)
    for name, value in vars(module).items()
    if isinstance(value, cuda_target.cuda.dispatcher.CUDADispatcher) and not value.targetoptions.get("device")
}


class OnGpu:
    """A host array that claims to be on a GPU."""

    def __init__(self, array):
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "strides": array.strides,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data, False),
            "version": 3,
        }


class FakeLibrary(gpu_arrays.Numba):
    def empty(self, shape, dtype, like):
        return OnGpu(np.zeros(shape, dtype))

    def upload(self, array, like):
        return OnGpu(array)

    def download(self, array, stream):
        return array.array


def numba_type(value):
    """The type that Numba would give a launch's argument."""
    if isinstance(value, np.dtype):
        return types.Array(getattr(types, value.name), 1, "C")
    if isinstance(value, tuple):
        return types.BaseTuple.from_types(tuple(map(numba_type, value)), type(value))
    return types.int64 if isinstance(value, int) else getattr(types, np.dtype(type(value)).name)


@pytest.fixture(scope="module")
def launches():
    """Which kernels the public functions launch, with arguments of which types."""
    found = {name: set() for name in KERNELS}
    names = {value: name for name, value in KERNELS.items()}

    def launch(function, blocks, threads, stream, shared_bytes, arguments):
        found[names[function]].add(tuple(map(numba_type, arguments)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_engine, "launch", launch)
        patch.setattr(cuda_engine, "flat", lambda m: np.dtype("uint8") if m.dtype.kind == "b" else m.dtype)
        patch.setattr(gpu_arrays, "_NUMBA", FakeLibrary())
        patch.setattr(gpu_warping, "require_device", lambda: None)
        affine = wk.Affine.identity()
        field = wk.DisplacementField(np.zeros((3, 4, 2)))
        for dtype in DTYPES:
            image = OnGpu(np.zeros((3, 4), dtype))
            gradient = OnGpu(np.zeros((3, 4), dtype if np.dtype(dtype).kind == "f" else working_dtype(dtype)))
            for interpolation in interpolations_for(dtype):
                for inverse_map in (affine, field):
                    pullback = wk.warp_vjp(image, inverse_map, interpolation=interpolation)[1]
                    pullback(gradient)
                wk.warp_vjp(image, affine, interpolation=interpolation, deterministic=False)[1](gradient)
                # a grid's type is that of one load: every type of pixel meets float64, the usual ones float32 too
                for points in ("float32", "float64") if dtype in ("uint8", "float32") else ("float64",):
                    grid = OnGpu(np.zeros((3, 4, 2), points))
                    wk.sample_vjp(image, grid, interpolation=interpolation)[1](gradient)
    return found


def interpolations_for(dtype):
    """Bicubic for types that are computed in float32 and in float64, whole numbers and others; the longest for two types."""
    bicubic = BICUBIC if dtype in ("uint8", "int64", "float16", "float32", "float64") else ()
    return SHORT + bicubic + (LONG if dtype in ("uint8", "float64") else ())


def working_dtype(dtype):
    return np.float64 if np.dtype(dtype).itemsize > 2 else np.float32


def compiled(function, signature, capability, *, is_device):
    """PTX of a function; Numba asks the current device for its capability where a caller's callee is compiled."""
    device = python_types.SimpleNamespace(compute_capability=capability)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("numba.cuda.dispatcher", "numba.cuda.compiler"):
            patch.setattr(f"{module}.get_current_device", lambda: device)
        abi = "c" if is_device else "numba"
        return cuda_target.cuda.compile(function.py_func, signature, device=is_device, abi=abi, cc=capability, output="ptx")[0]


def test_every_kernel_is_launched_by_some_function(launches):
    assert [name for name, signatures in launches.items() if not signatures] == []


def signatures_for(name, capability, signatures):
    """All of them for the oldest, those of float32 pixels for the others: what differs is the last step of compilation.

    The way back to the parameters takes seconds to compile and sees no pixel; what reads them is also that of ``pull_points``,
    which is compiled for every type.
    """
    pixels = {types.uint8, types.float32, types.float64} if name == "cuda_pull.pull_params" else None
    if capability != CAPABILITIES[0]:
        pixels = {types.float32}
    return [signature for signature in signatures if pixels is None or signature[0].dtype in pixels] or signatures


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_compile_without_local_memory(launches, name, capability):
    for signature in signatures_for(name, capability, launches[name]):
        ptx = compiled(KERNELS[name], signature, capability, is_device=False)
        assert f".target sm_{capability[0]}{capability[1]}" in ptx
        assert ".entry" in ptx
        assert ".local" not in ptx, signature


F32 = types.float32
PHIS = [types.UniTuple(F32, len(interpolations.KERNELS[name].phi)) for name in ("bicubic", "lanczos3", "lanczos4")]
NARROW = ("uint8", "int8", "uint16", "int16", "float16", "float32")


@shared
def tap_weights(t, phi):
    return weights.tap_weights(t, phi)


@shared
def tap_slopes(t, phi):
    return weights.tap_slopes(t, phi)


# What computes weights and values, with the types it has where images are sampled in float32.
TAP_FUNCTIONS = {
    "bilinear": (forward_kernels.bilinear_value, [(F32,) * 6 + (getattr(types, name),) for name in NARROW]),
    "8-bit bilinear": (forward_kernels.bilinear_value, [(F32,) * 4 + (types.int16, types.int16, types.uint8)]),
    "pixel": (forward_kernels.as_pixel, [(F32, getattr(types, name)) for name in NARROW]),
    "weights": (tap_weights, [(F32, phi) for phi in PHIS]),
    "slopes": (tap_slopes, [(F32, phi) for phi in PHIS]),
    "separable sum": (
        separable.sum_at_border,
        [
            (
                *(types.Array(getattr(types, name), 1, "C"), types.int64, *[types.UniTuple(types.int64, taps)] * 2),
                *([types.int64] * 3 + [types.UniTuple(F32, taps)] * 2 + [F32]),
            )
            for name in NARROW
            for taps in (4, 6, 8)
        ],
    ),
    "bilinear slopes": (taps.bilinear_slopes, [(F32,) * 6]),
}


@pytest.mark.parametrize("name", TAP_FUNCTIONS)
def test_taps_of_float32_images_have_no_double_precision(name):
    function, signatures = TAP_FUNCTIONS[name]
    for signature in signatures:
        ptx = compiled(function, signature, (8, 0), is_device=True)
        assert ".f32" in ptx
        assert ".f64" not in ptx, signature


def test_double_precision_would_be_seen():
    double = (types.float64,) * 6
    assert ".f64" in compiled(taps.bilinear_slopes, double, (8, 0), is_device=True)


def test_a_linear_combination_is_rounded_once():
    ptx = compiled(forward_kernels.bilinear_value, (F32,) * 7, (8, 0), is_device=True)
    assert "fma.rn.f32" in ptx
