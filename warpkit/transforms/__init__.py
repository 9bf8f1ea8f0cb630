"""Geometry as values: maps of points in pixels, without pixels."""

from .affine import Affine
from .base import Transform, transform_from_json
from .composition import Composition
from .cylindrical import Cylindrical
from .displacement import DisplacementField
from .inverse import Inverse
from .lens import BrownConrady, Fisheye
from .piecewise_affine import PiecewiseAffine
from .polar import Polar
from .polynomial import Polynomial
from .projective import Projective
from .swirl import Swirl
from .thin_plate import ThinPlateSpline

__all__ = [
    "Affine",
    "BrownConrady",
    "Composition",
    "Cylindrical",
    "DisplacementField",
    "Fisheye",
    "Inverse",
    "PiecewiseAffine",
    "Polar",
    "Polynomial",
    "Projective",
    "Swirl",
    "ThinPlateSpline",
    "Transform",
    "transform_from_json",
]
