"""The sampling kernels k(d; phi) of more than two taps (Jaderberg et al. 2015, eq. 3): weights along one axis, and slopes.

All are separable: the weight of a tap is a product of one weight along x and one along y. The kernel's numbers ``phi`` are a
tuple of the type of the computation; its length tells the compiler which kernel it is, and so how many taps:

2
    The cubics of Mitchell and Netravali (1988), (b, c), of four taps. (0, -a) are those of Keys (1981), (1, 0) is the B-spline.
1 + 2 (2 a - 2), for a = 3 or 4
    Lanczos's window of ``a`` lobes, of 2 a taps; see :func:`lanczos_numbers`.

A point lies at ``t`` in [0, 1) beyond its pixel 0; of n taps the first is pixel 1 - n / 2. Weights add up to 1, slopes to 0.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from numba.extending import overload

from .compiling import inlined, shared
from .taps import border_index, fold_coordinate

_OPTIONS = {"nogil": True, "error_model": "numpy"}


def tap_weights(t: Any, phi: Any) -> Any:
    """The weights of the taps of a point at ``t``, for the kernel with numbers ``phi``."""
    return _KERNELS[len(phi)][0](t, phi)


def tap_slopes(t: Any, phi: Any) -> Any:
    """The derivatives of :func:`tap_weights` by t."""
    return _KERNELS[len(phi)][1](t, phi)


def tap_indices(first: Any, size: Any, mode: Any, phi: Any) -> Any:
    """As many neighbouring taps of an axis as the kernel has, from ``first`` on, sent through the border rule."""
    return _KERNELS[len(phi)][2](first, size, mode, phi)


@cache
def largest_sum(phi: tuple[float, ...]) -> float:
    """A bound of the sum of the weights' magnitudes along one axis, at any point."""
    return 1.01 * max(sum(abs(float(weight)) for weight in tap_weights(k / 64, phi)) for k in range(65))


@overload(tap_weights, jit_options=_OPTIONS)
def _overload_weights(t, phi):
    return _KERNELS[len(phi)][0].py_func


@overload(tap_slopes, jit_options=_OPTIONS)
def _overload_slopes(t, phi):
    return _KERNELS[len(phi)][1].py_func


@overload(tap_indices, jit_options=_OPTIONS)
def _overload_indices(first, size, mode, phi):
    return _KERNELS[len(phi)][2].py_func


@shared
def tap_start(x, size, mode, phi):
    """A finite coordinate's first tap, before the border rule, and how far it lies beyond its pixel 0."""
    x = fold_coordinate(x, size, mode)
    pixel = int(math.floor(x))
    return pixel + 1 - taps_of(phi) // 2, x - pixel


@inlined
def point_taps(x, y, height, width, mode, phi):
    """A finite point's first column and row of taps, before the border rule, how far it lies beyond its pixel 0 along both
    axes, and the columns and rows of all taps, after the border rule."""
    left, t = tap_start(x, width, mode, phi)
    top, s = tap_start(y, height, mode, phi)
    return left, top, t, s, tap_indices(left, width, mode, phi), tap_indices(top, height, mode, phi)


@inlined
def taps_of(phi):
    """How many taps a kernel has along one axis."""
    return 4 if len(phi) == 2 else len(phi) // 2 + 2


# --- cubic ------------------------------------------------------------------------------------------------------------------


@shared
def cubic_weights(t, phi):
    b, c = phi
    real = type(b)
    s = real(1) - t
    cube, square, middle = real(2) - real(1.5) * b - c, real(3) - real(2) * b - c, real(1) - b / real(3)
    far = b / real(6)
    return (
        (far * s - c * t) * s * s,
        (cube * t - square) * t * t + middle,
        (cube * s - square) * s * s + middle,
        (far * t - c * s) * t * t,
    )


@shared
def cubic_slopes(t, phi):
    b, c = phi
    real = type(b)
    s = real(1) - t
    cube, square = real(6) - real(4.5) * b - real(3) * c, real(6) - real(4) * b - real(2) * c
    far = b / real(2) + c
    return (
        -(far * s - real(2) * c * t) * s,
        (cube * t - square) * t,
        -(cube * s - square) * s,
        (far * t - real(2) * c * s) * t,
    )


@shared
def cubic_indices(first, size, mode, phi):
    return (
        border_index(first, size, mode),
        border_index(first + 1, size, mode),
        border_index(first + 2, size, mode),
        border_index(first + 3, size, mode),
    )


# --- Lanczos ----------------------------------------------------------------------------------------------------------------


def lanczos_numbers(a: int) -> tuple[float, ...]:
    """``phi`` of Lanczos's kernel with ``a`` lobes: pi / a, and of each tap but the two nearest, j, (-1)^j times the cosine and
    the sine of pi j / a, which :func:`far_term` adds to the point's own angle."""
    far = [j for j in range(1 - a, a + 1) if j not in (0, 1)]
    return (math.pi / a, *(value for j in far for value in _turn(j, math.pi * j / a)))


def _turn(j: int, angle: float) -> tuple[float, float]:
    return (-1) ** j * math.cos(angle), (-1) ** j * math.sin(angle)


@inlined
def sine_ratio(z):
    """sin(x) / x and its derivative by z = x^2, for x up to pi / 3: Taylor's series, to the last bit of float64."""
    value, slope = type(z)(0), type(z)(0)
    value, slope = series_step(value, slope, z, -1 / 121645100408832000)
    value, slope = series_step(value, slope, z, 1 / 355687428096000)
    value, slope = series_step(value, slope, z, -1 / 1307674368000)
    value, slope = series_step(value, slope, z, 1 / 6227020800)
    value, slope = series_step(value, slope, z, -1 / 39916800)
    value, slope = series_step(value, slope, z, 1 / 362880)
    value, slope = series_step(value, slope, z, -1 / 5040)
    value, slope = series_step(value, slope, z, 1 / 120)
    value, slope = series_step(value, slope, z, -1 / 6)
    return series_step(value, slope, z, 1.0)


@inlined
def series_step(value, slope, z, coefficient):
    """Horner's step, for a polynomial and its derivative."""
    return value * z + type(z)(coefficient), slope * z + value


@inlined
def near_term(u, angle):
    """sin(angle u) / u, and its derivative by u."""
    value, slope = sine_ratio(angle * u * angle * u)
    return angle * value, angle * slope * type(u)(2) * angle * angle * u


@inlined
def lanczos_point(t, angle):
    """What all taps of a point share: the two nearest terms with their slopes, and the sine and cosine of ``angle`` t.

    The windowed sine of a tap j is sin(pi t) times (-1)^j sin(pi (t - j) / a) / (t - j)^2, but for constants. Divided by
    sin(pi t) / (t (1 - t)), which all have in common, no term is infinite or inexact, wherever the point is.
    """
    one, two = type(t)(1), type(t)(2)
    here, here_slope = near_term(t, angle)
    beside, beside_slope = near_term(one - t, angle)
    value, slope = sine_ratio(angle * t * angle * t)
    return here, here_slope, beside, beside_slope, here * t, value + two * angle * t * angle * t * slope


@inlined
def far_term(t, j, sine, cosine, cos_j, sin_j):
    """The term of tap ``j``, none of the two nearest."""
    d = t - type(t)(j)
    return t * (type(t)(1) - t) * (sine * cos_j - cosine * sin_j) / (d * d)


@inlined
def far_slope(t, j, sine, cosine, cos_j, sin_j, angle):
    """The derivative of :func:`far_term` by t."""
    one, two = type(t)(1), type(t)(2)
    d = t - type(t)(j)
    value, slope = sine * cos_j - cosine * sin_j, angle * (cosine * cos_j + sine * sin_j)
    return ((one - two * t) * value + t * (one - t) * (slope - two * value / d)) / (d * d)


@inlined
def lanczos3_terms(t, phi):
    """The terms of all taps, which the weights are proportional to."""
    here, _, beside, _, sine, cosine = lanczos_point(t, phi[0])
    return (
        far_term(t, -2, sine, cosine, phi[1], phi[2]),
        far_term(t, -1, sine, cosine, phi[3], phi[4]),
        (type(t)(1) - t) * here,
        t * beside,
        far_term(t, 2, sine, cosine, phi[5], phi[6]),
        far_term(t, 3, sine, cosine, phi[7], phi[8]),
    )


@inlined
def lanczos4_terms(t, phi):
    """As :func:`lanczos3_terms`."""
    here, _, beside, _, sine, cosine = lanczos_point(t, phi[0])
    return (
        far_term(t, -3, sine, cosine, phi[1], phi[2]),
        far_term(t, -2, sine, cosine, phi[3], phi[4]),
        far_term(t, -1, sine, cosine, phi[5], phi[6]),
        (type(t)(1) - t) * here,
        t * beside,
        far_term(t, 2, sine, cosine, phi[7], phi[8]),
        far_term(t, 3, sine, cosine, phi[9], phi[10]),
        far_term(t, 4, sine, cosine, phi[11], phi[12]),
    )


@inlined
def quotient_slope(slope, slopes, weight, total):
    """The derivative of a term divided by all terms' total, ``weight``, from the term's and the total's."""
    return (slope - weight * slopes) / total


@shared
def lanczos3_weights(t, phi):
    a, b, c, d, e, f = lanczos3_terms(t, phi)
    total = a + b + c + d + e + f
    return a / total, b / total, c / total, d / total, e / total, f / total


@shared
def lanczos3_slopes(t, phi):
    here, here_slope, beside, beside_slope, sine, cosine = lanczos_point(t, phi[0])
    terms = lanczos3_terms(t, phi)
    total = terms[0] + terms[1] + terms[2] + terms[3] + terms[4] + terms[5]
    a = far_slope(t, -2, sine, cosine, phi[1], phi[2], phi[0])
    b = far_slope(t, -1, sine, cosine, phi[3], phi[4], phi[0])
    c = (type(t)(1) - t) * here_slope - here
    d = beside - t * beside_slope
    e = far_slope(t, 2, sine, cosine, phi[5], phi[6], phi[0])
    f = far_slope(t, 3, sine, cosine, phi[7], phi[8], phi[0])
    slopes = a + b + c + d + e + f
    return (
        quotient_slope(a, slopes, terms[0] / total, total),
        quotient_slope(b, slopes, terms[1] / total, total),
        quotient_slope(c, slopes, terms[2] / total, total),
        quotient_slope(d, slopes, terms[3] / total, total),
        quotient_slope(e, slopes, terms[4] / total, total),
        quotient_slope(f, slopes, terms[5] / total, total),
    )


@shared
def lanczos4_weights(t, phi):
    a, b, c, d, e, f, g, h = lanczos4_terms(t, phi)
    total = a + b + c + d + e + f + g + h
    return a / total, b / total, c / total, d / total, e / total, f / total, g / total, h / total


@shared
def lanczos4_slopes(t, phi):
    here, here_slope, beside, beside_slope, sine, cosine = lanczos_point(t, phi[0])
    terms = lanczos4_terms(t, phi)
    total = terms[0] + terms[1] + terms[2] + terms[3] + terms[4] + terms[5] + terms[6] + terms[7]
    a = far_slope(t, -3, sine, cosine, phi[1], phi[2], phi[0])
    b = far_slope(t, -2, sine, cosine, phi[3], phi[4], phi[0])
    c = far_slope(t, -1, sine, cosine, phi[5], phi[6], phi[0])
    d = (type(t)(1) - t) * here_slope - here
    e = beside - t * beside_slope
    f = far_slope(t, 2, sine, cosine, phi[7], phi[8], phi[0])
    g = far_slope(t, 3, sine, cosine, phi[9], phi[10], phi[0])
    h = far_slope(t, 4, sine, cosine, phi[11], phi[12], phi[0])
    slopes = a + b + c + d + e + f + g + h
    return (
        quotient_slope(a, slopes, terms[0] / total, total),
        quotient_slope(b, slopes, terms[1] / total, total),
        quotient_slope(c, slopes, terms[2] / total, total),
        quotient_slope(d, slopes, terms[3] / total, total),
        quotient_slope(e, slopes, terms[4] / total, total),
        quotient_slope(f, slopes, terms[5] / total, total),
        quotient_slope(g, slopes, terms[6] / total, total),
        quotient_slope(h, slopes, terms[7] / total, total),
    )


@shared
def lanczos3_indices(first, size, mode, phi):
    return (
        border_index(first, size, mode),
        border_index(first + 1, size, mode),
        border_index(first + 2, size, mode),
        border_index(first + 3, size, mode),
        border_index(first + 4, size, mode),
        border_index(first + 5, size, mode),
    )


@shared
def lanczos4_indices(first, size, mode, phi):
    return (
        border_index(first, size, mode),
        border_index(first + 1, size, mode),
        border_index(first + 2, size, mode),
        border_index(first + 3, size, mode),
        border_index(first + 4, size, mode),
        border_index(first + 5, size, mode),
        border_index(first + 6, size, mode),
        border_index(first + 7, size, mode),
    )


_KERNELS = {
    2: (cubic_weights, cubic_slopes, cubic_indices),
    9: (lanczos3_weights, lanczos3_slopes, lanczos3_indices),
    13: (lanczos4_weights, lanczos4_slopes, lanczos4_indices),
}
