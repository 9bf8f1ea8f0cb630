"""The door: arguments are checked here, once, so that kernels may assume what they need.

Every message names the argument, says what was expected and what came.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import operator
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# DLPack's numbers for memory on a device, and managed memory.
_CUDA_DEVICES = (2, 13)

# Relative size of the determinant, or of the smallest singular value, below which a matrix counts as singular.
SINGULAR = 1e-12

# No processor has longer addresses.
_MOST_ADDRESSABLE_BYTES = 2**57


def finite_array(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None) -> NDArray[np.float64]:
    """``value`` as a new float64 array of finite numbers; ``None`` in ``shape`` stands for any length."""
    array = numeric_array(name, value)
    if shape is not None and len(shape) == 2 and shape[0] is None and shape[1] and array.shape == (0,):
        array = array.reshape(0, shape[1])  # an empty list: no rows
    if shape is not None and not (
        array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    ):
        expected = "(" + ", ".join("n" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise ValueError(f"{name} must hold finite numbers, got {bad} NaN or infinite of {array.size}")
    return array


def plain_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """``value`` as an array of any dtype; refuses masked arrays, whose mask would be lost, and ragged sequences."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, got a masked array; fill it first")
    if is_on_gpu(value):
        raise TypeError(f"{name} must be an array on the host, got {type(value).__name__} on a GPU")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array of numbers, got a ragged sequence") from None
    if array.ndim == 0 and array.dtype.kind in "OSU":  # None, a path, or whatever NumPy does not know
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__}")
    return array


def is_on_gpu(value: Any) -> bool:
    """Whether an array lives on a GPU; imports nothing to find out."""
    if isinstance(value, np.ndarray):  # at once: this is on the way of every call
        return False
    if hasattr(value, "__cuda_array_interface__") or hasattr(value, "__cuda_ndarray__"):
        return True
    return hasattr(value, "__dlpack_device__") and value.__dlpack_device__()[0] in _CUDA_DEVICES


def numeric_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """``value`` as a new C-contiguous float64 array; refuses what is not made of real numbers."""
    array = plain_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return np.array(array, dtype=np.float64, order="C")


def finite_number(name: str, value: Any, *, or_nan: bool = False) -> float:
    """``value`` as a float; refuses infinity, what is not a real number and, unless told otherwise, NaN."""
    if type(value) is float and math.isfinite(value):  # at once: this is on the way of every call
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0 and not isinstance(value, np.ma.MaskedArray):
        value = value[()]
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not (np.isfinite(number) or (or_nan and np.isnan(number))):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


def not_negative(name: str, value: Any) -> float:
    """``value`` as a finite float of at least 0."""
    number = finite_number(name, value)
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {number:g}")
    return number


def positive(name: str, value: Any) -> float:
    """``value`` as a finite float above 0."""
    number = finite_number(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be positive, got {number:g}")
    return number


def points(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Points (..., 2) in (x, y) order."""
    array = finite_array(name, value)
    if array.shape == (0,):  # an empty list: no points
        return array.reshape(0, 2)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise ValueError(f"{name} must have shape (..., 2), (x, y) in the last axis, got {array.shape}")
    return array


def point_pairs(src: ArrayLike, dst: ArrayLike, minimum: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corresponding points, both (n, 2), at least ``minimum`` of them."""
    src, dst = finite_array("src", src, (None, 2)), finite_array("dst", dst, (None, 2))
    if len(src) != len(dst):
        raise ValueError(f"src and dst must have the same number of points, got {len(src)} and {len(dst)}")
    if len(src) < minimum:
        raise ValueError(f"src and dst must have at least {minimum} points, got {len(src)}")
    return src, dst


def not_singular(name: str, matrices: NDArray[np.float64]) -> None:
    """Refuse matrices (..., 2, 2) or (..., 3, 3) without a stable inverse, whatever the units of their rows and columns.

    Scaling a row or a column scales each term of the determinant alike, so the determinant is compared with the sum of
    the terms' magnitudes.
    """
    largest = np.abs(matrices).max(axis=(-2, -1), keepdims=True)
    scaled = matrices / np.where(largest > 0, largest, 1)
    # one matrix is that much faster as plain numbers
    entries = scaled.tolist() if scaled.ndim == 2 else np.moveaxis(scaled, (-2, -1), (0, 1))
    if matrices.shape[-1] == 2:
        (a, b), (c, d) = entries
        terms = [a * d, -b * c]
    else:
        (a, b, c), (d, e, f), (g, h, i) = entries
        terms = [a * e * i, b * f * g, c * d * h, -c * e * g, -a * f * h, -b * d * i]
    magnitude = sum(abs(term) for term in terms)
    singular = np.logical_not(abs(sum(terms)) > SINGULAR * magnitude)
    if singular.any():
        worst = tuple(np.argwhere(singular)[0])
        which = f"{name}[{worst[0]}]" if worst else name
        raise ValueError(f"{which} must not be singular, got {matrices[worst].tolist()}")


def shape_2d(name: str, value: Any) -> tuple[int, int]:
    """(rows, columns), both at least 1."""
    try:
        rows, columns = (integer(name, n) for n in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be two integers (rows, columns), got {value!r}") from None
    if rows < 1 or columns < 1:
        raise ValueError(f"{name} must be at least (1, 1), got ({rows}, {columns})")
    if max(rows, columns) >= 2**31:
        raise ValueError(f"{name} must be below 2**31 on each side, got ({rows}, {columns})")
    return rows, columns


def integer(name: str, value: Any) -> int:
    """``value`` as an int; refuses floats and bools."""
    if isinstance(value, (bool, np.bool_, np.timedelta64)):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}") from None


def available_memory() -> int | None:
    """Bytes that this process may still allocate, as far as the system tells."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text()
        if limit != "max":
            found.append(int(limit) - int(used))
    except (OSError, ValueError):
        pass
    if not found and hasattr(os, "sysconf"):
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found) if found else None


def fits_in_memory(what: str, nbytes: float) -> None:
    """Refuse an allocation that the machine cannot hold, before it is begun."""
    if nbytes < 2**28:
        return
    available = available_memory()
    if nbytes >= _MOST_ADDRESSABLE_BYTES or (available is not None and nbytes > available):
        have = "unknown" if available is None else f"{available / 2**30:.1f} GiB"
        raise ValueError(f"{what} would need {nbytes / 2**30:,.1f} GiB of memory, available is {have}")
