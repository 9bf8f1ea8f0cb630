"""Geometry as values: maps of points in pixels, without pixels."""

from .affine import Affine
from .base import Transform, transform_from_json
from .composition import Composition
from .displacement import DisplacementField
from .inverse import Inverse
from .projective import Projective
from .thin_plate import ThinPlateSpline

__all__ = [
    "Affine",
    "Composition",
    "DisplacementField",
    "Inverse",
    "Projective",
    "ThinPlateSpline",
    "Transform",
    "transform_from_json",
]
