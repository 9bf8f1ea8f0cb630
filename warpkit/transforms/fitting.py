"""What the fits of several families share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks


def normalising_matrix(name: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """3 x 3 matrix that moves points' centre to the origin and their mean distance from it to sqrt(2) (Hartley 1997)."""
    centre = points.mean(axis=0)
    distance = np.hypot(*(points - centre).T).mean()
    if not distance > 1e-12 * max(1.0, np.abs(centre).max()):
        raise ValueError(f"{name} must not be one single point, got {len(points)} times {points[0].tolist()}")
    scale = np.sqrt(2) / distance
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])


def weighted_pairs(
    src: ArrayLike, dst: ArrayLike, weights: ArrayLike | None, minimum: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Corresponding points (n, 2) and their weights (n,), at least ``minimum`` of them above 0; the others are left out."""
    src, dst = checks.point_pairs(src, dst, minimum)
    if weights is None:
        return src, dst, np.ones(len(src))
    array = checks.finite_array("weights", weights, (len(src),))
    if (array < 0).any():
        raise ValueError(f"weights must not be negative, got {array.min():g}")
    taken = array > 0
    if taken.sum() < minimum:
        raise ValueError(f"weights must be above 0 for at least {minimum} points, got {taken.sum()}")
    return src[taken], dst[taken], array[taken] / array.max()


def affine_fit(src: NDArray[np.float64], dst: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the affine least-squares fit."""
    normalise = normalising_matrix("src", src)
    roots = np.sqrt(weights)[:, None]
    design = roots * (np.column_stack([src, np.ones(len(src))]) @ normalise.T)
    singular_values = np.linalg.svd(design, compute_uv=False)
    if singular_values[-1] <= checks.SINGULAR * singular_values[0]:
        raise ValueError("src must not lie on one line")
    solution = np.linalg.lstsq(design, roots * dst, rcond=None)[0]
    return np.asarray(solution.T @ normalise, dtype=np.float64)


def similarity_fit(
    src: NDArray[np.float64], dst: NDArray[np.float64], weights: NDArray[np.float64], *, keeps_size: bool
) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the least-squares fit among turns, shifts and, unless ``keeps_size``, scalings.

    Umeyama (1991), whose singular value decomposition is a quotient of complex numbers in the plane.
    """
    src_mean, dst_mean = np.average(src, axis=0, weights=weights), np.average(dst, axis=0, weights=weights)
    from_mean, to_mean = src - src_mean, dst - dst_mean
    aligned = (weights * (from_mean * to_mean).sum(axis=1)).sum()
    across = (weights * (from_mean[:, 0] * to_mean[:, 1] - from_mean[:, 1] * to_mean[:, 0])).sum()
    src_spread = np.sqrt((weights[:, None] * from_mean**2).sum())
    dst_spread = np.sqrt((weights[:, None] * to_mean**2).sum())
    normalising_matrix("src", src)  # refuses one single point
    normalising_matrix("dst", dst)
    correlation = np.hypot(aligned, across)
    if correlation <= checks.SINGULAR * src_spread * dst_spread:
        raise ValueError("src and dst do not determine a rotation: no turn is better than the opposite one")
    size = correlation if keeps_size else src_spread**2
    cos, sin = aligned / size, across / size
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, dst_mean - linear @ src_mean])
