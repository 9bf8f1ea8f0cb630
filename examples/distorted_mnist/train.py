"""Train the nets of "Spatial Transformer Networks" (Jaderberg et al. 2015, table 1) on distorted digits.

    python examples/distorted_mnist/train.py                                    small: scikit-learn's digits, recipe R
    python examples/distorted_mnist/train.py --data mnist/ --recipes R RTS P E --models all

Each cell of the table, a model and a recipe, is one file in --output, written after every epoch; a run that is cut off goes
on where it was, finished cells are not done again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cells import BATCH, Examples, options_parser, parse, shuffled, train_cell
from digits import load_digits
from distorted_mnist.nets import MODELS, build

from warpkit.distortions import clutter, distort

RECIPES = ("R", "RTS", "P", "E", "TC")
TEST_SEED = 12345


def distorted(images: np.ndarray, recipe: str, random: np.random.Generator) -> np.ndarray:
    """A batch as nets take it: (N, H, W, 1) float32, 0 to 1."""
    moved = clutter(images, random) if recipe == "TC" else distort(images, recipe, random)
    return moved[..., None] * np.float32(1 / 255)


def main() -> None:
    parser = options_parser(__doc__, MODELS, ["CNN", "ST-CNN affine"], "distorted-mnist")
    parser.add_argument("--recipes", nargs="+", default=["R"], choices=RECIPES)
    options = parse(parser, MODELS)
    digits = load_digits(options.data)
    steps = -(-len(digits.train_images) // BATCH)
    for recipe in options.recipes:

        def prepare(images: np.ndarray, labels: np.ndarray, random: np.random.Generator, recipe: str = recipe) -> Examples:
            return distorted(images, recipe, random), labels

        batches = shuffled(digits.train_images, digits.train_labels, options.seed, prepare)
        test = distorted(digits.test_images, recipe, np.random.default_rng(TEST_SEED)), digits.test_labels
        for model in options.models:
            net = build(model, test[0].shape[1], options.seed)
            about = {"model": model, "recipe": recipe, "digits": digits.name}
            train_cell(about, net, batches, steps, test, options)


if __name__ == "__main__":
    main()
