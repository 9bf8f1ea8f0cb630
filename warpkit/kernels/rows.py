"""Row buffers: the source points of up to ``TILE_COLUMNS`` neighbouring output pixels, filled, mapped and classified.

What forward and derivative drivers have in common.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiling import allocating, bits_of, float_of, inlined, prefetch, row_loop, shared
from .maps import AFFINE, PROJECTIVE, THIN_PLATE, map_point
from .matrix_maps import affine, projective
from .spline_maps import THIN_PLATE_HEADER, radial, thin_plate_plane
from .taps import BILINEAR, CUBIC, bilinear_taps, near_range, to_pixel

TILE_ROWS = 64
TILE_COLUMNS = 256
LARGEST_BLOCK = 16  # pixels of the blocks in simd.py: buffers have room for one beyond their end

# Where a point lies, by what sampling it takes; and a row whose points have to be looked at one by one.
BEYOND = 0
BORDER = 1
INSIDE = 2
MIXED = 3

# How many rows ahead, and how many pixels apart, source pixels are asked for: measured on slanted rows of large pictures.
PREFETCH_ROWS = 8
PREFETCH_STEP = 4
FARTHEST_LEAD = 512.0
SMALL = 2**12


class Origins(NamedTuple):
    """Where arrays that are not a whole begin in it: an output that is a part, and images that are windows."""

    row: int = 0
    column: int = 0
    top: int = 0
    left: int = 0


WHOLE = Origins()


def tile_count(
    out_shape: tuple[int, ...], origins: Origins = WHOLE, tile_rows: int = TILE_ROWS, tile_columns: int = TILE_COLUMNS
) -> int:
    """Number of tiles that an output of shape (N, planes, rows, columns, C) is cut into, where the whole is cut."""
    images, _, rows, columns, _ = out_shape
    rows, columns = rows + origins.row % tile_rows, columns + origins.column % tile_columns
    return images * -(-rows // tile_rows) * -(-columns // tile_columns)


def tile_pixels(out_shape: tuple[int, ...]) -> int:
    """Number of pixels in the largest of these tiles, all planes together."""
    _, planes, rows, columns, _ = out_shape
    return planes * min(rows, TILE_ROWS) * min(columns, TILE_COLUMNS)


@inlined
def tile_bounds(tile, rows, columns):
    """The image that a tile belongs to, its first row and column, and how many columns it has."""
    tiles_down, tiles_across = -(-rows // TILE_ROWS), -(-columns // TILE_COLUMNS)
    column_start = tile % tiles_across * TILE_COLUMNS
    return (
        tile // (tiles_down * tiles_across),
        tile // tiles_across % tiles_down * TILE_ROWS,
        column_start,
        min(TILE_COLUMNS, columns - column_start),
    )


@inlined
def part_tile_bounds(tile, rows, columns, row_origin, column_origin, tile_rows, tile_columns):
    """As :func:`tile_bounds`, of a part of an output that begins at its pixel (row_origin, column_origin) and is cut where the
    whole is: the image, the tile's first row and column in the whole, its rows of the part, from the first to before the last,
    how many of its columns come before the part's, and how many are the part's."""
    first_row, first_column = row_origin // tile_rows * tile_rows, column_origin // tile_columns * tile_columns
    row_end, column_end = row_origin + rows, column_origin + columns
    tiles_down, tiles_across = -(-(row_end - first_row) // tile_rows), -(-(column_end - first_column) // tile_columns)
    row_start = first_row + tile // tiles_across % tiles_down * tile_rows
    column_start = first_column + tile % tiles_across * tile_columns
    skipped = max(column_origin - column_start, 0)
    return (
        tile // (tiles_down * tiles_across),
        row_start,
        column_start,
        max(row_start, row_origin),
        min(row_start + tile_rows, row_end),
        skipped,
        min(tile_columns, column_end - column_start) - skipped,
    )


@row_loop
def shift_row(xs, ys, skipped, count, left, top):
    """Drop the points of a buffer that come before a part's, and count the others from a window of the source.

    Exact for points at or beyond the window's first pixel.
    """
    for k in range(np.uint64(count)):
        xs[k] = xs[np.uint64(skipped) + k] - left
        ys[k] = ys[np.uint64(skipped) + k] - top


@allocating
def row_buffers(below_one):
    """Memory for one row: points, source pixels, weights (of the type of ``below_one``), taps at the border, regions, points
    between stages, distances and weights, pairs of integers or floats, for :mod:`cubic_blocks`."""
    return (
        np.empty(TILE_COLUMNS),
        np.empty(TILE_COLUMNS),
        np.empty(TILE_COLUMNS + LARGEST_BLOCK, np.int32),
        np.empty(TILE_COLUMNS + LARGEST_BLOCK, np.int32),
        np.full(TILE_COLUMNS + LARGEST_BLOCK, below_one),
        np.full(TILE_COLUMNS + LARGEST_BLOCK, below_one),
        (
            np.empty(TILE_COLUMNS, np.int64),
            np.empty(TILE_COLUMNS, np.int64),
            np.empty(TILE_COLUMNS, np.int64),
            np.empty(TILE_COLUMNS, np.int64),
        ),
        np.empty(TILE_COLUMNS, np.uint8),
        np.empty(TILE_COLUMNS),
        np.empty(TILE_COLUMNS),
        (
            np.empty(TILE_COLUMNS, np.float32),
            np.empty(TILE_COLUMNS, np.float32),
            np.empty(4 * (TILE_COLUMNS + LARGEST_BLOCK), np.int32),
            np.empty(8 * (TILE_COLUMNS + LARGEST_BLOCK), np.float32),
        ),
    )


@shared
def begin_row(grid, n, row, column_start, count, xs, ys):
    """Fill a buffer with the points of the grid, or, if it is empty, with the output's own; returns how many are not finite."""
    if grid.shape[0] > 0:
        return read_grid_row(grid, n if grid.shape[0] > 1 else 0, row, column_start, count, xs, ys)
    start_row(row, column_start, count, xs, ys)
    return 0


@row_loop
def start_row(row, column_start, count, xs, ys):
    for k in range(count):
        xs[k] = column_start + k
        ys[k] = row


@row_loop
def read_grid_row(grid, n, row, column_start, count, xs, ys):
    """Copy a row of source points; returns how many are not finite."""
    invalid = 0
    for k in range(count):
        x = np.float64(grid[n, row, column_start + k, 0])
        y = np.float64(grid[n, row, column_start + k, 1])
        xs[k] = x
        ys[k] = y
        # NaN - NaN and inf - inf are NaN
        invalid += not ((x - x) + (y - y) == 0)
    return invalid


@row_loop
def map_row(grid, n, row, column_start, count, table, params, xs, ys, xs_other, ys_other):
    """Fill (xs, ys) with the source points of output pixels; returns how many points of the grid are not finite.

    Stages go to and fro between two pairs of buffers, from the one that makes the last end in (xs, ys).
    """
    stages = table.shape[0]
    if stages % 2 == 0:
        invalid = begin_row(grid, n, row, column_start, count, xs, ys)
    else:
        invalid = begin_row(grid, n, row, column_start, count, xs_other, ys_other)
    for stage in range(stages):
        if (stages - stage) % 2 == 0:
            apply_stage(table[stage, 0], xs, ys, xs_other, ys_other, count, params, table[stage, 1])
        else:
            apply_stage(table[stage, 0], xs_other, ys_other, xs, ys, count, params, table[stage, 1])
    return invalid


@inlined
def apply_stage(kind, xs, ys, xs_out, ys_out, count, params, at):
    """Where one stage sends the points of a buffer."""
    if kind == AFFINE:
        affine_row(xs, ys, xs_out, ys_out, count, params, at)
    elif kind == PROJECTIVE:
        projective_row(xs, ys, xs_out, ys_out, count, params, at)
    elif kind == THIN_PLATE:
        thin_plate_row(xs, ys, xs_out, ys_out, count, params, at)
    else:
        for k in range(count):
            xs_out[k], ys_out[k] = map_point(kind, xs[k], ys[k], params, at)


@row_loop
def affine_row(xs, ys, xs_out, ys_out, count, params, at):
    for k in range(count):
        xs_out[k], ys_out[k] = affine(xs[k], ys[k], params, at)


@row_loop
def projective_row(xs, ys, xs_out, ys_out, count, params, at):
    for k in range(count):
        xs_out[k], ys_out[k] = projective(xs[k], ys[k], params, at)


@row_loop
def thin_plate_row(xs, ys, xs_out, ys_out, count, params, at):
    """As :func:`thin_plate`, bit for bit, one control point after the other so that pixels become vectors."""
    x_centre, y_centre, scale = params[at + 1], params[at + 2], params[at + 3]
    points = int(params[at])
    for k in range(count):
        xs_out[k], ys_out[k] = thin_plate_plane((xs[k] - x_centre) * scale, (ys[k] - y_centre) * scale, params, at)
    for p in range(at + THIN_PLATE_HEADER, at + THIN_PLATE_HEADER + points):
        x_point, y_point = params[p], params[p + points]
        x_weight, y_weight = params[p + 2 * points], params[p + 3 * points]
        for k in range(count):
            value = radial((xs[k] - x_centre) * scale - x_point, (ys[k] - y_centre) * scale - y_point)
            xs_out[k] += x_weight * value
            ys_out[k] += y_weight * value


@shared
def sampling_extent(interpolation):
    """Where all taps are pixels of the source: [low, size - high); and how far they reach from their point."""
    if interpolation >= CUBIC:
        return interpolation - 1.0, float(interpolation), float(interpolation)
    if interpolation == BILINEAR:
        return 0.0, 1.0, 1.0
    return -0.5, 0.5, 1.0


@shared
def is_straight(grid, table):
    """Whether coordinates neither rise and fall nor jump along a row: its ends then bound it, in computed numbers too."""
    for stage in range(table.shape[0]):
        if table[stage, 0] != AFFINE:
            return False
    return grid.shape[0] == 0


@inlined
def region_of_box(x_low, x_high, y_low, y_high, low, high, reach, width, height, mode):
    """``INSIDE`` or ``BEYOND`` if all points of a box are, else ``MIXED``; see :func:`classify`."""
    if x_low >= low and x_high < width - high and y_low >= low and y_high < height - high:
        return INSIDE
    left, right = near_range(width, reach, mode)
    top, bottom = near_range(height, reach, mode)
    if x_high <= left or x_low >= right or y_high <= top or y_low >= bottom:
        return BEYOND
    return MIXED


@row_loop
def run_box(xs, ys, start, stop):
    """The box (x_low, x_high, y_low, y_high) around points of which no coordinate is below 0 or NaN.

    Their bits are compared, as integers: LLVM makes no vectors of the least and greatest floats, because of NaN.
    """
    x_low, y_low = np.int64(bits_of(xs[start])), np.int64(bits_of(ys[start]))
    x_high, y_high = x_low, y_low
    for k in range(np.uint64(start), np.uint64(stop)):
        x, y = np.int64(bits_of(xs[k])), np.int64(bits_of(ys[k]))
        x_low, x_high = min(x_low, x), max(x_high, x)
        y_low, y_high = min(y_low, y), max(y_high, y)
    return (
        float_of(np.uint64(x_low)),
        float_of(np.uint64(x_high)),
        float_of(np.uint64(y_low)),
        float_of(np.uint64(y_high)),
    )


@row_loop
def classify(xs, ys, count, region, low, high, reach, width, height, mode, straight):
    """Sort points into regions; returns how many are ``INSIDE`` and how many ``BEYOND``.

    All taps of a point inside are pixels of the source: it lies in [low, size - high) along both axes. A point beyond has the
    fill for its value: NaN and infinite ones, and those that :func:`near_range` leaves out.
    """
    if straight:
        x_low, x_high = min(xs[0], xs[count - 1]), max(xs[0], xs[count - 1])
        y_low, y_high = min(ys[0], ys[count - 1]), max(ys[0], ys[count - 1])
        region[0] = region_of_box(x_low, x_high, y_low, y_high, low, high, reach, width, height, mode)
        if region[0] == INSIDE:
            return count, 0
        if region[0] == BEYOND:
            return 0, count
    left, right = near_range(width, reach, mode)
    top, bottom = near_range(height, reach, mode)
    x_end, y_end = width - high, height - high
    total_inside, total_near = 0, 0
    for k in range(count):
        x, y = xs[k], ys[k]
        is_near = (x > left) & (x < right) & (y > top) & (y < bottom)
        is_inside = (x >= low) & (x < x_end) & (y >= low) & (y < y_end)
        region[k] = np.uint8(is_near) + np.uint8(is_inside)
        total_inside += is_inside
        total_near += is_near
    return total_inside, count - total_near


@row_loop
def run_end(region, start, count):
    stop = start + 1
    while stop < count and region[stop] == region[start]:
        stop += 1
    return stop


@row_loop
def split_row(xs, ys, start, stop, i, j, weights_x, weights_y, below_one):
    """Split inside points into a source pixel and the weights of its right and lower neighbours."""
    real = type(below_one)
    for k in range(np.uint64(start), np.uint64(stop)):
        column = np.int32(xs[k])
        row = np.int32(ys[k])
        j[k] = column
        i[k] = row
        weights_x[k] = min(real(xs[k] - column), below_one)
        weights_y[k] = min(real(ys[k] - row), below_one)


@row_loop
def border_row(xs, ys, start, stop, height, width, channels, mode, below_one, taps, weights_x, weights_y):
    """Send border points through the border rule: where their four taps begin in a plane of the source, and their weights."""
    top_left, top_right, bottom_left, bottom_right = taps
    for k in range(start, stop):
        top_left[k], top_right[k], bottom_left[k], bottom_right[k], weights_x[k], weights_y[k] = bilinear_taps(
            xs[k], ys[k], height, width, channels, mode, below_one
        )


@shared
def lead_of(dx, dy, size, width, channels):
    """How far on, in elements of the source, the pixels for a row ``PREFETCH_ROWS`` below are, which is (dx, dy) away there.

    0, for no prefetch, where the map jumps, there was no row before (NaN), or the image's ``size`` elements stay in the caches.
    """
    if size > SMALL and abs(dx) < FARTHEST_LEAD and abs(dy) < FARTHEST_LEAD:
        return (int(dy) * width + int(dx)) * channels
    return 0


@row_loop
def prefetch_row(array, first, i, j, start, stop, width, channels, lead):
    """Ask for the pixels that a row below will need, before it does: beyond the caches, latency rules."""
    if lead == 0:
        return
    for k in range(start, stop, PREFETCH_STEP):
        prefetch(array, first + (np.int64(i[k]) * width + j[k]) * channels + lead)


@row_loop
def fill_row(target, to_here, start, stop, cval):
    """Write the fill of each channel."""
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
