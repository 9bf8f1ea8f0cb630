"""Row buffers: the source points of up to ``TILE_COLUMNS`` neighbouring output pixels, filled, mapped and classified.

What forward and derivative drivers have in common.
"""

from __future__ import annotations

import numpy as np

from .compiling import prefetch, row_loop, shared
from .maps import AFFINE, PROJECTIVE, affine, map_point, projective

TILE_ROWS = 64
TILE_COLUMNS = 128

# How many rows ahead, and how many pixels apart, source pixels are asked for: measured on slanted rows of large pictures.
PREFETCH_ROWS = 8
PREFETCH_STEP = 4
FARTHEST_LEAD = 512.0


def tile_count(out_shape: tuple[int, ...]) -> int:
    """Number of tiles that an output of shape (N, planes, rows, columns, C) is cut into."""
    images, _, rows, columns, _ = out_shape
    return images * -(-rows // TILE_ROWS) * -(-columns // TILE_COLUMNS)


def tile_pixels(out_shape: tuple[int, ...]) -> int:
    """Number of pixels in the largest of these tiles, all planes together."""
    _, planes, rows, columns, _ = out_shape
    return planes * min(rows, TILE_ROWS) * min(columns, TILE_COLUMNS)


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
def apply_stages(xs, ys, count, table, params):
    """Run the buffer through all stages, in place."""
    for stage in range(table.shape[0]):
        apply_stage(table[stage, 0], xs, ys, count, params, table[stage, 1])


@row_loop
def apply_stage(kind, xs, ys, count, params, at):
    if kind == AFFINE:
        affine_row(xs, ys, count, params, at)
    elif kind == PROJECTIVE:
        projective_row(xs, ys, count, params, at)
    else:
        for k in range(count):
            xs[k], ys[k] = map_point(kind, xs[k], ys[k], params, at)


@row_loop
def affine_row(xs, ys, count, params, at):
    for k in range(count):
        xs[k], ys[k] = affine(xs[k], ys[k], params, at)


@row_loop
def projective_row(xs, ys, count, params, at):
    for k in range(count):
        xs[k], ys[k] = projective(xs[k], ys[k], params, at)


@row_loop
def mark_inside(xs, ys, count, inside, low, x_end, y_end):
    """Mark the points in [low, end) along both axes, NaN never; returns how many there are."""
    total = 0
    for k in range(count):
        x, y = xs[k], ys[k]
        inner = (x >= low) & (x < x_end) & (y >= low) & (y < y_end)
        inside[k] = inner
        total += inner
    return total


@row_loop
def count_outside(xs, ys, count, width, height):
    """How many points are a pixel or more away from the image, or NaN."""
    total = 0
    for k in range(count):
        x, y = xs[k], ys[k]
        total += not ((x > -1) & (x < width) & (y > -1) & (y < height))
    return total


@row_loop
def run_end(inside, start, count):
    stop = start + 1
    while stop < count and inside[stop] == inside[start]:
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


@shared
def lead_of(x, y, x_before, y_before, width, channels):
    """How far on, in elements of the source, the pixels for a row ``PREFETCH_ROWS`` below are; from one point of two rows.

    0 where the map jumps or there was no row before (NaN).
    """
    dx, dy = (x - x_before) * PREFETCH_ROWS, (y - y_before) * PREFETCH_ROWS
    if abs(dx) < FARTHEST_LEAD and abs(dy) < FARTHEST_LEAD:
        return (int(dy) * width + int(dx)) * channels
    return 0


@row_loop
def prefetch_row(array, first, i, j, start, stop, width, channels, lead):
    """Ask for the pixels that a row below will need, before it does: beyond the caches, latency rules."""
    for k in range(start, stop, PREFETCH_STEP):
        prefetch(array, first + (np.int64(i[k]) * width + j[k]) * channels + lead)
