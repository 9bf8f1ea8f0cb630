"""PyTorch's names of sampling and padding modes, in the kernels' terms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..interpolations import Kernel
from ..kernels.stages import Pipeline
from ..kernels.taps import BILINEAR, CONSTANT, CUBIC, EDGE, NEAREST, REFLECT, SYMMETRIC

BICUBIC_PHI = (0.0, 0.75)  # PyTorch's kernel, Keys's with a = -3/4; see kernels.weights

_MODES = {"bilinear": BILINEAR, "nearest": NEAREST, "bicubic": CUBIC}
_PADDINGS = ("zeros", "border", "reflection")


def check_options(mode: str, padding_mode: str) -> None:
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {tuple(_MODES)}, got {mode!r}")
    if padding_mode not in _PADDINGS:
        raise ValueError(f"padding_mode must be one of {_PADDINGS}, got {padding_mode!r}")


def kernel_of(mode: str) -> Kernel:
    """The kernel of an interpolation."""
    return Kernel(_MODES[mode], BICUBIC_PHI if mode == "bicubic" else ())


def border_mode(padding_mode: str, align_corners: bool) -> int:
    """The kernels' rule for taps that is PyTorch's padding."""
    return {"zeros": CONSTANT, "border": EDGE, "reflection": REFLECT if align_corners else SYMMETRIC}[padding_mode]


def sampling_problem(images: NDArray[Any], pipeline: Pipeline, grid: NDArray[Any], mode: str, border: int) -> engine.Problem:
    """For images (N, planes, H, W, C), float32 or float64, with zeros outside."""
    no_fill = np.zeros(images.shape[4], images.dtype)
    kernel = kernel_of(mode)
    return engine.Problem(images, pipeline, grid, kernel.code, border, no_fill, kernel.phi)
