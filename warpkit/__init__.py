"""warpkit: fast, exact image warps with Numba.

Convention: points are (x, y) = (column, row) in pixels, the centre of the top-left pixel is (0, 0), y points down. A warp takes
an *inverse map*, which sends a pixel of the output to the point of the image it is sampled from. ``T1 @ T2`` applies ``T2``
first. Other conventions are translated in :mod:`warpkit.conventions`.
"""

from . import conventions
from .derivatives import NormalEquations, sample_vjp, warp_batch_vjp, warp_normal_equations, warp_vjp
from .interpolations import Cubic
from .moving import warp_boxes, warp_mask, warp_points, warp_polygons
from .parts import source_window, warp_part
from .registration import Registration, register
from .threads import get_num_threads, set_num_threads
from .transforms import (
    Affine,
    BrownConrady,
    Composition,
    Cylindrical,
    DisplacementField,
    Fisheye,
    Inverse,
    PiecewiseAffine,
    Polar,
    Polynomial,
    Projective,
    Swirl,
    ThinPlateSpline,
    Transform,
    transform_from_json,
)
from .version import __version__
from .warping import sample, sampling_grid, warp, warp_batch
from .weighted import Weighted, warp_alpha, warp_weighted

__all__ = [
    "Affine",
    "BrownConrady",
    "Composition",
    "Cubic",
    "Cylindrical",
    "DisplacementField",
    "Fisheye",
    "Inverse",
    "NormalEquations",
    "PiecewiseAffine",
    "Polar",
    "Polynomial",
    "Projective",
    "Registration",
    "Swirl",
    "ThinPlateSpline",
    "Transform",
    "Weighted",
    "__version__",
    "conventions",
    "get_num_threads",
    "register",
    "sample",
    "sample_vjp",
    "sampling_grid",
    "set_num_threads",
    "source_window",
    "transform_from_json",
    "warp",
    "warp_alpha",
    "warp_batch",
    "warp_batch_vjp",
    "warp_boxes",
    "warp_mask",
    "warp_normal_equations",
    "warp_part",
    "warp_points",
    "warp_polygons",
    "warp_vjp",
    "warp_weighted",
]
