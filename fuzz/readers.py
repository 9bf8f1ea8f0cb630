"""What is fuzzed: each function takes any bytes as a file, and either reads it or raises what its callers expect."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

import warpkit as wk
from warpkit_cli.batch import batch_options
from warpkit_cli.manifest import read_manifest
from warpkit_cli.motion import PARAMETERS, Motion, Plans, motion_options
from warpkit_cli.pairs import read_pairs

_FILE = Path(tempfile.mkdtemp(), "file")


@motion_options
@batch_options
def _anything(**options: object) -> None:
    """Has all options that an options file may hold."""


_command = click.command("anything")(_anything)


def transform(data: bytes) -> None:
    """A file of --map."""
    with suppress(ValueError):
        wk.transform_from_json(data.decode(errors="replace"))


def pairs(data: bytes) -> None:
    """A file of --points."""
    _FILE.write_bytes(data)
    with suppress(click.UsageError):
        read_pairs(_FILE)


def manifest(data: bytes) -> None:
    """A file of --manifest; nothing may be written outside the output folder."""
    _FILE.write_bytes(data)
    plans = Plans(Motion(**dict.fromkeys(Motion._fields)))
    with suppress(click.UsageError):
        for entry in read_manifest(str(_FILE), Path("out"), tuple(PARAMETERS), plans.check):
            inside = Path("out").resolve() in Path(entry.target).resolve().parents
            assert entry.problem or inside, entry


def options(data: bytes) -> None:
    """A file of --options."""
    _FILE.write_bytes(data)
    with suppress(click.UsageError):
        _command.main(["--options", str(_FILE)], standalone_mode=False)


READERS: dict[str, Callable[[bytes], None]] = {
    "transform": transform,
    "pairs": pairs,
    "manifest": manifest,
    "options": options,
}

SEEDS: dict[str, str] = {
    "transform": (wk.Affine.rotation(3) @ wk.Projective([[1, 0, 2], [0, 1, 3], [0, 1e-4, 1]])).to_json(direction="inverse"),
    "pairs": "source_x,source_y,target_x,target_y\n0,0,1,2\n10,0,11,2.5\n0,10,1,12\n",
    "manifest": 'input,output,rotate,translate\na.png,b/c.png,5,"3,4"\nd.png,e.png,,\n',
    "options": 'rotate = 15\nscale = [1, 2]\nsize = "fit"\nmode = "edge"\nresume = true\n',
}
