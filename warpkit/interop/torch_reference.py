"""``grid_sample`` in plain PyTorch operations, which its second derivatives are taken of; PyTorch's rules for coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..conventions import scale_and_offset
from ..kernels.weights import cubic_weights
from .options import BICUBIC_PHI

_FAR = 1e30


def finite(grid: Tensor, padding_mode: str) -> Tensor:
    """PyTorch reads NaN as -1 and infinity as far away; where everything outside is zero, NaN is there."""
    return grid.nan_to_num(_FAR if padding_mode == "zeros" else -1.0, _FAR, -_FAR)


def pixel_points(grid: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Normalised points (..., 2) in pixels of an input of ``size`` (..., H, W)."""
    scale = grid.new_tensor([scale_and_offset(n, align_corners)[0] for n in (size[-1], size[-2])])
    points = (grid + 1) * scale  # PyTorch's order: so points half-way between two pixels are rounded to the same one
    return points if align_corners else points - 0.5


def folded(points: Tensor, size: Sequence[int], padding_mode: str, align_corners: bool) -> tuple[Tensor, Tensor]:
    """Points brought into the picture as ``padding_mode`` says, and the slope of that along each axis: 1, -1 or 0."""
    if padding_mode == "zeros":
        return points, torch.ones_like(points)
    limit = points.new_tensor([size[-1] - 1, size[-2] - 1])
    slope = torch.ones_like(points)
    if padding_mode == "reflection":
        low = torch.zeros_like(limit) if align_corners else torch.full_like(limit, -0.5)
        span = limit if align_corners else limit + 1
        away = points - low
        slope = torch.where(away < 0, -slope, slope)
        away = away.abs()
        safe = torch.where(span > 0, span, torch.ones_like(span))
        flips = torch.floor(away / safe)
        rest = away - flips * safe
        odd = flips % 2 == 1
        points = torch.where(span > 0, torch.where(odd, span - rest, rest) + low, torch.zeros_like(points))
        slope = torch.where(odd, -slope, slope)
    inside = (points > 0) & (points < limit)
    return torch.minimum(points.clamp(min=0), limit), torch.where(inside, slope, torch.zeros_like(slope))


def grid_sample_reference(input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool) -> Tensor:
    """The same values as ``grid_sample``, from operations that PyTorch can differentiate twice."""
    size = input.shape
    points = pixel_points(finite(grid, padding_mode), size, align_corners)
    if mode == "bicubic":
        return _bicubic(input, points, padding_mode, align_corners)
    brought, slope = folded(points.detach(), size, padding_mode, align_corners)
    points = brought + slope * (points - points.detach())
    if mode == "nearest":
        column, row = points.detach().round().unbind(-1)
        return _gather(input, column, row)
    corner = points.detach().floor()
    weight_x, weight_y = (points - corner).unsqueeze(1).unbind(-1)
    left, top = corner.unbind(-1)
    above = _gather(input, left, top) * (1 - weight_x) + _gather(input, left + 1, top) * weight_x
    below = _gather(input, left, top + 1) * (1 - weight_x) + _gather(input, left + 1, top + 1) * weight_x
    return above * (1 - weight_y) + below * weight_y


def _bicubic(input: Tensor, points: Tensor, padding_mode: str, align_corners: bool) -> Tensor:
    """The padding rule goes to each tap, not to the point."""
    corner = points.detach().floor()
    weights_x, weights_y = (cubic_weights(t, BICUBIC_PHI) for t in (points - corner).unbind(-1))
    total = input.new_zeros(())
    for row in range(4):
        for column in range(4):
            tap = corner + corner.new_tensor([column - 1, row - 1])
            tap, _ = folded(tap, input.shape, padding_mode, align_corners)
            weight = weights_x[column] * weights_y[row]
            total = total + weight.unsqueeze(1) * _gather(input, *tap.unbind(-1))
    return total


def _gather(input: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Pixels (N, C, rows, columns) at whole coordinates (N, rows, columns); zero outside."""
    count, channels, height, width = input.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = torch.where(inside, row.clamp(0, height - 1) * width + column.clamp(0, width - 1), torch.zeros_like(row)).long()
    flat = index.reshape(count, 1, -1).expand(-1, channels, -1)
    values = input.reshape(count, channels, -1).gather(2, flat).reshape(count, channels, *column.shape[1:])
    return values * inside.unsqueeze(1)
