"""The CPU drivers that turn pixels into the coefficients of a cubic B-spline through them (Unser 1999), and the adjoint.

Along each axis coefficients c satisfy c[k - 1] + 4 c[k] + c[k + 1] = 6 f[k], where those beyond the ends are what the border
rule says: a tridiagonal system, solved exactly for each rule and any length, by elimination forwards and backwards. In the
middle this is Unser's recursive filter: one over the pivots is 2 - sqrt(3), his pole.

All systems are symmetric, with an end diagonal of their own, see :func:`end_of_axis`: "reflect" after its end rows are halved;
"wrap" but for its two corners, whose share is a multiple of one vector, ``corner``.
"""

from __future__ import annotations

import numpy as np

from .compiling import allocating, driver, inlined, row_loop
from .taps import CONSTANT, REFLECT, WRAP

COLUMNS_TOGETHER = 32  # pixels of neighbouring columns that are filtered at once, in vectors


@inlined
def end_of_axis(size, mode):
    """The diagonal at both ends, and what the ends' equations are multiplied by."""
    if mode == CONSTANT:
        return 4.0, 1.0
    if size > 1 and mode == REFLECT:
        return 2.0, 0.5
    if size > 1 and mode == WRAP:
        return 3.0, 1.0
    return 5.0, 1.0


@allocating
def factorise(size, mode, like):
    """One over the pivots of an axis, and the share that its corners have, empty if there are none."""
    pivots, corner = np.empty(size, like.dtype), np.zeros(size if mode == WRAP and size > 1 else 0, like.dtype)
    end, _ = end_of_axis(size, mode)
    inverse = 0.0
    for k in range(size):
        diagonal = 4.0
        if k == 0:
            diagonal += end - 4.0
        if k == size - 1:
            diagonal += end - 4.0
        inverse = 1.0 / (diagonal - inverse)
        pivots[k] = inverse
    if corner.shape[0] > 0:
        corner[0], corner[size - 1] = 1.0, 1.0
        solve(corner, 0, size, 1, 1, pivots)
        scale = 1.0 + corner[0] + corner[size - 1]
        for k in range(size):
            corner[k] /= scale
    return pivots, corner


@row_loop
def solve(values, first, size, pitch, lanes, pivots):
    """Elimination, in place, of ``lanes`` neighbouring systems whose unknowns are ``pitch`` apart."""
    start, step = np.uint64(first), np.uint64(pitch)
    for e in range(np.uint64(lanes)):
        values[start + e] *= pivots[0]
    for k in range(1, size):
        here = start + np.uint64(k) * step
        for e in range(np.uint64(lanes)):
            values[here + e] = (values[here + e] - values[here - step + e]) * pivots[k]
    for k in range(size - 2, -1, -1):
        here = start + np.uint64(k) * step
        for e in range(np.uint64(lanes)):
            values[here + e] -= values[here + step + e] * pivots[k]


@row_loop
def filter_lines(values, first, size, pitch, lanes, mode, fill, is_adjoint, pivots, corner):
    """Pixels into coefficients, in place, or the adjoint; beyond the ends of "constant" are ``fill``, one for each channel."""
    real = type(values[0])
    _, weight = end_of_axis(size, mode)
    last = first + (size - 1) * pitch
    for k in range(size):
        for e in range(np.uint64(lanes)):
            values[np.uint64(first + k * pitch) + e] *= real(6)
    if not is_adjoint:
        for e in range(lanes):
            outside = fill[e % len(fill)] if mode == CONSTANT else real(0)
            values[first + e] = values[first + e] * real(weight) - outside
            if size > 1:
                values[last + e] *= real(weight)
            values[last + e] -= outside
    solve(values, first, size, pitch, lanes, pivots)
    if corner.shape[0] > 0:
        for e in range(lanes):
            both = values[first + e] + values[last + e]
            for k in range(size):
                values[first + k * pitch + e] -= both * corner[k]
    if is_adjoint and size > 1:
        for e in range(lanes):
            values[first + e] *= real(weight)
            values[last + e] *= real(weight)


@driver
def filter_rows(values, mode, fill, is_adjoint, first, last):
    """Filter along x the rows ``first`` to ``last`` of ``values`` (N, H, W, C), counted through all images, in place."""
    _, _, width, channels = values.shape
    flat = values.reshape(-1)
    pivots, corner = factorise(width, mode, flat)
    for row in range(first, last):
        filter_lines(flat, row * width * channels, width, channels, channels, mode, fill, is_adjoint, pivots, corner)
    return 0


@driver
def filter_columns(values, mode, fill, is_adjoint, first, last):
    """As :func:`filter_rows` along y, for groups of ``COLUMNS_TOGETHER`` columns, counted image by image."""
    _, height, width, channels = values.shape
    flat = values.reshape(-1)
    pivots, corner = factorise(height, mode, flat)
    groups = -(-width // COLUMNS_TOGETHER)
    for group in range(first, last):
        column = group % groups * COLUMNS_TOGETHER
        lanes = min(COLUMNS_TOGETHER, width - column) * channels
        start = (group // groups * height * width + column) * channels
        filter_lines(flat, start, height, width * channels, lanes, mode, fill, is_adjoint, pivots, corner)
    return 0
