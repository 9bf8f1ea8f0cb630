"""Parts of a warped picture from windows of its source, for pictures that are larger than the memory."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, engine
from .door import Interpolation, Map, Mode
from .interpolations import kernel_of
from .kernels.rows import sampling_extent
from .kernels.taps import near_range
from .pixels import Cval
from .source_windows import Hull, taps_of_axis
from .warping import warp

Slices: TypeAlias = tuple[slice, slice]


def source_window(
    inverse_map: Map,
    part: Slices,
    image_shape: tuple[int, int],
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    antialias: bool = False,
    tolerance: float = 0.01,
) -> Slices | None:
    """The rows and columns of the source that a part of a warped picture is made from; None if it is all fill."""
    height, width = checks.shape_2d("image_shape", image_shape)
    rows, columns = _slices("part", part)
    kernel, border = kernel_of(interpolation), engine.border_code(mode)
    if kernel.is_spline:
        raise ValueError("interpolation 'bspline3' needs the whole picture: its coefficients depend on all pixels")
    transform = door.as_transform("inverse_map", inverse_map)
    margin = 1 if antialias else 0
    y, x = np.mgrid[rows.start - margin : rows.stop + margin, columns.start - margin : columns.stop + margin]
    points = transform(np.stack([x, y], axis=-1).astype(np.float64))
    if antialias:
        across = np.nan_to_num(np.abs(points[1:-1, 2:] - points[1:-1, :-2]) / 2)
        down = np.nan_to_num(np.abs(points[2:, 1:-1] - points[:-2, 1:-1]) / 2)
        half = (across + down) / 2
        points = points[1:-1, 1:-1]
    else:
        half = np.zeros_like(points)
    half = half + tolerance
    _, _, reach = sampling_extent(kernel.code)
    left, right = near_range(width, reach, border)
    top, bottom = near_range(height, reach, border)
    low, high = points - half, points + half
    near = (high[..., 0] > left) & (low[..., 0] < right) & (high[..., 1] > top) & (low[..., 1] < bottom)
    if not near.any():
        return None
    hull = Hull(low[near][:, 0].min(), high[near][:, 0].max(), low[near][:, 1].min(), high[near][:, 1].max())
    across_axis = taps_of_axis(hull.x_low, hull.x_high, width, kernel.code, border)
    down_axis = taps_of_axis(hull.y_low, hull.y_high, height, kernel.code, border)
    if across_axis is None or down_axis is None:
        return None
    return slice(down_axis[0], down_axis[1] + 1), slice(across_axis[0], across_axis[1] + 1)


def warp_part(
    window_pixels: ArrayLike,
    inverse_map: Map,
    part: Slices,
    *,
    window: Slices | None,
    image_shape: tuple[int, int],
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """A part of a warped picture from a window of its source: ``wk.warp(image, ...)[part]``, bit for bit."""
    pixels = np.asarray(window_pixels)
    rows, columns = _slices("part", part)
    image = np.zeros((*image_shape, *pixels.shape[2:]), pixels.dtype)
    if window is not None:
        image[window] = pixels
    whole = warp(
        image, inverse_map, (rows.stop, columns.stop), interpolation=interpolation, mode=mode, cval=cval,
        antialias=antialias, tolerance=tolerance,
    )  # fmt: skip
    result = np.ascontiguousarray(whole[rows, columns])
    if out is None:
        return result
    out[...] = result
    return out


def _slices(name: str, value: Any) -> Slices:
    """Two slices (start, stop) of a picture, neither of them empty."""
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(item, slice) for item in value)):
        raise TypeError(f"{name} must be two slices (rows, columns), got {value!r}")
    for item in value:
        if item.step not in (None, 1) or item.start is None or item.stop is None or not 0 <= item.start < item.stop:
            raise ValueError(f"{name} must be slices from a start to a stop beyond it, got {value!r}")
    return value
