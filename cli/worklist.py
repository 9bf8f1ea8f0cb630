"""All pictures of a run, settled before the first is made, in a temporary database: a million need no more memory than ten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .files import Entry
from .pictures import SUFFIXES

_CACHE_KIB = 32 * 1024
# Names are kept as bytes: those that are not Unicode are names, too.
_TABLE = """
CREATE TABLE items (
    number INTEGER PRIMARY KEY, source BLOB, target BLOB, own TEXT, problem TEXT, origin BLOB, place BLOB)
"""
_SAME_OUTPUT = """
UPDATE items SET problem = 'would be written to the same file as ' ||
    (SELECT source FROM items AS first WHERE first.place = items.place AND first.problem = '' ORDER BY number LIMIT 1)
WHERE place IN (SELECT place FROM items WHERE problem = '' GROUP BY place HAVING count(*) > 1)
    AND problem = ''
    AND number > (SELECT min(number) FROM items AS first WHERE first.place = items.place AND first.problem = '')
"""
_OUTPUT_IS_INPUT = """
UPDATE items SET problem = 'its output ' || target || ' is an input; choose another output'
WHERE problem = '' AND place IN (SELECT origin FROM items)
"""


class Item(NamedTuple):
    """One picture to make; or, where ``problem`` says why, not."""

    source: Path
    target: Path
    own: str = ""
    problem: str = ""


class Worklist:
    """Takes all entries at once; iterates over items, of which those with clashing outputs have a problem."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.text_factory = os.fsdecode
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO items (source, target, own, problem, origin, place) VALUES (?, ?, ?, ?, ?, ?)", map(_row, entries)
        )
        self._database.execute("CREATE INDEX by_place ON items (place)")
        self._database.execute(_OUTPUT_IS_INPUT)
        self._database.execute(_SAME_OUTPUT)
        self._database.execute("COMMIT")

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM items").fetchone()
        return int(count)

    def __iter__(self) -> Iterator[Item]:
        for source, target, own, problem in self.rows():
            yield Item(Path(os.fsdecode(source)), Path(os.fsdecode(target)), own, problem)

    def rows(self) -> Iterator[tuple[bytes, bytes, str, str]]:
        """Source, target, own options and problem of each item, as they are kept."""
        return iter(self._database.execute("SELECT source, target, own, problem FROM items ORDER BY number"))


def _row(entry: Entry) -> tuple[bytes, bytes, str, str, bytes, bytes | None]:
    source, target, own, problem = entry
    if not problem and os.path.splitext(target)[1].lower() not in SUFFIXES:
        problem = f"its output {target} has no suffix of a format that is written: {' '.join(sorted(SUFFIXES))}"
    place = None if problem else _place(target)
    return os.fsencode(source), os.fsencode(target), own, problem, _place(source), place


def _place(name: str) -> bytes:
    """The same for all names of a file, links in its folder's path included."""
    folder, file = os.path.split(name)
    if file in ("", ".", ".."):
        return os.fsencode(os.path.realpath(name))
    return os.fsencode(f"{real_folder(folder)}{os.sep}{file}")


def real_folder(folder: str) -> str:
    """A folder without links; looked up once for the files that lie side by side."""
    return _real_path(folder, os.getcwd())


@lru_cache(maxsize=4096)
def _real_path(folder: str, current: str) -> str:
    return os.path.realpath(os.path.join(current, folder))
