"""How a run tells what it does: progress and messages on standard error, a report in a file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from .files import refuse_foreign
from .making import Outcome

LOGS = ("plain", "json", "quiet")
_SECONDS_BETWEEN_PROGRESS = 10.0


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def in_a_line(message: str) -> str:
    """A message that names of files can neither break nor colour; bytes that are not Unicode are escaped, too."""
    return message.translate(_CONTROLS).encode(errors="backslashreplace").decode()


class Report:
    """One JSON line for each picture, each written at once: what is done is on record even if the process is killed."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self._path = path
        refuse_foreign("--report", path, b'{"input": ')
        try:
            self._file = path.open("ab+" if resume else "wb", buffering=0)
            if resume and self._ends_within_a_line():
                self._file.write(b"\n")
        except OSError as error:
            raise click.UsageError(f"--report {path}: {error.strerror}") from None

    def _ends_within_a_line(self) -> bool:
        if self._file.seek(0, os.SEEK_END) == 0:
            return False
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) != b"\n"

    def add(self, outcome: Outcome) -> None:
        try:
            self._file.write(json.dumps(outcome.record()).encode() + b"\n")
        except OSError as error:
            raise click.ClickException(f"--report {self._path}: {error.strerror}") from None

    def close(self) -> None:
        self._file.close()


class Log:
    """Tells of failures as they come, of progress, and at the end how the run went."""

    def __init__(self, kind: str, total: int, unit: str = "picture") -> None:
        from tqdm import tqdm

        self._json, self._quiet = kind == "json", kind == "quiet"
        self._total, self._unit = total, unit
        self._counts: Counter[str] = Counter()
        self._start = self._told = time.monotonic()
        shown = kind == "plain" and sys.stderr.isatty()
        self._bar = tqdm(total=total, unit=unit, disable=not shown)

    def add(self, outcome: Outcome) -> None:
        self._counts[outcome.result] += 1
        self._bar.update()
        if self._json:
            if outcome.result == "failed":
                self._tell({"event": "failed", **outcome.record()})
            if time.monotonic() - self._told > _SECONDS_BETWEEN_PROGRESS:
                self._told = time.monotonic()
                self._tell({"event": "progress", **self._state()})
            return
        if outcome.result == "failed":
            self._say(f"failed: {outcome.item.source}: {outcome.error}")
        for note in () if self._quiet else outcome.notes:
            self._say(f"note: {outcome.item.source}: {note}")

    def close(self, ending: str = "") -> None:
        """Say how the run went; ``ending`` says why, if it went no further."""
        self._bar.close()
        if self._json:
            self._tell({"event": "end", "reason": ending or "done", **self._state()})
        elif not self._quiet:
            self._say(self._summary())
        if ending and not self._json:
            left = self._total - sum(self._counts.values())
            self._say(f"{ending}; {left} of {self._total} not made; --resume goes on")

    @property
    def failed(self) -> bool:
        return self._counts["failed"] > 0

    def _state(self) -> dict[str, Any]:
        finished = sum(self._counts.values())
        rate = finished / max(1e-9, time.monotonic() - self._start)
        return {
            "total": self._total,
            **{result: self._counts[result] for result in ("done", "skipped", "failed")},
            f"{self._unit}s_per_second": round(rate, 3),
            "seconds_left": round((self._total - finished) / rate, 1) if rate else None,
        }

    def _summary(self) -> str:
        done = self._counts["done"]
        words = [f"{done} {self._unit if done == 1 else self._unit + 's'} warped"]
        words += [f"{self._counts[result]} {result}" for result in ("skipped", "failed") if self._counts[result]]
        return ", ".join(words)

    def _say(self, line: str) -> None:
        self._bar.write(in_a_line(line), file=sys.stderr)

    def _tell(self, event: dict[str, Any]) -> None:
        click.echo(json.dumps(event), err=True)
