"""The paper's figure: what a net is shown, where its transformer looks, what the rest of the net sees.

    python examples/distorted_mnist/figure.py RESULTS FIGURE --data mnist/ --model "ST-CNN affine"

RESULTS is what train.py wrote, with its checkpoints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from digits import load_digits
from distorted_mnist.nets import MODELS, build
from distorted_mnist.train import RECIPES, TEST_SEED, distorted

from warpkit.localiser import SpatialTransformer, load

COLUMNS = 12
ENLARGED = 84
OUTLINE = (60, 200, 255)


def grey(image: np.ndarray) -> np.ndarray:
    """A picture (H, W, 1) of 0 to 1, enlarged, as colours."""
    levels = np.clip(np.round(image[..., 0] * 255), 0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.resize(levels, (ENLARGED, ENLARGED), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)


def outline(shape: tuple[int, int]) -> np.ndarray:
    """Points along the border of a picture, and a mark where its upper edge is."""
    rows, columns = shape
    line = np.linspace(-0.5, 0.5, 20)
    x, y = (columns - 1) / 2 + columns * line, (rows - 1) / 2 + rows * line
    top, right = np.stack([x, np.full(20, y[0])], -1), np.stack([np.full(20, x[-1]), y], -1)
    bottom, left = np.stack([x[::-1], np.full(20, y[-1])], -1), np.stack([np.full(20, x[0]), y[::-1]], -1)
    return np.concatenate([top, right, bottom, left])


def seen(image: np.ndarray, transform, shape: tuple[int, int]) -> np.ndarray:
    """The picture with the border of what the transformer takes from it; the upper edge is thick."""
    panel = grey(image)
    scale = ENLARGED / image.shape[1]
    points = (transform(outline(shape)) + 0.5) * scale * 16
    points = np.round(points).astype(np.int32)[:, None]
    cv2.polylines(panel, [points], True, OUTLINE, 1, cv2.LINE_AA, 4)
    cv2.polylines(panel, [points[:20]], False, OUTLINE, 3, cv2.LINE_AA, 4)
    return panel


def rows_of_figure(model: str, recipe: str, images: np.ndarray, results: Path) -> np.ndarray:
    """Three rows: input, where it looks, output."""
    net = build(model, images.shape[1], seed=0)
    load(results / f"{model} {recipe}.npz".replace(" ", "-"), net)
    transformer = net.layers[0].layers[0]
    assert isinstance(transformer, SpatialTransformer)
    outputs, _ = transformer(images)
    transforms = transformer.transforms(images)
    rows = [
        [grey(image) for image in images],
        [seen(image, t, outputs.shape[1:3]) for image, t in zip(images, transforms, strict=True)],
        [grey(image) for image in outputs],
    ]
    sheet = np.vstack([np.hstack([np.pad(p, ((1, 1), (1, 1), (0, 0)), constant_values=70) for p in row]) for row in rows])
    label = np.zeros((sheet.shape[0], 60, 3), np.uint8)
    cv2.putText(label, recipe, (6, sheet.shape[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 1, cv2.LINE_AA)
    return np.hstack([label, sheet])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="ST-CNN affine", choices=[model for model in MODELS if model.startswith("ST-")])
    options = parser.parse_args()
    digits = load_digits(options.data)
    chosen = [np.flatnonzero(digits.test_labels == n % 10)[n // 10] for n in range(COLUMNS)]
    sheets = []
    for recipe in RECIPES:
        if (options.results / f"{options.model} {recipe}.npz".replace(" ", "-")).exists():
            # distorted as for the test, all together, so that these are pictures of the test
            images = distorted(digits.test_images, recipe, np.random.default_rng(TEST_SEED))[chosen]
            sheets.append(rows_of_figure(options.model, recipe, images, options.results))
    if not sheets:
        parser.error(f"{options.results} has no checkpoint of {options.model}")
    cv2.imwrite(str(options.figure), np.vstack(sheets))
    print("wrote", options.figure)


if __name__ == "__main__":
    main()
