"""Elementary functions of numbers, without branches or calls where loops over them should become vectors."""

from __future__ import annotations

import numpy as np

from .compiling import bits_of, float_of, inlined, shared

# For natural_log.
FRACTION_BITS = np.uint64(52)
FRACTION_MASK = np.uint64(0xFFFFFFFFFFFFF)
BITS_OF_SQRT_HALF = np.uint64(0x3FE6A09E00000000)
FROM_SQRT_HALF = np.uint64(0x3FF0000000000000 - 0x3FE6A09E00000000)
BITS_OF_2_52 = np.uint64(0x4330000000000000)
BIASED_2_52 = 2.0**52 + 1023
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


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


@shared
def solve_2x2(a, b, c, d, right_x, right_y):
    """Solution of [[a, b], [c, d]] s = right; infinite or NaN where the matrix is singular."""
    determinant = a * d - b * c
    return (d * right_x - b * right_y) / determinant, (a * right_y - c * right_x) / determinant
