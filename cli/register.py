"""`warpkit register`: the motion between two pictures, from their pixels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from .errors import PictureError
from .files import refuse_overwriting
from .opencv import require_cv2
from .pictures import Picture, write_picture
from .registering import Agreement, How, Moved, read_single, red_and_cyan, register, registration_options
from .rendering import warp_pixels
from .writing import write_whole

_INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command("register")
@click.argument("moving_file", type=_INPUT, metavar="MOVING")
@click.argument("fixed_file", type=_INPUT, metavar="FIXED")
@registration_options
@click.option(
    "-o", "--output", required=True, type=_OUTPUT, metavar="TRANSFORM.JSON", help="File to write; replaced if it exists."
)
@click.option("--aligned", type=_OUTPUT, metavar="PICTURE", help="Write MOVING as it lies on FIXED, too.")
@click.option("--overlay", type=_OUTPUT, metavar="FIGURE", help="Draw both over each other, before and after.")
def register_pair(
    moving_file: Path, fixed_file: Path, how: How, output: Path, aligned: Path | None, overlay: Path | None
) -> None:
    """Find how MOVING has to move to lie on FIXED.

    Motions of up to some 15 degrees, a tenth of the width and a fifth of the size are found from nothing, any turn with
    --search wide; brightness and contrast may differ. The JSON file holds the inverse map, FIXED to MOVING, for `warpkit warp
    --map`. Pictures that cannot be aligned are said to be so, and nothing is written. In the overlay, FIXED is cyan and MOVING
    red: where they agree it is grey. For whole stacks see `warpkit align`.

    \b
    warpkit register scan.jpg template.png --model projective -o transform.json --overlay look.png
    warpkit warp scan.jpg -o flat.jpg --map transform.json
    """
    refuse_overwriting([output, aligned, overlay], moving_file, fixed_file)
    require_cv2()
    from .drawing import side_by_side

    with _naming(moving_file):
        picture = read_single(moving_file)
    with _naming(fixed_file):
        fixed = read_single(fixed_file).frames[0]
    with _naming(moving_file):
        found = register(picture.frames[0], fixed, how)
    pixels = warp_pixels(picture.frames[0], found.transform, fixed.shape[:2], has_alpha=picture.has_alpha)
    warped = picture._replace(frames=(pixels,))
    with _naming(output):
        write_whole(output, (found.transform.to_json(direction="inverse") + "\n").encode())
    if aligned is not None:
        with _naming(aligned):
            write_picture(aligned, warped)
    if overlay is not None:
        overlaid = [red_and_cyan(pixels, fixed) for pixels in (*picture.frames, *warped.frames)]
        with _naming(overlay):
            write_picture(overlay, Picture((side_by_side(["before", "after"], overlaid, columns=2),)))
    click.echo(f"{how.model}: {Moved.by(found.transform, fixed.shape[:2])}; {Agreement.of(found)}")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of a file as the command's."""
    try:
        yield
    except PictureError as error:
        raise click.ClickException(f"{path}: {error}") from None
