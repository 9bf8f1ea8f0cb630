"""Bicubic sampling and its derivative, for the tiles and strips of :mod:`cpu`, :mod:`cpu_pull` and :mod:`cpu_scatter`.

Four taps along each axis, separable weights; all points go through the border rule. ``cubic`` holds the kernel's parameter, see
:func:`warpkit.kernels.taps.cubic_weights`, and the range that results, which may overshoot, are clipped to.
"""

from __future__ import annotations

import numpy as np

from .compiling import inlined, row_loop
from .taps import cubic_slopes, cubic_start, cubic_taps, cubic_weights, share, tap, tap_index, to_pixel


@inlined
def weigh(weights, a, b, c, d):
    """Four neighbours by their weights."""
    return share(weights[0], a) + share(weights[1], b) + share(weights[2], c) + share(weights[3], d)


@inlined
def four_inside(source, at, step, real):
    """Four neighbouring pixels of a source row."""
    return real(source[at]), real(source[at + step]), real(source[at + 2 * step]), real(source[at + 3 * step])


@inlined
def four_at_border(source, first, row, columns, pitch, step, channel, cval):
    """Four pixels that have been through the border rule, of one row that has."""
    return (
        tap(source, first, tap_index(row, columns[0], pitch, step), channel, cval),
        tap(source, first, tap_index(row, columns[1], pitch, step), channel, cval),
        tap(source, first, tap_index(row, columns[2], pitch, step), channel, cval),
        tap(source, first, tap_index(row, columns[3], pitch, step), channel, cval),
    )


@row_loop
def cubic_sample_run(
    cubic, source, from_here, source_size, target, to_here, target_size, planes, xs, ys, start, stop,
    is_inside, height, width, channels, mode, cval,
):  # fmt: skip
    """Bicubic sampling of all planes at points that are all inside or all at the border."""
    a, lowest, highest = cubic
    real = type(a)
    step, pitch = np.uint64(channels), np.uint64(width * channels)
    for k in range(start, stop):
        left, t = cubic_start(xs[k], width, mode)
        top, s = cubic_start(ys[k], height, mode)
        weights_x, weights_y = cubic_weights(real(t), a), cubic_weights(real(s), a)
        columns, rows = cubic_taps(left, width, mode), cubic_taps(top, height, mode)
        for p in range(planes):
            plane = from_here + p * source_size
            for c in range(channels):
                if is_inside:
                    at = np.uint64(plane + (top * width + left) * channels + c)
                    value = weigh(
                        weights_y,
                        weigh(weights_x, *four_inside(source, at, step, real)),
                        weigh(weights_x, *four_inside(source, at + pitch, step, real)),
                        weigh(weights_x, *four_inside(source, at + 2 * pitch, step, real)),
                        weigh(weights_x, *four_inside(source, at + 3 * pitch, step, real)),
                    )
                else:
                    value = weigh(
                        weights_y,
                        weigh(
                            weights_x, *four_at_border(source, plane, rows[0], columns, width * channels, channels, c, cval[c])
                        ),
                        weigh(
                            weights_x, *four_at_border(source, plane, rows[1], columns, width * channels, channels, c, cval[c])
                        ),
                        weigh(
                            weights_x, *four_at_border(source, plane, rows[2], columns, width * channels, channels, c, cval[c])
                        ),
                        weigh(
                            weights_x, *four_at_border(source, plane, rows[3], columns, width * channels, channels, c, cval[c])
                        ),
                    )
                value = lowest if value < lowest else value
                value = highest if value > highest else value
                target[to_here + p * target_size + k * channels + c] = to_pixel(value, source[0])


@row_loop
def cubic_slope_run(
    cubic, source, from_here, source_size, grad, grad_at, grad_size, planes, xs, ys, gx, gy,
    start, stop, height, width, channels, mode, cval,
):  # fmt: skip
    """Add to (gx, gy) the output gradient times the slopes of all planes, at any points."""
    a = cubic[0]
    real = type(a)
    for k in range(start, stop):
        left, t = cubic_start(xs[k], width, mode)
        top, s = cubic_start(ys[k], height, mode)
        columns, rows = cubic_taps(left, width, mode), cubic_taps(top, height, mode)
        weights_x, weights_y = cubic_weights(real(t), a), cubic_weights(real(s), a)
        slopes_x, slopes_y = cubic_slopes(real(t), a), cubic_slopes(real(s), a)
        for p in range(planes):
            plane = from_here + p * source_size
            for c in range(channels):
                first = four_at_border(source, plane, rows[0], columns, width * channels, channels, c, cval[c])
                second = four_at_border(source, plane, rows[1], columns, width * channels, channels, c, cval[c])
                third = four_at_border(source, plane, rows[2], columns, width * channels, channels, c, cval[c])
                fourth = four_at_border(source, plane, rows[3], columns, width * channels, channels, c, cval[c])
                slope_x = weigh(
                    weights_y, weigh(slopes_x, *first), weigh(slopes_x, *second), weigh(slopes_x, *third),
                    weigh(slopes_x, *fourth),
                )  # fmt: skip
                slope_y = weigh(
                    slopes_y, weigh(weights_x, *first), weigh(weights_x, *second), weigh(weights_x, *third),
                    weigh(weights_x, *fourth),
                )  # fmt: skip
                g = grad[grad_at + p * grad_size + k * channels + c]
                gx[k] += g * slope_x
                gy[k] += g * slope_y


@row_loop
def cubic_scatter_run(
    cubic, target, to_here, target_size, grad, grad_at, grad_size,
    planes, xs, ys, start, stop, height, width, channels, mode, owned_from, owned_to,
):  # fmt: skip
    """The adjoint of sampling all planes at any points, for the taps that this strip owns."""
    a = cubic[0]
    real = type(a)
    for k in range(start, stop):
        left, t = cubic_start(xs[k], width, mode)
        top, s = cubic_start(ys[k], height, mode)
        columns, rows = cubic_taps(left, width, mode), cubic_taps(top, height, mode)
        weights_x, weights_y = cubic_weights(real(t), a), cubic_weights(real(s), a)
        for m in range(4):
            for q in range(4):
                index = tap_index(rows[m], columns[q], width * channels, channels)
                weight = weights_y[m] * weights_x[q]
                if weight != 0 and owned_from <= index < owned_to:
                    for p in range(planes):
                        for c in range(channels):
                            g = grad[grad_at + p * grad_size + k * channels + c]
                            target[to_here + p * target_size + index + c] += weight * g
