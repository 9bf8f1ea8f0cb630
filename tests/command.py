"""The command in this process: starting an interpreter for each of many small runs would take most of the time."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import skimage.data

from warpkit_cli.main import main
from warpkit_cli.writing import PREFIX

PHOTO = skimage.data.coffee()[:60, :80, ::-1].copy()  # BGR


class Done(NamedTuple):
    """What a run printed."""

    stdout: str
    stderr: str


def invoke(*arguments: object, code: int = 0) -> Done:
    """Run the command in the current folder; its exit code must be ``code``."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape") for _ in range(2)]
    with (
        mock.patch.object(sys, "argv", ["warpkit", *map(str, arguments)]),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(errors="surrogateescape"))  # type: ignore[attr-defined]
    assert status == code, texts
    return Done(*texts)


def leftovers(folder: Path) -> list[Path]:
    """Temporary files of ours below a folder."""
    return list(folder.rglob(PREFIX + "*"))


def names(top: str) -> list[str]:
    """All files below a folder."""
    return sorted(str(path.relative_to(top)) for path in Path(top).rglob("*") if path.is_file())
