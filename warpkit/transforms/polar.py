"""Polar and log-polar pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import POLAR
from ..kernels.stages import Stage
from .base import Transform, read_only
from .inverse import Inverse

# What is taken from the exponential of a column.
_OFFSETS = {"linear": 0.0, "log": 0.0, "log1p": 1.0}


class Polar(Transform):
    """From the pixels of a polar picture, (column = radius, row = angle), to the points of the picture it is made from.

    As the inverse map of a warp it unrolls a disc; its inverse rolls it up again. Row 0 holds the ray from the centre to the
    right; the angle grows from x to y, clockwise on a screen, by a full turn over all rows.

    Parameters
    ----------
    center : (2,)
        (x, y) in pixels.
    radius : float
        What the column after the last stands for, in pixels; above 0, in logarithms above 1.
    output_shape : (rows, columns)
        Of the polar picture.
    spacing : {"linear", "log", "log1p"}
        The radius at column c of C: ``radius c / C``; ``radius^(c / C)``, which begins at 1 pixel; or ``radius^(c / C) - 1``,
        which begins at the centre.

    Raises
    ------
    ValueError
        For numbers that are not finite, another spacing, or a radius that is too small.

    Notes
    -----
    scikit-image's ``warp_polar`` has "linear" and, for ``scaling="log"``, "log"; OpenCV's ``warpPolar`` has "linear" and, for
    ``WARP_POLAR_LOG``, "log1p".

    The inverse is cut along the ray to the right of the centre: its rows are at least 0 and below their number. It is in closed
    form, and has no value at the centre for "log" and no derivative there for any spacing.
    A warp with ``antialias`` takes the jump at the cut for a footprint, and smears the pixels along it.
    """

    _json_name = "polar"

    def __init__(self, center: ArrayLike, radius: float, output_shape: tuple[int, int], spacing: str = "linear") -> None:
        self.center = read_only(checks.finite_array("center", center, (2,)))
        self.radius = checks.finite_number("radius", radius)
        self.output_shape = checks.shape_2d("output_shape", output_shape)
        if spacing not in _OFFSETS:
            raise ValueError(f"spacing must be one of {', '.join(map(repr, _OFFSETS))}, got {spacing!r}")
        self.spacing = spacing
        smallest = 0 if spacing == "linear" else 1
        if not self.radius > smallest:
            raise ValueError(f"radius must be above {smallest} for {spacing} spacing, got {self.radius:g}")

    @property
    def inverse(self) -> Inverse:
        """From the points of a picture to (column = radius, row = angle)."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """The centre and the radius: 3 numbers."""
        return read_only(np.array([*self.center, self.radius]))

    def with_params(self, params: ArrayLike) -> Polar:
        x, y, radius = checks.finite_array("params", params, (3,))
        return Polar((x, y), radius, self.output_shape, self.spacing)

    def _stages(self) -> tuple[Stage, ...]:
        rows, columns = self.output_shape
        is_log = self.spacing != "linear"
        growth = (math.log(self.radius) if is_log else self.radius) / columns
        packed = np.array([*self.center, growth, 2 * math.pi / rows, _OFFSETS[self.spacing], is_log])
        return (Stage(POLAR, packed),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        growth_by_radius = (1 if self.spacing == "linear" else 1 / self.radius) / self.output_shape[1]
        return packed[:, :3] * [1, 1, growth_by_radius]

    def _to_dict(self) -> dict[str, Any]:
        return {
            "center": self.center.tolist(),
            "radius": self.radius,
            "output_shape": list(self.output_shape),
            "spacing": self.spacing,
        }

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Polar:
        return cls(fields["center"], fields["radius"], fields["output_shape"], fields["spacing"])

    def __repr__(self) -> str:
        x, y = self.center.tolist()
        return f"Polar(({x:.6g}, {y:.6g}), {self.radius:.6g}, {self.output_shape}, {self.spacing!r})"
