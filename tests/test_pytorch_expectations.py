"""What PyTorch publishes about ``grid_sample`` and ``affine_grid``, held against ``warpkit.interop.torch``.

The numbers are those of PyTorch's own tests: ``test/test_nn.py`` of pytorch/pytorch at commit 74f2fa66, there in ``TestNN``
``test_grid_sample``, ``test_grid_sample_error_checking``, ``test_grid_sample_nearest_neighbor_rounding_mode_consistency``,
``test_affine_grid``, ``test_affine_grid_error_checking`` and ``test_affine_grid_backward_cl_cf_consistency``, in
``TestNNDeviceType`` ``test_grid_sample_large``, ``test_grid_sample_half_precision``, ``test_grid_sample_bfloat16_precision``;
the samples of ``torch/testing/_internal/common_methods_invocations.py`` (``reference_inputs_grid_sample``) and
``torch/testing/_internal/autocast_test_lists.py``; the documentation of ``torch.nn.functional.grid_sample``.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

import oracles  # noqa: E402

from warpkit.interop import torch as wkt  # noqa: E402

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")

every_padding = pytest.mark.parametrize("padding_mode", PADDINGS)
every_alignment = pytest.mark.parametrize("align_corners", [True, False], ids=["centres", "borders"])
every_option = pytest.mark.parametrize(
    ("mode", "padding_mode", "align_corners"), list(itertools.product(MODES, PADDINGS, [True, False]))
)

# test_grid_sample, forward: the pictures 1..10 (2 x 5) at ten points; keyed by mode, padding and align_corners.
POINTS = [
    [[-0.9, -4.1], [0, 0.2000], [1, -1], [-0.333, 1e-6], [0.5, 1.0]],
    [[-1.0, -0.5], [0, 0.3333], [1, -1], [-0.200, 1e-6], [1.5, 0.5]],
]
VALUES = {
    ("bilinear", "zeros", True): [[0, 6, 5, 4.834, 9], [2.25, 6.333250045, 5, 5.1, 0]],
    ("bilinear", "zeros", False): [[0, 6.5, 1.25, 4.6675000191, 4.625], [0.5, 7.1665000916, 1.25, 5, 0]],
    ("bilinear", "border", True): [[1.2, 6, 5, 4.834, 9], [2.25, 6.333250045, 5, 5.1, 8.75]],
    ("bilinear", "border", False): [[1, 6.5, 5, 4.6675000191, 9.25], [1, 7.1665000916, 5, 5, 10]],
    ("bilinear", "reflection", True): [[3.45, 6, 5, 4.834, 9], [2.25, 6.333250045, 5, 5.1, 7.75]],
    ("bilinear", "reflection", False): [[3.0000004768, 6.5, 5, 4.6675000191, 9.25], [1, 7.1665000916, 5, 5, 9.25]],
    ("nearest", "zeros", True): [[0, 8, 5, 7, 9], [1, 8, 5, 8, 0]],
    ("nearest", "zeros", False): [[0, 8, 5, 7, 0], [1, 8, 5, 8, 0]],
    ("nearest", "border", True): [[1, 8, 5, 7, 9], [1, 8, 5, 8, 10]],
    ("nearest", "border", False): [[1, 8, 5, 7, 9], [1, 8, 5, 8, 10]],
    ("nearest", "reflection", True): [[1, 8, 5, 7, 9], [1, 8, 5, 8, 9]],
    ("nearest", "reflection", False): [[1, 8, 5, 7, 9], [1, 8, 5, 8, 9]],
    ("bicubic", "zeros", True): [[-0.10424726, 7.1400003, 5, 5.7842274, 9], [2.4492188, 7.4814040, 5, 6.0277520, 0]],
    ("bicubic", "zeros", False): [
        [0, 7.6287503, 1.0625, 5.5977230, 5.3270264],
        [0.40625, 8.028877, 1.0625, 5.9375067, -0.3515625],
    ],
    ("bicubic", "border", True): [[1.1520010, 6.0599990, 5, 4.870930, 9], [2.1328125, 6.4258375, 5, 5.076003, 8.8671875]],
    ("bicubic", "border", False): [
        [0.894531, 6.6050020, 4.625, 4.7138715, 9.800781],
        [0.90625, 7.2822485, 4.625, 5.0000052, 10],
    ],
    ("bicubic", "reflection", True): [[3.1822524, 6.239998, 5, 4.8709273, 9], [1.78125, 6.703594, 5, 5.0760007, 8.21875]],
    ("bicubic", "reflection", False): [
        [2.7993753, 6.605002, 4.25, 4.7138715, 10.269531],
        [0.8125, 7.2822485, 4.25, 5.0000052, 9.332031],
    ],
}

# test_grid_sample, backward: the gradient of the sum at the points of the grid, of five rows 0..4; nearest has none.
EDGES = [
    [[1.0, 1.0], [1.0, -1.0], [0.8, 0.8], [0.8, -0.8]],
    [[-1.0, -1.0], [-1.0, 1.0], [-0.8, -0.8], [-0.8, 0.8]],
]
NO_SLOPE = [[[0, 0]] * 4] * 2
SLOPES = {
    ("bilinear", "zeros", True): [[[-8, -8], [-8, 0], [2, 0], [2, 0]], [[2, 0]] * 4],
    ("bilinear", "zeros", False): [[[-5, -5], [-5, 5], [-10, -10], [-10, 10]], [[0, 0]] * 4],
    ("bilinear", "border", True): [[[0, 0], [0, 0], [2, 0], [2, 0]]] * 2,
    ("bilinear", "border", False): NO_SLOPE,
    ("bilinear", "reflection", True): [[[0, 0], [0, 0], [2, 0], [2, 0]]] * 2,
    ("bilinear", "reflection", False): NO_SLOPE,
    ("bicubic", "zeros", True): [
        [[-4.5, -6], [-4.5, 6], [2.725679, 0.740878], [2.725679, -0.740878]],
        [[1.5, 0], [1.5, 0], [1.927921, -0.05688], [1.927921, 0.05688]],
    ],
    ("bicubic", "zeros", False): [
        [[-5.859375, -5.888672], [-5.859375, 5.888672], [-5.625, -7.5], [-5.625, 7.5]],
        [[-0.234375, -0.263672], [-0.234375, 0.263672], [1.875, 0], [1.875, 0]],
    ],
    ("bicubic", "border", True): [[[1.5, 0], [1.5, 0], [1.74, 0], [1.74, 0]]] * 2,
    ("bicubic", "border", False): [[[-0.46875, 0], [-0.46875, 0], [1.875, 0], [1.875, 0]]] * 2,
    ("bicubic", "reflection", True): [[[0, 0], [0, 0], [1.92, 0], [1.92, 0]]] * 2,
    ("bicubic", "reflection", False): [[[0, 0], [0, 0], [1.875, 0], [1.875, 0]]] * 2,
} | {("nearest", padding_mode, align_corners): NO_SLOPE for padding_mode in PADDINGS for align_corners in (True, False)}

# (input, grid): the shapes that test_grid_sample goes through.
SHAPES = {
    "same": ((3, 2, 5, 6), (3, 5, 6, 2)),
    "larger": ((2, 4, 3, 7), (2, 9, 11, 2)),
    "smaller": ((4, 2, 8, 7), (4, 3, 2, 2)),
    "one pixel": ((3, 5, 1, 1), (3, 4, 2, 2)),
    "empty grid": ((3, 2, 6, 4), (3, 0, 5, 2)),
    "no pictures": ((0, 3, 5, 4), (0, 3, 6, 2)),
}
MEMORY_ORDERS = [(0, 1, 2, 3), (0, 3, 1, 2), (3, 0, 1, 2), (0, 2, 1, 3)]


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def laid_out(shape, order):
    """Random numbers of ``shape`` whose memory is contiguous when the axes are permuted to ``order``."""
    tensor = torch.randn([shape[axis] for axis in order], dtype=torch.float64)
    return tensor.permute([order.index(axis) for axis in range(len(shape))])


def value_and_gradients(sample, inputs, grid, cotangent, *options):
    """The output and the gradients of those of ``inputs`` and ``grid`` that want one."""
    output = sample(inputs, grid, *options)
    wanted = [tensor for tensor in (inputs, grid) if tensor.requires_grad]
    return output.detach(), *torch.autograd.grad(output, wanted, cotangent)


def assert_close(ours, expected, tolerance):
    torch.testing.assert_close(ours, expected, rtol=0, atol=tolerance)


# --- the published tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_option
def test_values_are_the_published_ones(mode, padding_mode, align_corners, dtype):
    inputs = torch.arange(1, 11, dtype=dtype).view(1, 1, 2, 5)
    output = wkt.grid_sample(inputs, double([POINTS]).to(dtype), mode, padding_mode, align_corners)
    assert_close(output.double(), double([[VALUES[mode, padding_mode, align_corners]]]), 1e-5)


@pytest.mark.parametrize("input_requires_grad", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_option
def test_gradients_at_the_edges_are_the_published_ones(mode, padding_mode, align_corners, dtype, input_requires_grad):
    inputs = torch.arange(0, 5, dtype=dtype).expand(1, 1, 5, 5).requires_grad_(input_requires_grad)
    grid = double([EDGES])
    if (mode, padding_mode, align_corners) == ("bilinear", "zeros", False):
        # +-0.8 is the centre of an outermost pixel, where the slope jumps; PyTorch's rounding puts it just outside.
        grid = torch.where(grid.abs() < 1, grid * (1 + 1e-12), grid)
    grid = grid.to(dtype).requires_grad_()
    wkt.grid_sample(inputs, grid, mode, padding_mode, align_corners).sum().backward()
    assert_close(grid.grad.double(), double([SLOPES[mode, padding_mode, align_corners]]), 1e-5)


@every_option
def test_every_shape_and_memory_order_gives_pytorchs_values_and_gradients(mode, padding_mode, align_corners):
    torch.manual_seed(0)
    for (input_shape, grid_shape), order, wanted in itertools.product(SHAPES.values(), MEMORY_ORDERS, (False, True)):
        inputs = laid_out(input_shape, (1, 0, 2, 3)).requires_grad_(wanted)
        grid = laid_out(grid_shape, order).requires_grad_()
        cotangent = torch.randn(*input_shape[:2], *grid_shape[1:3], dtype=torch.float64)
        arguments = (inputs, grid, cotangent, mode, padding_mode, align_corners)
        results = zip(
            value_and_gradients(wkt.grid_sample, *arguments),
            value_and_gradients(functional.grid_sample, *arguments),
            strict=True,
        )
        for ours, theirs in results:
            assert_close(ours, theirs, 1e-11)


def test_an_input_without_channels_gives_an_output_without_channels():
    inputs, grid = torch.randn(2, 0, 5, 4), torch.randn(2, 3, 6, 2)
    assert functional.grid_sample(inputs, grid, align_corners=False).shape == (2, 0, 3, 6)
    assert wkt.grid_sample(inputs, grid).shape == (2, 0, 3, 6)


@every_option
def test_an_expanded_input_is_sampled_as_its_copy(mode, padding_mode, align_corners):
    """Zero strides, which a test of PyTorch's asks of the CUDA kernels."""
    torch.manual_seed(1)
    inputs = torch.randn(2, 3, 1, 6, dtype=torch.float64).expand(2, 3, 4, 6)
    grid = torch.randn(2, 5, 3, 2, dtype=torch.float64)
    ours = wkt.grid_sample(inputs, grid, mode, padding_mode, align_corners)
    assert_close(ours, functional.grid_sample(inputs, grid, mode, padding_mode, align_corners), 1e-12)


@pytest.mark.parametrize("input_requires_grad", [False, True])
@every_option
def test_gradients_agree_with_differences(mode, padding_mode, align_corners, input_requires_grad):
    torch.manual_seed(2)
    inputs = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=input_requires_grad)
    grid = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, g: wkt.grid_sample(x, g, mode, padding_mode, align_corners), (inputs, grid))


@every_padding
@every_alignment
def test_nearest_rounds_alike_along_both_axes(padding_mode, align_corners):
    size, others = 10, 9
    positions = torch.arange(0, size - 1 + 0.1, 0.1)
    line = 2 * positions / (size - 1) - 1 if align_corners else (positions * 2 + 1) / size - 1
    points = torch.stack([line, torch.full_like(line, 0.5)], dim=-1)[None, None]
    rows = torch.rand(size).expand(1, 1, others, size)
    along_x = wkt.grid_sample(rows, points, "nearest", padding_mode, align_corners)
    along_y = wkt.grid_sample(rows.transpose(2, 3), points.flip(-1), "nearest", padding_mode, align_corners)
    assert torch.equal(along_x, along_y)
    assert along_x.unique().numel() == size


@pytest.mark.parametrize("sizes", [((10, 10), (5, 5)), ((64, 130), (32, 65)), ((7, 9), (14, 27)), ((10, 12), (30, 4))], ids=str)
@every_padding
@every_alignment
def test_nearest_takes_pytorchs_pixel_at_points_half_way_between_two(padding_mode, align_corners, sizes):
    """Halving a picture puts every point there: whichever pixel rounding then takes, it is PyTorch's."""
    size, output_size = sizes
    inputs = torch.randn(1, 1, *size)
    for scale in (1, 2, 3):
        grid = functional.affine_grid(scale * torch.eye(2, 3)[None], (1, 1, *output_size), align_corners=align_corners)
        ours, theirs = (
            f(inputs, grid, "nearest", padding_mode, align_corners) for f in (wkt.grid_sample, functional.grid_sample)
        )
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("inputs", "grid", "options", "message"),
    [
        ((1, 1, 2, 2), (1, 1, 1, 2), {"mode": "garbage"}, "mode must be .*'garbage'"),
        ((1, 1, 2, 2), (1, 1, 1, 2), {"padding_mode": "garbage"}, "padding_mode must be .*'garbage'"),
        ((1, 2, 2), (1, 1, 1, 2), {}, "input must have shape"),
        ((1, 1, 2, 2), (1, 1, 1, 1, 3), {}, "grid must have shape"),
        ((1, 1, 2, 2), (2, 1, 1, 2), {}, "grid must have shape"),
        ((1, 1, 2, 2), (1, 1, 1, 3), {}, "grid must have shape"),
        ((1, 1, 0, 2), (1, 1, 1, 2), {}, "input must have shape"),
        ((1, 1, 2, 2, 2), (1, 1, 1, 1, 3), {"mode": "bicubic"}, "input must have shape"),
    ],
)
def test_what_pytorch_refuses_is_refused(inputs, grid, options, message):
    inputs, grid = torch.zeros(inputs), torch.zeros(grid)
    with pytest.raises((ValueError, RuntimeError)):
        functional.grid_sample(inputs, grid, align_corners=False, **options)
    with pytest.raises(ValueError, match=message):
        wkt.grid_sample(inputs, grid, align_corners=False, **options)


# --- affine_grid -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("align_corners", "expected"),
    [
        (True, [[[0, -3], [2, 5]], [[4, 7], [6, 15]]]),
        (False, [[[1.5, 1.5], [2.5, 5.5]], [[3.5, 6.5], [4.5, 10.5]]]),
    ],
)
def test_affine_grids_are_the_published_ones(align_corners, expected):
    theta = torch.arange(1, 7, dtype=torch.float64).view(1, 2, 3)
    assert_close(wkt.affine_grid(theta, (1, 1, 2, 2), align_corners), double([expected]), 1e-14)


@every_alignment
@pytest.mark.parametrize("size", [(3, 2, 5, 8), (1, 7, 1, 4), (8, 1, 6, 1)])
def test_affine_grid_gradients_agree_with_differences(size, align_corners):
    theta = torch.randn(size[0], 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: wkt.affine_grid(t, torch.Size(size), align_corners), (theta,))


@pytest.mark.parametrize(
    ("theta", "size"),
    [
        ((2, 3), (1, 1, 2, 2)),
        ((1, 1, 2, 3), (1, 1, 2, 2)),
        ((1, 4, 3), (1, 1, 2, 2)),
        ((1, 2, 6), (1, 1, 2, 2)),
        ((1, 3, 4), (1, 2, 2)),
        ((1, 3, 4), (1, 1, 2, 2, 2, 2)),
    ],
)
def test_affine_grid_refuses_what_pytorchs_refuses(theta, size):
    theta = torch.zeros(theta, dtype=torch.float64)
    with pytest.raises((ValueError, NotImplementedError)):
        functional.affine_grid(theta, size, align_corners=False)
    with pytest.raises(ValueError, match="must"):
        wkt.affine_grid(theta, size)


def test_affine_grids_gradient_does_not_depend_on_the_memory_format():
    theta = torch.rand(6, 2, 3, requires_grad=True)
    grid, cotangent = wkt.affine_grid(theta, (6, 3, 4, 5)), torch.rand(6, 4, 5, 2)
    other = cotangent.contiguous(memory_format=torch.channels_last)
    plain, last = (torch.autograd.grad(grid, theta, value, retain_graph=True)[0] for value in (cotangent, other))
    torch.testing.assert_close(last, plain)


# --- points far away -------------------------------------------------------------------------------------------------------


def test_far_points_with_zeros_are_zero_and_have_no_gradient():
    """Issue 35202: coordinates of 7e7 on 480 x 640."""
    inputs = torch.rand(1, 1, 480, 640, requires_grad=True)
    grid = torch.tensor([[[[-10059144.0, 67680944.0], [67680944.0, 67680944.0]]]], requires_grad=True)
    output = wkt.grid_sample(inputs, grid)
    output.sum().backward()
    assert torch.equal(output.detach(), torch.zeros(1, 1, 1, 2))
    assert not inputs.grad.any()
    assert not grid.grad.any()


def test_huge_matrices_with_zeros_give_zero():
    """Issue 24823: a grid of 1e20."""
    inputs = torch.zeros(1, 1, 4, 4, requires_grad=True)
    grid = wkt.affine_grid(torch.tensor([[[-1.0e20, 0.0, 0.0], [0.0, -1.0e20, 0.0]]]), inputs.shape)
    output = wkt.grid_sample(inputs, grid)
    output.sum().backward()
    assert torch.equal(output.detach(), torch.zeros(1, 1, 4, 4))
    assert not inputs.grad.any()


def test_an_infinite_point_with_zeros_gives_zero_and_no_gradient_to_its_pixel():
    """The picture of issue 24823, in two dimensions."""
    inputs = torch.arange(9.0, 0, -1).view(1, 1, 3, 3).requires_grad_()
    grid = functional.affine_grid(torch.eye(2, 3)[None], (1, 1, 3, 3), align_corners=False)
    grid[:, 1, 1, 0] = math.inf
    output = wkt.grid_sample(inputs, grid)
    output.sum().backward()
    assert_close(output.detach(), torch.tensor([[[[9.0, 8, 7], [6, 0, 4], [3, 2, 1]]]]), 1e-5)
    assert_close(inputs.grad, torch.tensor([[[[1.0, 1, 1], [1, 0, 1], [1, 1, 1]]]]), 1e-5)


@pytest.mark.parametrize("mode", MODES)
@every_alignment
def test_reflection_goes_on_until_the_point_is_inside(mode, align_corners):
    """The documentation's example: -3.5 reflects at -1 to 1.5, then at 1; it says to -0.5 and means 0.5."""
    inputs = torch.randn(1, 2, 1, 8, dtype=torch.float64)
    grid = double([[[[-3.5, 0.0], [1.5, 0.0], [0.5, 0.0]]]])
    output = wkt.grid_sample(inputs, grid, mode, "reflection", align_corners)
    assert_close(output, output[..., -1:].expand_as(output), 1e-12)


@pytest.mark.parametrize("point", [(math.nan, 0.0), (0.0, math.nan), (math.nan, math.nan)])
@pytest.mark.parametrize("padding_mode", ["border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_nan_is_read_as_minus_one(mode, padding_mode, point):
    """PyTorch keeps this promise of its documentation in these modes alone."""
    inputs = torch.arange(9.0, 0, -1).view(1, 1, 3, 3)
    documented = [-1.0 if math.isnan(x) else x for x in point]
    grid, expected = torch.tensor([[[point]]]), torch.tensor([[[documented]]])
    assert torch.equal(
        functional.grid_sample(inputs, grid, mode, padding_mode, False),
        functional.grid_sample(inputs, expected, mode, padding_mode, False),
    )
    assert torch.equal(wkt.grid_sample(inputs, grid, mode, padding_mode), wkt.grid_sample(inputs, expected, mode, padding_mode))


def test_corners_are_aligned_only_on_request():
    inputs, grid = torch.randn(1, 1, 3, 4), torch.rand(1, 5, 6, 2)
    assert torch.equal(wkt.grid_sample(inputs, grid), wkt.grid_sample(inputs, grid, align_corners=False))
    assert not torch.equal(wkt.grid_sample(inputs, grid), wkt.grid_sample(inputs, grid, align_corners=True))


# --- dtypes ----------------------------------------------------------------------------------------------------------------


@every_alignment
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_double_precision_rounded(dtype, mode, align_corners):
    torch.manual_seed(3)
    inputs = torch.randn(32, 64, 16, 16, dtype=dtype)
    grid = torch.rand(32, 8, 8, 2, dtype=dtype) * 2 - 1
    expected = wkt.grid_sample(inputs.double(), grid.double(), mode, "zeros", align_corners).to(dtype)
    torch.testing.assert_close(wkt.grid_sample(inputs, grid, mode, "zeros", align_corners), expected)


def test_autocast_computes_half_precision_in_float32():
    inputs, grid = torch.randn(2, 3, 33, 22, dtype=torch.float16), torch.randn(2, 22, 11, 2, dtype=torch.float16)
    with torch.autocast("cpu"):
        ours = wkt.grid_sample(inputs, grid)
        theirs = functional.grid_sample(inputs, grid, align_corners=False)
    assert ours.dtype == theirs.dtype == torch.float32
    assert_close(ours, theirs, 1e-5)


@every_option
def test_a_rotated_picture_is_pytorchs(mode, padding_mode, align_corners):
    """``reference_inputs_grid_sample``: 345 x 456, bytes that wrap around, turned by 45 degrees and scaled."""
    cosine = sine = math.sqrt(0.5)
    theta = double([[[cosine / 1.23, sine, 0], [-sine, cosine / 1.34, 0]]]).expand(2, 2, 3)
    inputs = torch.arange(2 * 3 * 345 * 456).reshape(2, 3, 345, 456).to(torch.uint8).double()
    grid = functional.affine_grid(theta, inputs.shape, align_corners=align_corners)
    ours, theirs = (f(inputs, grid, mode, padding_mode, align_corners) for f in (wkt.grid_sample, functional.grid_sample))
    assert_close(ours, theirs, 1e-9)


# --- a slow oracle ---------------------------------------------------------------------------------------------------------


def telling_points(pictures, height, width):
    """Normalised points (pictures, 5, 12, 2): at random, on centres of pixels, half-way between them, on and beyond borders."""
    rng = np.random.default_rng(pictures + 10 * height + 100 * width)
    exact = np.array([-1.0, 1.0, 0.0, -2.0, 3.0, -1.5, 0.5, 1.25])
    lines = [
        np.concatenate([exact, 2 * np.arange(n) / max(n - 1, 1) - 1, (2 * np.arange(n) + 1) / n - 1]) for n in (width, height)
    ]
    points = rng.uniform(-2, 2, (pictures, 5, 12, 2)) ** 3
    for axis, line in enumerate(lines):
        points[:, 1:, :, axis] = np.where(
            rng.random((pictures, 4, 12)) < 0.7, rng.choice(line, (pictures, 4, 12)), points[:, 1:, :, axis]
        )
    return points


@pytest.mark.parametrize(
    "shape", [(1, 2, 5, 7), (2, 1, 1, 7), (2, 1, 5, 1), (1, 2, 1, 1), (1, 1, 4, 8), (64, 1, 3, 3)], ids=str
)
@every_option
def test_grid_sample_is_the_slow_oracle(mode, padding_mode, align_corners, shape):
    inputs = np.random.default_rng(4).standard_normal(shape)
    grid = telling_points(shape[0], *shape[2:])
    expected = [
        [oracles.torch_grid_sample(plane, points, mode, padding_mode, align_corners) for plane in picture]
        for picture, points in zip(inputs, grid, strict=True)
    ]
    arguments = (torch.from_numpy(inputs), torch.from_numpy(grid), mode, padding_mode, align_corners)
    assert_close(functional.grid_sample(*arguments), double(np.array(expected)), 1e-12)
    assert_close(wkt.grid_sample(*arguments), double(np.array(expected)), 1e-12)
