"""The CPU driver: the output is cut into tiles, each row of a tile runs through short coordinate buffers.

    fill (x, y)  ->  stage 1  ->  stage 2  ->  ...  ->  sample into the output row

No grid of the size of the picture is ever made. One pass over the buffer finds where it lies: points whose taps all lie
inside the source take the loop without border checks, those at the border one that has been through the border rule, the
others the fill; the first two give the same bits.

Arrays: ``images`` (N, planes, H, W, C), ``out`` (N, planes, rows, columns, C), C-contiguous. A plane has interleaved
channels; planes share their coordinates, so that channels-first images need no copy.

Indexes in the inner loops are unsigned: for signed ones Numba makes room for counting from the end, which no vector survives.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop
from .cubic import cubic_sample_run
from .rows import (
    BEYOND,
    INSIDE,
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
from .taps import BILINEAR, bilinear, nearest_tap, tap, to_pixel


@driver
def warp_tiles(images, out, grid, table, params, cval, below_one, interpolation, mode, cubic, first, last):
    """Compute tiles ``first`` to ``last`` of ``out``.

    Parameters
    ----------
    images, out
        As the module says; same dtype.
    grid : (0 or N or 1, rows, columns, 2) float32 or float64
        Source points to start from. Empty: each output pixel starts at its own position.
    table, params
        Packed stages, see :mod:`stages`; ``params`` has one row for all images or one for each.
    cval : (C,) float32 or float64
        Its dtype is the type that pixels are computed in.
    below_one
        Largest number below one of that type: no weight of a right or lower neighbour exceeds it.
    cubic
        None, or a tuple of that type if the interpolation is bicubic, see :mod:`cubic`; known to the compiler.

    Returns
    -------
    int
        How many points of ``grid`` were not finite.
    """
    buffers = row_buffers(cval)
    return warp_each_tile(images, out, grid, table, params, cval, below_one, interpolation, mode, cubic, buffers, first, last)


@row_loop
def warp_each_tile(images, out, grid, table, params, cval, below_one, interpolation, mode, cubic, buffers, first, last):
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    source, target = images.reshape(-1), out.reshape(-1)
    source_size, target_size = height * width * channels, rows * columns * channels
    tiles_down = -(-rows // TILE_ROWS)
    tiles_across = -(-columns // TILE_COLUMNS)
    xs, ys, region = buffers[0], buffers[1], buffers[7]
    straight = is_straight(grid, table)
    low, high, reach = sampling_extent(interpolation)
    invalid = 0
    for tile in range(first, last):
        n = tile // (tiles_down * tiles_across)
        row_start = tile // tiles_across % tiles_down * TILE_ROWS
        column_start = tile % tiles_across * TILE_COLUMNS
        count = min(TILE_COLUMNS, columns - column_start)
        params_row = params[n if params.shape[0] > 1 else 0]
        x_before, y_before = math.nan, math.nan
        for row in range(row_start, min(rows, row_start + TILE_ROWS)):
            invalid += map_row(grid, n, row, column_start, count, table, params_row, xs, ys, buffers[8], buffers[9])
            x, y = xs[count // 2], ys[count // 2]
            lead = lead_of(x, y, x_before, y_before, planes * source_size, width, channels)
            x_before, y_before = x, y
            inner, beyond = classify(xs, ys, count, region, low, high, reach, width, height, mode, straight)
            from_here = n * planes * source_size
            to_here = n * planes * target_size + (row * columns + column_start) * channels
            start = np.int64(0)  # a literal would compile every row loop twice
            while start < count:
                stop = count if inner == count or beyond == count else run_end(region, start, count)
                where = region[start]
                if where == BEYOND:
                    for p in range(planes):
                        fill_row(target, to_here + p * target_size, start, stop, cval)
                elif cubic is None:
                    sample_run(
                        source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
                        where == INSIDE, height, width, channels, mode, cval, below_one, interpolation, lead,
                    )  # fmt: skip
                else:
                    cubic_sample_run(
                        cubic, source, from_here, source_size, target, to_here, target_size, planes, xs, ys, start, stop,
                        where == INSIDE, height, width, channels, mode, cval,
                    )  # fmt: skip
                start = stop
    return invalid


@inlined
def sample_run(
    source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, below_one, interpolation, lead,
):  # fmt: skip
    """Nearest or bilinear sampling of all planes at points that are all inside or all at the border."""
    xs, ys, i, j, weights_x, weights_y, taps = buffers[:7]
    if interpolation == BILINEAR and is_inside:
        split_row(xs, ys, start, stop, i, j, weights_x, weights_y, below_one)
    elif interpolation == BILINEAR:
        border_row(xs, ys, start, stop, height, width, channels, mode, below_one, taps, weights_x, weights_y)
    for _ in range(planes):
        if interpolation == BILINEAR and is_inside:
            prefetch_row(source, from_here, i, j, start, stop, width, channels, lead)
            bilinear_row(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, channels)
        elif interpolation == BILINEAR:
            border_bilinear_row(source, from_here, target, to_here, taps, weights_x, weights_y, start, stop, cval)
        elif is_inside:
            nearest_row(source, from_here, target, to_here, xs, ys, start, stop, width, channels)
        else:
            border_nearest_row(source, from_here, target, to_here, xs, ys, start, stop, height, width, mode, cval)
        from_here += source_size
        to_here += target_size


@row_loop
def bilinear_row(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, channels):
    """Inner bilinear loop; written out per channel count so that LLVM knows the strides."""
    if channels == 1:
        bilinear_span(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, 1)
    elif channels == 3:
        bilinear_span(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, 3)
    elif channels == 4:
        bilinear_span(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, 4)
    else:
        bilinear_span(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, channels)


@inlined
def bilinear_span(source, from_here, target, to_here, i, j, weights_x, weights_y, start, stop, width, channels):
    real = type(weights_x[start])
    step = np.uint64(channels)
    pitch = np.uint64(width) * step
    for k in range(np.uint64(start), np.uint64(stop)):
        here = np.uint64(from_here) + np.uint64(i[k]) * pitch + np.uint64(j[k]) * step
        there = np.uint64(to_here) + k * step
        weight_x, weight_y = weights_x[k], weights_y[k]
        for c in range(channels):
            at = here + np.uint64(c)
            value = bilinear(
                real(source[at]),
                real(source[at + step]),
                real(source[at + pitch]),
                real(source[at + pitch + step]),
                weight_x,
                weight_y,
            )
            target[there + np.uint64(c)] = to_pixel(value, source[at])


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


@row_loop
def border_bilinear_row(source, from_here, target, to_here, taps, weights_x, weights_y, start, stop, cval):
    """Bilinear sampling by taps that have been through the border rule."""
    top_left, top_right, bottom_left, bottom_right = taps
    channels = len(cval)
    for k in range(start, stop):
        for c in range(channels):
            value = bilinear(
                tap(source, from_here, top_left[k], c, cval[c]),
                tap(source, from_here, top_right[k], c, cval[c]),
                tap(source, from_here, bottom_left[k], c, cval[c]),
                tap(source, from_here, bottom_right[k], c, cval[c]),
                weights_x[k],
                weights_y[k],
            )
            target[to_here + k * channels + c] = to_pixel(value, source[0])


@row_loop
def border_nearest_row(source, from_here, target, to_here, xs, ys, start, stop, height, width, mode, cval):
    """Nearest sampling anywhere."""
    channels = len(cval)
    for k in range(start, stop):
        here = nearest_tap(xs[k], ys[k], height, width, channels, mode)
        for c in range(channels):
            target[to_here + k * channels + c] = to_pixel(tap(source, from_here, here, c, cval[c]), source[0])


@row_loop
def fill_row(target, to_here, start, stop, cval):
    channels = len(cval)
    for k in range(start, stop):
        for c in range(channels):
            target[to_here + k * channels + c] = to_pixel(cval[c], target[0])
