"""Random distortions: the recipes by which Jaderberg et al. (2015) made MNIST hard, for pictures of any size.

Lengths are given for pictures of 28 pixels, as in the paper, and grow with the picture.

======  ======================================================================================================
recipe  what happens to a picture
======  ======================================================================================================
R       turned by up to 90 degrees either way
RTS     turned by up to 45 degrees, scaled by 0.7 to 1.2, put anywhere on a canvas one and a half times as large
P       scaled by 0.75 to 1, then each corner moved by normal noise of 5 pixels
E       scaled by 0.75 to 1, then bent: 4 x 4 points of a thin-plate spline moved by normal noise of 1.5 pixels
======  ======================================================================================================
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, door, engine, thetas
from .door import Interpolation, Mode
from .kernels.maps import AFFINE, PROJECTIVE, THIN_PLATE
from .shared_splines import SharedSplines, is_small
from .transforms import Affine, Projective, ThinPlateSpline, Transform

Recipe = Literal["R", "RTS", "P", "E"]

_PAPER_SIDE = 28
_CORNER_NOISE = 5 / _PAPER_SIDE
_POINT_NOISE = 1.5 / _PAPER_SIDE
_LARGER_CANVAS = 1.5
_ATTEMPTS = 1000


def canvas_shape(recipe: Recipe, shape: tuple[int, int]) -> tuple[int, int]:
    """The canvas (rows, columns) that a recipe asks for, for pictures of ``shape``."""
    if recipe == "RTS":
        return round(_LARGER_CANVAS * shape[0]), round(_LARGER_CANVAS * shape[1])
    return shape


def distort(
    images: ArrayLike,
    recipe: Recipe,
    random: np.random.Generator,
    output_shape: tuple[int, int] | None = None,
    *,
    interpolation: Interpolation = "bilinear",
    mode: Mode = "constant",
    cval: float = 0.0,
) -> NDArray[Any]:
    """Distort each image of a batch in its own way.

    Parameters
    ----------
    images : (N, H, W) or (N, H, W, C)
    recipe : {"R", "RTS", "P", "E"}
    random : numpy.random.Generator
        The same state gives the same distortions.
    output_shape : (rows, columns), default: :func:`canvas_shape`
    interpolation, mode, cval
        As for :func:`warpkit.warp`.

    Returns
    -------
    (N, rows, columns) or (N, rows, columns, C), of images' dtype
    """
    sources = door.image_array("images", images, (3, 4))
    maps = _draw(recipe, sources.shape[1:3], output_shape, len(sources), random)
    results = np.empty((len(sources), *maps.output_shape, *sources.shape[3:]), sources.dtype.newbyteorder("="))
    if maps.packing.kind == THIN_PLATE and is_small(maps.numbers.shape[1] // 2, maps.output_shape):
        splines = SharedSplines(_spline(sources.shape[1:3], maps.output_shape).control_points, maps.output_shape)
        pipeline, grid = engine.NO_STAGES, splines.grid(maps.numbers.reshape(len(sources), -1, 2))
    else:
        pipeline, grid = maps.packing.pipeline(maps.numbers), engine.NO_GRID
    job = engine.problem("images", sources, pipeline, grid, interpolation, mode, cval)
    engine.forward_into(job, results)
    return results


def random_maps(
    recipe: Recipe,
    shape: tuple[int, int],
    count: int,
    random: np.random.Generator,
    output_shape: tuple[int, int] | None = None,
) -> list[Transform]:
    """The inverse maps of ``count`` distortions of pictures of ``shape`` (rows, columns), the same as :func:`distort` draws."""
    maps = _draw(recipe, checks.shape_2d("shape", shape), output_shape, checks.integer("count", count), random)
    if maps.packing.kind == THIN_PLATE:
        spline = _spline(shape, maps.output_shape)
        return [spline.with_params(numbers) for numbers in maps.numbers]
    if maps.packing.kind == PROJECTIVE:
        return [Projective(numbers.reshape(3, 3)) for numbers in maps.numbers]
    return [Affine(numbers.reshape(2, 3)) for numbers in maps.numbers]


def clutter(
    images: NDArray[Any], random: np.random.Generator, output_shape: tuple[int, int] = (60, 60), patches: int = 6, size: int = 6
) -> NDArray[Any]:
    """Each image (N, H, W) anywhere on a black canvas, among patches of other images: translated and cluttered MNIST.

    The patches, ``size`` x ``size`` pixels, lie anywhere; where things overlap, the brighter shows.
    """
    count, _height, _width = images.shape
    rows, columns = checks.shape_2d("output_shape", output_shape)
    canvas = np.zeros((count, rows, columns), images.dtype)
    picture = np.arange(count)
    for _ in range(patches):
        others = (picture + random.integers(1, max(2, count), count)) % count
        patch = _windows(images, others, random, size, size)
        _paste(canvas, patch, random)
    _paste(canvas, images, random)
    return canvas


def _windows(
    images: NDArray[Any], which: NDArray[np.intp], random: np.random.Generator, height: int, width: int
) -> NDArray[Any]:
    rows, columns = _places(images.shape, random, height, width)
    return np.asarray(images[which[:, None, None], rows, columns])


def _paste(canvas: NDArray[Any], pictures: NDArray[Any], random: np.random.Generator) -> None:
    rows, columns = _places(canvas.shape, random, *pictures.shape[1:])
    where = (np.arange(len(canvas))[:, None, None], rows, columns)
    canvas[where] = np.maximum(canvas[where], pictures)


def _places(shape: tuple[int, ...], random: np.random.Generator, height: int, width: int) -> tuple[Any, Any]:
    """Indexes of one window in each image."""
    count, rows, columns = shape
    top = random.integers(0, rows - height + 1, count)
    left = random.integers(0, columns - width + 1, count)
    return top[:, None, None] + np.arange(height)[:, None], left[:, None, None] + np.arange(width)


class _Drawn(NamedTuple):
    packing: thetas.Packing  # from numbers, in pixels, to the packed parameters of kernels
    numbers: NDArray[np.float64]  # (N, P)
    output_shape: tuple[int, int]


def _draw(
    recipe: Recipe, shape: tuple[int, ...], output_shape: tuple[int, int] | None, count: int, random: np.random.Generator
) -> _Drawn:
    if recipe not in get_args(Recipe):
        raise ValueError(f"recipe must be one of {', '.join(get_args(Recipe))}, got {recipe!r}")
    inside = (shape[0], shape[1])
    canvas = canvas_shape(recipe, inside) if output_shape is None else checks.shape_2d("output_shape", output_shape)
    if recipe == "E":
        spline = _spline(inside, canvas)
        return _Drawn(thetas.Packing(THIN_PLATE, *spline.packing()), _bent(spline, inside, count, random), canvas)
    if recipe == "P":
        return _Drawn(thetas.Packing(PROJECTIVE, np.eye(9), np.zeros(9)), _tilted(inside, canvas, count, random), canvas)
    limit = {"R": 90.0, "RTS": 45.0}[recipe]
    degrees = random.uniform(-limit, limit, count)
    scale = random.uniform(0.7, 1.2, count) if recipe == "RTS" else np.ones(count)
    room = np.maximum(0, _size(canvas) - scale[:, None] * _size(inside)) / 2 if recipe == "RTS" else np.zeros((count, 2))
    centre = _centre(canvas) + random.uniform(-1, 1, (count, 2)) * room
    return _Drawn(thetas.Packing(AFFINE, np.eye(6), np.zeros(6)), _turned(degrees, scale, centre, _centre(inside)), canvas)


def _size(shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.array([shape[1], shape[0]], dtype=np.float64)


def _centre(shape: tuple[int, int]) -> NDArray[np.float64]:
    return (_size(shape) - 1) / 2


def _turned(
    degrees: NDArray[np.float64], scale: NDArray[np.float64], centre: NDArray[np.float64], source_centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inverse maps (N, 6) of pictures turned clockwise and scaled about their centre, which comes to lie at ``centre``."""
    cos, sin = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
    linear = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)
    shift = source_centre - np.einsum("nij,nj->ni", linear, centre)
    return np.concatenate([linear, shift[:, :, None]], axis=2).reshape(-1, 6)


def _tilted(shape: tuple[int, int], canvas: tuple[int, int], count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Inverse maps (N, 9) of pictures whose corners are moved; corners that no view of a picture has are drawn again."""
    half = (_size(shape) - 1) / 2
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half
    numbers = np.empty((count, 9))
    missing = np.arange(count)
    for _ in range(_ATTEMPTS):
        scale = random.uniform(0.75, 1.0, (len(missing), 1, 1))
        noise = random.normal(0.0, _CORNER_NOISE, (len(missing), 4, 2)) * _size(shape)
        corners = _centre(canvas) + scale * square + noise
        convex = _is_convex(corners)
        found = np.full((len(missing), 9), np.nan)
        found[convex] = _homographies(corners[convex], square + _centre(shape))
        w = np.einsum("nkj,nj->nk", corners, found[:, 6:8]) + 1
        good = (w > 0).all(axis=1)
        numbers[missing[good]] = found[good]
        missing = missing[~good]
        if not len(missing):
            return numbers
    raise RuntimeError(f"no view of the picture was found in {_ATTEMPTS} attempts")


def _is_convex(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether quads (N, 4, 2) turn clockwise (y down) at each corner, and clearly."""
    sides = np.roll(corners, -1, axis=1) - corners
    following = np.roll(sides, -1, axis=1)
    turns = sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]
    return np.asarray((turns > 0.02 * np.abs(turns).max(axis=1, keepdims=True)).all(axis=1) & (turns > 1e-6).all(axis=1))


def _homographies(src: NDArray[np.float64], dst: NDArray[np.float64]) -> NDArray[np.float64]:
    """The homographies (N, 9), last entry 1, that take quads ``src`` (N, 4, 2) to ``dst`` (4, 2)."""
    points = np.concatenate([src, np.ones((*src.shape[:2], 1))], axis=2)
    zero = np.zeros_like(points)
    top = np.concatenate([points, zero, -dst[:, :1] * src], axis=2)
    bottom = np.concatenate([zero, points, -dst[:, 1:] * src], axis=2)
    right = np.broadcast_to(np.concatenate([dst[:, 0], dst[:, 1]]), (len(src), 8))
    solved = np.linalg.solve(np.concatenate([top, bottom], axis=1), right[..., None])[..., 0]
    return np.concatenate([solved, np.ones((len(src), 1))], axis=1)


def _spline(shape: tuple[int, int], canvas: tuple[int, int]) -> ThinPlateSpline:
    """From 4 x 4 points over the canvas to the places where they lie if nothing is bent."""
    grid = thetas.square_grid(16) * ((_size(shape) - 1) / 2)
    return ThinPlateSpline(grid + _centre(canvas), grid + _centre(shape))


def _bent(spline: ThinPlateSpline, shape: tuple[int, int], count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Values (N, 32) of the spline: the points are taken to noisy places of a picture that is seen smaller."""
    grid = spline.values - _centre(shape)
    scale = random.uniform(0.75, 1.0, (count, 1, 1))
    noise = random.normal(0.0, _POINT_NOISE, (count, 16, 2)) * _size(shape)
    return np.asarray((grid / scale + noise + _centre(shape)).reshape(count, -1))
