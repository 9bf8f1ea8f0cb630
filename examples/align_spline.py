"""Align a photograph to a bent copy of itself: descent on the 16 control points of a thin-plate spline, 32 numbers.

The gradient of the squared difference says which way to go, but not how far: control points in a flat background hardly matter,
those on the whiskers do. So each step is the gradient divided by the normal equations' matrix, with more on its diagonal until
the difference falls (Levenberg 1944, Marquardt 1963). `wk.warp_normal_equations` gives both in one pass.

    python examples/align_spline.py [FIGURE]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import skimage.color
import skimage.data
import skimage.filters
from align import distance, draw

import warpkit as wk

BLURS = (8.0, 4.0, 2.0, 1.0)
STEPS = 10  # for each blur


def mean_square(equations: wk.NormalEquations) -> float:
    return equations.residual_norm**2 / max(equations.pixels, 1)


def descend(photo: np.ndarray, target: np.ndarray, start: wk.Transform, seen: np.ndarray) -> tuple[wk.Transform, list[float]]:
    """The map, and the mean squared difference of the sharp pictures after each step."""
    inverse_map, errors = start, []
    for blur in BLURS:
        blurred, goal = (skimage.filters.gaussian(p, blur) for p in (photo, target))
        damping = 1e-3
        equations = wk.warp_normal_equations(blurred, goal, inverse_map, seen)
        for _ in range(STEPS):
            matrix = equations.jtj + damping * np.diag(np.diag(equations.jtj) + 1e-6)
            trial = inverse_map.with_params(inverse_map.params - np.linalg.solve(matrix, equations.jtr))
            found = wk.warp_normal_equations(blurred, goal, trial, seen)
            if mean_square(found) < mean_square(equations):
                inverse_map, equations, damping = trial, found, damping / 3
            else:
                damping *= 10
            errors.append(mean_square(wk.warp_normal_equations(photo, target, inverse_map, seen)))
    return inverse_map, errors


def main(figure: str) -> None:
    photo = skimage.color.rgb2gray(skimage.data.chelsea())
    rows, columns = photo.shape
    x, y = np.meshgrid(np.linspace(0, columns - 1, 4), np.linspace(0, rows - 1, 4))
    control_points = np.column_stack([x.ravel(), y.ravel()])
    bend = np.random.default_rng(4).uniform(-12, 12, control_points.shape)
    truth = wk.ThinPlateSpline(control_points, control_points + bend)
    start = wk.ThinPlateSpline(control_points, control_points)
    target = wk.warp(photo, truth)
    seen = (wk.warp(np.ones_like(photo), truth) > 0.999).astype(float)
    began = time.perf_counter()
    found, errors = descend(photo, target, start, seen)
    seconds = time.perf_counter() - began
    before, after = distance(start, truth, seen), distance(found, truth, seen)
    print(
        f"squared difference {errors[0]:.2e} -> {errors[-1]:.2e} in {len(errors)} steps, {seconds:.1f} s,"
        f" off by {before:.2f} -> {after:.4f} px"
    )
    draw(figure, photo, target, [start, found], seen, errors)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "align_spline.jpg")
