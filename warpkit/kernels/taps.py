"""What happens between a source coordinate and a pixel value: border rules, taps, weights, rounding.

Written once, for CPU and CUDA. Coordinates are in pixels, the centre of the first pixel is 0. A *tap* is a source pixel
that an output value is made from.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import inlined, multiply_add, shared

# From CUBIC on the number is that of taps on each side of a point along each axis; see weights.py.
NEAREST = 0
BILINEAR = 1
CUBIC = 2
LANCZOS3 = 3
LANCZOS4 = 4

CONSTANT = 0
FILL = 1
EDGE = 2
SYMMETRIC = 3
REFLECT = 4
WRAP = 5
MODES = {"constant": CONSTANT, "fill": FILL, "edge": EDGE, "symmetric": SYMMETRIC, "reflect": REFLECT, "wrap": WRAP}

# Weights of 8-bit pixels are int16 multiples of 2^-15, their values int16 multiples of 2^-7: see lerp_fixed.
FIXED_BITS = 15
FIXED_ONE = 2.0**FIXED_BITS
LEVEL_BITS = 7

OUTSIDE = -1
BEFORE_HALF = float(np.nextafter(-0.5, -1.0))
FARTHEST_TAP = 8  # no kernel reaches further from its centre


@shared
def period(size, mode):
    """Distance after which a periodic border rule repeats itself."""
    if mode == SYMMETRIC:
        return 2 * size
    if mode == REFLECT:
        return max(2 * size - 2, 1)
    return size


@shared
def fold_coordinate(x, size, mode):
    """A coordinate with the same taps as ``x`` that is near enough to the image to be made an integer."""
    if mode <= EDGE:
        return min(max(x, -float(FARTHEST_TAP)), float(size + FARTHEST_TAP))
    length = float(period(size, mode))
    if -length <= x <= 2 * length:
        return x
    # on CUDA off by an ulp of x, whatever the length
    return x % length


@shared
def border_index(i, size, mode):
    """Index of the pixel that stands for tap ``i`` of an axis with ``size`` pixels, or ``OUTSIDE``; names as numpy.pad's.

    "fill" has the taps of "edge", see :func:`near_range`.
    """
    if 0 <= i < size:
        return i
    if mode == CONSTANT:
        return OUTSIDE
    if mode <= EDGE:
        return 0 if i < 0 else size - 1
    length = period(size, mode)
    i = i % length
    if i < size:
        return i
    if mode == SYMMETRIC:
        return length - 1 - i
    return length - i


@shared
def near_range(size, reach, mode):
    """Between which coordinates of an axis, both excluded, a point's value is not just the fill.

    ``reach`` is how far taps are from their point. "fill" ends with the area of the outermost pixels, whose first bound it has.
    """
    if mode == CONSTANT:
        return -reach, size + reach - 1.0
    if mode == FILL:
        return BEFORE_HALF, size - 0.5
    return -math.inf, math.inf


@shared
def tap_index(row, column, pitch, step):
    """Where a tap's channels begin in a plane, whose rows are ``pitch`` and whose pixels are ``step`` elements apart.

    ``OUTSIDE`` if the border rule said so.
    """
    if row < 0 or column < 0:
        return OUTSIDE
    return row * pitch + column * step


@inlined
def tap(source, first, index, channel, cval):
    """One value, as a float, of a plane that begins at ``first`` in the flat source; ``cval`` outside."""
    if index < 0:
        return cval
    return type(cval)(source[first + index + channel])


@inlined
def split(x, origin, below_one):
    """The pixel at or before a point, counted from ``origin``, a whole number at or before it too, and the next one's weight.

    ``below_one`` is the largest weight. If it is an integer, so are weights, cut to multiples of 2^-15; the distance from the
    origin must then be less than 2^16.
    """
    if type(below_one)(0.5) == 0:  # an integer type; known to the compiler
        fixed = np.int32(multiply_add(x, FIXED_ONE, -origin * FIXED_ONE))
        return np.int32(fixed >> np.int32(FIXED_BITS)), type(below_one)(fixed & np.int32(2**FIXED_BITS - 1))
    whole = np.int32(x - origin)
    return whole, min(type(below_one)(x - origin - whole), below_one)


@inlined
def bilinear_start(x, size, mode, below_one):
    """A finite coordinate's first tap along one axis, before the border rule, and the weight of the second."""
    x = fold_coordinate(x, size, mode)
    first = int(math.floor(x))
    # one pixel on where the distance rounds to 1
    steps, weight = split(x, first, below_one)
    return first + steps, weight


@inlined
def bilinear_axis(x, size, mode, below_one):
    """The two taps of a finite coordinate along one axis, through the border rule, and the weight of the second."""
    first, weight = bilinear_start(x, size, mode, below_one)
    return border_index(first, size, mode), border_index(first + 1, size, mode), weight


@shared
def bilinear_taps(x, y, height, width, channels, mode, below_one):
    """The taps of a finite point anywhere (top left, top right, bottom left, bottom right), and its weights along x and y."""
    left, right, weight_x = bilinear_axis(x, width, mode, below_one)
    top, bottom, weight_y = bilinear_axis(y, height, mode, below_one)
    pitch = width * channels
    return (
        tap_index(top, left, pitch, channels),
        tap_index(top, right, pitch, channels),
        tap_index(bottom, left, pitch, channels),
        tap_index(bottom, right, pitch, channels),
        weight_x,
        weight_y,
    )


@inlined
def nearest_index(x):
    """The pixel nearest to a coordinate from -1/2 on; half a pixel belongs to the right neighbour.

    Coordinates are cut towards zero, which leaves those below zero at pixel 0.
    """
    whole = np.int32(x)
    return np.int32(whole + np.int32(x - whole >= 0.5))


@inlined
def nearest_start(x, size, mode):
    """The tap nearest to a finite coordinate along one axis, before the border rule; half a pixel belongs to the next."""
    x = fold_coordinate(x, size, mode)
    first = int(math.floor(x))
    return first + (x - first >= 0.5)


@inlined
def nearest_axis(x, size, mode):
    """As :func:`nearest_start`, after the border rule."""
    return border_index(nearest_start(x, size, mode), size, mode)


@shared
def nearest_tap(x, y, height, width, channels, mode):
    """The tap nearest to a finite point anywhere; half a pixel belongs to the right and lower neighbour."""
    return tap_index(nearest_axis(y, height, mode), nearest_axis(x, width, mode), width * channels, channels)


@inlined
def lerp(a, b, weight):
    """Value at ``weight`` in [0, 1) between ``a`` and ``b``, never outside [min(a, b), max(a, b)], exact where they are equal.

    Rounded once, a + weight (b - a) cannot leave that range: the difference is too large by a factor of at most 1 + 2^-24
    (float64: 2^-53), and the largest weight is 1 - 2^-24. A tap of weight zero takes no part, so that NaN and infinity stay
    where they are; where the difference overflows, the mean of large values of opposite sign is still found.
    """
    difference = b - a
    if weight == 0 or difference == 0:
        return a
    if difference - difference == 0:
        return multiply_add(weight, difference, a)
    return (type(weight)(1) - weight) * a + weight * b


@inlined
def lerp_fixed(a, b, weight):
    """Value at ``weight`` 2^-15 between ``a`` and ``b``, integers of 16 bits, never outside them; halves are rounded up.

    One instruction of all processors' vector units does the product, the rounding and the shift.
    """
    return a + ((np.int32(b - a) * np.int32(weight) + (1 << (FIXED_BITS - 1))) >> FIXED_BITS)


@inlined
def bilinear_fixed(top_left, top_right, bottom_left, bottom_right, weight_x, weight_y):
    """As :func:`bilinear` for 8-bit values and integer weights: off by less than 0.01 before the last rounding."""
    top = lerp_fixed(np.int32(top_left) << LEVEL_BITS, np.int32(top_right) << LEVEL_BITS, weight_x)
    bottom = lerp_fixed(np.int32(bottom_left) << LEVEL_BITS, np.int32(bottom_right) << LEVEL_BITS, weight_x)
    return (lerp_fixed(top, bottom, weight_y) + (1 << (LEVEL_BITS - 1))) >> LEVEL_BITS


@inlined
def bilinear(top_left, top_right, bottom_left, bottom_right, weight_x, weight_y):
    """k(d) = max(0, 1 - |d|) along both axes (Jaderberg et al. 2015, eq. 5)."""
    if type(weight_x)(0.5) == 0:  # an integer type; known to the compiler
        return type(top_left)(bilinear_fixed(top_left, top_right, bottom_left, bottom_right, weight_x, weight_y))
    return lerp(lerp(top_left, top_right, weight_x), lerp(bottom_left, bottom_right, weight_x), weight_y)


@inlined
def bilinear_slopes(across_top, across_bottom, down_left, down_right, weight_x, weight_y):
    """Derivatives of :func:`bilinear` along x and y (Jaderberg et al. 2015, eq. 7), from the four differences of neighbours.

    Linear in them: the differences may be sums over channels. At a kink they are those of the cell right and below.
    """
    return lerp(across_top, across_bottom, weight_y), lerp(down_left, down_right, weight_x)


@inlined
def share(weight, value):
    """A tap's share; one of weight zero takes no part, so that NaN and infinity stay where they are."""
    return weight * value if weight != 0 else type(weight)(0)


@inlined
def to_pixel(value, like):
    """A computed value as a pixel of the type of ``like``; integers are rounded, halves up."""
    pixel = type(like)
    if pixel(0.5) == 0:  # an integer type; known to the compiler
        shifted = value + type(value)(0.5)
        whole = np.int32(shifted)
        return pixel(whole - np.int32(shifted < type(value)(whole)))
    return pixel(value)
