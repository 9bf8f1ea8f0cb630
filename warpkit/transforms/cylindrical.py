"""Cylindrical projections."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.maps import CYLINDRICAL
from ..kernels.stages import Stage
from .base import Transform, read_only
from .inverse import Inverse


class Cylindrical(Transform):
    """From the pixels of a cylinder, unrolled, to those of a flat picture that touches it in the centre's column.

    ``x = cx + f tan((u - cx) / f)``, ``y = cy + (v - cy) / cos((u - cx) / f)``: as the inverse map of a warp it projects a
    picture onto the cylinder, as for a panorama. A quarter turn from the centre and beyond it has no value (NaN).

    Parameters
    ----------
    focal_length : float
        Of the camera, and the cylinder's radius, in pixels; above 0.
    center : (2,)
        The camera's principal point (cx, cy), in pixels.

    Raises
    ------
    ValueError
        If a number is not finite or the focal length not positive.
    """

    _json_name = "cylindrical"

    def __init__(self, focal_length: float, center: ArrayLike) -> None:
        self.focal_length = checks.positive("focal_length", focal_length)
        self.center = read_only(checks.finite_array("center", center, (2,)))

    @property
    def inverse(self) -> Inverse:
        """From the flat picture to the cylinder, in closed form."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """The focal length and the centre: 3 numbers."""
        return read_only(np.array([self.focal_length, *self.center]))

    def with_params(self, params: ArrayLike) -> Cylindrical:
        focal_length, x, y = checks.finite_array("params", params, (3,))
        return Cylindrical(focal_length, (x, y))

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(CYLINDRICAL, self.params),)

    def _to_dict(self) -> dict[str, Any]:
        return {"focal_length": self.focal_length, "center": self.center.tolist()}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Cylindrical:
        return cls(fields["focal_length"], fields["center"])

    def __repr__(self) -> str:
        x, y = self.center.tolist()
        return f"Cylindrical({self.focal_length:.6g}, ({x:.6g}, {y:.6g}))"
