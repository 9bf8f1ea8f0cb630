"""Pictures as registration compares them: smoothed planes of float32 about 0, NaN where nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, door
from .pyramid import Pair, Planes, Room, smoothed

_SMALLEST_SIDE = 8
_MOST_SHARP = 2**20


@dataclass(frozen=True)
class Light:
    """The mean and spread of each channel that was taken away: (C,) each."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True)
class Pictures:
    """Both pictures, and what was taken away from them."""

    moving: Planes
    fixed: Planes
    weights: NDArray[np.float32]  # (rows, columns) or empty
    weight: float  # of all pixels of the fixed picture that are known
    moving_light: Light
    fixed_light: Light
    room: Room  # for smaller ones
    sharp: Pair | None  # not smoothed, if they are to be compared so

    @property
    def are_flat(self) -> bool:
        """Whether one shows nothing at all."""
        return not (np.any(self.moving_light.spread > 0) and np.any(self.fixed_light.spread > 0))

    def light(self, lights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gain and bias between the pictures themselves, from those between the planes."""
        fixed, moving = self.fixed_light, self.moving_light
        gain = lights[:, 0] * _or_one(fixed.spread) / _or_one(moving.spread)
        return gain, fixed.mean + lights[:, 1] * _or_one(fixed.spread) - gain * moving.mean


def load(
    moving: ArrayLike,
    fixed: ArrayLike,
    moving_mask: ArrayLike | None,
    fixed_weights: ArrayLike | None,
    keep_light: bool,
    is_sharp: bool | None,
) -> Pictures:
    """Check and bring to one scale: each channel of each picture, or those of ``fixed`` for both with ``keep_light``.

    Without ``is_sharp``, pictures of up to ``_MOST_SHARP`` pixels are compared as they are.
    """
    source, target = door.image_array("moving", moving, (2, 3)), door.image_array("fixed", fixed, (2, 3))
    if source.shape[2:] != target.shape[2:]:
        raise ValueError(f"fixed must have as many channels as moving, got shapes {target.shape} and {source.shape}")
    for name, picture in (("moving", source), ("fixed", target)):
        if min(picture.shape[:2]) < _SMALLEST_SIDE:
            raise ValueError(f"{name} must be at least {_SMALLEST_SIDE} pixels on each side, got shape {picture.shape}")
        checks.fits_in_memory(f"{name}: copies as float32", 16 * picture.size)
    weights = np.empty((0, 0), np.float32)
    if fixed_weights is not None:
        weights = checks.finite_array("fixed_weights", fixed_weights, target.shape[:2]).astype(np.float32)
        if (weights < 0).any():
            raise ValueError(f"fixed_weights must not be negative, got {weights.min()}")
    known = None
    if moving_mask is not None:
        known = checks.plain_array("moving_mask", moving_mask)
        if known.dtype != np.bool_:
            raise TypeError(f"moving_mask must hold booleans, got dtype {known.dtype}")
        if known.shape != source.shape[:2]:
            raise ValueError(f"moving_mask must have shape {source.shape[:2]}, got {known.shape}")
    moving_planes, fixed_planes = _planes(source, known), _planes(target, weights > 0 if weights.size else None)
    fixed_light = _light(fixed_planes)
    moving_light = fixed_light if keep_light else _light(moving_planes)
    room = Room(moving_planes, fixed_planes)
    smooth = _smooth(moving_planes, moving_light, room), _smooth(fixed_planes, fixed_light, room)
    sharp = None
    if is_sharp or (is_sharp is None and fixed_planes[0].size <= _MOST_SHARP):
        sharp = Pair(_plain(moving_planes, moving_light), _plain(fixed_planes, fixed_light))
    return Pictures(*smooth, weights, _weight(fixed_planes[0], weights), moving_light, fixed_light, room, sharp)


def _planes(picture: NDArray[Any], known: NDArray[np.bool_] | None) -> NDArray[Any]:
    """(C, H, W): uint8 as they are, float32, or float64 where float32 would not hold the pixels; not finite where they are not
    known."""
    channels = picture[..., None] if picture.ndim == 2 else picture
    kind: type[np.number[Any]] = np.float32
    if picture.dtype.itemsize > 4 or (picture.dtype.kind in "iu" and picture.dtype.itemsize > 2):
        kind = np.float64
    elif known is None and picture.dtype in (np.bool_, np.uint8):
        kind = np.uint8
    planes = np.asarray(np.moveaxis(channels, 2, 0), dtype=kind, order="C")
    return planes if known is None else np.where(known, planes, np.array(np.nan, kind))


def _light(planes: NDArray[Any]) -> Light:
    """From some hundred thousand pixels of each plane: it need not be exact."""
    step = max(1, int(np.sqrt(planes[0].size / 100_000)))
    means, spreads = [], []
    for plane in planes:
        values = plane[::step, ::step].astype(np.float64).ravel()
        if not np.isfinite(values.sum()):
            values = values[np.isfinite(values)]
        means.append(float(values.mean()) if values.size else 0.0)
        spreads.append(float(values.std()) if values.size else 0.0)
    return Light(np.array(means), np.array(spreads))


def _or_one(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(spread > 0, spread, 1.0)


def _plain(planes: NDArray[Any], light: Light) -> Planes:
    """Of mean 0 and spread 1, NaN where they are not known."""
    kind = np.float64 if planes.dtype == np.float64 else np.float32
    scaled = (planes - light.mean.astype(kind)[:, None, None]) * (1 / _or_one(light.spread)).astype(kind)[:, None, None]
    scaled[~np.isfinite(scaled)] = np.nan
    return np.asarray(scaled, np.float32)


def _smooth(planes: NDArray[Any], light: Light, room: Room) -> Planes:
    """Of mean 0 and spread 1."""
    means, scales = light.mean, 1 / _or_one(light.spread)
    if planes.dtype == np.float64:
        planes = ((planes - means[:, None, None]) * scales[:, None, None]).astype(np.float32)
        means, scales = np.zeros_like(means), np.ones_like(scales)
    return smoothed(planes, 1, means, scales, room)


def _weight(plane: NDArray[Any], weights: NDArray[np.float32]) -> float:
    """Of all pixels that are known."""
    if plane.dtype == np.uint8:
        return float(plane.size)
    known = np.isfinite(plane)
    total = weights[known].sum(dtype=np.float64) if weights.size else np.count_nonzero(known)
    return max(float(total), 1e-30)
