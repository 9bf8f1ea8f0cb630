"""Manifests: a CSV file with a header, or JSON lines, that name an input, an output and options of its own for each picture."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from .files import Entry
from .worklist import real_folder

_NAMES = ("input", "output")
_TEXT: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}  # names need not be Unicode
_PARTS = re.compile(r"[/\\]" if os.sep == "\\" else "/")

# Raises ValueError where an option of a line's own cannot be right.
Check = Callable[[Mapping[str, Any]], object]


def read_manifest(
    name: str, output: Path, options: tuple[str, ...] = (), check: Check = bool, *, allow_outside: bool = False
) -> Iterator[Entry]:
    """One entry for each line of the file ``name`` ("-" is standard input), read as they are asked for.

    ``options`` are the columns that may stand beside input and output. A line that is wrong becomes an entry with a problem.
    """
    with _opened(name) as file:
        first = file.readline()
        lines = itertools.chain([first], file)
        rows = _json_rows(lines) if first.lstrip().startswith("{") else _csv_rows(name, lines, options)
        root = os.fspath(output)
        for line, row in rows:
            try:
                yield _entry(row, root, options, check, allow_outside)
            except ValueError as error:
                source = str(row.get("input") or "") if isinstance(row, dict) else ""
                yield Entry(source or name, "", problem=f"{name}, line {line}: {error}")


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        sys.stdin.reconfigure(**_TEXT)  # type: ignore[union-attr]
        yield sys.stdin
        return
    try:
        file = open(name, **_TEXT)  # noqa: SIM115
    except OSError as error:
        raise click.UsageError(f"--manifest {name}: {error.strerror}") from None
    with file:
        yield file


def _csv_rows(name: str, lines: Iterator[str], options: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
    except csv.Error as error:
        raise click.UsageError(f"--manifest {name}, line 1: {error}") from None
    missing = [column for column in _NAMES if column not in header]
    unknown = [column for column in header if column not in (*_NAMES, *options)]
    if missing or unknown or len(set(header)) < len(header):
        expected = "input,output" + (f" and any of {','.join(options)}" if options else "")
        raise click.UsageError(f"--manifest {name}, line 1: expected the columns {expected}, got {','.join(header)!r}")
    while True:
        try:
            for fields in reader:
                if len(fields) == len(header):
                    yield reader.line_num, dict(zip(header, fields, strict=True))
                elif fields:
                    yield reader.line_num, f"expected {len(header)} fields, got {len(fields)}"
            return
        except csv.Error as error:
            yield reader.line_num, str(error)


def _json_rows(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON: {error}"


def _entry(row: Any, root: str, options: tuple[str, ...], check: Check, allow_outside: bool) -> Entry:
    if isinstance(row, str):
        raise ValueError(row)
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with input and output, got {json.dumps(row)[:80]}")
    source, target = (_file_name(row, name) for name in _NAMES)
    own = {name: value for name, value in row.items() if name not in _NAMES and value not in ("", None)}
    if own:
        unknown = [name for name in own if name not in options]
        if unknown:
            raise ValueError(f"{unknown[0]}: no such field; may be input, output{''.join(f', {name}' for name in options)}")
        check(own)
    if not allow_outside:
        _refuse_outside(target, root)
    return Entry(source, os.path.join(root, target), json.dumps(own) if own else "")


def _file_name(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or "\0" in value or os.path.basename(value) in ("", ".", ".."):
        raise ValueError(f"{field} must be a file name, got {value!r}")
    return value


def _refuse_outside(target: str, root: str) -> None:
    """A manifest from elsewhere must not decide where on this machine files are written."""
    if os.path.isabs(target) or os.path.splitdrive(target)[0] or ".." in _PARTS.split(target):
        raise ValueError(f"output {target!r} leaves the output folder; --allow-outside permits that")
    folder = os.path.dirname(target)
    if folder:
        real_root = real_folder(root)
        real = real_folder(os.path.join(root, folder))
        if real != real_root and not real.startswith(real_root.rstrip(os.sep) + os.sep):
            raise ValueError(f"output {target!r} leaves the output folder by a link; --allow-outside permits that")
