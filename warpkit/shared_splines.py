"""Many thin-plate splines on one set of control points and one small canvas: then they are one matrix product.

The point that a pixel is sent to is linear in the values of the spline. Its factors depend on the control points and the pixel
alone: computed once, they serve all splines of a batch, and all batches, instead of a logarithm for each point and pixel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .transforms import ThinPlateSpline

# Factors that are kept, per canvas: 16 MB. Larger canvases have no grid in memory, and the kernels' own splines.
_LARGEST_BASIS = 2 * 2**20


def is_small(points: int, output_shape: tuple[int, int]) -> bool:
    """Whether splines through so many control points should be computed by :class:`SharedSplines` on this canvas."""
    return points * output_shape[0] * output_shape[1] <= _LARGEST_BASIS


class SharedSplines:
    """Splines through ``control_points`` (K, 2), in pixels, on the pixels of a canvas (rows, columns)."""

    def __init__(self, control_points: NDArray[np.float64], output_shape: tuple[int, int]) -> None:
        self._shape = output_shape
        self._basis = _basis(np.ascontiguousarray(control_points).tobytes(), output_shape)

    def grid(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points (N, rows, columns, 2) of splines by their values (N, K, 2)."""
        return (self._basis @ values).reshape(-1, *self._shape, 2)

    def pull(self, grad_grid: NDArray[Any]) -> NDArray[np.float64]:
        """The gradient of the values (N, K, 2), from that of the points (N, rows, columns, 2)."""
        flat = grad_grid.reshape(len(grad_grid), -1, 2).astype(np.float64)
        return np.asarray(self._basis.T @ flat)


@lru_cache(maxsize=8)
def _basis(control_points: bytes, output_shape: tuple[int, int]) -> NDArray[np.float64]:
    """(rows * columns, K): column k holds what a spline gives whose value is 1 at control point k and 0 at the others."""
    points = np.frombuffer(control_points).reshape(-1, 2)
    rows, columns = output_shape
    pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(np.float64)
    spline = ThinPlateSpline(points, points)
    units = np.eye(len(points))
    basis = np.stack([spline.with_params(np.repeat(unit, 2))(pixels)[:, 0] for unit in units], axis=1)
    basis.flags.writeable = False
    return basis
