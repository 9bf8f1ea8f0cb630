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

from .compiling import allocating, driver, inlined, row_loop
from .cubic import cubic_sample_run
from .inside import nearest_row, place_row, sample_blocks
from .matrix import CUTS, cut_row, is_matrix, map_matrix, matrix_box, place_matrix_row
from .rows import (
    BEYOND,
    INSIDE,
    LARGEST_BLOCK,
    MIXED,
    TILE_COLUMNS,
    TILE_ROWS,
    border_row,
    classify,
    is_straight,
    lead_of,
    map_row,
    region_of_box,
    row_buffers,
    run_box,
    run_end,
    sampling_extent,
    start_row,
)
from .simd import fits_blocks
from .taps import BILINEAR, bilinear, bilinear_taps, nearest_tap, tap, to_pixel

# Up to so many pixels of a straight row at the border are not sorted: most need the border rule anyway.
SHORT_PIECE = 16


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
    buffers = row_buffers(below_one)
    memory = warp_buffers(images)
    return warp_each_tile(
        images, out, grid, table, params, cval, below_one, interpolation, mode, cubic, buffers, memory, first, last
    )  # fmt: skip


@allocating
def warp_buffers(images):
    """Memory for what only this driver needs: columns as numbers, a block of pixels, and where a row is cut."""
    return np.empty(TILE_COLUMNS), np.empty(LARGEST_BLOCK * images.shape[4], images.dtype), np.empty(CUTS, np.int64)


@row_loop
def warp_each_tile(
    images, out, grid, table, params, cval, below_one, interpolation, mode, cubic, buffers, memory, first, last
):  # fmt: skip
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    source, target = images.reshape(-1), out.reshape(-1)
    source_size, target_size = height * width * channels, rows * columns * channels
    tiles_down = -(-rows // TILE_ROWS)
    tiles_across = -(-columns // TILE_COLUMNS)
    is_straight_row, matrix = is_straight(grid, table), is_matrix(grid, table)
    in_blocks = interpolation == BILINEAR and cubic is None
    low, high, reach = sampling_extent(interpolation)
    xs, ys, region = buffers[0], buffers[1], buffers[7]
    columns_as_numbers, spill, cuts = memory
    kind, at = (table[0, 0], table[0, 1]) if matrix else (np.int64(0), np.int64(0))
    lead = np.int64(0)
    x, y = math.nan, math.nan
    invalid = 0
    for tile in range(first, last):
        n = tile // (tiles_down * tiles_across)
        row_start = tile // tiles_across % tiles_down * TILE_ROWS
        column_start = tile % tiles_across * TILE_COLUMNS
        count = min(TILE_COLUMNS, columns - column_start)
        params_row = params[n if params.shape[0] > 1 else 0]
        x_before, y_before = math.nan, math.nan
        start_row(0, column_start, count, columns_as_numbers, buffers[1])
        for row in range(row_start, min(rows, row_start + TILE_ROWS)):
            pieces = 1
            cuts[0], cuts[1] = 0, count
            if matrix:
                box = matrix_box(kind, row, column_start, count, params_row, at)
                if region_of_box(*box, low, high, reach, width, height, mode) == MIXED:
                    cut_row(cuts, low, high, reach, width, height, mode, kind, row, column_start, count, params_row, at)
                    pieces = CUTS - 1
            for piece in range(pieces):
                begin, length = cuts[piece], cuts[piece + 1] - cuts[piece]
                if length == 0:
                    continue
                from_here = n * planes * source_size
                to_here = n * planes * target_size + (row * columns + column_start + begin) * channels
                is_uniform, is_placed, x_origin, y_origin = False, False, 0.0, 0.0
                if matrix:
                    box = matrix_box(kind, row, column_start + begin, length, params_row, at)
                    region[0] = region_of_box(*box, low, high, reach, width, height, mode)
                    if region[0] == INSIDE and in_blocks and fits_blocks(*box, height, width, channels):
                        x_origin, y_origin, is_placed = math.floor(box[0]), math.floor(box[2]), True
                        place_matrix_row(
                            kind, columns_as_numbers, begin, float(row), length, params_row, at, x_origin, y_origin,
                            np.int32(width * channels), np.int32(channels), below_one, buffers[2], buffers[4], buffers[5],
                        )  # fmt: skip
                    elif region[0] == MIXED and in_blocks and length <= SHORT_PIECE and box[0] == box[0]:
                        border_points(
                            source, from_here, source_size, target, to_here, target_size, planes, height, width, channels,
                            mode, cval, below_one, kind, row, column_start + begin, length, params_row, at,
                        )  # fmt: skip
                        continue
                    is_uniform = region[0] != MIXED
                    x, y = box[0], box[2]
                if not is_placed and not (is_uniform and region[0] == BEYOND):
                    invalid += map_row(
                        grid, n, row, column_start + begin, length, table, params_row, xs, ys, buffers[8], buffers[9]
                    )  # fmt: skip
                    if not is_uniform:
                        inner, beyond = classify(
                            xs, ys, length, region, low, high, reach, width, height, mode, is_straight_row
                        )  # fmt: skip
                        is_uniform = inner == length or beyond == length
                    x, y = xs[0], ys[0]
                if piece == 0:
                    lead = lead_of(x, y, x_before, y_before, planes * source_size, width, channels)
                    x_before, y_before = x, y
                start = np.int64(0)  # a literal would compile every row loop twice
                while start < length:
                    stop = length if is_uniform else run_end(region, start, length)
                    where = region[start]
                    if where == BEYOND:
                        for p in range(planes):
                            fill_row(target, to_here + p * target_size, start, stop, cval)
                    elif cubic is None:
                        sample_run(
                            source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
                            where == INSIDE, height, width, channels, mode, cval, below_one, interpolation, lead, columns * channels, spill,
                            is_placed, x_origin, y_origin,
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
    is_inside, height, width, channels, mode, cval, below_one, interpolation, lead, row_step, spill, is_placed, x_origin, y_origin,
):  # fmt: skip
    """Nearest or bilinear sampling of all planes at points that are all inside or all at the border."""
    xs, ys, offsets, _, weights_x, weights_y, taps = buffers[:7]
    if interpolation == BILINEAR:
        if is_inside and not is_placed:
            box = run_box(xs, ys, start, stop)
            if fits_blocks(*box, height, width, channels):
                is_placed, x_origin, y_origin = True, math.floor(box[0]), math.floor(box[2])
                place_row(
                    xs, ys, start, stop, x_origin, y_origin, np.int32(width * channels), np.int32(channels), below_one,
                    offsets, weights_x, weights_y,
                )  # fmt: skip
        if is_placed:
            sample_blocks(
                source, from_here + (int(y_origin) * width + int(x_origin)) * channels, source_size,
                target, to_here, target_size, planes, offsets, weights_x, weights_y, start, stop,
                width * channels, channels, cval, lead, row_step, spill,
            )  # fmt: skip
            return
        border_row(xs, ys, start, stop, height, width, channels, mode, below_one, taps, weights_x, weights_y)
    for _ in range(planes):
        if interpolation == BILINEAR:
            border_bilinear_row(source, from_here, target, to_here, taps, weights_x, weights_y, start, stop, cval)
        elif is_inside:
            nearest_row(source, from_here, target, to_here, xs, ys, start, stop, width, channels)
        else:
            border_nearest_row(source, from_here, target, to_here, xs, ys, start, stop, height, width, mode, cval)
        from_here += source_size
        to_here += target_size


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


@inlined
def border_points(
    source, from_here, source_size, target, to_here, target_size, planes, height, width, channels,
    mode, cval, below_one, kind, row, column_start, count, params, at,
):  # fmt: skip
    """Bilinear sampling of a few points of a matrix map, anywhere: without buffers, which take longer to fill."""
    for k in range(count):
        x, y = map_matrix(kind, float(column_start + k), float(row), params, at)
        top_left, top_right, bottom_left, bottom_right, weight_x, weight_y = bilinear_taps(
            x, y, height, width, channels, mode, below_one
        )
        for p in range(planes):
            first = from_here + p * source_size
            there = to_here + p * target_size + k * channels
            for c in range(channels):
                value = bilinear(
                    tap(source, first, top_left, c, cval[c]),
                    tap(source, first, top_right, c, cval[c]),
                    tap(source, first, bottom_left, c, cval[c]),
                    tap(source, first, bottom_right, c, cval[c]),
                    weight_x,
                    weight_y,
                )
                target[there + c] = to_pixel(value, source[0])


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
    is_same = True
    for c in range(channels):
        is_same &= cval[c] == cval[0]
    if is_same:
        value = to_pixel(cval[0], target[0])
        for k in range(np.uint64(to_here + start * channels), np.uint64(to_here + stop * channels)):
            target[k] = value
        return
    for k in range(start, stop):
        for c in range(channels):
            target[to_here + k * channels + c] = to_pixel(cval[c], target[0])
