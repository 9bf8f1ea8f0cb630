"""The footprint of an output pixel in the source, which antialiasing averages over. Shared by CPU and CUDA.

A step of one output pixel along x or y leads ``(dx, dy)`` through the source, found as half the way between the source points
of the two neighbours. Where it is longer than a source pixel, the picture is averaged along it: over the part 1 - 1/s^2 of a
step of length s. Together with the tent of bilinear sampling, whose variance is 1/6, that box has the variance of the pixel's
own, s^2 / 12, but for 1 / (12 s^2); and it shrinks to nothing where nothing is made smaller, without a seam.
"""

from __future__ import annotations

import math

from .compiling import inlined, shared

# Beyond so many samples along a step, of a picture made more than 64 times smaller, some source pixels are passed over.
LARGEST_COUNT = 64
# Steps of one pixel come out a little longer by rounding.
SLACK = 1e-6


@inlined
def averaged_part(dx, dy):
    """What part of a step is averaged over: 0 up to the length of one pixel, or where there is no next point (NaN)."""
    square = dx * dx + dy * dy
    return 1.0 - 1.0 / square if square > 1.0 else 0.0


@inlined
def averaged_part_pull(dx, dy, gx, gy):
    """The cotangent of a step ``d`` for the cotangent ``g`` of ``averaged_part(d) d``."""
    square = dx * dx + dy * dy
    if square > 1.0:
        part = 1.0 - 1.0 / square
        along = 2.0 * (gx * dx + gy * dy) / (square * square)
        return part * gx + along * dx, part * gy + along * dy
    return 0.0, 0.0


@inlined
def sample_count(dx, dy):
    """How many samples along a step are at most a source pixel apart."""
    length = math.sqrt(dx * dx + dy * dy)
    if length > 1.0 + SLACK:
        return int(min(math.ceil(length - SLACK), float(LARGEST_COUNT)))
    return 1


@shared
def sample_offset(k, count):
    """Where sample ``k`` lies along the averaged part of a step: within -1/2 and 1/2."""
    return (k + 0.5) / count - 0.5
