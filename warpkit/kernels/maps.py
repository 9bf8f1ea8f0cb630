"""Per-point maps, each beside its derivative: one formula, one place, for CPU and CUDA.

Every function takes one point ``(x, y)`` in pixels and the packed parameters ``params`` of a whole pipeline, of which its
own begin at ``at``. A map without a value at a point returns NaN for both coordinates; such a point is outside every
image. Jacobians are returned as ``(dx'/dx, dx'/dy, dy'/dx, dy'/dy)``.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import bits_of, float_of, inlined, shared, shared_sum

# The kinds of stage. A negative kind is the inverse of the positive one, found by iteration.
AFFINE = 1
PROJECTIVE = 2
THIN_PLATE = 3
DISPLACEMENT = 4

THIN_PLATE_HEADER = 10
DISPLACEMENT_HEADER = 2

TWO, THREE = np.uint64(2), np.uint64(3)

# For natural_log.
FRACTION_BITS = np.uint64(52)
FRACTION_MASK = np.uint64(0xFFFFFFFFFFFFF)
BITS_OF_SQRT_HALF = np.uint64(0x3FE6A09E00000000)
FROM_SQRT_HALF = np.uint64(0x3FF0000000000000 - 0x3FE6A09E00000000)
BITS_OF_2_52 = np.uint64(0x4330000000000000)
BIASED_2_52 = 2.0**52 + 1023
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SMALLEST_SQUARE = 1e-300

INVERSE_TOLERANCE = 1e-8
INVERSE_STEPS = 50
INVERSE_HALVINGS = 12


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
def natural_log(x):
    """ln x of a positive, normal float64, within an ulp; without a branch or a call, so that a loop of it becomes vectors.

    x = 2^k m with m within sqrt(1/2) and sqrt(2); the polynomial for ln m is that of FreeBSD's e_log.c (Sun Microsystems 1993).
    """
    shifted = bits_of(x) + FROM_SQRT_HALF
    k = float_of((shifted >> FRACTION_BITS) | BITS_OF_2_52) - BIASED_2_52
    f = float_of((shifted & FRACTION_MASK) + BITS_OF_SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    odd = z * (0.6666666666666735130 + w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)))
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + (even + odd)) + k * LN2_LOW)) - f)


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
def forward_point(kind, x, y, params, at):
    if kind == AFFINE:
        return affine(x, y, params, at)
    if kind == PROJECTIVE:
        return projective(x, y, params, at)
    if kind == THIN_PLATE:
        return thin_plate(x, y, params, at)
    return displacement(x, y, params, at)


@shared
def forward_jacobian(kind, x, y, params, at):
    if kind == AFFINE:
        return affine_jacobian(x, y, params, at)
    if kind == PROJECTIVE:
        return projective_jacobian(x, y, params, at)
    if kind == THIN_PLATE:
        return thin_plate_jacobian(x, y, params, at)
    return displacement_jacobian(x, y, params, at)


@shared
def solve_2x2(a, b, c, d, right_x, right_y):
    """Solution of [[a, b], [c, d]] s = right; infinite or NaN where the matrix is singular."""
    determinant = a * d - b * c
    return (d * right_x - b * right_y) / determinant, (a * right_y - c * right_x) / determinant


@shared
def inverse_start(kind, x, y, params, at):
    """A first guess of the point that a map sends to (x, y): exact for a thin plate without bending or a zero field."""
    if kind == THIN_PLATE:
        u, v = solve_2x2(params[at + 5], params[at + 6], params[at + 8], params[at + 9], x - params[at + 4], y - params[at + 7])
        return u / params[at + 3] + params[at + 1], v / params[at + 3] + params[at + 2]
    return x, y


@shared
def inverse_point(kind, x, y, params, at):
    """The point that a map sends to (x, y), by Newton's method with halved steps; NaN where none is found.

    Found means within ``INVERSE_TOLERANCE`` pixels of (x, y), times the coordinates' magnitude beyond 1,000 pixels.
    """
    u, v = inverse_start(kind, x, y, params, at)
    tolerance = INVERSE_TOLERANCE * max(1.0, 1e-3 * max(abs(x), abs(y)))
    x_now, y_now = forward_point(kind, u, v, params, at)
    error = max(abs(x_now - x), abs(y_now - y))
    for _ in range(INVERSE_STEPS):
        x_u, x_v, y_u, y_v = forward_jacobian(kind, u, v, params, at)
        step_u, step_v = solve_2x2(x_u, x_v, y_u, y_v, x - x_now, y - y_now)
        improved = False
        # Near enough, whole steps polish until rounding errors are all that is left.
        for _halving in range(1 if error <= tolerance else INVERSE_HALVINGS):
            x_next, y_next = forward_point(kind, u + step_u, v + step_v, params, at)
            error_next = max(abs(x_next - x), abs(y_next - y))
            if error_next < error:
                improved = True
                break
            step_u *= 0.5
            step_v *= 0.5
        if not improved:
            break
        u += step_u
        v += step_v
        x_now, y_now, error = x_next, y_next, error_next
    if error <= tolerance:
        return u, v
    return math.nan, math.nan


@shared
def map_point(kind, x, y, params, at):
    """One stage of a pipeline at one point."""
    if kind < 0:
        return inverse_point(-kind, x, y, params, at)
    return forward_point(kind, x, y, params, at)


@shared
def map_jacobian(kind, x, y, params, at):
    """Derivative of one stage at one point; for an inverse, the inverse of the Jacobian at the point it leads to."""
    if kind > 0:
        return forward_jacobian(kind, x, y, params, at)
    u, v = inverse_point(-kind, x, y, params, at)
    a, b, c, d = forward_jacobian(-kind, u, v, params, at)
    determinant = a * d - b * c
    return d / determinant, -b / determinant, -c / determinant, a / determinant


# Pulls: given the cotangent (gx, gy) of a map's output, add the cotangent of its parameters to ``grads``, which is laid out as
# ``params`` is, and return the cotangent of its input.


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
def affine_cotangent(gx, gy, params, at):
    return gx * params[at] + gy * params[at + 3], gx * params[at + 1] + gy * params[at + 4]


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


@shared
def forward_pull(kind, x, y, gx, gy, params, at, grads):
    if kind == AFFINE:
        return affine_pull(x, y, gx, gy, params, at, grads)
    if kind == PROJECTIVE:
        return projective_pull(x, y, gx, gy, params, at, grads)
    if kind == THIN_PLATE:
        return thin_plate_pull(x, y, gx, gy, params, at, grads)
    return displacement_pull(x, y, gx, gy, params, at, grads)


@shared
def inverse_cotangent(kind, x_out, y_out, gx, gy, params, at):
    """J^-T g, J that of a map at the point to which its inverse leads."""
    a, b, c, d = forward_jacobian(kind, x_out, y_out, params, at)
    return solve_2x2(a, c, b, d, gx, gy)


@shared
def map_pull(kind, x, y, x_out, y_out, gx, gy, params, at, grads):
    """Pull of one stage that sent (x, y) to (x_out, y_out).

    An inverse satisfies T(out; params) = (x, y): with h = J^-T g at ``out``, the input's cotangent is h and the parameters'
    that of T for -h.
    """
    if kind > 0:
        return forward_pull(kind, x, y, gx, gy, params, at, grads)
    hx, hy = inverse_cotangent(-kind, x_out, y_out, gx, gy, params, at)
    forward_pull(-kind, x_out, y_out, -hx, -hy, params, at, grads)
    return hx, hy
