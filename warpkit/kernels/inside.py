"""Sampling where all taps are pixels of the source: no checks, explicit vectors."""

from __future__ import annotations

import numpy as np

from .compiling import allocating, inlined, multiply_add, row_loop
from .rows import LARGEST_BLOCK
from .simd import (
    LANES,
    block_by_pixels,
    block_pixels,
    copies_of_1,
    copies_of_2,
    copies_of_3,
    copies_of_4,
    copies_of_any,
    run_of_1,
    run_of_2,
    run_of_3,
    run_of_4,
    run_of_any,
)
from .taps import nearest_index, split

ONE, TWO = np.uint64(1), np.uint64(2)


@allocating
def spill_buffer(images):
    """Memory for a block of pixels."""
    return np.empty(LARGEST_BLOCK * images.shape[4], images.dtype)


@inlined
def place(x, y, x_origin, y_origin, pitch, step, below_one):
    """Where a point's pixel begins, counted from that of the origin, in 32 bits, and the weights of its neighbours."""
    column, weight_x = split(x, x_origin, below_one)
    row, weight_y = split(y, y_origin, below_one)
    return multiply_add(row, pitch, multiply_add(column, step, np.int32(0))), weight_x, weight_y


@inlined
def place_nearest(x, y, x_origin, y_origin, pitch, step):
    """As :func:`place`, for the nearest pixel."""
    column, row = nearest_index(x - x_origin), nearest_index(y - y_origin)
    return multiply_add(row, pitch, multiply_add(column, step, np.int32(0)))


@row_loop
def place_row(xs, ys, start, stop, x_origin, y_origin, pitch, step, below_one, offsets, weights_x, weights_y):
    """:func:`place` the points of a run."""
    for k in range(np.uint64(start), np.uint64(stop)):
        offsets[k], weights_x[k], weights_y[k] = place(xs[k], ys[k], x_origin, y_origin, pitch, step, below_one)


@row_loop
def place_grid_row(points, first, count, height, width, channels, below_one, offsets, weights_x, weights_y):
    """Place ``count`` points of a flat grid, from its element ``first`` on, if all lie inside; returns how many do, roughly.

    Their origin is the image's first pixel. With three channels, points of the last two source rows do not count: their loads
    might leave the array.
    """
    real = type(points[first])
    at = np.uint64(first)
    x_end, y_end = real(width - 1), real(height - 1 - (channels == 3))
    inside = np.int32(0)
    for k in range(np.uint64(count)):
        x, y = points[at + TWO * k], points[at + TWO * k + ONE]
        inside += np.int32((x >= real(0)) & (x < x_end) & (y >= real(0)) & (y < y_end))
    if inside == count:
        pitch, step = np.int32(width * channels), np.int32(channels)
        for k in range(np.uint64(count)):
            x, y = np.float64(points[at + TWO * k]), np.float64(points[at + TWO * k + ONE])
            offsets[k], weights_x[k], weights_y[k] = place(x, y, 0.0, 0.0, pitch, step, below_one)
    return inside


@inlined
def sample_blocks(
    nearest, source, first, source_size, target, to_here, target_size, planes, offsets, weights_x, weights_y, start, stop,
    pitch, channels, cval, lead, row_step, spill,
):  # fmt: skip
    """Sample all planes at placed points; a run that is shorter than a block goes through ``spill``.

    Bilinear if ``nearest`` is None, known to the compiler.
    """
    pixels = block_pixels(channels, weights_x[start])
    is_short = stop - start < pixels
    place, there, end = target, to_here, stop
    if is_short:
        place, there, end = spill, -start * channels, start + pixels
        for k in range(stop, end):
            offsets[k], weights_x[k], weights_y[k] = offsets[start], weights_x[start], weights_y[start]
    for p in range(planes):
        here = first + p * source_size
        if nearest is None:
            bilinear_blocks(
                source, here, place, there, offsets, weights_x, weights_y, start, end, pitch, channels, cval, lead, row_step
            )  # fmt: skip
        else:
            nearest_blocks(
                source, here, place, there, offsets, weights_x, weights_y, start, end, pitch, channels, lead, row_step
            )  # fmt: skip
        if is_short:
            for k in range((stop - start) * channels):
                target[to_here + p * target_size + start * channels + k] = spill[k]
        else:
            there += target_size


@inlined
def bilinear_blocks(
    source, first, target, to_here, offsets, weights_x, weights_y, start, stop, pitch, channels, cval, lead, row_step
):  # fmt: skip
    """One plane of a run, at least a block long."""
    for c in range(0, channels, LANES):
        at = max(0, min(c, channels - LANES))  # the last four of many channels overlap the four before
        here, there = first + at, to_here + at
        k = start
        while k < stop:
            if channels == 1:
                k = run_of_1(
                    source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step
                )
            elif channels == 2:
                k = run_of_2(
                    source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step
                )
            elif channels == 3:
                k = run_of_3(
                    source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step
                )
            elif channels == 4:
                k = run_of_4(
                    source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step
                )
            else:
                k = run_of_any(
                    source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step
                )
            if k < stop:
                block_by_pixels(
                    source, first, target, to_here + k * channels, offsets, weights_x, weights_y, k, pitch, channels, cval
                )  # fmt: skip
                k += block_pixels(channels, weights_x[start])


@inlined
def nearest_blocks(
    source, first, target, to_here, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
):  # fmt: skip
    """As :func:`bilinear_blocks`, copies of pixels; weights have no meaning."""
    for c in range(0, channels, LANES):
        at = max(0, min(c, channels - LANES))
        here, there = first + at, to_here + at
        if channels == 1:
            copies_of_1(
                source, here, target, there, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
            )
        elif channels == 2:
            copies_of_2(
                source, here, target, there, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
            )
        elif channels == 3:
            copies_of_3(
                source, here, target, there, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
            )
        elif channels == 4:
            copies_of_4(
                source, here, target, there, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
            )
        else:
            copies_of_any(
                source, here, target, there, offsets, weights_x, weights_y, start, stop, pitch, channels, lead, row_step
            )


@row_loop
def nearest_row(source, from_here, target, to_here, xs, ys, start, stop, width, channels):
    """Inner nearest loop; written out per channel count so that LLVM knows the strides."""
    if channels == 1:
        nearest_span(source, from_here, target, to_here, xs, ys, start, stop, width, 1)
    elif channels == 3:
        nearest_span(source, from_here, target, to_here, xs, ys, start, stop, width, 3)
    elif channels == 4:
        nearest_span(source, from_here, target, to_here, xs, ys, start, stop, width, 4)
    else:
        nearest_span(source, from_here, target, to_here, xs, ys, start, stop, width, channels)


@inlined
def nearest_span(source, from_here, target, to_here, xs, ys, start, stop, width, channels):
    step = np.uint64(channels)
    for k in range(np.uint64(start), np.uint64(stop)):
        column, row = np.uint64(nearest_index(xs[k])), np.uint64(nearest_index(ys[k]))
        here = np.uint64(from_here) + (row * np.uint64(width) + column) * step
        there = np.uint64(to_here) + k * step
        for c in range(channels):
            target[there + np.uint64(c)] = source[here + np.uint64(c)]
