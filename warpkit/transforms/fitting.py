"""What the fits of several families share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def normalising_matrix(name: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """3 x 3 matrix that moves points' centre to the origin and their mean distance from it to sqrt(2) (Hartley 1997)."""
    centre = points.mean(axis=0)
    distance = np.hypot(*(points - centre).T).mean()
    if not distance > 1e-12 * max(1.0, np.abs(centre).max()):
        raise ValueError(f"{name} must not be one single point, got {len(points)} times {points[0].tolist()}")
    scale = np.sqrt(2) / distance
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
