"""Geometry as values: maps of points in pixels, without pixels."""

from .affine import Affine
from .base import Transform, transform_from_json
from .composition import Composition
from .cylindrical import Cylindrical
from .displacement import DisplacementField
from .inverse import Inverse
from .polar import Polar
from .projective import Projective
from .swirl import Swirl
from .thin_plate import ThinPlateSpline

__all__ = [
    "Affine",
    "Composition",
    "Cylindrical",
    "DisplacementField",
    "Inverse",
    "Polar",
    "Projective",
    "Swirl",
    "ThinPlateSpline",
    "Transform",
    "transform_from_json",
]
