"""What all commands have in common that write many pictures: their options, and the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import click

from .deaths import begun_sources, make_apart
from .files import Entry, plan_files, refuse_overwriting
from .headers import require_pillow
from .journal import LOGS, Log, Report, in_a_line
from .making import Maker, MapFor, Outcome, Settings, existing
from .manifest import Check, read_manifest
from .opencv import require_cv2
from .options_file import options_file
from .pictures import DEFAULT_MAX_PIXELS, SUFFIXES
from .pipeline import run_bounded
from .stills import DEFAULT_QUALITY
from .values import Number
from .worklist import Item, Worklist

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "mitchell", "bspline3", "lanczos3", "lanczos4")
MODES = ("constant", "fill", "edge", "symmetric", "reflect", "wrap")
_FORMATS = sorted(suffix[1:] for suffix in SUFFIXES)

# Threads that wait for disks while others compute.
_READERS_AND_WRITERS = 6

Command = TypeVar("Command", bound=Callable[..., Any])


_OPTIONS = (
    click.option(
        "--manifest", type=click.Path(allow_dash=True, dir_okay=False), metavar="FILE",
        help="Pictures from a CSV file or JSON lines with input and output (below OUT), in place of INPUT; - reads them"
        " from standard input.",
    ),
    click.option("--allow-outside", is_flag=True, help="Let the manifest write outside OUT."),
    click.option(
        "-f", "--format", "picture_format", type=click.Choice(_FORMATS, case_sensitive=False),
        help="Format of the outputs in a folder.  [default: that of each input]",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), metavar="1-100",
        help=f"Of JPEG, WebP and AVIF.  [default: {DEFAULT_QUALITY}; WebP without loss]",
    ),
    click.option(
        "--interpolation", "--resample", "-r", type=click.Choice(INTERPOLATIONS), default="bilinear", show_default=True,
        help="How pixels are read between their centres.",
    ),
    click.option(
        "--mode", "--border", type=click.Choice(MODES), default="constant", show_default=True,
        help="What lies beyond the border; constant is blended with the outermost pixels, fill has hard edges.",
    ),
    click.option(
        "--cval", "--background", type=Number(), default=0.0, show_default=True,
        help="Grey level outside, for --mode constant and fill.",
    ),
    click.option(
        "--antialias", is_flag=True, help="Average pixels where the picture becomes smaller; not for --interpolation nearest.",
    ),
    click.option(
        "--workers", "--threads", "-j", type=click.IntRange(min=1), metavar="N",
        help="Pictures computed at once.  [default: all cores]",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS|local",
        help="Run on a Dask scheduler's workers, which see the same files; local starts one, with --workers processes.",
    ),
    click.option(
        "--max-pixels", type=click.IntRange(min=1), default=DEFAULT_MAX_PIXELS, show_default=True, metavar="N",
        help="Refuse pictures with more, all frames together, and canvases.",
    ),
    click.option("--resume", is_flag=True, help="Skip outputs that exist and can be decoded."),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    click.option("-n", "--dry-run", is_flag=True, help="Say what would be done."),
    click.option(
        "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="One JSON line for each picture; --resume adds to it.",
    ),
    click.option("--log", type=click.Choice(LOGS), default="plain", show_default=True, help="What is told on standard error."),
    click.option("-q", "--quiet", is_flag=True, help="Tell failures only: --log quiet."),
    options_file,
)  # fmt: skip


def batch_options(command: Command) -> Command:
    """What all commands that write many pictures take: --manifest to --options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def entries_of(
    inputs: tuple[str, ...],
    output: Path,
    options: dict[str, Any],
    own_options: tuple[str, ...] = (),
    check: Check = bool,
) -> Iterator[Entry]:
    """The pictures that the inputs or the manifest name; takes what says so out of ``options``.

    ``own_options`` are those that a line of the manifest may have, ``check`` refuses what they cannot be.
    """
    manifest, picture_format = options.pop("manifest"), options.pop("picture_format")
    allow_outside = options.pop("allow_outside")
    if "-" in (*inputs, str(output)):
        raise click.UsageError("pictures are files, not pipes, got -; a file of that name is ./-")
    if manifest is None:
        return plan_files(inputs, output, picture_format)
    if inputs:
        raise click.UsageError(f"give INPUT or --manifest, not both; got {' '.join(inputs)}")
    if picture_format is not None:
        raise click.UsageError("--format is for folders; a manifest names its outputs")
    refuse_overwriting([options["report"]], Path(manifest))
    return read_manifest(manifest, output, own_options, check, allow_outside=allow_outside)


def run_batch(
    entries: Iterable[Entry],
    map_for: MapFor,
    *,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    report: Path | None,
    log: str,
    quiet: bool,
    **settings: Any,
) -> int:
    """Make all pictures, on all cores; returns the exit code."""
    if settings["resume"] and settings["overwrite"]:
        raise click.UsageError("give --resume or --overwrite, not both")
    if settings["antialias"] and settings["interpolation"] == "nearest":
        raise click.UsageError("--antialias averages pixels, which --interpolation nearest must not")
    if workers is not None and scheduler not in (None, "local"):
        raise click.UsageError("--workers is for this machine; the workers of a --scheduler are its own")
    worklist = Worklist(entries)
    if dry_run:
        return _show(worklist, resume=settings["resume"], overwrite=settings["overwrite"])
    require_cv2()
    require_pillow()
    cores = max(1, min(workers or _cores(), len(worklist)))
    maker = Maker(map_for, Settings(**settings), cores)
    outcomes: Callable[[Iterator[Item]], Generator[Outcome, None, None]]
    if scheduler is None:
        _share_cores(cores)
        outcomes = partial(run_bounded, maker.make, threads=cores + _READERS_AND_WRITERS)
    else:
        cluster = _cluster()
        cluster.check_address(scheduler)
        outcomes = partial(cluster.make_on_cluster, scheduler, cores, maker, len(worklist))
    kept = Report(report, resume=settings["resume"]) if report is not None else None
    return _run(_outcomes(maker, worklist, outcomes), Log("quiet" if quiet else log, len(worklist)), kept)


def _run(outcomes: Generator[Outcome, None, None], log: Log, report: Report | None) -> int:
    ending = ""
    try:
        for outcome in outcomes:
            log.add(outcome)
            if report is not None:
                report.add(outcome)
            if outcome.disk_full:
                ending = "stopped, because the disk is full"
                break
    except KeyboardInterrupt:
        ending = "interrupted"
        raise
    except click.ClickException:
        ending = "stopped"
        raise
    finally:
        outcomes.close()
        log.close(ending)
        if report is not None:
            report.close()
    return 1 if log.failed else 0


def _outcomes(
    maker: Maker, worklist: Worklist, outcomes: Callable[[Iterator[Item]], Generator[Outcome, None, None]]
) -> Generator[Outcome, None, None]:
    """As they come: of what a process had begun when it died, apart; then of all others."""
    suspects = begun_sources(worklist)
    if suspects:
        yield from (make_apart(maker.make, item) for item in worklist if item.source in suspects)
    yield from outcomes(item for item in worklist if item.source not in suspects)


def _cluster() -> ModuleType:
    try:
        from . import cluster
    except ImportError as error:
        raise click.ClickException(f"--scheduler needs Dask ({error}): pip install 'numba-warpkit[dask]'") from None
    return cluster


def _show(worklist: Worklist, *, resume: bool, overwrite: bool) -> int:
    """Say what a run would do, as far as that can be known without decoding."""
    failed = False
    write = sys.stdout.buffer.write
    for source, target, own, problem in worklist.rows():
        is_there = not problem and not overwrite and os.path.exists(target)
        reason = problem or (not resume and is_there and existing(os.fsdecode(target))) or _unreadable(source)
        if reason:
            failed = True
            click.echo(in_a_line(f"failed: {os.fsdecode(source)}: {reason}"), err=True)
        else:
            about = b" (exists: skipped if it is whole)" if is_there else b""
            write(b"%b -> %b%b%b\n" % (source, target, b" " + own.encode() if own else b"", about))
    sys.stdout.flush()
    return 1 if failed else 0


def _unreadable(source: bytes) -> str:
    try:
        os.stat(source)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _cores() -> int:
    import warpkit as wk

    return wk.get_num_threads()


def _share_cores(pictures: int) -> None:
    """Pictures side by side, each on its share of the cores."""
    import warpkit as wk

    wk.set_num_threads(max(1, _cores() // pictures))
    require_cv2().setNumThreads(1)
