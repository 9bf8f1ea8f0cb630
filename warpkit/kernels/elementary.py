"""Elementary functions of numbers, without branches or calls where loops over them should become vectors."""

from __future__ import annotations

import math

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

# For cos_sin: pi / 2 in three parts of 33 bits, whose products with whole numbers below 2^20 are exact.
QUARTERS_PER_RADIAN = 0.6366197723675814
QUARTER_1, QUARTER_2, QUARTER_3 = 1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624871116645580e-21
LARGEST_ANGLE = 2.0**20


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
def cos_sin(angle):
    """Cosine and sine, to about an ulp of 1; NaN beyond a million radians.

    Not libm's: CUDA's keep an array in local memory for the reduction of huge angles. The polynomials are those of FreeBSD's
    k_sin.c and k_cos.c (Sun Microsystems 1993).
    """
    in_range = abs(angle) < LARGEST_ANGLE
    quarter = int(math.floor(angle * QUARTERS_PER_RADIAN + 0.5)) if in_range else 0
    k = np.float64(quarter)
    r = ((angle - k * QUARTER_1) - k * QUARTER_2) - k * QUARTER_3 if in_range else math.nan
    z = r * r
    high = -1.98412698298579493134e-04 + z * (
        2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
    )
    sin = r + r * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * high))
    high = 2.48015872894767294178e-05 + z * (
        -2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11)
    )
    cos = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * high))
    if quarter & 1:
        cos, sin = -sin, cos
    if quarter & 2:
        cos, sin = -cos, -sin
    return cos, sin


@shared
def solve_2x2(a, b, c, d, right_x, right_y):
    """Solution of [[a, b], [c, d]] s = right; infinite or NaN where the matrix is singular."""
    determinant = a * d - b * c
    return (d * right_x - b * right_y) / determinant, (a * right_y - c * right_x) / determinant
