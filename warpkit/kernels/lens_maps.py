"""Lenses, per point, beside their derivatives; see :mod:`maps`.

``params`` of both: focal lengths and principal point (fx, fy, cx, cy) of the camera, those of the camera without distortion
whose picture the point belongs to, and the coefficients of the distortion.
"""

from __future__ import annotations

import math

from .compiling import shared
from .elementary import cos_sin

NEW_CAMERA = 4
DISTORTION = 8
FISHEYE_STEPS = 8
STEEPEST_ANGLE = 1.57
# Below this, r^2 is too small to divide by.
NEAR_AXIS = 1e-12


@shared
def to_ray(x, y, params, camera):
    """A pixel's direction (x / z, y / z) in a camera without distortion."""
    return (x - params[camera + 2]) / params[camera], (y - params[camera + 3]) / params[camera + 1]


@shared
def to_pixel_of_camera(u, v, params, camera):
    return params[camera] * u + params[camera + 2], params[camera + 1] * v + params[camera + 3]


@shared
def pull_cameras(u, v, u_bent, v_bent, gx, gy, gu, gv, params, at, grads):
    """Cotangents of both cameras, and of the pixel: its ray has the cotangent (gu, gv), the pixel it is bent to (gx, gy)."""
    grads[at] += gx * u_bent
    grads[at + 1] += gy * v_bent
    grads[at + 2] += gx
    grads[at + 3] += gy
    new = at + NEW_CAMERA
    gx_in, gy_in = gu / params[new], gv / params[new + 1]
    grads[new] -= gx_in * u
    grads[new + 1] -= gy_in * v
    grads[new + 2] -= gx_in
    grads[new + 3] -= gy_in
    return gx_in, gy_in


@shared
def camera_jacobian(u_u, u_v, v_u, v_v, params, at):
    """From the derivative between rays to that between pixels."""
    new = at + NEW_CAMERA
    return (
        params[at] * u_u / params[new],
        params[at] * u_v / params[new + 1],
        params[at + 1] * v_u / params[new],
        params[at + 1] * v_v / params[new + 1],
    )


@shared
def brown_conrady_scale(squared, params, first):
    """(1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6), its slope by r^2 and the denominator."""
    k1, k2, k3 = params[first], params[first + 1], params[first + 4]
    k4, k5, k6 = params[first + 5], params[first + 6], params[first + 7]
    above = 1.0 + squared * (k1 + squared * (k2 + squared * k3))
    below = 1.0 + squared * (k4 + squared * (k5 + squared * k6))
    above_slope = k1 + squared * (2.0 * k2 + squared * 3.0 * k3)
    below_slope = k4 + squared * (2.0 * k5 + squared * 3.0 * k6)
    scale = above / below
    return scale, (above_slope - scale * below_slope) / below, below


@shared
def brown_conrady_ray(u, v, params, first):
    """Where a ray is bent to; the coefficients are k1, k2, p1, p2, k3, k4, k5, k6."""
    p1, p2 = params[first + 2], params[first + 3]
    squared = u * u + v * v
    scale, _, _ = brown_conrady_scale(squared, params, first)
    return (
        u * scale + 2.0 * p1 * u * v + p2 * (squared + 2.0 * u * u),
        v * scale + p1 * (squared + 2.0 * v * v) + 2.0 * p2 * u * v,
    )


@shared
def brown_conrady_ray_jacobian(u, v, params, first):
    p1, p2 = params[first + 2], params[first + 3]
    scale, slope, _ = brown_conrady_scale(u * u + v * v, params, first)
    across = 2.0 * (slope * u * v + p1 * u + p2 * v)
    return (
        scale + 2.0 * slope * u * u + 2.0 * p1 * v + 6.0 * p2 * u,
        across,
        across,
        scale + 2.0 * slope * v * v + 6.0 * p1 * v + 2.0 * p2 * u,
    )


@shared
def brown_conrady(x, y, params, at):
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    u, v = brown_conrady_ray(u, v, params, at + DISTORTION)
    return to_pixel_of_camera(u, v, params, at)


@shared
def brown_conrady_jacobian(x, y, params, at):
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    u_u, u_v, v_u, v_v = brown_conrady_ray_jacobian(u, v, params, at + DISTORTION)
    return camera_jacobian(u_u, u_v, v_u, v_v, params, at)


@shared
def brown_conrady_pull(x, y, gx, gy, params, at, grads):
    first = at + DISTORTION
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    u_bent, v_bent = brown_conrady_ray(u, v, params, first)
    u_u, u_v, v_u, v_v = brown_conrady_ray_jacobian(u, v, params, first)
    hu, hv = gx * params[at], gy * params[at + 1]
    squared = u * u + v * v
    scale, _, below = brown_conrady_scale(squared, params, first)
    outward = (hu * u + hv * v) / below
    grads[first] += outward * squared
    grads[first + 1] += outward * squared * squared
    grads[first + 2] += 2.0 * hu * u * v + hv * (squared + 2.0 * v * v)
    grads[first + 3] += hu * (squared + 2.0 * u * u) + 2.0 * hv * u * v
    grads[first + 4] += outward * squared * squared * squared
    grads[first + 5] -= outward * scale * squared
    grads[first + 6] -= outward * scale * squared * squared
    grads[first + 7] -= outward * scale * squared * squared * squared
    gu, gv = hu * u_u + hv * v_u, hu * u_v + hv * v_v
    return pull_cameras(u, v, u_bent, v_bent, gx, gy, gu, gv, params, at, grads)


@shared
def fisheye_angle(angle, params, first):
    """The angle that an angle from the axis is bent to, and its slope; the coefficients are k1, k2, k3, k4."""
    k1, k2, k3, k4 = params[first], params[first + 1], params[first + 2], params[first + 3]
    z = angle * angle
    bent = angle * (1.0 + z * (k1 + z * (k2 + z * (k3 + z * k4))))
    return bent, 1.0 + z * (3.0 * k1 + z * (5.0 * k2 + z * (7.0 * k3 + z * 9.0 * k4)))


@shared
def fisheye_scale(squared, params, first):
    """s(r) = bent angle / r, and s'(r) / r; on the axis their limits, 1 and 2 (k1 - 1/3)."""
    if squared < NEAR_AXIS:
        return 1.0, 2.0 * (params[first] - 1.0 / 3.0)
    radius = math.sqrt(squared)
    bent, slope = fisheye_angle(math.atan(radius), params, first)
    scale = bent / radius
    return scale, (slope / (1.0 + squared) - scale) / squared


@shared
def fisheye(x, y, params, at):
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    scale, _ = fisheye_scale(u * u + v * v, params, at + DISTORTION)
    return to_pixel_of_camera(u * scale, v * scale, params, at)


@shared
def fisheye_jacobian(x, y, params, at):
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    scale, slope = fisheye_scale(u * u + v * v, params, at + DISTORTION)
    return camera_jacobian(scale + slope * u * u, slope * u * v, slope * u * v, scale + slope * v * v, params, at)


@shared
def fisheye_pull(x, y, gx, gy, params, at, grads):
    first = at + DISTORTION
    u, v = to_ray(x, y, params, at + NEW_CAMERA)
    squared = u * u + v * v
    scale, slope = fisheye_scale(squared, params, first)
    hu, hv = gx * params[at], gy * params[at + 1]
    outward = hu * u + hv * v
    angle = math.atan(math.sqrt(squared))
    z = angle * angle
    # d(scale) / dk1 = angle^3 / r, which is 0 on the axis
    share = outward * angle * z / math.sqrt(squared) if squared >= NEAR_AXIS else 0.0
    for k in range(4):
        grads[first + k] += share
        share *= z
    gu, gv = hu * scale + slope * outward * u, hv * scale + slope * outward * v
    return pull_cameras(u, v, u * scale, v * scale, gx, gy, gu, gv, params, at, grads)


@shared
def straight_start(x, y, params, at):
    """Where a lens without distortion would have a pixel from."""
    u, v = to_ray(x, y, params, at)
    return to_pixel_of_camera(u, v, params, at + NEW_CAMERA)


@shared
def fisheye_start(x, y, params, at):
    """The pixel that a fisheye lens sends to (x, y), from the angle that is bent to its distance from the axis."""
    u, v = to_ray(x, y, params, at)
    distance = math.sqrt(u * u + v * v)
    if distance * distance < NEAR_AXIS:
        return straight_start(x, y, params, at)
    angle = min(distance, STEEPEST_ANGLE)
    for _ in range(FISHEYE_STEPS):
        bent, slope = fisheye_angle(angle, params, at + DISTORTION)
        angle = min(max(angle - (bent - distance) / slope, 0.0), STEEPEST_ANGLE)
    cos, sin = cos_sin(angle)
    scale = sin / (cos * distance)
    return to_pixel_of_camera(u * scale, v * scale, params, at + NEW_CAMERA)
