"""Thin-plate splines, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

import numpy as np

from .compiling import inlined, shared, shared_sum
from .elementary import natural_log, solve_2x2

THIN_PLATE_HEADER = 10
SMALLEST_SQUARE = 1e-300

TWO, THREE = np.uint64(2), np.uint64(3)


@inlined
def radial_log(squared_distance):
    """ln r^2, finite at r = 0, where all that it multiplies is 0."""
    return natural_log(squared_distance if not squared_distance < SMALLEST_SQUARE else SMALLEST_SQUARE)


@inlined
def radial(du, dv):
    """The thin plate's U = r^2 ln r^2, continued by its limit 0 at r = 0 (Bookstein 1989)."""
    squared = du * du + dv * dv
    return squared * radial_log(squared)


@inlined
def thin_plate_plane(u, v, params, at):
    return (
        params[at + 4] + params[at + 5] * u + params[at + 6] * v,
        params[at + 7] + params[at + 8] * u + params[at + 9] * v,
    )


@shared
def thin_plate(x, y, params, at):
    """A plane plus one radial function per control point.

    ``params``: number of control points, the centre and inverse scale that normalise a point, the plane of x' and that of
    y' (constant, x, y), then the control points' normalised x, their y, their weights for x' and those for y'.
    """
    u = (x - params[at + 1]) * params[at + 3]
    v = (y - params[at + 2]) * params[at + 3]
    x_out, y_out = thin_plate_plane(u, v, params, at)
    count = np.uint64(params[at])
    first = np.uint64(at + THIN_PLATE_HEADER)
    for k in range(first, first + count):
        value = radial(u - params[k], v - params[k + count])
        x_out += params[k + TWO * count] * value
        y_out += params[k + THREE * count] * value
    return x_out, y_out


@shared_sum
def thin_plate_jacobian(x, y, params, at):
    scale = params[at + 3]
    u = (x - params[at + 1]) * scale
    v = (y - params[at + 2]) * scale
    x_u, x_v, y_u, y_v = params[at + 5], params[at + 6], params[at + 8], params[at + 9]
    count = np.uint64(params[at])
    first = np.uint64(at + THIN_PLATE_HEADER)
    for k in range(first, first + count):
        du = u - params[k]
        dv = v - params[k + count]
        # dU / d(r^2) = ln r^2 + 1
        slope = 2.0 * (radial_log(du * du + dv * dv) + 1.0)
        x_u += params[k + TWO * count] * slope * du
        x_v += params[k + TWO * count] * slope * dv
        y_u += params[k + THREE * count] * slope * du
        y_v += params[k + THREE * count] * slope * dv
    return x_u * scale, x_v * scale, y_u * scale, y_v * scale


@shared
def thin_plate_start(x, y, params, at):
    """Where to look first for the point that a spline sends to (x, y): exact for one without bending."""
    u, v = solve_2x2(params[at + 5], params[at + 6], params[at + 8], params[at + 9], x - params[at + 4], y - params[at + 7])
    return u / params[at + 3] + params[at + 1], v / params[at + 3] + params[at + 2]


@shared_sum
def thin_plate_pull(x, y, gx, gy, params, at, grads):
    """Cotangents of the plane and the weights, which are linear in the spline's values; the control points are fixed."""
    scale = params[at + 3]
    u = (x - params[at + 1]) * scale
    v = (y - params[at + 2]) * scale
    grads[at + 4] += gx
    grads[at + 5] += gx * u
    grads[at + 6] += gx * v
    grads[at + 7] += gy
    grads[at + 8] += gy * u
    grads[at + 9] += gy * v
    gu = gx * params[at + 5] + gy * params[at + 8]
    gv = gx * params[at + 6] + gy * params[at + 9]
    count = np.uint64(params[at])
    first = np.uint64(at + THIN_PLATE_HEADER)
    for k in range(first, first + count):
        du = u - params[k]
        dv = v - params[k + count]
        squared = du * du + dv * dv
        logarithm = radial_log(squared)
        value = squared * logarithm
        grads[k + TWO * count] += gx * value
        grads[k + THREE * count] += gy * value
        pull = 2.0 * (logarithm + 1.0) * (gx * params[k + TWO * count] + gy * params[k + THREE * count])
        gu += pull * du
        gv += pull * dv
    return gu * scale, gv * scale
