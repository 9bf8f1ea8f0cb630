"""PyTorch: a drop-in ``grid_sample``, and warps by affine, projective and thin-plate parameters without a grid in memory.

CPU tensors, shared with the kernels without copies. Coordinates are PyTorch's: normalised to [-1, 1], (x, y), with
``align_corners`` saying whether -1 and 1 are the centres of the outermost pixels or their outer borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import checks, engine
from ..conventions import scale_and_offset
from ..kernels.maps import AFFINE
from ..kernels.stages import Pipeline, Stage
from ..kernels.taps import BICUBIC, BILINEAR, MODES, NEAREST
from .families import Family, packing
from .torch_reference import BICUBIC_SLOPE, folded, grid_sample_reference, pixel_points

_MODES = {"bilinear": BILINEAR, "nearest": NEAREST, "bicubic": BICUBIC}
_PADDINGS = ("zeros", "border", "reflection")
_HALF = (torch.float16, torch.bfloat16)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """As ``torch.nn.functional.affine_grid``, for theta (N, 2, 3) and size (N, C, H, W): a grid (N, H, W, 2)."""
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (2, 3):
        raise ValueError(f"theta must have shape (N, 2, 3), got {tuple(theta.shape)}")
    if len(size) != 4 or size[0] != len(theta):
        raise ValueError(f"size must be (N, C, H, W) with N = {len(theta)}, got {tuple(size)}")
    x, y = (_centres(n, align_corners, theta) for n in (size[3], size[2]))
    base = torch.stack([x.expand(size[2], -1), y[:, None].expand(-1, size[3]), torch.ones_like(x).expand(size[2], -1)], dim=-1)
    return (base.reshape(1, -1, 3) @ theta.transpose(1, 2)).reshape(size[0], size[2], size[3], 2)


def _centres(count: int, align_corners: bool, like: Tensor) -> Tensor:
    """Normalised coordinates of the pixels along an axis."""
    if align_corners and count == 1:
        return torch.zeros(1, dtype=like.dtype, device=like.device)
    steps = torch.linspace(-1, 1, count, dtype=like.dtype, device=like.device)
    return steps if align_corners else steps * (count - 1) / count


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """As ``torch.nn.functional.grid_sample``, for input (N, C, H, W) and grid (N, rows, columns, 2), with second derivatives.

    Parameters
    ----------
    input : (N, C, H, W)
        float32 or float64; float16 and bfloat16 are computed in float32.
    grid : (N, rows, columns, 2)
        Normalised (x, y), of input's dtype.
    mode : {"bilinear", "nearest", "bicubic"}
        As PyTorch's: nearest rounds halves to even, bicubic has a = -3/4.
    padding_mode : {"zeros", "border", "reflection"}
    align_corners : bool, default False

    Raises
    ------
    ValueError, TypeError
        For other modes, shapes, dtypes and devices.
    """
    _check_input(input)
    if grid.ndim != 4 or grid.shape[3] != 2 or len(grid) != len(input):
        raise ValueError(f"grid must have shape ({len(input)}, rows, columns, 2), got {tuple(grid.shape)}")
    if torch.is_autocast_enabled("cpu"):
        grid, input = grid.float(), input.float()
    if grid.dtype != input.dtype:
        raise TypeError(f"grid must have input's dtype {input.dtype}, got {grid.dtype}")
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {tuple(_MODES)}, got {mode!r}")
    if padding_mode not in _PADDINGS:
        raise ValueError(f"padding_mode must be one of {_PADDINGS}, got {padding_mode!r}")
    if input.dtype in _HALF:
        return _grid_sample(input.float(), grid.float(), mode, padding_mode, bool(align_corners)).to(input.dtype)
    return _grid_sample(input, grid, mode, padding_mode, bool(align_corners))


@torch.library.custom_op("warpkit::grid_sample", mutates_args=())
def _grid_sample(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    out = input.new_empty((*input.shape[:2], *grid.shape[1:3]))
    if out.numel():
        engine.forward(_grid_problem(input, grid, mode, padding_mode, align_corners), out.numpy()[..., None])
    return out


@_grid_sample.register_fake
def _(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    return input.new_empty((*input.shape[:2], *grid.shape[1:3]))


@torch.library.custom_op("warpkit::grid_sample_backward", mutates_args=())
def _grid_sample_backward(
    grad: Tensor,
    input: Tensor,
    grid: Tensor,
    mode: str,
    padding_mode: str,
    align_corners: bool,
    want_input: bool,
    want_grid: bool,
) -> tuple[Tensor, Tensor]:
    grad_input = torch.zeros_like(input, memory_format=torch.contiguous_format)
    grad_grid = torch.zeros_like(grid, memory_format=torch.contiguous_format)
    if not grad.numel():
        return grad_input, grad_grid
    job = _grid_problem(input, grid, mode, padding_mode, align_corners)
    planes = grad.contiguous().numpy()[..., None]
    want_grid = want_grid and mode != "nearest"
    strips = engine.strips_per_image(job) if want_input else 1
    pulled = engine.pull(job, planes, params=False, grid=want_grid, reach=strips > 1)
    if want_input:
        grad_input = torch.from_numpy(engine.scatter(job, planes, strips, pulled.reach)[..., 0])
    if pulled.grid is not None:
        scale = [scale_and_offset(n, align_corners)[0] for n in (input.shape[3], input.shape[2])]
        grad_grid = torch.from_numpy(pulled.grid) * torch.tensor(scale, dtype=grid.dtype)
        if mode == "bilinear" and padding_mode != "zeros":
            grad_grid *= folded(pixel_points(grid, input.shape, align_corners), input.shape, padding_mode, align_corners)[1]
    return grad_input, grad_grid


@_grid_sample_backward.register_fake
def _(
    grad: Tensor,
    input: Tensor,
    grid: Tensor,
    mode: str,
    padding_mode: str,
    align_corners: bool,
    want_input: bool,
    want_grid: bool,
) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(input, memory_format=torch.contiguous_format),
        torch.empty_like(grid, memory_format=torch.contiguous_format),
    )


def _save_sample(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    input, grid, *ctx.options = inputs
    ctx.save_for_backward(input, grid)


def _pull_sample(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, grid = ctx.saved_tensors
    want_input, want_grid = ctx.needs_input_grad[:2]
    grad_input, grad_grid = _grid_sample_backward(grad, input, grid, *ctx.options, want_input, want_grid)
    return grad_input if want_input else None, grad_grid if want_grid else None, None, None, None


def _save_backward(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    grad, input, grid, *ctx.options = inputs
    ctx.save_for_backward(grad, input, grid)


def _pull_backward(ctx: Any, grad_grad_input: Tensor | None, grad_grad_grid: Tensor | None) -> tuple[Any, ...]:
    """Second derivatives, by differentiating a plain PyTorch version of the first."""
    *options, want_input, want_grid = ctx.options
    with torch.enable_grad():
        grad, input, grid = (tensor.detach().requires_grad_() for tensor in ctx.saved_tensors)
        output = grid_sample_reference(input, grid, *options)
        first = torch.autograd.grad(output, (input, grid), grad, create_graph=True, allow_unused=True)
        pairs = [
            (value, cotangent)
            for value, cotangent, wanted in zip(first, (grad_grad_input, grad_grad_grid), (want_input, want_grid), strict=True)
            if wanted and value is not None and cotangent is not None and value.requires_grad
        ]
        if not pairs:
            return (None,) * 8
        values, cotangents = zip(*pairs, strict=True)
        second = torch.autograd.grad(values, (grad, input, grid), cotangents, allow_unused=True)
    return (*second, None, None, None, None, None)


_grid_sample.register_autograd(_pull_sample, setup_context=_save_sample)
_grid_sample_backward.register_autograd(_pull_backward, setup_context=_save_backward)


def _grid_problem(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> engine.Problem:
    """Points in pixels by an affine stage on top of the grid; what PyTorch does to points rather than to taps, before it."""
    points, pipeline = grid.detach(), engine.NO_STAGES
    if _moves_points(mode, padding_mode):
        points, _ = folded(pixel_points(points, input.shape, align_corners), input.shape, padding_mode, align_corners)
        points = points.round() if mode == "nearest" else points
    else:
        (scale_x, offset_x), (scale_y, offset_y) = (
            scale_and_offset(n, align_corners) for n in (input.shape[3], input.shape[2])
        )
        matrix = np.array([[scale_x, 0, offset_x, 0, scale_y, offset_y]], dtype=np.float64)
        pipeline = Pipeline(np.array([[AFFINE, 0]]), matrix, 1.0)
    return engine.Problem(
        input.detach().contiguous().numpy()[..., None],
        pipeline,
        points.contiguous().numpy(),
        _MODES[mode],
        MODES[_border(padding_mode, align_corners)],
        _no_fill(input),
        BICUBIC_SLOPE,
    )


def _moves_points(mode: str, padding_mode: str) -> bool:
    return mode == "nearest" or (mode == "bilinear" and padding_mode == "reflection")


def _border(padding_mode: str, align_corners: bool) -> str:
    """The rule for taps that is PyTorch's padding."""
    return {"zeros": "constant", "border": "edge", "reflection": "reflect" if align_corners else "symmetric"}[padding_mode]


def _no_fill(input: Tensor) -> NDArray[Any]:
    return torch.zeros(1, dtype=input.dtype).numpy()


def spatial_transform(
    input: Tensor,
    theta: Tensor,
    family: Family = "affine",
    size: tuple[int, int] | None = None,
    align_corners: bool = False,
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    control_points: Tensor | None = None,
) -> Tensor:
    """Warp a batch by learned parameters, with no grid in memory (Jaderberg et al. 2015).

    Parameters
    ----------
    input : (N, C, H, W)
    theta : tensor
        "affine" (N, 2, 3) and "projective" (N, 3, 3): normalised output points to normalised input points. "tps" (N, K, 2): the
        normalised input points to which the K control points of the output go.
    family : {"affine", "projective", "tps"}
    size : (rows, columns), default: input's
    align_corners : bool, default False
    mode : {"bilinear", "nearest", "bicubic"}
    padding_mode : {"zeros", "border", "reflection"}
    control_points : (K, 2), "tps" only
        Normalised; the default is a square grid of K points over [-1, 1].

    Returns
    -------
    (N, C, rows, columns), of input's dtype
        Differentiable once with respect to input and theta.
    """
    _check_input(input)
    if mode not in _MODES or padding_mode not in _PADDINGS:
        raise ValueError(f"mode must be one of {tuple(_MODES)} and padding_mode of {_PADDINGS}, got {mode!r}, {padding_mode!r}")
    input_shape = (input.shape[2], input.shape[3])
    rows, columns = input_shape if size is None else checks.shape_2d("size", size)
    points = None if control_points is None else control_points.detach().double().numpy()
    kind, matrix, fixed = packing(family, tuple(theta.shape), input_shape, (rows, columns), align_corners, points)
    if len(theta) != len(input):
        raise ValueError(f"theta must have one entry for each of the {len(input)} inputs, got {len(theta)}")
    params = theta.double().reshape(len(theta), -1) @ torch.from_numpy(matrix.T) + torch.from_numpy(fixed)
    border = _border(padding_mode, align_corners)
    working = input.float() if input.dtype in _HALF else input
    return _warp(working, params, kind, rows, columns, mode, border).to(input.dtype)


@torch.library.custom_op("warpkit::warp", mutates_args=())
def _warp(input: Tensor, params: Tensor, kind: int, rows: int, columns: int, mode: str, border: str) -> Tensor:
    out = input.new_empty((*input.shape[:2], rows, columns))
    engine.forward(_warp_problem(input, params, kind, mode, border), out.numpy()[..., None])
    return out


@_warp.register_fake
def _(input: Tensor, params: Tensor, kind: int, rows: int, columns: int, mode: str, border: str) -> Tensor:
    return input.new_empty((*input.shape[:2], rows, columns))


@torch.library.custom_op("warpkit::warp_backward", mutates_args=())
def _warp_backward(
    grad: Tensor, input: Tensor, params: Tensor, kind: int, mode: str, border: str, want_input: bool, want_params: bool
) -> tuple[Tensor, Tensor]:
    job = _warp_problem(input, params, kind, mode, border)
    planes = grad.contiguous().numpy()[..., None]
    strips = engine.strips_per_image(job) if want_input else 1
    pulled = engine.pull(job, planes, params=want_params, grid=False, reach=strips > 1)
    grad_input, grad_params = input.new_zeros(input.shape), params.new_zeros(params.shape)
    if want_input:
        grad_input = torch.from_numpy(engine.scatter(job, planes, strips, pulled.reach)[..., 0])
    if pulled.params is not None:
        grad_params = torch.from_numpy(pulled.params)
    return grad_input, grad_params


@_warp_backward.register_fake
def _(
    grad: Tensor, input: Tensor, params: Tensor, kind: int, mode: str, border: str, want_input: bool, want_params: bool
) -> tuple[Tensor, Tensor]:
    return input.new_empty(input.shape), params.new_empty(params.shape)


def _save_warp(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    input, params, kind, _, _, mode, border = inputs
    ctx.options = (kind, mode, border)
    ctx.save_for_backward(input, params)


def _pull_warp(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, params = ctx.saved_tensors
    wanted = ctx.needs_input_grad[:2]
    grads = _warp_backward(grad, input, params, *ctx.options, *wanted)
    return (*(g if want else None for g, want in zip(grads, wanted, strict=True)), None, None, None, None, None)


_warp.register_autograd(_pull_warp, setup_context=_save_warp)


def _warp_problem(input: Tensor, params: Tensor, kind: int, mode: str, border: str) -> engine.Problem:
    packed = params.detach().contiguous().numpy()
    return engine.Problem(
        input.detach().contiguous().numpy()[..., None],
        Pipeline(np.array([[kind, 0]]), packed, Stage(kind, packed[0]).nanoseconds),
        engine.NO_GRID,
        _MODES[mode],
        MODES[border],
        _no_fill(input),
        BICUBIC_SLOPE,
    )


def _check_input(input: Tensor) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"input must be a tensor, got {type(input).__name__}")
    if input.device.type != "cpu":
        raise TypeError(f"input must be on the CPU, got a tensor on {input.device}")
    if input.ndim != 4 or 0 in input.shape[1:]:
        raise ValueError(f"input must have shape (N, C, H, W), not empty, got {tuple(input.shape)}")
    if input.dtype not in (torch.float32, torch.float64, *_HALF):
        raise TypeError(f"input must be a floating tensor, got {input.dtype}")


class SpatialTransform(nn.Module):
    """:func:`spatial_transform` as a module: ``module(input, theta)``; the options are the function's."""

    def __init__(self, family: Family = "affine", size: tuple[int, int] | None = None, **options: Any) -> None:
        super().__init__()
        self.family: Family = family
        self.size = size
        self.options = options

    def forward(self, input: Tensor, theta: Tensor) -> Tensor:
        return spatial_transform(input, theta, self.family, self.size, **self.options)

    def extra_repr(self) -> str:
        return ", ".join([f"family={self.family!r}", f"size={self.size}", *(f"{k}={v!r}" for k, v in self.options.items())])
