"""Look through the right eye from the left one's place: a warp by measured disparities.

The stereo pair in scikit-image's wheel (Middlebury 2014, motorcycle) comes with the true disparity of each pixel of the left
picture: what is at (x, y) there is at (x - disparity, y) in the right picture. That is an inverse map. Warping the right
picture by it should give the left one, except where only one eye sees a thing.

    python examples/stereo.py [FIGURE]
"""

from __future__ import annotations

import sys

import numpy as np
import skimage.data
import skimage.io

import warpkit as wk


def mean_absolute_difference(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64))[where].mean())


def main(figure: str) -> None:
    left, right, disparity = skimage.data.stereo_motorcycle()
    known = np.isfinite(disparity)
    field = np.zeros((*disparity.shape, 2))
    field[known, 0] = -disparity[known]
    warped = wk.warp(right, wk.DisplacementField(field), mode="edge")

    column = np.arange(disparity.shape[1])
    in_view = known & (column - np.where(known, disparity, 0) >= 0)
    for name, where in (("known disparity", known), ("known, and inside the right picture", in_view)):
        before = mean_absolute_difference(left, right, where)
        after = mean_absolute_difference(left, warped, where)
        print(
            f"{name}: {where.mean():.1%} of pixels, difference {before:.2f} -> {after:.2f} grey levels, {before / after:.2f} x"
        )

    difference = np.abs(left.astype(int) - warped).astype(np.uint8)
    difference[~known] = 0
    skimage.io.imsave(figure, np.vstack([np.hstack([left, right]), np.hstack([warped, difference])]), check_contrast=False)
    print("wrote", figure, "(left, right; right warped onto left, their difference)")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "stereo.jpg")
