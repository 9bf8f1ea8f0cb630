"""What surrounds ``warpkit.interop.torch`` in a training script: compilation, loaders, autocast, layouts, threads."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

from torch.autograd import forward_ad  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

import warpkit as wk  # noqa: E402
from warpkit.interop import torch as wkt  # noqa: E402

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")
LOADER_SECONDS = 120

every_mode = pytest.mark.parametrize("mode", MODES)
every_padding = pytest.mark.parametrize("padding_mode", PADDINGS)
every_start_method = pytest.mark.parametrize(
    "method", [m for m in multiprocessing.get_all_start_methods() if m != "forkserver"]
)


def batch(count=3, dtype=torch.float64, seed=0):
    """An input (N, 4, 6, 7), a grid (N, 8, 9, 2) and matrices (N, 2, 3) that want gradients; all sizes differ."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 4, 6, 7, dtype=dtype, generator=generator)
    grid = torch.rand(count, 8, 9, 2, dtype=dtype, generator=generator) * 2.6 - 1.3
    theta = torch.eye(2, 3, dtype=dtype) + 0.3 * torch.randn(count, 2, 3, dtype=dtype, generator=generator)
    return [tensor.requires_grad_() for tensor in (inputs, grid, theta)]


def both(inputs, grid, theta):
    """Both operations in one function."""
    sampled = wkt.grid_sample(inputs, grid, padding_mode="reflection")
    return sampled.sin() + wkt.spatial_transform(2 * inputs, theta, size=(8, 9), padding_mode="border")


def with_gradients(function, *tensors):
    """The output and the gradients of a sum that tells its terms apart."""
    output = function(*tensors)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).reshape(output.shape)
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    return output.detach(), *torch.autograd.grad((output * weights).sum(), wanted)


def assert_as_alike_as_layouts_are(layout, results, expected):
    """Channels that lie together are added up together: then sums differ in their last bits."""
    if layout != "channels last":
        assert_same_bits(results, expected)
    for a, b in zip(results, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def assert_same_bits(results, expected):
    assert len(results) == len(expected)
    for a, b in zip(results, expected, strict=True):
        assert torch.equal(a, b)


# --- torch.compile ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def compiled():
    """``both`` in one graph, without a C++ compiler; nothing compiled by other tests."""
    torch.compiler.reset()
    yield lambda **options: torch.compile(both, backend="aot_eager", fullgraph=True, **options)
    torch.compiler.reset()


def test_a_compiled_function_is_the_eager_one_and_compiled_once(compiled):
    function = compiled()
    assert_same_bits(with_gradients(function, *batch()), with_gradients(both, *batch()))
    with torch.compiler.set_stance("fail_on_recompile"):
        for seed in (1, 2):
            assert_same_bits(with_gradients(function, *batch(seed=seed)), with_gradients(both, *batch(seed=seed)))


def test_a_compiled_function_takes_every_batch_size(compiled):
    function = compiled(dynamic=True)
    function(*batch(5))  # a size that no other axis has: PyTorch takes equal sizes for one and the same
    with torch.compiler.set_stance("fail_on_recompile"):
        for count in (10, 11):
            assert_same_bits(with_gradients(function, *batch(count)), with_gradients(both, *batch(count)))


# --- DataLoader ------------------------------------------------------------------------------------------------------------


class Warped(Dataset):
    """Pictures warped where they are asked for: large enough for more than one tile, by both doors of the library."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        picture = np.random.default_rng(index).random((400, 600), dtype=np.float32)
        warped = torch.from_numpy(wk.warp(picture, wk.Affine.rotation(7 * index, (300, 200)), mode="reflect"))
        theta = torch.tensor([[[1.0, 0.1 * index, 0.0], [-0.1, 1.0, 0.05 * index]]])
        return torch.stack([warped, wkt.spatial_transform(warped[None, None], theta)[0, 0]])


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@every_start_method
def test_loader_workers_give_the_pictures_of_their_parent(method, set_num_threads):
    set_num_threads(3)
    expected = [Warped()[index] for index in range(len(Warped()))]
    assert any(thread.name.startswith("warpkit") for thread in threading.enumerate())
    loader = DataLoader(Warped(), batch_size=None, num_workers=2, multiprocessing_context=method, timeout=LOADER_SECONDS)
    assert_same_bits(list(loader), expected)


# --- autocast --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_float32_and_keeps_the_dtypes_of_gradients(low):
    """What PyTorch's own grid_sample does on the CPU: its inputs are cast to float32."""
    _, grid, _ = (tensor.detach() for tensor in batch(dtype=torch.float32))
    results = []
    for sample in (wkt.grid_sample, functional.grid_sample):
        inputs = batch(dtype=torch.float32)[0].detach().to(low).requires_grad_()
        with torch.autocast("cpu", dtype=low):
            output = sample(inputs, grid, align_corners=False)
        output.sum().backward()
        assert output.dtype == torch.float32
        assert inputs.grad.dtype == low
        results.append((output.detach(), inputs.grad.float()))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_network_trains_under_autocast():
    torch.manual_seed(0)
    locate = torch.nn.Linear(6 * 7 * 4, 6)
    inputs = torch.randn(3, 4, 6, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theta = locate(inputs.flatten(1)).view(-1, 2, 3)
        assert theta.dtype == torch.bfloat16
        sampled = wkt.grid_sample(inputs, wkt.affine_grid(theta, inputs.shape), padding_mode="border")
        loss = sampled.square().mean() + wkt.spatial_transform(inputs, theta, padding_mode="border").square().mean()
    loss.backward()
    assert locate.weight.grad.isfinite().all()
    assert locate.weight.grad.any()


# --- torch.func and forward mode -------------------------------------------------------------------------------------------


def forward_mode(test):
    """For both operations; PyTorch's own forward mode uses what it deprecates."""
    test = pytest.mark.parametrize("operation", ["grid", "theta"])(test)
    return pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")(test)


def test_vmap_is_a_loop():
    inputs, grid, theta = (tensor.detach() for tensor in batch())
    sampled = torch.func.vmap(lambda x, g: wkt.grid_sample(x[None], g[None])[0])(inputs, grid)
    assert torch.equal(sampled, wkt.grid_sample(inputs, grid))
    warped = torch.func.vmap(lambda t: wkt.spatial_transform(inputs[:1], t[None])[0])(theta)
    assert torch.equal(warped, wkt.spatial_transform(inputs[:1].expand_as(inputs), theta))


def test_functional_call_differentiates_a_module_by_the_parameters_given():
    module = torch.nn.Linear(6, 6).double()
    inputs, _, theta = batch()

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.locate, self.transform = module, wkt.SpatialTransform("affine")

        def forward(self, inputs, theta):
            return self.transform(inputs, self.locate(theta.flatten(1)).view(-1, 2, 3))

    other = {f"locate.{name}": (1 + value).detach().requires_grad_() for name, value in module.named_parameters()}
    output = torch.func.functional_call(Network(), other, (inputs, theta))
    matrices = functional.linear(theta.flatten(1), other["locate.weight"], other["locate.bias"]).view(-1, 2, 3)
    expected = wkt.spatial_transform(inputs, matrices)
    assert torch.equal(output, expected)
    ours, theirs = (torch.autograd.grad(y.square().sum(), other["locate.weight"])[0] for y in (output, expected))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("operation", ["grid", "theta"])
def test_torch_func_grad_is_right_or_refused(operation):
    """PyTorch refuses it for operators registered as ours are (pytorch/pytorch issues 168393 and 170834)."""
    function, tensor = one_argument(operation)
    try:
        gradient = torch.func.grad(lambda t: function(t).sum())(tensor)
    except RuntimeError as error:
        assert "setup_context" in str(error)  # noqa: PT017
    else:
        assert torch.equal(gradient, torch.autograd.functional.vjp(lambda t: function(t).sum(), tensor)[1])


@forward_mode
def test_forward_mode_is_refused(operation):
    function, tensor = one_argument(operation)
    with pytest.raises(NotImplementedError, match="forward-mode"):
        torch.func.jvp(function, (tensor,), (tensor,))


@forward_mode
def test_dual_numbers_do_not_lose_their_tangent_silently(operation):
    function, tensor = one_argument(operation)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="forward-mode"):
        function(forward_ad.make_dual(tensor, torch.ones_like(tensor)))


def one_argument(operation):
    """A function of the grid or of the matrices alone, and where to take it."""
    inputs, grid, theta = (tensor.detach() for tensor in batch())
    if operation == "grid":
        return lambda g: wkt.grid_sample(inputs, g), grid
    return lambda t: wkt.spatial_transform(inputs, t), theta


def test_no_graph_is_kept_where_none_is_wanted():
    inputs, grid, theta = batch()
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            assert not both(inputs, grid, theta).requires_grad
    assert not both(inputs.detach(), grid.detach(), theta.detach()).requires_grad


# --- layouts ---------------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "batch last": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
    "sliced": lambda x: torch.stack([x, torch.full_like(x, math.nan)], dim=-1)[..., 0],
    "shifted": lambda x: torch.cat([x.flatten()[:1], x.flatten()])[1:].view(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@every_mode
@every_padding
def test_the_layout_of_the_arguments_does_not_matter(mode, padding_mode, layout):
    inputs, grid, _ = (tensor.detach() for tensor in batch())
    other = LAYOUTS[layout]

    def sample(inputs, grid):
        return wkt.grid_sample(inputs, grid, mode, padding_mode)

    expected = with_gradients(sample, inputs.requires_grad_(), grid.requires_grad_())
    moved = with_gradients(sample, other(inputs.detach()).requires_grad_(), other(grid.detach()).requires_grad_())
    assert_as_alike_as_layouts_are(layout, moved, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_a_transformed_picture_does_not_matter(layout):
    inputs, _, theta = (tensor.detach() for tensor in batch())
    expected = with_gradients(wkt.spatial_transform, inputs.requires_grad_(), theta.requires_grad_())
    moved = LAYOUTS[layout](inputs.detach()).requires_grad_()
    turned = theta.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    assert_as_alike_as_layouts_are(layout, with_gradients(wkt.spatial_transform, moved, turned), expected)


def test_the_layout_of_the_cotangent_does_not_change_a_bit():
    inputs, grid, theta = batch()
    output = both(inputs, grid, theta)
    cotangent = torch.randn(output.shape, dtype=output.dtype)
    expected = torch.autograd.grad(output, (inputs, grid, theta), cotangent, retain_graph=True)
    for layout in LAYOUTS.values():
        assert_same_bits(torch.autograd.grad(output, (inputs, grid, theta), layout(cotangent), retain_graph=True), expected)


def test_expanded_arguments_are_their_copies():
    """One picture and one matrix for a whole batch: the gradients add up."""
    inputs, grid, theta = (tensor.detach()[:1].requires_grad_() for tensor in batch())

    def expanded(*tensors):
        return both(*(tensor.expand(5, *tensor.shape[1:]) for tensor in tensors))

    def copied(*tensors):
        return both(*(tensor.repeat(5, *[1] * (tensor.ndim - 1)) for tensor in tensors))

    assert_same_bits(with_gradients(expanded, inputs, grid, theta), with_gradients(copied, inputs, grid, theta))


# --- threads ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", MODES)
def test_the_number_of_threads_does_not_change_a_bit(dtype, mode, set_num_threads):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 3, 120, 150, dtype=dtype, generator=generator, requires_grad=True)
    grid = (torch.rand(2, 140, 130, 2, dtype=dtype, generator=generator) * 2.4 - 1.2).requires_grad_()
    theta = (torch.eye(2, 3, dtype=dtype) + 0.2 * torch.randn(2, 2, 3, dtype=dtype, generator=generator)).requires_grad_()

    def warps(inputs, grid, theta):
        sampled = wkt.grid_sample(inputs, grid, mode, "border")
        return sampled + wkt.spatial_transform(inputs, theta, size=(140, 130))

    results = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        results.append(with_gradients(warps, inputs, grid, theta))
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_deterministic_algorithms_are_enough():
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (with_gradients(both, *batch()) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same_bits(first, second)


def test_threads_of_python_may_differentiate_at_once():
    expected = [with_gradients(both, *batch(seed=seed)) for seed in range(4)]
    results = [None] * 4

    def work(seed):
        results[seed] = with_gradients(both, *batch(seed=seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LOADER_SECONDS)
    for result, wanted in zip(results, expected, strict=True):
        assert_same_bits(result, wanted)


# --- what is asked for, and what is left alone -----------------------------------------------------------------------------


@every_mode
@every_padding
def test_a_gradient_does_not_depend_on_which_others_are_wanted(mode, padding_mode):
    def sample(inputs, grid):
        return wkt.grid_sample(inputs, grid, mode, padding_mode)

    inputs, grid, _ = batch()
    output, of_input, of_grid = with_gradients(sample, inputs, grid)
    assert_same_bits(with_gradients(sample, inputs, grid.detach()), (output, of_input))
    assert_same_bits(with_gradients(sample, inputs.detach(), grid), (output, of_grid))


@pytest.mark.parametrize("family", ["affine", "projective", "tps"])
def test_a_transforms_gradient_does_not_depend_on_which_others_are_wanted(family):
    inputs, _, theta = batch()
    if family == "projective":
        theta = torch.cat([theta.detach(), torch.tensor([[[0.0, 0.1, 1.0]]]).double().expand(3, 1, 3)], dim=1).requires_grad_()
    if family == "tps":
        theta = torch.randn(3, 9, 2, dtype=torch.float64, requires_grad=True)

    def transform(inputs, theta):
        return wkt.spatial_transform(inputs, theta, family)

    output, of_input, of_theta = with_gradients(transform, inputs, theta)
    assert_same_bits(with_gradients(transform, inputs, theta.detach()), (output, of_input))
    assert_same_bits(with_gradients(transform, inputs.detach(), theta), (output, of_theta))


def test_nothing_given_is_changed():
    tensors = batch()
    copies, versions = [tensor.detach().clone() for tensor in tensors], [tensor._version for tensor in tensors]
    output = both(*tensors)
    cotangent = torch.randn(output.shape, dtype=output.dtype)
    copies.append(cotangent.clone())
    torch.autograd.grad(output, tensors, cotangent)
    assert_same_bits([tensor.detach() for tensor in (*tensors, cotangent)], copies)
    assert [tensor._version for tensor in tensors] == versions


@pytest.mark.parametrize("padding_mode", PADDINGS)
def test_outputs_and_gradients_own_their_memory(padding_mode):
    """The identity, too, gives a tensor of its own, and the second of two gradients is not the first."""
    inputs, theta = torch.randn(1, 2, 5, 6, requires_grad=True), torch.eye(2, 3)[None].requires_grad_()
    for operation in (
        lambda: wkt.grid_sample(inputs, wkt.affine_grid(theta, (1, 2, 5, 6)), padding_mode=padding_mode),
        lambda: wkt.spatial_transform(inputs, theta, padding_mode=padding_mode),
    ):
        output = operation()
        assert output.untyped_storage().data_ptr() != inputs.untyped_storage().data_ptr()
        cotangent = torch.randn_like(output)
        pulled = [torch.autograd.grad(output, (inputs, theta), cotangent, retain_graph=True) for _ in range(2)]
        kept = [gradient.clone() for gradient in pulled[0]]
        for gradient in pulled[1]:
            gradient.zero_()
        assert_same_bits(pulled[0], kept)


# --- points that are no numbers --------------------------------------------------------------------------------------------

BAD = [math.nan, math.inf, -math.inf, 1e30, -1e30]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_mode
@every_padding
def test_points_that_are_no_numbers_leave_the_others_alone(mode, padding_mode, dtype):
    """PyTorch's backward pass reads beyond its arrays there (pytorch/pytorch issue 24823); ours stays finite."""
    good = batch(dtype=dtype)[1].detach()
    bad = good.clone()
    pairs = list(itertools.product([*BAD, 0.0], repeat=2))[:-1]
    places = [(index % 3, index // 9, index % 9) for index in range(len(pairs))]
    for place, pair in zip(places, pairs, strict=True):
        bad[place] = torch.tensor(pair, dtype=dtype)
    others = (bad == good).all(dim=-1)
    inputs = batch(dtype=dtype)[0]
    output, of_input, of_grid = with_gradients(
        lambda x, g: wkt.grid_sample(x, g, mode, padding_mode), inputs, bad.requires_grad_()
    )
    expected, _, of_good = with_gradients(lambda x, g: wkt.grid_sample(x, g, mode, padding_mode), inputs, good.requires_grad_())
    assert all(tensor.isfinite().all() for tensor in (output, of_input, of_grid))
    assert torch.equal(output.movedim(1, -1)[others], expected.movedim(1, -1)[others])
    assert torch.equal(of_grid[others], of_good[others])


@pytest.mark.parametrize("value", BAD)
def test_matrices_that_are_no_numbers_give_zeros(value):
    inputs, _, theta = batch()
    theta = theta.detach().clone()
    theta[1] = value
    output, of_input, of_theta = with_gradients(wkt.spatial_transform, inputs, theta.requires_grad_())
    assert not output[1].any()
    assert not of_input[1].any()
    assert output.isfinite().all()
    assert of_theta.isfinite().all()
    expected = wkt.spatial_transform(inputs[::2], theta[::2])
    assert torch.equal(output[::2], expected)


@pytest.mark.parametrize("point", [(math.inf, 0.0), (-math.inf, 0.0), (0.0, math.inf), (math.inf, -math.inf)])
def test_infinitely_far_is_at_the_border(point):
    inputs, grid = torch.randn(1, 1, 3, 3), torch.tensor([[[point]]])
    theirs = functional.grid_sample(inputs, grid, padding_mode="border", align_corners=False)
    assert torch.equal(wkt.grid_sample(inputs, grid, padding_mode="border"), theirs)
