"""Affine and projective maps, per point, beside their derivatives; see :mod:`maps`."""

from __future__ import annotations

import math

from .compiling import inlined, shared


@inlined
def affine(x, y, params, at):
    """``params``: the 2 x 3 matrix, row by row."""
    return (
        params[at] * x + params[at + 1] * y + params[at + 2],
        params[at + 3] * x + params[at + 4] * y + params[at + 5],
    )


@shared
def affine_jacobian(x, y, params, at):
    return params[at], params[at + 1], params[at + 3], params[at + 4]


@inlined
def affine_cotangent(gx, gy, params, at):
    return gx * params[at] + gy * params[at + 3], gx * params[at + 1] + gy * params[at + 4]


@inlined
def affine_pull(x, y, gx, gy, params, at, grads):
    add_moments(grads, at, gx, x, y)
    add_moments(grads, at + 3, gy, x, y)
    return affine_cotangent(gx, gy, params, at)


@inlined
def add_moments(sums, at, g, x, y):
    """What a row (a, b, c) of a matrix receives through a x + b y + c."""
    sums[at] += g * x
    sums[at + 1] += g * y
    sums[at + 2] += g


@inlined
def projective(x, y, params, at):
    """``params``: the 3 x 3 matrix, row by row. Points at or beyond the horizon (w <= 0) have no value."""
    w = params[at + 6] * x + params[at + 7] * y + params[at + 8]
    u, v = affine(x, y, params, at)
    w = w if w > 0 else math.nan
    return u / w, v / w


@shared
def projective_jacobian(x, y, params, at):
    u, v = projective(x, y, params, at)
    g, h = params[at + 6], params[at + 7]
    w = g * x + h * y + params[at + 8]
    return (
        (params[at] - u * g) / w,
        (params[at + 1] - u * h) / w,
        (params[at + 3] - v * g) / w,
        (params[at + 4] - v * h) / w,
    )


@inlined
def projective_pull(x, y, gx, gy, params, at, grads):
    u, v = projective(x, y, params, at)
    w = params[at + 6] * x + params[at + 7] * y + params[at + 8]
    gx /= w
    gy /= w
    gw = -(gx * u + gy * v)
    add_moments(grads, at, gx, x, y)
    add_moments(grads, at + 3, gy, x, y)
    add_moments(grads, at + 6, gw, x, y)
    return (
        gx * params[at] + gy * params[at + 3] + gw * params[at + 6],
        gx * params[at + 1] + gy * params[at + 4] + gw * params[at + 7],
    )
