"""How much smaller a map makes the picture: whether antialiasing has anything to do, and how much."""

from __future__ import annotations

import numpy as np

from .kernels.footprints import LARGEST_COUNT, SLACK
from .kernels.points import points_jacobian
from .kernels.stages import Pipeline, frozen
from .kernels.stretch import may_stretch

# Where the cost is estimated: so many points along each side of the output, of so many images.
_SIDE = 8
_IMAGES = 8


def may_shrink(pipeline: Pipeline, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> bool:
    """Whether a step of one pixel of an output, or of a part that begins at its pixel ``origin``, may be longer than a source
    pixel; see :mod:`kernels.stretch` for what is proven."""
    return bool(may_stretch(pipeline.table, frozen(pipeline.params), *shape, *origin))


def mean_samples(pipeline: Pipeline, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> float:
    """Roughly how many samples a pixel takes."""
    (row, column), (rows, columns) = origin, shape
    x, y = np.meshgrid(column + np.linspace(0, columns - 1, _SIDE), row + np.linspace(0, rows - 1, _SIDE))
    points = frozen(np.column_stack([x.ravel(), y.ravel()]))
    images = np.unique(np.linspace(0, len(pipeline.params) - 1, _IMAGES).astype(int))
    jacobians = np.concatenate([points_jacobian(points, pipeline.table, frozen(pipeline.params[n])) for n in images])
    lengths = np.nan_to_num(np.hypot(jacobians[:, 0], jacobians[:, 1]), nan=1.0)
    return float(np.clip(np.ceil(lengths - SLACK), 1, LARGEST_COUNT).prod(axis=1).mean())
