"""Per-point maps of all families by their kind, their derivatives and inverses; for CPU and CUDA.

The formulas stand in files by families, each beside its derivative. Every function takes one point ``(x, y)`` in pixels and the
packed parameters ``params`` of a whole pipeline, of which its own begin at ``at``. A map without a value at a point returns NaN
for both coordinates; such a point is outside every image. Jacobians are returned as ``(dx'/dx, dx'/dy, dy'/dx, dy'/dy)``.

Pulls: given the cotangent ``(gx, gy)`` of a map's output, add the cotangent of its parameters to ``grads``, which is laid out
as ``params`` is, and return the cotangent of its input.
"""

from __future__ import annotations

import math

from .compiling import shared
from .elementary import solve_2x2
from .field_maps import displacement, displacement_jacobian, displacement_pull
from .lens_maps import (
    brown_conrady,
    brown_conrady_jacobian,
    brown_conrady_pull,
    fisheye,
    fisheye_jacobian,
    fisheye_pull,
    fisheye_start,
    straight_start,
)
from .matrix_maps import affine, affine_jacobian, affine_pull, projective, projective_jacobian, projective_pull
from .polar_maps import (
    cylindrical,
    cylindrical_inverse,
    cylindrical_jacobian,
    cylindrical_pull,
    is_polar_centre,
    polar,
    polar_inverse,
    polar_jacobian,
    polar_pull,
    swirl,
    swirl_jacobian,
    swirl_pull,
)
from .polynomial_maps import (
    polynomial,
    polynomial_jacobian,
    polynomial_pull,
    polynomial_start,
)
from .spline_maps import thin_plate, thin_plate_jacobian, thin_plate_pull, thin_plate_start
from .triangle_maps import (
    piecewise_affine,
    piecewise_affine_jacobian,
    piecewise_affine_pull,
)

# The kinds of stage. A negative kind is the inverse of the positive one.
AFFINE = 1
PROJECTIVE = 2
THIN_PLATE = 3
DISPLACEMENT = 4
POLAR = 5
SWIRL = 6
CYLINDRICAL = 7
BROWN_CONRADY = 8
FISHEYE = 9
POLYNOMIAL = 10
PIECEWISE_AFFINE = 11
HAVE_FORMULA_FOR_INVERSE = (POLAR, CYLINDRICAL)

INVERSE_TOLERANCE = 1e-8
INVERSE_STEPS = 50
INVERSE_HALVINGS = 12


@shared
def forward_point(kind, x, y, params, at):
    if kind == AFFINE:
        return affine(x, y, params, at)
    if kind == PROJECTIVE:
        return projective(x, y, params, at)
    if kind == THIN_PLATE:
        return thin_plate(x, y, params, at)
    if kind == DISPLACEMENT:
        return displacement(x, y, params, at)
    if kind == POLAR:
        return polar(x, y, params, at)
    if kind == SWIRL:
        return swirl(x, y, params, at)
    if kind == CYLINDRICAL:
        return cylindrical(x, y, params, at)
    if kind == BROWN_CONRADY:
        return brown_conrady(x, y, params, at)
    if kind == FISHEYE:
        return fisheye(x, y, params, at)
    if kind == POLYNOMIAL:
        return polynomial(x, y, params, at)
    return piecewise_affine(x, y, params, at)


@shared
def forward_jacobian(kind, x, y, params, at):
    if kind == AFFINE:
        return affine_jacobian(x, y, params, at)
    if kind == PROJECTIVE:
        return projective_jacobian(x, y, params, at)
    if kind == THIN_PLATE:
        return thin_plate_jacobian(x, y, params, at)
    if kind == DISPLACEMENT:
        return displacement_jacobian(x, y, params, at)
    if kind == POLAR:
        return polar_jacobian(x, y, params, at)
    if kind == SWIRL:
        return swirl_jacobian(x, y, params, at)
    if kind == CYLINDRICAL:
        return cylindrical_jacobian(x, y, params, at)
    if kind == BROWN_CONRADY:
        return brown_conrady_jacobian(x, y, params, at)
    if kind == FISHEYE:
        return fisheye_jacobian(x, y, params, at)
    if kind == POLYNOMIAL:
        return polynomial_jacobian(x, y, params, at)
    return piecewise_affine_jacobian(x, y, params, at)


@shared
def forward_pull(kind, x, y, gx, gy, params, at, grads):
    if kind == AFFINE:
        return affine_pull(x, y, gx, gy, params, at, grads)
    if kind == PROJECTIVE:
        return projective_pull(x, y, gx, gy, params, at, grads)
    if kind == THIN_PLATE:
        return thin_plate_pull(x, y, gx, gy, params, at, grads)
    if kind == DISPLACEMENT:
        return displacement_pull(x, y, gx, gy, params, at, grads)
    if kind == POLAR:
        return polar_pull(x, y, gx, gy, params, at, grads)
    if kind == SWIRL:
        return swirl_pull(x, y, gx, gy, params, at, grads)
    if kind == CYLINDRICAL:
        return cylindrical_pull(x, y, gx, gy, params, at, grads)
    if kind == BROWN_CONRADY:
        return brown_conrady_pull(x, y, gx, gy, params, at, grads)
    if kind == FISHEYE:
        return fisheye_pull(x, y, gx, gy, params, at, grads)
    if kind == POLYNOMIAL:
        return polynomial_pull(x, y, gx, gy, params, at, grads)
    return piecewise_affine_pull(x, y, gx, gy, params, at, grads)


@shared
def inverse_start(kind, x, y, params, at):
    """A first guess of the point that a map sends to (x, y)."""
    if kind == THIN_PLATE:
        return thin_plate_start(x, y, params, at)
    if kind == BROWN_CONRADY:
        return straight_start(x, y, params, at)
    if kind == FISHEYE:
        return fisheye_start(x, y, params, at)
    if kind == POLYNOMIAL:
        return polynomial_start(x, y, params, at)
    return x, y


@shared
def newton_point(kind, x, y, params, at):
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
def inverse_point(kind, x, y, params, at):
    """The point that a map sends to (x, y): in closed form where there is one."""
    if kind == POLAR:
        return polar_inverse(x, y, params, at)
    if kind == CYLINDRICAL:
        return cylindrical_inverse(x, y, params, at)
    return newton_point(kind, x, y, params, at)


@shared
def inverse_cotangent(kind, x_out, y_out, gx, gy, params, at):
    """J^-T g, J that of a map at the point to which its inverse leads; 0 at a polar map's centre, where it has no slope."""
    if kind == POLAR and is_polar_centre(x_out, params, at):
        return 0.0, 0.0
    a, b, c, d = forward_jacobian(kind, x_out, y_out, params, at)
    return solve_2x2(a, c, b, d, gx, gy)


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


@shared
def map_pull(kind, x, y, x_out, y_out, gx, gy, params, at, grads):
    """Pull of one stage that sent (x, y) to (x_out, y_out).

    An inverse satisfies T(out; params) = (x, y): with h = J^-T g at ``out``, the input's cotangent is h and the parameters'
    that of T for -h.
    """
    u, v, hx, hy = x, y, gx, gy
    if kind < 0:
        u, v = x_out, y_out
        gx, gy = inverse_cotangent(-kind, u, v, gx, gy, params, at)
        hx, hy = -gx, -gy
    # one call, for all of it to be inlined: what is not returns through local memory on CUDA
    gx_in, gy_in = forward_pull(abs(kind), u, v, hx, hy, params, at, grads)
    if kind < 0:
        return gx, gy
    return gx_in, gy_in
