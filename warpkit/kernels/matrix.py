"""Rows of a map that is one matrix: straight lines, known from their ends.

Such a row needs no buffer of points: it is cut where it meets the border, by solving for the place, and its pieces inside the
source are mapped and placed in one pass.
"""

from __future__ import annotations

import numpy as np

from .compiling import inlined, row_loop_inlined
from .inside import place, place_nearest
from .maps import AFFINE, PROJECTIVE
from .matrix_maps import affine, projective
from .taps import FILL, near_range

# Relative error of a homography's coordinates, in units of their terms: some roundings of float64.
ROUNDING = 2.0**-48
# Cuts of a row: its start, beyond | border | inside | border | beyond, its end.
CUTS = 6


@inlined
def map_matrix(kind, x, y, params):
    """Where the map sends a point."""
    if kind == AFFINE:
        return affine(x, y, params, 0)
    return projective(x, y, params, 0)


@inlined
def matrix_box(kind, row, column_start, count, params, x_window, y_window):
    """The box (x_low, x_high, y_low, y_high) around a row's points, as computed, counted from the first pixel of a window; NaN
    if it meets the horizon or infinity.

    Ends bound the points between: always for an affine map, because rounding is monotone, up to roundings for a homography.
    """
    left, right = float(column_start), float(column_start + count - 1)
    y = float(row)
    if kind == AFFINE:
        x_first, y_first = affine(left, y, params, 0)
        x_last, y_last = affine(right, y, params, 0)
        slack = 0.0
    else:
        x_first, y_first = projective(left, y, params, 0)
        x_last, y_last = projective(right, y, params, 0)
        slack = max(projective_rounding(left, y, params), projective_rounding(right, y, params))
    slack += 0.0 * (x_first + x_last + y_first + y_last)  # NaN and infinity spoil the whole box
    return (
        min(x_first, x_last) - slack - x_window,
        max(x_first, x_last) + slack - x_window,
        min(y_first, y_last) - slack - y_window,
        max(y_first, y_last) + slack - y_window,
    )


@inlined
def projective_rounding(x, y, params):
    """Bound of the rounding error of :func:`projective`; infinite or NaN at the horizon."""
    u = abs(params[0] * x) + abs(params[1] * y) + abs(params[2])
    v = abs(params[3] * x) + abs(params[4] * y) + abs(params[5])
    terms = abs(params[6] * x) + abs(params[7] * y) + abs(params[8])
    w = params[6] * x + params[7] * y + params[8]
    return ROUNDING * max(u, v) / w * (terms / w)


@inlined
def range_where(x_low, x_high, y_low, y_high, kind, row, column_start, count, params):
    """The first and the last column, from ``column_start`` on and as floats, where a row lies in a box; in this order if any.

    A bound of x = u / w is u - bound w >= 0, linear along the row. A row that meets the horizon lies nowhere.
    """
    y, left, right = float(row), float(column_start), float(column_start + count - 1)
    u_first, v_first = affine(left, y, params, 0)
    u_last, v_last = affine(right, y, params, 0)
    w_first, w_last = 1.0, 1.0
    if kind == PROJECTIVE:
        w_first = params[6] * left + params[7] * y + params[8]
        w_last = params[6] * right + params[7] * y + params[8]
    first, last = 0.0, float(count - 1)
    if not (w_first > 0 and w_last > 0):
        return last + 1.0, first
    for side in range(4):
        if side == 0:
            at_first, at_last = u_first - x_low * w_first, u_last - x_low * w_last
        elif side == 1:
            at_first, at_last = x_high * w_first - u_first, x_high * w_last - u_last
        elif side == 2:
            at_first, at_last = v_first - y_low * w_first, v_last - y_low * w_last
        else:
            at_first, at_last = y_high * w_first - v_first, y_high * w_last - v_last
        if at_first < 0 and at_last < 0:
            return last + 1.0, first
        if at_first < 0:
            first = max(first, at_first / (at_first - at_last) * (count - 1))
        elif at_last < 0:
            last = min(last, at_first / (at_first - at_last) * (count - 1))
    return first, last


@inlined
def cut_row(cuts, low, high, reach, width, height, mode, kind, row, column_start, count, params, x_window, y_window):
    """Fill ``cuts`` with the places where a row of ``count`` pixels goes from beyond to the border to inside and back.

    Roughly: a piece inside may begin a pixel late, so that all of its points are inside, and so may the border's end.
    """
    near_first, near_last = 0.0, float(count - 1)
    if mode <= FILL:
        left, right = near_range(width, reach, mode)
        top, bottom = near_range(height, reach, mode)
        near_first, near_last = range_where(
            x_window + left, x_window + right, y_window + top, y_window + bottom, kind, row, column_start, count, params
        )  # fmt: skip
    first, last = range_where(
        x_window + low,
        x_window + width - high,
        y_window + low,
        y_window + height - high,
        kind,
        row,
        column_start,
        count,
        params,
    )
    for n in range(CUTS):
        cuts[n] = 0 if n == 0 else count
    if near_first <= near_last:
        cuts[1] = max(int(near_first) - 1, 0)
        cuts[4] = min(int(near_last) + 2, count)
        cuts[2], cuts[3] = cuts[4], cuts[4]
        if first <= last:
            cuts[2] = min(max(int(first) + 2 if first > 0 else 0, cuts[1]), cuts[4])
            cuts[3] = min(max(int(last) if last < count - 1 else count, cuts[2]), cuts[4])


@row_loop_inlined
def place_matrix_row(
    nearest, kind, columns, begin, row, count, params, x_origin, y_origin, pitch, step, below_one, offsets, weights_x, weights_y
):  # fmt: skip
    """Map and place a piece of a row, from ``columns[begin]`` on: bilinear if ``nearest`` is None."""
    if nearest is None:
        if kind == AFFINE:
            for k in range(np.uint64(count)):
                x, y = affine(columns[np.uint64(begin) + k], row, params, 0)
                offsets[k], weights_x[k], weights_y[k] = place(x, y, x_origin, y_origin, pitch, step, below_one)
        else:
            for k in range(np.uint64(count)):
                x, y = projective(columns[np.uint64(begin) + k], row, params, 0)
                offsets[k], weights_x[k], weights_y[k] = place(x, y, x_origin, y_origin, pitch, step, below_one)
    elif kind == AFFINE:
        for k in range(np.uint64(count)):
            x, y = affine(columns[np.uint64(begin) + k], row, params, 0)
            offsets[k] = place_nearest(x, y, x_origin, y_origin, pitch, step)
    else:
        for k in range(np.uint64(count)):
            x, y = projective(columns[np.uint64(begin) + k], row, params, 0)
            offsets[k] = place_nearest(x, y, x_origin, y_origin, pitch, step)
