"""Maps evaluated at a list of points, without pixels."""

from __future__ import annotations

import numpy as np

from .compiling import driver
from .maps import map_jacobian, map_point


@driver
def map_points(points, out, table, params, first, last):
    """Write to ``out`` where the pipeline sends ``points[first:last]``; both (N, 2) float64."""
    for n in range(first, last):
        x, y = points[n, 0], points[n, 1]
        for stage in range(table.shape[0]):
            x, y = map_point(table[stage, 0], x, y, params, table[stage, 1])
        out[n, 0] = x
        out[n, 1] = y
    return 0


@driver
def points_jacobian(points, table, params):
    """Derivative of the whole pipeline at each point, by the chain rule: (N, 2, 2), row x', then row y'."""
    out = np.empty((points.shape[0], 2, 2))
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        x_x, x_y, y_x, y_y = 1.0, 0.0, 0.0, 1.0
        for stage in range(table.shape[0]):
            kind, at = table[stage, 0], table[stage, 1]
            a, b, c, d = map_jacobian(kind, x, y, params, at)
            x_x, x_y, y_x, y_y = a * x_x + b * y_x, a * x_y + b * y_y, c * x_x + d * y_x, c * x_y + d * y_y
            x, y = map_point(kind, x, y, params, at)
        out[n, 0, 0], out[n, 0, 1], out[n, 1, 0], out[n, 1, 1] = x_x, x_y, y_x, y_y
    return out
