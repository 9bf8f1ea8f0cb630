"""Lay one view over another by features that look alike, some of which are not the same: a robust fit.

scikit-image finds corners in both views and matches them (SIFT: Lowe 2004). Some matches are wrong, and one wrong match is
enough to spoil a least-squares fit. Its ``ransac`` (Fischler and Bolles 1981) keeps those that agree with one homography;
warpkit fits the inverse map to them and warps. The second view is made by a known homography, under other light and noise, so
that the fits can be measured.

    python examples/robust_fit.py [FIGURE]
"""

from __future__ import annotations

import sys

import numpy as np
import skimage.color
import skimage.data
import skimage.feature
import skimage.io
import skimage.measure
import skimage.transform

import warpkit as wk

SHAPE = (400, 600)
CORNERS = np.array([[0, 0], [599, 0], [599, 399], [0, 399.0]])
SEEN_AT = np.array([[70, 45], [560, 15], [585, 390], [30, 360.0]])
INLIER_PX = 2.0
RATIO = 0.9  # how much less alike the second best must be


def second_view(first: np.ndarray, motion: wk.Projective) -> np.ndarray:
    """The picture as seen from elsewhere, in dimmer light, by a noisy camera."""
    seen = wk.warp(first, motion.inverse, SHAPE, cval=90)
    noise = np.random.default_rng(0).normal(0, 8, seen.shape)
    return np.clip(0.8 * seen + 10 + noise, 0, 255).astype(np.uint8)


def matched_corners(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) of the first view and, for each, of the corner in the second that looks most alike."""
    points, descriptors = [], []
    for picture in (first, second):
        detector = skimage.feature.SIFT()
        detector.detect_and_extract(skimage.color.rgb2gray(picture))
        points.append(detector.keypoints[:, ::-1])
        descriptors.append(detector.descriptors)
    pairs = skimage.feature.match_descriptors(*descriptors, cross_check=True, max_ratio=RATIO)
    return points[0][pairs[:, 0]], points[1][pairs[:, 1]]


def largest_miss(inverse_map: wk.Transform, motion: wk.Projective) -> float:
    """How far, in pixels of the first view, the fit is off in the worst corner of the second."""
    truth = motion.inverse
    return float(np.hypot(*(inverse_map(SEEN_AT) - truth(SEEN_AT)).T).max())


def main(figure: str) -> None:
    first = skimage.data.coffee()
    motion = wk.Projective.from_quads(CORNERS, SEEN_AT)
    second = second_view(first, motion)
    in_first, in_second = matched_corners(first, second)

    everything = wk.Projective.fit(in_second, in_first)
    _, agree = skimage.measure.ransac(
        (in_second, in_first), skimage.transform.ProjectiveTransform, min_samples=4, residual_threshold=INLIER_PX,
        max_trials=1000, rng=0,
    )  # fmt: skip
    robust = wk.Projective.fit(in_second[agree], in_first[agree])
    print(f"{len(agree)} matches, of which {agree.sum()} agree with one homography")
    print(f"worst corner: {largest_miss(everything, motion):.1f} px off by the homography through all")
    print(f"worst corner: {largest_miss(robust, motion):.2f} px off by the homography through those that agree")

    laid_over = wk.warp(first, robust, SHAPE, cval=90)
    half = np.where(np.indices(SHAPE).sum(axis=0)[..., None] // 50 % 2 == 0, laid_over, second)
    skimage.io.imsave(figure, np.vstack([np.hstack([first, second]), np.hstack([laid_over, half])]), check_contrast=False)
    print("wrote", figure, "(two views; the first laid over the second, both in stripes)")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "robust_fit.jpg")
