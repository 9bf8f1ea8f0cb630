"""The CPU drivers of dense registration: the primal-dual steps of Chambolle and Pock (2011) for

    min over u of  sum |grad u| + strength * |offset + slopes . u|

Unknowns u are displacements (2, rows, columns). The gradient is by forward differences, 0 beyond the right and lower border;
the length of all four differences of a pixel is what is summed, so that both axes break at the same edges.
"""

from __future__ import annotations

import math

import numpy as np

from .compiling import driver, inlined, row_loop

# Both steps' length: its square times the squared norm of the gradient, at most 8, must not exceed 1.
STEP = np.float32(1 / math.sqrt(8.0))


@driver
def dual_rows(extrapolated, duals, first, last):
    """Move the ``duals`` (4, rows, columns): of x along x, x along y, y along x, y along y, up, and back into the unit ball."""
    rows = extrapolated.shape[1]
    for row in range(first, last):
        below = min(row + 1, rows - 1)
        climb(
            extrapolated[0, row], extrapolated[0, below], extrapolated[1, row], extrapolated[1, below],
            duals[0, row], duals[1, row], duals[2, row], duals[3, row],
        )  # fmt: skip
    return 0


@row_loop
def climb(x, x_below, y, y_below, x_across, x_down, y_across, y_down):
    last = x.shape[0] - 1
    step, one = STEP, np.float32(1)
    for k in range(np.uint64(x.shape[0])):
        right = min(k + np.uint64(1), np.uint64(last))
        a, b = x_across[k] + step * (x[right] - x[k]), x_down[k] + step * (x_below[k] - x[k])
        c, d = y_across[k] + step * (y[right] - y[k]), y_down[k] + step * (y_below[k] - y[k])
        scale = one / max(one, np.float32(math.sqrt(a * a + b * b + c * c + d * d)))
        x_across[k], x_down[k], y_across[k], y_down[k] = a * scale, b * scale, c * scale, d * scale


@driver
def primal_rows(unknowns, extrapolated, duals, slopes, offset, strength, first, last):
    """Move the unknowns down, then as near to where the residual is 0 as its strength takes them; and extrapolate."""
    for row in range(first, last):
        above = max(row - 1, 0)
        share = np.float32(row > 0)
        descend(
            unknowns[0, row], unknowns[1, row], extrapolated[0, row], extrapolated[1, row],
            duals[0, row], duals[1, row], duals[1, above], duals[2, row], duals[3, row], duals[3, above], share,
            slopes[0, row], slopes[1, row], offset[row], strength,
        )  # fmt: skip
    return 0


@row_loop
def descend(
    x, y, x_ahead, y_ahead, x_across, x_down, x_down_above, y_across, y_down, y_down_above, share,
    slope_x, slope_y, offset, strength,
):  # fmt: skip
    step, two, zero = STEP, np.float32(2), np.float32(0)
    reach, tiny = STEP * strength, np.float32(1e-12)
    for k in range(np.uint64(x.shape[0])):
        left = max(k, np.uint64(1)) - np.uint64(1)
        has_left = np.float32(k > 0)
        across = x_across[k] - has_left * x_across[left]
        before_x = x[k] + step * (across + x_down[k] - share * x_down_above[k])
        across = y_across[k] - has_left * y_across[left]
        before_y = y[k] + step * (across + y_down[k] - share * y_down_above[k])
        u, v = slope_x[k], slope_y[k]
        length = u * u + v * v
        residual = offset[k] + u * before_x + v * before_y
        pull = min(max(-residual / max(length, tiny), -reach), reach) if length > zero else zero
        now_x, now_y = before_x + pull * u, before_y + pull * v
        x_ahead[k], y_ahead[k] = two * now_x - x[k], two * now_y - y[k]
        x[k], y[k] = now_x, now_y


@driver
def median_rows(planes, out, first, last):
    """The median of each pixel of planes (n, rows, columns) and its eight neighbours; beyond the border, the border's."""
    rows = planes.shape[1]
    for plane in range(planes.shape[0]):
        for row in range(first, last):
            above, below = max(row - 1, 0), min(row + 1, rows - 1)
            medians(planes[plane, above], planes[plane, row], planes[plane, below], out[plane, row])
    return 0


@row_loop
def medians(above, here, below, out):
    last = here.shape[0] - 1
    for k in range(np.uint64(here.shape[0])):
        left, right = max(k, np.uint64(1)) - np.uint64(1), min(k + np.uint64(1), np.uint64(last))
        low_a, mid_a, high_a = sorted_three(above[left], here[left], below[left])
        low_b, mid_b, high_b = sorted_three(above[k], here[k], below[k])
        low_c, mid_c, high_c = sorted_three(above[right], here[right], below[right])
        _, middle, _ = sorted_three(mid_a, mid_b, mid_c)
        largest_low, smallest_high = max(max(low_a, low_b), low_c), min(min(high_a, high_b), high_c)
        out[k] = sorted_three(largest_low, middle, smallest_high)[1]


@inlined
def sorted_three(a, b, c):
    low, high = min(a, b), max(a, b)
    return min(low, c), max(low, min(high, c)), max(high, c)
