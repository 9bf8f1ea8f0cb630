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
from looks import ORANGE, draw_look, panel, sheet

from warpkit.localiser import SpatialTransformer, load

COLUMNS = 12
ENLARGED = 84


def rows_of_figure(model: str, recipe: str, images: np.ndarray, results: Path) -> np.ndarray:
    """Three rows: input, where it looks, output."""
    net = build(model, images.shape[1], seed=0)
    load(results / f"{model} {recipe}.npz".replace(" ", "-"), net)
    transformer = net.layers[0].layers[0]
    assert isinstance(transformer, SpatialTransformer)
    outputs, _ = transformer(images)
    transforms = transformer.transforms(images)
    inputs = [panel(image, ENLARGED) for image in images]
    looks = [drawing.copy() for drawing in inputs]
    for drawing, transform in zip(looks, transforms, strict=True):
        draw_look(drawing, images.shape[2], transform, outputs.shape[1:3], ORANGE)
    return sheet([inputs, looks, [panel(image, ENLARGED) for image in outputs]], recipe)


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
