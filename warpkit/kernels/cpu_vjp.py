"""The CPU drivers of the derivative: the same tiles and row buffers as forward, run backwards.

Coordinates are computed anew, stage by stage, nothing is stored per pixel. Two passes:

``pull_tiles``      output gradient -> slopes of the image at each point -> back through the stages -> parameters or grid.
``scatter_strips``  output gradient -> image. Each call owns a strip of source rows and visits the output rows that reach it,
                    writing only the taps it owns; so each source pixel receives its sums in output order whatever the
                    number of strips, and the result is the same to the bit for any number of threads.

At a kink, where a point lies on a source pixel's centre, the slope is that of the cell to the right and below.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop
from .maps import AFFINE, PROJECTIVE, affine_pull, map_pull, projective_pull
from .rows import (
    TILE_COLUMNS,
    TILE_ROWS,
    apply_stage,
    apply_stages,
    begin_row,
    count_outside,
    lead_of,
    mark_inside,
    prefetch_row,
    run_end,
    split_row,
)
from .taps import (
    BILINEAR,
    CONSTANT,
    EDGE,
    bilinear_slopes,
    bilinear_taps,
    nearest_tap,
    tap,
)


@driver
def pull_tiles(
    images, grad_out, grid, table, params, cval, below_one, interpolation, mode,
    tiles_per_group, grads, grad_grid, reach, first, last,
):  # fmt: skip
    """Pull the output gradient back to parameters and grid, for groups ``first`` to ``last`` of tiles.

    Parameters
    ----------
    images, grid, table, params, cval, below_one, interpolation, mode
        As for :func:`warpkit.kernels.cpu.warp_tiles`.
    grad_out : (N, planes, rows, columns, C)
        In the type that pixels are computed in.
    tiles_per_group : int
        Consecutive tiles of an image whose sums are one row of ``grads``; groups are counted image by image.
    grads : (groups or 0, length) float64
        Receives the gradient of the packed parameters; empty if not wanted.
    grad_grid : (N or 0, rows, columns, 2)
        Receives the gradient of the source points; empty if not wanted.
    reach : (N or 0, rows, tiles across, 2) int32
        Receives the first and last source row that each row of each tile touches, for :func:`scatter_strips`; may be empty.
    """
    _, planes, height, width, channels = images.shape
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    source, grad = images.reshape(-1), grad_out.reshape(-1)
    tiles_down, tiles_across = -(-rows // TILE_ROWS), -(-columns // TILE_COLUMNS)
    tiles = tiles_down * tiles_across
    groups = -(-tiles // tiles_per_group)
    stages = table.shape[0]
    xs, ys = np.empty((stages + 1, TILE_COLUMNS)), np.empty((stages + 1, TILE_COLUMNS))
    i, j = np.empty(TILE_COLUMNS, np.int32), np.empty(TILE_COLUMNS, np.int32)
    weights_x, weights_y = np.empty(TILE_COLUMNS, cval.dtype), np.empty(TILE_COLUMNS, cval.dtype)
    inside = np.empty(TILE_COLUMNS, np.uint8)
    gx, gy = np.empty(TILE_COLUMNS), np.empty(TILE_COLUMNS)
    slopes_wanted = grads.shape[0] > 0 or grad_grid.shape[0] > 0
    for group in range(first, last):
        n = group // groups
        params_row = params[n if params.shape[0] > 1 else 0]
        for tile in range(group % groups * tiles_per_group, min(tiles, (group % groups + 1) * tiles_per_group)):
            column_start = tile % tiles_across * TILE_COLUMNS
            count = min(TILE_COLUMNS, columns - column_start)
            row_start = tile // tiles_across * TILE_ROWS
            x_before, y_before = math.nan, math.nan
            for row in range(row_start, min(rows, row_start + TILE_ROWS)):
                begin_row(grid, n, row, column_start, count, xs[0], ys[0])
                for stage in range(stages):
                    copy_row(xs[stage], xs[stage + 1], count)
                    copy_row(ys[stage], ys[stage + 1], count)
                    apply_stage(table[stage, 0], xs[stage + 1], ys[stage + 1], count, params_row, table[stage, 1])
                x, y = xs[stages], ys[stages]
                if reach.shape[0] > 0:
                    low, high = rows_reached(y, count, height, mode)
                    reach[n, row, column_start // TILE_COLUMNS, 0] = low
                    reach[n, row, column_start // TILE_COLUMNS, 1] = high
                if not slopes_wanted:
                    continue
                clear_row(gx, gy, count)
                if interpolation == BILINEAR:
                    lead = lead_of(x[count // 2], y[count // 2], x_before, y_before, width, channels)
                    x_before, y_before = x[count // 2], y[count // 2]
                    inner = mark_inside(x, y, count, inside, 0.0, width - 1.0, height - 1.0)
                    start = np.int64(0)
                    while start < count:
                        stop = count if inner == count else run_end(inside, start, count)
                        if inside[start] == 1:
                            split_row(x, y, start, stop, i, j, weights_x, weights_y, below_one)
                        for p in range(planes):
                            from_here = (n * planes + p) * height * width * channels
                            grad_at = (((n * planes + p) * rows + row) * columns + column_start) * channels
                            if inside[start] == 1:
                                prefetch_row(source, from_here, i, j, start, stop, width, channels, lead)
                                slope_row(
                                    source, from_here, grad, grad_at, i, j, weights_x, weights_y,
                                    start, stop, width, channels, gx, gy,
                                )  # fmt: skip
                            else:
                                checked_slope_row(
                                    source, from_here, grad, grad_at, x, y, start, stop, height, width,
                                    mode, cval, below_one, gx, gy,
                                )  # fmt: skip
                        start = stop
                if grad_grid.shape[0] > 0:
                    write_grid_row(grad_grid, n, row, column_start, count, gx, gy)
                if grads.shape[0] > 0:
                    for stage in range(stages - 1, -1, -1):
                        pull_stage(
                            table[stage, 0], xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], gx, gy, count,
                            params_row, table[stage, 1], grads[group],
                        )  # fmt: skip
    return 0


@row_loop
def copy_row(source, target, count):
    for k in range(count):
        target[k] = source[k]


@row_loop
def clear_row(gx, gy, count):
    for k in range(count):
        gx[k] = 0.0
        gy[k] = 0.0


@row_loop
def write_grid_row(grad_grid, n, row, column_start, count, gx, gy):
    for k in range(count):
        grad_grid[n, row, column_start + k, 0] = gx[k]
        grad_grid[n, row, column_start + k, 1] = gy[k]


@row_loop
def rows_reached(ys, count, height, mode):
    """First and last source row among the taps of a buffer; (0, -1) for none, all rows where a border rule folds."""
    low, high = math.inf, -math.inf
    for k in range(count):
        y = ys[k]
        if y < low:
            low = y
        if y > high:
            high = y
    if low > high:
        return 0, -1
    if mode > EDGE and (low < 0 or high > height - 1):
        return 0, height - 1
    if mode == CONSTANT and (low >= height or high <= -1):
        return 0, -1
    last = height - 1.0
    # half a pixel more for nearest, a pixel for bilinear
    return int(min(max(low - 1.0, 0.0), last)), int(min(max(high + 1.0, 0.0), last))


@row_loop
def slope_row(
    source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels, gx, gy
):  # fmt: skip
    """Add to (gx, gy) the output gradient times the image's slopes; inner points, written out per channel count."""
    if channels == 1:
        slope_span(source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, 1, gx, gy)
    elif channels == 3:
        slope_span(source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, 3, gx, gy)
    else:
        slope_span(source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels, gx, gy)


@inlined
def slope_span(source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels, gx, gy):
    real = type(weights_x[start])
    step = np.uint64(channels)
    pitch = np.uint64(width) * step
    for k in range(np.uint64(start), np.uint64(stop)):
        here = np.uint64(from_here) + np.uint64(i[k]) * pitch + np.uint64(j[k]) * step
        there = np.uint64(grad_at) + k * step
        weight_x, weight_y = weights_x[k], weights_y[k]
        across_top, across_bottom, down_left, down_right = real(0), real(0), real(0), real(0)
        for c in range(channels):
            at = here + np.uint64(c)
            top_left, top_right = real(source[at]), real(source[at + step])
            bottom_left, bottom_right = real(source[at + pitch]), real(source[at + pitch + step])
            g = grad[there + np.uint64(c)]
            across_top += g * (top_right - top_left)
            across_bottom += g * (bottom_right - bottom_left)
            down_left += g * (bottom_left - top_left)
            down_right += g * (bottom_right - top_right)
        slope_x, slope_y = bilinear_slopes(across_top, across_bottom, down_left, down_right, weight_x, weight_y)
        gx[k] += slope_x
        gy[k] += slope_y


@row_loop
def checked_slope_row(
    source, from_here, grad, grad_at, xs, ys, start, stop, height, width, mode, cval, below_one, gx, gy
):  # fmt: skip
    """As :func:`slope_row`, anywhere."""
    real = type(below_one)
    channels = len(cval)
    for k in range(start, stop):
        if not (math.isfinite(xs[k]) and math.isfinite(ys[k])):
            continue
        top_left, top_right, bottom_left, bottom_right, weight_x, weight_y = bilinear_taps(
            xs[k], ys[k], from_here, height, width, channels, mode, below_one
        )
        across_top, across_bottom, down_left, down_right = real(0), real(0), real(0), real(0)
        for c in range(channels):
            a, b = tap(source, top_left, c, cval[c]), tap(source, top_right, c, cval[c])
            d, e = tap(source, bottom_left, c, cval[c]), tap(source, bottom_right, c, cval[c])
            g = grad[grad_at + k * channels + c]
            across_top += g * (b - a)
            across_bottom += g * (e - d)
            down_left += g * (d - a)
            down_right += g * (e - b)
        slope_x, slope_y = bilinear_slopes(across_top, across_bottom, down_left, down_right, weight_x, weight_y)
        gx[k] += slope_x
        gy[k] += slope_y


@row_loop
def pull_stage(kind, xs, ys, xs_out, ys_out, gx, gy, count, params, at, grads):
    """Run a buffer's cotangents back through one stage, in place; points without any take no part, wherever they are."""
    if kind == AFFINE:
        for k in range(count):
            if gx[k] != 0 or gy[k] != 0:
                gx[k], gy[k] = affine_pull(xs[k], ys[k], gx[k], gy[k], params, at, grads)
    elif kind == PROJECTIVE:
        for k in range(count):
            if gx[k] != 0 or gy[k] != 0:
                gx[k], gy[k] = projective_pull(xs[k], ys[k], gx[k], gy[k], params, at, grads)
    else:
        for k in range(count):
            if gx[k] != 0 or gy[k] != 0:
                gx[k], gy[k] = map_pull(kind, xs[k], ys[k], xs_out[k], ys_out[k], gx[k], gy[k], params, at, grads)


@driver
def scatter_strips(grad_images, grad_out, grid, table, params, below_one, interpolation, mode, strips, reach, first, last):
    """Add the output gradient to the image gradient, for strips ``first`` to ``last``, counted image by image.

    ``grad_images`` (N, planes, H, W, C) starts at zero; ``reach`` as :func:`pull_tiles` leaves it, or empty for one strip.
    """
    _, planes, height, width, channels = grad_images.shape
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    target, grad = grad_images.reshape(-1), grad_out.reshape(-1)
    tiles_across = -(-columns // TILE_COLUMNS)
    xs, ys = np.empty(TILE_COLUMNS), np.empty(TILE_COLUMNS)
    i, j = np.empty(TILE_COLUMNS, np.int32), np.empty(TILE_COLUMNS, np.int32)
    weights_x, weights_y = np.empty(TILE_COLUMNS, grad.dtype), np.empty(TILE_COLUMNS, grad.dtype)
    inside = np.empty(TILE_COLUMNS, np.uint8)
    for strip in range(first, last):
        n = strip // strips
        low, high = height * (strip % strips) // strips, height * (strip % strips + 1) // strips - 1
        params_row = params[n if params.shape[0] > 1 else 0]
        for tile in range(-(-rows // TILE_ROWS) * tiles_across):
            across = tile % tiles_across
            column_start = across * TILE_COLUMNS
            count = min(TILE_COLUMNS, columns - column_start)
            row_start = tile // tiles_across * TILE_ROWS
            x_before, y_before = math.nan, math.nan
            for row in range(row_start, min(rows, row_start + TILE_ROWS)):
                whole = strips == 1
                if not whole:
                    reach_low, reach_high = reach[n, row, across, 0], reach[n, row, across, 1]
                    if reach_high < low or reach_low > high:
                        continue
                    whole = reach_low >= low and reach_high <= high
                begin_row(grid, n, row, column_start, count, xs, ys)
                apply_stages(xs, ys, count, table, params_row)
                if mode == CONSTANT and count_outside(xs, ys, count, width, height) == count:
                    continue
                lead = lead_of(xs[count // 2], ys[count // 2], x_before, y_before, width, channels)
                x_before, y_before = xs[count // 2], ys[count // 2]
                inner = mark_inside(xs, ys, count, inside, 0.0, width - 1.0, height - 1.0)
                start = np.int64(0)
                while start < count:
                    stop = count if inner == count else run_end(inside, start, count)
                    fast = whole and inside[start] == 1 and interpolation == BILINEAR
                    if fast:
                        split_row(xs, ys, start, stop, i, j, weights_x, weights_y, below_one)
                    for p in range(planes):
                        to_here = (n * planes + p) * height * width * channels
                        grad_at = (((n * planes + p) * rows + row) * columns + column_start) * channels
                        if fast:
                            prefetch_row(target, to_here, i, j, start, stop, width, channels, lead)
                            scatter_row(
                                target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels
                            )
                        else:
                            checked_scatter_row(
                                target, to_here, grad, grad_at, xs, ys, start, stop, height, width, channels,
                                interpolation, mode, below_one, low, high,
                            )  # fmt: skip
                    start = stop
    return 0


@row_loop
def scatter_row(target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels):
    """The adjoint of bilinear sampling, for inner points of a strip that owns all their taps."""
    if channels == 1:
        scatter_span(target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, 1)
    elif channels == 3:
        scatter_span(target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, 3)
    else:
        scatter_span(target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels)


@inlined
def scatter_span(target, to_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels):
    step = np.uint64(channels)
    pitch = np.uint64(width) * step
    one = type(weights_x[start])(1)
    for k in range(np.uint64(start), np.uint64(stop)):
        here = np.uint64(to_here) + np.uint64(i[k]) * pitch + np.uint64(j[k]) * step
        there = np.uint64(grad_at) + k * step
        weight_x, weight_y = weights_x[k], weights_y[k]
        for c in range(channels):
            g = grad[there + np.uint64(c)]
            at = here + np.uint64(c)
            below = g * weight_y
            above = g * (one - weight_y)
            target[at] += above * (one - weight_x)
            target[at + step] += above * weight_x
            target[at + pitch] += below * (one - weight_x)
            target[at + pitch + step] += below * weight_x


@row_loop
def checked_scatter_row(
    target, to_here, grad, grad_at, xs, ys, start, stop, height, width, channels, interpolation, mode, below_one, low, high
):  # fmt: skip
    """The adjoint of sampling anywhere, for the taps in source rows ``low`` to ``high``."""
    one = type(below_one)(1)
    owned_from, owned_to = to_here + low * width * channels, to_here + (high + 1) * width * channels
    for k in range(start, stop):
        if not (math.isfinite(xs[k]) and math.isfinite(ys[k])):
            continue
        there = grad_at + k * channels
        if interpolation != BILINEAR:
            at = nearest_tap(xs[k], ys[k], to_here, height, width, channels, mode)
            add_tap(target, at, owned_from, owned_to, grad, there, channels, one, one)
            continue
        top_left, top_right, bottom_left, bottom_right, weight_x, weight_y = bilinear_taps(
            xs[k], ys[k], to_here, height, width, channels, mode, below_one
        )
        add_tap(target, top_left, owned_from, owned_to, grad, there, channels, one - weight_y, one - weight_x)
        add_tap(target, top_right, owned_from, owned_to, grad, there, channels, one - weight_y, weight_x)
        add_tap(target, bottom_left, owned_from, owned_to, grad, there, channels, weight_y, one - weight_x)
        add_tap(target, bottom_right, owned_from, owned_to, grad, there, channels, weight_y, weight_x)


@row_loop
def add_tap(target, at, owned_from, owned_to, grad, there, channels, weight_y, weight_x):
    """Give one tap its share, if this strip owns it; one outside belongs to none."""
    if owned_from <= at < owned_to:
        for c in range(channels):
            target[at + c] += grad[there + c] * weight_y * weight_x
