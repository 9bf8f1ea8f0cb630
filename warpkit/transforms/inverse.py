"""Inverses that are not a map of the same family."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels.maps import BROWN_CONRADY, CYLINDRICAL, DISPLACEMENT, FISHEYE, POLAR, POLYNOMIAL, THIN_PLATE
from ..kernels.stages import Stage
from .base import Transform, from_fields, to_fields

_KINDS = (THIN_PLATE, DISPLACEMENT, POLAR, CYLINDRICAL, BROWN_CONRADY, FISHEYE, POLYNOMIAL)


class Inverse(Transform):
    """The inverse of a map whose family does not hold it.

    Polar and cylindrical maps have a formula; for the others it is found by Newton's method at each point.

    By Newton's method, a point is found when the original map sends it to within 1e-8 pixels (times the coordinates' magnitude
    beyond 1,000 pixels) of where it should go. Where none is found, because the map folds there or does not reach the point,
    the value is NaN: in a warp such a pixel is outside the image and gets ``cval``. Where the map folds, one of the several
    points is found.

    Parameters
    ----------
    original : ThinPlateSpline, DisplacementField, Polar, Cylindrical, BrownConrady, Fisheye or Polynomial
        Usually written ``original.inverse``.
    """

    _json_name = "inverse"

    def __init__(self, original: Transform) -> None:
        if not isinstance(original, Transform):
            raise TypeError(f"original must be a transform, got {type(original).__name__}")
        if [stage.kind for stage in original._stages()] not in [[kind] for kind in _KINDS]:
            raise TypeError(f"original must be of a family that does not hold its inverses, got {type(original).__name__}")
        self.original = original

    @property
    def inverse(self) -> Transform:
        return self.original

    @property
    def params(self) -> NDArray[np.float64]:
        """The parameters of the original map."""
        return self.original.params

    def with_params(self, params: ArrayLike) -> Inverse:
        return Inverse(self.original.with_params(params))

    def _stages(self) -> tuple[Stage, ...]:
        (stage,) = self.original._stages()
        return (Stage(-stage.kind, stage.params),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.original.pull_packed(packed)

    def _to_dict(self) -> dict[str, Any]:
        return {"of": to_fields(self.original)}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Inverse:
        return cls(from_fields(fields["of"]))

    def __repr__(self) -> str:
        return f"{self.original!r}.inverse"
