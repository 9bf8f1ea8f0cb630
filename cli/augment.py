"""`warpkit augment`: many pictures, each distorted at random, several times."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .batch import batch_options, entries_of, run_batch
from .files import plan_copies
from .worklist import Item

if TYPE_CHECKING:
    from warpkit import Transform

RECIPES = ("R", "RTS", "P", "E")


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder to write into.")
@click.option("--recipe", type=click.Choice(RECIPES), required=True, help="What is done to a picture, see above.")
@click.option("--copies", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="Of each picture.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is random.")
@batch_options
def augment(inputs: tuple[str, ...], output: Path, recipe: Any, copies: int, seed: int, **options: Any) -> int:
    """Distort pictures at random, each --copies times.

    \b
    R    turned by up to 90 degrees either way
    RTS  turned by up to 45 degrees, scaled by 0.7 to 1.2, anywhere on a canvas 1.5 times as large
    P    scaled by 0.75 to 1, then each corner moved by normal noise of 18 percent of the size
    E    scaled by 0.75 to 1, then bent by 16 points, moved by normal noise of 5 percent of the size

    The recipes are those of Jaderberg et al. (2015). PICTURE.png becomes PICTURE-0.png, PICTURE-1.png ... It is distorted
    in the same way whenever --seed, its name below the output folder and the number of the copy are the same.

    \b
    warpkit augment photos/ -o more/ --recipe RTS --copies 10 --seed 1
    """
    entries = entries_of(inputs, output, options)
    return run_batch(plan_copies(entries, output, copies), Distortions(recipe, seed, output), **options)


@dataclass(frozen=True)
class Distortions:
    """The random map of each picture, drawn from the seed and its name below the output folder."""

    recipe: Any
    seed: int
    output: Path

    def __call__(self, item: Item, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
        import numpy as np

        from warpkit.distortions import canvas_shape, random_maps

        name = item.target.relative_to(self.output).as_posix()
        random = np.random.default_rng((self.seed, zlib.crc32(name.encode())))
        (inverse_map,) = random_maps(self.recipe, shape, 1, random)
        return inverse_map, canvas_shape(self.recipe, shape)
