"""Sampling by kernels of more than two taps, and its derivative, for the tiles and strips of :mod:`cpu`, :mod:`cpu_pull` and
:mod:`cpu_scatter`.

``kernel`` is a tuple of the kernel's numbers, see :mod:`weights`, and of the range that results are clipped to, which may
overshoot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from .compiling import inlined, pick, row_loop
from .cubic_blocks import cubic_fixed_run, sample_cubic_blocks
from .taps import share, tap, tap_index, to_pixel
from .weights import point_taps, tap_slopes, tap_weights


@inlined
def sum_inside(source, at, pitch, step, weights_x, weights_y):
    """The weighted sum over taps that are all pixels of the source, the first of which is at ``at``."""
    real = type(weights_x[0])
    total = real(0)
    for m in range(len(weights_y)):
        line = real(0)
        for q in range(len(weights_x)):
            line += share(pick(weights_x, q), real(source[at + np.uint64(m) * pitch + np.uint64(q) * step]))
        total += share(pick(weights_y, m), line)
    return total


@inlined
def sum_at_border(source, first, rows, columns, pitch, step, channel, weights_x, weights_y, cval):
    """The weighted sum over taps that have been through the border rule.

    Where all are pixels, it has the bits of :func:`sum_inside`.
    """
    total = type(cval)(0)
    for m in range(len(weights_y)):
        line = type(cval)(0)
        for q in range(len(weights_x)):
            line += share(
                pick(weights_x, q), tap(source, first, tap_index(pick(rows, m), pick(columns, q), pitch, step), channel, cval)
            )
        total += share(pick(weights_y, m), line)
    return total


@inlined
def clip(value, lowest, highest):
    """A value within a range; NaN stays."""
    value = lowest if value < lowest else value
    return highest if value > highest else value


def separable_sample_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, lead, row_step,
):  # fmt: skip
    """Sample all planes at points that are all inside or all at the border; cubic kernels of some types in blocks."""
    sample = _choose_run(len(kernel[0]), source.dtype == np.uint8, source.dtype == np.float32)
    sample(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
        is_inside, height, width, channels, mode, cval, lead, row_step,
    )  # fmt: skip


@overload(separable_sample_run, jit_options={"nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True})
def _overload_sample_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, lead, row_step,
):  # fmt: skip
    return _choose_run(len(kernel[0]), source.dtype is types.uint8, source.dtype is types.float32).py_func


@inlined
def plain_sample_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, lead, row_step,
):  # fmt: skip
    """As :func:`separable_sample_run`, in the type of the computation."""
    sample_points(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers[0], buffers[1], start, stop,
        is_inside, height, width, channels, mode, cval,
    )  # fmt: skip


@inlined
def cubic_float_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, lead, row_step,
):  # fmt: skip
    """As :func:`plain_sample_run`, bit for bit."""
    if is_inside and sample_cubic_blocks(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
        height, width, channels, lead, row_step,
    ):  # fmt: skip
        return
    plain_sample_run(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
        is_inside, height, width, channels, mode, cval, lead, row_step,
    )  # fmt: skip


def _choose_run(numbers: int, is_8_bit: bool, is_float32: bool) -> Any:
    """The function for a kernel of so many numbers."""
    if numbers == 2 and (is_8_bit or is_float32):
        return cubic_fixed_run if is_8_bit else cubic_float_run
    return plain_sample_run


@row_loop
def sample_points(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, xs, ys, start, stop,
    is_inside, height, width, channels, mode, cval,
):  # fmt: skip
    phi, lowest, highest = kernel
    real = type(lowest)
    step, pitch = np.uint64(channels), np.uint64(width * channels)
    for k in range(start, stop):
        left, top, t, s, columns, rows = point_taps(xs[k], ys[k], height, width, mode, phi)
        weights_x, weights_y = tap_weights(real(t), phi), tap_weights(real(s), phi)
        for p in range(planes):
            plane = from_here + p * source_size
            for c in range(channels):
                if is_inside:
                    at = np.uint64(plane + (top * width + left) * channels + c)
                    value = sum_inside(source, at, pitch, step, weights_x, weights_y)
                else:
                    value = sum_at_border(
                        source, plane, rows, columns, width * channels, channels, c, weights_x, weights_y, cval[c]
                    )
                target[to_here + p * target_size + k * channels + c] = to_pixel(clip(value, lowest, highest), target[0])


@row_loop
def separable_slope_run(
    kernel, source, from_here, source_size, grad, grad_at, grad_size, planes, xs, ys, gx, gy,
    start, stop, height, width, channels, mode, cval,
):  # fmt: skip
    """Add to (gx, gy) the output gradient times the slopes of all planes, at any points."""
    phi = kernel[0]
    real = type(phi[0])
    for k in range(start, stop):
        _, _, t, s, columns, rows = point_taps(xs[k], ys[k], height, width, mode, phi)
        weights_x, weights_y = tap_weights(real(t), phi), tap_weights(real(s), phi)
        slopes_x, slopes_y = tap_slopes(real(t), phi), tap_slopes(real(s), phi)
        for p in range(planes):
            plane = from_here + p * source_size
            for c in range(channels):
                slope_x = sum_at_border(
                    source, plane, rows, columns, width * channels, channels, c, slopes_x, weights_y, cval[c]
                )
                slope_y = sum_at_border(
                    source, plane, rows, columns, width * channels, channels, c, weights_x, slopes_y, cval[c]
                )
                g = grad[grad_at + p * grad_size + k * channels + c]
                gx[k] += g * slope_x
                gy[k] += g * slope_y


@row_loop
def separable_scatter_run(
    kernel, target, to_here, target_size, grad, grad_at, grad_size,
    planes, xs, ys, start, stop, height, width, channels, mode, owned_from, owned_to,
):  # fmt: skip
    """The adjoint of sampling all planes at any points, for the taps that this strip owns."""
    phi = kernel[0]
    real = type(phi[0])
    for k in range(start, stop):
        _, _, t, s, columns, rows = point_taps(xs[k], ys[k], height, width, mode, phi)
        weights_x, weights_y = tap_weights(real(t), phi), tap_weights(real(s), phi)
        for m in range(len(weights_y)):
            for q in range(len(weights_x)):
                index = tap_index(pick(rows, m), pick(columns, q), width * channels, channels)
                weight = pick(weights_y, m) * pick(weights_x, q)
                if weight != 0 and owned_from <= index < owned_to:
                    for p in range(planes):
                        for c in range(channels):
                            g = grad[grad_at + p * grad_size + k * channels + c]
                            target[to_here + p * target_size + index + c] += weight * g
