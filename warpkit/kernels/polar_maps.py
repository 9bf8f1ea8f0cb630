"""Maps about a centre, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

import math

from .compiling import shared
from .elementary import cos_sin

# A pixel's logarithmic radius beyond this is no number.
LARGEST_EXPONENT = 700.0


@shared
def polar_radius(column, params, at):
    """The radius at a column, and its slope by ``column * growth``."""
    growth = params[at + 2]
    if params[at + 5] == 0:
        return column * growth, 1.0
    exponent = column * growth
    power = math.exp(exponent if exponent < LARGEST_EXPONENT else math.nan)
    return power - params[at + 4], power


@shared
def polar(x, y, params, at):
    """From (column = radius axis, row = angle axis) to the point of the picture.

    ``params``: the centre, the growth of the radius or of its logarithm by a column, the angle of a row in radians, what is
    taken from the exponential, and whether there is one.
    """
    radius, _ = polar_radius(x, params, at)
    cos, sin = cos_sin(y * params[at + 3])
    return params[at] + radius * cos, params[at + 1] + radius * sin


@shared
def polar_jacobian(x, y, params, at):
    radius, slope = polar_radius(x, params, at)
    cos, sin = cos_sin(y * params[at + 3])
    along, around = slope * params[at + 2], radius * params[at + 3]
    return along * cos, -around * sin, along * sin, around * cos


@shared
def polar_pull(x, y, gx, gy, params, at, grads):
    """Cotangents of the centre and the growth; shape and kind of the picture are fixed."""
    radius, slope = polar_radius(x, params, at)
    cos, sin = cos_sin(y * params[at + 3])
    outward, sideways = gx * cos + gy * sin, gy * cos - gx * sin
    grads[at] += gx
    grads[at + 1] += gy
    grads[at + 2] += outward * slope * x
    return outward * slope * params[at + 2], sideways * radius * params[at + 3]


@shared
def polar_inverse(x, y, params, at):
    """From a point to column and row. The angle is cut along the ray to the right of the centre; its rows begin at 0."""
    dx, dy = x - params[at], y - params[at + 1]
    radius, angle = math.sqrt(dx * dx + dy * dy), math.atan2(dy, dx)
    if angle < 0:
        angle += 2.0 * math.pi
    if params[at + 5] == 0:
        return radius / params[at + 2], angle / params[at + 3]
    power = radius + params[at + 4]
    # The centre lies infinitely far to the left where the radius grows from 1.
    if not power > 0:
        return math.nan, math.nan
    return math.log(power) / params[at + 2], angle / params[at + 3]
