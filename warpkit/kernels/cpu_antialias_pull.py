"""The CPU drivers of the derivative with antialiasing: the rows of :mod:`cpu_antialias`, run backwards.

    output gradient  ->  each sample's share  ->  slopes at the samples  ->  centre and steps of the footprint
                     ->  source points of the pixel and its four neighbours  ->  back through the stages  ->  parameters

Footprints are part of the derivative. The gradient of a row of source points is complete when the row below has been through;
it then goes back through the stages, which are computed anew.
"""

from __future__ import annotations

import numpy as np

from .compiling import allocating, driver, inlined, row_loop
from .cpu_antialias import (
    COLUMNS,
    ROWS,
    alike_end,
    footprint_buffers,
    measure_row,
    sample_points,
    step_along_column,
    step_along_row,
)
from .cpu_pull import clear_row, pull_samples, pull_stage, rows_reached
from .footprints import averaged_step_pull, sample_offset
from .rows import (
    BEYOND,
    TILE_COLUMNS,
    apply_stage,
    classify,
    map_row,
    part_tile_bounds,
    row_buffers,
    sampling_extent,
    start_row,
)


@allocating
def gradient_buffers(grad_out, table, cval):
    """Memory for a run's output gradient, a sample's slopes, the sums for a row's centres and steps, three rows of gradients of
    points, and a row of points before and after each stage."""
    stages = table.shape[0]
    return (
        np.empty(TILE_COLUMNS * grad_out.shape[1] * grad_out.shape[4], cval.dtype),
        np.empty((2, TILE_COLUMNS), cval.dtype),
        np.empty((6, TILE_COLUMNS)),
        np.empty((3, TILE_COLUMNS)),
        np.empty((3, TILE_COLUMNS)),
        np.empty((stages + 1, TILE_COLUMNS)),
        np.empty((stages + 1, TILE_COLUMNS)),
    )


@driver
def pull_antialiased_tiles(
    images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel, variance,
    tiles_per_group, grads, first, last
):  # fmt: skip
    """Pull the output gradient back to the packed parameters, for groups ``first`` to ``last`` of tiles.

    Parameters as for :func:`warpkit.kernels.cpu_pull.pull_tiles`, no grid.
    """
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    tiles = -(-rows // ROWS) * -(-columns // COLUMNS)
    groups = -(-tiles // tiles_per_group)
    target = np.empty(0, cval.dtype)
    buffers, footprint, memory = row_buffers(below_one), footprint_buffers(), gradient_buffers(grad_out, table, cval)
    for group in range(first, last):
        start = group % groups * tiles_per_group
        for tile in range(start, min(tiles, start + tiles_per_group)):
            pull_antialiased_tile(
                images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel, variance,
                grads[group], target, 0, images.shape[2], buffers, footprint, memory, group // groups * tiles + tile,
            )  # fmt: skip
    return 0


@driver
def scatter_antialiased_strips(
    images, grad_images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel, variance,
    strips, first, last
):  # fmt: skip
    """Add the output gradient to the image gradient, for strips ``first`` to ``last``, counted image by image.

    As :func:`warpkit.kernels.cpu_scatter.scatter_strips`: each strip of source rows visits the output in order.
    """
    rows, columns, height = grad_out.shape[2], grad_out.shape[3], images.shape[2]
    tiles = -(-rows // ROWS) * -(-columns // COLUMNS)
    target, no_grads = grad_images.reshape(-1), np.empty(0)
    buffers, footprint, memory = row_buffers(below_one), footprint_buffers(), gradient_buffers(grad_out, table, cval)
    for strip in range(first, last):
        top, bottom = height * (strip % strips) // strips, height * (strip % strips + 1) // strips
        for tile in range(tiles):
            pull_antialiased_tile(
                images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel, variance, no_grads, target,
                top, bottom, buffers, footprint, memory, strip // strips * tiles + tile,
            )  # fmt: skip
    return 0


@row_loop
def pull_antialiased_tile(
    images, grad_out, grid, table, params, cval, below_one, interpolation, mode, kernel, variance, grads, target,
    top, bottom, buffers, footprint, memory, tile,
):  # fmt: skip
    """Add a tile's share to the gradient of the parameters, unless ``grads`` is empty, and to rows ``top`` to ``bottom`` of the
    images', unless ``target`` is."""
    _, planes, height, width, channels = images.shape
    rows, columns = grad_out.shape[2], grad_out.shape[3]
    grad, source = grad_out.reshape(-1), images.reshape(-1)
    n, row_start, column_start, _, row_end, _, count = part_tile_bounds(tile, rows, columns, 0, 0, ROWS, COLUMNS)
    params_row = params[n if params.shape[0] > 1 else 0]
    low, high, reach = sampling_extent(interpolation)
    point_xs, point_ys, steps, kinds = footprint
    share, slopes, sums, gx, gy, stage_xs, stage_ys = memory
    for line in range(3):
        clear_row(gx[line], gy[line], count + 2)
    for below in range(row_start - 1, row_end + 1):
        map_row(
            grid, 0, below, column_start - 1, count + 2, table, params_row, point_xs[(below + 1) % 3],
            point_ys[(below + 1) % 3], buffers[8], buffers[9],
        )  # fmt: skip
        row = below - 1
        if row < row_start:
            continue
        here = (row + 1) % 3
        measure_row(point_xs, point_ys, here, count, variance, steps, kinds, low, high, reach, width, height, mode, 0.0, 0.0)
        clear_sums(sums, count)
        grad_at = n * planes * rows * columns * channels + (row * columns + column_start) * channels
        start = np.int64(0)
        while start < count:
            stop = alike_end(kinds, start, count)
            if kinds[2, start] != BEYOND:
                pull_run(
                    kernel, source, n * planes * height * width * channels, grad, grad_at, rows * columns * channels, planes,
                    buffers, point_xs[here], point_ys[here], steps, kinds, start, stop, height, width, channels, mode, cval,
                    below_one, interpolation, grads.size > 0, target, top, bottom, share, slopes, sums,
                )  # fmt: skip
            start = stop
        if grads.size > 0:
            pull_footprints(point_xs, point_ys, here, count, variance, sums, gx, gy)
            pull_row(
                table, params_row, row - 1, column_start - 1, count + 2, stage_xs, stage_ys, gx[row % 3], gy[row % 3], grads
            )
    if grads.size > 0:
        for row in range(row_end - 1, row_end + 1):
            line = (row + 1) % 3
            pull_row(table, params_row, row, column_start - 1, count + 2, stage_xs, stage_ys, gx[line], gy[line], grads)


@inlined
def pull_run(
    kernel, source, from_here, grad, grad_at, grad_size, planes, buffers, xs, ys, steps, kinds, start, stop,
    height, width, channels, mode, cval, below_one, interpolation, slopes_wanted, target, top, bottom, share, slopes, sums,
):  # fmt: skip
    """The samples of pixels that are alike: their slopes to ``sums``, their shares to ``target``."""
    low, high, reach = sampling_extent(interpolation)
    count, size, source_size = stop - start, (stop - start) * channels, height * width * channels
    across, down = int(kinds[0, start]), int(kinds[1, start])
    share_row(grad, grad_at + start * channels, grad_size, planes, size, across * down, share)
    sample_xs, sample_ys = buffers[0], buffers[1]
    for k in range(across * down):
        u, v = sample_offset(k % across, across), sample_offset(k // across, down)
        sample_points(xs, ys, steps, u, v, start, count, sample_xs, sample_ys, 0.0, 0.0)
        owns_any, owns_all = False, False
        if target.size > 0:
            highest, lowest = rows_reached(sample_ys, count, reach, height, mode)
            owns_any = lowest >= top and highest < bottom
            owns_all = highest >= top and lowest < bottom
        if not slopes_wanted and not owns_any:
            continue
        inner, beyond = classify(sample_xs, sample_ys, count, buffers[7], low, high, reach, width, height, mode, False)
        clear_row(slopes[0], slopes[1], count)
        pull_samples(
            kernel, source, from_here, source_size, share, np.int64(0), size, planes, buffers, sample_xs, sample_ys,
            slopes[0], slopes[1], target, count, inner, beyond, slopes_wanted, owns_all, top * width * channels,
            bottom * width * channels, height, width, channels, mode, cval, below_one, interpolation, 0,
        )  # fmt: skip
        if slopes_wanted:
            add_slopes(sums, start, count, u, v, slopes)


@row_loop
def share_row(grad, grad_at, grad_size, planes, size, samples, share):
    """What each sample of a run receives of the output gradient, in all planes."""
    for p in range(planes):
        for m in range(size):
            share[p * size + m] = grad[grad_at + p * grad_size + m] / samples


@row_loop
def add_slopes(sums, start, count, u, v, slopes):
    """Add a sample's cotangents to those of its pixel's centre and steps."""
    for m in range(count):
        g, h = np.float64(slopes[0, m]), np.float64(slopes[1, m])
        sums[0, start + m] += g
        sums[1, start + m] += h
        sums[2, start + m] += u * g
        sums[3, start + m] += u * h
        sums[4, start + m] += v * g
        sums[5, start + m] += v * h


@row_loop
def pull_footprints(xs, ys, here, count, variance, sums, gx, gy):
    """From the cotangents of a row's centres and averaged steps to those of the points that :func:`measure_row` took."""
    above, below = (here + 2) % 3, (here + 1) % 3
    for k in range(count):
        gx[here, k + 1] += sums[0, k]
        gy[here, k + 1] += sums[1, k]
        g, h = averaged_step_pull(*step_along_row(xs, ys, here, k), variance, sums[2, k], sums[3, k])
        gx[here, k + 2] += 0.5 * g
        gy[here, k + 2] += 0.5 * h
        gx[here, k] -= 0.5 * g
        gy[here, k] -= 0.5 * h
        g, h = averaged_step_pull(*step_along_column(xs, ys, here, k), variance, sums[4, k], sums[5, k])
        gx[below, k + 1] += 0.5 * g
        gy[below, k + 1] += 0.5 * h
        gx[above, k + 1] -= 0.5 * g
        gy[above, k + 1] -= 0.5 * h


@inlined
def pull_row(table, params, row, column_start, count, xs, ys, gx, gy, grads):
    """Run the cotangents of a row of source points back through the stages; leaves the row of cotangents clear."""
    start_row(row, column_start, count, xs[0], ys[0])
    stages = table.shape[0]
    for stage in range(stages):
        kind, at = table[stage, 0], table[stage, 1]
        apply_stage(kind, xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], count, params, at)
    for stage in range(stages - 1, -1, -1):
        pull_stage(
            stage == 0, table[stage, 0], xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], gx, gy, count,
            params, table[stage, 1], grads,
        )  # fmt: skip
    clear_row(gx, gy, count)


@row_loop
def clear_sums(sums, count):
    for axis in range(6):
        for k in range(count):
            sums[axis, k] = 0.0
