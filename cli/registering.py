"""What `warpkit register` and `warpkit align` share: options, comparing, what was found as numbers and as a figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from .errors import PictureError
from .option_groups import take_as_one
from .pictures import DEFAULT_MAX_PIXELS, Picture, read_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Registration, Transform

MODELS = ("translation", "euclidean", "similarity", "affine", "projective", "tps", "dense")
SEARCHES = ("near", "wide")
ROBUST = ("none", "huber", "tukey")

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--model", type=click.Choice(MODELS), default="affine", show_default=True, help="How pictures may move."),
    click.option(
        "--robust", type=click.Choice(ROBUST), default="none", show_default=True,
        help="How pixels that do not fit, such as a passer-by, lose their weight.",
    ),
    click.option(
        "--search", type=click.Choice(SEARCHES), default="near", show_default=True,
        help="How far to look for a start: near, turns of up to 20 degrees; wide, all turns and sizes of 0.5 to 2.",
    ),
    click.option(
        "--accuracy", type=click.FloatRange(min=0, min_open=True), metavar="PIXELS",
        help="How well the corners must be known; pictures that do not tell cannot be aligned.  [default: 0.5; of splines 1]",
    ),
)  # fmt: skip


class How(NamedTuple):
    """The options of a registration."""

    model: Any
    robust: Any
    search: Any
    accuracy: float | None


def registration_options(command: Command) -> Command:
    """Add --model, --robust, --search and --accuracy to a command, which receives them as one ``how``."""

    return take_as_one(command, _OPTIONS, "how", How)


def read_single(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """A picture of one frame."""
    picture = read_picture(path, max_pixels)
    if len(picture.frames) != 1:
        raise PictureError(f"has {len(picture.frames)} frames; only single pictures can be aligned")
    return picture


def register(moving: NDArray[Any], fixed: NDArray[Any], how: How, known: NDArray[Any] | None = None) -> Registration:
    """Align the colours of two pictures, or their greys where only one has colours; transparency does not count.

    ``known`` says where ``fixed`` is to be compared. PictureError if they cannot be aligned, with the reason.
    """
    import warpkit as wk

    moving, fixed = colours(moving), colours(fixed)
    if moving.shape[2] != fixed.shape[2]:
        moving, fixed = (picture.mean(axis=2, keepdims=True) for picture in (moving, fixed))
    robust = None if how.robust == "none" else how.robust
    try:
        found = wk.register(
            moving, fixed, how.model, robust=robust, fixed_weights=known, search=how.search, accuracy=how.accuracy
        )
    except ValueError as error:
        raise PictureError(str(error)) from None
    if not found.converged:
        raise PictureError(f"cannot be aligned: {found.reason}")
    return found


def colours(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, C), without transparency."""
    import numpy as np

    pixels = np.atleast_3d(pixels)
    return pixels[..., :3] if pixels.shape[2] == 4 else pixels


class Moved(NamedTuple):
    """How a picture moved to lie on another: at the centre of the canvas, in pixels, degrees clockwise and times."""

    right: float
    down: float
    turned: float
    scaled: float
    farthest_corner: float

    @classmethod
    def by(cls, inverse_map: Transform, shape: tuple[int, int]) -> Moved:
        """For a canvas of ``shape`` (rows, columns)."""
        import numpy as np

        rows, columns = shape
        corners = np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], dtype=np.float64)
        centre = corners.mean(axis=0)
        right, down = centre - inverse_map(centre)
        (a, b), (c, d) = np.linalg.inv(inverse_map.jacobian(centre))
        turned, scaled = math.degrees(math.atan2(c - b, a + d)), math.sqrt(abs(a * d - b * c))
        return cls(right, down, turned, scaled, np.hypot(*(corners - inverse_map(corners)).T).max())

    def __str__(self) -> str:
        return (
            f"moved by ({self.right:.2f}, {self.down:.2f}) px, turned by {self.turned:.3f} degrees, scaled by {self.scaled:.4f}"
        )


class Agreement(NamedTuple):
    """How well a picture agrees with what it was compared with, and how far off its corners are to be expected, in pixels."""

    correlation: float
    corner_error: float

    @classmethod
    def of(cls, found: Registration) -> Agreement:
        return cls(found.correlation, math.nan if found.corner_error is None else found.corner_error)

    def __str__(self) -> str:
        known = "" if math.isnan(self.corner_error) else f"; corners known to {self.corner_error:.2g} px"
        return f"correlation {self.correlation:.4f}{known}"


# A picture, how it moved, and how well it agrees.
Row = tuple[Path, Moved, Agreement]


def table(rows: Iterable[Row]) -> bytes:
    """Rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["input", *Moved._fields, *Agreement._fields])
    for source, moved, agreement in rows:
        numbers = (*moved, *agreement)
        writer.writerow([source, *("" if math.isnan(number) else f"{number:.6f}" for number in numbers)])
    return text.getvalue().encode(errors="surrogateescape")


def red_and_cyan(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Two pictures in one, grey where they agree: where the first is brighter red, where the second is cyan."""
    import numpy as np

    from .drawing import as_displayable

    greys = [as_displayable(picture).mean(axis=2) for picture in (first, second)]
    canvas = np.zeros((*np.maximum(*(grey.shape for grey in greys)), 3), np.uint8)
    for grey, channels in zip(greys, ([2], [0, 1]), strict=True):
        canvas[: grey.shape[0], : grey.shape[1], channels] = np.round(grey)[..., None]
    return canvas
