"""Geometry as values: maps of points in pixels, without pixels."""

from .affine import Affine
from .base import Transform, transform_from_json
from .composition import Composition
from .displacement import DisplacementField
from .inverse import Inverse
from .polar import Polar
from .projective import Projective
from .thin_plate import ThinPlateSpline

__all__ = [
    "Affine",
    "Composition",
    "DisplacementField",
    "Inverse",
    "Polar",
    "Projective",
    "ThinPlateSpline",
    "Transform",
    "transform_from_json",
]
