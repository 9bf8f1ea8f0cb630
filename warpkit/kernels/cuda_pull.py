"""The CUDA drivers of the derivative: one thread per output pixel, coordinates computed anew, nothing stored per pixel.

    output gradient  ->  shares of the taps                                       ->  image
                     ->  slopes of the image at the point  ->  the point itself   ->  points
                                                           ->  back through the stages  ->  parameters

Gradients of parameters: a block of threads takes a band of rows; each thread has a row of sums, which are added up in the order
of the threads, then in that of the bands. A displacement field has as many parameters as pixels: they are added as the image's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiling import bits_of, inlined, pick, shared
from .cuda import (
    across,
    bilinear_on_axis,
    down,
    is_near,
    nearest_index,
    pipeline_point,
    separable_on_axis,
    source_point,
    target_start,
)
from .cuda_sums import add_share, is_finite, unit_exponent
from .cuda_target import FLOAT64, cuda, device, kernel
from .field_maps import displacement_corners, displacement_cotangent
from .maps import DISPLACEMENT, inverse_cotangent, map_point, map_pull
from .separable import sum_at_border
from .taps import BILINEAR, CUBIC, NEAREST, bilinear_slopes, tap, tap_index
from .weights import tap_slopes, tap_weights

# --- the image's gradient ---------------------------------------------------------------------------------------------------


@device
def add_tap(floats, words, low, first, index, grad, here, weight, k, bits, layout):
    """Add a tap's share of a pixel's gradient, in all channels; a tap outside, or of weight zero, has none."""
    if index < 0 or weight == 0:
        return
    for c in range(layout.channels):
        share = weight * type(weight)(grad[here + c * layout.target_channel])
        add_share(floats, words, low, first + index + c * layout.source_channel, share, k, bits)


@device
def scatter_bilinear(floats, words, low, n, here, x, y, grad, below_one, k, bits, layout):
    left, right, weight_x = bilinear_on_axis(x, across(layout), below_one)
    top, bottom, weight_y = bilinear_on_axis(y, down(layout), below_one)
    above, before = type(below_one)(1) - weight_y, type(below_one)(1) - weight_x
    first, pitch, step = n * layout.source_image, layout.source_row, layout.source_column
    add_tap(floats, words, low, first, tap_index(top, left, pitch, step), grad, here, above * before, k, bits, layout)
    add_tap(floats, words, low, first, tap_index(top, right, pitch, step), grad, here, above * weight_x, k, bits, layout)
    add_tap(floats, words, low, first, tap_index(bottom, left, pitch, step), grad, here, weight_y * before, k, bits, layout)
    add_tap(floats, words, low, first, tap_index(bottom, right, pitch, step), grad, here, weight_y * weight_x, k, bits, layout)


@device
def scatter_separable(floats, words, low, n, here, x, y, grad, phi, k, bits, layout):
    columns, t = separable_on_axis(x, across(layout), phi)
    rows, s = separable_on_axis(y, down(layout), phi)
    weights_x, weights_y = tap_weights(t, phi), tap_weights(s, phi)
    first, pitch, step = n * layout.source_image, layout.source_row, layout.source_column
    for p in range(len(weights_y)):
        for q in range(len(weights_x)):
            index = tap_index(pick(rows, p), pick(columns, q), pitch, step)
            add_tap(floats, words, low, first, index, grad, here, pick(weights_y, p) * pick(weights_x, q), k, bits, layout)


@device
def scatter_nearest(floats, words, low, n, here, x, y, grad, one, k, bits, layout):
    add_tap(floats, words, low, n * layout.source_image, nearest_index(x, y, layout), grad, here, one, k, bits, layout)


@kernel
def scatter(grad, points, numbers, below_one, phi, floats, words, low, largest, bits, layout):
    """Add the output's gradient to the sums of the images' gradient, see :mod:`cuda_sums`."""
    column, first_row, n = cuda.grid(3)
    _, row_step, image_step = cuda.gridsize(3)
    k = unit_exponent(largest[0], bits)
    while n < layout.images and column < layout.columns:
        row = first_row
        while row < layout.rows:
            x, y = source_point(points, numbers, layout, n, row, column)
            here = target_start(layout, n, row, column)
            if is_near(x, y, layout):
                if layout.interpolation == NEAREST:
                    scatter_nearest(floats, words, low, n, here, x, y, grad, type(below_one)(1), k, bits, layout)
                elif layout.interpolation == BILINEAR:
                    scatter_bilinear(floats, words, low, n, here, x, y, grad, below_one, k, bits, layout)
                else:
                    scatter_separable(floats, words, low, n, here, x, y, grad, phi, k, bits, layout)
            row += row_step
        n += image_step


# --- slopes -----------------------------------------------------------------------------------------------------------------


@shared
def bilinear_slope(source, grad, first, here, x, y, cval, below_one, layout):
    """The output's gradient times the image's slopes at a point, summed over channels."""
    real = type(cval)
    left, right, weight_x = bilinear_on_axis(x, across(layout), below_one)
    top, bottom, weight_y = bilinear_on_axis(y, down(layout), below_one)
    pitch, step = layout.source_row, layout.source_column
    top_left, top_right = tap_index(top, left, pitch, step), tap_index(top, right, pitch, step)
    bottom_left, bottom_right = tap_index(bottom, left, pitch, step), tap_index(bottom, right, pitch, step)
    across_top, across_bottom, down_left, down_right = real(0), real(0), real(0), real(0)
    for c in range(layout.channels):
        channel = c * layout.source_channel
        a, b = tap(source, first, top_left, channel, cval), tap(source, first, top_right, channel, cval)
        d, e = tap(source, first, bottom_left, channel, cval), tap(source, first, bottom_right, channel, cval)
        g = real(grad[here + c * layout.target_channel])
        across_top += g * (b - a)
        across_bottom += g * (e - d)
        down_left += g * (d - a)
        down_right += g * (e - b)
    return bilinear_slopes(across_top, across_bottom, down_left, down_right, weight_x, weight_y)


@shared
def separable_slope(source, grad, first, here, x, y, cval, phi, layout):
    """As :func:`bilinear_slope`."""
    real = type(cval)
    columns, t = separable_on_axis(x, across(layout), phi)
    rows, s = separable_on_axis(y, down(layout), phi)
    weights_x, weights_y = tap_weights(t, phi), tap_weights(s, phi)
    slopes_x, slopes_y = tap_slopes(t, phi), tap_slopes(s, phi)
    pitch, step = layout.source_row, layout.source_column
    gx, gy = real(0), real(0)
    for c in range(layout.channels):
        channel = c * layout.source_channel
        g = real(grad[here + c * layout.target_channel])
        gx += g * sum_at_border(source, first, rows, columns, pitch, step, channel, slopes_x, weights_y, cval)
        gy += g * sum_at_border(source, first, rows, columns, pitch, step, channel, weights_x, slopes_y, cval)
    return gx, gy


@inlined
def slope_of_point(source, grad, n, row, column, x, y, cval, below_one, phi, layout):
    """The gradient of the point that an output pixel is sampled at; none beyond the image."""
    first, here = n * layout.source_image, target_start(layout, n, row, column)
    if not is_near(x, y, layout):
        return type(cval)(0), type(cval)(0)
    if layout.interpolation >= CUBIC:
        return separable_slope(source, grad, first, here, x, y, cval, phi, layout)
    return bilinear_slope(source, grad, first, here, x, y, cval, below_one, layout)


@kernel
def pull_points(source, grad, points, numbers, cval, below_one, phi, grad_points, layout):
    """Write the gradient of the points, (count, rows, columns, 2)."""
    column, first_row, n = cuda.grid(3)
    _, row_step, image_step = cuda.gridsize(3)
    while n < layout.images and column < layout.columns:
        row = first_row
        while row < layout.rows:
            x, y = source_point(points, numbers, layout, n, row, column)
            gx, gy = slope_of_point(source, grad, n, row, column, x, y, cval, below_one, phi, layout)
            at = ((n * layout.rows + row) * layout.columns + column) * 2
            grad_points[at] = gx
            grad_points[at + 1] = gy
            row += row_step
        n += image_step


# --- parameters -------------------------------------------------------------------------------------------------------------

MEASURE = 0  # find the largest gradient that a field will receive
ADD = 1


class Bands(NamedTuple):
    """How the sums over parameters are made.

    ``length`` of the packed parameters come before those of fields and have sums of their own in each thread, ``pitch`` apart;
    ``field`` is the number of the others, for each image.
    """

    bands: int
    band_rows: int
    length: int
    pitch: int
    in_memory: int  # whether sums are in the array ``room``, being too many for the memory that a block shares
    field: int
    step: int  # MEASURE or ADD
    bits: int
    low: int


@device
def add_field(floats, words, n, x, y, gx, gy, params, at, k, bands):
    """Add a point's gradient to the four samples of a displacement field around it."""
    here, right, below, beside, weight_here, weight_right, weight_below, weight_beside = displacement_corners(x, y, params, at)
    first = n * bands.field - bands.length
    for axis in range(2):
        g = gx if axis == 0 else gy
        add_share(floats, words, bands.low, first + here + axis, g * weight_here, k, bands.bits)
        add_share(floats, words, bands.low, first + right + axis, g * weight_right, k, bands.bits)
        add_share(floats, words, bands.low, first + below + axis, g * weight_below, k, bands.bits)
        add_share(floats, words, bands.low, first + beside + axis, g * weight_beside, k, bands.bits)


@device
def pull_field(floats, words, n, kind, x, y, x_out, y_out, gx, gy, params, at, sums, k, bands):
    """As :func:`map_pull`, for a displacement field or its inverse."""
    hx, hy = gx, gy
    if kind < 0:
        x, y = x_out, y_out
        gx, gy = inverse_cotangent(-kind, x, y, gx, gy, params, at)
        hx, hy = -gx, -gy
    if bands.step == MEASURE:
        largest = max(abs(hx), abs(hy))
        if is_finite(largest) and largest > sums[bands.length]:
            sums[bands.length] = largest
    else:
        add_field(floats, words, n, x, y, hx, hy, params, at, k, bands)
    if kind < 0:
        return gx, gy
    return displacement_cotangent(x, y, gx, gy, params, at)


@device
def pull_stages(floats, words, points, numbers, n, row, column, gx, gy, sums, k, layout, bands):
    """Run a point's gradient back through the stages."""
    first = layout.params + n * layout.params_image
    params = numbers[first:]
    gx, gy = np.float64(gx), np.float64(gy)
    stage = layout.stages - 1
    # a point without a gradient takes no part, wherever it is
    while stage >= 0 and (gx != 0 or gy != 0):
        kind, at = int(numbers[2 * stage]), int(numbers[2 * stage + 1])
        x, y = pipeline_point(points, numbers, layout, n, row, column, stage)
        x_out, y_out = x, y
        if kind < 0:  # only an inverse asks where it led
            x_out, y_out = map_point(kind, x, y, params, at)
        if abs(kind) == DISPLACEMENT:
            gx, gy = pull_field(floats, words, n, kind, x, y, x_out, y_out, gx, gy, params, at, sums, k, bands)
        else:
            gx, gy = map_pull(kind, x, y, x_out, y_out, gx, gy, params, at, sums)
        stage -= 1


@kernel
def pull_params(source, grad, points, numbers, cval, below_one, phi, partial, room, floats, words, largest, layout, bands):
    """Write the gradients of the packed parameters of each band, ``partial`` (count, bands, length); see :class:`Bands`."""
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    block = cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x
    all_sums = cuda.shared.array(0, FLOAT64)
    if bands.in_memory:
        all_sums = room[block * threads * bands.pitch : (block + 1) * threads * bands.pitch]
    sums = all_sums[thread * bands.pitch : (thread + 1) * bands.pitch]
    k = unit_exponent(largest[0], bands.bits)
    n = cuda.blockIdx.y
    while n < layout.images:
        band = cuda.blockIdx.x
        while band < bands.bands:
            for p in range(bands.length + 1):
                sums[p] = 0.0
            row = band * bands.band_rows
            while row < min(layout.rows, (band + 1) * bands.band_rows):
                column = thread
                while column < layout.columns:
                    x, y = source_point(points, numbers, layout, n, row, column)
                    gx, gy = slope_of_point(source, grad, n, row, column, x, y, cval, below_one, phi, layout)
                    pull_stages(floats, words, points, numbers, n, row, column, gx, gy, sums, k, layout, bands)
                    column += threads
                row += 1
            cuda.syncthreads()
            write_band(partial, largest, all_sums, thread, threads, n * bands.bands + band, bands)
            cuda.syncthreads()
            band += cuda.gridDim.x
        n += cuda.gridDim.y


@device
def write_band(partial, largest, all_sums, thread, threads, band, bands):
    """Add up the threads' sums in their order; if that was what was asked for, the largest gradient of a field."""
    p = thread
    while p < bands.length:
        total = 0.0
        for other in range(threads):
            total += all_sums[other * bands.pitch + p]
        partial[band * bands.length + p] = total
        p += threads
    if bands.step == MEASURE and thread == 0:
        found = 0.0
        for other in range(threads):
            found = max(found, all_sums[other * bands.pitch + bands.length])
        if found > 0:
            cuda.atomic.max(largest, 0, np.int64(bits_of(found)))
