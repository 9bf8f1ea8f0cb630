"""`warpkit fit`: a transform from point pairs."""

from __future__ import annotations

from pathlib import Path

import click

from .errors import PictureError
from .files import refuse_overwriting
from .pairs import MODELS, fit_inverse_map, read_pairs
from .values import Number
from .writing import write_whole


@click.command()
@click.argument("pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PAIRS.CSV")
@click.option("--model", type=click.Choice(MODELS), default="tps", show_default=True, help="What is fitted.")
@click.option("--smoothing", type=Number(), default=0.0, show_default=True, help="How far a spline may miss its points.")
@click.option("--order", type=click.IntRange(1), default=2, show_default=True, help="Of a polynomial.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="TRANSFORM.JSON",
    help="File to write; replaced if it exists.",
)  # fmt: skip
def fit(pairs: Path, model: str, smoothing: float, order: int, output: Path) -> None:
    """Fit a transform to point pairs.

    PAIRS.CSV has the header source_x,source_y,target_x,target_y: where a point is in the picture, and where it should come to
    lie, in pixels. The JSON file holds the inverse map, target to source, for `warpkit warp --map` and
    `warpkit.transform_from_json`.

    \b
    warpkit fit pairs.csv --model projective -o transform.json
    warpkit warp photo.jpg -o flat.jpg --map transform.json
    """
    import numpy as np

    refuse_overwriting([output], pairs)
    inverse_map = fit_inverse_map(pairs, model, smoothing, order)
    source, target = read_pairs(pairs)
    errors = np.hypot(*(inverse_map(target) - source).T)
    try:
        write_whole(output, (inverse_map.to_json(direction="inverse") + "\n").encode())
    except PictureError as error:
        raise click.ClickException(f"{output}: {error}") from None
    root_mean_square = np.sqrt((errors**2).mean())
    click.echo(f"{model} through {len(errors)} pairs: RMS error {root_mean_square:.3g} px, largest {errors.max():.3g} px")
