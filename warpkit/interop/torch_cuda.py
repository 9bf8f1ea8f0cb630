"""The PyTorch interop's problems on CUDA tensors: the kernels read and write them in place, on the current stream.

Not yet run on a device: see docs/cuda.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import cuda_engine, gpu_arrays
from ..cuda_engine import Packed, Problem
from ..kernels.cuda_target import Memory
from ..kernels.stages import Pipeline
from ..thetas import Packing
from .options import kernel_of


class Pulled(NamedTuple):
    """Gradients; None where not asked for."""

    params: Tensor | None  # (N, length of the packed parameters) float64
    grid: Tensor | None  # (N, rows, columns, 2)


def grid_problem(input: Tensor, pipeline: Pipeline, points: Tensor, mode: str, border: int) -> Problem:
    """For points (N, rows, columns, 2), which go through the pipeline."""
    source = _image(input)
    grid = gpu_arrays.memory("grid", points.detach().contiguous())
    return _problem(source, cuda_engine.on_device(pipeline, source), grid, mode, border)


def theta_problem(input: Tensor, theta: Tensor, rule: Packing, mode: str, border: int) -> Problem:
    """For theta (N, ...) on the device, where it stays."""
    flat = theta.detach().double().flatten(1)
    matrix, fixed = (torch.as_tensor(array, device=theta.device) for array in (rule.matrix, rule.fixed))
    table = np.array([[rule.kind, 0]])
    head = torch.tensor(table.reshape(-1), dtype=torch.float64, device=theta.device)
    numbers = torch.cat([head, (flat @ matrix.T + fixed).flatten(), head[:1]])
    length = len(rule.fixed)
    packed = Packed(gpu_arrays.memory("theta", numbers), table, len(theta), np.arange(length), length)
    return _problem(_image(input), packed, None, mode, border)


def sampled(job: Problem, input: Tensor, rows: int, columns: int, layout: torch.memory_format) -> Tensor:
    """The output, in the input's layout."""
    shape = (*input.shape[:2], rows, columns)
    out = torch.empty(shape, dtype=input.dtype, device=input.device, memory_format=layout)
    cuda_engine.forward(job, _image(out))
    return out


def pull(
    job: Problem, grad: Tensor, input: Tensor, want_input: bool, *, params: bool, grid: bool, layout: torch.memory_format
) -> tuple[Tensor | None, Pulled]:
    """The input's gradient, in the input's layout, and the others; the same bits in every run."""
    grads, grad_input, grad_params, grad_grid = _image(grad), None, None, None
    if want_input:
        grad_input = torch.empty_like(input, memory_format=layout)
        target = _image(grad_input)
        cuda_engine.image_gradient(job, grads, target, target.strides, deterministic=True)
    if params:
        totals = cuda_engine.params_gradient(job, grads, deterministic=True)[0]
        grad_params = None if totals is None else totals.owner
    if grid:
        grad_grid = torch.empty((len(input), *grad.shape[2:], 2), dtype=input.dtype, device=input.device)
        cuda_engine.points_gradient(job, grads, gpu_arrays.memory("gradient", grad_grid))
    return grad_input, Pulled(grad_params, grad_grid)


def _image(tensor: Tensor) -> Memory:
    """A tensor (N, C, H, W) as kernels take it, (N, H, W, C), whatever its layout."""
    return gpu_arrays.memory("input", tensor.detach().permute(0, 2, 3, 1))


def _problem(source: Memory, packed: Packed, points: Memory | None, mode: str, border: int) -> Any:
    kernel = kernel_of(mode)
    return Problem(source, packed, points, kernel.code, border, 0.0, kernel.phi)
