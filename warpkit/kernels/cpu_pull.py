"""The CPU driver of the derivative by parameters and grid: the same tiles and row buffers as forward, run backwards.

    output gradient  ->  slopes of the image at each point  ->  back through the stages  ->  parameters or grid

Coordinates are computed anew, stage by stage, nothing is stored per pixel. Where one thread has an image to itself, the image's
own gradient is scattered in the same pass, see :mod:`cpu_scatter`.

At a kink, where a point lies on a source pixel's centre, the slope is that of the cell to the right and below.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop, row_sum
from .cpu_scatter import scatter_run
from .maps import AFFINE, PROJECTIVE, THIN_PLATE, map_pull
from .matrix_maps import affine_cotangent, projective_pull
from .rows import (
    BEYOND,
    INSIDE,
    PREFETCH_ROWS,
    TILE_COLUMNS,
    TILE_ROWS,
    apply_stage,
    begin_row,
    border_row,
    classify,
    is_straight,
    lead_of,
    prefetch_row,
    row_buffers,
    run_end,
    sampling_extent,
    split_row,
)
from .separable import separable_slope_run
from .spline_maps import THIN_PLATE_HEADER, radial
from .taps import BILINEAR, CONSTANT, EDGE, bilinear_slopes, tap


@driver
def pull_tiles(
    images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel,
    tiles_per_group, grads, grad_grid, grad_images, reached, first, last,
):  # fmt: skip
    """Pull the output gradient back to parameters and grid, for groups ``first`` to ``last`` of tiles.

    Parameters
    ----------
    images, grid, table, params, cval, below_one, interpolation, mode, kernel
        As for :func:`warpkit.kernels.cpu.warp_tiles`.
    grad_out : (N, planes, rows, columns, C)
        In the type that pixels are computed in.
    tiles_per_group : int
        Consecutive tiles of an image whose sums are one row of ``grads``; groups are counted image by image.
    grads : (groups or 0, length) float64
        Receives the gradient of the packed parameters; empty if not wanted.
    grad_grid : (N or 0, rows, columns, 2)
        Receives the gradient of the source points; empty if not wanted.
    grad_images : (N or 0, planes, H, W, C)
        Receives the gradient of the images, as :func:`scatter_strips` would give it for one strip per image; starts at zero.
        All groups of an image must then be in one call. Empty if not wanted.
    reached : (N or 0, rows, tiles across, 2) int32
        Receives the first and last source row that each row of each tile touches, for :func:`scatter_strips`; may be empty.
    """
    stages = table.shape[0]
    xs, ys = np.empty((stages + 1, TILE_COLUMNS)), np.empty((stages + 1, TILE_COLUMNS))
    gx, gy = np.empty(TILE_COLUMNS, cval.dtype), np.empty(TILE_COLUMNS, cval.dtype)
    pull_each_tile(
        images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel,
        tiles_per_group, grads, grad_grid, grad_images, reached, row_buffers(below_one), xs, ys, gx, gy, first, last,
    )  # fmt: skip
    return 0


@row_loop
def pull_each_tile(
    images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel,
    tiles_per_group, grads, grad_grid, grad_images, reached, buffers, xs, ys, gx, gy, first, last,
):  # fmt: skip
    _, planes, height, width, channels = images.shape
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    source, grad, target = images.reshape(-1), grad_out.reshape(-1), grad_images.reshape(-1)
    source_size, grad_size = height * width * channels, rows * columns * channels
    tiles_down, tiles_across = -(-rows // TILE_ROWS), -(-columns // TILE_COLUMNS)
    tiles = tiles_down * tiles_across
    groups = -(-tiles // tiles_per_group)
    stages = table.shape[0]
    straight = is_straight(grid, table)
    low, high, reach = sampling_extent(interpolation)
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
                    kind, at = table[stage, 0], table[stage, 1]
                    apply_stage(kind, xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], count, params_row, at)
                x, y = xs[stages], ys[stages]
                if reached.shape[0] > 0:
                    top, bottom = rows_reached(y, count, reach, height, mode)
                    reached[n, row, column_start // TILE_COLUMNS, 0] = top
                    reached[n, row, column_start // TILE_COLUMNS, 1] = bottom
                if not slopes_wanted:
                    continue
                clear_row(gx, gy, count)
                lead = lead_of(
                    PREFETCH_ROWS * (x[count // 2] - x_before),
                    PREFETCH_ROWS * (y[count // 2] - y_before),
                    planes * source_size,
                    width,
                    channels,
                )
                x_before, y_before = x[count // 2], y[count // 2]
                inner, beyond = classify(x, y, count, buffers[7], low, high, reach, width, height, mode, straight)
                from_here = n * planes * source_size
                grad_at = n * planes * grad_size + (row * columns + column_start) * channels
                pull_samples(
                    kernel, source, from_here, source_size, grad, grad_at, grad_size, planes, buffers, x, y, gx, gy, target,
                    count, inner, beyond, True, True, 0, source_size, height, width, channels, mode, cval, below_one,
                    interpolation, lead,
                )  # fmt: skip
                if grad_grid.shape[0] > 0:
                    write_grid_row(grad_grid, n, row, column_start, count, gx, gy)
                if grads.shape[0] > 0:
                    for stage in range(stages - 1, -1, -1):
                        pull_stage(
                            stage == 0, table[stage, 0], xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], gx, gy, count,
                            params_row, table[stage, 1], grads[group],
                        )  # fmt: skip


@inlined
def pull_samples(
    kernel, source, from_here, source_size, grad, grad_at, grad_size, planes, buffers, xs, ys, gx, gy, target,
    count, inner, beyond, slopes_wanted, owns_all, owned_from, owned_to, height, width, channels, mode, cval, below_one,
    interpolation, lead,
):  # fmt: skip
    """Add to (gx, gy), if wanted, what :func:`slope_run` does, and to ``target``, unless it is empty, what :func:`scatter_run`
    does, at the points of a buffer that has been classified, run by run."""
    region = buffers[7]
    start = np.int64(0)
    while start < count:
        stop = count if inner == count or beyond == count else run_end(region, start, count)
        if region[start] != BEYOND:
            is_inside = region[start] == INSIDE
            if slopes_wanted:
                if kernel is None:
                    slope_run(
                        source, from_here, source_size, grad, grad_at, grad_size, planes, buffers, xs, ys, gx, gy,
                        start, stop, is_inside, height, width, channels, mode, cval, below_one, interpolation, lead,
                    )  # fmt: skip
                else:
                    separable_slope_run(
                        kernel, source, from_here, source_size, grad, grad_at, grad_size, planes, xs, ys, gx, gy,
                        start, stop, height, width, channels, mode, cval,
                    )  # fmt: skip
            if target.shape[0] > 0:
                scatter_run(
                    kernel, target, from_here, source_size, grad, grad_at, grad_size, planes, buffers, xs, ys,
                    start, stop, owns_all and is_inside, height, width, channels, mode, below_one, interpolation,
                    owned_from, owned_to, 0,
                )  # fmt: skip
        start = stop


@inlined
def slope_run(
    source, from_here, source_size, grad, grad_at, grad_size, planes, buffers, xs, ys, gx, gy,
    start, stop, is_inside, height, width, channels, mode, cval, below_one, interpolation, lead,
):  # fmt: skip
    """Add to (gx, gy) the output gradient times all planes' slopes, at points inside or at the border; nearest has none."""
    if interpolation != BILINEAR:
        return
    _, _, i, j, weights_x, weights_y, taps = buffers[:7]
    if is_inside:
        split_row(xs, ys, start, stop, i, j, weights_x, weights_y, below_one)
    else:
        border_row(xs, ys, start, stop, height, width, channels, mode, below_one, taps, weights_x, weights_y)
    for _ in range(planes):
        if is_inside:
            prefetch_row(source, from_here, i, j, start, stop, width, channels, lead)
            slope_row(source, from_here, grad, grad_at, i, j, weights_x, weights_y, start, stop, width, channels, gx, gy)
        else:
            border_slope_row(source, from_here, grad, grad_at, taps, weights_x, weights_y, start, stop, cval, gx, gy)
        from_here += source_size
        grad_at += grad_size


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
def rows_reached(ys, count, reach, height, mode):
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
    if mode > EDGE and (low < reach - 1 or high > height - reach):
        return 0, height - 1
    if mode == CONSTANT and (low >= height - 1 + reach or high <= -reach):
        return 0, -1
    last = height - 1.0
    return int(min(max(low - reach, 0.0), last)), int(min(max(high + reach, 0.0), last))


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
def border_slope_row(source, from_here, grad, grad_at, taps, weights_x, weights_y, start, stop, cval, gx, gy):
    """As :func:`slope_row`, by taps that have been through the border rule."""
    real = type(cval[0])
    top_left, top_right, bottom_left, bottom_right = taps
    channels = len(cval)
    for k in range(start, stop):
        across_top, across_bottom, down_left, down_right = real(0), real(0), real(0), real(0)
        for c in range(channels):
            a, b = tap(source, from_here, top_left[k], c, cval[c]), tap(source, from_here, top_right[k], c, cval[c])
            d, e = tap(source, from_here, bottom_left[k], c, cval[c]), tap(source, from_here, bottom_right[k], c, cval[c])
            g = grad[grad_at + k * channels + c]
            across_top += g * (b - a)
            across_bottom += g * (e - d)
            down_left += g * (d - a)
            down_right += g * (e - b)
        slope_x, slope_y = bilinear_slopes(across_top, across_bottom, down_left, down_right, weights_x[k], weights_y[k])
        gx[k] += slope_x
        gy[k] += slope_y


@inlined
def pull_stage(is_first, kind, xs, ys, xs_out, ys_out, gx, gy, count, params, at, grads):
    """Run a buffer's cotangents back through one stage, in place; points without any take no part, wherever they are."""
    if kind == AFFINE:
        pull_affine_row(xs, ys, gx, gy, count, params, at, grads)
    elif kind == THIN_PLATE and is_first:
        pull_thin_plate_row(xs, ys, gx, gy, count, params, at, grads)
    elif kind == PROJECTIVE:
        for k in range(count):
            if gx[k] != 0 or gy[k] != 0:
                gx[k], gy[k] = projective_pull(xs[k], ys[k], gx[k], gy[k], params, at, grads)
    else:
        for k in range(count):
            if gx[k] != 0 or gy[k] != 0:
                gx[k], gy[k] = map_pull(kind, xs[k], ys[k], xs_out[k], ys_out[k], gx[k], gy[k], params, at, grads)


@row_sum
def pull_thin_plate_row(xs, ys, gx, gy, count, params, at, grads):
    """The sums of :func:`thin_plate_pull`, in vectors, without the cotangents of the points: for a first stage."""
    x_centre, y_centre, scale = params[at + 1], params[at + 2], params[at + 3]
    points = int(params[at])
    x_sum, xu_sum, xv_sum, y_sum, yu_sum, yv_sum = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(count):
        g, h = np.float64(gx[k]), np.float64(gy[k])
        u, v = (xs[k] - x_centre) * scale, (ys[k] - y_centre) * scale
        x_sum += g
        xu_sum += g * u
        xv_sum += g * v
        y_sum += h
        yu_sum += h * u
        yv_sum += h * v
    grads[at + 4] += x_sum
    grads[at + 5] += xu_sum
    grads[at + 6] += xv_sum
    grads[at + 7] += y_sum
    grads[at + 8] += yu_sum
    grads[at + 9] += yv_sum
    for p in range(at + THIN_PLATE_HEADER, at + THIN_PLATE_HEADER + points):
        x_point, y_point = params[p], params[p + points]
        x_sum, y_sum = 0.0, 0.0
        for k in range(count):
            value = radial((xs[k] - x_centre) * scale - x_point, (ys[k] - y_centre) * scale - y_point)
            x_sum += gx[k] * value
            y_sum += gy[k] * value
        grads[p + 2 * points] += x_sum
        grads[p + 3 * points] += y_sum


@row_sum
def pull_affine_row(xs, ys, gx, gy, count, params, at, grads):
    """The sums of :func:`affine_pull`, in vectors."""
    x_sum, xx_sum, xy_sum, y_sum, yx_sum, yy_sum = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(count):
        g, h = np.float64(gx[k]), np.float64(gy[k])
        taken = (g != 0) | (h != 0)
        x, y = xs[k] if taken else 0.0, ys[k] if taken else 0.0
        xx_sum += g * x
        xy_sum += g * y
        x_sum += g
        yx_sum += h * x
        yy_sum += h * y
        y_sum += h
        gx[k], gy[k] = affine_cotangent(g, h, params, at)
    grads[at] += xx_sum
    grads[at + 1] += xy_sum
    grads[at + 2] += x_sum
    grads[at + 3] += yx_sum
    grads[at + 4] += yy_sum
    grads[at + 5] += y_sum
