"""What the tasks of :func:`warpkit.interop.dask.warp` do. They have no side effects and may be repeated."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import checks, recycling
from ..parts import source_window, warp_part
from ..source_windows import Sampling, Window, common_span, window_of_points
from ..stored import StoredPicture
from ..threads import at_most
from ..transforms import Affine, Transform
from ..warping import sample

By: TypeAlias = Transform | NDArray[Any]  # a map, or the chunk of a displacement field that a part has


@dataclass(frozen=True)
class Job:
    """What the tasks of one warp have in common."""

    image_shape: tuple[int, int]
    options: dict[str, Any]  # of warp_part, or of sample under a displacement field
    of_field: Sampling | None  # under a displacement field: what of them decides which pixels are read
    on_gpu: bool

    def window(self, by: By, part: Window) -> Window | None:
        """The window of the picture that a part of the output is made from."""
        if isinstance(by, Transform):
            own = {name: self.options[name] for name in ("interpolation", "mode", "antialias", "tolerance")}
            return source_window(by, part, self.image_shape, on_gpu=self.on_gpu, **own)
        assert self.of_field is not None
        return window_of_points(_field_points(by, part), self.image_shape, self.of_field)

    def warp(self, pixels: NDArray[Any], by: By, part: Window, window: Window | None) -> NDArray[Any]:
        """A part of the output, from the pixels of its window."""
        out = empty_like(pixels, (*(span.stop - span.start for span in part), *pixels.shape[2:]))
        with _share_of_threads():
            if window is None or isinstance(by, Transform):
                by = by if isinstance(by, Transform) else Affine.identity()  # all is fill
                return warp_part(pixels, by, part, window=window, image_shape=self.image_shape, out=out, **self.options)
            points = _field_points(by, part)
            # exact for all points that are not just the fill
            points -= (window[1].start, window[0].start)
            return sample(pixels, points, out=out, **self.options)


def warp_stored(job: Job, part: Window, picture: StoredPicture, by: By) -> NDArray[Any]:
    """A part of the output, from a picture that is read now."""
    window = job.window(by, part)
    return job.warp(picture.read(window), by, part, window)


def warp_blocks(job: Job, part: Window, window: Window | None, pieces: list[Window], blocks: list[Any], by: By) -> NDArray[Any]:
    """A part of the output, from chunks of the picture and where in it they lie.

    They are those that the window meets; without a window one without pixels.
    """
    return job.warp(blocks[0] if window is None else _put_together(window, pieces, blocks), by, part, window)


def window_by_field(job: Job, field: NDArray[Any], part: Window) -> Window | None:
    """As :meth:`Job.window`, for a task."""
    return job.window(field, part)


def _field_points(field: NDArray[Any], part: Window) -> NDArray[np.float64]:
    """The points of the picture that a chunk of a displacement field leads to."""
    points = checks.finite_array("inverse_map: a displacement field", field, (None, None, 2))
    points[..., 0] += np.arange(part[1].start, part[1].stop)
    points[..., 1] += np.arange(part[0].start, part[0].stop)[:, None]
    return points


def _put_together(window: Window, pieces: list[Window], blocks: list[NDArray[Any]]) -> NDArray[Any]:
    rows, columns = window
    if len(blocks) == 1:
        top, left = pieces[0][0].start, pieces[0][1].start
        return blocks[0][rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    pixels = empty_like(blocks[0], (rows.stop - rows.start, columns.stop - columns.start, *blocks[0].shape[2:]))
    for block, piece in zip(blocks, pieces, strict=True):
        there, here = zip(*map(common_span, window, piece), strict=True)
        pixels[there] = block[here]
    return pixels


def empty_like(chunk: Any, shape: tuple[int, ...]) -> Any:
    """A new array of a chunk's kind and dtype; on the host in its byte order, of memory used before if there is some."""
    if not checks.is_on_gpu(chunk):
        return recycling.empty(shape, chunk.dtype.newbyteorder("="))
    from .. import gpu_arrays

    return gpu_arrays.library_of(chunk).empty(shape, chunk.dtype, chunk)


def _share_of_threads() -> Any:
    """One thread in a pool's task, whose other threads or processes have tasks of their own."""
    in_pool = threading.current_thread() is not threading.main_thread() or multiprocessing.parent_process() is not None
    return at_most(1) if in_pool else nullcontext()
