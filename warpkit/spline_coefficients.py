"""Images as the coefficients of a cubic B-spline that goes through their pixels, computed once, before they are sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import checks, pixels
from .kernels.spline_filter import COLUMNS_TOGETHER, filter_columns, filter_rows
from .kernels.stages import frozen
from .kernels.taps import CONSTANT
from .threads import run_ranges

_NANOSECONDS_PER_VALUE = 3.0


def coefficients(name: str, images: NDArray[Any], mode: int, fill: NDArray[Any]) -> NDArray[Any]:
    """A new array (N, H, W, C) of the working type for images of a carrier type; outside there are ``fill`` (C,) or what the
    border rule says."""
    if mode == CONSTANT and np.isnan(fill).any():
        raise ValueError("cval must be finite under mode 'constant' for a spline, whose coefficients would all be NaN")
    working = pixels.working_type(images.dtype)
    checks.fits_in_memory(f"{name}: its spline coefficients", images.size * np.dtype(working).itemsize)
    values = np.array(images, dtype=working, order="C")
    _filter(values, mode, fill, is_adjoint=False)
    return values


def pull_coefficients(grads: NDArray[Any], mode: int) -> None:
    """Turn the gradient of coefficients (N, H, W, C) into that of the images, in place."""
    _filter(grads, mode, np.zeros(grads.shape[3], grads.dtype), is_adjoint=True)


def _filter(values: NDArray[Any], mode: int, fill: NDArray[Any], *, is_adjoint: bool) -> None:
    count, height, width, channels = values.shape
    arguments = (values, mode, frozen(fill), is_adjoint)
    each = _NANOSECONDS_PER_VALUE * channels
    run_ranges(lambda first, last: filter_rows(*arguments, first, last), count * height, each * width)
    groups = count * -(-width // COLUMNS_TOGETHER)
    run_ranges(lambda first, last: filter_columns(*arguments, first, last), groups, each * height * COLUMNS_TOGETHER)
