"""The PyTorch interop's CUDA side on the simulator: CPU tensors stand in for CUDA ones, PyTorch's own results are the oracle.

No device takes part: what only a CUDA tensor can show (streams, the dispatch of the operators) is not tested here.
"""

import numpy as np
import pytest
import simulator

torch = pytest.importorskip("torch")
pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from warpkit import cuda_engine, gpu_arrays  # noqa: E402
from warpkit.engine import NO_STAGES  # noqa: E402
from warpkit.interop import torch as wkt  # noqa: E402
from warpkit.interop import torch_cuda, torch_tensors  # noqa: E402
from warpkit.interop.options import border_mode  # noqa: E402
from warpkit.kernels import cuda_sums, cuda_target  # noqa: E402

pytestmark = pytest.mark.skipif(not cuda_target.IS_SIMULATOR, reason="no simulator: make test-cuda")

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
FORMATS = [torch.contiguous_format, torch.channels_last]


class HostTorch(gpu_arrays.Torch):
    """PyTorch without a device: there is one stream."""

    def stream(self, array):
        return 0


def interface(tensor):
    strides = tuple(step * tensor.element_size() for step in tensor.stride())
    typestr = np.dtype(str(tensor.dtype).removeprefix("torch.")).str
    return {"shape": tuple(tensor.shape), "strides": strides, "typestr": typestr, "data": (tensor.data_ptr(), False)}


def flat(memory):
    tensor = torch.as_strided(memory.owner, (memory.extent,), (1,), memory.owner.storage_offset() + memory.offset)
    example = cuda_target.cuda.to_device(np.zeros(1))
    return type(example)(tensor.numpy())


@pytest.fixture(autouse=True)
def tensors_on_the_simulator(monkeypatch):
    monkeypatch.setitem(gpu_arrays._LIBRARIES, "torch", HostTorch())
    monkeypatch.setattr(cuda_target, "interface", interface)
    monkeypatch.setattr(cuda_engine, "flat", flat)
    monkeypatch.setattr(cuda_engine, "BLOCK", (4, 2))
    monkeypatch.setattr(cuda_engine, "BAND_THREADS", 2)
    monkeypatch.setattr(cuda_sums, "ADDERS", 2)
    simulator.make_shared_arrays_once(monkeypatch)


def near(found, expected):
    return bool((found - expected).abs().max() <= TOLERANCE[expected.dtype] * expected.abs().max().clamp(min=1))


@pytest.mark.parametrize(("dtype", "memory_format"), [(torch.float64, FORMATS[0]), (torch.float32, FORMATS[1])])
@pytest.mark.parametrize(("family", "theta_shape"), [("affine", (2, 3)), ("projective", (3, 3)), ("tps", (4, 2))])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_spatial_transform_is_that_of_cpu_tensors(mode, family, theta_shape, dtype, memory_format):
    torch.manual_seed(0)
    input = torch.randn(2, 3, 5, 6, dtype=dtype).contiguous(memory_format=memory_format).requires_grad_()
    start = torch.tensor([[-1.0, -1], [1, -1], [-1, 1], [1, 1]]) if family == "tps" else torch.eye(3)[: theta_shape[0]]
    theta = (start.to(dtype) + 0.1 * torch.randn(2, *theta_shape, dtype=dtype)).requires_grad_()
    expected = wkt.spatial_transform(input, theta, family, (4, 5), mode=mode, padding_mode="border")
    grad = torch.randn_like(expected)
    expected_input, expected_theta = torch.autograd.grad(expected, (input, theta), grad)

    rule = wkt._packing(input, theta, None, family, 4, 5, False)
    job = torch_cuda.theta_problem(input, theta, rule, mode, border_mode("border", False))
    layout = torch_tensors.layout_of(input)
    output = torch_cuda.sampled(job, input, 4, 5, layout)
    assert output.is_contiguous(memory_format=memory_format)
    assert near(output, expected.detach())
    grad_input, pulled = torch_cuda.pull(job, grad, input, True, params=True, grid=False, layout=layout)
    assert grad_input.is_contiguous(memory_format=memory_format)
    assert near(grad_input, expected_input)
    if mode == "nearest":
        assert pulled.params is None
    else:
        assert near(wkt._times(pulled.params, rule.matrix).reshape(theta.shape).to(dtype), expected_theta)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_points_of_a_grid_and_their_gradient_are_those_of_pytorch(mode, dtype):
    torch.manual_seed(0)
    input = torch.randn(2, 3, 5, 6, dtype=dtype, requires_grad=True)
    grid = (2 * torch.rand(2, 4, 5, 2, dtype=dtype) - 1).requires_grad_()
    expected = torch.nn.functional.grid_sample(input, grid, mode, "zeros", align_corners=True)
    grad = torch.randn_like(expected)
    expected_input, expected_grid = torch.autograd.grad(expected, (input, grid), grad)

    scale = torch.tensor([2.5, 2.0], dtype=dtype)  # pixels in a unit of the grid
    points = (grid.detach() + 1) * scale
    job = torch_cuda.grid_problem(input, NO_STAGES, points, mode, border_mode("zeros", True))
    layout = torch.contiguous_format
    assert near(torch_cuda.sampled(job, input, 4, 5, layout), expected.detach())
    grad_input, pulled = torch_cuda.pull(job, grad, input, True, params=False, grid=True, layout=layout)
    assert near(grad_input, expected_input)
    assert near(pulled.grid * scale, expected_grid)
