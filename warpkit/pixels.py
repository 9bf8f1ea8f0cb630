"""Pixel types at the door: which ones the kernels know, and how the others get there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import checks

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


def carrier_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which pixels of ``dtype`` go through the kernels; native byte order."""
    carrier = np.dtype(_CARRIERS.get(dtype.name, dtype.name)) if dtype.kind in "buif" else None
    if carrier is None or carrier.name not in _WORKING:
        raise TypeError(f"{name} must have an integer, bool or floating dtype of at most 64 bits, got {dtype}")
    return carrier


def working_type(carrier: np.dtype[Any]) -> type[np.floating[Any]]:
    """float32 or float64: what sampling computes in."""
    return _WORKING[carrier.name]


def load(name: str, image: NDArray[Any]) -> NDArray[Any]:
    """The image as the kernels take it: carrier dtype, native, C-contiguous; the image itself where it is so already."""
    carrier = carrier_dtype(name, image.dtype)
    if image.dtype.kind in "iu" and image.dtype.itemsize == 8 and image.size:
        low, high = image.min(), image.max()
        if high > _LARGEST_EXACT or low < -_LARGEST_EXACT:
            raise ValueError(f"{name} of dtype {image.dtype} must stay within +-2**53, got values from {low} to {high}")
    return np.ascontiguousarray(image, dtype=carrier)


def store(result: NDArray[Any], out: NDArray[Any]) -> None:
    """Write kernel pixels into an array of the image's dtype; half a grey level is rounded up."""
    if out.dtype.kind in "iu" and result.dtype.kind == "f":
        np.floor(result + 0.5, out=result)
    out[...] = result.astype(out.dtype, copy=False)


def fill_value(cval: Any, dtype: np.dtype[Any], carrier: np.dtype[Any], channels: int) -> NDArray[Any]:
    """``cval`` for each channel in the working type; for integers rounded, and refused outside their range."""
    number = float(cval) if isinstance(cval, (bool, np.bool_)) else checks.finite_number("cval", cval)
    if dtype.kind in "biu":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not low <= number <= high:
            raise ValueError(f"cval must be within {low} to {high} for {dtype} images, got {number:g}")
        number = float(np.floor(number + 0.5))
    elif abs(number) > np.finfo(dtype).max:
        raise ValueError(f"cval must be within the range of {dtype}, got {number:g}")
    return np.full(channels, number, dtype=working_type(carrier))
