"""Train the nets of "Spatial Transformer Networks" (Jaderberg et al. 2015, table 1) on distorted digits.

    python examples/distorted_mnist/train.py                                    small: scikit-learn's digits, recipe R
    python examples/distorted_mnist/train.py --data mnist/ --recipes R RTS P E --models all

Each cell of the table, a model and a recipe, is one file in --output, written after every epoch; a run that is cut off goes
on where it was, finished cells are not done again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cells import Batches, train_cell
from digits import Digits, load_digits
from distorted_mnist.nets import MODELS, build, count

from warpkit.distortions import clutter, distort
from warpkit.localiser import Adam, step_schedule

RECIPES = ("R", "RTS", "P", "E", "TC")
BATCH = 256
RATE = 1e-3
TEST_SEED = 12345


def distorted(images: np.ndarray, recipe: str, random: np.random.Generator) -> np.ndarray:
    """A batch as nets take it: (N, H, W, 1) float32, 0 to 1."""
    moved = clutter(images, random) if recipe == "TC" else distort(images, recipe, random)
    return moved[..., None] * np.float32(1 / 255)


def train_model(model: str, recipe: str, digits: Digits, epochs: int, seed: int, output: Path, quiet: bool) -> None:
    """Train one model on one recipe."""
    test_images = distorted(digits.test_images, recipe, np.random.default_rng(TEST_SEED))
    net = build(model, test_images.shape[1], seed)
    steps = -(-len(digits.train_images) // BATCH)
    optimiser = Adam(net.parameters(), step_schedule(RATE, max(1, round(0.8 * epochs * steps))))

    def batches(epoch: int) -> Batches:
        random = np.random.default_rng((seed, epoch))
        order = random.permutation(len(digits.train_images))
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            yield distorted(digits.train_images[some], recipe, random), digits.train_labels[some]

    about = {"model": model, "recipe": recipe, "digits": digits.name, "epochs": epochs, "batch": BATCH, "seed": seed}
    about |= {"optimiser": f"Adam, rate {RATE}, a tenth of it in the last fifth", "parameters": count(net)}
    test = (test_images, digits.test_labels)
    train_cell(f"{model} {recipe}", about, net, optimiser, batches, steps, test, output, quiet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with MNIST's four IDX files (default: scikit-learn's digits)")
    parser.add_argument("--models", nargs="+", default=["CNN", "ST-CNN affine"], help=f"all, or of {', '.join(MODELS)}")
    parser.add_argument("--recipes", nargs="+", default=["R"], choices=RECIPES)
    parser.add_argument("--epochs", type=int, help="default: 15; of scikit-learn's few digits 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("distorted-mnist"))
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args()
    models = MODELS if options.models == ["all"] else options.models
    unknown = set(models) - set(MODELS)
    if unknown:
        parser.error(f"--models: {', '.join(sorted(unknown))} is none of {', '.join(MODELS)}")
    digits = load_digits(options.data)
    epochs = options.epochs or (15 if options.data else 60)
    options.output.mkdir(parents=True, exist_ok=True)
    for recipe in options.recipes:
        for model in models:
            train_model(model, recipe, digits, epochs, options.seed, options.output, options.quiet)


if __name__ == "__main__":
    main()
