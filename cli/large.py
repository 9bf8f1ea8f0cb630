"""Pictures larger than the memory: Zarr and TIFF, warped tile by tile."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .errors import PictureError
from .journal import Log, Report
from .making import Outcome, existing
from .motion import Motion, Plan
from .pipeline import run_in_order
from .pyramid import halved, halving_bytes
from .tile_runs import Tile, TileWarper, tiles_of
from .worklist import Item

if TYPE_CHECKING:
    from warpkit import Transform

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_TIFF = (".tif", ".tiff")
_HERE = "file://"  # of a URL that is a path
_DEFAULT_TILE, _DEFAULT_MEMORY = 1024, 2**30
# Tiles that are read or written while others are computed.
_READ_AND_WRITTEN = 2
_FOR_MANY_FILES = ("manifest", "allow_outside", "picture_format", "quality", "scheduler")


Command = TypeVar("Command", bound=Callable[..., Any])


class Memory(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, such as 500M or 1G."""

    name = "BYTES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", str(value).strip().lower())
        if found is None or not float(found[1]):
            self.fail(f"expected a size such as 500M or 1G, got {value!r}", param, ctx)
        return int(float(found[1]) * _UNITS[found[2]])


_OPTIONS = (
    click.option(
        "--tile", type=click.IntRange(16), metavar="N",
        help=f"Warp one Zarr or TIFF picture by tiles of N x N pixels.  [default for Zarr: {_DEFAULT_TILE}]",
    ),
    click.option(
        "--memory", type=Memory(), metavar="BYTES", help="What its pixels may take at a time, such as 500M.  [default: 1G]"
    ),
)  # fmt: skip


def large_options(command: Command) -> Command:
    """Add --tile and --memory to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def is_large(inputs: tuple[str, ...], output: str, tile: int | None, memory: int | None) -> bool:
    """Whether a run is of a large picture: asked for, or of Zarr, or in the cloud."""
    return tile is not None or memory is not None or any(map(_is_zarr, (*inputs, output)))


def _is_zarr(name: str) -> bool:
    path = name.rstrip("/")
    markers = ("zarr.json", ".zarray", ".zgroup")
    return "://" in name or path.endswith(".zarr") or any(os.path.exists(os.path.join(path, file)) for file in markers)


def warp_large(
    inputs: tuple[str, ...], output: str, motion: Motion, *,
    tile: int | None, memory: int | None, workers: int | None, resume: bool, overwrite: bool, dry_run: bool,
    report: Path | None, log: str, quiet: bool, max_pixels: int, **options: Any,
) -> int:  # fmt: skip
    """Warp one picture; returns the exit code."""
    given = [name for name in _FOR_MANY_FILES if options.pop(name)]
    if given:
        names = ", ".join("--" + name.replace("picture_", "").replace("_", "-") for name in given)
        raise click.UsageError(f"{names}: not for large pictures (Zarr, or with --tile or --memory)")
    if len(inputs) != 1:
        raise click.UsageError(f"one large picture at a time; got {len(inputs)} inputs")
    if options["interpolation"] == "bspline3":
        raise click.UsageError("--interpolation bspline3 needs the whole picture at once: not for large pictures")
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    run = _Run(
        inputs[0].removeprefix(_HERE),
        output.removeprefix(_HERE),
        Plan(motion),
        tile or _DEFAULT_TILE,
        memory or _DEFAULT_MEMORY,
        workers,
        options,
    )
    kept = Report(report, resume=resume) if report is not None and not dry_run else None
    start = time.perf_counter()
    try:
        outcome = run.made(resume=resume, overwrite=overwrite, dry_run=dry_run, log="quiet" if quiet else log)
    except (PictureError, ValueError, TypeError, OSError, MemoryError) as error:
        seconds = round(time.perf_counter() - start, 6)
        outcome = Outcome(run.item, "failed", seconds, error=str(error) or type(error).__name__)
        click.echo(f"failed: {inputs[0]}: {outcome.error}", err=True)
    if kept is not None:
        kept.add(outcome)
        kept.close()
    return 1 if outcome.result == "failed" else 0


class _Run:
    def __init__(
        self, source: str, output: str, plan: Plan, tile: int, memory: int, workers: int | None, options: dict[str, Any]
    ) -> None:
        self._names = source, output
        self.item = Item(Path(source), Path(output))
        self._plan, self._tile, self._memory, self._options = plan, tile, memory, options
        self._workers = workers

    def made(self, *, resume: bool, overwrite: bool, dry_run: bool, log: str) -> Outcome:
        """The picture, and what became of it."""
        name, output = self._names
        is_here = "://" not in name and os.path.exists(name) and os.path.exists(output)
        if name.rstrip("/") == output.rstrip("/") or (is_here and os.path.samefile(name, output)):
            raise PictureError("its output is the input itself; choose another output")
        with contextlib.closing(open_source(name)) as source:
            return self._from(source, resume=resume, overwrite=overwrite, dry_run=dry_run, log=log)

    def _from(self, source: Any, *, resume: bool, overwrite: bool, dry_run: bool, log: str) -> Outcome:
        import warpkit as wk

        start = time.perf_counter()
        output = self._names[1]
        inverse_map, shape = self._plan.for_picture(source.layout.shape)
        target = open_target(output, source, shape, self._tile)
        sizes: dict[str, Any] = {
            "input_size": source.layout.shape[::-1],
            "output_size": shape[::-1],
            "frames": len(target.planes),
        }
        if target.exists() and not overwrite:
            if not resume:
                raise PictureError(existing(output))
            return Outcome(self.item, "skipped", round(time.perf_counter() - start, 6), **sizes)
        if dry_run:
            click.echo(f"{self._names[0]} -> {output}")
            return Outcome(self.item, "done", 0.0, **sizes)
        cores = self._workers or wk.get_num_threads()
        threads = cores + _READ_AND_WRITTEN
        wk.set_num_threads(1)
        warper = TileWarper(
            source, inverse_map, shape,
            tile=self._tile, memory=self._memory, cores=cores, threads=threads, options=self._options,
        )  # fmt: skip
        with contextlib.closing(target), contextlib.closing(warper):
            target.begin(self._job(inverse_map, shape), resume=resume)
            _run_tiles(self._outcomes(target, warper, threads), Log(log, _count(target, self._tile), "tile"))
            target.finish(source, inverse_map)
        sizes |= {
            "bytes_read": source.bytes_read,
            "bytes_decoded": warper.bytes_decoded,
            "bytes_written": target.bytes_written,
        }
        return Outcome(self.item, "done", round(time.perf_counter() - start, 6), **sizes)

    def _outcomes(self, target: Any, warper: TileWarper, threads: int) -> Generator[Outcome, None, None]:
        """Of all tiles, level by level, because each level is made from the one before."""

        def make(tile: Tile) -> Outcome:
            start = time.perf_counter()
            if target.has(tile):
                return Outcome(self.item, "skipped", 0.0)
            if tile.level == 0:
                with warper.made(tile) as pixels:
                    target.write(tile, pixels)
            else:
                target.write(tile, halved(target.twice_as_fine(tile), has_alpha=warper.is_weighted))
            return Outcome(self.item, "done", time.perf_counter() - start)

        fitting = max(1, self._memory // 2 // halving_bytes(self._tile, warper.bytes_per_wide_pixel))
        for level, shape in enumerate(target.shapes):
            tiles = tiles_of(level, target.planes, self._tile, shape)
            yield from run_in_order(make, tiles, threads if level == 0 else min(threads, fitting))

    def _job(self, inverse_map: Transform, shape: tuple[int, int]) -> dict[str, Any]:
        """What must be the same for tiles of an earlier run to be of use."""
        import warpkit as wk

        return {
            "input": stamp(self._names[0]), "map": inverse_map.to_json(), "size": list(shape), "tile": self._tile,
            "options": self._options, "version": wk.__version__,
        }  # fmt: skip


def open_source(name: str) -> Any:
    """The picture that a name or URL stands for."""
    if name.lower().endswith(_TIFF) and "://" not in name:
        return _extra("tiled_tiffs").TiffSource(Path(name))
    if _is_zarr(name):
        return _extra("zarr_source").ZarrSource(name)
    raise PictureError("large pictures are .zarr, or .tif on this machine")


def open_target(name: str, source: Any, shape: tuple[int, int], tile: int) -> Any:
    """Where the picture is written, not begun yet."""
    if name.rstrip("/").endswith(".zarr"):
        return _extra("zarr_target").ZarrTarget(name, source.layout, shape, tile)
    if name.lower().endswith(_TIFF) and "://" not in name:
        return _extra("tiled_tiffs").TiffTarget(Path(name), source.layout, shape, tile)
    raise PictureError(f"large pictures are written as .zarr, or .tif on this machine; got {name}")


def _extra(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f".{module}", __package__)
    except ImportError as error:
        raise click.ClickException(f"large pictures need more ({error}): pip install 'numba-warpkit[large]'") from None


def stamp(name: str) -> list[Any]:
    """What changes when a picture on this machine is written again: when and how long it, or a folder's metadata, is."""
    if "://" in name:
        return [name]
    files = (name, *(os.path.join(name, file) for file in ("zarr.json", ".zarray", ".zattrs")))
    found = [os.stat(file) for file in files if os.path.isfile(file)]
    return [os.path.realpath(name), *([status.st_mtime_ns, status.st_size] for status in found)]


def _count(target: Any, size: int) -> int:
    return sum(1 for level, shape in enumerate(target.shapes) for _ in tiles_of(level, target.planes, size, shape))


def _run_tiles(outcomes: Generator[Outcome, None, None], log: Log) -> None:
    ending = "stopped"
    try:
        for outcome in outcomes:
            log.add(outcome)
        ending = ""
    except KeyboardInterrupt:
        ending = "interrupted"
        raise
    finally:
        outcomes.close()
        log.close(ending)
