"""Align a photograph to a turned, sheared and shifted copy of itself by gradient descent on six numbers.

Each step warps the photograph by the present matrix, measures the squared difference, and pulls its gradient back to the
matrix: `wk.warp_vjp`. Blurred pictures first, so that the slopes point the right way from afar. Adam (Kingma and Ba 2015)
sets the length of the steps.

    python examples/align.py [FIGURE]
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
import skimage.color
import skimage.data
import skimage.filters

import warpkit as wk
from warpkit_cli.drawing import as_displayable, side_by_side

BLURS = (12.0, 6.0, 3.0, 1.0)
STEPS = 120  # for each blur


def difference(
    picture: np.ndarray, target: np.ndarray, inverse_map: wk.Transform, seen: np.ndarray
) -> tuple[float, np.ndarray]:
    """Mean squared difference where both pictures are seen, and its gradient by the map's parameters."""
    warped, pullback = wk.warp_vjp(picture, inverse_map)
    weights = seen * wk.warp(np.ones_like(picture), inverse_map) / seen.sum()
    residual = warped - target
    _, gradient = pullback(2 * weights * residual, image=False)
    return float((weights * residual**2).sum()), gradient


def descend(
    photo: np.ndarray, target: np.ndarray, start: wk.Transform, units: np.ndarray, seen: np.ndarray
) -> tuple[wk.Transform, list[float]]:
    """Adam on the parameters, each in a unit that moves points by about a pixel; returns the map and the errors on the way."""
    inverse_map, errors = start, []
    for blur in BLURS:
        blurred, goal = (skimage.filters.gaussian(p, blur) for p in (photo, target))
        first, second = np.zeros(units.size), np.zeros(units.size)
        for step in range(1, STEPS + 1):
            _, gradient = difference(blurred, goal, inverse_map, seen)
            first += 0.1 * (gradient * units - first)
            second += 0.01 * ((gradient * units) ** 2 - second)
            direction = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-12)
            pace = 0.1 * blur * (1 - step / (STEPS + 1))
            inverse_map = inverse_map.with_params(inverse_map.params - pace * units * direction)
            errors.append(difference(photo, target, inverse_map, seen)[0])
    return inverse_map, errors


def distance(found: wk.Transform, truth: wk.Transform, seen: np.ndarray) -> float:
    """Mean distance in pixels between where two maps send the pixels that are seen."""
    gap = wk.sampling_grid(found, seen.shape) - wk.sampling_grid(truth, seen.shape)
    return float(np.hypot(*gap[seen > 0.99].T).mean())


def plot(errors: list[float], shape: tuple[int, int]) -> np.ndarray:
    """The errors, on a logarithmic scale, as a line on white."""
    rows, columns = shape
    sheet = np.full((rows, columns, 3), 255, np.uint8)
    height = np.log10(np.maximum(errors, 1e-12))
    x = np.linspace(10, columns - 10, len(errors))
    y = np.interp(height, [height.min(), height.max()], [rows - 15, 15])
    line = np.round(np.column_stack([x, y])).astype(np.int32)[:, None]
    cv2.polylines(sheet, [line], False, (60, 60, 200), 2, cv2.LINE_AA)
    for value, place in ((errors[0], (columns - 90, 14)), (errors[-1], (10, rows - 8))):
        cv2.putText(sheet, f"{value:.1e}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return sheet


def draw(
    figure: str, photo: np.ndarray, target: np.ndarray, maps: list[wk.Transform], seen: np.ndarray, errors: list[float]
) -> None:
    """Both pictures, their differences by the first and the last map, and the errors."""
    differences = [as_displayable(np.abs(wk.warp(photo, m) - target) * seen * 3) for m in maps]
    panels = [as_displayable(photo), as_displayable(target), *differences, plot(errors, photo.shape)]
    titles = ["photograph", "target", "difference before, x 3", "difference after, x 3", "squared difference, log scale"]
    cv2.imwrite(figure, side_by_side(titles, panels, columns=5))
    print("wrote", figure)


def main(figure: str) -> None:
    photo = skimage.color.rgb2gray(skimage.data.chelsea())
    rows, columns = photo.shape
    centre = ((columns - 1) / 2, (rows - 1) / 2)
    truth = wk.Affine.translation(8, -5) @ wk.Affine.rotation(15, centre) @ wk.Affine.shearing(10, center=centre)
    target, seen = wk.warp(photo, truth), wk.warp(np.ones_like(photo), truth)
    # a matrix entry moves the border by half the picture's size: its unit is as much smaller
    units = np.tile([2 / columns, 2 / columns, 1.0], 2)
    start = wk.Affine.identity()
    found, errors = descend(photo, target, start, units, seen)
    before, after = distance(start, truth, seen), distance(found, truth, seen)
    print(
        f"squared difference {errors[0]:.2e} -> {errors[-1]:.2e} in {len(errors)} steps, off by {before:.2f} -> {after:.3f} px"
    )
    draw(figure, photo, target, [start, found], seen, errors)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "align.jpg")
