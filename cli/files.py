"""Which files go in, and where each comes out."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import click

from .pictures import SUFFIXES


class Entry(NamedTuple):
    """One picture to make, or why it cannot be; names as text, because there may be millions."""

    source: str
    target: str
    own: str = ""  # options of its own, as JSON
    problem: str = ""


def seen_from_here(folder: Path) -> Path:
    """A folder as names begin in it: the current one leaves them as they are."""
    return Path() if folder == Path.cwd() else folder


def refuse_overwriting(outputs: Iterable[Path | None], *inputs: Path) -> None:
    """Usage that would write over what it reads, or twice into one file."""
    places = [os.path.realpath(path) for path in (*inputs, *outputs) if path is not None]
    for number, place in enumerate(places[len(inputs) :], start=len(inputs)):
        if place in places[:number]:
            raise click.UsageError(f"{place} is an input, or another output; choose another")


def refuse_foreign(option: str, path: Path, beginning: bytes) -> None:
    """Usage that would write over a file that no earlier run wrote, such as a picture."""
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            is_ours = beginning.startswith(file.read(len(beginning)))
    except OSError as error:
        raise click.UsageError(f"{option} {path}: {error.strerror}") from None
    if not is_ours:
        raise click.UsageError(f"{option} {path} exists, and no run of warpkit wrote it; choose another name")


def plan_files(inputs: Sequence[str], output: Path, picture_format: str | None = None) -> Iterator[Entry]:
    """Pair inputs (files, globs, folders searched with all below them) with their outputs.

    One input file with an output that has a picture's suffix goes there; all else keeps its name, and its place in its
    folder, below ``output``.
    """
    if not inputs:
        raise click.UsageError("give INPUT, or --manifest")
    found = chain.from_iterable(_expand(name, output) for name in inputs)
    first = list(islice(found, 2))
    if not first:
        raise click.UsageError("no pictures found in " + ", ".join(inputs))
    single = len(first) == 1 and not Path(inputs[0]).is_dir()
    if single and output.suffix.lower() in SUFFIXES and not output.is_dir():
        if picture_format is not None:
            raise click.UsageError(f"--format is for folders; the format of {output} is said by its name")
        return iter([first[0]._replace(target=str(output))])
    if single and output.suffix and not output.is_dir():
        raise click.UsageError(f"--output {output}: no format is known by that suffix; for a folder, make it first")
    _refuse_file(output)
    return (_below(output, entry, picture_format) for entry in chain(first, found))


def plan_copies(entries: Iterable[Entry], output: Path, copies: int) -> Iterator[Entry]:
    """Each entry as ``copies`` numbered ones; ``output`` must be a folder."""
    _refuse_file(output)
    return _numbered(entries, copies)


def _refuse_file(output: Path) -> None:
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise click.UsageError(f"--output must be a folder for several pictures, got {output}")


def _numbered(entries: Iterable[Entry], copies: int) -> Iterator[Entry]:
    digits = len(str(copies - 1))
    for entry in entries:
        if entry.problem:
            yield entry
            continue
        stem, suffix = os.path.splitext(entry.target)
        for copy in range(copies):
            yield entry._replace(target=f"{stem}-{copy:0{digits}}{suffix}")


def _below(output: Path, entry: Entry, picture_format: str | None) -> Entry:
    if entry.problem:
        return entry
    name = entry.target
    if picture_format is not None:
        name = f"{os.path.splitext(name)[0]}.{picture_format}"
    return entry._replace(target=os.path.join(output, name))


def _expand(name: str, output: Path) -> Iterator[Entry]:
    """Files that a name stands for; the target is its place below the output folder."""
    path = Path(name)
    if path.is_dir():
        return _walk(path, output)
    if not path.exists() and glob.has_magic(name):
        return (Entry(p, os.path.basename(p)) for p in sorted(glob.glob(name, recursive=True)) if os.path.isfile(p))
    return iter([Entry(name, path.name)])


def _walk(top: Path, output: Path) -> Iterator[Entry]:
    """All pictures below a folder, in the order of their names, without the output folder if that is one of them."""
    unlisted: list[OSError] = []
    output_place = os.path.realpath(output)
    for folder, folders, files in os.walk(top, onerror=unlisted.append):
        folders[:] = sorted(f for f in folders if os.path.realpath(os.path.join(folder, f)) != output_place)
        for file in sorted(files):
            if os.path.splitext(file)[1].lower() in SUFFIXES:
                path = os.path.join(folder, file)
                yield Entry(path, os.path.relpath(path, top))
        while unlisted:
            yield _unlisted(unlisted.pop())
    while unlisted:
        yield _unlisted(unlisted.pop())


def _unlisted(error: OSError) -> Entry:
    return Entry(str(error.filename), "", problem=f"cannot be listed: {error.strerror}")
