"""`warpkit warp`: many pictures through one motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .batch import batch_options, run_batch
from .files import plan_files
from .motion import Motion, Plan, motion_options


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="File or folder to write.")
@motion_options
@batch_options
def warp(inputs: tuple[str, ...], output: Path, motion: Motion, **options: Any) -> int:
    """Warp pictures: files, globs, and folders with all below them.

    The options describe how the picture moves. It moves by --matrix, --quad, --points or --map, then is scaled, sheared,
    turned and translated about its centre. Coordinates are pixels, x to the right, y down, (0, 0) the centre of the top-left
    pixel.

    \b
    warpkit warp cat.jpg -o turned.jpg --rotate 15 --size fit
    warpkit warp photos/ -o small/ --scale 0.5 --size fit
    warpkit warp page.png -o flat.png --points corners.csv --model projective --size 1240x1754
    """
    plan = Plan(motion)
    return run_batch(plan_files(inputs, output), lambda _, shape: plan.for_picture(shape), **options)
