"""Displacement fields, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

from .compiling import shared

DISPLACEMENT_HEADER = 2


@shared
def displacement_cell(coordinate, size):
    """Index of the field sample at or before a coordinate, and the weight of the next; the field ends at its border."""
    if not coordinate > 0:
        return 0, 0.0
    if coordinate >= size - 1:
        return size - 1, 0.0
    cell = int(coordinate)
    return cell, coordinate - cell


@shared
def displacement(x, y, params, at):
    """(x, y) + field(x, y), the field bilinear between its samples and constant beyond its border.

    ``params``: the field's rows and columns, then (dx, dy) of each sample, row by row.
    """
    rows, columns = int(params[at]), int(params[at + 1])
    j, a = displacement_cell(x, columns)
    i, b = displacement_cell(y, rows)
    here = at + DISPLACEMENT_HEADER + 2 * (i * columns + j)
    right = 2 if a > 0 else 0
    below = 2 * columns if b > 0 else 0
    dx_top = params[here] + a * (params[here + right] - params[here])
    dy_top = params[here + 1] + a * (params[here + right + 1] - params[here + 1])
    here += below
    dx_bottom = params[here] + a * (params[here + right] - params[here])
    dy_bottom = params[here + 1] + a * (params[here + right + 1] - params[here + 1])
    return x + (dx_top + b * (dx_bottom - dx_top)), y + (dy_top + b * (dy_bottom - dy_top))


@shared
def displacement_jacobian(x, y, params, at):
    """Slopes of the cell to the right of and below the point; 1 and 0 along an axis on which the point is beyond the border."""
    rows, columns = int(params[at]), int(params[at + 1])
    j, a = displacement_cell(x, columns)
    i, b = displacement_cell(y, rows)
    right = 2 if 0 <= x < columns - 1 else 0
    below = 2 * columns if 0 <= y < rows - 1 else 0
    p = at + DISPLACEMENT_HEADER + 2 * (i * columns + j)
    dx_x = (1 - b) * (params[p + right] - params[p]) + b * (params[p + below + right] - params[p + below])
    dy_x = (1 - b) * (params[p + right + 1] - params[p + 1]) + b * (params[p + below + right + 1] - params[p + below + 1])
    dx_y = (1 - a) * (params[p + below] - params[p]) + a * (params[p + below + right] - params[p + right])
    dy_y = (1 - a) * (params[p + below + 1] - params[p + 1]) + a * (params[p + below + right + 1] - params[p + right + 1])
    return 1 + dx_x, dx_y, dy_x, 1 + dy_y


@shared
def displacement_corners(x, y, params, at):
    """Where the four samples around a point begin (top left, top right, bottom left, bottom right), and their weights."""
    rows, columns = int(params[at]), int(params[at + 1])
    j, a = displacement_cell(x, columns)
    i, b = displacement_cell(y, rows)
    right = 2 if a > 0 else 0
    below = 2 * columns if b > 0 else 0
    here = at + DISPLACEMENT_HEADER + 2 * (i * columns + j)
    return (
        here, here + right, here + below, here + below + right,
        (1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b,
    )  # fmt: skip


@shared
def displacement_cotangent(x, y, gx, gy, params, at):
    x_x, x_y, y_x, y_y = displacement_jacobian(x, y, params, at)
    return gx * x_x + gy * y_x, gx * x_y + gy * y_y


@shared
def displacement_pull(x, y, gx, gy, params, at, grads):
    here, right, below, beside, weight_here, weight_right, weight_below, weight_beside = displacement_corners(x, y, params, at)
    for axis in range(2):
        g = gx if axis == 0 else gy
        grads[here + axis] += g * weight_here
        grads[right + axis] += g * weight_right
        grads[below + axis] += g * weight_below
        grads[beside + axis] += g * weight_beside
    return displacement_cotangent(x, y, gx, gy, params, at)
