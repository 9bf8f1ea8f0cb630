"""The CUDA driver, forward: one thread per output pixel, all channels; in large pictures a few rows per thread.

    pixel (x, y)  ->  stage 1  ->  stage 2  ->  ...  ->  sample

The per-point functions are those of the CPU. Arrays are flat; a :class:`Layout` says where their pixels are, so that
channels-last, channels-first and sliced arrays need no copy. Kernels step through rows and images by the size of the launch:
any number of blocks gives the same result. Coordinates are float64, taps and weights of the type of ``cval``; 8-bit pixels have
integer weights, as on the CPU.

The output may be a part of a larger one, and the source a window of a larger picture. Points are then those of the whole, and
the window's place is taken from the indices of taps, which are integers: whatever the compiler fuses, a part has the bits of
the whole.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .compiling import inlined, is_integer, shared
from .cuda_target import cuda, kernel
from .maps import AFFINE, map_point
from .matrix_maps import affine, projective
from .separable import clip, sum_at_border
from .taps import bilinear, bilinear_start, border_index, nearest_start, split, tap, tap_index, to_pixel
from .weights import tap_indices, tap_start, tap_weights


class Layout(NamedTuple):
    """Sizes in pixels, and distances in elements from one image, row, pixel or channel to the next.

    ``source`` is the image that is sampled (or its gradient), ``target`` the output (or its gradient). Points, where given, are
    (images or 1, rows, columns, 2), contiguous. ``numbers`` holds kind and place of each stage, then the rows of parameters, in
    which places are counted. The target begins at (row_origin, column_origin) of the output that it is a part of, the source at
    (top, left) of the picture that it is a window of.
    """

    images: int
    rows: int
    columns: int
    channels: int
    height: int  # of the source
    width: int
    picture_height: int
    picture_width: int
    row_origin: int
    column_origin: int
    top: int
    left: int
    source_image: int
    source_row: int
    source_column: int
    source_channel: int
    target_image: int
    target_row: int
    target_column: int
    target_channel: int
    has_points: int
    points_image: int  # 0: all images share them
    stages: int
    params: int  # where the first row of parameters begins
    params_image: int  # 0: all images share them
    interpolation: int
    mode: int
    near_left: float  # points beyond these, or at them, have the fill for their value
    near_right: float
    near_top: float
    near_bottom: float
    cell_left: float  # of points from these on, and before the others, all four pixels around are the source's
    cell_right: float
    cell_top: float
    cell_bottom: float


@inlined
def pipeline_point(points, numbers, layout, n, row, column, stages):
    """Where the first ``stages`` of the stages send an output pixel."""
    x, y = np.float64(column + layout.column_origin), np.float64(row + layout.row_origin)
    if layout.has_points:
        at = n * layout.points_image + (row * layout.columns + column) * 2
        x, y = np.float64(points[at]), np.float64(points[at + 1])
    first = layout.params + n * layout.params_image
    for stage in range(stages):
        x, y = map_point(int(numbers[2 * stage]), x, y, numbers, first + int(numbers[2 * stage + 1]))
    return x, y


@inlined
def source_point(points, numbers, layout, n, row, column):
    """Where an output pixel is sampled, in the picture."""
    return pipeline_point(points, numbers, layout, n, row, column, layout.stages)


@inlined
def matrix_point(points, numbers, layout, n, row, column):
    """As :func:`source_point`, where one matrix is all there is."""
    at = layout.params + n * layout.params_image
    x, y = np.float64(column + layout.column_origin), np.float64(row + layout.row_origin)
    if numbers[0] == AFFINE:
        return affine(x, y, numbers, at)
    return projective(x, y, numbers, at)


@inlined
def is_near(x, y, layout):
    """Whether a point of the picture has another value than the fill; not if it is NaN or infinite."""
    return x > layout.near_left and x < layout.near_right and y > layout.near_top and y < layout.near_bottom


@inlined
def is_cell_inside(x, y, layout):
    """Whether all four pixels around a point of the picture are the source's."""
    return x >= layout.cell_left and x < layout.cell_right and y >= layout.cell_top and y < layout.cell_bottom


@inlined
def across(layout):
    """Along x: the picture's size, where the source begins in it, the source's size, and the border rule.

    The rule may be the source's instead of the picture's: what that leads back to, from beyond a border, is part of every
    window at that border, see :mod:`source_windows`.
    """
    return layout.picture_width, layout.left, layout.width, layout.mode


@inlined
def down(layout):
    """As :func:`across`, along y."""
    return layout.picture_height, layout.top, layout.height, layout.mode


@inlined
def nearest_on_axis(x, axis):
    """The tap nearest to a finite coordinate along one axis, through the border rule."""
    picture_size, origin, size, mode = axis
    return border_index(nearest_start(x, picture_size, mode) - origin, size, mode)


@inlined
def bilinear_on_axis(x, axis, below_one):
    """As :func:`nearest_on_axis`, the two taps around it, and the weight of the second."""
    picture_size, origin, size, mode = axis
    first, weight = bilinear_start(x, picture_size, mode, below_one)
    return border_index(first - origin, size, mode), border_index(first + 1 - origin, size, mode), weight


@inlined
def separable_on_axis(x, axis, phi):
    """As :func:`nearest_on_axis`, all taps of a kernel, and how far the coordinate lies beyond its pixel 0."""
    picture_size, origin, size, mode = axis
    first, t = tap_start(x, picture_size, mode, phi)
    return tap_indices(first - origin, size, mode, phi), type(phi[0])(t)


@inlined
def target_start(layout, n, row, column):
    """Where the first channel of an output pixel is."""
    return n * layout.target_image + row * layout.target_row + column * layout.target_column


@inlined
def as_pixel(value, like):
    """:func:`to_pixel`, also for integers of more than 16 bits, sampled in float64; on the CPU those are float64 pixels."""
    if not is_integer(like):
        return type(like)(value)
    if type(value)(1) + type(value)(2.0**-30) == type(value)(1):  # float32; known to the compiler
        return to_pixel(value, like)
    whole = int(math.floor(value))
    return type(like)(whole + (value - whole >= 0.5))


@shared
def fill_pixel(target, here, cval, like, layout):
    for c in range(layout.channels):
        target[here + c * layout.target_channel] = as_pixel(cval, like)


@inlined
def nearest_index(x, y, layout):
    """Where the channels of the nearest pixel begin in an image."""
    row, column = nearest_on_axis(y, down(layout)), nearest_on_axis(x, across(layout))
    return tap_index(row, column, layout.source_row, layout.source_column)


@shared
def write_nearest(source, target, n, row, column, x, y, options, layout):
    cval = options[0]
    here = target_start(layout, n, row, column)
    if not is_near(x, y, layout):
        fill_pixel(target, here, cval, source[0], layout)
        return
    at = nearest_index(x, y, layout)
    first = n * layout.source_image
    for c in range(layout.channels):
        value = tap(source, first, at, c * layout.source_channel, cval)
        target[here + c * layout.target_channel] = as_pixel(value, source[0])


@inlined
def cell_inside(x, below_one):
    """The pixel at or before a coordinate inside, and the next one's weight."""
    origin = 0.0
    if type(below_one)(0.5) == 0:  # an integer type, known to the compiler, which needs an origin nearby
        origin = math.floor(x)
    steps, weight = split(x, origin, below_one)
    return np.int32(origin) + steps, weight


@inlined
def bilinear_value(a, b, c, d, weight_x, weight_y, like):
    """A pixel from its four taps: of the taps' type throughout."""
    return as_pixel(type(a)(bilinear(a, b, c, d, weight_x, weight_y)), like)


@shared
def write_bilinear(source, target, n, row, column, x, y, options, layout):
    cval, below_one = options
    here = target_start(layout, n, row, column)
    first = n * layout.source_image
    if is_cell_inside(x, y, layout):
        real = type(cval)
        left, weight_x = cell_inside(x, below_one)
        top, weight_y = cell_inside(y, below_one)
        first += (top - layout.top) * layout.source_row + (left - layout.left) * layout.source_column
        right, below = np.uint64(layout.source_column), np.uint64(layout.source_row)
        for c in range(layout.channels):
            at = np.uint64(first + c * layout.source_channel)
            value = bilinear_value(
                real(source[at]), real(source[at + right]), real(source[at + below]), real(source[at + below + right]),
                weight_x, weight_y, source[0],
            )  # fmt: skip
            target[np.uint64(here + c * layout.target_channel)] = value
    elif is_near(x, y, layout):
        left, right, weight_x = bilinear_on_axis(x, across(layout), below_one)
        top, bottom, weight_y = bilinear_on_axis(y, down(layout), below_one)
        pitch, step = layout.source_row, layout.source_column
        top_left, top_right = tap_index(top, left, pitch, step), tap_index(top, right, pitch, step)
        bottom_left, bottom_right = tap_index(bottom, left, pitch, step), tap_index(bottom, right, pitch, step)
        for c in range(layout.channels):
            channel = c * layout.source_channel
            value = bilinear_value(
                tap(source, first, top_left, channel, cval), tap(source, first, top_right, channel, cval),
                tap(source, first, bottom_left, channel, cval), tap(source, first, bottom_right, channel, cval),
                weight_x, weight_y, source[0],
            )  # fmt: skip
            target[here + c * layout.target_channel] = value
    else:
        fill_pixel(target, here, cval, source[0], layout)


@shared
def write_separable(source, target, n, row, column, x, y, options, layout):
    cval, phi, lowest, highest = options
    here = target_start(layout, n, row, column)
    if not is_near(x, y, layout):
        fill_pixel(target, here, cval, target[0], layout)
        return
    columns, t = separable_on_axis(x, across(layout), phi)
    rows, s = separable_on_axis(y, down(layout), phi)
    weights_x, weights_y = tap_weights(t, phi), tap_weights(s, phi)
    for c in range(layout.channels):
        value = sum_at_border(
            source, n * layout.source_image, rows, columns, layout.source_row, layout.source_column,
            c * layout.source_channel, weights_x, weights_y, cval,
        )  # fmt: skip
        target[here + c * layout.target_channel] = as_pixel(clip(value, lowest, highest), target[0])


def _pixel_loop(place, write):
    """A kernel: one of the functions that say where a pixel is sampled, and one that samples it."""

    @kernel
    def warp(source, target, points, numbers, options, layout):
        column, first_row, n = cuda.grid(3)
        _, row_step, image_step = cuda.gridsize(3)
        while n < layout.images and column < layout.columns:
            row = first_row
            while row < layout.rows:
                x, y = place(points, numbers, layout, n, row, column)
                write(source, target, n, row, column, x, y, options, layout)
                row += row_step
            n += image_step

    return warp


# For any map, and for a single matrix, which needs few registers.
warp_nearest = _pixel_loop(source_point, write_nearest)
warp_bilinear = _pixel_loop(source_point, write_bilinear)
warp_separable = _pixel_loop(source_point, write_separable)
warp_matrix_nearest = _pixel_loop(matrix_point, write_nearest)
warp_matrix_bilinear = _pixel_loop(matrix_point, write_bilinear)
warp_matrix_separable = _pixel_loop(matrix_point, write_separable)
