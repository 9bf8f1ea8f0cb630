"""What `wk.register` is for, in numbers: a shaking sequence, exposures, colours and a photographed page, laid over each other.

The pictures are real; SciPy's cubic splines move them by known amounts, noise and light are added. The numbers are distances at
the corners, in pixels, between where the found and the true map send them (root mean square).

    python examples/registration.py [FIGURE]
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np
import scipy.ndimage
import skimage.data

import warpkit as wk
from warpkit_cli.drawing import as_displayable, side_by_side

NOISE = 3.0  # grey levels, standard deviation
Figure = list[tuple[str, np.ndarray]]


def view(picture: np.ndarray, inverse_map: wk.Transform, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """A picture through a map, with noise; what lies beyond its border is mirrored."""
    y, x = wk.sampling_grid(inverse_map, shape)[..., ::-1].transpose(2, 0, 1)
    planes = np.atleast_3d(picture).transpose(2, 0, 1).astype(np.float64)
    seen = np.stack([scipy.ndimage.map_coordinates(plane, [y, x], order=3, mode="mirror") for plane in planes], axis=-1)
    noisy = seen + random.normal(0, NOISE, seen.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8).reshape(*shape, *picture.shape[2:])


def distance(found: wk.Transform, truth: wk.Transform, shape: tuple[int, int]) -> float:
    """Root mean square at the corners of a canvas."""
    rows, columns = shape
    corners = np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], dtype=np.float64)
    return float(np.sqrt(((found(corners) - truth(corners)) ** 2).sum(axis=1).mean()))


def steady_sequence(random: np.random.Generator) -> Figure:
    """Forty frames of a hand that shakes, while something dark walks through the picture; robust weights do not look at it."""
    picture, shape, count = skimage.data.coffee()[..., ::-1], (280, 400), 40
    shake = scipy.ndimage.gaussian_filter1d(random.normal(0, 1, (count, 3)), 1.5, axis=0) * [24, 16, 4]
    looks = [wk.Affine.translation(100 + dx, 60 + dy) @ wk.Affine.rotation(degrees, (200, 140)) for dx, dy, degrees in shake]
    frames = [view(picture, look, shape, random) for look in looks]
    for n, frame in enumerate(frames):
        cv2.circle(frame, (30 + 9 * n, 170), 40, (30, 30, 30), -1)
    found = [wk.register(frame, frames[0], "euclidean", robust="tukey") for frame in frames[1:]]
    truths = [look.inverse @ looks[0] for look in looks[1:]]
    before = [distance(wk.Affine.identity(), truth, shape) for truth in truths]
    after = [distance(result.transform, truth, shape) for result, truth in zip(found, truths, strict=True)]
    tell("shaking sequence", before, after, [result.converged for result in found])
    steadied = [frames[0], *(wk.warp(frame, r.transform) for frame, r in zip(frames[1:], found, strict=True))]
    return [("mean of 40 frames", np.mean(frames, axis=0)), ("mean of the steadied frames", np.mean(steadied, axis=0))]


def exposures(random: np.random.Generator) -> Figure:
    """A dark, a middle and a bright exposure by a hand that moves; in the bright one much is white."""
    picture, shape = skimage.data.astronaut()[:300, 40:480, ::-1], (300, 440)
    lights = [255 * np.clip(gain * (picture / 255.0) ** 2.2, 0, 1) ** (1 / 2.2) for gain in (0.25, 1.0, 3.0)]
    truths = [wk.Projective.from_quads(quad(shape), quad(shape) + random.normal(0, 8, (4, 2))) for _ in range(2)]
    middle = view(lights[1], wk.Affine.identity(), shape, random)
    others = [view(light, truth.inverse, shape, random) for light, truth in zip(lights[::2], truths, strict=True)]
    found = [wk.register(other, middle, "projective") for other in others]
    tell_results("exposures", found, truths, shape)
    aligned = [wk.warp(other, result.transform) for other, result in zip(others, found, strict=True)]
    return [
        ("mean of three exposures", np.mean([middle, *others], axis=0)),
        ("mean of the aligned exposures", np.mean([middle, *aligned], axis=0)),
    ]


def colours(random: np.random.Generator) -> Figure:
    """Red, green and blue taken one after the other, as Prokudin-Gorskii's plates were."""
    picture, shape = skimage.data.chelsea()[..., ::-1], (300, 451)
    truths = [wk.Affine.similarity(1 + random.normal(0, 0.01), random.normal(0, 1), random.normal(0, 5, 2)) for _ in range(2)]
    green = view(picture[..., 1], wk.Affine.identity(), shape, random)
    others = [view(picture[..., c], truth.inverse, shape, random) for c, truth in zip((0, 2), truths, strict=True)]
    found = [wk.register(other, green, "similarity") for other in others]
    tell_results("colours", found, truths, shape)
    blue, red = (wk.warp(other, result.transform) for other, result in zip(others, found, strict=True))
    return [("as taken", np.dstack([others[0], green, others[1]])), ("aligned", np.dstack([blue, green, red]))]


def page(random: np.random.Generator) -> Figure:
    """A printed page photographed aslant, lit from one side, laid onto its template; its corners are clicked by hand."""
    template = skimage.data.page()
    shape, canvas = template.shape, (260, 440)
    truth = wk.Projective.from_quads(quad(shape), quad(shape) + np.array([30.0, 35.0]) + random.uniform(-18, 18, (4, 2)))
    light = np.linspace(0.5, 1.0, canvas[1]) * np.linspace(1.0, 0.8, canvas[0])[:, None]
    seen = wk.warp(np.ones(shape, np.float32), truth.inverse, canvas)
    photo = (view(template, truth.inverse, canvas, random) * seen + 60 * (1 - seen)) * light
    photo = np.clip(scipy.ndimage.gaussian_filter(photo, 0.7), 0, 255).astype(np.uint8)
    clicks = truth(quad(shape)) + random.uniform(-5, 5, (4, 2))
    start = wk.Projective.from_quads(quad(shape), clicks)
    found = wk.register(photo, template, "projective", initial=start)
    tell("page", [distance(start, truth, shape)], [distance(found.transform, truth, shape)], [found.converged])
    return [
        ("by the clicks", (wk.warp(photo, start, shape) / 2 + template / 2)),
        ("registered", wk.warp(photo, found.transform, shape) / 2 + template / 2),
    ]


def quad(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = shape
    return np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], dtype=np.float64)


def tell_results(name: str, found: list[wk.Registration], truths: list[wk.Transform], shape: tuple[int, int]) -> None:
    before = [distance(wk.Affine.identity(), truth, shape) for truth in truths]
    after = [distance(result.transform, truth, shape) for result, truth in zip(found, truths, strict=True)]
    tell(name, before, after, [result.converged for result in found])


def tell(name: str, before: list[float], after: list[float], converged: list[bool]) -> None:
    print(
        f"{name}: {sum(converged)} of {len(converged)} converged, off by {np.mean(before):.2f} px before,"
        f" {np.mean(after):.3f} after (at most {max(after):.3f})"
    )


USES: tuple[Callable[[np.random.Generator], Figure], ...] = (steady_sequence, exposures, colours, page)


def main(figure: str) -> None:
    cells = [cell for use in USES for cell in use(np.random.default_rng(1))]
    titles, pictures = zip(*cells, strict=True)
    cv2.imwrite(figure, side_by_side(titles, [as_displayable(np.asarray(p) / 255) for p in pictures], columns=2))
    print("wrote", figure)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "registration.jpg")
