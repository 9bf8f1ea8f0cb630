"""The footprint of an output pixel in the source, which antialiasing averages over. Shared by CPU and CUDA.

A step of one output pixel along x or y leads ``(dx, dy)`` through the source, found as half the way between the source points
of the two neighbours. Where its length s is more than a source pixel, the picture is averaged along a part of it, the square of
which is

    1 - 12 v / s^2 + (12 v - 1) / s^4

with the variance v of the sampling kernel: 1/6 for the tent of bilinear sampling, for which the part is 1 - 1/s^2, and b/3 for
the cubic ones. Box and kernel together then have the variance of the pixel's own box, s^2 / 12, but for (12 v - 1) / (12 s^2);
and the box shrinks to nothing where nothing is made smaller, without a seam.
"""

from __future__ import annotations

import math

from .compiling import inlined, shared

# Beyond so many samples along a step, of a picture made more than 64 times smaller, some source pixels are passed over.
LARGEST_COUNT = 64
# Steps of one pixel come out a little longer by rounding.
SLACK = 1e-6


@inlined
def squared_part(square, variance):
    """The square of what part of a step is averaged over, from that of its length, which is more than 1."""
    return 1.0 - 12.0 * variance / square + (12.0 * variance - 1.0) / (square * square)


@inlined
def averaged_step(dx, dy, variance):
    """As much of a step as is averaged over: none up to a length of one pixel, or where there is no next point (NaN)."""
    square = dx * dx + dy * dy
    if not square > 1.0:
        return 0.0, 0.0
    part = math.sqrt(max(squared_part(square, variance), 0.0))
    return part * dx, part * dy


@inlined
def averaged_step_pull(dx, dy, variance, gx, gy):
    """The cotangent of a step for that of :func:`averaged_step`."""
    square = dx * dx + dy * dy
    if not square > 1.0:
        return 0.0, 0.0
    squared = squared_part(square, variance)
    if not squared > 0.0:
        return 0.0, 0.0
    part = math.sqrt(squared)
    # d(part) / ds, divided by s
    slope = (12.0 * variance - 2.0 * (12.0 * variance - 1.0) / square) / (square * square * part)
    along = slope * (gx * dx + gy * dy)
    return part * gx + along * dx, part * gy + along * dy


@inlined
def is_longer(dx, dy):
    """Whether a step takes more than one sample."""
    return dx * dx + dy * dy > (1.0 + SLACK) * (1.0 + SLACK)


@inlined
def sample_count(dx, dy):
    """How many samples along a step are at most a source pixel apart."""
    if is_longer(dx, dy):
        length = math.sqrt(dx * dx + dy * dy)
        return int(min(math.ceil(length - SLACK), float(LARGEST_COUNT)))
    return 1


@shared
def sample_offset(k, count):
    """Where sample ``k`` lies along the averaged part of a step: within -1/2 and 1/2."""
    return (k + 0.5) / count - 0.5
