"""PyTorch: a drop-in ``grid_sample``, and warps by affine, projective and thin-plate parameters without a grid in memory.

Tensors are shared with the kernels without copies: contiguous ones, and channels-last ones, whose output is so too. CUDA
tensors go to the CUDA kernels (see docs/cuda.md), CPU tensors to those of the CPU.
Coordinates are PyTorch's: normalised to [-1, 1], (x, y), with ``align_corners`` saying whether -1 and 1 are the
centres of the outermost pixels or their outer borders.
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
from ..kernels.stages import Pipeline
from ..thetas import Family, Packing, packing
from .options import border_mode, check_options
from .torch_reference import finite, folded, grid_sample_reference, pixel_points
from .torch_tensors import (
    HALF,
    check_companion,
    check_floating,
    check_input,
    check_tangents,
    check_tensor,
    empty_output,
    problem,
    pull,
    sampled,
    zeros_like,
)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """As ``torch.nn.functional.affine_grid``, for theta (N, 2, 3) and size (N, C, H, W): a grid (N, H, W, 2)."""
    check_floating("theta", theta)
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (2, 3):
        raise ValueError(f"theta must have shape (N, 2, 3), got {tuple(theta.shape)}")
    if len(size) != 4 or size[0] != len(theta) or min(size) < 1:
        raise ValueError(f"size must be (N, C, H, W), all positive, with N = {len(theta)}, got {tuple(size)}")
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
    check_input(input)
    check_companion("grid", grid, input)
    check_tangents(input, grid)
    if grid.ndim != 4 or grid.shape[3] != 2 or len(grid) != len(input):
        raise ValueError(f"grid must have shape ({len(input)}, rows, columns, 2), got {tuple(grid.shape)}")
    if torch.is_autocast_enabled(input.device.type):
        grid, input = grid.float(), input.float()
    if grid.dtype != input.dtype:
        raise TypeError(f"grid must have input's dtype {input.dtype}, got {grid.dtype}")
    check_options(mode, padding_mode)
    if input.dtype in HALF:
        return _grid_sample(input.float(), grid.float(), mode, padding_mode, bool(align_corners)).to(input.dtype)
    return _grid_sample(input, grid, mode, padding_mode, bool(align_corners))


@torch.library.custom_op("warpkit::grid_sample", mutates_args=())
def _grid_sample(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    if not grid.numel() or not input.numel():
        return empty_output(input, *grid.shape[1:3])
    return sampled(_grid_problem(input, grid, mode, padding_mode, align_corners), input, *grid.shape[1:3])


@_grid_sample.register_fake
def _(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    return empty_output(input, *grid.shape[1:3])


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
    want_grid = want_grid and mode != "nearest" and bool(grad.numel())
    grad_input = grad_grid = None
    if grad.numel():
        job = _grid_problem(input, grid, mode, padding_mode, align_corners)
        grad_input, pulled = pull(job, grad, input, want_input, params=False, grid=want_grid)
        if want_grid:
            scale = [scale_and_offset(n, align_corners)[0] for n in (input.shape[3], input.shape[2])]
            grad_grid = torch.as_tensor(pulled.grid) * torch.tensor(scale, dtype=grid.dtype, device=grid.device)
            if mode == "bilinear" and padding_mode != "zeros":
                points = pixel_points(finite(grid, padding_mode), input.shape, align_corners)
                grad_grid *= folded(points, input.shape, padding_mode, align_corners)[1]
    return (
        zeros_like(input) if grad_input is None else grad_input,
        torch.zeros_like(grid, memory_format=torch.contiguous_format) if grad_grid is None else grad_grid,
    )


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
    return zeros_like(input), torch.empty_like(grid, memory_format=torch.contiguous_format)


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


def _grid_problem(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Any:
    """Points in pixels by an affine stage on top of the grid; what PyTorch does to points rather than to taps, before it."""
    points, pipeline = grid.detach(), engine.NO_STAGES
    if padding_mode != "zeros":  # there kernels take NaN to be outside
        points = finite(points, padding_mode)
    if _moves_points(mode, padding_mode):
        points, _ = folded(pixel_points(points, input.shape, align_corners), input.shape, padding_mode, align_corners)
        points = points.round() if mode == "nearest" else points
    else:
        (scale_x, offset_x), (scale_y, offset_y) = (
            scale_and_offset(n, align_corners) for n in (input.shape[3], input.shape[2])
        )
        matrix = np.array([[scale_x, 0, offset_x, 0, scale_y, offset_y]], dtype=np.float64)
        pipeline = Pipeline(np.array([[AFFINE, 0]]), matrix, 1.0)
    border = border_mode(padding_mode, align_corners)
    if input.is_cuda:
        from . import torch_cuda

        return torch_cuda.grid_problem(input, pipeline, points, mode, border)
    return problem(input, pipeline, points.contiguous().numpy(), mode, border)


def _moves_points(mode: str, padding_mode: str) -> bool:
    return mode == "nearest" or (mode == "bilinear" and padding_mode == "reflection")


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
        Differentiable once with respect to input and theta; for affine ones ``grid_sample`` of ``affine_grid`` is twice.
    """
    check_input(input)
    check_companion("theta", theta, input)
    check_tangents(input, theta)
    check_options(mode, padding_mode)
    if control_points is not None:
        check_tensor("control_points", control_points)
        if control_points.requires_grad:
            raise ValueError("control_points must not require gradients, since only input and theta have them; detach them")
    rows, columns = input.shape[2:] if size is None else checks.shape_2d("size", size)
    working = input.float() if input.dtype in HALF else input
    output = _warp(working, theta, control_points, family, rows, columns, align_corners, mode, padding_mode)
    return output.to(input.dtype)


@torch.library.custom_op("warpkit::warp", mutates_args=())
def _warp(
    input: Tensor,
    theta: Tensor,
    control_points: Tensor | None,
    family: str,
    rows: int,
    columns: int,
    align_corners: bool,
    mode: str,
    padding_mode: str,
) -> Tensor:
    rule = _packing(input, theta, control_points, family, rows, columns, align_corners)
    if not input.numel():
        return empty_output(input, rows, columns)
    job = _warp_problem(input, theta, rule, mode, border_mode(padding_mode, align_corners))
    return sampled(job, input, rows, columns)


@_warp.register_fake
def _(
    input: Tensor,
    theta: Tensor,
    control_points: Tensor | None,
    family: str,
    rows: int,
    columns: int,
    align_corners: bool,
    mode: str,
    padding_mode: str,
) -> Tensor:
    return empty_output(input, rows, columns)


@torch.library.custom_op("warpkit::warp_backward", mutates_args=())
def _warp_backward(
    grad: Tensor,
    input: Tensor,
    theta: Tensor,
    control_points: Tensor | None,
    family: str,
    align_corners: bool,
    mode: str,
    padding_mode: str,
    want_input: bool,
    want_theta: bool,
) -> tuple[Tensor, Tensor]:
    grad_input = grad_theta = None
    if grad.numel():
        rule = _packing(input, theta, control_points, family, grad.shape[2], grad.shape[3], align_corners)
        job = _warp_problem(input, theta, rule, mode, border_mode(padding_mode, align_corners))
        grad_input, pulled = pull(job, grad, input, want_input, params=want_theta, grid=False)
        if pulled.params is not None:
            grad_theta = _times(pulled.params, rule.matrix).to(theta.dtype).reshape(theta.shape)
    return (
        zeros_like(input) if grad_input is None else grad_input,
        theta.new_zeros(theta.shape) if grad_theta is None else grad_theta,
    )


@_warp_backward.register_fake
def _(
    grad: Tensor,
    input: Tensor,
    theta: Tensor,
    control_points: Tensor | None,
    family: str,
    align_corners: bool,
    mode: str,
    padding_mode: str,
    want_input: bool,
    want_theta: bool,
) -> tuple[Tensor, Tensor]:
    return zeros_like(input), theta.new_empty(theta.shape)


def _save_warp(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    input, theta, control_points, family, _, _, align_corners, mode, padding_mode = inputs
    ctx.options = (family, align_corners, mode, padding_mode)
    ctx.save_for_backward(input, theta, control_points)


def _pull_warp(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, theta, control_points = ctx.saved_tensors
    wanted = ctx.needs_input_grad[:2]
    grads = _warp_backward(grad, input, theta, control_points, *ctx.options, *wanted)
    return (*(g if want else None for g, want in zip(grads, wanted, strict=True)), *[None] * 7)


def _refuse_second(ctx: Any, *grads: Tensor | None) -> None:
    raise NotImplementedError(
        "spatial_transform has no second derivatives; for affine theta, use those of grid_sample(input, affine_grid(...))"
    )


_warp.register_autograd(_pull_warp, setup_context=_save_warp)
_warp_backward.register_autograd(_refuse_second)


def _packing(
    input: Tensor, theta: Tensor, control_points: Tensor | None, family: str, rows: int, columns: int, align_corners: bool
) -> Packing:
    points = None if control_points is None else control_points.detach().cpu().numpy()
    input_shape = (input.shape[2], input.shape[3])
    rule = packing(family, tuple(theta.shape), input_shape, (rows, columns), align_corners, points)
    if len(theta) != len(input):
        raise ValueError(f"theta must have one entry for each of the {len(input)} inputs, got {len(theta)}")
    return rule


def _times(params: NDArray[Any] | Tensor, matrix: NDArray[np.float64]) -> Tensor:
    """The product, where ``params`` are."""
    if isinstance(params, Tensor):
        return params @ torch.as_tensor(matrix, device=params.device)
    return torch.from_numpy(params @ matrix)


def _warp_problem(input: Tensor, theta: Tensor, rule: Packing, mode: str, border: int) -> Any:
    if input.is_cuda:
        from . import torch_cuda

        return torch_cuda.theta_problem(input, theta, rule, mode, border)
    return problem(input, rule.pipeline(theta.detach().double().flatten(1).numpy()), engine.NO_GRID, mode, border)


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
