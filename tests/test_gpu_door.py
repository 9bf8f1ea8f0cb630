"""Arrays on a GPU where there is no GPU, no driver or no package for one: a clear error, and a CPU that does not notice."""

import os
import subprocess
import sys

import numpy as np
import pytest

import warpkit as wk
from warpkit import checks


class OnGpu:
    """What CuPy, PyTorch, JAX and Numba arrays on a GPU have in common."""

    @property
    def __cuda_array_interface__(self):
        return {"shape": (3, 4), "typestr": "<f4", "data": (4096, False), "strides": None, "version": 3}


class ByDlpack:
    """An array on a GPU that has DLPack alone; its elements are on the host, which nobody reads here."""

    def __init__(self, array, device=2):
        self.array = array
        self.device = device

    def __dlpack__(self, *, stream=None, max_version=None, **options):
        return self.array.__dlpack__(max_version=max_version)

    def __dlpack_device__(self):
        return self.device, 0


def run(program):
    """Run Python without the simulator; returns what it printed."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NUMBA_ENABLE_CUDASIM", "NUMBA_DISABLE_JIT")
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_cpu_imports_nothing_of_cuda():
    program = (
        "import sys, numpy as np, warpkit as wk\n"
        "wk.Affine.identity()([0, 0])\n"
        "wk.set_num_threads(1)\n"
        "print(sorted(n for n in sys.modules if n.startswith(('numba_cuda', 'warpkit.kernels.cuda', 'warpkit.gpu'))))"
    )
    assert run(program) == "[]"


CALL = (
    "import sys, warpkit as wk\n"
    "sys.path.insert(0, {folder!r})\n"
    "from test_gpu_door import OnGpu\n"
    "try:\n"
    "    {call}\n"
    "except Exception as error:\n"
    "    print(type(error).__name__, error)"
)


@pytest.mark.parametrize(
    "call",
    [
        "wk.warp(OnGpu(), wk.Affine.identity())",
        "wk.warp_vjp(OnGpu(), wk.Affine.identity())",
        "wk.warp_batch(OnGpu(), wk.Affine.identity())",
        "wk.warp_batch_vjp(OnGpu(), wk.Affine.identity())",
        "wk.sample(OnGpu(), OnGpu())",
        "wk.sample_vjp(OnGpu(), OnGpu())",
    ],
)
def test_without_the_package_the_error_says_what_to_install(call):
    program = "import sys; sys.modules['numba_cuda'] = None\n" + CALL.format(folder=os.path.dirname(__file__), call=call)
    message = run(program)
    assert message.startswith("ImportError")
    assert "pip install 'numba-warpkit[cuda12]'" in message


def test_without_a_device_the_error_says_so():
    pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")
    call = "wk.warp(OnGpu(), wk.Affine.identity())"
    program = (
        "from numba import cuda\n"
        "if cuda.is_available(): print('RuntimeError arrays on a GPU need an NVIDIA driver and a device'); raise SystemExit\n"
    ) + CALL.format(folder=os.path.dirname(__file__), call=call)
    assert run(program).startswith("RuntimeError arrays on a GPU need an NVIDIA driver and a device")


def test_dlpack_is_read_in_the_terms_of_the_array_interface():
    pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")
    from warpkit import gpu_arrays

    array = np.zeros((3, 4, 2), "float32")[:, ::2]
    memory = gpu_arrays.memory("image", ByDlpack(array))
    assert memory.shape == (3, 2, 2)
    assert memory.strides == (8, 4, 1)
    assert memory.dtype == np.float32
    assert memory.pointer == array.ctypes.data


def test_dlpack_says_where_an_array_lives():
    array = np.zeros((3, 4), "float32")
    assert checks.is_on_gpu(ByDlpack(array))
    assert not checks.is_on_gpu(ByDlpack(array, device=1))
    assert not checks.is_on_gpu(array)


@pytest.mark.parametrize("call", ["fixed", "weights"])
def test_what_runs_on_the_cpu_alone_refuses_such_arrays_by_name(call):
    image = np.zeros((3, 4))
    arguments = {"fixed": (image, OnGpu(), wk.Affine.identity()), "weights": (image, image, wk.Affine.identity(), OnGpu())}
    with pytest.raises(TypeError, match=f"{call} must be an array on the host, got OnGpu on a GPU"):
        wk.warp_normal_equations(*arguments[call])
