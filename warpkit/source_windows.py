"""Which pixels of its source a part of a warped picture is made from, without a look at each of its points.

    bound the map on the part  ->  cut in four what may reach beyond the points known so far  ->  bound the pieces  ->  ...

Known are points that were computed; bounds are proven, see :mod:`enclosures`. Pieces whose bounds lie within what is known are
settled, all others are cut again, so that work is done along the rim only. Where a family has no bounds, all points are
computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .enclosures import enclose, is_bounded
from .intervals import Bounds, Interval
from .kernels.footprints import SLACK
from .kernels.points import map_points
from .kernels.rows import sampling_extent
from .kernels.stages import Pipeline, frozen
from .kernels.taps import BILINEAR, EDGE, NEAREST, WRAP, near_range
from .threads import run_ranges

# How far beyond the known points bounds may reach when they are settled: pixels, or a share of the known points' extent.
SETTLED = 0.5
SETTLED_SHARE = 1 / 512
# So many boxes are bounded, and so many points computed, at a time.
MOST_BOXES = 2**18
POINTS_AT_ONCE = 2**16

Window: TypeAlias = tuple[slice, slice]  # rows, columns
Boxes: TypeAlias = NDArray[np.int64]  # (n, 4): first and last row, first and last column


class Sampling(NamedTuple):
    """What beside the map decides which pixels are read."""

    interpolation: int
    mode: int
    antialias: bool
    tolerance: float  # how far points may be from where the map sends them


class Hull(NamedTuple):
    """The box around points: (x_low, x_high, y_low, y_high)."""

    x_low: float = math.inf
    x_high: float = -math.inf
    y_low: float = math.inf
    y_high: float = -math.inf

    def including(self, x: Interval, y: Interval) -> Hull:
        """The box around boxes too."""
        if x.low.size == 0:
            return self
        return Hull(
            min(self.x_low, float(x.low.min())),
            max(self.x_high, float(x.high.max())),
            min(self.y_low, float(y.low.min())),
            max(self.y_high, float(y.high.max())),
        )

    def longest(self) -> float:
        """The longer side; below zero if nothing is known."""
        return max(self.x_high - self.x_low, self.y_high - self.y_low)

    def excess(self, x: Interval, y: Interval) -> Bounds:
        """How far each of some boxes reaches beyond this one."""
        across = np.maximum(self.x_low - x.low, x.high - self.x_high)
        return np.maximum(across, np.maximum(self.y_low - y.low, y.high - self.y_high))


def window_of_part(
    pipeline: Pipeline, rows: slice, columns: slice, shape: tuple[int, int], sampling: Sampling
) -> Window | None:
    """The rows and columns of a picture of ``shape`` that a part of the output reads; None if there are none."""
    near = _near_range(shape, sampling)
    part = np.array([[rows.start, rows.stop - 1, columns.start, columns.stop - 1]])
    if is_bounded(pipeline):
        return _window_of_hull(_hull_by_bounds(pipeline, part, near, sampling), shape, sampling)
    hull = Hull()
    for x, y in _strips(part[0]):
        hull = hull.including(*_points_of(pipeline, x, y, near, sampling))
    return _window_of_hull(hull, shape, sampling)


def window_of_points(points: NDArray[np.float64], shape: tuple[int, int], sampling: Sampling) -> Window | None:
    """As :func:`window_of_part`, for given points (..., 2) of the picture."""
    flat = points.reshape(-1, 2)
    return _window_of_hull(Hull().including(*_near_boxes(flat, flat, _near_range(shape, sampling))), shape, sampling)


def _window_of_hull(hull: Hull, shape: tuple[int, int], sampling: Sampling) -> Window | None:
    if hull.x_low > hull.x_high:
        return None
    down = taps_of_axis(hull.y_low, hull.y_high, shape[0], sampling)
    across = taps_of_axis(hull.x_low, hull.x_high, shape[1], sampling)
    return None if down is None or across is None else (down, across)


def _near_range(shape: tuple[int, int], sampling: Sampling) -> Hull:
    """The box that points have pixels in, its sides excluded."""
    _, _, reach = sampling_extent(sampling.interpolation)
    ends = [near_range(size, reach, sampling.mode) for size in (shape[1], shape[0])]
    return Hull(ends[0][0], ends[0][1], ends[1][0], ends[1][1])


@np.errstate(invalid="ignore")  # of what is infinite
def _hull_by_bounds(pipeline: Pipeline, boxes: Boxes, near: Hull, sampling: Sampling) -> Hull:
    known, settled = Hull(), Hull()
    bounded = 0
    while len(boxes):
        known = known.including(*_points_of(pipeline, *_corners_and_middles(boxes), near, sampling))
        boxes = boxes[(boxes[:, 0] < boxes[:, 1]) | (boxes[:, 2] < boxes[:, 3])]
        if not len(boxes):
            break
        x, y = _bounds_of(pipeline, boxes, sampling)
        is_near = (x.high > near.x_low) & (x.low < near.x_high) & (y.high > near.y_low) & (y.low < near.y_high)
        x = Interval(np.maximum(x.low, near.x_low), np.minimum(x.high, near.x_high))
        y = Interval(np.maximum(y.low, near.y_low), np.minimum(y.high, near.y_high))
        bounded += len(boxes)
        enough = max(SETTLED, SETTLED_SHARE * known.longest()) if bounded < MOST_BOXES else math.inf
        reaches = is_near & (known.excess(x, y) > enough)
        is_settled = is_near & ~reaches
        settled = settled.including(*(Interval(axis.low[is_settled], axis.high[is_settled]) for axis in (x, y)))
        boxes = _quarters(boxes[reaches])
    return known.including(*(Interval(np.array([low]), np.array([high])) for low, high in (settled[:2], settled[2:])))


def _corners_and_middles(boxes: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The x and y of five points of each box."""
    top, bottom, left, right = boxes.T
    x = np.concatenate([left, right, left, right, (left + right) // 2])
    y = np.concatenate([top, top, bottom, bottom, (top + bottom) // 2])
    return x.astype(np.float64), y.astype(np.float64)


def _quarters(boxes: Boxes) -> Boxes:
    """Each box cut in four, or in two where it is one pixel wide."""
    for first in (0, 2):
        low, high = boxes[:, first], boxes[:, first + 1]
        middle = (low + high) // 2
        before, after = boxes.copy(), boxes[low < high].copy()
        before[:, first + 1] = middle
        after[:, first] = middle[low < high] + 1
        boxes = np.concatenate([before, after])
    return boxes


def _strips(box: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The x and y of all points of a box, some rows at a time."""
    top, bottom, left, right = box.tolist()
    x = np.arange(left, right + 1, dtype=np.float64)
    step = max(1, POINTS_AT_ONCE // len(x))
    for row in range(top, bottom + 1, step):
        y = np.arange(row, min(row + step, bottom + 1), dtype=np.float64)
        yield np.tile(x, len(y)), np.repeat(y, len(x))


def _points_of(
    pipeline: Pipeline, x: NDArray[np.float64], y: NDArray[np.float64], near: Hull, sampling: Sampling
) -> tuple[Interval, Interval]:
    """The boxes around all that some pixels of the output are sampled at, without those that are just the fill."""
    points = _mapped(pipeline, x, y)
    half = np.full_like(points, sampling.tolerance)
    if sampling.antialias:
        for dx, dy in ((1.0, 0.0), (0.0, 1.0)):
            step = (_mapped(pipeline, x + dx, y + dy) - _mapped(pipeline, x - dx, y - dy)) / 2
            half += _half_of_step(np.abs(step) + sampling.tolerance)
    return _near_boxes(points - half, points + half, near)


def _near_boxes(low: NDArray[np.float64], high: NDArray[np.float64], near: Hull) -> tuple[Interval, Interval]:
    """What some boxes (n, 2) have in common with another, without those that have nothing."""
    is_near = (high[:, 0] > near.x_low) & (low[:, 0] < near.x_high) & (high[:, 1] > near.y_low) & (low[:, 1] < near.y_high)
    low, high = low[is_near], high[is_near]
    return (
        Interval(np.maximum(low[:, 0], near.x_low), np.minimum(high[:, 0], near.x_high)),
        Interval(np.maximum(low[:, 1], near.y_low), np.minimum(high[:, 1], near.y_high)),
    )


def _bounds_of(pipeline: Pipeline, boxes: Boxes, sampling: Sampling) -> tuple[Interval, Interval]:
    """As :func:`_points_of`, for all pixels of each box: bounds."""
    ends = boxes.astype(np.float64)
    margin = 1.0 if sampling.antialias else 0.0
    x, y, (a, b, c, d) = enclose(
        pipeline, Interval(ends[:, 2] - margin, ends[:, 3] + margin), Interval(ends[:, 0] - margin, ends[:, 1] + margin)
    )
    if not sampling.antialias:
        return _widened(x, sampling.tolerance), _widened(y, sampling.tolerance)
    steps = [np.column_stack([u.largest(), v.largest()]) + sampling.tolerance for u, v in ((a, c), (b, d))]
    half = sampling.tolerance + _half_of_step(steps[0]) + _half_of_step(steps[1])
    if not np.isfinite(half).all():
        half = np.where(np.isfinite(half), half, np.inf)
    inner_x, inner_y, _ = enclose(pipeline, Interval(ends[:, 2], ends[:, 3]), Interval(ends[:, 0], ends[:, 1]))
    return _widened(inner_x, half[:, 0]), _widened(inner_y, half[:, 1])


def _half_of_step(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far samples along steps (n, 2) are from a pixel's point: nowhere along short ones and those without an end (NaN)."""
    is_long = np.hypot(steps[:, 0], steps[:, 1]) > 1.0 - SLACK
    return np.where(is_long[:, None], steps / 2 + SLACK, 0.0)


def _widened(x: Interval, by: Bounds | float) -> Interval:
    return Interval(x.low - by, x.high + by)


def _mapped(pipeline: Pipeline, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.column_stack([x, y])
    out = np.empty_like(points)
    table, params, nanoseconds = pipeline
    run_ranges(lambda first, last: map_points(frozen(points), out, table, params[0], first, last), len(out), nanoseconds)
    return out


def taps_of_axis(low: float, high: float, size: int, sampling: Sampling) -> slice | None:
    """The pixels that coordinates from ``low`` to ``high`` read along an axis; None if there are none.

    Taken for the whole axis, they have the same border: where a rule leads back into the picture, all between is among them.
    """
    farthest = 3.0 * size + 64.0
    low, high = min(max(low, -farthest), farthest), min(max(high, -farthest), farthest)
    if sampling.interpolation == NEAREST:
        first, last = _nearest(low), _nearest(high)
    elif sampling.interpolation == BILINEAR:
        first, last = math.floor(low), math.ceil(high)
    else:
        first, last = math.floor(low) + 1 - sampling.interpolation, math.floor(high) + sampling.interpolation
    end = size - 1
    if first < 0 or last > end:
        if sampling.mode < EDGE:
            first, last = max(first, 0), min(last, end)
        elif sampling.mode == EDGE:
            first, last = min(max(first, 0), end), min(max(last, 0), end)
        elif sampling.mode == WRAP or (first < 0 and last > end):
            first, last = 0, end
        elif first < 0:
            first, last = 0, min(max(last, -first), end)
        else:
            first, last = max(min(first, 2 * end - last), 0), end
    return slice(first, last + 1) if first <= last else None


def _nearest(x: float) -> int:
    whole = math.floor(x)
    return whole + (x - whole >= 0.5)


def touched(span: slice, size: int) -> range:
    """The chunks of one size along an axis that a span meets."""
    return range(span.start // size, (span.stop - 1) // size + 1)


def common_span(span: slice, other: slice) -> tuple[slice, slice]:
    """What two spans of an axis have in common, as each of them counts."""
    first, last = max(span.start, other.start), min(span.stop, other.stop)
    return slice(first - span.start, last - span.start), slice(first - other.start, last - other.start)
