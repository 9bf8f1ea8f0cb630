"""A picture warped as a person expects: transparency does not bleed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform


def warp_pixels(
    pixels: NDArray[Any],
    inverse_map: Transform,
    shape: tuple[int, int],
    *,
    interpolation: str = "bilinear",
    mode: str = "constant",
    cval: float = 0.0,
) -> NDArray[Any]:
    """Warp the pixels of a picture file; with an alpha channel, colours are weighted by it and outside is transparent."""
    import warpkit as wk

    options: dict[str, Any] = {"interpolation": interpolation, "mode": mode}
    if pixels.ndim == 3 and pixels.shape[2] == 4 and interpolation != "nearest":
        return _warp_with_alpha(pixels, inverse_map, shape, options)
    return wk.warp(pixels, inverse_map, shape, cval=cval, **options)


def _warp_with_alpha(
    pixels: NDArray[Any], inverse_map: Transform, shape: tuple[int, int], options: dict[str, Any]
) -> NDArray[Any]:
    import numpy as np

    import warpkit as wk

    is_integer = pixels.dtype.kind in "iu"
    top = float(np.iinfo(pixels.dtype).max) if is_integer else 1.0
    weighted = pixels.astype(np.float32)
    weighted[..., :3] *= weighted[..., 3:] / np.float32(top)
    warped = wk.warp(weighted, inverse_map, shape, **options)
    alpha = warped[..., 3:]
    colours = warped[..., :3]
    np.divide(colours, alpha / np.float32(top), out=colours, where=alpha > 0)
    if not is_integer:
        return warped.astype(pixels.dtype, copy=False)
    return np.clip(np.floor(warped + np.float32(0.5)), 0, top).astype(pixels.dtype)
