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
    antialias: bool = False,
    has_alpha: bool = True,
) -> NDArray[Any]:
    """Warp the pixels of a picture file.

    The last of two or four channels is alpha, if ``has_alpha``: then colours are weighted by it and outside is transparent.
    """
    import warpkit as wk

    options: dict[str, Any] = {"interpolation": interpolation, "mode": mode, "antialias": antialias}
    if has_alpha and pixels.shape[2:] in ((2,), (4,)) and interpolation != "nearest":
        return wk.warp_alpha(pixels, inverse_map, shape, **options)
    return wk.warp(pixels, inverse_map, shape, cval=cval, **options)
