"""OME-Zarr's metadata (ngff.openmicroscopy.org, 0.4 and 0.5): axes, and the sizes and places of pixels at each level."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from warpkit import Transform

_VERSION = "0.5"
_KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


class PixelSize(NamedTuple):
    """Along an axis: a pixel's size, where the centre of the first one lies, and in what unit."""

    size: float = 1.0
    start: float = 0.0
    unit: str | None = None


def attributes_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """What the attributes of a group say of OME-Zarr, of version 0.5 or older."""
    found = attributes.get("ome", attributes)
    return {name: found[name] for name in ("multiscales", "omero") if found.get(name)}


def axis_name(axis: Any) -> str:
    """The lower-case name of an axis, which is a string in versions before 0.4."""
    return str(axis["name"] if isinstance(axis, dict) else axis).lower()


def pixel_sizes(attributes: dict[str, Any]) -> dict[str, PixelSize]:
    """Of each axis at the highest resolution; empty where the metadata do not say."""
    if "multiscales" not in attributes:
        return {}
    multiscale = attributes["multiscales"][0]
    axes, highest = multiscale.get("axes", ()), multiscale["datasets"][0]
    sizes, starts = [1.0] * len(axes), [0.0] * len(axes)
    for step in itertools.chain(*(place.get("coordinateTransformations", ()) for place in (highest, multiscale))):
        if "scale" in step:
            sizes = [size * factor for size, factor in zip(sizes, step["scale"], strict=True)]
            starts = [start * factor for start, factor in zip(starts, step["scale"], strict=True)]
        elif "translation" in step:
            starts = [start + further for start, further in zip(starts, step["translation"], strict=True)]
    units = [axis.get("unit") if isinstance(axis, dict) else None for axis in axes]
    found = map(PixelSize, sizes, starts, units)
    return {axis_name(axis): size for axis, size in zip(axes, found, strict=True)}


def moved_sizes(sizes: dict[str, PixelSize], inverse_map: Transform) -> dict[str, PixelSize]:
    """The same of a warped picture.

    A map along the axes takes the picture's own to the canvas. One that turns, and scales both axes alike, says the size of
    square pixels, but the place is that of the canvas. Under all others a pixel has no size: the canvas counts in pixels.
    """
    import warpkit as wk

    kept = {name: size for name, size in sizes.items() if name not in ("y", "x")}
    if not sizes or not isinstance(inverse_map, wk.Affine):
        return kept
    (a, b, c), (d, e, f) = inverse_map.matrix.tolist()
    y, x = sizes["y"], sizes["x"]
    if b == d == 0 and a > 0 and e > 0:
        kept["y"] = PixelSize(y.size * e, y.start + y.size * f, y.unit)
        kept["x"] = PixelSize(x.size * a, x.start + x.size * c, x.unit)
        return kept
    if x.size == y.size and math.isclose(a, e, abs_tol=1e-12) and math.isclose(b, -d, abs_tol=1e-12):
        size = x.size * math.hypot(a, b)
        return kept | {"y": PixelSize(size, 0.0, y.unit), "x": PixelSize(size, 0.0, x.unit)}
    return kept


def metadata(axes: list[str], sizes: dict[str, PixelSize], levels: int, attributes: dict[str, Any]) -> dict[str, Any]:
    """The attribute "ome" of a pyramid of ``levels`` arrays named 0, 1 ..., each half of the one before in y and x."""
    described = []
    for name in axes:
        unit, kind = sizes.get(name, PixelSize()).unit, _KINDS.get(name)
        described.append({"name": name} | ({"type": kind} if kind else {}) | ({"unit": unit} if unit else {}))
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [_at_level(name, sizes, level).size for name in axes]},
                {"type": "translation", "translation": [_at_level(name, sizes, level).start for name in axes]},
            ],
        }
        for level in range(levels)
    ]
    kept = {"omero": attributes["omero"]} if "omero" in attributes else {}
    return {"version": _VERSION, "multiscales": [{"axes": described, "datasets": datasets, "type": "mean"}], **kept}


def _at_level(name: str, sizes: dict[str, PixelSize], level: int) -> PixelSize:
    """The centre of a pixel of a level is that of the pixels it is the mean of."""
    size, start, unit = sizes.get(name, PixelSize())
    if name not in ("y", "x"):
        return PixelSize(size, start, unit)
    factor = 2**level
    return PixelSize(size * factor, start + size * (factor - 1) / 2, unit)
