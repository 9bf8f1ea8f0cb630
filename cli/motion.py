"""What the geometry options say: the motion of a picture, as the inverse map and canvas that a warp takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from .files import seen_from_here
from .option_groups import take_as_one
from .options_file import converted
from .pairs import MODELS, fit_inverse_map
from .values import CanvasSize, Number, Numbers

if TYPE_CHECKING:
    from warpkit import Transform

    from .worklist import Item

F = TypeVar("F", bound=Callable[..., Any])

# Points on each side of the outline when a canvas is fitted round a curved map.
_OUTLINE_POINTS = 1024


class Motion(NamedTuple):
    """The geometry options of one run."""

    matrix: tuple[float, ...] | None
    quad: tuple[float, ...] | None
    points: Path | None
    model: str
    smoothing: float
    order: int
    map_file: Path | None
    scale: tuple[float, ...] | None
    shear: tuple[float, ...] | None
    rotate: float | None
    translate: tuple[float, ...] | None
    swirl: tuple[float, ...] | None
    polar: tuple[float, ...] | None
    unpolar: tuple[float, ...] | None
    size: Any


_OPTIONS = [
    click.option("--rotate", type=Number(), metavar="DEG", help="Turn clockwise about the centre."),
    click.option("--scale", type=Numbers(1, 2, metavar="S or SX,SY"), metavar="S|SX,SY", help="Scale about the centre."),
    click.option("--translate", type=Numbers(2, metavar="DX,DY"), metavar="DX,DY", help="Move right and down, in pixels."),
    click.option("--shear", type=Numbers(2, metavar="DX,DY"), metavar="DX,DY", help="Shear along x and y, in degrees."),
    click.option(
        "--swirl", type=Numbers(2, metavar="DEG,RADIUS"), metavar="DEG,RADIUS",
        help="Turn the centre clockwise, what is around it less and less, what is a radius away hardly.",
    ),
    click.option(
        "--polar", type=Numbers(1, metavar="RADIUS"), metavar="RADIUS",
        help="Unroll the disc about the centre: radius to the right, angle down.",
    ),
    click.option(
        "--unpolar", type=Numbers(1, metavar="RADIUS"), metavar="RADIUS",
        help="Roll such a picture up to a disc; --mode wrap closes its seam.",
    ),
    click.option(
        "--matrix", type=Numbers(6, metavar="a,b,c,d,e,f"), metavar="a,b,c,d,e,f",
        help="Move (x, y) to (a x + b y + c, d x + e y + f).",
    ),
    click.option(
        "--quad", type=Numbers(8, metavar='"x,y x,y x,y x,y"'), metavar='"x,y x,y x,y x,y"',
        help="Move the centres of the corner pixels (top left, top right, bottom right, bottom left) to these points.",
    ),
    click.option(
        "--points", type=click.Path(dir_okay=False, path_type=Path), metavar="PAIRS.CSV",
        help="Move source points to target points; columns source_x,source_y,target_x,target_y.",
    ),
    click.option("--model", type=click.Choice(MODELS), default="tps", show_default=True, help="What is fitted to --points."),
    click.option("--smoothing", type=Number(), default=0.0, show_default=True, help="How far a spline may miss its points."),
    click.option("--order", type=click.IntRange(1), metavar="N", default=2, show_default=True, help="Of a polynomial."),
    click.option(
        "--map", "map_file", type=click.Path(dir_okay=False, path_type=Path), metavar="TRANSFORM.JSON",
        help="A transform as `warpkit fit` writes it; the file says its direction.",
    ),
    click.option(
        "--size", type=CanvasSize(), metavar="WxH|same|fit", default="same", show_default=True,
        help="Canvas: that of the picture, one that holds the whole result, or a given one.",
    ),
]  # fmt: skip


def _parameters() -> dict[str, click.Parameter]:
    def holder() -> None: ...

    for option in _OPTIONS:
        option(holder)
    return {parameter.opts[0].lstrip("-"): parameter for parameter in holder.__click_params__}  # type: ignore[attr-defined]


# The same options by their names, for what else than the command line they may stand in.
PARAMETERS = _parameters()
_NO_CONTEXT = click.Context(click.Command("manifest"))
_BASES = ("matrix", "quad", "points", "map_file")  # a picture moves by one of them, before all else


def with_own(motion: Motion, own: Mapping[str, Any]) -> Motion:
    """Options of the command with those of a single picture in their place.

    Raises
    ------
    ValueError
        If a value cannot be that of its option; says which.
    """
    values: dict[str, Any] = {}
    for name, value in own.items():
        parameter = PARAMETERS[name]
        try:
            values[str(parameter.name)] = converted(parameter, value, _NO_CONTEXT)
        except click.BadParameter as error:
            raise ValueError(f"{name}: {error.message}") from None
    if any(base in values for base in _BASES):
        values = dict.fromkeys(_BASES) | values
    return motion._replace(**values)


def motion_options(command: F) -> F:
    """Add the geometry options to a command, which receives them as one ``motion``."""

    return take_as_one(command, _OPTIONS, "motion", Motion)


class Plan:
    """Geometry options with their files read; gives the inverse map and canvas for a picture of any size."""

    def __init__(self, motion: Motion) -> None:
        given = [name for name in _BASES if getattr(motion, name) is not None]
        if len(given) > 1:
            names = " and ".join("--" + name.replace("_file", "") for name in given)
            raise click.UsageError(f"give one of --matrix, --quad, --points and --map, got {names}")
        self._motion = motion
        self._base: Transform | None = None
        if motion.points is not None:
            self._base = fit_inverse_map(motion.points, motion.model, motion.smoothing, motion.order)
        elif motion.map_file is not None:
            self._base = read_inverse_map(motion.map_file)
        try:
            # options that cannot work are told before any file is touched
            self._with_polar(self._inverse_map((100, 100)), (100, 100))
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    def for_picture(self, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
        """The inverse map and the canvas (rows, columns) for a picture of ``shape`` (rows, columns).

        The picture moves by the matrix, quad, points or map, then is swirled, scaled, sheared, turned and translated about its
        centre, then unrolled or rolled up.
        """
        import warpkit as wk

        try:
            inverse_map = self._inverse_map(shape)
            size = self._motion.size
            if self._motion.polar is not None or self._motion.unpolar is not None:
                return self._with_polar(inverse_map, shape)
            if size == "same":
                return inverse_map, shape
            if size == "fit":
                return _fitted(inverse_map, shape)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        width, height = size
        if all(getattr(self._motion, base) is None for base in _BASES):
            # The motion was about the centre: centre the picture on the canvas, too.
            rows, columns = shape
            inverse_map = inverse_map @ wk.Affine.translation((columns - width) / 2, (rows - height) / 2)
        return inverse_map, (height, width)

    def _inverse_map(self, shape: tuple[int, int]) -> Transform:
        import warpkit as wk

        motion = self._motion
        rows, columns = shape
        center = ((columns - 1) / 2, (rows - 1) / 2)
        corners = [[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]]
        makers: dict[str, Callable[[Any], Transform]] = {
            "translate": lambda shift: wk.Affine.translation(*shift).inverse,
            "rotate": lambda degrees: wk.Affine.rotation(degrees, center).inverse,
            "shear": lambda degrees: wk.Affine.shearing(degrees[0], degrees[1], center).inverse,
            "scale": lambda factors: wk.Affine.scaling(factors[0], factors[-1], center).inverse,
            "swirl": lambda given: wk.Swirl(center, math.radians(given[0]), given[1]).inverse,
            "matrix": lambda given: wk.Affine([given[:3], given[3:]]).inverse,
            "quad": lambda given: wk.Projective.from_quads([given[k : k + 2] for k in range(0, 8, 2)], corners),
        }
        given = {name: value for name in makers if (value := getattr(motion, name)) is not None}
        parts = [_named(name, makers[name], value) for name, value in given.items()]
        if self._base is not None:
            parts.append(self._base)
        return wk.Composition(parts or [wk.Affine.identity()]).simplified()

    def _with_polar(self, inverse_map: Transform, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
        """The motion followed by unrolling, onto a canvas of OpenCV's proportions if it is to fit, or by rolling up."""
        import warpkit as wk

        polar, unpolar, size = self._motion.polar, self._motion.unpolar, self._motion.size
        if polar is not None and unpolar is not None:
            raise ValueError("give one of --polar and --unpolar")
        if polar is None and unpolar is None:
            return inverse_map, shape
        (radius,) = polar or unpolar or ()
        fitted = (round(math.pi * radius), round(radius)) if polar is not None else (2 * math.ceil(radius) + 1,) * 2
        rows, columns = canvas = shape if size == "same" else fitted if size == "fit" else size[::-1]
        if polar is not None:
            center = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
            return inverse_map @ _named("polar", lambda radius: wk.Polar(center, radius, canvas), radius), canvas
        middle = ((columns - 1) / 2, (rows - 1) / 2)
        return inverse_map @ _named("unpolar", lambda radius: wk.Polar(middle, radius, shape).inverse, radius), canvas


def _named(option: str, make: Callable[[Any], Transform], value: Any) -> Transform:
    try:
        return make(value)
    except ValueError as error:
        raise ValueError(f"--{option}: {error}") from None


class Plans:
    """The command's plan, and those of pictures that have options of their own.

    It can be sent to other processes; names of files then begin in the folder where it was sent from.
    """

    def __init__(self, motion: Motion) -> None:
        self._begin(motion, Plan(motion), Path())

    def __getstate__(self) -> tuple[Motion, Plan, Path]:
        return self._motion, self._common, Path.cwd()

    def __setstate__(self, state: tuple[Motion, Plan, Path]) -> None:
        motion, common, folder = state
        self._begin(motion, common, seen_from_here(folder))

    def _begin(self, motion: Motion, common: Plan, folder: Path) -> None:
        self._motion, self._common, self._folder = motion, common, folder
        self._with_own = lru_cache(maxsize=256)(self._read)

    def _read(self, own: str) -> Plan:
        motion = with_own(self._motion, json.loads(own))
        files = {name: self._folder / path for name in ("points", "map_file") if (path := getattr(motion, name)) is not None}
        return Plan(motion._replace(**files))

    def check(self, own: Mapping[str, Any]) -> None:
        """ValueError if the options of a picture cannot be right; files that they name are not opened."""
        with_own(self._motion, own)

    def for_options(self, own: str) -> Plan:
        """``own`` as JSON, or empty."""
        return self._with_own(own) if own else self._common

    def for_item(self, item: Item, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
        """The inverse map and the canvas of a picture of ``shape`` (rows, columns)."""
        return self.for_options(item.own).for_picture(shape)


def read_inverse_map(path: Path) -> Transform:
    """The transform of a JSON file, as an inverse map."""
    from warpkit.transforms.base import transform_and_direction

    try:
        transform, direction = transform_and_direction(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    if direction is None:
        raise click.UsageError(
            f'{path}: the file does not say which way its transform goes; add "direction": "inverse" (target to source,'
            ' as wk.warp takes it) or "direction": "forward"'
        )
    return transform if direction == "inverse" else transform.inverse


def _fitted(inverse_map: Transform, shape: tuple[int, int]) -> tuple[Transform, tuple[int, int]]:
    """The canvas that holds the whole moved picture, in whole pixels, and the map that starts at its corner."""
    import numpy as np

    import warpkit as wk

    rows, columns = shape
    along = np.linspace(0, 1, _OUTLINE_POINTS)
    x, y = along * columns - 0.5, along * rows - 0.5
    outline = np.concatenate(
        [
            np.column_stack([x, np.full_like(x, -0.5)]),
            np.column_stack([x, np.full_like(x, rows - 0.5)]),
            np.column_stack([np.full_like(y, -0.5), y]),
            np.column_stack([np.full_like(y, columns - 0.5), y]),
        ]
    )
    moved = inverse_map.inverse(outline)
    if np.isnan(moved).any():
        raise ValueError("--size fit: part of the picture's outline has no place on the canvas; give a size")
    # A pixel belongs to the canvas if more than a rounding error of it is covered.
    first = np.floor(moved.min(axis=0) + 0.5 + 1e-6)
    last = np.ceil(moved.max(axis=0) - 0.5 - 1e-6)
    width, height = (max(1, int(n)) for n in last - first + 1)
    canvas = wk.Composition([wk.Affine.translation(*first), inverse_map]).simplified()
    return canvas, (height, width)
