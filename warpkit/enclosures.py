"""Where a pipeline can send a box of points: proven bounds, from intervals of the map's derivative.

For a map f with derivative J, and a point c of a box, the mean value theorem gives f(p) in f(c) + J(box) (p - c). Where J is
nearly constant that is nearly exact. Of a chain of maps, J(box) is the product of the stages' derivatives, each over the box
that the stages before lead to; so bounds do not widen from stage to stage.

Each family has one function here, from its parameters and a box (x, y) to a pair of bounds of the map's values, if there are
any better than those of the theorem, and to its derivative (dx'/dx, dx'/dy, dy'/dx, dy'/dy).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .intervals import Bounds, Interval, anything, cosine, falling, inverse, rising, sine, square
from .kernels import maps
from .kernels.lens_maps import DISTORTION, NEW_CAMERA
from .kernels.points import map_points, points_jacobian
from .kernels.polar_maps import SWIRL_REACH
from .kernels.polynomial_maps import POLYNOMIAL_HEADER, polynomial_sums
from .kernels.spline_maps import THIN_PLATE_HEADER
from .kernels.stages import Pipeline, frozen

Params: TypeAlias = NDArray[np.float64]
Jacobian: TypeAlias = tuple[Interval, Interval, Interval, Interval]


class Enclosure(NamedTuple):
    """Bounds of a map's values on a box, and of its derivative there; a box without any values is empty (low > high)."""

    x: Interval
    y: Interval
    jacobian: Jacobian


# What computed points may be off, relative to the magnitude of what they are sums of: many roundings of float64.
ROUNDING = 1e-11


def is_bounded(pipeline: Pipeline) -> bool:
    """Whether there are bounds for all stages."""
    return all(kind in _FAMILIES for kind in pipeline.table[:, 0].tolist())


def enclose(pipeline: Pipeline, x: Interval, y: Interval) -> Enclosure:
    """Where a pipeline sends the boxes (x, y), arrays of them, as computed; and its derivative there."""
    with np.errstate(all="ignore"):
        return _enclose(pipeline, x, y)


def _enclose(pipeline: Pipeline, x: Interval, y: Interval) -> Enclosure:
    params = pipeline.params[0]
    ends = [*pipeline.table[1:, 1].tolist(), params.size]
    centre = _middles(x, y)
    to_x, to_y = x - centre[:, 0], y - centre[:, 1]
    error_x = error_y = zero = np.zeros_like(x.low)
    chain: Jacobian = (Interval(zero + 1, zero + 1), Interval(zero, zero), Interval(zero, zero), Interval(zero + 1, zero + 1))
    is_empty = is_unknown = zero != 0
    for (kind, at), end in zip(pipeline.table.tolist(), ends, strict=True):
        stage = params[at:end]
        direct = _FAMILIES[kind](stage, x, y)
        is_empty = is_empty | ((direct.x.low > direct.x.high) & ~is_unknown)
        centre = _stage_points(kind, stage, centre)
        (a, b, c, d), (e, f, g, h) = direct.jacobian, chain
        chain = (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
        if kind == maps.AFFINE and len(pipeline.table) == 1:
            return direct  # its roundings are monotonous: corners bound what is computed
        before_x, before_y = error_x + ROUNDING * x.largest(), error_y + ROUNDING * y.largest()
        error_x = a.largest() * before_x + b.largest() * before_y + ROUNDING * (1.0 + _magnitude(direct.x, centre[:, 0]))
        error_y = c.largest() * before_x + d.largest() * before_y + ROUNDING * (1.0 + _magnitude(direct.y, centre[:, 1]))
        x = _both(direct.x, centre[:, 0] + (chain[0] * to_x + chain[1] * to_y), error_x)
        y = _both(direct.y, centre[:, 1] + (chain[2] * to_x + chain[3] * to_y), error_y)
        is_unknown = is_unknown | ~np.isfinite(x.low + x.high + y.low + y.high)
        x, y = (Interval(np.where(is_unknown, 0.0, one.low), np.where(is_unknown, 0.0, one.high)) for one in (x, y))
    low, high = np.where(is_empty, np.inf, -np.inf), np.where(is_empty, -np.inf, np.inf)
    x, y = (Interval(np.where(is_unknown, low, one.low), np.where(is_unknown, high, one.high)) for one in (x, y))
    return Enclosure(x, y, chain)


def _middles(x: Interval, y: Interval) -> NDArray[np.float64]:
    return np.column_stack([(x.low + x.high) / 2, (y.low + y.high) / 2])


def _stage_points(kind: int, params: Params, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where one stage sends points (n, 2)."""
    out = np.empty_like(points)
    map_points(frozen(points), out, np.array([[kind, 0]]), frozen(params), 0, len(points))
    return out


def _magnitude(direct: Interval, centre: Bounds) -> Bounds:
    """How large values are, for their roundings."""
    largest = direct.largest()
    return np.where(np.isfinite(largest), largest, np.abs(centre))


def _both(direct: Interval, mean: Interval, error: Bounds) -> Interval:
    """What two enclosures of the same values leave, the second of which is NaN where it says nothing."""
    low, high = np.fmax(direct.low, mean.low) - error, np.fmin(direct.high, mean.high) + error
    return Interval(low, high)


# --- matrices ---------------------------------------------------------------------------------------------------------------


def _affine(params: Params, x: Interval, y: Interval) -> Enclosure:
    corners = [
        (params[0] * u + params[1] * v + params[2], params[3] * u + params[4] * v + params[5])
        for u in (x.low, x.high)
        for v in (y.low, y.high)
    ]
    same = np.ones_like(x.low)
    slopes = [Interval(slope * same, slope * same) for slope in params[[0, 1, 3, 4]]]
    return Enclosure(
        _hull([u for u, _ in corners]), _hull([v for _, v in corners]), (slopes[0], slopes[1], slopes[2], slopes[3])
    )


def _projective(params: Params, x: Interval, y: Interval) -> Enclosure:
    """A coordinate u / w is monotonous along each line, so that corners bound it where w is positive."""
    a, b, c, d, e, f, g, h, i = params
    w = g * x + h * y + i
    us, vs = [], []
    for u in (x.low, x.high):
        for v in (y.low, y.high):
            us.append((a * u + b * v + c) / (g * u + h * v + i))
            vs.append((d * u + e * v + f) / (g * u + h * v + i))
    x_out, y_out = _where(w.low > 0, _hull(us)), _where(w.low > 0, _hull(vs))
    slopes = [(slope - turn * out) / w for out, slope, turn in ((x_out, a, g), (x_out, b, h), (y_out, d, g), (y_out, e, h))]
    # farther than the horizon nothing has a value
    has_none = w.high <= 0
    x_out = Interval(np.where(has_none, np.inf, x_out.low), np.where(has_none, -np.inf, x_out.high))
    return Enclosure(x_out, y_out, (slopes[0], slopes[1], slopes[2], slopes[3]))


def _hull(values: list[Bounds]) -> Interval:
    return Interval(np.minimum.reduce(values), np.maximum.reduce(values))


def _where(known: NDArray[np.bool_], x: Interval) -> Interval:
    """``x`` where it is known, else anything."""
    return Interval(np.where(known, x.low, -np.inf), np.where(known, x.high, np.inf))


# --- splines ----------------------------------------------------------------------------------------------------------------


def _thin_plate(params: Params, x: Interval, y: Interval) -> Enclosure:
    """The derivative changes from the middle of a box by at most the second one times the way.

    A control point's U = r^2 ln r^2 has second derivatives 2 ln r^2 + 2 + 4 u^2 / r^2 and 4 u v / r^2, whatever the
    direction at most 2 |ln r^2 + 2| + 2, and first ones of 2 r |ln r^2 + 1|, which count where a point is in the box.
    """
    count, scale = int(params[0]), params[3]
    first = THIN_PLATE_HEADER
    weights_x, weights_y = np.abs(params[first + 2 * count : first + 3 * count]), np.abs(params[first + 3 * count :])
    u, v = (x - params[1]) * scale, (y - params[2]) * scale
    across = Interval(u.low[:, None], u.high[:, None]) - params[first : first + count]
    down = Interval(v.low[:, None], v.high[:, None]) - params[first + count : first + 2 * count]
    squared = square(across) + square(down)
    way = np.hypot(u.high - u.low, v.high - v.low)[:, None] / 2
    by_second = way * (2.0 * (rising(np.log, squared) + 2.0).largest() + 2.0)
    by_first = 2.0 * _steepest(np.sqrt(squared.high))
    change = np.fmin(by_second, by_first)
    slopes = points_jacobian(frozen(_middles(x, y)), np.array([[maps.THIN_PLATE, 0]]), frozen(params))
    changes = (scale * (change @ weights_x), scale * (change @ weights_y))
    a, b, c, d = (Interval(slopes[:, i, j] - changes[i], slopes[:, i, j] + changes[i]) for i in (0, 1) for j in (0, 1))
    unknown = anything(x.low)
    return Enclosure(unknown, unknown, (a, b, c, d))


def _steepest(radius: Bounds) -> Bounds:
    """The largest 2 r |ln r^2 + 1| up to a radius: it has a maximum at e^-1.5."""
    at_end = np.nan_to_num(2.0 * radius * np.abs(2.0 * np.log(radius) + 1.0))
    return np.where(radius > np.exp(-1.5), np.maximum(at_end, 4.0 * np.exp(-1.5)), at_end)


def _polynomial(params: Params, x: Interval, y: Interval) -> Enclosure:
    order, scale = int(params[0]), params[3]
    u, v = (x - params[1]) * scale, (y - params[2]) * scale
    count = (order + 1) * (order + 2) // 2
    values, slopes = [], []
    for first in (POLYNOMIAL_HEADER, POLYNOMIAL_HEADER + count):
        total, total_u, total_v = polynomial_sums(u, v, params, first, order)
        values.append(total)
        slopes.extend([total_u * scale, total_v * scale])
    return Enclosure(values[0], values[1], (slopes[0], slopes[1], slopes[2], slopes[3]))


# --- about a centre ---------------------------------------------------------------------------------------------------------


def _polar(params: Params, x: Interval, y: Interval) -> Enclosure:
    exponent = x * params[2]
    radius, slope = exponent, x * 0.0 + 1.0
    if params[5] != 0:
        slope = rising(np.exp, exponent)
        radius = slope - params[4]
    cos, sin = cosine(y * params[3]), sine(y * params[3])
    along, around = slope * params[2], radius * params[3]
    return Enclosure(
        radius * cos + params[0], radius * sin + params[1], (along * cos, -around * sin, along * sin, around * cos)
    )


def _polar_inverse(params: Params, x: Interval, y: Interval) -> Enclosure:
    """The angle is cut along the ray to the right of the centre; there is no derivative there."""
    dx, dy = x - params[0], y - params[1]
    radius = rising(np.sqrt, square(dx) + square(dy))
    corners = [np.arctan2(v, u) % (2.0 * np.pi) for u in (dx.low, dx.high) for v in (dy.low, dy.high)]
    is_cut = (dx.high >= 0) & (dy.low <= 0) & (dy.high >= 0)
    angle = _hull(corners)
    angle = Interval(np.where(is_cut, 0.0, angle.low), np.where(is_cut, 2.0 * np.pi, angle.high))
    column, slope = radius, 1.0 / params[2]
    if params[5] != 0:
        power = radius + params[4]
        column, slope = rising(lambda power: np.log(np.maximum(power, 0.0)), power), 1.0 / (power * params[2])
    unit = Interval(-np.ones_like(x.low), np.ones_like(x.low))
    cos, sin = (dx / radius).within(unit), (dy / radius).within(unit)
    turn = 1.0 / (radius * params[3])
    a, b, c, d = (_where(~is_cut, bounds) for bounds in (cos * slope, sin * slope, -sin * turn, cos * turn))
    return Enclosure(column / params[2], angle / params[3], (a, b, c, d))


def _swirl(params: Params, x: Interval, y: Interval) -> Enclosure:
    dx, dy = x - params[0], y - params[1]
    radius = rising(np.sqrt, square(dx) + square(dy))
    reach = params[3] * SWIRL_REACH
    fading = falling(lambda r: np.exp(-r / reach), radius)
    angle = fading * params[2] + params[4]
    cos, sin = cosine(angle), sine(angle)
    # the way that a point is turned by is at most its distance from the centre
    around = Interval(-radius.high, radius.high)
    u, v = (cos * dx - sin * dy).within(around), (sin * dx + cos * dy).within(around)
    slope = fading * (-params[2] / reach)
    unit = Interval(-np.ones_like(dx.low), np.ones_like(dx.low))
    turn_x, turn_y = slope * (dx / radius).within(unit), slope * (dy / radius).within(unit)
    return Enclosure(u + params[0], v + params[1], (cos - v * turn_x, -sin - v * turn_y, sin + u * turn_x, cos + u * turn_y))


def _cylindrical(params: Params, x: Interval, y: Interval) -> Enclosure:
    u, v = (x - params[1]) / params[0], (y - params[2]) / params[0]
    quarter = 0.5 * np.pi
    has_none = (u.low >= quarter) | (u.high <= -quarter)
    is_whole = (u.low > -quarter) & (u.high < quarter)
    within = Interval(np.where(is_whole, u.low, 0.0), np.where(is_whole, u.high, 0.0))
    tangent, secant = rising(np.tan, within), inverse(cosine(within))
    x_out, y_out = _where(is_whole, tangent * params[0] + params[1]), _where(is_whole, v * secant * params[0] + params[2])
    x_out = Interval(np.where(has_none, np.inf, x_out.low), np.where(has_none, -np.inf, x_out.high))
    slopes = (square(secant), x * 0.0, v * tangent * secant, secant)
    a, b, c, d = (_where(is_whole, slope) for slope in slopes)
    return Enclosure(x_out, y_out, (a, b, c, d))


def _cylindrical_inverse(params: Params, x: Interval, y: Interval) -> Enclosure:
    u, v = (x - params[1]) / params[0], (y - params[2]) / params[0]
    cos = falling(lambda squared: 1.0 / np.sqrt(1.0 + squared), square(u))
    x_out, y_out = rising(np.arctan, u) * params[0] + params[1], v * cos * params[0] + params[2]
    return Enclosure(x_out, y_out, (square(cos), x * 0.0, -u * v * cos * square(cos), cos))


# --- lenses -----------------------------------------------------------------------------------------------------------------


def _through_cameras(
    ray: Callable[[Params, Interval, Interval], Enclosure], params: Params, x: Interval, y: Interval
) -> Enclosure:
    """From bounds for rays to bounds for pixels."""
    fx, fy, cx, cy = params[:NEW_CAMERA]
    new_fx, new_fy, new_cx, new_cy = params[NEW_CAMERA:DISTORTION]
    u, v, (a, b, c, d) = ray(params[DISTORTION:], (x - new_cx) / new_fx, (y - new_cy) / new_fy)
    return Enclosure(u * fx + cx, v * fy + cy, (a * (fx / new_fx), b * (fx / new_fy), c * (fy / new_fx), d * (fy / new_fy)))


def _brown_conrady_ray(params: Params, u: Interval, v: Interval) -> Enclosure:
    k1, k2, p1, p2, k3, k4, k5, k6 = params
    squared = square(u) + square(v)
    above = squared * (squared * (squared * k3 + k2) + k1) + 1.0
    below = squared * (squared * (squared * k6 + k5) + k4) + 1.0
    above_slope = squared * (squared * (3.0 * k3) + 2.0 * k2) + k1
    below_slope = squared * (squared * (3.0 * k6) + 2.0 * k5) + k4
    scale = above / below
    slope = (above_slope - scale * below_slope) / below
    uv = u * v
    across = (slope * uv + u * p1 + v * p2) * 2.0
    return Enclosure(
        u * scale + uv * (2.0 * p1) + (squared + square(u) * 2.0) * p2,
        v * scale + (squared + square(v) * 2.0) * p1 + uv * (2.0 * p2),
        (
            scale + slope * square(u) * 2.0 + v * (2.0 * p1) + u * (6.0 * p2),
            across,
            across,
            scale + slope * square(v) * 2.0 + v * (6.0 * p1) + u * (2.0 * p2),
        ),
    )


def _fisheye_ray(params: Params, u: Interval, v: Interval) -> Enclosure:
    """A stretching along the radius and another around the axis: t I + (s - t) n n^T, with the radius's direction n."""
    k1, k2, k3, k4 = params
    squared = square(u) + square(v)
    radius = rising(np.sqrt, squared)
    z = square(rising(np.arctan, radius))
    bent = z * (z * (z * (z * k4 + k3) + k2) + k1) + 1.0
    slope = z * (z * (z * (z * (9.0 * k4) + 7.0 * k3) + 5.0 * k2) + 3.0 * k1) + 1.0
    around = falling(lambda r: np.where(r > 0, np.arctan(r) / np.where(r > 0, r, 1.0), 1.0), radius) * bent
    extra = slope / (squared + 1.0) - around
    one = np.ones_like(u.low)
    part_u, part_v = ((square(w) / squared).within(Interval(0.0 * one, one)) for w in (u, v))
    across = extra * (u * v / squared).within(Interval(-0.5 * one, 0.5 * one))
    return Enclosure(u * around, v * around, (around + extra * part_u, across, across, around + extra * part_v))


_FAMILIES: dict[int, Callable[[Params, Interval, Interval], Enclosure]] = {
    maps.AFFINE: _affine,
    maps.PROJECTIVE: _projective,
    maps.THIN_PLATE: _thin_plate,
    maps.POLAR: _polar,
    -maps.POLAR: _polar_inverse,
    maps.SWIRL: _swirl,
    maps.CYLINDRICAL: _cylindrical,
    -maps.CYLINDRICAL: _cylindrical_inverse,
    maps.BROWN_CONRADY: lambda params, x, y: _through_cameras(_brown_conrady_ray, params, x, y),
    maps.FISHEYE: lambda params, x, y: _through_cameras(_fisheye_ray, params, x, y),
    maps.POLYNOMIAL: _polynomial,
}
