"""The CPU driver of the derivative by the image: the output gradient, scattered to the pixels that it came from.

Each call owns a strip of source rows and visits the output rows that reach it, writing only the taps it owns; so each source
pixel receives its sums in output order whatever the number of strips, and the result is the same to the bit for any number of
threads.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop
from .rows import (
    BEYOND,
    INSIDE,
    PREFETCH_ROWS,
    TILE_COLUMNS,
    TILE_ROWS,
    border_row,
    classify,
    is_straight,
    lead_of,
    map_row,
    prefetch_row,
    row_buffers,
    run_end,
    sampling_extent,
    split_row,
)
from .separable import separable_scatter_run
from .taps import BILINEAR, nearest_tap


@driver
def scatter_strips(
    grad_images, grad_out, grid, table, params, below_one, interpolation, mode, kernel, strips, reached, first, last
):  # fmt: skip
    """Add the output gradient to the image gradient, for strips ``first`` to ``last``, counted image by image.

    ``grad_images`` (N, planes, H, W, C) starts at zero; ``reached`` as :mod:`cpu_pull` leaves it, or empty
    for one strip.
    """
    scatter_each_strip(
        grad_images, grad_out, grid, table, params, below_one, interpolation, mode, kernel, strips, reached,
        row_buffers(below_one), first, last,
    )  # fmt: skip
    return 0


@row_loop
def scatter_each_strip(
    grad_images, grad_out, grid, table, params, below_one, interpolation, mode, kernel, strips, reached, buffers, first, last
):  # fmt: skip
    _, planes, height, width, channels = grad_images.shape
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    target, grad = grad_images.reshape(-1), grad_out.reshape(-1)
    target_size, grad_size = height * width * channels, rows * columns * channels
    tiles_across = -(-columns // TILE_COLUMNS)
    xs, ys, region = buffers[0], buffers[1], buffers[7]
    straight = is_straight(grid, table)
    low, high, reach = sampling_extent(interpolation)
    for strip in range(first, last):
        n = strip // strips
        top, bottom = height * (strip % strips) // strips, height * (strip % strips + 1) // strips - 1
        owned_from, owned_to = top * width * channels, (bottom + 1) * width * channels
        params_row = params[n if params.shape[0] > 1 else 0]
        for tile in range(-(-rows // TILE_ROWS) * tiles_across):
            across = tile % tiles_across
            column_start = across * TILE_COLUMNS
            count = min(TILE_COLUMNS, columns - column_start)
            row_start = tile // tiles_across * TILE_ROWS
            x_before, y_before = math.nan, math.nan
            for row in range(row_start, min(rows, row_start + TILE_ROWS)):
                owns_all = strips == 1
                if not owns_all:
                    highest, lowest = reached[n, row, across, 0], reached[n, row, across, 1]
                    if lowest < top or highest > bottom:
                        continue
                    owns_all = highest >= top and lowest <= bottom
                map_row(grid, n, row, column_start, count, table, params_row, xs, ys, buffers[8], buffers[9])
                lead = lead_of(
                    PREFETCH_ROWS * (xs[count // 2] - x_before),
                    PREFETCH_ROWS * (ys[count // 2] - y_before),
                    planes * target_size,
                    width,
                    channels,
                )
                x_before, y_before = xs[count // 2], ys[count // 2]
                inner, beyond = classify(xs, ys, count, region, low, high, reach, width, height, mode, straight)
                to_here = n * planes * target_size
                grad_at = n * planes * grad_size + (row * columns + column_start) * channels
                start = np.int64(0)
                while start < count:
                    stop = count if inner == count or beyond == count else run_end(region, start, count)
                    if region[start] == BEYOND:
                        start = stop
                        continue
                    scatter_run(
                        kernel, target, to_here, target_size, grad, grad_at, grad_size, planes, buffers, xs, ys,
                        start, stop, owns_all and region[start] == INSIDE, height, width, channels, mode, below_one,
                        interpolation, owned_from, owned_to, lead,
                    )  # fmt: skip
                    start = stop


@inlined
def scatter_run(
    kernel, target, to_here, target_size, grad, grad_at, grad_size, planes, buffers, xs, ys, start, stop,
    is_simple, height, width, channels, mode, below_one, interpolation, owned_from, owned_to, lead,
):  # fmt: skip
    """The adjoint of sampling all planes; simple points are inner ones of a strip that owns all their taps."""
    if kernel is None:
        linear_scatter_run(
            target, to_here, target_size, grad, grad_at, grad_size, planes, buffers, xs, ys, start, stop,
            is_simple, height, width, channels, mode, below_one, interpolation, owned_from, owned_to, lead,
        )  # fmt: skip
    else:
        separable_scatter_run(
            kernel, target, to_here, target_size, grad, grad_at, grad_size, planes, xs, ys, start, stop,
            height, width, channels, mode, owned_from, owned_to,
        )  # fmt: skip


@inlined
def linear_scatter_run(
    target, to_here, target_size, grad, grad_at, grad_size, planes, buffers, xs, ys, start, stop,
    is_simple, height, width, channels, mode, below_one, interpolation, owned_from, owned_to, lead,
):  # fmt: skip
    """As :func:`scatter_run`, nearest or bilinear."""
    _, _, i, j, weights_x, weights_y, taps = buffers[:7]
    if interpolation != BILINEAR:
        nearest_taps_row(xs, ys, start, stop, height, width, channels, mode, taps[0])
    elif is_simple:
        split_row(xs, ys, start, stop, i, j, weights_x, weights_y, below_one)
    else:
        border_row(xs, ys, start, stop, height, width, channels, mode, below_one, taps, weights_x, weights_y)
    p = np.int64(0)
    while p < planes:
        # three sums at a time, each of which waits for its last
        together = 3 if is_simple and interpolation == BILINEAR and channels == 1 and planes - p >= 3 else 1
        if interpolation != BILINEAR:
            nearest_scatter_row(target, to_here, grad, grad_at, taps[0], start, stop, channels, owned_from, owned_to)
        elif is_simple:
            for q in range(together):
                prefetch_row(target, to_here + q * target_size, i, j, start, stop, width, channels, lead)
            scatter_row(
                target, to_here, target_size, grad, grad_at, grad_size, together,
                i, j, weights_x, weights_y, start, stop, width, channels,
            )  # fmt: skip
        else:
            border_scatter_row(
                target, to_here, grad, grad_at, taps, weights_x, weights_y, start, stop, channels, owned_from, owned_to
            )
        to_here += together * target_size
        grad_at += together * grad_size
        p += together


@row_loop
def scatter_row(
    target, to_here, target_size, grad, grad_at, grad_size, planes, i, j, weights_x, weights_y, start, stop, width, channels
):  # fmt: skip
    """The adjoint of bilinear sampling, for simple points of three planes of one channel or one plane of any."""
    if channels == 1 and planes == 3:
        scatter_span(
            target, to_here, target_size, grad, grad_at, grad_size, 3, i, j, weights_x, weights_y, start, stop, width, 1
        )
    elif channels == 1:
        scatter_span(target, to_here, 1, grad, grad_at, 1, 1, i, j, weights_x, weights_y, start, stop, width, 1)
    elif channels == 3:
        scatter_span(target, to_here, 1, grad, grad_at, 1, 3, i, j, weights_x, weights_y, start, stop, width, 3)
    else:
        scatter_span(target, to_here, 1, grad, grad_at, 1, channels, i, j, weights_x, weights_y, start, stop, width, channels)


@inlined
def scatter_span(
    target, to_here, target_stride, grad, grad_at, grad_stride, values, i, j, weights_x, weights_y, start, stop, width, channels
):  # fmt: skip
    """``values`` to a pixel, the strides apart."""
    step = np.uint64(channels)
    pitch = np.uint64(width) * step
    one = type(weights_x[start])(1)
    for k in range(np.uint64(start), np.uint64(stop)):
        here = np.uint64(to_here) + np.uint64(i[k]) * pitch + np.uint64(j[k]) * step
        there = np.uint64(grad_at) + k * step
        weight_x, weight_y = weights_x[k], weights_y[k]
        for c in range(values):
            g = grad[there + np.uint64(c) * np.uint64(grad_stride)]
            at = here + np.uint64(c) * np.uint64(target_stride)
            below = g * weight_y
            above = g * (one - weight_y)
            target[at] += above * (one - weight_x)
            target[at + step] += above * weight_x
            target[at + pitch] += below * (one - weight_x)
            target[at + pitch + step] += below * weight_x


@row_loop
def border_scatter_row(
    target, to_here, grad, grad_at, taps, weights_x, weights_y, start, stop, channels, owned_from, owned_to
):  # fmt: skip
    """The adjoint of bilinear sampling anywhere, for the taps that this strip owns; one outside belongs to none."""
    top_left, top_right, bottom_left, bottom_right = taps
    one = type(weights_x[start])(1)
    for k in range(start, stop):
        for c in range(channels):
            g = grad[grad_at + k * channels + c]
            below = g * weights_y[k]
            above = g * (one - weights_y[k])
            if owned_from <= top_left[k] < owned_to:
                target[to_here + top_left[k] + c] += above * (one - weights_x[k])
            if owned_from <= top_right[k] < owned_to:
                target[to_here + top_right[k] + c] += above * weights_x[k]
            if owned_from <= bottom_left[k] < owned_to:
                target[to_here + bottom_left[k] + c] += below * (one - weights_x[k])
            if owned_from <= bottom_right[k] < owned_to:
                target[to_here + bottom_right[k] + c] += below * weights_x[k]


@row_loop
def nearest_taps_row(xs, ys, start, stop, height, width, channels, mode, taps):
    for k in range(start, stop):
        taps[k] = nearest_tap(xs[k], ys[k], height, width, channels, mode)


@row_loop
def nearest_scatter_row(target, to_here, grad, grad_at, taps, start, stop, channels, owned_from, owned_to):
    """The adjoint of nearest sampling, for the taps that this strip owns."""
    for k in range(start, stop):
        if owned_from <= taps[k] < owned_to:
            for c in range(channels):
                target[to_here + taps[k] + c] += grad[grad_at + k * channels + c]
