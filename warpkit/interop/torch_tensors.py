"""Tensors and kernels: which tensors are taken, as which arrays, and tensors of the results; for :mod:`torch`'s operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from .. import engine
from ..kernels.stages import Pipeline
from .options import sampling_problem

HALF = (torch.float16, torch.bfloat16)


def problem(input: Tensor, pipeline: Pipeline, grid: NDArray[Any], mode: str, border: int) -> engine.Problem:
    """What is to be sampled from a tensor on the CPU."""
    return sampling_problem(image_of(input, layout_of(input)), pipeline, grid, mode, border)


def sampled(job: Any, input: Tensor, rows: int, columns: int) -> Tensor:
    """The output, in the input's layout. NumPy's memory comes in large pages, which saves more than the sampling costs."""
    if input.is_cuda:
        from . import torch_cuda

        return torch_cuda.sampled(job, input, rows, columns, layout_of(input))
    count, planes, _, _, channels = job.images.shape
    out = np.empty((count, planes, rows, columns, channels), job.images.dtype)
    engine.forward(job, out)
    return tensor_of(out, layout_of(input))


def pull(job: Any, grad: Tensor, input: Tensor, want_input: bool, *, params: bool, grid: bool) -> tuple[Tensor | None, Any]:
    """The input's gradient, in the input's layout, and the others."""
    if input.is_cuda:
        from . import torch_cuda

        return torch_cuda.pull(job, grad, input, want_input, params=params, grid=grid, layout=layout_of(input))
    found, pulled = engine.gradients(job, image_of(grad, layout_of(input)), images=want_input, params=params, grid=grid)
    return None if found is None else tensor_of(found, layout_of(input)), pulled


def layout_of(input: Tensor) -> torch.memory_format:
    """Which of the two layouts kernels take is the tensor's; any other is copied."""
    is_other = not input.is_contiguous() and input.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_other else torch.contiguous_format


def image_of(tensor: Tensor, layout: torch.memory_format) -> NDArray[Any]:
    """A tensor (N, C, H, W) as kernels take it: C planes, or one with interleaved channels."""
    tensor = tensor.detach().contiguous(memory_format=layout)
    return tensor.permute(0, 2, 3, 1).numpy()[:, None] if layout is torch.channels_last else tensor.numpy()[..., None]


def tensor_of(images: NDArray[Any], layout: torch.memory_format) -> Tensor:
    """Undoes :func:`image_of`."""
    tensor = torch.from_numpy(images)
    return tensor[:, 0].permute(0, 3, 1, 2) if layout is torch.channels_last else tensor[..., 0]


def empty_output(input: Tensor, rows: int, columns: int) -> Tensor:
    """Memory for the output, in the input's layout."""
    shape = (*input.shape[:2], rows, columns)
    return torch.empty(shape, dtype=input.dtype, device=input.device, memory_format=layout_of(input))


def zeros_like(input: Tensor) -> Tensor:
    """Zeros in the input's layout."""
    return torch.zeros_like(input, memory_format=layout_of(input))


def check_tangents(*tensors: Tensor) -> None:
    """Operators without a rule for forward mode would drop tangents without a word."""
    if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
        raise NotImplementedError("forward-mode derivatives are not implemented; use torch.autograd.grad or backward")


def check_input(input: Tensor) -> None:
    """Refuse what operators do not take."""
    check_tensor("input", input)
    if input.device.type not in ("cpu", "cuda"):
        raise TypeError(f"input must be on the CPU or a CUDA device, got a tensor on {input.device}")
    if input.ndim != 4 or 0 in input.shape[2:]:
        raise ValueError(f"input must have shape (N, C, H, W), H and W positive, got {tuple(input.shape)}")
    if input.dtype not in (torch.float32, torch.float64, *HALF):
        raise TypeError(f"input must be a floating tensor, got {input.dtype}")


def check_tensor(name: str, value: Any) -> None:
    """Refuse what is not a tensor with a number at each place, such as NumPy's arrays, lists and sparse tensors."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if value.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got one of layout {value.layout}")


def check_floating(name: str, value: Any) -> None:
    """Refuse what is not a floating tensor."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be a floating tensor, got {value.dtype}")


def check_companion(name: str, tensor: Tensor, input: Tensor) -> None:
    """Refuse what is not a floating tensor where the input is."""
    check_floating(name, tensor)
    if tensor.device != input.device:
        raise TypeError(f"{name} must be on input's device {input.device}, got a tensor on {tensor.device}")
