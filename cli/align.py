"""`warpkit align`: the pictures of a stack, each moved to lie on the first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from .batch import batch_options, entries_of, run_batch
from .errors import PictureError
from .files import Entry, refuse_foreign
from .making import existing
from .motion import read_inverse_map
from .opencv import require_cv2
from .registering import How, Moved, Row, read_single, registration_options, table
from .stacks import Target, ToFirst, ToMean, ToPrevious
from .worklist import Item, Worklist
from .writing import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform

TARGETS = ("first", "previous", "mean")


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder to write into.")
@click.option(
    "--to", type=click.Choice(TARGETS), default="first", show_default=True, help="What each picture is compared with."
)
@registration_options
@click.option(
    "--table",
    "table_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.CSV",
    help="How each picture moved, and how well it agrees.",
)
@batch_options
def align(inputs: tuple[str, ...], output: Path, to: str, how: How, table_file: Path | None, **options: Any) -> int:
    """Align a stack of pictures: each moves to lie on the first.

    Pictures are taken in the order that they are named in, those of a folder by name. Each is compared with the first; or with
    the one before it, for what changes slowly (errors add up); or with the mean of all that can be aligned to the first, which
    has less noise. One that cannot be aligned fails, and the others go on. Beside each output lies its transform, OUTPUT.json:
    the inverse map, from the first picture's pixels to its own, for `warpkit warp --map`.

    \b
    warpkit align frames/ -o steady/ --model euclidean --to previous --table shifts.csv
    warpkit align bracket/*.jpg -o aligned/ --model projective --robust huber
    """
    if table_file is not None:
        refuse_foreign("--table", table_file, table([]))
    stack = _Stack(Worklist(entries_of(inputs, output, options)), how, options)
    if not options["dry_run"]:
        require_cv2()
        stack.align(to)
        if table_file is not None:
            _write_table(table_file, stack.rows)
    return run_batch(stack.entries(), partial(_placed, Path.cwd(), stack.canvas), **options)


def _placed(folder: Path, canvas: tuple[int, int], item: Item, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
    """For the run, on whichever machine: what the alignment has written, with names that begin in ``folder``."""
    return read_inverse_map(_transform_file(folder / item.target)), canvas


def _transform_file(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _write_table(path: Path, rows: list[Row]) -> None:
    try:
        write_whole(path, table(rows))
    except PictureError as error:
        raise click.ClickException(f"--table {path}: {error}") from None


class _Stack:
    """Pictures, and what their alignment found."""

    def __init__(self, items: Worklist, how: How, options: dict[str, Any]) -> None:
        self._items, self._how, self._options = items, how, options
        self._problems: dict[Path, str] = {}
        self.canvas = (1, 1)
        self.rows: list[Row] = []

    def entries(self) -> Iterator[Entry]:
        """For the run that warps them."""
        for item in self._items:
            yield Entry(str(item.source), str(item.target), problem=item.problem or self._problems.get(item.target, ""))

    def align(self, to: str) -> None:
        """Write the transforms of all pictures that can be aligned."""
        target: Target
        if to == "mean":
            target = ToMean(self._pictures(), self._how)
        else:
            target = ToPrevious(self._how) if to == "previous" else ToFirst(self._how)
        for item in tqdm(self._items, total=len(self._items), unit="picture", desc="aligned", disable=not self._is_shown):
            if not item.problem:
                self._align(item, target)
        self.canvas = target.canvas

    def _align(self, item: Item, target: Target) -> None:
        try:
            inverse_map, agreement = target.place(self._read(item))
            self._write(_transform_file(item.target), inverse_map)
        except PictureError as error:
            self._problems[item.target] = str(error)
        else:
            self.rows.append((item.source, Moved.by(inverse_map, target.canvas), agreement))

    def _pictures(self) -> Iterator[NDArray[Any]]:
        """Those that can be read."""
        for item in self._items:
            if not item.problem:
                with contextlib.suppress(PictureError):
                    yield self._read(item)

    def _read(self, item: Item) -> NDArray[Any]:
        return read_single(item.source, self._options["max_pixels"]).frames[0]

    def _write(self, path: Path, inverse_map: Transform) -> None:
        if path.exists() and not (self._options["overwrite"] or self._options["resume"]):
            raise PictureError(existing(path))
        write_whole(path, (inverse_map.to_json(direction="inverse") + "\n").encode())

    @property
    def _is_shown(self) -> bool:
        return sys.stderr.isatty() and self._options["log"] == "plain" and not self._options["quiet"]
