"""Swirls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import SWIRL
from ..kernels.stages import Stage
from .base import Transform, read_only


class Swirl(Transform):
    """A turn about a centre that fades away from it: by ``rotation + strength exp(-r / s)`` at distance r, s = radius ln 2 / 5.

    Parameters
    ----------
    center : (2,)
        (x, y) in pixels.
    strength : float
        The turn at the centre, in radians; as a motion of points, positive is clockwise on a screen.
    radius : float
        Where the swirl has faded to about a thousandth, in pixels; above 0.
    rotation : float, default 0
        The turn of the whole plane, in radians.

    Raises
    ------
    ValueError
        If a number is not finite or the radius not positive.

    Notes
    -----
    The inverse map of scikit-image's ``swirl`` with the same arguments. Its inverse is the swirl of the opposite turns.
    """

    _json_name = "swirl"

    def __init__(self, center: ArrayLike, strength: float, radius: float, rotation: float = 0.0) -> None:
        self.center = read_only(checks.finite_array("center", center, (2,)))
        self.strength = checks.finite_number("strength", strength)
        self.radius = checks.positive("radius", radius)
        self.rotation = checks.finite_number("rotation", rotation)

    @property
    def inverse(self) -> Swirl:
        return Swirl(self.center, -self.strength, self.radius, -self.rotation)

    @property
    def params(self) -> NDArray[np.float64]:
        """The centre, the strength, the radius and the rotation: 5 numbers."""
        return read_only(np.array([*self.center, self.strength, self.radius, self.rotation]))

    def with_params(self, params: ArrayLike) -> Swirl:
        x, y, strength, radius, rotation = checks.finite_array("params", params, (5,))
        return Swirl((x, y), strength, radius, rotation)

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(SWIRL, self.params),)

    def _to_dict(self) -> dict[str, Any]:
        return {
            "center": self.center.tolist(),
            "strength": self.strength,
            "radius": self.radius,
            "rotation": self.rotation,
        }

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Swirl:
        return cls(fields["center"], fields["strength"], fields["radius"], fields["rotation"])

    def __repr__(self) -> str:
        x, y = self.center.tolist()
        return f"Swirl(({x:.6g}, {y:.6g}), {self.strength:.6g}, {self.radius:.6g}, {self.rotation:.6g})"
