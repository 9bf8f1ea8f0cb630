"""The CPU driver for small images: with a frame of what the border rule says, no pixel is at the border any more.

A framed image has one pixel more on the left and above, two on the right and below. Points further out are moved to the frame,
where the value is the same. So every row is one run inside, without cuts: what counts when rows are
short. The results are those of :mod:`cpu_matrix`, bit for bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiling import allocating, driver, multiply_add, row_loop, row_loop_inlined
from .cpu_matrix import matrix_buffers
from .inside import sample_blocks, spill_buffer
from .matrix_maps import affine
from .rows import TILE_ROWS, tile_bounds
from .taps import CONSTANT, EDGE, split, to_pixel

LARGEST = 2**13  # values of a framed image, all planes together
FRAME = 3
SLACK = 16  # values that blocks of three channels may read behind the end
FARTHEST = 1e15


def are_small(images: NDArray[Any], out: NDArray[Any], params: NDArray[np.float64], mode: int) -> bool:
    """Whether this driver serves bilinear sampling: small images, affine ``params`` (1 or N, 6) whose values can be counted in
    pixels, a border rule that ends in a frame."""
    _, planes, height, width, channels = images.shape
    if planes * (height + FRAME) * (width + FRAME) * channels > LARGEST or mode not in (CONSTANT, EDGE) or params.shape[1] != 6:
        return False
    rows, columns = out.shape[2:4]
    return bool((np.abs(params).reshape(-1, 2, 3) @ [columns, rows, 1.0] < FARTHEST).all())


@driver
def warp_small_tiles(images, out, params, cval, below_one, mode, first, last):
    """As :func:`warpkit.kernels.cpu_matrix.warp_matrix_tiles`, where :func:`are_small`; returns 0."""
    return warp_each_small_tile(
        images, out, params, cval, below_one, mode, matrix_buffers(below_one), spill_buffer(images), frame_buffer(images),
        first, last,
    )  # fmt: skip


@allocating
def frame_buffer(images):
    """Memory for a framed image."""
    return np.empty(LARGEST + SLACK, images.dtype)


@row_loop
def warp_each_small_tile(images, out, params, cval, below_one, mode, buffers, spill, framed, first, last):
    _, planes, height, width, channels = images.shape
    rows, columns = out.shape[2], out.shape[3]
    source, target = images.reshape(-1), out.reshape(-1)
    framed_size, target_size = (height + FRAME) * (width + FRAME) * channels, rows * columns * channels
    column_numbers, _, offsets, weights_x, weights_y = buffers
    pitch = (width + FRAME) * channels
    framed_image = np.int64(-1)
    for tile in range(first, last):
        n, row_start, column_start, count = tile_bounds(tile, rows, columns)
        matrix = params[n if params.shape[0] > 1 else 0]
        for k in range(count):
            column_numbers[k] = column_start + k
        if n != framed_image:
            frame_image(framed, source, n * planes * height * width * channels, planes, height, width, channels, mode, cval)
            framed_image = n
        for row in range(row_start, min(rows, row_start + TILE_ROWS)):
            place_framed_row(
                column_numbers, float(row), count, matrix, height, width, np.int32(pitch), np.int32(channels), below_one,
                offsets, weights_x, weights_y,
            )  # fmt: skip
            sample_blocks(
                None, framed, np.int64(0), framed_size, target,
                n * planes * target_size + (row * columns + column_start) * channels, target_size, planes,
                offsets, weights_x, weights_y, np.int64(0), count, pitch, channels, cval, np.int64(0), columns * channels,
                spill,
            )  # fmt: skip
    return 0


@row_loop
def frame_image(framed, source, first, planes, height, width, channels, mode, cval):
    """Copy all planes of an image into their frames."""
    pitch = (width + FRAME) * channels
    for p in range(planes):
        for i in range(height + FRAME):
            row = min(max(i - 1, 0), height - 1)
            there = np.uint64((p * (height + FRAME) + i) * pitch)
            here = np.uint64(first + (p * height + row) * width * channels)
            inner = there + np.uint64(channels)
            for k in range(np.uint64(width * channels)):
                framed[inner + k] = source[here + k]
            for c in range(channels):
                left, right = framed[inner + np.uint64(c)], framed[inner + np.uint64((width - 1) * channels + c)]
                if mode == CONSTANT:
                    left = right = to_pixel(cval[c], source[0])
                framed[there + np.uint64(c)] = left
                framed[inner + np.uint64(width * channels + c)] = right
                framed[inner + np.uint64((width + 1) * channels + c)] = right
                if mode == CONSTANT and row != i - 1:
                    for k in range(width):
                        framed[inner + np.uint64(k * channels + c)] = left


@row_loop_inlined
def place_framed_row(columns, row, count, matrix, height, width, pitch, step, below_one, offsets, weights_x, weights_y):
    """Map a row and place it in the framed image."""
    x_end, y_end = float(width), float(height)
    for k in range(np.uint64(count)):
        x, y = affine(columns[k], row, matrix, 0)
        x, y = (x if x > -1.0 else -1.0), (y if y > -1.0 else -1.0)
        x, y = (x if x < x_end else x_end), (y if y < y_end else y_end)
        left, top = math.floor(x), math.floor(y)
        steps_x, weight_x = split(x, left, below_one)
        steps_y, weight_y = split(y, top, below_one)
        column, line = np.int32(steps_x + np.int32(left + 1.0)), np.int32(steps_y + np.int32(top + 1.0))
        offsets[k] = multiply_add(line, pitch, multiply_add(column, step, np.int32(0)))
        weights_x[k], weights_y[k] = weight_x, weight_y
