"""`warpkit show`: a warp to look at."""

from __future__ import annotations

from pathlib import Path

import click

from .motion import Motion, Plan, motion_options
from .pictures import Picture, PictureError, read_picture, require_cv2, write_picture


@click.command()
@click.argument("picture_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="INPUT")
@motion_options
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FIGURE.PNG")
def show(picture_file: Path, motion: Motion, output: Path) -> None:
    """Draw a picture before, after, and the grid that shows how it moved.

    \b
    warpkit show photo.jpg --map transform.json -o figure.png
    warpkit show photo.jpg --rotate 20 --shear 10,0 --size fit -o figure.png
    """
    require_cv2()
    from .drawing import as_displayable, side_by_side, with_moved_grid
    from .rendering import warp_pixels

    plan = Plan(motion)
    try:
        pixels = read_picture(picture_file).pixels
        inverse_map, shape = plan.for_picture(pixels.shape[:2])
        before = as_displayable(pixels)
        after = as_displayable(warp_pixels(pixels, inverse_map, shape, interpolation="bilinear", mode="constant", cval=0.0))
        grid = with_moved_grid(after, inverse_map, pixels.shape[:2])
        write_picture(output, Picture(side_by_side(["before", "after", "how it moved"], [before, after, grid], columns=3)))
    except PictureError as error:
        raise click.ClickException(f"{picture_file}: {error}") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {output}")
