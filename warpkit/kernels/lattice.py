"""A thin-plate spline between exact values on a lattice, to a proven bound: what costs most is done for a pixel in 256.

A block of 64 x 64 output pixels has exact values at nodes 16 pixels apart, one node more on each side; between them, cubic
interpolation along y, then along x. Along one axis its error is at most h^4 / 24 * 9 / 16 times the fourth derivative, for
spacing h; the other one counts 5/4 times, the Lebesgue constant of the four nodes around a cell. The fourth derivative of one
control point's U = s ln s, s = u^2 + v^2, is 12 / s - 48 u^2 / s^2 + 32 u^4 / s^3 along u, and the same for v; both together
are largest on the v axis, 4 / s + 5/4 * 12 / s. So

    |error| <= 0.4453125 h^4 / s,

s taken where the nodes come nearest to the control point. Control points whose errors exceed the tolerance together are left
out of the nodes, the worst first, and added exactly to each pixel; so the bound holds next to them too.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import allocating, row_loop, row_loop_inlined, row_sum, shared
from .maps import THIN_PLATE
from .rows import TILE_COLUMNS, TILE_ROWS
from .spline_maps import THIN_PLATE_HEADER, radial, thin_plate_plane

SPACING = 16
BLOCK = 64
NODES = BLOCK // SPACING + 3
BLOCKS = TILE_COLUMNS // BLOCK
ERROR = 0.4453125

assert TILE_ROWS == BLOCK


@shared
def has_lattice(grid, table, tolerance):
    """Whether rows may come from a lattice: the map is one spline, and need not be exact."""
    return tolerance > 0 and grid.shape[0] == 0 and table.shape[0] == 1 and table[0, 0] == THIN_PLATE


@allocating
def lattice_buffers(points):
    """Memory for the blocks of a tile: values at nodes, which control points are left out (their number first), weights of the
    four nodes around a cell at its 16 pixels, and a row of nodes."""
    weights = np.empty((4, SPACING))
    for k in range(SPACING):
        t = k / SPACING
        weights[0, k] = -t * (t - 1) * (t - 2) / 6
        weights[1, k] = (t + 1) * (t - 1) * (t - 2) / 2
        weights[2, k] = -(t + 1) * t * (t - 2) / 2
        weights[3, k] = (t + 1) * t * (t - 1) / 6
    return (
        np.empty((BLOCKS, 2, NODES, NODES)),
        np.empty((BLOCKS, 1 + points), np.int64),
        weights,
        np.empty((2, NODES)),
        np.empty(points),
    )


@row_loop
def fill_lattice(nodes, left_out, errors, row_start, column_start, count, params, tolerance):
    """Prepare the blocks of a tile whose first pixel is (column_start, row_start)."""
    x_centre, y_centre, scale = params[1], params[2], params[3]
    points = int(params[0])
    for block in range(-(-count // BLOCK)):
        u = (column_start + block * BLOCK - SPACING - x_centre) * scale
        v = (row_start - SPACING - y_centre) * scale
        side = (NODES - 1) * SPACING * scale
        bound_errors(errors, u, v, side, SPACING * scale, params)
        leave_out(left_out[block], errors, points, tolerance)
        for i in range(NODES):
            for j in range(NODES):
                at_u, at_v = u + j * SPACING * scale, v + i * SPACING * scale
                x, y = thin_plate_plane(at_u, at_v, params, 0)
                dx, dy = far_points(at_u, at_v, errors, params, points)
                nodes[block, 0, i, j], nodes[block, 1, i, j] = x + dx, y + dy


@row_sum
def far_points(u, v, errors, params, points):
    """The share of the control points that are not left out."""
    first, count = np.uint64(THIN_PLATE_HEADER), np.uint64(points)
    x, y = 0.0, 0.0
    for p in range(count):
        at = first + p
        value = radial(u - params[at], v - params[at + count])
        value = value if errors[p] >= 0 else 0.0
        x += params[at + count + count] * value
        y += params[at + count + count + count] * value
    return x, y


@row_loop
def bound_errors(errors, u, v, side, spacing, params):
    """Each control point's largest error between nodes of a block that begin at (u, v)."""
    points = int(params[0])
    for p in range(points):
        point = THIN_PLATE_HEADER + p
        du = max(0.0, max(u - params[point], params[point] - u - side))
        dv = max(0.0, max(v - params[point + points], params[point + points] - v - side))
        weight = math.hypot(params[point + 2 * points], params[point + 3 * points])
        errors[p] = ERROR * spacing**4 * weight / (du * du + dv * dv) if weight > 0 else 0.0


@row_loop
def leave_out(left_out, errors, points, tolerance):
    """List the control points with the largest errors, until those of the others add up to ``tolerance`` at most; their errors
    become -1."""
    left_out[0] = 0
    while True:
        total, worst = 0.0, 0
        for p in range(points):
            total += max(errors[p], 0.0)
            if errors[p] > errors[worst]:
                worst = p
        if total <= tolerance:
            return
        left_out[0] += 1
        left_out[left_out[0]] = worst
        errors[worst] = -1.0


@row_loop
def lattice_row(nodes, left_out, weights, node_row, row, row_start, column_start, count, params, xs, ys):
    """Fill (xs, ys) with the source points of a tile's row."""
    x_centre, y_centre, scale = params[1], params[2], params[3]
    points = int(params[0])
    cell, step = (row - row_start) // SPACING, (row - row_start) % SPACING
    for block in range(-(-count // BLOCK)):
        first = block * BLOCK
        last = min(first + BLOCK, count)
        for axis in range(2):
            for j in range(NODES):
                value = 0.0
                for i in range(4):
                    value += weights[i, step] * nodes[block, axis, cell + i, j]
                node_row[axis, j] = value
        for k_cell in range(-(-(last - first) // SPACING)):
            interpolate_cell(node_row[0], node_row[1], k_cell, weights, xs, ys, first + k_cell * SPACING, last)
        v = (row - y_centre) * scale
        for n in range(left_out[block, 0]):
            point = THIN_PLATE_HEADER + left_out[block, 1 + n]
            add_point(
                xs, ys, first, last, (column_start - x_centre) * scale - params[point], scale, v - params[point + points],
                params[point + 2 * points], params[point + 3 * points],
            )  # fmt: skip


@row_loop_inlined
def interpolate_cell(node_xs, node_ys, cell, weights, xs, ys, first, last):
    """Between four nodes of a row, 16 pixels or what is left of them."""
    x0, x1, x2, x3 = node_xs[cell], node_xs[cell + 1], node_xs[cell + 2], node_xs[cell + 3]
    y0, y1, y2, y3 = node_ys[cell], node_ys[cell + 1], node_ys[cell + 2], node_ys[cell + 3]
    at = np.uint64(first)
    for k in range(np.uint64(min(SPACING, last - first))):
        w0, w1, w2, w3 = weights[0, k], weights[1, k], weights[2, k], weights[3, k]
        xs[at + k] = (w0 * x0 + w1 * x1) + (w2 * x2 + w3 * x3)
        ys[at + k] = (w0 * y0 + w1 * y1) + (w2 * y2 + w3 * y3)


@row_loop_inlined
def add_point(xs, ys, first, last, u, scale, v, x_weight, y_weight):
    """Add a control point's share to the pixels of a block; (u, v) is the way from it to the row's first pixel."""
    for k in range(np.uint64(first), np.uint64(last)):
        value = radial(np.float64(k) * scale + u, v)
        xs[k] += x_weight * value
        ys[k] += y_weight * value
