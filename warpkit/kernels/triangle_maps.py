"""Piecewise affine maps, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

import math

from .compiling import shared
from .matrix_maps import affine, affine_pull

TRIANGLES_HEADER = 8
TRIANGLE = 12
# A point on the edge of two triangles may be outside both by rounding.
EDGE = 1e-10


@shared
def triangle_of(x, y, params, at):
    """Where the numbers of the triangle that holds a point begin; -1 if none does.

    ``params``: the box around all triangles (left, top, right, bottom), the columns and rows of cells that it is cut into, the
    size of the table of cells, and the number of triangles. Then the table: for each cell where its list begins, and where the
    last one ends; the lists of triangles. Then the triangles: what gives the first two barycentric coordinates of a point, and
    the affine map.
    """
    left, top, right, bottom = params[at], params[at + 1], params[at + 2], params[at + 3]
    if not (x >= left and x <= right and y >= top and y <= bottom):
        return -1
    columns, rows = int(params[at + 4]), int(params[at + 5])
    column = min(int((x - left) / (right - left) * columns), columns - 1)
    row = min(int((y - top) / (bottom - top) * rows), rows - 1)
    cells = at + TRIANGLES_HEADER
    lists = cells + rows * columns + 1
    triangles = at + TRIANGLES_HEADER + int(params[at + 6])
    cell = cells + row * columns + column
    for k in range(lists + int(params[cell]), lists + int(params[cell + 1])):
        here = triangles + TRIANGLE * int(params[k])
        a, b = affine(x, y, params, here)
        if a >= -EDGE and b >= -EDGE and a + b <= 1.0 + EDGE:
            return here
    return -1


@shared
def piecewise_affine(x, y, params, at):
    here = triangle_of(x, y, params, at)
    if here < 0:
        return math.nan, math.nan
    return affine(x, y, params, here + 6)


@shared
def piecewise_affine_jacobian(x, y, params, at):
    """That of the triangle that holds the point."""
    here = triangle_of(x, y, params, at)
    if here < 0:
        return math.nan, math.nan, math.nan, math.nan
    return params[here + 6], params[here + 7], params[here + 9], params[here + 10]


@shared
def piecewise_affine_pull(x, y, gx, gy, params, at, grads):
    """Cotangents of the triangle's matrix, which is linear in the values; the control points are fixed."""
    here = triangle_of(x, y, params, at)
    if here < 0:
        return 0.0, 0.0
    return affine_pull(x, y, gx, gy, params, here + 6, grads)
