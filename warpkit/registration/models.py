"""The motions that a picture may have: groups of matrices, by what generates them.

A step is a small motion of the fixed picture's points, applied first: ``matrix @ expm(sum of step_i generator_i)``. So each
model stays what it is: a product of turns is a turn. Coordinates are normalised, about the picture's centre, so that each
number of a step moves the rim by about as many of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def _unit(*entries: tuple[int, int, float]) -> Matrix:
    generator = np.zeros((3, 3))
    for row, column, value in entries:
        generator[row, column] = value
    return generator


_SHIFTS = [_unit((0, 2, 1)), _unit((1, 2, 1))]
_TURN, _GROWTH = _unit((0, 1, -1), (1, 0, 1)), _unit((0, 0, 1), (1, 1, 1))
_LINEAR = [_unit((0, 0, 1)), _unit((0, 1, 1)), _unit((1, 0, 1)), _unit((1, 1, 1))]

# (P, 3, 3) for each model; those that a search from afar may begin with come before it.
GENERATORS: dict[str, NDArray[np.float64]] = {
    "translation": np.stack(_SHIFTS),
    "euclidean": np.stack([*_SHIFTS, _TURN]),
    "similarity": np.stack([*_SHIFTS, _TURN, _GROWTH]),
    "affine": np.stack([*_SHIFTS, *_LINEAR]),
    "projective": np.stack([*_SHIFTS, *_LINEAR, _unit((2, 0, 1)), _unit((2, 1, 1))]),
}


def normalising(shape: tuple[int, int]) -> Matrix:
    """From pixels of a picture to coordinates about its centre, whose half diagonal is 1."""
    rows, columns = shape
    scale = 2 / np.hypot(rows, columns)
    return np.array([[scale, 0, -scale * (columns - 1) / 2], [0, scale, -scale * (rows - 1) / 2], [0, 0, 1]])


def displacements(generators: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How each generator moves normalised points (n, 2): (P, 2, n)."""
    homogeneous = np.stack([*points.T, np.ones(len(points))])
    moved = np.einsum("pij,jn->pin", generators, homogeneous)
    if generators[:, 2].any():
        moved[:, :2] -= moved[:, 2:] * homogeneous[:2]
    return np.asarray(moved[:, :2])


def exponential(matrix: Matrix) -> Matrix:
    """The matrix exponential, by its series for a part small enough and squaring."""
    halvings = max(0, int(np.ceil(np.log2(max(np.abs(matrix).sum(), 1e-9)))) + 6)
    part = matrix / 2.0**halvings
    result = term = np.eye(3)
    for n in range(1, 8):
        term = term @ part / n
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result
