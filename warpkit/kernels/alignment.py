"""The CPU drivers of registration: the pyramid's filter, and sums of products over cells of a picture.

NaN is a pixel that nothing is known of. A pixel takes part if it and its four neighbours are known in both pictures.
"""

from __future__ import annotations

import numpy as np

from .compiling import allocating, driver, row_loop, row_sum

# What a pixel's products are of: slopes along x and y, the warped picture, one, the fixed picture.
FACTORS = 5
PRODUCTS = FACTORS * (FACTORS + 1) // 2

NO_ROBUST, HUBER, TUKEY = 0, 1, 2


@driver
def smooth_rows(picture, mean, scale, step, out, first, last):
    """Rows ``first`` to ``last`` of ``out``, float32: ``picture`` (H, W), less ``mean`` and times ``scale``, by the binomial
    filter 1 4 6 4 1 along both axes, its variance one pixel squared, at every ``step``-th pixel; beyond its border the picture
    keeps the border's values.

    Returns how many rows of ``out`` have pixels that are not finite: none unless ``picture`` has.
    """
    height, width = picture.shape
    line = np.empty(width + 4, out.dtype)
    unknown = 0
    for row in range(first, last):
        i = row * step
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        smooth_down(
            picture[max(i - 2, 0)], picture[above], picture[i], picture[below], picture[min(i + 2, height - 1)], mean, scale,
            line,
        )  # fmt: skip
        smooth_across(line, step, out[row])
        unknown += not zero_if_finite(out[row]) == 0
    return unknown


@row_loop
def smooth_down(a, b, c, d, e, mean, scale, line):
    width = c.shape[0]
    six, four, part = line.dtype.type(6), line.dtype.type(4), scale * line.dtype.type(1 / 16)
    for k in range(np.uint64(width)):
        around, near = (a[k] - mean) + (e[k] - mean), (b[k] - mean) + (d[k] - mean)
        line[k + np.uint64(2)] = (around + four * near + six * (c[k] - mean)) * part
    line[0] = line[1] = line[2]
    line[width + 2] = line[width + 3] = line[width + 1]


@row_loop
def smooth_across(line, step, out):
    six, four, part = line.dtype.type(6), line.dtype.type(4), line.dtype.type(1 / 16)
    stride = np.uint64(step)
    for k in range(np.uint64(out.shape[0])):
        at = k * stride
        around = line[at] + line[at + np.uint64(4)]
        near = line[at + np.uint64(1)] + line[at + np.uint64(3)]
        out[k] = (around + four * near + six * line[at + np.uint64(2)]) * part


@row_sum
def zero_if_finite(values):
    """0, or NaN if there is a NaN or an infinity."""
    total = np.float32(0)
    for k in range(np.uint64(values.shape[0])):
        total += values[k] - values[k]
    return total


@driver
def cell_sums(warped, fixed, weights, lights, robust, scale, cell, sums, first, last):
    """Rows ``first`` to ``last`` of cells, of ``cell`` pixels a side.

    Parameters
    ----------
    warped, fixed : (C, rows, columns) float32
    weights : (rows, columns) float32, or empty for ones
    lights : (C, 2) float32
        Gain and bias that ``warped`` is thought to have; its slopes are taken times the gain.
    robust : int
        How residuals, ``gain * warped + bias - fixed``, weigh, beside ``scale``: all alike, Huber's weights, or Tukey's.
    sums : (C, cells down, cells across, PRODUCTS) float64
        Receives the weighted products, the upper triangle row by row. The slopes are the mean of both pictures'.
    """
    channels, rows, columns = fixed.shape
    values = np.zeros((FACTORS, columns), np.float32)
    weighted = np.zeros((FACTORS, columns), np.float32)
    weight = np.ones(columns, np.float32)
    products = np.empty((PRODUCTS, columns), np.float32)
    for band in range(first, last):
        for c in range(channels):
            products[:] = 0
            for row in range(max(1, band * cell), min(rows - 1, (band + 1) * cell)):
                add_row(warped[c], fixed[c], weights, row, lights[c], robust, scale, values, weighted, weight, products)
            for m in range(PRODUCTS):
                for k in range(sums.shape[2]):
                    sums[c, band, k, m] = sum_of(products[m], k * cell, min(columns, (k + 1) * cell))
    return 0


@row_sum
def sum_of(values, first, last):
    total = np.float32(0)
    for k in range(np.uint64(first), np.uint64(last)):
        total += values[k]
    return total


@allocating
def add_row(warped, fixed, weights, row, light, robust, scale, values, weighted, weight, products):
    fill_factors(
        warped[row - 1], warped[row], warped[row + 1], fixed[row - 1], fixed[row], fixed[row + 1], light[0],
        values[0], values[1], values[2], values[3], values[4],
    )  # fmt: skip
    if weights.shape[0] > 0:
        multiply(values[3], weights[row], weight)
    else:
        weight[:] = values[3]
    if robust != NO_ROBUST:
        weigh_residuals(values[2], values[4], light[0], light[1], robust == HUBER, scale, weight)
    n = 0
    for a in range(FACTORS):
        multiply(weight, values[a], weighted[a])
        for b in range(a, FACTORS):
            add_product(weighted[a], values[b], products[n])
            n += 1


@row_loop
def fill_factors(above, here, below, fixed_above, fixed_here, fixed_below, gain, slope_x, slope_y, value, known, goal):
    """The factors of a row's pixels, all 0 where one is not known."""
    quarter, zero, one = np.float32(0.25), np.float32(0), np.float32(1)
    for k in range(np.uint64(1), np.uint64(here.shape[0] - 1)):
        left, right = k - np.uint64(1), k + np.uint64(1)
        x = quarter * (gain * (here[right] - here[left]) + (fixed_here[right] - fixed_here[left]))
        y = quarter * (gain * (below[k] - above[k]) + (fixed_below[k] - fixed_above[k]))
        m, f = here[k], fixed_here[k]
        total = x + y + m + f
        is_known = total == total
        slope_x[k] = x if is_known else zero
        slope_y[k] = y if is_known else zero
        value[k] = m if is_known else zero
        known[k] = one if is_known else zero
        goal[k] = f if is_known else zero


@row_loop
def weigh_residuals(value, goal, gain, bias, is_huber, scale, weight):
    """Times the weight of each residual; 95 percent as good as least squares where noise is Gaussian."""
    limit = np.float32(1.345) * scale if is_huber else np.float32(4.685) * scale
    one, zero = np.float32(1), np.float32(0)
    for k in range(np.uint64(weight.shape[0])):
        residual = abs(gain * value[k] + bias - goal[k])
        ratio = residual / limit
        inner = max(one - ratio * ratio, zero)
        weight[k] *= one / max(ratio, one) if is_huber else inner * inner


@row_loop
def multiply(a, b, out):
    for k in range(np.uint64(out.shape[0])):
        out[k] = a[k] * b[k]


@row_loop
def add_product(a, b, out):
    for k in range(np.uint64(out.shape[0])):
        out[k] += a[k] * b[k]
