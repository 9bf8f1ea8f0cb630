"""8-bit pictures made smaller without a turn: thumbnails. The samples of :mod:`cpu_antialias`, added up axis by axis.

Where x' depends on x alone and y' on y, and both grow by more than a pixel, the taps of all samples along an axis have weights
that all pixels of a column, or of a row, share. So a row is the sum of a few source rows, and its pixels sums of that. Weights
are whole multiples of 2^-16 down and 2^-15 across, with the sum one: a constant picture stays constant. Rounded once, where
samples would be rounded each; other types of pixels are not sampled so.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import allocating, inlined, row_loop
from .footprints import LARGEST_COUNT, averaged_step, is_longer, sample_count, sample_offset
from .maps import AFFINE
from .rows import TILE_COLUMNS
from .taps import BILINEAR, FILL, border_index

# Samples are at most a pixel apart, or 64.
LARGEST_TAPS = LARGEST_COUNT + 2
DOWN_BITS, ACROSS_BITS = 16, 15
# Sums down the columns keep 8 bits behind the point: with the weights across, 31 bits.
KEPT_BITS = 8
# Coordinates of taps stay whole numbers.
FARTHEST = 2.0**40


@inlined
def is_upright(table, interpolation, mode):
    """Whether a pipeline's pictures may be sampled so: it is one matrix, see :func:`is_upright_matrix`."""
    return table.shape[0] == 1 and table[0, 0] == AFFINE and interpolation == BILINEAR and mode != FILL


@inlined
def is_upright_matrix(matrix, rows, columns):
    """Whether a matrix makes both axes smaller, not too much, and turns nothing."""
    return (
        matrix[1] == 0
        and matrix[3] == 0
        and is_longer(matrix[0], 0.0)
        and is_longer(matrix[4], 0.0)
        and max(abs(matrix[0]), abs(matrix[4])) <= LARGEST_COUNT
        and abs(matrix[0]) * columns + abs(matrix[2]) < FARTHEST
        and abs(matrix[4]) * rows + abs(matrix[5]) < FARTHEST
    )


@allocating
def shrink_buffers(slopes, columns, channels):
    """Memory for a tile: where each column's taps begin, how many there are, and their weights; those of a row; sums of rows.

    ``slopes`` are those along x of all matrices.
    """
    steepest = 0.0
    for slope in slopes:
        steepest = max(steepest, min(abs(slope), float(LARGEST_COUNT)))
    return (
        np.empty(TILE_COLUMNS, np.int64),
        np.empty(TILE_COLUMNS, np.int64),
        np.empty((TILE_COLUMNS, LARGEST_TAPS), np.int32),
        np.empty(LARGEST_TAPS, np.int32),
        np.empty(LARGEST_TAPS),
        np.empty((int(steepest * min(TILE_COLUMNS, columns)) + LARGEST_TAPS) * channels, np.int32),
    )


@row_loop
def axis_taps(x, slope, variance, bits, weights, shares):
    """The taps of all samples of a pixel along one axis: the first, how many, and their ``weights`` in multiples of 2^-bits."""
    step, _ = averaged_step(abs(slope), 0.0, variance)
    samples = sample_count(slope, 0.0)
    first = int(math.floor(x + sample_offset(0, samples) * step))
    taps = int(math.floor(x + sample_offset(samples - 1, samples) * step)) + 2 - first
    for t in range(taps):
        shares[t] = 0.0
    for k in range(samples):
        place = x + sample_offset(k, samples) * step
        whole = math.floor(place)
        tap = int(whole) - first
        shares[tap] += 1.0 - (place - whole)
        shares[tap + 1] += place - whole
    # rounded sums, not rounded weights, so that the last is one
    total, given = 0.0, 0
    for t in range(taps):
        total += shares[t]
        reached = int(math.floor(total / samples * 2.0**bits + 0.5))
        weights[t] = reached - given
        given = reached
    return first, taps


@row_loop
def shrink_tile(
    source, from_here, source_size, target, to_here, target_size, planes, matrix, row_start, row_stop, column_start, count,
    columns, height, width, window_top, window_left, channels, mode, cval, variance, buffers,
):  # fmt: skip
    """Compute a tile; ``to_here`` is where its first pixel lies. The source is a window, which begins at (top, left)."""
    firsts, counts, column_weights, row_weights, shares, sums = buffers
    for k in range(count):
        x = matrix[0] * (column_start + k) + matrix[2]
        first, counts[k] = axis_taps(x, matrix[0], variance, ACROSS_BITS, column_weights[k], shares)
        firsts[k] = first - window_left
    left = min(firsts[0], firsts[count - 1])
    right = max(firsts[0] + counts[0], firsts[count - 1] + counts[count - 1])
    inner_left = min(max(left, 0), right)
    inner_right = max(min(right, width), inner_left)
    for row in range(row_start, row_stop):
        top, taps = axis_taps(matrix[4] * row + matrix[5], matrix[4], variance, DOWN_BITS, row_weights, shares)
        top -= window_top
        there = to_here + (row - row_start) * columns * channels
        for p in range(planes):
            plane = from_here + p * source_size
            add_rows(
                sums, (inner_left - left) * channels, source, plane + inner_left * channels,
                (inner_right - inner_left) * channels, top, taps, row_weights, height, width * channels, mode, channels, cval,
            )  # fmt: skip
            for side in range(2):
                first, last = (left, inner_left) if side == 0 else (inner_right, right)
                for column in range(first, last):
                    at = border_index(column, width, mode)
                    add_rows(
                        sums, (column - left) * channels, source, plane + at * channels,
                        channels if at >= 0 else -channels, top, taps, row_weights, height, width * channels,
                        mode, channels, cval,
                    )  # fmt: skip
            add_columns(sums, left, target, there + p * target_size, count, channels, firsts, counts, column_weights)


@inlined
def add_rows(sums, at, source, first, length, top, taps, weights, height, pitch, mode, channels, cval):
    """Sum the taps of ``length`` values down the columns, to ``sums`` from ``at`` on; of fills, if the length is negative."""
    start_sums(sums, at, abs(length))
    for t in range(taps):
        row = border_index(top + t, height, mode)
        if row >= 0 and length >= 0:
            add_values(sums, at, source, first + row * pitch, length, weights[t])
        else:
            add_fills(sums, at, abs(length), channels, cval, weights[t])
    cut_sums(sums, at, abs(length))


@row_loop
def start_sums(sums, at, length):
    """With half of what is cut off in the end."""
    for k in range(np.uint64(at), np.uint64(at + length)):
        sums[k] = np.int32(1 << (DOWN_BITS - KEPT_BITS - 1))


@row_loop
def add_values(sums, at, source, first, length, weight):
    for k in range(np.uint64(length)):
        sums[np.uint64(at) + k] += np.int32(weight) * np.int32(source[np.uint64(first) + k])


@row_loop
def add_fills(sums, at, length, channels, cval, weight):
    for k in range(length):
        sums[at + k] += np.int32(weight) * np.int32(cval[k % channels])


@row_loop
def cut_sums(sums, at, length):
    for k in range(np.uint64(at), np.uint64(at + length)):
        sums[k] = sums[k] >> np.int32(DOWN_BITS - KEPT_BITS)


@row_loop
def add_columns(sums, left, target, to_here, count, channels, firsts, counts, weights):
    """Sum the taps of each pixel across, and round."""
    step = np.uint64(channels)
    for k in range(np.uint64(count)):
        here = np.uint64(firsts[k] - left) * step
        for c in range(step):
            total = np.int32(1 << (ACROSS_BITS + KEPT_BITS - 1))
            for t in range(np.uint64(counts[k])):
                total += weights[k, t] * sums[here + t * step + c]
            target[np.uint64(to_here) + k * step + c] = total >> np.int32(ACROSS_BITS + KEPT_BITS)
