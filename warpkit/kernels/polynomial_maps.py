"""Polynomials, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

from .compiling import shared
from .elementary import solve_2x2

POLYNOMIAL_HEADER = 4


@shared
def polynomial_sums(u, v, params, first, order):
    """A polynomial and its slopes by u and v.

    Coefficients of 1, u, v, u^2, u v, v^2, ...: that of u^p v^q is the one after all of lower degree and q more.
    """
    total, total_u, total_v = 0.0, 0.0, 0.0
    for q in range(order, -1, -1):
        inner, inner_u = 0.0, 0.0
        for p in range(order - q, -1, -1):
            inner_u = inner_u * u + inner
            inner = inner * u + params[first + (p + q) * (p + q + 1) // 2 + q]
        total_v = total_v * v + total
        total = total * v + inner
        total_u = total_u * v + inner_u
    return total, total_u, total_v


@shared
def polynomial(x, y, params, at):
    """``params``: the order, the centre and inverse scale that normalise a point, the coefficients of x', those of y'."""
    order = int(params[at])
    u, v = (x - params[at + 1]) * params[at + 3], (y - params[at + 2]) * params[at + 3]
    first = at + POLYNOMIAL_HEADER
    x_out, _, _ = polynomial_sums(u, v, params, first, order)
    y_out, _, _ = polynomial_sums(u, v, params, first + (order + 1) * (order + 2) // 2, order)
    return x_out, y_out


@shared
def polynomial_jacobian(x, y, params, at):
    order, scale = int(params[at]), params[at + 3]
    u, v = (x - params[at + 1]) * scale, (y - params[at + 2]) * scale
    first = at + POLYNOMIAL_HEADER
    _, x_u, x_v = polynomial_sums(u, v, params, first, order)
    _, y_u, y_v = polynomial_sums(u, v, params, first + (order + 1) * (order + 2) // 2, order)
    return x_u * scale, x_v * scale, y_u * scale, y_v * scale


@shared
def polynomial_pull(x, y, gx, gy, params, at, grads):
    """Cotangents of the coefficients, in which the map is linear; centre and scale are fixed."""
    order, scale = int(params[at]), params[at + 3]
    u, v = (x - params[at + 1]) * scale, (y - params[at + 2]) * scale
    first, count = at + POLYNOMIAL_HEADER, (order + 1) * (order + 2) // 2
    power_v = 1.0
    for q in range(order + 1):
        term = power_v
        for p in range(order + 1 - q):
            here = first + (p + q) * (p + q + 1) // 2 + q
            grads[here] += gx * term
            grads[here + count] += gy * term
            term *= u
        power_v *= v
    x_x, x_y, y_x, y_y = polynomial_jacobian(x, y, params, at)
    return gx * x_x + gy * y_x, gx * x_y + gy * y_y


@shared
def polynomial_start(x, y, params, at):
    """The point that the polynomial's part of first order sends to (x, y)."""
    first, order = at + POLYNOMIAL_HEADER, int(params[at])
    second = first + (order + 1) * (order + 2) // 2
    u, v = solve_2x2(
        params[first + 1], params[first + 2], params[second + 1], params[second + 2], x - params[first], y - params[second]
    )
    return u / params[at + 3] + params[at + 1], v / params[at + 3] + params[at + 2]
