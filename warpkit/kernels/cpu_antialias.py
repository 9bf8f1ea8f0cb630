"""The CPU driver with antialiasing: each output pixel is the mean of samples spread over its footprint, see :mod:`footprints`.

Three rows of source points at a time, one point more on each side, give every pixel's footprint; neighbours with as many
samples are computed together, one sample of each at a time, by the row loops of :mod:`cpu`. What a pixel becomes depends on its
neighbours' points only, not on tiles.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import allocating, driver, inlined, is_integer, row_loop
from .cpu import sample_row
from .footprints import averaged_step, is_longer, sample_count, sample_offset
from .inside import place, spill_buffer
from .lattice import fill_lattice, has_lattice, lattice_buffers, lattice_row
from .rows import (
    BEYOND,
    INSIDE,
    PREFETCH_ROWS,
    TILE_COLUMNS,
    TILE_ROWS,
    WHOLE,
    Origins,
    classify,
    fill_row,
    lead_of,
    map_row,
    part_tile_bounds,
    region_of_box,
    row_buffers,
    sampling_extent,
    shift_row,
    tile_count,
)
from .shrink import is_upright, is_upright_matrix, shrink_buffers, shrink_tile
from .simd import fits_blocks
from .taps import lerp, to_pixel

# With their neighbours, tiles fill the row buffers and the blocks of the lattice.
ROWS = TILE_ROWS - 2
COLUMNS = TILE_COLUMNS - 2
# More than the sums that make a sample's place are off, in pictures of 2^31 pixels.
ROUNDING = 1e-5
# The kind of a row in which nothing is made smaller.
PLAIN = 4


def antialiased_tile_count(out_shape: tuple[int, ...], origins: Origins = WHOLE) -> int:
    """Number of tiles that an output of shape (N, planes, rows, columns, C) is cut into, where the whole is cut."""
    return tile_count(out_shape, origins, ROWS, COLUMNS)


@allocating
def footprint_buffers():
    """Memory for three rows of points (x, y), and a row's footprints, see :func:`measure_row`."""
    return (
        np.empty((3, TILE_COLUMNS)),
        np.empty((3, TILE_COLUMNS)),
        np.empty((4, TILE_COLUMNS)),
        np.empty((3, TILE_COLUMNS), np.uint8),
    )


@driver
def warp_antialiased_tiles(
    images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, variance, zero, fixed,
    first, last,
):  # fmt: skip
    """Compute tiles ``first`` to ``last`` of ``out``.

    Parameters as for :func:`warpkit.kernels.cpu.warp_tiles`, no grid; ``variance`` is that of the sampling kernel,
    see :mod:`footprints`; ``zero`` is of the type that samples are added up in: int32 for integers, else that of pixels.
    ``fixed`` is True for 8-bit pixels, which :mod:`shrink` knows, else None; known to the compiler.
    """
    values = TILE_COLUMNS * images.shape[1] * images.shape[4]
    upright_columns = out.shape[3] if is_upright(table, interpolation, mode) else 0
    warp_each_antialiased_tile(
        images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, variance,
        row_buffers(below_one), spill_buffer(images),
        lattice_buffers(int(params[0, 0]) if has_lattice(grid, table, tolerance) else 0),
        footprint_buffers(), np.empty(values, images.dtype), np.full(values, zero),
        None if fixed is None else shrink_buffers(params[:, 0], upright_columns, images.shape[4]),
        first, last,
    )  # fmt: skip
    return 0


@row_loop
def warp_each_antialiased_tile(
    images, out, origins, grid, table, params, cval, below_one, interpolation, mode, kernel, tolerance, variance,
    buffers, spill, lattice, footprint, sampled, sums, upright, first, last,
):  # fmt: skip
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    row_origin, column_origin, top, left = origins
    x_window, y_window = float(left), float(top)
    source, target = images.reshape(-1), out.reshape(-1)
    source_size, target_size = height * width * channels, rows * columns * channels
    on_lattice = has_lattice(grid, table, tolerance)
    low, high, reach = sampling_extent(interpolation)
    point_xs, point_ys, steps, kinds = footprint
    for tile in range(first, last):
        n, row_start, column_start, row_begin, row_end, skipped, count = part_tile_bounds(
            tile, rows, columns, row_origin, column_origin, ROWS, COLUMNS
        )
        params_row = params[n if params.shape[0] > 1 else 0]
        if upright is not None:
            if is_upright(table, interpolation, mode) and is_upright_matrix(
                params_row, row_origin + rows, column_origin + columns
            ):
                column_begin = column_start + skipped
                shrink_tile(
                    source, n * planes * source_size, source_size, target,
                    n * planes * target_size + ((row_begin - row_origin) * columns + column_begin - column_origin) * channels,
                    target_size, planes, params_row, row_begin, row_end, column_begin, count, columns, height, width, top, left,
                    channels, mode, cval, variance, upright,
                )  # fmt: skip
                continue
        if on_lattice:
            fill_lattice(
                lattice[0], lattice[1], lattice[4], row_start - 1, column_start - 1, skipped + count + 2, params_row, tolerance
            )  # fmt: skip
        for below in range(row_begin - 1, row_end + 1):
            point_row(
                grid, table, params_row, on_lattice, lattice, buffers, below, row_start - 1, column_start - 1, skipped,
                count + 2, point_xs[(below + 1) % 3], point_ys[(below + 1) % 3],
            )  # fmt: skip
            row = below - 1
            if row < row_begin:
                continue
            is_plain = not any_is_longer(point_xs, point_ys, (row + 1) % 3, count)
            if is_plain:
                kinds[0, 0], kinds[1, 0], kinds[2, 0] = 1, 1, PLAIN
            else:
                measure_row(
                    point_xs, point_ys, (row + 1) % 3, count, variance, steps, kinds, low, high, reach, width, height, mode,
                    x_window, y_window,
                )  # fmt: skip
            xs, ys = point_xs[(row + 1) % 3], point_ys[(row + 1) % 3]
            next_xs, next_ys = point_xs[(row + 2) % 3], point_ys[(row + 2) % 3]
            middle = count // 2
            # averages read on through the source by themselves
            ahead = PREFETCH_ROWS if is_plain or (kinds[0, middle] == 1 and kinds[1, middle] == 1) else 1
            lead = lead_of(
                ahead * (next_xs[middle] - xs[middle]), ahead * (next_ys[middle] - ys[middle]), planes * source_size, width,
                channels,
            )  # fmt: skip
            from_here = n * planes * source_size
            column_begin = column_start + skipped
            to_here = n * planes * target_size + ((row - row_origin) * columns + column_begin - column_origin) * channels
            start = np.int64(0)
            while start < count:
                stop = count if is_plain else alike_end(kinds, start, count)
                average_run(
                    kernel, source, from_here, source_size, target, to_here + start * channels, target_size, planes, buffers,
                    xs, ys, steps, kinds, start, stop, height, width, channels, mode, cval, below_one, interpolation,
                    lead, columns * channels, spill, sampled, sums, x_window, y_window,
                )  # fmt: skip
                start = stop


@inlined
def point_row(
    grid, table, params, on_lattice, lattice, buffers, row, row_start, column_start, skipped, count, xs, ys
):  # fmt: skip
    """The source points of a row without the ``skipped`` first ones; they may lie beside the output."""
    if on_lattice:
        nodes, left_out, weights, node_row, _ = lattice
        lattice_row(nodes, left_out, weights, node_row, row, row_start, column_start, skipped + count, params, xs, ys)
        if skipped > 0:
            shift_row(xs, ys, skipped, count, 0.0, 0.0)
    else:
        map_row(grid, 0, row, column_start + skipped, count, table, params, xs, ys, buffers[8], buffers[9])


@inlined
def step_along_row(xs, ys, here, k):
    """Half the way from the source point on the left of pixel ``k`` to that on its right; points begin one pixel before."""
    return (xs[here, k + 2] - xs[here, k]) * 0.5, (ys[here, k + 2] - ys[here, k]) * 0.5


@inlined
def step_along_column(xs, ys, here, k):
    """Half the way from the source point above to that below; the three rows take turns."""
    above, below = (here + 2) % 3, (here + 1) % 3
    return (xs[below, k + 1] - xs[above, k + 1]) * 0.5, (ys[below, k + 1] - ys[above, k + 1]) * 0.5


@row_loop
def any_is_longer(xs, ys, here, count):
    """Whether any pixel of a row takes more than one sample."""
    found = np.int64(0)
    for k in range(np.uint64(count)):
        found += np.int64(is_longer(*step_along_row(xs, ys, here, k)) | is_longer(*step_along_column(xs, ys, here, k)))
    return found > 0


@row_loop
def measure_row(xs, ys, here, count, variance, steps, kinds, low, high, reach, width, height, mode, x_window, y_window):
    """Each pixel's two steps (x, y along a row, x, y along a column), as far as they are averaged over; how many samples each
    takes, and where in the window the footprint lies, in the terms of :func:`classify`."""
    for k in range(count):
        dx, dy = step_along_row(xs, ys, here, k)
        steps[0, k], steps[1, k] = averaged_step(dx, dy, variance)
        kinds[0, k] = sample_count(dx, dy)
        dx, dy = step_along_column(xs, ys, here, k)
        steps[2, k], steps[3, k] = averaged_step(dx, dy, variance)
        kinds[1, k] = sample_count(dx, dy)
    for k in range(count):
        x, y = xs[here, k + 1], ys[here, k + 1]
        x_half, y_half = half_extents(steps, k)
        kinds[2, k] = region_of_box(
            x - x_half - x_window, x + x_half - x_window, y - y_half - y_window, y + y_half - y_window, low, high, reach, width,
            height, mode,
        )  # fmt: skip


@inlined
def half_extents(steps, k):
    """How far a footprint reaches from its centre along x and y."""
    return (
        (abs(steps[0, k]) + abs(steps[2, k])) * 0.5 + ROUNDING,
        (abs(steps[1, k]) + abs(steps[3, k])) * 0.5 + ROUNDING,
    )


@row_loop
def alike_end(kinds, start, count):
    """Where the pixels end that take as many samples as the first and lie where it does."""
    stop = start + 1
    while (
        stop < count
        and kinds[0, stop] == kinds[0, start]
        and kinds[1, stop] == kinds[1, start]
        and kinds[2, stop] == kinds[2, start]
    ):
        stop += 1
    return stop


@inlined
def average_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers,
    xs, ys, steps, kinds, start, stop, height, width, channels, mode, cval, below_one, interpolation, lead,
    row_step, spill, sampled, sums, x_window, y_window,
):  # fmt: skip
    """Compute the pixels of a run that are alike, to ``target`` from ``to_here`` on."""
    count, size = stop - start, (stop - start) * channels
    across, down = int(kinds[0, start]), int(kinds[1, start])
    if kinds[2, start] == BEYOND:
        for p in range(planes):
            fill_row(target, to_here + p * target_size, 0, count, cval)
        return
    low, high, reach = sampling_extent(interpolation)
    x_origin, y_origin, is_placed = 0.0, 0.0, False
    if kinds[2, start] == INSIDE and kernel is None:
        x_low, x_high, y_low, y_high = footprints_box(xs, ys, steps, start, stop, x_window, y_window)
        is_placed = fits_blocks(x_low, x_high, y_low, y_high, height, width, channels)
        if is_placed:
            x_origin, y_origin = math.floor(x_low), math.floor(y_low)
    first = from_here + (int(y_origin) * width + int(x_origin)) * channels
    is_plain = kinds[2, start] == PLAIN
    is_window = x_window + y_window > 0
    sample_xs, sample_ys = (xs[1:], ys[1:]) if is_plain and not is_window else (buffers[0], buffers[1])
    place, there, there_size, next_row = target, to_here, target_size, row_step
    if across * down > 1:
        place, there, there_size, next_row = sampled, np.int64(0), size, 0
    for k in range(across * down):
        u, v = sample_offset(k % across, across), sample_offset(k // across, down)
        inner, beyond = count, np.int64(0)
        if is_placed:
            buffers[7][0] = INSIDE
            place_samples(
                xs, ys, steps, u, v, start, count, x_window + x_origin, y_window + y_origin, np.int32(width * channels),
                np.int32(channels), below_one, buffers[2], buffers[4], buffers[5],
            )  # fmt: skip
        else:
            if not is_plain:
                sample_points(xs, ys, steps, u, v, start, count, sample_xs, sample_ys, x_window, y_window)
            elif is_window:
                plain_points(xs, ys, count, sample_xs, sample_ys, x_window, y_window)
            inner, beyond = classify(sample_xs, sample_ys, count, buffers[7], low, high, reach, width, height, mode, False)
        sample_row(
            kernel, source, first, source_size, place, there, there_size, planes, (sample_xs, sample_ys, *buffers[2:]),
            count, inner, beyond, height, width, channels, mode, cval, below_one, interpolation,
            lead if k % across == 0 else 0, next_row, spill, is_placed,
        )  # fmt: skip
        if across * down > 1:
            add_samples(sums, sampled, planes * size, k)
    for p in range(planes if across * down > 1 else 0):
        store_means(sums, p * size, target, to_here + p * target_size, size, across * down)


@row_loop
def footprints_box(xs, ys, steps, start, stop, x_window, y_window):
    """The box around the footprints of a run, all of which lie inside."""
    x_low, x_high, y_low, y_high = math.inf, 0.0, math.inf, 0.0
    for k in range(np.uint64(start), np.uint64(stop)):
        x_half, y_half = half_extents(steps, k)
        x, y = xs[k + np.uint64(1)], ys[k + np.uint64(1)]
        x_low, x_high = min(x_low, x - x_half), max(x_high, x + x_half)
        y_low, y_high = min(y_low, y - y_half), max(y_high, y + y_half)
    return x_low - x_window, x_high - x_window, y_low - y_window, y_high - y_window


@inlined
def sample_point(xs, ys, steps, u, v, k):
    """The sample of a pixel at (u, v) of its footprint."""
    here = k + np.uint64(1)
    return xs[here] + (u * steps[0, k] + v * steps[2, k]), ys[here] + (u * steps[1, k] + v * steps[3, k])


@row_loop
def plain_points(xs, ys, count, xs_out, ys_out, x_window, y_window):
    """As :func:`sample_points`, of a whole row that has one sample for each pixel."""
    for m in range(np.uint64(count)):
        xs_out[m], ys_out[m] = xs[m + np.uint64(1)] - x_window, ys[m + np.uint64(1)] - y_window


@row_loop
def sample_points(xs, ys, steps, u, v, start, count, xs_out, ys_out, x_window, y_window):
    """One sample of each pixel of a run, counted from a window, to the beginning of a buffer."""
    for m in range(np.uint64(count)):
        x, y = sample_point(xs, ys, steps, u, v, np.uint64(start) + m)
        xs_out[m], ys_out[m] = x - x_window, y - y_window


@row_loop
def place_samples(
    xs, ys, steps, u, v, start, count, x_origin, y_origin, pitch, step, below_one, offsets, weights_x, weights_y
):  # fmt: skip
    """As :func:`sample_points`, placed at once; all inside."""
    for m in range(np.uint64(count)):
        x, y = sample_point(xs, ys, steps, u, v, np.uint64(start) + m)
        offsets[m], weights_x[m], weights_y[m] = place(x, y, x_origin, y_origin, pitch, step, below_one)


@row_loop
def add_samples(sums, sampled, size, k):
    """Add sample ``k`` of each pixel: a sum of integers, or the mean of floats, which stays within their range."""
    if k == 0:
        for m in range(np.uint64(size)):
            sums[m] = sampled[m]
    elif is_integer(sums[0]):
        for m in range(np.uint64(size)):
            sums[m] += np.int32(sampled[m])
    else:
        weight = type(sums[0])(1) / type(sums[0])(k + 1)
        for m in range(np.uint64(size)):
            sums[m] = lerp(sums[m], sampled[m], weight)


@row_loop
def store_means(sums, first, target, to_here, size, samples):
    """What :func:`add_samples` has left, as pixels."""
    for m in range(np.uint64(size)):
        value = sums[np.uint64(first) + m]
        target[np.uint64(to_here) + m] = to_pixel(value / samples if is_integer(value) else value, target[0])
