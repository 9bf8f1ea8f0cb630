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
from .inside import nearest_row, place_grid_row, place_row, sample_blocks, spill_buffer
from .lattice import fill_lattice, has_lattice, lattice_buffers, lattice_row
from .rows import (
    BEYOND,
    INSIDE,
    PREFETCH_ROWS,
    TILE_COLUMNS,
    TILE_ROWS,
    border_row,
    classify,
    fill_row,
    is_straight,
    lead_of,
    map_row,
    part_tile_bounds,
    row_buffers,
    run_box,
    run_end,
    sampling_extent,
    shift_row,
)
from .separable import separable_sample_run
from .simd import fits_blocks
from .taps import BILINEAR, bilinear, nearest_tap, tap, to_pixel


@driver
def warp_tiles(images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, first, last):
    """Compute tiles ``first`` to ``last`` of ``out``.

    Parameters
    ----------
    images, out
        As the module says; same dtype.
    origins : Origins
        Where ``out`` and ``images`` begin if they are parts: then tiles are those of the whole output, and what the images are
        windows of has no pixel that is needed beside them.
    grid : (0 or N or 1, rows, columns, 2) float32 or float64
        Source points to start from. Empty: each output pixel starts at its own position.
    table, params
        Packed stages, see :mod:`stages`; ``params`` has one row for all images or one for each.
    cval : (C,) float32 or float64
        Its dtype is the type that pixels are computed in.
    below_one
        Largest number below one of that type: no weight of a right or lower neighbour exceeds it.
    kernel
        None, or a tuple for interpolations of more than two taps, see :mod:`separable`; known to the compiler.

    tolerance : float
        How far, in pixels, a point may be from where a thin-plate spline sends it, see :mod:`lattice`.

    Returns
    -------
    int
        How many points of ``grid`` were not finite.
    """
    buffers, spill = row_buffers(below_one), spill_buffer(images)
    lattice = lattice_buffers(int(params[0, 0]) if has_lattice(grid, table, tolerance) else 0)
    return warp_each_tile(
        images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, buffers, spill,
        lattice, first, last,
    )  # fmt: skip


@row_loop
def warp_each_tile(
    images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, buffers, spill,
    lattice, first, last,
):  # fmt: skip
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    row_origin, column_origin, top, left = origins
    source, target = images.reshape(-1), out.reshape(-1)
    source_size, target_size = height * width * channels, rows * columns * channels
    straight = is_straight(grid, table)
    points = grid.reshape(-1)
    on_lattice = has_lattice(grid, table, tolerance)
    nodes, left_out, weights, node_row, errors = lattice
    in_blocks = kernel is None and interpolation == BILINEAR and table.shape[0] == 0 and grid.shape[0] > 0
    in_blocks = in_blocks and fits_blocks(0.0, width - 1.0, 0.0, height - 1.0, height + 3, width + 3, channels)
    low, high, reach = sampling_extent(interpolation)
    xs, ys, region = buffers[0], buffers[1], buffers[7]
    invalid = 0
    for tile in range(first, last):
        n, row_start, column_start, row_begin, row_end, skipped, count = part_tile_bounds(
            tile, rows, columns, row_origin, column_origin, TILE_ROWS, TILE_COLUMNS
        )
        column_begin = column_start + skipped
        params_row = params[n if params.shape[0] > 1 else 0]
        x_before, y_before = math.nan, math.nan
        if on_lattice:
            fill_lattice(nodes, left_out, errors, row_start, column_start, skipped + count, params_row, tolerance)
        for row in range(row_begin, row_end):
            is_placed, inner, beyond = False, count, np.int64(0)
            if in_blocks:
                point = (((n if grid.shape[0] > 1 else 0) * rows + row) * columns + column_begin) * 2
                is_placed = count == place_grid_row(
                    points, point, count, height, width, channels, below_one, buffers[2], buffers[4], buffers[5]
                )  # fmt: skip
            if is_placed:
                region[0] = INSIDE
                middle = point + count // 2 * 2
                x, y = float(points[middle]), float(points[middle + 1])
            else:
                if on_lattice:
                    lattice_row(
                        nodes, left_out, weights, node_row, row, row_start, column_start, skipped + count, params_row, xs, ys
                    )  # fmt: skip
                else:
                    invalid += map_row(
                        grid, n, row, column_begin, count, table, params_row, xs, ys, buffers[8], buffers[9]
                    )  # fmt: skip
                if top + left > 0 or (on_lattice and skipped > 0):
                    shift_row(xs, ys, skipped if on_lattice else 0, count, float(left), float(top))
                inner, beyond = classify(xs, ys, count, region, low, high, reach, width, height, mode, straight)
                x, y = xs[count // 2], ys[count // 2]
            lead = lead_of(
                PREFETCH_ROWS * (x - x_before), PREFETCH_ROWS * (y - y_before), planes * source_size, width, channels
            )
            x_before, y_before = x, y
            from_here = n * planes * source_size
            to_here = n * planes * target_size + ((row - row_origin) * columns + column_begin - column_origin) * channels
            sample_row(
                kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, count, inner, beyond,
                height, width, channels, mode, cval, below_one, interpolation, lead, columns * channels, spill, is_placed,
            )  # fmt: skip
    return invalid


@inlined
def sample_row(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, count, inner, beyond,
    height, width, channels, mode, cval, below_one, interpolation, lead, row_step, spill, is_placed,
):  # fmt: skip
    """Sample all planes at the points of a buffer that has been classified, run by run."""
    region = buffers[7]
    start = np.int64(0)  # a literal would compile every row loop twice
    while start < count:
        stop = count if inner == count or beyond == count else run_end(region, start, count)
        where = region[start]
        if where == BEYOND:
            for p in range(planes):
                fill_row(target, to_here + p * target_size, start, stop, cval)
        elif kernel is None:
            sample_run(
                source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
                where == INSIDE, height, width, channels, mode, cval, below_one, interpolation, lead, row_step, spill,
                is_placed,
            )  # fmt: skip
        else:
            separable_sample_run(
                kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
                where == INSIDE, height, width, channels, mode, cval, lead, row_step,
            )  # fmt: skip
        start = stop


@inlined
def sample_run(
    source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, below_one, interpolation, lead, row_step, spill, is_placed,
):  # fmt: skip
    """Nearest or bilinear sampling of all planes at points that are all inside or all at the border."""
    xs, ys, offsets, _, weights_x, weights_y, taps = buffers[:7]
    if interpolation == BILINEAR:
        first = from_here
        if is_inside and not is_placed:
            box = run_box(xs, ys, start, stop)
            if fits_blocks(*box, height, width, channels):
                x_origin, y_origin, is_placed = math.floor(box[0]), math.floor(box[2]), True
                place_row(
                    xs, ys, start, stop, x_origin, y_origin, np.int32(width * channels), np.int32(channels), below_one,
                    offsets, weights_x, weights_y,
                )  # fmt: skip
                first += (int(y_origin) * width + int(x_origin)) * channels
        if is_placed:
            sample_blocks(
                None, source, first, source_size, target, to_here, target_size, planes, offsets, weights_x, weights_y,
                start, stop, width * channels, channels, cval, lead, row_step, spill,
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


@row_loop
def border_nearest_row(source, from_here, target, to_here, xs, ys, start, stop, height, width, mode, cval):
    """Nearest sampling anywhere."""
    channels = len(cval)
    for k in range(start, stop):
        here = nearest_tap(xs[k], ys[k], height, width, channels, mode)
        for c in range(channels):
            target[to_here + k * channels + c] = to_pixel(tap(source, from_here, here, c, cval[c]), source[0])
