"""What ``interpolation`` may be: names, and kernels with free parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from . import checks
from .kernels.taps import BILINEAR, CUBIC, LANCZOS3, LANCZOS4, NEAREST
from .kernels.weights import lanczos_numbers


@dataclass(frozen=True)
class Cubic:
    """A cubic sampling kernel of four taps (Mitchell & Netravali 1988), to be given as ``interpolation``.

    Parameters
    ----------
    b, c : float
        The share of the cubic B-spline, which blurs, and of a term that sharpens; each within -1 and 2. ``Cubic(1/3, 1/3)`` is
        "mitchell", ``Cubic(0, 1/2)`` "bicubic". With ``b = 0`` pixels at whole positions are kept as they are.

    Raises
    ------
    TypeError, ValueError
        If b or c is no such number.
    """

    b: float
    c: float

    def __post_init__(self) -> None:
        for name in ("b", "c"):
            number = checks.finite_number(name, getattr(self, name))
            if not -1 <= number <= 2:
                raise ValueError(f"{name} must be within -1 and 2, got {number:g}")
            object.__setattr__(self, name, number)

    @classmethod
    def keys(cls, a: float) -> Cubic:
        """The kernel of Keys (1981) with slope ``a`` at distance 1: -1/2 is "bicubic"; OpenCV and PyTorch have -3/4."""
        return cls(0.0, -checks.finite_number("a", a))


Interpolation: TypeAlias = Literal["nearest", "bilinear", "bicubic", "mitchell", "bspline3", "lanczos3", "lanczos4"] | Cubic


class Kernel(NamedTuple):
    """An interpolation in the kernels' terms: its number there, and the numbers of its formula, see :mod:`kernels.weights`."""

    code: int
    phi: tuple[float, ...] = ()
    is_spline: bool = False  # its taps are not pixels, but the coefficients of a spline through them


KERNELS = {
    "nearest": Kernel(NEAREST),
    "bilinear": Kernel(BILINEAR),
    "bicubic": Kernel(CUBIC, (0.0, 0.5)),
    "mitchell": Kernel(CUBIC, (1 / 3, 1 / 3)),
    "bspline3": Kernel(CUBIC, (1.0, 0.0), is_spline=True),
    "lanczos3": Kernel(LANCZOS3, lanczos_numbers(3)),
    "lanczos4": Kernel(LANCZOS4, lanczos_numbers(4)),
}


def kernel_of(interpolation: Any) -> Kernel:
    """The kernel that a name or value stands for."""
    if isinstance(interpolation, Cubic):
        return Kernel(CUBIC, (interpolation.b, interpolation.c))
    if not isinstance(interpolation, str) or interpolation not in KERNELS:
        names = ", ".join(map(repr, KERNELS))
        raise ValueError(f"interpolation must be one of {names} or a Cubic, got {interpolation!r}")
    return KERNELS[interpolation]
