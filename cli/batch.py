"""Many pictures through the library: each read, warped and written, or its error told."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from .files import Item
from .pictures import Picture, PictureError, read_picture, require_cv2, write_picture

if TYPE_CHECKING:
    from warpkit import Transform

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
MODES = ("constant", "edge", "symmetric", "reflect", "wrap")

# The inverse map of an item, and the canvas (rows, columns), for a picture of (rows, columns).
MapFor = Callable[[Item, tuple[int, int]], "tuple[Transform, tuple[int, int]]"]
Command = TypeVar("Command", bound=Callable[..., Any])


class Sampling(NamedTuple):
    """How pixels are read: the library's options of the same names."""

    interpolation: str
    mode: str
    cval: float


class Outcome(NamedTuple):
    """What became of one item; one line of the report."""

    item: Item
    status: str  # done, skipped or failed
    seconds: float
    source_size: tuple[int, int] | None = None
    target_size: tuple[int, int] | None = None
    error: str | None = None

    def as_json(self) -> str:
        record = self._asdict() | {"source": str(self.item.source), "target": str(self.item.target)}
        del record["item"]
        return json.dumps(record)


_OPTIONS = (
    click.option("--interpolation", type=click.Choice(INTERPOLATIONS), default="bilinear", show_default=True),
    click.option(
        "--mode", type=click.Choice(MODES), default="constant", show_default=True, help="What lies beyond the border."
    ),
    click.option("--cval", type=float, default=0.0, show_default=True, help="Grey level outside, for --mode constant."),
    click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Pictures at once.  [default: all cores]"),
    click.option("--resume", is_flag=True, help="Skip outputs that exist and can be read."),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    click.option("--dry-run", is_flag=True, help="Say what would be done."),
    click.option(
        "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="One JSON line for each picture."
    ),
)


def batch_options(command: Command) -> Command:
    """What all commands that write many pictures take: --interpolation to --report."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run_batch(
    items: list[Item],
    map_for: MapFor,
    *,
    interpolation: str,
    mode: str,
    cval: float,
    workers: int | None,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    report: Path | None,
) -> int:
    """Make all items, on all cores; returns the exit code."""
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    if dry_run:
        for item in items:
            click.echo(f"{item.source} -> {item.target}")
        return 0
    require_cv2()
    sampling = Sampling(interpolation, mode, cval)
    workers = min(workers or _cores(), len(items))
    _share_cores(workers)

    def run(item: Item) -> Outcome:
        return warp_item(item, map_for, sampling, resume=resume, overwrite=overwrite)

    return _summary(_run_all(run, items, workers, report))


def warp_item(item: Item, map_for: MapFor, sampling: Sampling, *, resume: bool, overwrite: bool) -> Outcome:
    """Read, warp and write one picture; whatever goes wrong is the outcome's error."""
    from .rendering import warp_pixels

    start = time.perf_counter()

    def outcome(status: str, **details: Any) -> Outcome:
        return Outcome(item, status, round(time.perf_counter() - start, 6), **details)

    try:
        if item.target.exists() and not overwrite:
            if not resume:
                return outcome("failed", error=f"{item.target} exists; use --overwrite or --resume")
            if _is_readable(item.target):
                return outcome("skipped")
        picture = read_picture(item.source)
        rows, columns = picture.pixels.shape[:2]
        inverse_map, shape = map_for(item, (rows, columns))
        pixels = warp_pixels(picture.pixels, inverse_map, shape, **sampling._asdict())
        write_picture(item.target, Picture(pixels, picture.metadata))
    except (PictureError, ValueError, TypeError, MemoryError, OSError) as error:
        return outcome("failed", error=str(error) or type(error).__name__)
    except click.ClickException as error:
        return outcome("failed", error=error.message)
    return outcome("done", source_size=(columns, rows), target_size=(shape[1], shape[0]))


def _is_readable(path: Path) -> bool:
    try:
        read_picture(path)
    except PictureError:
        return False
    return True


def _cores() -> int:
    import warpkit as wk

    return wk.get_num_threads()


def _share_cores(workers: int) -> None:
    """Pictures side by side, each on its share of the cores."""
    import warpkit as wk

    wk.set_num_threads(max(1, _cores() // workers))
    require_cv2().setNumThreads(1)


def _run_all(run: Any, items: list[Item], workers: int, report: Path | None) -> list[Outcome]:
    from tqdm import tqdm

    outcomes = []
    pool = ThreadPoolExecutor(workers)
    progress = tqdm(total=len(items), unit="picture", disable=not sys.stderr.isatty())
    try:
        log = _open_report(report)
        for future in as_completed([pool.submit(run, item) for item in items]):
            outcome = future.result()
            outcomes.append(outcome)
            progress.update()
            if outcome.status == "failed":
                progress.write(f"failed: {outcome.item.source}: {outcome.error}", file=sys.stderr)
            if log is not None:
                log.write(outcome.as_json() + "\n")
                log.flush()
        if log is not None:
            log.close()
    finally:
        pool.shutdown(cancel_futures=True)
        progress.close()
    return outcomes


def _open_report(path: Path | None) -> IO[str] | None:
    if path is None:
        return None
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--report {path}: {error.strerror}") from None


def _summary(outcomes: list[Outcome]) -> int:
    """Print how the run went; returns the exit code."""
    counts = {status: sum(o.status == status for o in outcomes) for status in ("done", "skipped", "failed")}
    words = [f"{counts['done']} {'picture' if counts['done'] == 1 else 'pictures'} warped"]
    words += [f"{counts[status]} {status}" for status in ("skipped", "failed") if counts[status]]
    click.echo(", ".join(words), err=True)
    return 1 if counts["failed"] else 0
