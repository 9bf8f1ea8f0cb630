"""The CPU driver for maps that are one matrix, nearest and bilinear: most of what is ever warped.

    cut the row at the border  ->  inside: map and place in one pass, blocks  |  border: point by point  |  beyond: fill

The results are those of :mod:`cpu`, bit for bit, whose arrays these are; only the buffers of points are left out.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import allocating, driver, inlined, row_loop
from .inside import sample_blocks, spill_buffer
from .maps import AFFINE, PROJECTIVE
from .matrix import CUTS, cut_row, map_matrix, matrix_box, place_matrix_row
from .rows import (
    BEYOND,
    INSIDE,
    LARGEST_BLOCK,
    MIXED,
    PREFETCH_ROWS,
    TILE_COLUMNS,
    TILE_ROWS,
    fill_row,
    lead_of,
    region_of_box,
    sampling_extent,
    tile_bounds,
)
from .simd import fits_blocks
from .taps import BILINEAR, NEAREST, bilinear, bilinear_taps, near_range, nearest_tap, tap, to_pixel


@driver
def warp_matrix_tiles(images, out, origins, params, cval, below_one, nearest, mode, first, last):
    """As :func:`warpkit.kernels.cpu.warp_tiles` for ``params`` (1 or N, 6 or 9), the matrix of each image; returns 0.

    Tiles begin with the part.

    ``nearest`` is None for bilinear sampling, else a number; known to the compiler.
    """
    return warp_each_matrix_tile(
        images, out, origins, params, cval, below_one, nearest, mode, matrix_buffers(below_one), spill_buffer(images), first,
        last,
    )  # fmt: skip


@allocating
def matrix_buffers(below_one):
    """Memory for a row: columns as numbers, where it is cut, source pixels and weights."""
    return (
        np.empty(TILE_COLUMNS),
        np.empty(CUTS, np.int64),
        np.empty(TILE_COLUMNS + LARGEST_BLOCK, np.int32),
        np.full(TILE_COLUMNS + LARGEST_BLOCK, below_one),
        np.full(TILE_COLUMNS + LARGEST_BLOCK, below_one),
    )


@row_loop
def warp_each_matrix_tile(images, out, origins, params, cval, below_one, nearest, mode, buffers, spill, first, last):
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    row_origin, column_origin, top, left = origins
    x_window, y_window = float(left), float(top)
    source, target = images.reshape(-1), out.reshape(-1)
    source_size, target_size = height * width * channels, rows * columns * channels
    column_numbers, cuts, offsets, weights_x, weights_y = buffers
    kind = AFFINE if params.shape[1] == 6 else PROJECTIVE
    low, high, reach = sampling_extent(BILINEAR if nearest is None else NEAREST)
    for tile in range(first, last):
        n, row_start, column_start, count = tile_bounds(tile, rows, columns)
        matrix = params[n if params.shape[0] > 1 else 0]
        for k in range(count):
            column_numbers[k] = column_origin + column_start + k
        middle = float(column_origin + column_start + count // 2)
        x, y = map_matrix(kind, middle, float(row_origin + row_start), matrix)
        x_after, y_after = map_matrix(kind, middle, float(row_origin + row_start + PREFETCH_ROWS), matrix)
        lead = lead_of(x_after - x, y_after - y, planes * source_size, width, channels)
        from_here = n * planes * source_size
        for line in range(row_start, min(rows, row_start + TILE_ROWS)):
            row, column = row_origin + line, column_origin + column_start
            cuts[0], cuts[1] = 0, count
            pieces = 1
            box = matrix_box(kind, row, column, count, matrix, x_window, y_window)
            if region_of_box(*box, low, high, reach, width, height, mode) == MIXED:
                cut_row(
                    cuts, low, high, reach, width, height, mode, kind, row, column, count, matrix, x_window, y_window
                )  # fmt: skip
                pieces = CUTS - 1
            for piece in range(pieces):
                begin, length = cuts[piece], cuts[piece + 1] - cuts[piece]
                if length == 0:
                    continue
                to_here = n * planes * target_size + (line * columns + column_start + begin) * channels
                box = matrix_box(kind, row, column + begin, length, matrix, x_window, y_window)
                where = region_of_box(*box, low, high, reach, width, height, mode)
                if where == INSIDE and fits_blocks(*box, height, width, channels):
                    x_origin, y_origin = max(math.floor(box[0]), 0.0), max(math.floor(box[2]), 0.0)
                    place_matrix_row(
                        nearest, kind, column_numbers, begin, float(row), length, matrix, x_window + x_origin,
                        y_window + y_origin, np.int32(width * channels), np.int32(channels), below_one, offsets,
                        weights_x, weights_y,
                    )  # fmt: skip
                    sample_blocks(
                        nearest, source, from_here + (int(y_origin) * width + int(x_origin)) * channels, source_size,
                        target, to_here, target_size, planes, offsets, weights_x, weights_y, np.int64(0), length,
                        width * channels, channels, cval, lead, columns * channels, spill,
                    )  # fmt: skip
                elif where == BEYOND:
                    for p in range(planes):
                        fill_row(target, to_here + p * target_size, np.int64(0), length, cval)
                else:
                    sample_points(
                        source, from_here, source_size, target, to_here, target_size, planes, height, width, channels,
                        mode, cval, below_one, nearest, kind, row, column + begin, length, matrix, x_window, y_window,
                    )  # fmt: skip
    return 0


@inlined
def sample_points(
    source, from_here, source_size, target, to_here, target_size, planes, height, width, channels,
    mode, cval, below_one, nearest, kind, row, column_start, count, matrix, x_window, y_window,
):  # fmt: skip
    """Sampling anywhere, for the few pixels between inside and beyond; points without a place get the fill."""
    _, _, reach = sampling_extent(BILINEAR if nearest is None else NEAREST)
    left, right = near_range(width, reach, mode)
    top, bottom = near_range(height, reach, mode)
    for k in range(count):
        x, y = map_matrix(kind, float(column_start + k), float(row), matrix)
        x, y = x - x_window, y - y_window
        is_near = (x > left) & (x < right) & (y > top) & (y < bottom)
        x, y = x if is_near else 0.0, y if is_near else 0.0
        if nearest is None:
            top_left, top_right, bottom_left, bottom_right, weight_x, weight_y = bilinear_taps(
                x, y, height, width, channels, mode, below_one
            )
        else:
            here = nearest_tap(x, y, height, width, channels, mode)
        for p in range(planes):
            first = from_here + p * source_size
            there = to_here + p * target_size + k * channels
            for c in range(channels):
                if nearest is None:
                    value = bilinear(
                        tap(source, first, top_left, c, cval[c]),
                        tap(source, first, top_right, c, cval[c]),
                        tap(source, first, bottom_left, c, cval[c]),
                        tap(source, first, bottom_right, c, cval[c]),
                        weight_x,
                        weight_y,
                    )
                else:
                    value = tap(source, first, here, c, cval[c])
                target[there + c] = to_pixel(value if is_near else cval[c], source[0])
