"""The PyTorch interop against PyTorch: values, first and second derivatives, custom-op rules, compilation."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

import warpkit as wk  # noqa: E402
from warpkit import conventions  # noqa: E402
from warpkit.interop import torch as wkt  # noqa: E402
from warpkit.interop import torch_reference  # noqa: E402

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
PADDINGS = ["zeros", "border", "reflection"]


def relative_error(a, b):
    return float(((a - b).abs().max() / b.abs().max().clamp(min=1e-30)).detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("shape", [(1, 3, 17, 23), (64, 2, 8, 9), (2, 1, 1, 7)])
def test_grid_sample_equals_pytorchs_in_float64(dtype, align_corners, padding_mode, mode, shape):
    torch.manual_seed(0)
    inputs = torch.randn(shape, dtype=dtype, requires_grad=True)
    grid = (torch.rand(shape[0], 11, 13, 2, dtype=dtype) * 3.6 - 1.8).requires_grad_()
    grad = torch.randn(shape[0], shape[1], 11, 13, dtype=dtype)
    options = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    ours = wkt.grid_sample(inputs, grid, **options)
    found = (ours.detach(), *torch.autograd.grad(ours, (inputs, grid), grad))
    exact = [tensor.detach().double().requires_grad_() for tensor in (inputs, grid)]
    theirs = functional.grid_sample(*exact, **options)
    expected = (theirs.detach(), *torch.autograd.grad(theirs, exact, grad.double()))
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert a.dtype == dtype
        assert relative_error(a.double(), b) < TOLERANCE[dtype]


@pytest.mark.parametrize("padding_mode", PADDINGS)
def test_identity_grid_at_the_kinks_has_pytorchs_gradient(padding_mode):
    inputs = torch.randn(1, 2, 6, 7, dtype=torch.float64)
    theta = torch.eye(2, 3, dtype=torch.float64)[None].requires_grad_()
    grads = []
    for sample in (functional.grid_sample, wkt.grid_sample):
        grid = functional.affine_grid(theta, (1, 2, 6, 7), align_corners=True)
        output = sample(inputs, grid, padding_mode=padding_mode, align_corners=True)
        grads.append(torch.autograd.grad(output.sum(), grid)[0])
    assert relative_error(grads[1][:, 0, 0], grads[0][:, 0, 0]) < 1e-12


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 5, 7), (2, 3, 1, 4), (2, 1, 6, 1)])
@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid behavior has changed")
def test_affine_grid_equals_pytorchs(align_corners, size):
    theta = torch.randn(2, 2, 3, dtype=torch.float64)
    theirs = functional.affine_grid(theta, size, align_corners=align_corners)
    assert relative_error(wkt.affine_grid(theta, size, align_corners=align_corners), theirs) < 1e-14


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_first_and_second_derivatives_agree_with_differences(mode, padding_mode, align_corners):
    torch.manual_seed(1)
    inputs = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(2, 3, 4, 2, dtype=torch.float64) * 2.4 - 1.2).requires_grad_()

    def sample(inputs, grid):
        return wkt.grid_sample(inputs, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners)

    assert torch.autograd.gradcheck(sample, (inputs, grid))
    assert torch.autograd.gradgradcheck(sample, (inputs, grid))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("size", [None, (9, 13)])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_affine_transform_equals_affine_grid_and_grid_sample(mode, align_corners, padding_mode, size):
    torch.manual_seed(2)
    inputs = torch.randn(3, 4, 10, 12, dtype=torch.float64, requires_grad=True)
    theta = (torch.eye(2, 3, dtype=torch.float64) + 0.2 * torch.randn(3, 2, 3, dtype=torch.float64)).requires_grad_()
    rows, columns = size or (10, 12)
    grid = functional.affine_grid(theta, (3, 4, rows, columns), align_corners=align_corners)
    options = {"mode": mode, "padding_mode": padding_mode}
    theirs = functional.grid_sample(inputs, grid, align_corners=align_corners, **options)
    ours = wkt.spatial_transform(inputs, theta, "affine", size, align_corners, **options)
    assert relative_error(ours, theirs) < 1e-12
    grad = torch.randn_like(theirs)
    for a, b in zip(*(torch.autograd.grad(y, (inputs, theta), grad) for y in (ours, theirs)), strict=True):
        assert relative_error(a, b) < 1e-11


@pytest.mark.parametrize("family", ["affine", "projective", "tps"])
def test_transforms_pass_gradcheck(family):
    torch.manual_seed(3)
    inputs = torch.randn(2, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    if family == "tps":
        line = torch.linspace(-1, 1, 3, dtype=torch.float64)
        theta = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(1, 9, 2).repeat(2, 1, 1)
        theta = (0.9 * theta + 0.1 * torch.randn_like(theta)).requires_grad_()
    else:
        theta = (torch.eye(3, dtype=torch.float64)[: 2 if family == "affine" else 3].repeat(2, 1, 1)).clone()
        theta = (theta + 0.1 * torch.randn_like(theta)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, t: wkt.spatial_transform(x, t, family, (5, 6)), (inputs, theta))


def test_projective_transform_equals_the_library():
    inputs = torch.randn(1, 3, 10, 12)
    theta = torch.tensor([[[0.9, 0.1, 0.05], [-0.1, 1.1, 0.0], [0.1, -0.05, 1.0]]], dtype=torch.float64)
    ours = wkt.spatial_transform(inputs, theta, "projective", align_corners=False)
    inverse_map = conventions.from_normalized(theta[0].numpy(), (10, 12), (10, 12), align_corners=False)
    expected = wk.warp(inputs[0].permute(1, 2, 0).numpy(), inverse_map)
    assert np.allclose(ours[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_custom_ops_obey_pytorchs_rules():
    inputs = torch.randn(2, 3, 6, 7, requires_grad=True)
    grid = (torch.rand(2, 4, 5, 2) * 2 - 1).requires_grad_()
    torch.library.opcheck(wkt._grid_sample, (inputs, grid, "bilinear", "zeros", False))
    theta = torch.tensor([[[1.0, 0.1, 0.2], [-0.1, 0.9, 0.3]]] * 2, requires_grad=True)
    torch.library.opcheck(wkt._warp, (inputs, theta, None, "affine", 5, 6, False, "bilinear", "zeros"))
    channels_last = inputs.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.library.opcheck(wkt._warp, (channels_last, theta, None, "affine", 5, 6, True, "bicubic", "border"))
    line = torch.linspace(-1, 1, 2)
    points = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(4, 2)
    bent = (points.repeat(2, 1, 1) * 0.9).requires_grad_()
    torch.library.opcheck(wkt._warp, (inputs, bent, points, "tps", 5, 6, False, "bilinear", "reflection"))


def test_half_precision_autocast_and_channels_last():
    inputs, theta = torch.randn(2, 3, 8, 9), torch.eye(2, 3).repeat(2, 1, 1)
    expected = wkt.spatial_transform(inputs, theta)
    assert relative_error(wkt.spatial_transform(inputs.to(memory_format=torch.channels_last), theta), expected) == 0
    assert wkt.spatial_transform(inputs.bfloat16(), theta).dtype == torch.bfloat16
    grid = wkt.affine_grid(theta, (2, 3, 8, 9))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert wkt.grid_sample(inputs.bfloat16(), grid).dtype == torch.float32


def test_module_trains():
    torch.manual_seed(0)
    inputs = torch.nn.functional.avg_pool2d(torch.randn(1, 1, 40, 40), 9, stride=1, padding=4)
    true = torch.tensor([[[1.0, 0.1, 0.1], [-0.1, 1.0, -0.05]]])
    module = wkt.SpatialTransform("affine", padding_mode="border")
    target = module(inputs, true)
    theta = torch.eye(2, 3)[None].clone().requires_grad_()
    optimiser = torch.optim.Adam([theta], lr=0.01)
    losses = []
    for _ in range(100):
        optimiser.zero_grad()
        loss = ((module(inputs, theta) - target) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, g: wkt.grid_sample(x[0], g), ValueError, "input must have shape"),
        (lambda x, g: wkt.grid_sample(x, g[0]), ValueError, "grid must have shape"),
        (lambda x, g: wkt.grid_sample(x, g.double()), TypeError, "grid must have input's dtype"),
        (lambda x, g: wkt.grid_sample(x.int(), g), TypeError, "input must be a floating tensor"),
        (lambda x, g: wkt.grid_sample(x, g, mode="trilinear"), ValueError, "mode must be"),
        (lambda x, g: wkt.grid_sample(x, g, padding_mode="wrap"), ValueError, "padding_mode must be"),
        (lambda x, g: wkt.spatial_transform(x, torch.eye(3)), ValueError, "theta must have shape"),
        (lambda x, g: wkt.spatial_transform(x, torch.eye(2, 3)[None], "rigid"), ValueError, "family must be"),
        (lambda x, g: wkt.spatial_transform(x, torch.zeros(2, 5, 2), "tps"), ValueError, "control_points must be given"),
        (lambda x, g: wkt.affine_grid(torch.eye(3), (1, 1, 4, 4)), ValueError, "theta must have shape"),
        (lambda x, g: wkt.affine_grid(np.eye(3)[None, :2], (1, 1, 4, 4)), TypeError, "theta must be a tensor, got ndarray"),
        (lambda x, g: wkt.grid_sample(x, g.numpy()), TypeError, "grid must be a tensor, got ndarray"),
        (lambda x, g: wkt.grid_sample(x.to_sparse(), g), TypeError, "input must be a dense tensor"),
        (lambda x, g: wkt.spatial_transform(x, [[1, 0, 0], [0, 1, 0]]), TypeError, "theta must be a tensor, got list"),
        (lambda x, g: wkt.spatial_transform(x, torch.ones(2, 2, 3).int()), TypeError, "theta must be a floating tensor"),
        (lambda x, g: wkt.spatial_transform(x, torch.ones(2, 2, 3) + 0j), TypeError, "theta must be a floating tensor"),
        (
            lambda x, g: wkt.spatial_transform(x, torch.zeros(2, 4, 2), "tps", control_points=np.zeros((4, 2))),
            TypeError,
            "control_points must be a tensor, got ndarray",
        ),
    ],
)
def test_bad_tensors_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(2, 3, 6, 7), torch.zeros(2, 4, 5, 2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_second_derivatives_read_points_that_are_no_numbers_as_pytorch_does(mode, padding_mode, bad):
    """NaN is -1 and infinity far away; where everything outside is zero, NaN is there. It must not make other pixels NaN."""
    generator = torch.Generator().manual_seed(4)
    inputs = torch.randn(1, 2, 5, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    grid = torch.rand(1, 3, 4, 2, dtype=torch.float64, generator=generator) * 2 - 1

    def second(value):
        points = grid.clone()
        points[0, 1, 1, 0] = value
        points.requires_grad_()
        output = wkt.grid_sample(inputs, points, mode, padding_mode)
        of_input, of_points = torch.autograd.grad(output.square().sum(), (inputs, points), create_graph=True)
        total = of_input.square().sum() + of_points[0, ::2].square().sum()
        of_input, of_points = torch.autograd.grad(total, (inputs, points))
        return of_input, of_points[0, ::2]

    read_as = -1.0 if bad != bad and padding_mode != "zeros" else 1e30
    for ours, expected in zip(second(bad), second(read_as), strict=True):
        assert ours.isfinite().all()
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_plain_operations_stay_on_the_tensors_device(mode, padding_mode):
    """PyTorch's device without memory stands in for CUDA: it refuses to be mixed with the CPU as well."""
    inputs, grid = torch.zeros(1, 2, 5, 6, device="meta"), torch.zeros(1, 3, 4, 2, device="meta")
    assert torch_reference.grid_sample_reference(inputs, grid, mode, padding_mode, False).device == inputs.device


def test_second_derivatives_of_a_transform_are_refused_with_what_has_them():
    inputs, theta = torch.randn(1, 1, 5, 6), torch.eye(2, 3)[None].requires_grad_()
    (first,) = torch.autograd.grad(wkt.spatial_transform(inputs, theta).square().sum(), theta, create_graph=True)
    with pytest.raises(NotImplementedError, match="those of grid_sample"):
        first.sum().backward()


def test_control_points_to_be_learned_are_refused():
    """They have no gradient: without an error they would stay where they are without a word."""
    points = torch.tensor([[-1.0, -1], [1, -1], [-1, 1], [1, 1]])
    theta = points[None].clone().requires_grad_()
    wkt.spatial_transform(torch.zeros(1, 1, 5, 6), theta, "tps", control_points=points).sum().backward()
    with pytest.raises(ValueError, match="control_points must not require gradients"):
        wkt.spatial_transform(torch.zeros(1, 1, 5, 6), theta, "tps", control_points=points.requires_grad_())


def test_a_size_may_be_computed_from_a_symbolic_shape():
    def half(inputs, theta):
        return wkt.spatial_transform(inputs, theta, size=(inputs.shape[2] // 2, inputs.shape[3] // 2))

    inputs, theta = torch.randn(2, 3, 8, 10), torch.eye(2, 3).repeat(2, 1, 1)
    compiled = torch.compile(half, backend="eager", fullgraph=True, dynamic=True)
    assert torch.equal(compiled(inputs, theta), half(inputs, theta))
