"""PyTorch's names of sampling and padding modes, in the kernels' terms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import engine
from ..kernels.stages import Pipeline
from ..kernels.taps import BICUBIC, BILINEAR, CONSTANT, EDGE, NEAREST, REFLECT, SYMMETRIC

BICUBIC_SLOPE = -0.75  # PyTorch's kernel, see kernels.taps.cubic_weights

_MODES = {"bilinear": BILINEAR, "nearest": NEAREST, "bicubic": BICUBIC}
_PADDINGS = ("zeros", "border", "reflection")


def check_options(mode: str, padding_mode: str) -> None:
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {tuple(_MODES)}, got {mode!r}")
    if padding_mode not in _PADDINGS:
        raise ValueError(f"padding_mode must be one of {_PADDINGS}, got {padding_mode!r}")


def interpolation_code(mode: str) -> int:
    """The kernels' number for an interpolation."""
    return _MODES[mode]


def border_mode(padding_mode: str, align_corners: bool) -> int:
    """The kernels' rule for taps that is PyTorch's padding."""
    return {"zeros": CONSTANT, "border": EDGE, "reflection": REFLECT if align_corners else SYMMETRIC}[padding_mode]


def sampling_problem(images: NDArray[Any], pipeline: Pipeline, grid: NDArray[Any], mode: str, border: int) -> engine.Problem:
    """For images (N, planes, H, W, C), float32 or float64, with zeros outside."""
    no_fill = np.zeros(images.shape[4], images.dtype)
    return engine.Problem(images, pipeline, grid, interpolation_code(mode), border, no_fill, BICUBIC_SLOPE)
