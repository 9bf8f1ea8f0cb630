"""The CPU driver of least-squares alignment: J^T J and J^T r of a warp's parameters, summed pixel by pixel.

The residual is r = moving(T(p)) - fixed(p), J its derivative by the packed parameters. With the image's slopes (u, v) at a
point and the derivatives (X, Y) of the point's coordinates, a pixel's row of J is u X + v Y; all channels of a pixel share X
and Y, so that they are first summed to six numbers.
"""

from __future__ import annotations

import numpy as np

from .compiling import driver, inlined, row_loop
from .maps import map_pull
from .rows import INSIDE, TILE_COLUMNS, TILE_ROWS, apply_stage, begin_row, classify, is_straight, sampling_extent
from .taps import BILINEAR, CONSTANT, bilinear, bilinear_slopes


@driver
def normal_tiles(images, fixed, weights, grid, table, params, below_one, tiles_per_group, sums, jtj, jtr, first, last):
    """Sum over groups ``first`` to ``last`` of tiles, bilinear, over the points all of whose taps are pixels.

    Parameters
    ----------
    images, fixed : (1, planes, H, W, C), (1, planes, rows, columns, C)
        ``fixed`` in the type that pixels are computed in.
    weights : (rows, columns) float64, or empty for ones
        A pixel of weight 0 takes no part, whatever it holds.
    grid
        Empty.
    sums : (groups, 2) float64
        Receives the weighted sum of r^2 and the number of pixels.
    jtj, jtr : (groups, length, length), (groups, length) float64, zero
        Receive the upper triangle of J^T W J, and J^T W r.
    """
    stages = table.shape[0]
    length = params.shape[1]
    sum_tiles(
        images, fixed, weights, grid, table, params, below_one, tiles_per_group, sums, jtj, jtr,
        np.empty((stages + 1, TILE_COLUMNS)), np.empty((stages + 1, TILE_COLUMNS)), np.empty(TILE_COLUMNS, np.uint8),
        np.empty(length), np.empty(length), np.empty(6), first, last,
    )  # fmt: skip
    return 0


@row_loop
def sum_tiles(
    images, fixed, weights, grid, table, params, below_one, tiles_per_group, sums, jtj, jtr,
    xs, ys, region, by_x, by_y, products, first, last,
):  # fmt: skip
    _, _, height, width, _ = images.shape
    rows, columns = fixed.shape[2], fixed.shape[3]
    tiles_across = -(-columns // TILE_COLUMNS)
    tiles = -(-rows // TILE_ROWS) * tiles_across
    stages = table.shape[0]
    straight = is_straight(grid, table)
    low, high, reach = sampling_extent(BILINEAR)
    for group in range(first, last):
        for tile in range(group * tiles_per_group, min(tiles, (group + 1) * tiles_per_group)):
            row_start = tile // tiles_across * TILE_ROWS
            column_start = tile % tiles_across * TILE_COLUMNS
            count = min(TILE_COLUMNS, columns - column_start)
            for row in range(row_start, min(rows, row_start + TILE_ROWS)):
                begin_row(grid, np.int64(0), row, column_start, count, xs[0], ys[0])
                for stage in range(stages):
                    kind, at = table[stage, 0], table[stage, 1]
                    apply_stage(kind, xs[stage], ys[stage], xs[stage + 1], ys[stage + 1], count, params[0], at)
                inner, _ = classify(xs[stages], ys[stages], count, region, low, high, reach, width, height, CONSTANT, straight)
                for k in range(count if inner > 0 else 0):
                    weight = weights[row, column_start + k] if weights.shape[0] > 0 else 1.0
                    if weight == 0 or (inner < count and region[k] != INSIDE):
                        continue
                    slope_products(images, fixed, row, column_start + k, xs[stages, k], ys[stages, k], below_one, products)
                    point_derivatives(xs, ys, k, table, params[0], 1.0, 0.0, by_x)
                    point_derivatives(xs, ys, k, table, params[0], 0.0, 1.0, by_y)
                    add_products(products, weight, by_x, by_y, jtj[group], jtr[group])
                    sums[group, 0] += weight * products[5]
                    sums[group, 1] += 1


@inlined
def slope_products(images, fixed, row, column, x, y, below_one, products):
    """Sums over the channels of a pixel: u u, u v, v v, u r, v r, r r, with slopes (u, v) and the residual r."""
    real = type(below_one)
    j, i = int(x), int(y)
    weight_x, weight_y = min(real(x - j), below_one), min(real(y - i), below_one)
    for m in range(6):
        products[m] = 0.0
    for p in range(images.shape[1]):
        for c in range(images.shape[4]):
            top_left, top_right = real(images[0, p, i, j, c]), real(images[0, p, i, j + 1, c])
            bottom_left, bottom_right = real(images[0, p, i + 1, j, c]), real(images[0, p, i + 1, j + 1, c])
            value = bilinear(top_left, top_right, bottom_left, bottom_right, weight_x, weight_y)
            slope_x, slope_y = bilinear_slopes(
                top_right - top_left, bottom_right - bottom_left, bottom_left - top_left, bottom_right - top_right,
                weight_x, weight_y,
            )  # fmt: skip
            u, v = np.float64(slope_x), np.float64(slope_y)
            r = np.float64(value) - np.float64(fixed[0, p, row, column, c])
            products[0] += u * u
            products[1] += u * v
            products[2] += v * v
            products[3] += u * r
            products[4] += v * r
            products[5] += r * r


@inlined
def point_derivatives(xs, ys, k, table, params, gx, gy, out):
    """Derivative of gx x' + gy y', the last stage's output, by all packed parameters."""
    for m in range(out.shape[0]):
        out[m] = 0.0
    for stage in range(table.shape[0] - 1, -1, -1):
        gx, gy = map_pull(
            table[stage, 0],
            xs[stage, k],
            ys[stage, k],
            xs[stage + 1, k],
            ys[stage + 1, k],
            gx,
            gy,
            params,
            table[stage, 1],
            out,
        )


@row_loop
def add_products(products, weight, by_x, by_y, jtj, jtr):
    """Add one pixel; parameters that do not move it are passed over."""
    uu, uv, vv = weight * products[0], weight * products[1], weight * products[2]
    ur, vr = weight * products[3], weight * products[4]
    length = by_x.shape[0]
    for m in range(length):
        x, y = by_x[m], by_y[m]
        if x == 0 and y == 0:
            continue
        jtr[m] += ur * x + vr * y
        along_x, along_y = uu * x + uv * y, uv * x + vv * y
        for n in range(np.uint64(m), np.uint64(length)):
            jtj[m, n] += along_x * by_x[n] + along_y * by_y[n]
