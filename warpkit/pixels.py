"""Pixel types at the door: which ones the kernels know, and how the others get there and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import checks

Cval: TypeAlias = float | Sequence[float] | NDArray[Any]

# Bilinear sampling computes in this type: float32 holds every 16-bit integer exactly.
_WORKING: dict[str, type[np.floating[Any]]] = {
    "uint8": np.float32,
    "uint16": np.float32,
    "int16": np.float32,
    "float32": np.float32,
    "float64": np.float64,
}
# Types the kernels do not know, and the smallest one that holds all their values.
_CARRIERS = {
    "bool": "uint8",
    "int8": "int16",
    "int32": "float64",
    "uint32": "float64",
    "int64": "float64",
    "uint64": "float64",
    "float16": "float32",
}
_LARGEST_EXACT = 2**53


@cache
def _carrier(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    name = _CARRIERS.get(dtype.name, dtype.name)
    return np.dtype(name) if dtype.kind in "buif" and name in _WORKING else None


def carrier_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which pixels of ``dtype`` go through the kernels; native byte order."""
    carrier = _carrier(dtype)
    if carrier is None:
        raise TypeError(f"{name} must have an integer, bool or floating dtype of at most 64 bits, got {dtype}")
    return carrier


@cache
def working_type(carrier: np.dtype[Any]) -> type[np.floating[Any]]:
    """float32 or float64: what sampling computes in."""
    return _WORKING[carrier.name]


@cache
def sum_type(carrier: np.dtype[Any]) -> type[np.number[Any]]:
    """What the samples of an average are added up in: int32 holds the sum of 4,096 16-bit integers."""
    return np.int32 if carrier.kind in "iu" else working_type(carrier)


@cache
def largest_weight(carrier: np.dtype[Any]) -> np.floating[Any]:
    """The largest number below one in the working type: no weight of a right or lower neighbour exceeds it."""
    real = working_type(carrier)
    return real(np.nextafter(real(1), real(0)))


@cache
def largest_sampling_weight(carrier: np.dtype[Any]) -> np.number[Any]:
    """As :func:`largest_weight`, for sampling without derivatives: 8-bit pixels have weights in multiples of 2^-15."""
    return np.int16(2**15 - 1) if carrier == np.uint8 else largest_weight(carrier)


@cache
def value_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


@cache
def clipping_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """What interpolation that overshoots is clipped to: the values of an integer type that are exact, no limits if floating."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    low, high = value_range(dtype)
    return max(low, -_LARGEST_EXACT), min(high, _LARGEST_EXACT)


def load(name: str, image: NDArray[Any]) -> NDArray[Any]:
    """The image as the kernels take it: carrier dtype, native, C-contiguous; the image itself where it is so already."""
    carrier = carrier_dtype(name, image.dtype)
    if image.dtype == carrier and image.flags.c_contiguous and image.flags.aligned:
        return image
    checks.fits_in_memory(f"{name}: a contiguous copy as {carrier}", image.size * carrier.itemsize)
    if image.dtype.kind in "iu" and image.dtype.itemsize == 8:
        low, high = image.min(), image.max()
        if high > _LARGEST_EXACT or low < -_LARGEST_EXACT:
            raise ValueError(f"{name} of dtype {image.dtype} must stay within +-2**53, got values from {low} to {high}")
    return np.array(image, dtype=carrier, order="C")


def store(result: NDArray[Any], out: NDArray[Any]) -> None:
    """Write kernel pixels into an array of the image's dtype; half a grey level is rounded up."""
    if out.dtype.kind in "biu" and result.dtype.kind == "f":
        whole = np.floor(result)
        # not floor(result + 1/2): beyond 2**52 that sum is itself rounded
        result = whole + (result - whole >= 0.5)
    with np.errstate(over="ignore"):  # beyond float16's range lies its infinity
        out[...] = result.astype(out.dtype, copy=False)


def fill_value(cval: Any, dtype: np.dtype[Any], carrier: np.dtype[Any], channels: int) -> NDArray[Any]:
    """``cval``, for each channel or for all, in the working type; for integers rounded, and refused outside their range.

    NaN is what is missing, in images that can hold it.
    """
    try:
        rank = np.ndim(cval)
    except ValueError:
        raise ValueError("cval must be a number or one for each channel, got a ragged sequence") from None
    if rank == 0:
        return np.full(channels, _fill_number("cval", cval, dtype), dtype=working_type(carrier))
    if rank != 1 or len(cval) != channels:
        raise ValueError(f"cval must be a number or one for each channel ({channels}), got shape {np.shape(cval)}")
    return np.array([_fill_number(f"cval[{c}]", cval[c], dtype) for c in range(channels)], dtype=working_type(carrier))


def _fill_number(name: str, value: Any, dtype: np.dtype[Any]) -> float:
    is_bool = isinstance(value, (bool, np.bool_))
    number = float(value) if is_bool else checks.finite_number(name, value, or_nan=dtype.kind == "f")
    low, high = value_range(dtype)
    if number < low or number > high:
        raise ValueError(f"{name} must be within {low:g} to {high:g} for {dtype} images, got {number:g}")
    return math.floor(number + 0.5) if dtype.kind in "biu" else number
