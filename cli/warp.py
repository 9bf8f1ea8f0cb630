"""`warpkit warp`: many pictures through one motion, or each through its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .batch import batch_options, entries_of, run_batch
from .large import is_large, large_options, warp_large
from .motion import PARAMETERS, Motion, Plans, motion_options


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(), metavar="OUT", help="File or folder to write.")
@motion_options
@large_options
@batch_options
def warp(inputs: tuple[str, ...], output: str, motion: Motion, tile: int | None, memory: int | None, **options: Any) -> int:
    """Warp pictures: files, globs, and folders with all below them.

    The options describe how the picture moves. It moves by --matrix, --quad, --points or --map, then is scaled, sheared,
    turned and translated about its centre. Coordinates are pixels, x to the right, y down, (0, 0) the centre of the top-left
    pixel.

    \b
    warpkit warp cat.jpg -o turned.jpg --rotate 15 --size fit
    warpkit warp photos/ -o small/ --scale 0.5 --size fit --format webp --quality 80
    warpkit warp page.png -o flat.png --points corners.csv --model projective --size 1240x1754
    warpkit warp --manifest list.csv -o out/ --report out.jsonl          columns input, output, rotate, map ...
    warpkit warp --options job.toml --resume                             rotate = 15, inputs = ["photos/"] ...
    warpkit warp big.zarr -o turned.zarr --rotate 15 --memory 1G         Zarr and large TIFF, by tiles
    """
    if is_large(inputs, output, tile, memory):
        return warp_large(inputs, output, motion, tile=tile, memory=memory, **options)
    plans = Plans(motion)
    entries = entries_of(inputs, Path(output), options, own_options=tuple(PARAMETERS), check=plans.check)
    return run_batch(entries, plans.for_item, **options)
