"""`warpkit show`: a warp to look at."""

from __future__ import annotations

from pathlib import Path

import click

from .errors import PictureError
from .files import refuse_overwriting
from .motion import Motion, Plan, motion_options
from .opencv import require_cv2
from .pictures import Picture, read_picture, write_picture


@click.command()
@click.argument("picture_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="INPUT")
@motion_options
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FIGURE.PNG",
    help="File to write; replaced if it exists.",
)  # fmt: skip
def show(picture_file: Path, motion: Motion, output: Path) -> None:
    """Draw a picture before, after, and the grid that shows how it moved.

    \b
    warpkit show photo.jpg --map transform.json -o figure.png
    warpkit show photo.jpg --rotate 20 --shear 10,0 --size fit -o figure.png
    """
    refuse_overwriting([output], picture_file)
    require_cv2()
    from .drawing import as_displayable, side_by_side, with_moved_grid
    from .rendering import warp_pixels

    plan = Plan(motion)
    try:
        pixels = read_picture(picture_file).frames[0]
        inverse_map, shape = plan.for_picture(pixels.shape[:2])
        before = as_displayable(pixels)
        after = as_displayable(warp_pixels(pixels, inverse_map, shape))
        grid = with_moved_grid(after, inverse_map, pixels.shape[:2])
        figure = side_by_side(["before", "after", "how it moved"], [before, after, grid], columns=3)
    except PictureError as error:
        raise click.ClickException(f"{picture_file}: {error}") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        write_picture(output, Picture((figure,)))
    except PictureError as error:
        raise click.ClickException(f"{output}: {error}") from None
    click.echo(f"wrote {output}")
