"""Whether a map makes anything smaller, by a bound on its Jacobian over the whole output.

The output, and one pixel around it, is a cell. Over a cell, a stage's Jacobian is off its value at the centre by no more than a
radius, entry by entry; the chain rule in numbers with radii gives that of the whole map. Where no step of one pixel can be
longer than a source pixel, a cell is done; another is cut in four, unless its centre settles the question or it has become
small. Half differences of source points, which footprints are made from, are means of the Jacobian and share its bound.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop, row_sum, shared
from .footprints import SLACK, is_longer
from .maps import AFFINE, PROJECTIVE, THIN_PLATE, map_jacobian, map_point
from .spline_maps import THIN_PLATE_HEADER, radial_log

# Half the side of a cell that is not cut any more, in pixels: with less, the bound would take longer than it saves.
SMALLEST_HALF = 16.0
# Of cells that wait, while each of 31 halvings leaves three behind.
LARGEST_STACK = 128
# 4 sqrt(2): see bending_change.
THIRD = 5.656854249492381
# r at which the slope 2 r |2 ln r + 1| of the thin plate's U has its only maximum between zeros, and that maximum.
STEEPEST_AT, STEEPEST = 0.22313016014842982, 0.8925206405937193


@driver
def may_stretch(table, params, rows, columns, row_origin, column_origin):
    """Whether, for any row of ``params``, a step of one pixel of a rows x columns output may be longer than a source pixel.

    The output may be a part of a larger one, in which its first pixel is (row_origin, column_origin).

    Proven for matrices, thin-plate splines and their compositions; True for all other maps.
    """
    for stage in range(table.shape[0]):
        if table[stage, 0] != AFFINE and table[stage, 0] != PROJECTIVE and table[stage, 0] != THIN_PLATE:
            return True
    cells = np.empty((LARGEST_STACK, 4))
    for n in range(params.shape[0]):
        if any_cell_may_stretch(table, params[n], rows, columns, row_origin, column_origin, cells):
            return True
    return False


@row_loop
def any_cell_may_stretch(table, params, rows, columns, row_origin, column_origin, cells):
    """``cells`` is room for a stack of centres and half sizes."""
    cells[0, 0], cells[0, 1] = column_origin + (columns - 1) * 0.5, row_origin + (rows - 1) * 0.5
    cells[0, 2], cells[0, 3] = (columns + 1) * 0.5, (rows + 1) * 0.5
    waiting = 1
    while waiting > 0:
        waiting -= 1
        x, y, x_half, y_half = cells[waiting, 0], cells[waiting, 1], cells[waiting, 2], cells[waiting, 3]
        centre, radii = bounded_jacobian(table, params, x, y, x_half, y_half)
        if is_longer(centre[0], centre[2]) or is_longer(centre[1], centre[3]):
            return True
        along_x = math.hypot(abs(centre[0]) + radii[0], abs(centre[2]) + radii[2])
        along_y = math.hypot(abs(centre[1]) + radii[1], abs(centre[3]) + radii[3])
        # NaN, of cells with a horizon, is not at most one
        if along_x <= 1.0 + SLACK / 2 and along_y <= 1.0 + SLACK / 2:
            continue
        if max(x_half, y_half) <= SMALLEST_HALF:
            return True
        x_half, y_half = x_half * 0.5, y_half * 0.5
        for quarter in range(4):
            cells[waiting, 0] = x + (x_half if quarter % 2 else -x_half)
            cells[waiting, 1] = y + (y_half if quarter // 2 else -y_half)
            cells[waiting, 2], cells[waiting, 3] = x_half, y_half
            waiting += 1
    return False


@shared
def bounded_jacobian(table, params, x, y, x_half, y_half):
    """The Jacobian of a pipeline at the centre of a cell, and by how much each of its entries may differ elsewhere in it."""
    centre, radii = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0)
    for stage in range(table.shape[0]):
        kind, at = table[stage, 0], table[stage, 1]
        slopes = map_jacobian(kind, x, y, params, at)
        sizes = absolute(slopes)
        errors = jacobian_radii(kind, x, y, x_half, y_half, sizes, params, at)
        largest = (sizes[0] + errors[0], sizes[1] + errors[1], sizes[2] + errors[2], sizes[3] + errors[3])
        spread, strayed = product(largest, radii), product(errors, absolute(centre))
        radii = (spread[0] + strayed[0], spread[1] + strayed[1], spread[2] + strayed[2], spread[3] + strayed[3])
        centre = product(slopes, centre)
        x, y = map_point(kind, x, y, params, at)
        x_half, y_half = largest[0] * x_half + largest[1] * y_half, largest[2] * x_half + largest[3] * y_half
    return centre, radii


@inlined
def absolute(matrix):
    return abs(matrix[0]), abs(matrix[1]), abs(matrix[2]), abs(matrix[3])


@inlined
def product(left, right):
    """Of 2 x 2 matrices, row by row."""
    return (
        left[0] * right[0] + left[1] * right[2],
        left[0] * right[1] + left[1] * right[3],
        left[2] * right[0] + left[3] * right[2],
        left[2] * right[1] + left[3] * right[3],
    )


@inlined
def jacobian_radii(kind, x, y, x_half, y_half, sizes, params, at):
    """By how much the entries of one stage's Jacobian, of absolute values ``sizes`` at (x, y), may differ within a cell."""
    if kind == PROJECTIVE:
        return projective_radii(x, y, x_half, y_half, sizes, params, at)
    if kind == THIN_PLATE:
        return thin_plate_radii(x, y, x_half, y_half, params, at)
    return 0.0, 0.0, 0.0, 0.0


@inlined
def projective_radii(x, y, x_half, y_half, sizes, params, at):
    """Of the entries (a - g u) / w: a difference of two is -(g du + entry dw) / w, and du the slopes times w_centre / w."""
    g, h = abs(params[at + 6]), abs(params[at + 7])
    w = params[at + 6] * x + params[at + 7] * y + params[at + 8]
    w_radius = g * x_half + h * y_half
    nearest = w - w_radius if w > w_radius else math.nan
    u_radius = (sizes[0] * x_half + sizes[1] * y_half) * w / nearest
    v_radius = (sizes[2] * x_half + sizes[3] * y_half) * w / nearest
    return (
        (g * u_radius + sizes[0] * w_radius) / nearest,
        (h * u_radius + sizes[1] * w_radius) / nearest,
        (g * v_radius + sizes[2] * w_radius) / nearest,
        (h * v_radius + sizes[3] * w_radius) / nearest,
    )


@row_sum
def thin_plate_radii(x, y, x_half, y_half, params, at):
    """Of a spline's slopes: their change by the second derivative at the centre, and a bound on the rest of it.

    A control point too near for that adds its gradient's change as a whole.
    """
    scale = params[at + 3]
    u, v = (x - params[at + 1]) * scale, (y - params[at + 2]) * scale
    radius = math.hypot(x_half, y_half) * scale
    count = np.uint64(params[at])
    first = np.uint64(at + THIN_PLATE_HEADER)
    x_uu, x_uv, x_vv, y_uu, y_uv, y_vv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    x_rest, y_rest = 0.0, 0.0
    for k in range(first, first + count):
        du, dv = u - params[k], v - params[k + count]
        x_weight, y_weight = params[k + np.uint64(2) * count], params[k + np.uint64(3) * count]
        squared = du * du + dv * dv
        distance = math.sqrt(squared)
        is_far = distance > 2.0 * radius
        rest = bending_change(distance, radius) if is_far else slope_change(distance, radius)
        x_rest += abs(x_weight) * rest
        y_rest += abs(y_weight) * rest
        along, bend = 2.0 * (radial_log(squared) + 1.0), 4.0 / squared
        uu, uv, vv = along + bend * du * du, bend * du * dv, along + bend * dv * dv
        x_uu += x_weight * uu if is_far else 0.0
        x_uv += x_weight * uv if is_far else 0.0
        x_vv += x_weight * vv if is_far else 0.0
        y_uu += y_weight * uu if is_far else 0.0
        y_uv += y_weight * uv if is_far else 0.0
        y_vv += y_weight * vv if is_far else 0.0
    u_half, v_half = x_half * scale, y_half * scale
    return (
        (abs(x_uu) * u_half + abs(x_uv) * v_half + x_rest) * scale,
        (abs(x_uv) * u_half + abs(x_vv) * v_half + x_rest) * scale,
        (abs(y_uu) * u_half + abs(y_uv) * v_half + y_rest) * scale,
        (abs(y_uv) * u_half + abs(y_vv) * v_half + y_rest) * scale,
    )


@inlined
def bending_change(distance, radius):
    """By how much the gradient of U = r^2 ln r^2 is off its first-order change within ``radius`` of a point at ``distance``.

    The third derivative along one direction twice is a vector of length 4 sqrt(1 + 4 c^2 - 4 c^4) / r, c the cosine to r.
    """
    return 0.5 * radius * radius * THIRD / (distance - radius)


@inlined
def slope_change(distance, radius):
    """By how much the gradient of U = r^2 ln r^2, 2 r (ln r^2 + 1) long, may change near the centre, where it is small.

    The eigenvalues of the second derivative, which bound it too, are 2 ln r^2 + 2 and 2 ln r^2 + 6.
    """
    nearest, farthest = max(distance - radius, 0.0), distance + radius
    log_nearest, log_farthest = radial_log(nearest * nearest), radial_log(farthest * farthest)
    bent = radius * max(abs(2.0 * log_nearest + 2.0), abs(2.0 * log_farthest + 6.0))
    steepest = max(2.0 * farthest * abs(log_farthest + 1.0), STEEPEST if farthest > STEEPEST_AT else 0.0)
    return min(bent, steepest + 2.0 * distance * abs(radial_log(distance * distance) + 1.0))
