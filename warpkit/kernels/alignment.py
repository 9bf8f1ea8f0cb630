"""The CPU drivers of registration: the pyramid's filter, and sums of products over cells of a picture.

NaN is a pixel that nothing is known of. A pixel takes part if it and its four neighbours are known in both pictures.
"""

from __future__ import annotations

import numpy as np

from .compiling import driver, row_loop, row_sum

# What a pixel's products are of: slopes along x and y, the warped picture, one, the fixed picture.
FACTORS = 5
PRODUCTS = FACTORS * (FACTORS + 1) // 2
# Which product is of slopes x x, x y, y y; and of slope x or y with the three others.
XX, XY, YY, X_OTHERS, Y_OTHERS = 0, 1, 5, 2, 6

NO_ROBUST, HUBER, TUKEY = 0, 1, 2

# Products of so many columns stay in the nearest cache; a distance of 1,024 bytes would have them share its places.
TILE = 256
PITCH = TILE + 16


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
def cell_sums(warped, top, fixed, weights, lights, robust, scale, cell, sums, first, last):
    """Rows ``first`` to ``last`` of cells, of ``cell`` pixels a side, a power of two.

    Parameters
    ----------
    warped, fixed : (C, rows, columns) float32
        ``warped`` may be a part, which begins at row ``top`` and has a row more than these cells above and below.
    weights : (rows, columns) float32, or empty for ones
    lights : (C, 2) float32
        Gain and bias that ``warped`` is thought to have; its slopes are taken times the gain.
    robust : int
        How residuals, ``gain * warped + bias - fixed``, weigh, beside ``scale``: all alike, Huber's weights, or Tukey's.
    sums : (C, PRODUCTS, cells down, cells across) float64
        Receives the weighted products, the upper triangle row by row. The slopes are the mean of both pictures'.
    """
    weight, products = np.ones(TILE, np.float32), np.empty(PRODUCTS * PITCH, np.float32)
    halved = np.empty(TILE // 2, np.float32)
    sum_bands(warped, top, fixed, weights, lights, robust, scale, cell, sums, weight, products, halved, first, last)
    return 0


@row_loop
def sum_bands(warped, top, fixed, weights, lights, robust, scale, cell, sums, weight, products, halved, first, last):
    channels, rows, columns = fixed.shape
    for band in range(first, last):
        for c in range(channels):
            for start in range(0, columns, TILE):
                products[:] = 0
                for row in range(max(1, band * cell), min(rows - 1, (band + 1) * cell)):
                    add_row(warped[c], top, fixed[c], weights, row, start, lights[c], robust, scale, weight, products)
                first_cell, cells = start // cell, -(-min(TILE, columns - start) // cell)
                for m in range(PRODUCTS):
                    sum_cells(products[m * PITCH : m * PITCH + TILE], halved, cell)
                    for k in range(cells):
                        sums[c, m, band, first_cell + k] = products[m * PITCH + k]


@row_loop
def sum_cells(values, halved, cell):
    """The first ``TILE / cell`` of ``values`` become the sums of ``cell`` neighbours."""
    length = TILE
    while length > TILE // cell:
        length //= 2
        add_pairs(values, halved, length)
        for k in range(length):
            values[k] = halved[k]


@row_loop
def add_pairs(values, sums, count):
    for k in range(np.uint64(count)):
        sums[k] = values[np.uint64(2) * k] + values[np.uint64(2) * k + np.uint64(1)]


@row_loop
def add_row(warped, top, fixed, weights, row, start, light, robust, scale, weight, products):
    """The pixels of a row from column ``start`` on, up to ``TILE`` of them; not those of the picture's border."""
    columns = warped.shape[1]
    first, last = max(1 - start, 0), min(TILE, columns - 1 - start)
    if weights.shape[0] > 0:
        for k in range(last):
            weight[k] = weights[row, start + k]
    elif robust != NO_ROBUST:
        weight[:] = 1
    here = row - top
    if robust != NO_ROBUST:
        weigh_residuals(warped[here], fixed[row], start, first, last, light[0], light[1], robust == HUBER, scale, weight)
    add_products(
        warped[here - 1], warped[here], warped[here + 1], fixed[row - 1], fixed[row], fixed[row + 1], weight, start, first,
        last, light[0], products,
    )  # fmt: skip


@row_loop
def weigh_residuals(value, goal, start, first, last, gain, bias, is_huber, scale, weight):
    """Times the weight of each residual; 95 percent as good as least squares where noise is Gaussian."""
    limit = np.float32(1.345) * scale if is_huber else np.float32(4.685) * scale
    one, zero = np.float32(1), np.float32(0)
    for k in range(np.uint64(first), np.uint64(last)):
        at = np.uint64(start) + k
        residual = abs(gain * value[at] + bias - goal[at])
        ratio = residual / limit
        inner = max(one - ratio * ratio, zero)
        weight[k] *= one / max(ratio, one) if is_huber else inner * inner


@row_loop
def add_products(above, here, below, fixed_above, fixed_here, fixed_below, weight, start, first, last, gain, products):
    """All products of pixels ``first`` to ``last`` of a tile, whose first is ``start``; nothing where one is not known.

    Product m of pixel k is added to ``products[m PITCH + k]``: a distance that the compiler knows, or it would make no vectors.
    """
    quarter, zero = np.float32(0.25), np.float32(0)
    for k in range(np.uint64(first), np.uint64(last)):
        at = np.uint64(start) + k
        left, right = at - np.uint64(1), at + np.uint64(1)
        x = quarter * (gain * (here[right] - here[left]) + (fixed_here[right] - fixed_here[left]))
        y = quarter * (gain * (below[at] - above[at]) + (fixed_below[at] - fixed_above[at]))
        m, f = here[at], fixed_here[at]
        total = x + y + m + f
        is_known = total == total
        x, y = x if is_known else zero, y if is_known else zero
        m, f = m if is_known else zero, f if is_known else zero
        w = weight[k] if is_known else zero
        weighted_x, weighted_y, weighted_m, weighted_f = w * x, w * y, w * m, w * f
        products[k] += weighted_x * x
        products[k + np.uint64(PITCH)] += weighted_x * y
        products[k + np.uint64(2 * PITCH)] += weighted_x * m
        products[k + np.uint64(3 * PITCH)] += weighted_x
        products[k + np.uint64(4 * PITCH)] += weighted_x * f
        products[k + np.uint64(5 * PITCH)] += weighted_y * y
        products[k + np.uint64(6 * PITCH)] += weighted_y * m
        products[k + np.uint64(7 * PITCH)] += weighted_y
        products[k + np.uint64(8 * PITCH)] += weighted_y * f
        products[k + np.uint64(9 * PITCH)] += weighted_m * m
        products[k + np.uint64(10 * PITCH)] += weighted_m
        products[k + np.uint64(11 * PITCH)] += weighted_m * f
        products[k + np.uint64(12 * PITCH)] += w
        products[k + np.uint64(13 * PITCH)] += weighted_f
        products[k + np.uint64(14 * PITCH)] += weighted_f * f


@driver
def step_sums(sums, basis, matrix, right):
    """Normal equations from sums over cells, whose points move by ``basis`` (P, 2, cells) times the unknowns of a step.

    Parameters
    ----------
    sums : (C, PRODUCTS, cells)
        As :func:`cell_sums` makes them.
    matrix : (P + 2 C, P + 2 C), symmetric
        Receives the products of the step's unknowns with one another, and with gain and bias of each channel.
    right : (P + 2 C)
        Receives the products of the step's unknowns with the fixed picture.
    """
    unknowns, _, cells = basis.shape
    along_x, along_y = np.empty(cells), np.empty(cells)
    matrix[:unknowns] = 0
    right[:unknowns] = 0
    for c in range(sums.shape[0]):
        products, light = sums[c], unknowns + 2 * c
        for p in range(unknowns):
            x, y = basis[p, 0], basis[p, 1]
            weigh(products[XX], products[XY], products[YY], x, y, along_x, along_y)
            for q in range(p, unknowns):
                matrix[p, q] += sum_of_two(along_x, basis[q, 0], along_y, basis[q, 1])
            for n in range(2):
                matrix[p, light + n] = sum_of_two(products[X_OTHERS + n], x, products[Y_OTHERS + n], y)
            right[p] += sum_of_two(products[X_OTHERS + 2], x, products[Y_OTHERS + 2], y)
    for p in range(unknowns):
        for q in range(p + 1, matrix.shape[0]):
            matrix[q, p] = matrix[p, q]
    return 0


@row_loop
def weigh(xx, xy, yy, x, y, along_x, along_y):
    for k in range(np.uint64(x.shape[0])):
        along_x[k] = xx[k] * x[k] + xy[k] * y[k]
        along_y[k] = xy[k] * x[k] + yy[k] * y[k]


@row_sum
def sum_of_two(a, b, c, d):
    total = 0.0
    for k in range(np.uint64(a.shape[0])):
        total += a[k] * b[k] + c[k] * d[k]
    return total
