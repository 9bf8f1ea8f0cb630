"""Smaller and smaller copies of a picture, each pixel the mean of four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def level_shapes(shape: tuple[int, int], smallest: int) -> list[tuple[int, int]]:
    """(rows, columns) of all levels: that of ``shape``, then half of it each, until none is longer than ``smallest``."""
    shapes = [shape]
    while max(shapes[-1]) > smallest:
        rows, columns = shapes[-1]
        shapes.append(((rows + 1) // 2, (columns + 1) // 2))
    return shapes


def halving_bytes(tile: int, bytes_per_pixel: int) -> int:
    """The most that :func:`halved` takes for a tile of the smaller level: what it reads, and its sums in wider numbers."""
    return 28 * tile * tile * bytes_per_pixel


def halved(pixels: NDArray[Any], *, has_alpha: bool = False) -> NDArray[Any]:
    """Means over 2 x 2 pixels of (rows, columns, ...), rounded to even for integers; over what there is at odd ends.

    Where the last channel is alpha, colours count by it.
    """
    import numpy as np

    from warpkit.weighted import premultiplied, unpremultiplied

    if has_alpha:
        return unpremultiplied(halved(premultiplied(pixels)), pixels.dtype)
    rows, columns = pixels.shape[:2]
    # A last row that stands for itself twice does not change the mean.
    even = np.pad(pixels, [(0, rows % 2), (0, columns % 2), *[(0, 0)] * (pixels.ndim - 2)], mode="edge")
    wide = np.float64 if pixels.dtype.itemsize > 2 else np.float32
    sums = even[0::2].astype(wide) + even[1::2]
    means = (sums[:, 0::2] + sums[:, 1::2]) / 4
    rounded: NDArray[Any] = np.rint(means) if pixels.dtype.kind in "ui" else means
    return rounded.astype(pixels.dtype)
