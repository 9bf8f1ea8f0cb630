"""Sampling where all taps are pixels of the source: no checks, explicit vectors."""

from __future__ import annotations

import numpy as np

from .compiling import allocating, inlined, multiply_add, row_loop
from .rows import LARGEST_BLOCK
from .simd import (
    LANES,
    block_by_pixels,
    block_pixels,
    run_of_1,
    run_of_2,
    run_of_3,
    run_of_4,
    run_of_any,
)
from .taps import split


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


@row_loop
def place_row(xs, ys, start, stop, x_origin, y_origin, pitch, step, below_one, offsets, weights_x, weights_y):
    """:func:`place` the points of a run."""
    for k in range(np.uint64(start), np.uint64(stop)):
        offsets[k], weights_x[k], weights_y[k] = place(xs[k], ys[k], x_origin, y_origin, pitch, step, below_one)


@inlined
def sample_blocks(
    source, first, source_size, target, to_here, target_size, planes, offsets, weights_x, weights_y, start, stop,
    pitch, channels, cval, lead, row_step, spill,
):  # fmt: skip
    """Bilinear sampling of all planes at placed points; a run that is shorter than a block goes through ``spill``."""
    pixels = block_pixels(channels, weights_x[start])
    is_short = stop - start < pixels
    place, there, end = target, to_here, stop
    if is_short:
        place, there, end = spill, -start * channels, start + pixels
        for k in range(stop, end):
            offsets[k], weights_x[k], weights_y[k] = offsets[start], weights_x[start], weights_y[start]
    for p in range(planes):
        bilinear_blocks(
            source, first + p * source_size, place, there, offsets, weights_x, weights_y, start, end, pitch, channels, cval, lead, row_step
        )
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
                k = run_of_1(source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step)
            elif channels == 2:
                k = run_of_2(source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step)
            elif channels == 3:
                k = run_of_3(source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step)
            elif channels == 4:
                k = run_of_4(source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step)
            else:
                k = run_of_any(source, here, target, there, offsets, weights_x, weights_y, k, stop, pitch, channels, lead, row_step)
            if k < stop:
                block_by_pixels(
                    source, first, target, to_here + k * channels, offsets, weights_x, weights_y, k, pitch, channels, cval
                )  # fmt: skip
                k += block_pixels(channels, weights_x[start])


@row_loop
def nearest_row(source, from_here, target, to_here, xs, ys, start, stop, width, channels):
    """Inner nearest loop, written out as the bilinear one."""
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
    """Half a pixel belongs to the right and lower neighbour.

    Coordinates from -1/2 on are cut towards zero, which leaves those below zero at pixel 0.
    """
    step = np.uint64(channels)
    for k in range(np.uint64(start), np.uint64(stop)):
        column, row = np.int32(xs[k]), np.int32(ys[k])
        right = np.uint64(column) + np.uint64(xs[k] - column >= 0.5)
        below = np.uint64(row) + np.uint64(ys[k] - row >= 0.5)
        here = np.uint64(from_here) + (below * np.uint64(width) + right) * step
        there = np.uint64(to_here) + k * step
        for c in range(channels):
            target[there + np.uint64(c)] = source[here + np.uint64(c)]
