"""How much smaller a map makes the picture: whether antialiasing has anything to do, and how much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kernels.footprints import LARGEST_COUNT, SLACK
from .kernels.maps import AFFINE, PROJECTIVE
from .kernels.points import points_jacobian
from .kernels.stages import Pipeline, frozen

# Where the cost is estimated: so many points along each side of the output, of so many images.
_SIDE = 8
_IMAGES = 8


def may_shrink(pipeline: Pipeline, shape: tuple[int, int]) -> bool:
    """Whether a step of one output pixel may be longer than a source pixel; for maps but single matrices nothing is proven."""
    kind = pipeline.table[0, 0]
    if len(pipeline.table) > 1 or kind not in (AFFINE, PROJECTIVE):
        return True
    matrices = pipeline.params.reshape(-1, 2 if kind == AFFINE else 3, 3)
    steps = np.abs(matrices[:, :2, :2]) if kind == AFFINE else _largest_slopes(matrices, shape)
    # NaN, of points beyond the horizon, is not at most one
    return not bool((np.hypot(steps[:, 0], steps[:, 1]) <= 1.0 + SLACK / 2).all())


def _largest_slopes(matrices: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Bounds (N, 2, 2) of a homography's derivative (a - g u) / w over the output and one pixel around it.

    There w is least, and u and v are least and greatest, at corners. NaN where w is not positive throughout.
    """
    rows, columns = shape
    corners = np.array([(x, y, 1.0) for x in (-1, columns) for y in (-1, rows)])
    mapped = matrices @ corners.T
    w = mapped[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        points = np.where(w > 0, mapped[:, :2] / w, np.nan)
        slopes = matrices[:, :2, None, :2] - points[..., None] * matrices[:, 2, None, None, :2]
        bounds: NDArray[np.float64] = np.abs(slopes).max(axis=2) / w.min(axis=2)[..., None]
    return bounds


def mean_samples(pipeline: Pipeline, shape: tuple[int, int]) -> float:
    """Roughly how many samples a pixel takes."""
    rows, columns = shape
    x, y = np.meshgrid(np.linspace(0, columns - 1, _SIDE), np.linspace(0, rows - 1, _SIDE))
    points = frozen(np.column_stack([x.ravel(), y.ravel()]))
    images = np.unique(np.linspace(0, len(pipeline.params) - 1, _IMAGES).astype(int))
    jacobians = np.concatenate([points_jacobian(points, pipeline.table, frozen(pipeline.params[n])) for n in images])
    lengths = np.nan_to_num(np.hypot(jacobians[:, 0], jacobians[:, 1]), nan=1.0)
    return float(np.clip(np.ceil(lengths - SLACK), 1, LARGEST_COUNT).prod(axis=1).mean())
