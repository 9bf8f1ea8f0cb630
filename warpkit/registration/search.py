"""Where to begin: turns and sizes tried on the smallest pictures, each at the shift that its correlation is largest for."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .alignment import Refined, refine
from .equations import Measure
from .motions import MatrixMotion
from .pyramid import Level
from .result import Record


class Range(NamedTuple):
    """Turns and sizes to be tried, and how many of those that correlate best are refined."""

    degrees: tuple[float, ...]
    sizes: tuple[float, ...]
    best: int


NEAR = Range((0.0, -10.0, 10.0, -20.0, 20.0), (1.0, 0.85, 1.18), 4)
WIDE = Range(tuple(np.arange(0.0, 360.0, 10.0)), (1.0, 0.85, 1.18, 0.72, 1.4, 0.6, 1.65, 0.5, 2.0), 16)
# Of refinement.
_STEPS = 8
# A start whose pictures correlate so well after these steps needs no search.
_GOOD = 0.98
_TOLERANCE = 0.05  # pixels of the level


def first_motion(
    level: Level,
    start: MatrixMotion,
    model: str,
    around: Range,
    lights: NDArray[np.float64],
    measure: Measure,
    history: list[Record],
) -> Refined:
    """The start itself, or the best of what lies around it, refined by a simple model."""
    simple = model if model in ("translation", "euclidean") else "similarity"

    def refined(motion: MatrixMotion) -> tuple[Refined, list[Record]]:
        records: list[Record] = []
        return refine(level, motion.with_model(simple), lights, measure, _TOLERANCE, _STEPS, records), records

    found = [refined(start)]
    if not (found[0][0].settled and found[0][0].fit.correlation >= _GOOD):
        degrees = (0.0,) if model == "translation" else around.degrees
        sizes = around.sizes if simple == "similarity" else (1.0,)
        turned = [start.after(_turn(*change)) for change in product(degrees, sizes)]
        tried = sorted((_best_shift(level, motion) for motion in turned), key=lambda shifted: -shifted[0])
        found += [refined(motion) for _, motion in tried[: around.best]]
    best, records = max(found, key=lambda pair: pair[0].fit.correlation)
    history.extend(records)
    return best


def _turn(degrees: float, size: float) -> NDArray[np.float64]:
    angle = np.radians(degrees)
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _best_shift(level: Level, motion: MatrixMotion) -> tuple[float, MatrixMotion]:
    """The largest correlation over all shifts, of pictures that are 0 beyond their borders, and the motion after the shift."""
    warped = _about_mean(level.warped(motion.at(level.scale)))
    shape = tuple(2 * n for n in level.shape)
    spectra = np.fft.rfft2(warped, shape) * np.conj(np.fft.rfft2(_about_mean(level.fixed), shape))
    products = np.fft.irfft2(spectra, shape).sum(axis=0)
    place = np.unravel_index(np.argmax(products), shape)
    dy, dx = (int(n) - size if n > size // 2 else int(n) for n, size in zip(place, shape, strict=True))
    shift = np.array([[1, 0, dx * level.scale], [0, 1, dy * level.scale], [0, 0, 1.0]])
    quality = products[place] / np.sqrt((warped**2).sum() + 1e-30)
    return float(quality), MatrixMotion(motion.matrix @ shift, motion.generators, motion.shape)


def _about_mean(planes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each plane less its mean, 0 where it is not known."""
    known = ~np.isnan(planes)
    counts = np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
    means = np.where(known, planes, 0).sum(axis=(1, 2), keepdims=True, dtype=np.float64) / counts
    return np.where(known, planes - means, 0.0)
