"""Pairs of pictures whose registration may well fail: are failures said to be such?

Views of photographs by SciPy as in :mod:`benchmarks.registration_pairs`, an affine motion each, with one thing that is worse;
of "unrelated" ones nothing is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from . import registration_pairs as made

Picture = NDArray[np.float64]
Matrix = NDArray[np.float64]
Random = np.random.Generator

TEXTURES = ("brick", "grass", "gravel")
SMALL = 96  # pixels a side


@dataclass(frozen=True)
class Views:
    """Both pictures before their noise, and the matrix from ``fixed`` to ``moving``; NaN where no motion is right."""

    moving: Picture
    fixed: Picture
    matrix: Matrix
    noise: float = 2.0


def _views(name: str, matrix: Matrix, random: Random) -> Views:
    grid = made.grid(made.moving_shape(name))
    fixed = made.lit(made.view(name, made.apply(matrix, grid)), random)
    return Views(made.view(name, grid), fixed, matrix)


def _usual(name: str, random: Random) -> Views:
    return _views(name, made.random_matrix("affine", made.moving_shape(name), random), random)


def _far(name: str, degrees: float, size: float, shift: tuple[float, float], random: Random) -> Views:
    """About the centre; the shift as a part of the width."""
    rows, columns = made.moving_shape(name)
    angle, centre = np.radians(degrees), np.array([(columns - 1) / 2, (rows - 1) / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix[:2, 2] = centre - matrix[:2, :2] @ centre + np.array(shift) * columns
    return _views(name, matrix, random)


def _either_sign(least: float, most: float, random: Random) -> float:
    return float(random.choice([-1, 1]) * random.uniform(least, most))


def noise(name: str, random: Random) -> Views:
    return replace(_usual(name, random), noise=random.uniform(5, 40))


def turned(name: str, random: Random) -> Views:
    return _far(name, _either_sign(20, 60, random), 1.0, (0, 0), random)


def sized(name: str, random: Random) -> Views:
    return _far(name, 0.0, np.exp(_either_sign(np.log(1.2), np.log(1.6), random)), (0, 0), random)


def shifted(name: str, random: Random) -> Views:
    angle, length = random.uniform(0, 2 * np.pi), random.uniform(0.2, 0.4)
    return _far(name, 0.0, 1.0, (length * np.cos(angle), length * np.sin(angle)), random)


def blurred(name: str, random: Random) -> Views:
    """One by a lens that is out of focus."""
    views = _usual(name, random)
    return replace(views, fixed=scipy.ndimage.gaussian_filter(views.fixed, random.uniform(1, 4)))


def aliased(name: str, random: Random) -> Views:
    """Every third pixel of one, means of three by three of the other."""
    views = _usual(name, random)
    step = np.diag([3.0, 3.0, 1.0])
    matrix = np.linalg.inv(step) @ views.matrix @ step
    moving = scipy.ndimage.uniform_filter(views.moving, 3)[::3, ::3]
    return Views(moving, views.fixed[::3, ::3], matrix)


def hidden(name: str, random: Random) -> Views:
    """A fifth to a half of one lies under another photograph."""
    views, other = _usual(name, random), made.photograph(_other(name))
    rows, columns = views.fixed.shape
    height, width = (round(side * np.sqrt(random.uniform(0.2, 0.5))) for side in (rows, columns))
    height, width = min(height, len(other)), min(width, other.shape[1])
    top, left = random.integers(0, rows - height + 1), random.integers(0, columns - width + 1)
    fixed = views.fixed.copy()
    fixed[top : top + height, left : left + width] = other[:height, :width]
    return replace(views, fixed=fixed)


def two_motions(name: str, random: Random) -> Views:
    """The lower two fifths of one go their own way, by up to a twentieth of the width."""
    views = _usual(name, random)
    rows, columns = views.fixed.shape
    own = views.matrix.copy()
    own[:2, 2] += random.uniform(-0.05, 0.05, 2) * columns
    split, fixed = round(0.6 * rows), views.fixed.copy()
    fixed[split:] = made.view(name, made.apply(own, made.grid(fixed.shape)[split:]))
    return replace(views, fixed=fixed)


def gamma(name: str, random: Random) -> Views:
    views = _usual(name, random)
    power = np.exp(_either_sign(np.log(1.5), np.log(3), random))
    return replace(views, fixed=255 * (views.fixed / 255).clip(0, 1) ** power)


def saturated(name: str, random: Random) -> Views:
    """Half to nine tenths of one are white."""
    views = _usual(name, random)
    return replace(views, fixed=views.fixed * 255 / np.quantile(views.fixed, random.uniform(0.1, 0.5)))


def small(name: str, random: Random) -> Views:
    """Windows of ``SMALL`` pixels a side, of both at about one place of the photograph."""
    matrix = _usual(name, random).matrix
    rows, columns = made.moving_shape(name)
    top, left = int(random.integers(0, rows - SMALL + 1)), int(random.integers(0, columns - SMALL + 1))
    centre = np.array([left + SMALL / 2, top + SMALL / 2])
    matrix[:2, 2] += centre + random.uniform(-0.1, 0.1, 2) * SMALL - made.apply(matrix, centre)
    views = _views(name, matrix, random)
    window, to_window = (slice(top, top + SMALL), slice(left, left + SMALL)), np.eye(3)
    to_window[:2, 2] = -left, -top
    return Views(views.moving[window], views.fixed[window], to_window @ matrix @ np.linalg.inv(to_window))


def repeating(name: str, random: Random) -> Views:
    return _usual(TEXTURES[made.PICTURES.index(name) % len(TEXTURES)], random)


def unrelated(name: str, random: Random) -> Views:
    one, other = _usual(name, random), _usual(_other(name), random)
    return Views(one.moving, other.fixed, np.full((3, 3), np.nan))


def _other(name: str) -> str:
    names = made.PICTURES
    return names[(names.index(name) + 1) % len(names)]


KINDS: dict[str, Callable[[str, Random], Views]] = {
    "noise": noise,
    "turned": turned,
    "sized": sized,
    "shifted": shifted,
    "blurred": blurred,
    "aliased": aliased,
    "hidden": hidden,
    "two motions": two_motions,
    "gamma": gamma,
    "saturated": saturated,
    "small": small,
    "repeating": repeating,
    "unrelated": unrelated,
}


def pairs(kind: str, count: int, seed: int) -> Iterator[made.Pair]:
    """``count`` pairs of a kind, picture by picture in turn."""
    random = np.random.default_rng(seed)
    for n in range(count):
        name = made.PICTURES[n % len(made.PICTURES)]
        views = KINDS[kind](name, random)
        moving, fixed = (made.with_noise(picture, views.noise, random) for picture in (views.moving, views.fixed))
        yield made.Pair(name, moving, fixed, views.matrix)
