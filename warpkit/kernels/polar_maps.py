"""Maps about a centre, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

import math

from .compiling import shared
from .elementary import cos_sin

# A pixel's logarithmic radius beyond this is no number.
LARGEST_EXPONENT = 700.0
# A swirl has faded to about a thousandth of its strength at its radius.
SWIRL_REACH = math.log(2.0) / 5.0


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
def is_polar_centre(column, params, at):
    return polar_radius(column, params, at)[0] == 0


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


@shared
def swirl_turn(dx, dy, params, at):
    """Cosine and sine of the turn at a point off the centre, its fading exp(-r / s), r and s."""
    reach = params[at + 3] * SWIRL_REACH
    radius = math.sqrt(dx * dx + dy * dy)
    fading = math.exp(-radius / reach)
    cos, sin = cos_sin(params[at + 4] + params[at + 2] * fading)
    return cos, sin, fading, radius, reach


@shared
def swirl(x, y, params, at):
    """A turn about the centre that fades away from it.

    ``params``: the centre, the strength, the radius, the turn far away.
    """
    dx, dy = x - params[at], y - params[at + 1]
    cos, sin, _, _, _ = swirl_turn(dx, dy, params, at)
    return params[at] + cos * dx - sin * dy, params[at + 1] + sin * dx + cos * dy


@shared
def swirl_jacobian(x, y, params, at):
    dx, dy = x - params[at], y - params[at + 1]
    cos, sin, fading, radius, reach = swirl_turn(dx, dy, params, at)
    u, v = cos * dx - sin * dy, sin * dx + cos * dy
    # d(turn) / d(dx, dy); at the centre, where it has no slope, it is multiplied by u = v = 0
    slope = -params[at + 2] * fading / (reach * radius) if radius > 0 else 0.0
    turn_x, turn_y = slope * dx, slope * dy
    return cos - v * turn_x, -sin - v * turn_y, sin + u * turn_x, cos + u * turn_y


@shared
def swirl_pull(x, y, gx, gy, params, at, grads):
    dx, dy = x - params[at], y - params[at + 1]
    cos, sin, fading, radius, reach = swirl_turn(dx, dy, params, at)
    turn = gy * (cos * dx - sin * dy) - gx * (sin * dx + cos * dy)
    x_x, x_y, y_x, y_y = swirl_jacobian(x, y, params, at)
    gx_in, gy_in = gx * x_x + gy * y_x, gx * x_y + gy * y_y
    grads[at] += gx - gx_in
    grads[at + 1] += gy - gy_in
    grads[at + 2] += turn * fading
    grads[at + 3] += turn * params[at + 2] * fading * radius / (reach * params[at + 3])
    grads[at + 4] += turn
    return gx_in, gy_in


@shared
def cylindrical(x, y, params, at):
    """From a cylinder, unrolled, to the plane that touches it at the centre; nothing lies a quarter turn away or farther.

    ``params``: the focal length and the centre.
    """
    u, v = (x - params[at + 1]) / params[at], (y - params[at + 2]) / params[at]
    cos, sin = cos_sin(u)
    cos = cos if abs(u) < 0.5 * math.pi else math.nan
    return params[at + 1] + params[at] * sin / cos, params[at + 2] + params[at] * v / cos


@shared
def cylindrical_jacobian(x, y, params, at):
    u, v = (x - params[at + 1]) / params[at], (y - params[at + 2]) / params[at]
    cos, sin = cos_sin(u)
    cos = cos if abs(u) < 0.5 * math.pi else math.nan
    return 1.0 / (cos * cos), 0.0, v * sin / (cos * cos), 1.0 / cos


@shared
def cylindrical_pull(x, y, gx, gy, params, at, grads):
    x_out, y_out = cylindrical(x, y, params, at)
    x_x, x_y, y_x, y_y = cylindrical_jacobian(x, y, params, at)
    gx_in, gy_in = gx * x_x + gy * y_x, gx * x_y + gy * y_y
    # out = c + f F((in - c) / f)
    gx_centre, gy_centre = gx - gx_in, gy - gy_in
    outward = gx * (x_out - params[at + 1]) + gy * (y_out - params[at + 2])
    inward = gx_in * (x - params[at + 1]) + gy_in * (y - params[at + 2])
    grads[at] += (outward - inward) / params[at]
    grads[at + 1] += gx_centre
    grads[at + 2] += gy_centre
    return gx_in, gy_in


@shared
def cylindrical_inverse(x, y, params, at):
    u, v = (x - params[at + 1]) / params[at], (y - params[at + 2]) / params[at]
    return params[at + 1] + params[at] * math.atan(u), params[at + 2] + params[at] * v / math.sqrt(1.0 + u * u)
