"""Warps of pictures whose pixels do not all count alike: masks, missing values, transparency."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, pixels
from .door import Map, Mode
from .interpolations import Interpolation
from .pixels import Cval
from .warping import warp

# Alpha of which nothing is left in any integer type.
_HARDLY_VISIBLE = 1e-6


class Weighted(NamedTuple):
    """What :func:`warp_weighted` returns."""

    output: NDArray[Any]
    """Of the image's dtype; the fill where too little counts."""
    weight: NDArray[Any]
    """How much counts, of the weights' shape at its end: float32 or float64, 1 where all taps count in full."""


def warp_weighted(
    image: ArrayLike,
    weights: ArrayLike | None,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: Cval = 0.0,
    antialias: bool = False,
    tolerance: float = 0.01,
    least_weight: float = 0.5,
) -> Weighted:
    """Warp an image whose pixels have weights: those of weight 0 take no part, whatever they hold.

    Each output pixel is the sum of its taps by the kernel's and their own weights, divided by the sum of both (normalised
    convolution, Knutsson & Westin 1993). So what is missing does not spread, and what is masked out does not bleed.

    Parameters
    ----------
    image : (H, W) or (H, W, C)
        As for :func:`warpkit.warp`, not on a GPU.
    weights : (H, W) or the image's shape, bool or floating, optional
        From 0 to 1; for all channels of a pixel, or for each. By default 0 where the image is NaN or infinite and 1 elsewhere.
    inverse_map, output_shape, interpolation, antialias, tolerance
        As for :func:`warpkit.warp`.
    mode
        As for :func:`warpkit.warp`; with "constant" taps outside have weight 0.
    cval
        The fill, which has no part in any average; NaN keeps missing what is missing.
    least_weight : float
        The output is the fill where less counts, within (0, 1].

    Returns
    -------
    Weighted
        ``(output, weight)``

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    source = door.image_array("image", image, (2, 3))
    kind = pixels.working_type(pixels.carrier_dtype("image", source.dtype))
    counts = _weights(weights, source, kind)
    if not 0 < checks.finite_number("least_weight", least_weight) <= 1:
        raise ValueError(f"least_weight must be above 0 and at most 1, got {least_weight:g}")
    planes = source.reshape(*source.shape[:2], -1)
    layers = counts.reshape(*counts.shape[:2], -1)
    fills = pixels.fill_value(cval, source.dtype, pixels.carrier_dtype("image", source.dtype), planes.shape[2])
    shares = np.where(layers > 0, planes, 0).astype(kind) * layers
    options: dict[str, Any] = {"interpolation": interpolation, "mode": mode, "antialias": antialias, "tolerance": tolerance}
    warped = warp(np.concatenate([shares, layers], axis=2), inverse_map, output_shape, **options)
    sums, weight = warped[..., : planes.shape[2]], warped[..., planes.shape[2] :]
    result = np.empty(sums.shape, source.dtype.newbyteorder("="))
    _store_averages(sums, weight, fills, least_weight, result)
    return Weighted(result.reshape(*warped.shape[:2], *source.shape[2:]), weight.reshape(*warped.shape[:2], *counts.shape[2:]))


def _weights(weights: ArrayLike | None, source: NDArray[Any], kind: type[np.floating[Any]]) -> NDArray[Any]:
    if weights is None:
        finite: NDArray[Any] = np.isfinite(source).astype(kind)
        return finite
    array = checks.plain_array("weights", weights)
    if array.dtype.kind not in "bf":
        raise TypeError(f"weights must be bool or floating, from 0 to 1, got dtype {array.dtype}")
    if array.shape not in (source.shape, source.shape[:2]):
        raise ValueError(f"weights must have shape {source.shape[:2]} or the image's {source.shape}, got {array.shape}")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError("weights must be within 0 and 1")
    counts: NDArray[Any] = array.astype(kind)
    return counts


def warp_alpha(
    image: ArrayLike,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    antialias: bool = False,
    tolerance: float = 0.01,
) -> NDArray[Any]:
    """Warp a picture with transparency: colours count by their alpha, so that what cannot be seen does not bleed.

    Parameters
    ----------
    image : (H, W, C)
        The last channel is alpha, not premultiplied: up to the largest value of an integer dtype, or 1 of a floating one.
    inverse_map, output_shape, interpolation, antialias, tolerance
        As for :func:`warpkit.warp`.
    mode
        As for :func:`warpkit.warp`; with "constant" and "fill" what lies outside is transparent.

    Returns
    -------
    (rows, columns, C), of the image's dtype
        Not premultiplied; colour 0 where alpha is 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    options: dict[str, Any] = {"interpolation": interpolation, "mode": mode, "antialias": antialias, "tolerance": tolerance}
    source = door.image_array("image", image, (3, 3))
    return unpremultiplied(warp(premultiplied(source), inverse_map, output_shape, **options), source.dtype)


def premultiplied(image: NDArray[Any]) -> NDArray[Any]:
    """Colours multiplied by their alpha, and alpha from 0 to 1, as what :func:`warp_alpha` warps: (H, W, C), floating.

    With :func:`unpremultiplied`, and :func:`warpkit.warp_part` between them, parts of a picture are those of the whole.

    Raises
    ------
    ValueError
        If there are no colours, or alpha is beyond what its dtype means.
    """
    if image.shape[2] < 2:
        raise ValueError(f"image must have colour and alpha, at least two channels, got shape {image.shape}")
    kind = pixels.working_type(pixels.carrier_dtype("image", image.dtype))
    result = np.zeros(image.shape, kind)
    np.divide(image[..., -1], kind(opaque(image.dtype)), out=result[..., -1], dtype=kind)
    alpha = result[..., -1:]
    if not ((alpha >= 0) & (alpha <= 1)).all():
        raise ValueError(f"image must have an alpha channel within 0 and {opaque(image.dtype):g}")
    # what hidden pixels hold may be no number
    np.multiply(image[..., :-1], alpha, out=result[..., :-1], where=alpha > 0, dtype=kind)
    return result


def unpremultiplied(warped: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """What :func:`premultiplied` was made from, in that ``dtype``; colour 0 where alpha is 0."""
    alpha = warped[..., -1:]
    result = np.empty(warped.shape, dtype.newbyteorder("="))
    _store_averages(warped[..., :-1], alpha, 0, _HARDLY_VISIBLE, result[..., :-1])
    # kernels with negative weights overshoot
    pixels.store(np.clip(alpha, 0, 1) * warped.dtype.type(opaque(dtype)), result[..., -1:])
    return result


def opaque(dtype: np.dtype[Any]) -> float:
    """Alpha of what hides all behind it."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def _store_averages(
    sums: NDArray[Any], weight: NDArray[Any], fills: NDArray[Any] | int, least_weight: float, out: NDArray[Any]
) -> None:
    """Sums divided by their weight; the fill where less counts."""
    # the sum of the taps' weights is 1 but for rounding
    counting = weight >= least_weight * (1 - 8 * np.finfo(sums.dtype).eps)
    values = np.where(counting, sums / np.where(counting, weight, 1), fills)
    pixels.store(np.clip(values, *pixels.clipping_range(out.dtype)), out)
