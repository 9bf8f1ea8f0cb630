"""Which files go in, and where each comes out."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from .pictures import SUFFIXES


class Item(NamedTuple):
    """One picture to make."""

    source: Path
    target: Path


def plan_files(inputs: Sequence[str], output: Path) -> list[Item]:
    """Pair inputs (files, globs, folders searched with all below them) with their outputs.

    One input file with an output that has a picture's suffix goes there; all else keeps its name, and its place in its
    folder, below ``output``.
    """
    found: list[tuple[Path, Path]] = []
    for name in inputs:
        found.extend(_expand(name))
    if not found:
        raise click.UsageError("no pictures found in " + ", ".join(inputs))
    single = len(found) == 1 and not Path(inputs[0]).is_dir()
    if single and output.suffix.lower() in SUFFIXES and not output.is_dir():
        items = [Item(found[0][0], output)]
    else:
        items = [Item(source, output / relative) for source, relative in found]
    _refuse_clashes(items)
    return items


def plan_copies(inputs: Sequence[str], output: Path, copies: int) -> list[Item]:
    """Pair each input with ``copies`` numbered outputs below the folder ``output``."""
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise click.UsageError(f"--output must be a folder, got {output}")
    digits = len(str(copies - 1))
    items = []
    for source, target in plan_files(inputs, output):
        for copy in range(copies):
            items.append(Item(source, target.with_stem(f"{target.stem}-{copy:0{digits}}")))
    _refuse_clashes(items)
    return items


def _expand(name: str) -> list[tuple[Path, Path]]:
    """Files that a name stands for, each with its place below the output folder."""
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        return [(p, p.relative_to(path)) for p in files]
    if not path.exists() and glob.has_magic(name):
        return [(Path(p), Path(Path(p).name)) for p in sorted(glob.glob(name, recursive=True)) if Path(p).is_file()]
    return [(path, Path(path.name))]


def _refuse_clashes(items: list[Item]) -> None:
    targets: dict[Path, Path] = {}
    sources = {item.source.resolve() for item in items}
    for item in items:
        resolved = item.target.resolve()
        if resolved in targets:
            raise click.UsageError(f"{targets[resolved]} and {item.source} would both be written to {item.target}")
        if resolved in sources:
            raise click.UsageError(f"{item.target} is an input; choose another output")
        targets[resolved] = item.source
