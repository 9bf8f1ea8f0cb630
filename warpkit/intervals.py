"""Arithmetic of intervals (Moore 1966): what numbers become of which only bounds are known. Many at a time, as arrays.

Results hold whatever the exact ones can be, up to roundings of float64, which are not accounted for here. Where nothing is
known, bounds are infinite; so divisions by zero and the like are no errors, and callers switch NumPy's warnings off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bounds: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Numbers from ``low`` to ``high``, arrays of one shape."""

    low: Bounds
    high: Bounds

    __array_ufunc__ = None  # or numpy would try to add us

    def __add__(self, other: Any) -> Interval:
        low, high = _ends(other)
        return Interval(self.low + low, self.high + high)

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Any) -> Interval:
        low, high = _ends(other)
        return Interval(self.low - high, self.high - low)

    def __rsub__(self, other: Any) -> Interval:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Interval:
        low, high = _ends(other)
        a, b, c, d = self.low * low, self.low * high, self.high * low, self.high * high
        bounds = np.minimum(np.minimum(a, b), np.minimum(c, d)), np.maximum(np.maximum(a, b), np.maximum(c, d))
        if np.isnan(bounds[0]).any():  # 0 times what may be anything
            a, b, c, d = (np.where(np.isnan(product), 0.0, product) for product in (a, b, c, d))
            bounds = np.minimum(np.minimum(a, b), np.minimum(c, d)), np.maximum(np.maximum(a, b), np.maximum(c, d))
        return Interval(*bounds)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Interval:
        return self.__mul__(inverse(other) if isinstance(other, Interval) else 1.0 / other)

    def __rtruediv__(self, other: float) -> Interval:
        return inverse(self).__mul__(other)

    def largest(self) -> Bounds:
        """The largest magnitude."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def within(self, other: Interval) -> Interval:
        """What is in both, for two enclosures of the same numbers."""
        return Interval(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


def _ends(value: Any) -> tuple[Any, Any]:
    return (value.low, value.high) if isinstance(value, Interval) else (value, value)


def anything(like: Bounds) -> Interval:
    """No bounds."""
    return Interval(np.full(like.shape, -np.inf), np.full(like.shape, np.inf))


def inverse(x: Interval) -> Interval:
    """1 / x; anything if x may be 0."""
    has_sign = (x.low > 0) | (x.high < 0)
    return Interval(np.where(has_sign, 1.0 / x.high, -np.inf), np.where(has_sign, 1.0 / x.low, np.inf))


def square(x: Interval) -> Interval:
    """x^2."""
    nearest = np.maximum(np.maximum(x.low, -x.high), 0.0)
    return Interval(nearest * nearest, x.largest() ** 2)


def rising(function: Any, x: Interval) -> Interval:
    """A function that never falls."""
    return Interval(function(x.low), function(x.high))


def falling(function: Any, x: Interval) -> Interval:
    """A function that never rises."""
    return Interval(function(x.high), function(x.low))


def cosine(x: Interval) -> Interval:
    """cos x."""
    ends = np.cos(x.low), np.cos(x.high)
    turn = 2.0 * np.pi
    has_top = ~(np.ceil(x.low / turn) > np.floor(x.high / turn))
    has_bottom = ~(np.ceil(x.low / turn - 0.5) > np.floor(x.high / turn - 0.5))
    return Interval(np.where(has_bottom, -1.0, np.minimum(*ends)), np.where(has_top, 1.0, np.maximum(*ends)))


def sine(x: Interval) -> Interval:
    """sin x."""
    return cosine(x - 0.5 * np.pi)
