"""One picture of many: read, warped and written, or its error told."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .errors import BusyError, DiskFullError, PictureError
from .headers import refuse_too_large
from .pictures import decode, encode, losses, read_file
from .rendering import warp_pixels
from .worklist import Item
from .writing import whole_file

if TYPE_CHECKING:
    from warpkit import Transform

# The inverse map of an item, and the canvas (rows, columns), for a picture of (rows, columns).
MapFor = Callable[[Item, tuple[int, int]], "tuple[Transform, tuple[int, int]]"]


class Settings(NamedTuple):
    """What holds for all pictures of a run, beside their motion."""

    interpolation: str
    mode: str
    cval: float
    antialias: bool
    quality: int | None
    max_pixels: int
    resume: bool
    overwrite: bool


class Outcome(NamedTuple):
    """What became of one item; one line of the report."""

    item: Item
    result: str  # done, skipped or failed
    seconds: float
    input_size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    frames: int = 1
    notes: tuple[str, ...] = ()
    error: str | None = None
    bytes_read: int | None = None  # of large pictures, as stored
    bytes_decoded: int | None = None
    bytes_written: int | None = None
    disk_full: bool = False
    busy: bool = False  # another process is writing the output

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        kept = {k: v for k, v in self._asdict().items() if k not in ("item", "disk_full", "busy") and v is not None}
        return {"input": str(self.item.source), "output": str(self.item.target), **kept}


def existing(target: str | Path) -> str:
    """Why an output that is there is not made."""
    return f"{target} exists; use --overwrite or --resume"


class Maker:
    """Makes pictures in many threads. Those that compute are as many as there are cores; others read and write meanwhile.

    Names of files begin in ``folder``.
    """

    def __init__(self, map_for: MapFor, settings: Settings, cores: int, folder: Path = Path()) -> None:
        self._map_for = map_for
        self._settings = settings
        self._cores = threading.BoundedSemaphore(cores)
        self._folder = folder

    @property
    def recipe(self) -> tuple[MapFor, Settings]:
        """What a maker in another process needs to make the same."""
        return self._map_for, self._settings

    def make(self, item: Item, *, is_new: bool = False) -> Outcome:
        """Whatever goes wrong is the outcome's error.

        ``is_new`` says that the output was not there when the run came to the item: what is there now is an earlier try's.
        """
        start = time.perf_counter()
        try:
            details = self._make(item, is_new)
        except click.ClickException as error:
            details = {"error": error.message}
        except (PictureError, ValueError, TypeError, MemoryError, OSError) as error:
            details = {
                "error": str(error) or type(error).__name__,
                "disk_full": isinstance(error, DiskFullError),
                "busy": isinstance(error, BusyError),
            }
        except Exception as error:  # a million other pictures must not be lost for a fault that nobody thought of
            details = {"error": f"{type(error).__name__}: {error}"}
        result = "failed" if "error" in details else details.pop("result", "done")
        return Outcome(item, result, round(time.perf_counter() - start, 6), **details)

    def is_new(self, item: Item) -> bool:
        """Whether the output of an item is not there."""
        return not item.problem and not (self._folder / item.target).exists()

    def _make(self, item: Item, is_new: bool) -> dict[str, Any]:
        if item.problem:
            raise PictureError(item.problem)
        source, target = self._folder / item.source, self._folder / item.target
        if not is_new and target.exists() and not self._is_free(item, source, target):
            return {"result": "skipped"}
        data = read_file(source)
        with whole_file(target) as write:
            with self._cores:
                picture = decode(data, item.source.suffix.lower(), self._settings.max_pixels)
                del data
                warped = picture._replace(frames=tuple(self._warp(item, frame, picture.has_alpha) for frame in picture.frames))
                encoded = encode(item.target.suffix, warped, self._settings.quality)
            write(encoded)
        (rows, columns), (to_rows, to_columns) = picture.frames[0].shape[:2], warped.frames[0].shape[:2]
        return {
            "input_size": (columns, rows),
            "output_size": (to_columns, to_rows),
            "frames": len(warped.frames),
            "notes": losses(item.target.suffix, picture),
        }

    def _is_free(self, item: Item, source: Path, target: Path) -> bool:
        """Whether an output that exists is to be made anew; False where it is finished."""
        if self._settings.overwrite:
            if os.path.samefile(source, target):
                raise PictureError("its output is the input itself; choose another output")
            return True
        if not self._settings.resume:
            raise PictureError(existing(item.target))
        return not self._is_whole(target)

    def _is_whole(self, path: Path) -> bool:
        try:
            data = read_file(path)
            with self._cores:
                decode(data, path.suffix.lower(), self._settings.max_pixels)
        except PictureError:
            return False
        return True

    def _warp(self, item: Item, frame: Any, has_alpha: bool) -> Any:
        rows, columns = frame.shape[:2]
        inverse_map, shape = self._map_for(item, (rows, columns))
        refuse_too_large(shape[0] * shape[1], self._settings.max_pixels)
        settings = self._settings
        return warp_pixels(
            frame, inverse_map, shape, interpolation=settings.interpolation, mode=settings.mode, cval=settings.cval,
            antialias=settings.antialias, has_alpha=has_alpha,
        )  # fmt: skip
