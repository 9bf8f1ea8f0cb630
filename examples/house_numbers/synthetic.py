"""Synthetic house numbers: one to five hand-written digits in a row, scaled, turned and sheared, on clutter.

They stand in for Street View House Numbers, which cannot be shipped; svhn.py reads the real ones.
"""

from __future__ import annotations

import numpy as np

import warpkit as wk

LONGEST = 5
NONE = 10  # the label of a place without a digit
_STEP = 17  # from one digit to the next, of 28 x 28 with a margin of 4
_WIDTH = 28 + (LONGEST - 1) * _STEP
# In pixels, whatever the size of the picture: as if it were a closer or a wider crop of one photograph.
_LARGEST_WIDTH, _LARGEST_SHIFT = 58.0, 24.0
_SMALLEST_SCALE, _LARGEST_SCALE = 0.55, 1.3
_PATCHES, _PATCH = 10, 10
_WAVES = 4


def house_numbers(
    digits: np.ndarray, labels: np.ndarray, count: int, side: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pictures (count, side, side) uint8, and the digits (count, 5) that they show, ``NONE`` behind the last.

    ``digits`` (N, 28, 28) uint8 of ``labels`` (N,) are drawn at random.
    """
    rows, numbers, lengths = _digits_in_rows(digits, labels, count, random)
    masks = wk.warp_batch(rows, _places(lengths, side, random), (side, side)).astype(np.float32) / 255
    background = _clutter(digits, count, side, random)
    # bright on dark or dark on bright, never too faint to read
    is_bright = random.random((count, 1, 1)) < 0.5
    contrast = np.where(is_bright, 1, -1) * random.uniform(70, 140, (count, 1, 1))
    level = np.where(is_bright, random.uniform(20, 90, (count, 1, 1)), random.uniform(165, 235, (count, 1, 1)))
    contrast, level = contrast.astype(np.float32), level.astype(np.float32)
    pictures = level + background + masks * (contrast - background)
    pictures += 4 * random.standard_normal(pictures.shape, np.float32)
    return np.clip(np.round(pictures), 0, 255).astype(np.uint8), numbers


def _digits_in_rows(
    digits: np.ndarray, labels: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits side by side (count, 28, 96), the numbers (count, 5) and their lengths (count,)."""
    lengths = random.integers(1, LONGEST + 1, count)
    chosen = random.integers(0, len(digits), (count, LONGEST))
    shown = np.arange(LONGEST) < lengths[:, None]
    rows = np.zeros((count, 28, _WIDTH), np.uint8)
    for place in range(LONGEST):
        part = rows[:, :, place * _STEP : place * _STEP + 28]
        np.maximum(part, digits[chosen[:, place]] * shown[:, place, None, None].astype(np.uint8), out=part)
    return rows, np.where(shown, labels[chosen], NONE).astype(np.int64), lengths


def _places(lengths: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """Inverse maps (N, 2, 3) that put numbers, scaled, turned and sheared by up to 15 degrees, somewhere near the middle."""
    count = len(lengths)
    width = 20 + (lengths - 1) * _STEP
    scale = random.uniform(_SMALLEST_SCALE, np.minimum(_LARGEST_SCALE, _LARGEST_WIDTH / width))
    angle, shear = np.radians(random.uniform(-15, 15, (2, count)))
    stretch = random.uniform(0.9, 1.15, count)
    linear = np.empty((count, 2, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    linear[:, 0] = np.stack([cos, cos * np.tan(shear) - sin * stretch], axis=1)
    linear[:, 1] = np.stack([sin, sin * np.tan(shear) + cos * stretch], axis=1)
    linear *= scale[:, None, None]
    half = np.stack([width / 2, np.full(count, 10.0)], axis=1)
    reach, middle = np.einsum("nij,nj->ni", np.abs(linear), half), (side - 1) / 2
    centre = middle + random.uniform(-1, 1, (count, 2)) * np.clip(middle - reach, 0, _LARGEST_SHIFT)
    inverse = np.linalg.inv(linear)
    source = np.stack([4 + width / 2 - 0.5, np.full(count, 13.5)], axis=1)
    shift = source - np.einsum("nij,nj->ni", inverse, centre)
    return np.concatenate([inverse, shift[..., None]], axis=2)


def _clutter(digits: np.ndarray, count: int, side: int, random: np.random.Generator) -> np.ndarray:
    """What lies behind the numbers, around zero: soft shades and pieces of other digits (count, side, side)."""
    waves = np.cos(np.pi / side * np.outer(np.arange(side) + 0.5, np.arange(_WAVES))).astype(np.float32)
    shades = waves @ random.uniform(-10, 10, (count, _WAVES, _WAVES)).astype(np.float32) @ waves.T
    number = round(_PATCHES * side / 64)
    strengths = random.uniform(-70, 70, (count, number)).astype(np.float32) / 255
    for n in range(number):
        pieces = digits[random.integers(0, len(digits), count)]
        top, left = random.integers(0, 28 - _PATCH + 1, (2, count))
        row, column = random.integers(0, side - _PATCH + 1, (2, count))
        which = np.arange(count)[:, None, None]
        down, across = np.arange(_PATCH)[:, None], np.arange(_PATCH)
        piece = pieces[which, top[:, None, None] + down, left[:, None, None] + across]
        target = which, row[:, None, None] + down, column[:, None, None] + across
        shades[target] += piece * strengths[:, n, None, None]
    return shades
