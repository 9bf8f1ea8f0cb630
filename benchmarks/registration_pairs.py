"""Pairs of pictures whose motion is known, made without warpkit: by SciPy's cubic splines.

Both pictures are views of a larger photograph, so that the fixed one shows what the moving one does not. Their lights and noise
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.ndimage
import skimage.color
import skimage.data
from numpy.typing import NDArray

PICTURES = ("astronaut", "chelsea", "coffee", "camera", "rocket", "immunohistochemistry")
MARGIN = 0.125  # of each side of the photograph, around the moving picture
MOST_DEGREES, MOST_SHIFT, MOST_SCALE = 15.0, 0.1, 1.2
MOST_SHEAR, MOST_ASPECT, MOST_PERSPECTIVE = 5.0, 1.05, 0.03
NOISE = (1.0, 3.0)  # standard deviations, in grey levels


@dataclass(frozen=True)
class Pair:
    """``matrix`` (3, 3) takes pixels of ``fixed`` to points of ``moving``."""

    picture: str
    moving: NDArray[np.uint8]
    fixed: NDArray[np.uint8]
    matrix: NDArray[np.float64]


@cache
def photograph(name: str) -> NDArray[np.float64]:
    """Grey, 0 to 255."""
    picture = np.asarray(getattr(skimage.data, name)())
    return 255 * skimage.color.rgb2gray(picture) if picture.ndim == 3 else picture.astype(float)


def random_matrix(model: str, shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float64]:
    """A motion of the model about the centre of a picture: turns, scales and shifts as far as the constants above say."""
    rows, columns = shape
    to_centre = np.array([[1, 0, -(columns - 1) / 2], [0, 1, -(rows - 1) / 2], [0, 0, 1]])
    matrix = np.eye(3)
    if model != "translation":
        angle = np.radians(random.uniform(-MOST_DEGREES, MOST_DEGREES))
        matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    if model not in ("translation", "euclidean"):
        matrix[:2, :2] *= MOST_SCALE ** random.uniform(-1, 1)
    if model in ("affine", "projective"):
        shear = np.tan(np.radians(random.uniform(-MOST_SHEAR, MOST_SHEAR)))
        aspect = MOST_ASPECT ** random.uniform(-0.5, 0.5)
        matrix[:2, :2] @= np.array([[aspect, shear], [0, 1 / aspect]])
    if model == "projective":
        matrix[2, :2] = random.uniform(-1, 1, 2) * 2 * MOST_PERSPECTIVE / np.hypot(rows, columns)
    shift = np.eye(3)
    shift[:2, 2] = random.uniform(-MOST_SHIFT, MOST_SHIFT, 2) * columns
    matrix = np.linalg.inv(to_centre) @ shift @ matrix @ to_centre
    return matrix / matrix[2, 2]


def apply(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    return homogeneous[..., :2] / homogeneous[..., 2:]


def grid(shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).astype(float)


def with_noise(picture: NDArray[np.float64], sigma: float, random: np.random.Generator) -> NDArray[np.uint8]:
    return np.rint(picture + sigma * random.normal(size=picture.shape)).clip(0, 255).astype(np.uint8)


def view(name: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The photograph at points (rows, columns, 2) of the moving picture, beyond its border mirrored."""
    whole = photograph(name)
    corner = moving_corner(name)
    y, x = points[..., 1] + corner[0], points[..., 0] + corner[1]
    return scipy.ndimage.map_coordinates(whole, [y, x], order=3, mode="mirror")


def moving_corner(name: str) -> tuple[int, int]:
    rows, columns = photograph(name).shape
    return round(MARGIN * rows), round(MARGIN * columns)


def moving_shape(name: str) -> tuple[int, int]:
    (rows, columns), (top, left) = photograph(name).shape, moving_corner(name)
    return rows - 2 * top, columns - 2 * left


def lit(picture: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """With another gain and bias, within 0 to 255."""
    gain, bias = random.uniform(0.7, 1.0), random.uniform(0, 30)
    return gain * picture + bias


def pairs(model: str, count: int, seed: int) -> Iterator[Pair]:
    """``count`` pairs of a model, picture by picture in turn; the noise of each within ``NOISE``."""
    random = np.random.default_rng(seed)
    for n in range(count):
        name = PICTURES[n % len(PICTURES)]
        shape = moving_shape(name)
        matrix = random_matrix(model, shape, random)
        moving = with_noise(view(name, grid(shape)), random.uniform(*NOISE), random)
        fixed = with_noise(lit(view(name, apply(matrix, grid(shape))), random), random.uniform(*NOISE), random)
        yield Pair(name, moving, fixed, matrix)


def corner_error(found: NDArray[np.float64], truth: NDArray[np.float64], shape: tuple[int, int]) -> float:
    """Root mean square distance at the fixed picture's corners, in pixels."""
    rows, columns = shape
    corners = np.array([(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)], dtype=float)
    return float(np.sqrt(((apply(found, corners) - apply(truth, corners)) ** 2).sum(axis=1).mean()))
