"""The gallery: every family of maps, sampling kernel and border mode as a picture, and the page that shows them.

    python examples/gallery.py [FOLDER] [--side PIXELS]

writes FOLDER/gallery.md and its pictures, FOLDER/gallery/*.jpg; FOLDER is docs by default. The pictures come with scikit-image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
from PIL import Image

import warpkit as wk

SIDE = 192
COLUMNS = 4
QUALITY = 82
ORANGE, BLUE, GREEN = (255, 170, 40), (60, 150, 255), (90, 230, 90)
SUBPIXELS = 4  # bits, of drawn points


class Panel(NamedTuple):
    name: str
    """Of the file, without its ending."""
    caption: str
    picture: np.ndarray


class Example(NamedTuple):
    """Inverse maps that are applied to a picture one after the other."""

    name: str
    caption: str
    maps: tuple[wk.Transform, ...]


class Group(NamedTuple):
    title: str
    text: str
    panels: list[Panel]


# --- families --------------------------------------------------------------------------------------------------------------


def families(side: int) -> list[Example]:
    """A map of each family for a square picture."""
    return [*matrices(side), *bends(side), *discs(side), *cameras(side), *fits(side)]


def middle(side: int) -> tuple[float, float]:
    return ((side - 1) / 2, (side - 1) / 2)


def corners(side: int) -> np.ndarray:
    return np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (side - 1.0)


def homography(side: int) -> wk.Projective:
    seen_at = np.array([[0.2, 0.08], [0.95, 0.0], [0.8, 0.97], [0.02, 0.85]]) * (side - 1)
    return wk.Projective.from_quads(seen_at, corners(side))


def matrices(side: int) -> list[Example]:
    center = middle(side)
    turn, lean = wk.Affine.rotation(20, center), wk.Affine.shearing(20, center=center)
    return [
        Example("affine-rotation", "`Affine.rotation(20, center).inverse`", (turn.inverse,)),
        Example("affine-shear", "`Affine.shearing(20, center=center).inverse`", (lean.inverse,)),
        Example("projective", "`Projective.from_quads(seen_at, corners)`", (homography(side),)),
    ]


def bends(side: int) -> list[Example]:
    points = np.vstack([corners(side), [middle(side)]])
    pulled = points + np.array([[0, 0], [0, 0], [0, 0], [0, 0], [0.12, 0.15]]) * side
    spline = wk.ThinPlateSpline(pulled, points)
    elastic = wk.DisplacementField.elastic((side, side), alpha=0.0125 * side**2, sigma=0.08 * side, seed=3)
    together = homography(side) @ wk.Affine.rotation(-20, middle(side)) @ elastic
    return [
        Example("thin-plate-spline", "`ThinPlateSpline(points, values)`: the middle pulled to the lower right", (spline,)),
        Example("elastic", "`DisplacementField.elastic(shape, alpha, sigma, seed)`", (elastic,)),
        Example("elastic-inverse", "`elastic.inverse`, of the picture before: undone", (elastic, elastic.inverse)),
        Example("composition", "`projective @ affine @ elastic`, sampled once", (together,)),
    ]


def discs(side: int) -> list[Example]:
    center = middle(side)
    polar = wk.Polar(center, side / 2, (side, side))
    logarithmic = wk.Polar(center, side / 2, (side, side), "log")
    swirl = wk.Swirl(center, 3, side)
    return [
        Example("polar", "`Polar(center, radius, shape)`: radius to the right, angle down", (polar,)),
        Example("polar-inverse", "`polar.inverse`, of the picture before: rolled up again", (polar, polar.inverse)),
        Example("log-polar", '`Polar(center, radius, shape, "log")`', (logarithmic,)),
        Example("swirl", "`Swirl(center, 3, radius)`", (swirl,)),
    ]


def cameras(side: int) -> list[Example]:
    x, y = middle(side)
    long, short = 0.8 * side, 0.4 * side
    lens = wk.BrownConrady([[long, 0, x], [0, long, y], [0, 0, 1]], [-0.25, 0, 0, 0])
    fisheye = wk.Fisheye([[short, 0, x], [0, short, y], [0, 0, 1]], [0, 0, 0, 0])
    cylinder = wk.Cylindrical(0.5 * side, (x, y))
    return [
        Example("brown-conrady-inverse", "`BrownConrady(...).inverse`: as the lens sees it", (lens.inverse,)),
        Example("brown-conrady", "`BrownConrady(...)`, of the picture before: undistorted", (lens.inverse, lens)),
        Example("fisheye-inverse", "`Fisheye(...).inverse`: as the lens sees it", (fisheye.inverse,)),
        Example("fisheye", "`Fisheye(...)`, of the picture before: undistorted", (fisheye.inverse, fisheye)),
        Example("cylindrical", "`Cylindrical(focal_length, center)`: on a cylinder, unrolled", (cylinder,)),
        Example(
            "cylindrical-inverse", "`cylindrical.inverse`, of the picture before: flat again", (cylinder, cylinder.inverse)
        ),
    ]


def fits(side: int) -> list[Example]:
    x, half = middle(side)[0], side / 2
    polynomial = wk.Polynomial([[x, half, 0, 0, 0, -0.3 * half], [x, 0, half, 0, 0.25 * half, 0]], (x, x), half)
    knots = np.vstack([corners(side), np.array([[0.3, 0.35], [0.7, 0.3], [0.5, 0.75]]) * side])
    moved = knots + np.vstack([np.zeros((4, 2)), np.array([[0.1, 0.05], [-0.08, 0.08], [0.05, -0.1]]) * side])
    triangles = wk.PiecewiseAffine.fit(moved, knots)
    return [
        Example("polynomial", "`Polynomial(coefficients, center, scale)`, of order 2", (polynomial,)),
        Example("piecewise-affine", "`PiecewiseAffine.fit(target, source)`: each triangle to its place", (triangles,)),
    ]


def family_panels(side: int) -> Iterator[Panel]:
    picture = with_lines(square(skimage.data.astronaut(), side))
    yield Panel("original", "the picture", picture)
    for example in families(side):
        warped = picture
        for inverse_map in example.maps:
            warped = wk.warp(warped, inverse_map)
        yield Panel(example.name, example.caption, warped)


# --- kernels, borders, antialiasing ------------------------------------------------------------------------------------------

KERNELS = {
    "nearest": "one pixel",
    "bilinear": "2 x 2 pixels, the default",
    "bicubic": "4 x 4, Catmull-Rom",
    "mitchell": "4 x 4, softer",
    "bspline3": "the cubic spline through all pixels",
    "lanczos3": "6 x 6",
    "lanczos4": "8 x 8",
}

MODES = {
    "constant": "`cval`, here blue; soft edges",
    "fill": "`cval`; hard edges",
    "edge": "the outermost pixels repeated",
    "symmetric": "mirrored, the outermost pixels twice",
    "reflect": "mirrored about the outermost centres",
    "wrap": "from the other side",
}


def kernel_panels(side: int) -> Iterator[Panel]:
    """A few pixels of a photograph, strongly magnified."""
    few = 24
    magnify = wk.Affine.translation(191, 88) @ wk.Affine.scaling(few / side)
    for name, what in KERNELS.items():
        yield Panel(f"kernel-{name}", f'`"{name}"`: {what}', kernel_picture(magnify, name, side))
    opencv = kernel_picture(magnify, wk.Cubic.keys(-0.75), side)
    yield Panel("kernel-keys", "`Cubic.keys(-0.75)`: 4 x 4, OpenCV's and PyTorch's bicubic", opencv)


def kernel_picture(magnify: wk.Affine, interpolation: str | wk.Cubic, side: int) -> np.ndarray:
    return wk.warp(skimage.data.astronaut(), magnify, (side, side), interpolation=interpolation)


def border_panels(side: int) -> Iterator[Panel]:
    """A picture of few pixels, magnified and turned, with much around it."""
    few = 26
    picture = square(skimage.data.chelsea()[:, 60:360], few)
    place = wk.Affine.translation(*middle(side)) @ wk.Affine.similarity(side / few / 2.4, 12)
    inverse_map = (place @ wk.Affine.translation(-middle(few)[0], -middle(few)[1])).inverse
    for name, what in MODES.items():
        warped = wk.warp(picture, inverse_map, (side, side), mode=name, cval=BLUE)
        yield Panel(f"mode-{name}", f'`"{name}"`: {what}', warped)


def antialias_panels(side: int) -> Iterator[Panel]:
    """A picture made 6 times smaller, and a chessboard seen from its edge."""
    times, shown = 6, 3
    small = side // shown
    photograph = skimage.data.astronaut()[: times * small, -times * small :]
    shrink = wk.conventions.from_corner_origin(np.diag([times, times, 1.0]))
    squares = (np.indices((1024, 1024)) // 16).sum(axis=0)
    board = np.where(squares % 2, 255, 40).astype(np.uint8)
    tilted = wk.Projective.from_quads(np.array([[0.35, 0.2], [0.65, 0.2], [2, 1], [-1, 1]]) * side, corners(1024))
    switch = {"off": False, "on": True}
    for word, antialias in switch.items():
        smaller = wk.warp(photograph, shrink, (small, small), antialias=antialias)
        yield Panel(f"antialias-{word}", f"`antialias={antialias}`: 6 times smaller", enlarged(smaller, shown))
    for word, antialias in switch.items():
        seen = wk.warp(board, tilted, (side, side), cval=150, antialias=antialias)
        yield Panel(f"antialias-{word}-board", f"`antialias={antialias}`: a chessboard from its edge", seen)


# --- missing pixels, transparency, what moves with the picture ---------------------------------------------------------------


def missing_panels(side: int) -> Iterator[Panel]:
    """A picture with missing pixels, which are drawn orange."""
    picture = square(skimage.data.coffee()[:, 60:460], side).astype(np.float32)
    picture[np.random.default_rng(0).random((side, side)) < 0.08] = np.nan
    turn = wk.Affine.rotation(20, middle(side)).inverse
    yield Panel("missing", "NaN in 8 % of the pixels", as_bytes(picture))
    yield Panel("missing-warp", "`warp`: each spreads over all that it touches", as_bytes(wk.warp(picture, turn)))
    weighted = wk.warp_weighted(picture, None, turn, least_weight=0.02)
    yield Panel("missing-weighted", "`warp_weighted`: the others are averaged", as_bytes(weighted.output))


def alpha_panels(side: int) -> Iterator[Panel]:
    """A face cut out of few pixels, whose hidden pixels are green, magnified on white."""
    few = 24
    face = square(skimage.data.astronaut()[20:220, 120:320], few)
    y, x = np.indices((few, few)) - middle(few)[0]
    inside = np.hypot(x, y) < 0.45 * few
    cut_out = np.dstack([np.where(inside[..., None], face, (0, 255, 0)), np.where(inside, 255, 0)]).astype(np.uint8)
    magnify = wk.conventions.from_corner_origin(np.diag([few / side, few / side, 1]))
    plain, alpha = (warp(cut_out, magnify, (side, side)) for warp in (wk.warp, wk.warp_alpha))
    yield Panel("alpha-warp", "`warp`: the colour of hidden pixels bleeds", on_white(plain))
    yield Panel("alpha", "`warp_alpha`: it does not", on_white(alpha))


# In pixels of scikit-image's astronaut, which has 512 on each side.
FACE = np.array([[165, 65, 285, 195.0]])
VISOR = np.array([[280, 500], [285, 430], [320, 370], [380, 347], [440, 355], [485, 400], [497, 460], [495, 505], [285, 508.0]])
EYES_AND_MOUTH = np.array([[203, 100], [247, 103], [222, 145.0]])
BADGE, BADGE_RADIUS = (171, 385), 38


def moving_panels(side: int) -> Iterator[Panel]:
    smaller = wk.conventions.from_corner_origin(np.diag([512 / side, 512 / side, 1]))
    bend = bends(side)[0].maps[0]
    shape = (side, side)
    captions = {
        "moving-before": "a box, a polygon, points and a mask",
        "moving-projective": "moved by a homography",
        "moving-thin-plate": "by a thin-plate spline: the box is that of the bent outline",
    }
    for (name, caption), motion in zip(captions.items(), (None, homography(side), bend), strict=True):
        inverse_map = smaller if motion is None else smaller @ motion
        picture = wk.warp(skimage.data.astronaut(), inverse_map, shape, antialias=True)
        mask = wk.warp_mask(badge(), inverse_map, shape)
        picture[mask] = picture[mask] // 3 + np.array(GREEN, np.uint8) // 3 * 2
        x0, y0, x1, y1 = wk.warp_boxes(FACE, inverse_map, shape).boxes[0]
        draw_outline(picture, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), ORANGE)
        draw_outline(picture, wk.warp_polygons([VISOR], inverse_map, shape).polygons[0], BLUE)
        for point in wk.warp_points(EYES_AND_MOUTH, inverse_map, shape).points:
            cv2.circle(picture, drawn(point), 3 << SUBPIXELS, GREEN, -1, cv2.LINE_AA, SUBPIXELS)
        yield Panel(name, caption, picture)


def badge() -> np.ndarray:
    y, x = np.indices((512, 512))
    return np.hypot(x - BADGE[0], y - BADGE[1]) < BADGE_RADIUS


# --- pictures ----------------------------------------------------------------------------------------------------------------


def square(picture: np.ndarray, side: int) -> np.ndarray:
    """The upper left square of a picture, made smaller."""
    times = min(picture.shape[:2]) / side
    shrink = wk.conventions.from_corner_origin(np.diag([times, times, 1]))
    return wk.warp(picture, shrink, (side, side), antialias=True)


def with_lines(picture: np.ndarray) -> np.ndarray:
    """A picture under a light grid, which shows how it is bent."""
    step = max(len(picture) // 8, 2)
    y, x = np.indices(picture.shape[:2]) % step
    lined = picture.copy()
    lined[(x == step // 2) | (y == step // 2)] //= 2
    lined[(x == step // 2) | (y == step // 2)] += 127
    return lined


def enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    """Each pixel as a square."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def as_bytes(picture: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(picture), ORANGE, picture).round().astype(np.uint8)


def on_white(picture: np.ndarray) -> np.ndarray:
    alpha = picture[..., 3:] / 255
    return (picture[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def drawn(points: np.ndarray) -> np.ndarray:
    return np.round(points * 2**SUBPIXELS).astype(np.int32)


def draw_outline(picture: np.ndarray, points: np.ndarray, colour: tuple[int, int, int]) -> None:
    cv2.polylines(picture, [drawn(points)[:, None]], True, colour, 2, cv2.LINE_AA, SUBPIXELS)


# --- the page ----------------------------------------------------------------------------------------------------------------


def gallery(side: int) -> list[Group]:
    return [
        Group("Families of maps", "Each inverse map as `warp` takes it.", list(family_panels(side))),
        Group("Sampling kernels", "24 x 24 pixels, magnified, by each `interpolation`.", list(kernel_panels(side))),
        Group("Borders", "What lies outside the picture, by `mode`; the picture is 26 x 26 pixels.", list(border_panels(side))),
        Group("Smaller pictures", "Every pixel of the first pair is shown as 3 x 3.", list(antialias_panels(side))),
        Group("Missing pixels", "Orange is NaN.", list(missing_panels(side))),
        Group(
            "Transparency", "24 x 24 pixels, magnified; those outside the disc are hidden and green.", list(alpha_panels(side))
        ),
        Group(
            "What moves with the picture",
            "`warp_boxes`, `warp_polygons`, `warp_points` and `warp_mask`.",
            list(moving_panels(side)),
        ),
    ]


def page(groups: list[Group]) -> str:
    """The gallery in Markdown: tables of pictures above their captions."""
    paragraphs = ["# Gallery", "Made by [examples/gallery.py](../examples/gallery.py)."]
    for group in groups:
        paragraphs += [f"## {group.title}", group.text]
        for first in range(0, len(group.panels), COLUMNS):
            row = group.panels[first : first + COLUMNS]
            pictures = " | ".join(f"![{panel.name}](gallery/{panel.name}.jpg)" for panel in row)
            captions = " | ".join(panel.caption for panel in row)
            paragraphs.append(f"| {pictures} |\n|{'---|' * len(row)}\n| {captions} |")
    return "\n\n".join(paragraphs) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the gallery.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--side", type=int, default=SIDE, help="of each picture, in pixels")
    arguments = parser.parse_args()
    groups = gallery(arguments.side)
    pictures = arguments.folder / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    panels = [panel for group in groups for panel in group.panels]
    for panel in panels:
        Image.fromarray(panel.picture).save(pictures / f"{panel.name}.jpg", quality=QUALITY, optimize=True)
    (arguments.folder / "gallery.md").write_text(page(groups), encoding="utf-8")
    print(f"wrote {arguments.folder / 'gallery.md'} and {len(panels)} pictures")


if __name__ == "__main__":
    main()
