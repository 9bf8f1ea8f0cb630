"""What moves with a picture: points, boxes, polygons and masks, all by the inverse map that the picture is warped by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, pixels, warping
from .door import Map
from .kernels.maps import DISPLACEMENT
from .transforms import Affine, Composition, Projective, Transform

Points: TypeAlias = NDArray[np.float64]

# Edges are first cut into pieces of so many pixels; a displacement field may bend at every pixel.
_STEP, _FIELD_STEP = 16.0, 1.0
_MOST_PIECES = 4096
# Then a piece is quartered where it is not straight, at most so many times.
_DEEPEST = 8
_QUARTERS = np.array([0.25, 0.5, 0.75])
# A kink may lie beside a quarter point, which then sees at least so much of it: (3/4) / (7/8), less a little for curves.
_SEEN = 0.75
# Polygons are cut off short of a homography's horizon, where w is so small beside its largest value.
_NEAREST_TO_HORIZON = 1e-6
# Pixels; the box of an outline is not further off than the outline.
_BOX_TOLERANCE = 0.01


class MovedPoints(NamedTuple):
    """Points (..., 2) and whether each is visible (...)."""

    points: NDArray[np.float64]
    visible: NDArray[np.bool_]


class MovedBoxes(NamedTuple):
    """Boxes (N, 4); whether some of each is visible (N,), and whether all of it is (N,)."""

    boxes: NDArray[np.float64]
    visible: NDArray[np.bool_]
    whole: NDArray[np.bool_]


class MovedPolygons(NamedTuple):
    """N polygons (K, 2); whether some of each is visible (N,), and whether all of it is (N,)."""

    polygons: list[NDArray[np.float64]]
    visible: NDArray[np.bool_]
    whole: NDArray[np.bool_]


def warp_points(points: ArrayLike, inverse_map: Map, output_shape: tuple[int, int] | None = None) -> MovedPoints:
    """Where points of an image are in the picture that ``warp(image, inverse_map, output_shape)`` makes.

    Convention:
        the same ``inverse_map`` as for :func:`warpkit.warp`, output to image; points move by its inverse. (x, y) in pixels,
        the centre of the top-left pixel is (0, 0).

    Parameters
    ----------
    points : (..., 2)
        Finite (x, y) in the image.
    inverse_map : Transform or matrix
        As for :func:`warpkit.warp`.
    output_shape : (rows, columns), optional
        The warped picture's; without it every point that has a place is visible.

    Returns
    -------
    points : (..., 2) float64
        (x, y) in the output. NaN where there is none: behind a homography's horizon, or where a spline or field folds or does
        not reach. Exact for matrices; the inverse map sends those of splines and fields to within 1e-8 pixels of ``points``.
    visible : (...) bool
        Whether the point has a place in the output: from -1/2 to less than the number of columns (rows) minus 1/2.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    array = checks.points("points", points)
    forward, canvas = _forward_map(inverse_map, output_shape)
    moved = forward(array)
    visible = np.asarray(np.isfinite(moved).all(axis=-1))
    if canvas is not None:
        visible &= ((moved >= -0.5) & (moved < _far_corner(canvas))).all(axis=-1)
    return MovedPoints(moved, visible)


def warp_boxes(
    boxes: ArrayLike, inverse_map: Map, output_shape: tuple[int, int] | None = None, *, clip: bool = False
) -> MovedBoxes:
    """The upright boxes of boxes that move with a picture.

    Convention:
        the same ``inverse_map`` as for :func:`warpkit.warp`. Boxes are edges in the coordinates of points, where the centre of
        the top-left pixel is (0, 0): pixels 3 to 5 are the box from 2.5 to 5.5. Subtract 1/2 from boxes that count from the
        picture's corner, as COCO's do, and add it again afterwards.

    Parameters
    ----------
    boxes : (N, 4)
        x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, finite.
    inverse_map, output_shape
        As for :func:`warp_points`.
    clip : bool
        Box what is within the output's pixels only; needs ``output_shape``.

    Returns
    -------
    boxes : (N, 4) float64
        The tightest boxes around the warped outlines, all of them and not only their corners: exact for matrices, to 0.01
        pixels for other maps. NaN where nothing is left. Unclipped, what crosses a homography's horizon is cut off short of it,
        where coordinates are a million times the ordinary.
    visible : (N,) bool
        Whether some of the warped box is within the output's pixels (without ``output_shape``, has a place at all).
    whole : (N,) bool
        Whether all of it is.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    array = checks.finite_array("boxes", boxes, (None, 4))
    crossed = np.flatnonzero((array[:, :2] > array[:, 2:]).any(axis=1))
    if len(crossed):
        raise ValueError(f"boxes[{crossed[0]}] must have x0 <= x1 and y0 <= y1, got {array[crossed[0]].tolist()}")
    outlines = list(array[:, [[0, 1], [2, 1], [2, 3], [0, 3]]])
    moved = _warp_outlines(outlines, inverse_map, output_shape, clip, _BOX_TOLERANCE)
    upright = np.full((len(array), 4), np.nan)
    for box, outline in zip(upright, moved.polygons, strict=True):
        if len(outline):
            box[:2], box[2:] = outline.min(axis=0), outline.max(axis=0)
    return MovedBoxes(upright, moved.visible, moved.whole)


def warp_polygons(
    polygons: Sequence[ArrayLike] | NDArray[Any],
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    clip: bool = False,
    tolerance: float = 0.01,
) -> MovedPolygons:
    """Polygons that move with a picture, with as many points as their warped edges need.

    Convention:
        the same ``inverse_map`` as for :func:`warpkit.warp`, and the coordinates of points.

    Parameters
    ----------
    polygons : sequence of (K, 2), or (N, K, 2)
        At least three points (x, y) each, finite; the last is joined to the first.
    inverse_map, output_shape
        As for :func:`warp_points`.
    clip : bool
        Cut the polygons to the output's pixels (Sutherland and Hodgman 1974: where that takes a polygon apart, its pieces stay
        joined along the border); needs ``output_shape``.
    tolerance : float
        How far, in pixels, the warped edges may be from the polygons. Matrices keep edges straight and add no points.

    Returns
    -------
    polygons : list of (K', 2) float64
        Without the points that have no place in the output; (0, 2) where nothing is left. At a homography's horizon as
        :func:`warp_boxes`.
    visible, whole : (N,) bool
        As :func:`warp_boxes`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    if isinstance(polygons, str) or not isinstance(polygons, Iterable):
        raise TypeError(f"polygons must be a sequence of arrays (K, 2), got {type(polygons).__name__}")
    outlines = [checks.finite_array(f"polygons[{n}]", polygon, (None, 2)) for n, polygon in enumerate(polygons)]
    for n, outline in enumerate(outlines):
        if len(outline) < 3:
            raise ValueError(f"polygons[{n}] must have at least three points, got {len(outline)}")
    tolerance = checks.finite_number("tolerance", tolerance)
    if tolerance <= 0:
        raise ValueError(f"tolerance must be positive, got {tolerance:g}")
    return _warp_outlines(outlines, inverse_map, output_shape, clip, tolerance)


def warp_mask(
    mask: ArrayLike,
    inverse_map: Map,
    output_shape: tuple[int, int] | None = None,
    *,
    rule: Literal["nearest", "majority"] = "nearest",
    outside: int = 0,
) -> NDArray[Any]:
    """Warp a mask or a picture of labels: every pixel of the output has a label of the mask, none in between.

    Parameters
    ----------
    mask : (H, W) or (H, W, C)
        bool or integers.
    inverse_map, output_shape
        As for :func:`warpkit.warp`.
    rule : {"nearest", "majority"}
        "nearest" takes the label of the pixel that the map points into. "majority" takes the one that has most of the four
        pixels' bilinear weights, at ties the larger: for bool, where at least half is covered. Edges are smoother; each label
        costs a warp.
    outside : int
        The label beyond the mask's border and the map's reach.

    Returns
    -------
    (rows, columns) or (rows, columns, C), of mask's dtype

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.
    """
    labels = checks.plain_array("mask", mask)
    if labels.dtype.kind not in "biu":
        raise TypeError(f"mask must be of bool or integers, got dtype {labels.dtype}")
    door.check_image("mask", labels.shape, labels.dtype, (2, 3))
    beyond = int(outside) if isinstance(outside, bool | np.bool_) else checks.integer("outside", outside)
    low, high = pixels.value_range(labels.dtype)
    if not low <= beyond <= high:
        raise ValueError(f"outside must be within {low} to {high} for {labels.dtype} masks, got {beyond}")
    if rule == "nearest":
        if labels.dtype.itemsize == 8:
            return _nearest_in_parts(labels, inverse_map, output_shape, beyond)
        return warping.warp(labels, inverse_map, output_shape, interpolation="nearest", cval=beyond)
    if rule != "majority":
        raise ValueError(f"rule must be 'nearest' or 'majority', got {rule!r}")
    largest, winner = None, None
    for label in np.union1d(labels, np.array([beyond], labels.dtype)):
        weight = warping.warp((labels == label).astype(np.float32), inverse_map, output_shape, cval=float(label == beyond))
        if largest is None or winner is None:
            largest, winner = weight, np.full(weight.shape, label)
        else:
            wins = weight >= largest
            winner[wins] = label
            largest = np.maximum(weight, largest)
    assert winner is not None
    return winner


def _nearest_in_parts(labels: NDArray[Any], inverse_map: Map, output_shape: Any, beyond: int) -> NDArray[Any]:
    """64-bit labels as channels of 16 bits, which are copied as they are: float64 does not hold every label."""
    native = np.ascontiguousarray(labels, labels.dtype.newbyteorder("="))
    parts = native.view(np.uint16).reshape(*labels.shape[:2], -1)
    cval = np.full(parts.shape[2] // 4, beyond, native.dtype).view(np.uint16)
    warped = warping.warp(parts, inverse_map, output_shape, interpolation="nearest", cval=cval)
    return warped.view(native.dtype).reshape(*warped.shape[:2], *labels.shape[2:])


def _forward_map(inverse_map: Map, output_shape: Any) -> tuple[Transform, tuple[int, int] | None]:
    """From the image to the output, and the output's checked shape."""
    transform = door.as_transform("inverse_map", inverse_map)
    if isinstance(transform, Composition):
        transform = transform.simplified()
    if output_shape is None:
        return transform.inverse, None
    canvas = checks.shape_2d("output_shape", output_shape)
    door.check_horizon("inverse_map", transform, canvas)
    return transform.inverse, canvas


def _far_corner(canvas: tuple[int, int]) -> tuple[float, float]:
    """(x, y) of the bottom-right corner of a picture's last pixel."""
    rows, columns = canvas
    return columns - 0.5, rows - 0.5


def _warp_outlines(outlines: list[Points], inverse_map: Map, output_shape: Any, clip: bool, tolerance: float) -> MovedPolygons:
    """See :func:`warp_polygons`."""
    forward, canvas = _forward_map(inverse_map, output_shape)
    if clip and canvas is None:
        raise ValueError("output_shape must be given to clip to it")
    if isinstance(forward, Affine | Projective):
        moved = [_by_matrix(forward, outline) for outline in outlines]
    else:
        moved = _by_tracing(forward, outlines, tolerance)
    visible, whole = np.zeros(len(moved), bool), np.zeros(len(moved), bool)
    polygons = []
    for n, (outline, complete) in enumerate(moved):
        inside = outline if canvas is None else _cut_to_canvas(outline, canvas)
        if canvas is None:
            visible[n], whole[n] = len(outline) > 0, complete
        elif len(inside):
            far = _far_corner(canvas)
            # not those that only touch the canvas
            visible[n] = bool((inside.max(axis=0) > -0.5).all() and (inside.min(axis=0) < far).all())
            whole[n] = complete and bool(((outline >= -0.5) & (outline <= far)).all())
        polygons.append((inside if visible[n] else inside[:0]) if clip else outline)
    return MovedPolygons(polygons, visible, whole)


def _by_matrix(forward: Affine | Projective, outline: Points) -> tuple[Points, bool]:
    """The moved outline, cut off short of the horizon, and whether nothing had to be cut off."""
    if isinstance(forward, Affine):
        return forward(outline), True
    homogeneous = np.column_stack([outline, np.ones(len(outline))]) @ forward.matrix.T
    w = homogeneous[:, 2]
    complete = bool(w.min() > 0)
    if not complete:
        homogeneous = _cut(homogeneous, w - _NEAREST_TO_HORIZON * max(w.max(), 0.0)) if w.max() > 0 else homogeneous[:0]
    return homogeneous[:, :2] / homogeneous[:, 2:], complete


def _cut(ring: Points, depth: Points) -> Points:
    """The part of a closed ring (K, D) where ``depth`` (K,), linear along edges, is not negative (Sutherland and Hodgman)."""
    inside = depth >= 0
    if inside.all():
        return ring
    following, next_depth = np.roll(ring, -1, axis=0), np.roll(depth, -1)
    crosses = inside != np.roll(inside, -1)
    span = np.where(crosses, depth - next_depth, 1.0)
    crossings = ring + (depth / span)[:, None] * (following - ring)
    both = np.stack([ring, crossings], axis=1).reshape(-1, ring.shape[1])
    kept: Points = both[np.stack([inside, crosses], axis=1).reshape(-1)]
    return kept


def _cut_to_canvas(ring: Points, canvas: tuple[int, int]) -> Points:
    """The part of a closed ring (K, 2) within a picture's pixels."""
    for axis, far in enumerate(_far_corner(canvas)):
        ring = _cut(ring, ring[:, axis] + 0.5)
        ring = _cut(ring, far - ring[:, axis])
    return ring


def _by_tracing(forward: Transform, outlines: list[Points], tolerance: float) -> list[tuple[Points, bool]]:
    """The moved outlines without points that have no value, and whether there were none of those."""
    if not outlines:
        return []
    starts = np.concatenate(outlines)
    ends = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    edge, points = _trace(forward, starts, ends, tolerance)
    first_edges = np.cumsum([len(outline) for outline in outlines])[:-1]
    rings = np.split(points, np.searchsorted(edge, first_edges))
    finite = [np.isfinite(ring).all(axis=1) for ring in rings]
    return [(ring[good], bool(good.all())) for ring, good in zip(rings, finite, strict=True)]


def _trace(forward: Transform, starts: Points, ends: Points, tolerance: float) -> tuple[NDArray[np.int64], Points]:
    """Points along moved edges, so close together that the curves are within ``tolerance`` of the lines between them.

    For edges ``starts`` to ``ends`` (E, 2). Returns the edge (M,) and place (M, 2) of each point, in order; each edge without
    its end. Pieces are quartered until their quarter points lie on the line, or all have no value.
    """
    edge, t, t_end = _first_pieces(starts, ends, forward)
    here = forward(starts[edge] + t[:, None] * (ends - starts)[edge])
    there = forward(starts[edge] + t_end[:, None] * (ends - starts)[edge])
    done = []
    for _ in range(_DEEPEST):
        between_t = t[:, None] + (t_end - t)[:, None] * _QUARTERS
        between = forward(starts[edge, None] + between_t[..., None] * (ends - starts)[edge, None])
        bent = _distance_from_line(between, here[:, None], there[:, None]).max(axis=1) > _SEEN * tolerance
        known = np.isfinite(np.concatenate([here[:, None], between, there[:, None]], axis=1)).all(axis=2)
        split = np.where(known.all(axis=1), bent, known.any(axis=1))
        done.append((edge[~split], t[~split], here[~split]))
        stops = np.column_stack([t[split], between_t[split], t_end[split]])
        places = np.concatenate([here[split, None], between[split], there[split, None]], axis=1)
        edge = np.repeat(edge[split], 4)
        t, t_end = stops[:, :-1].reshape(-1), stops[:, 1:].reshape(-1)
        here, there = places[:, :-1].reshape(-1, 2), places[:, 1:].reshape(-1, 2)
        if not len(edge):
            break
    done.append((edge, t, here))
    edges, ts, points = (np.concatenate(parts) for parts in zip(*done, strict=True))
    order = np.lexsort([ts, edges])
    return edges[order], points[order]


def _first_pieces(starts: Points, ends: Points, forward: Transform) -> tuple[NDArray[np.int64], Points, Points]:
    """Edges cut into equal pieces: for each piece its edge, and where on it the piece starts and ends, from 0 to 1."""
    has_field = DISPLACEMENT in abs(forward.pipeline.table[:, 0])
    pieces = np.hypot(*(ends - starts).T) / (_FIELD_STEP if has_field else _STEP)
    counts = np.clip(np.ceil(pieces), 1, _MOST_PIECES).astype(np.int64)
    edge = np.repeat(np.arange(len(starts)), counts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    return edge, number / counts[edge], (number + 1) / counts[edge]


def _distance_from_line(points: Points, start: Points, end: Points) -> Points:
    """Of points from the lines between two points, all (..., 2)."""
    along = end - start
    squared = (along**2).sum(axis=-1)
    share = ((points - start) * along).sum(axis=-1) / np.where(squared > 0, squared, 1.0)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    away: Points = np.linalg.norm(points - nearest, axis=-1)
    return away
