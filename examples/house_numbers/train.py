"""Read house numbers of one to five digits (Jaderberg et al. 2015, section 4.2), synthetic ones or those of Street View.

    python examples/house_numbers/train.py                                  small: of scikit-learn's digits, 64 x 64
    python examples/house_numbers/train.py --data mnist/ --models all --side 128
    python examples/house_numbers/train.py --svhn svhn/ --models all        train.tar.gz and test.tar.gz, the full numbers

A number counts as read if all its digits are right. A run that is cut off goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cells import Examples, options_parser, parse, shuffled, train_cell
from digits import load_digits
from house_numbers.nets import MODELS, build
from house_numbers.svhn import read_numbers
from house_numbers.synthetic import house_numbers

BATCH = 64
TEST_COUNT, TEST_SEED = 4000, 67890


def prepared(pictures: np.ndarray) -> np.ndarray:
    """Grey pictures (N, side, side) uint8 as nets take them: (N, side, side, 1) float32.

    How far each pixel is from the picture's mean, in standard deviations, so that bright digits on dark look as dark ones on
    bright; less the mean of that.
    """
    values = pictures.astype(np.float32)[..., None]
    values -= values.mean(axis=(1, 2, 3), keepdims=True)
    values /= np.maximum(values.std(axis=(1, 2, 3), keepdims=True), 1)
    values = np.abs(values)
    return values - values.mean(axis=(1, 2, 3), keepdims=True)


def synthetic_test(digits: np.ndarray, labels: np.ndarray, side: int) -> Examples:
    """The pictures that all models are tested on, in the order of their making."""
    pictures, numbers = house_numbers(digits, labels, TEST_COUNT, side, np.random.default_rng(TEST_SEED))
    return prepared(pictures), numbers


def main() -> None:
    parser = options_parser(__doc__, MODELS, ["ST-CNN Single"], "house-numbers")
    parser.add_argument(
        "--svhn", type=Path, help="folder with the full numbers' train.tar.gz and test.tar.gz, in place of synthetic ones"
    )
    parser.add_argument("--side", type=int, default=64, choices=(64, 128))
    parser.add_argument(
        "--steps", type=int, help="batches of 64 in an epoch of synthetic numbers; default: as many as digits give"
    )
    options = parse(parser, MODELS)
    if options.svhn:
        train, test = (read_numbers(options.svhn / f"{name}.tar.gz", options.side) for name in ("train", "test"))
        steps = -(-len(train[0]) // BATCH)
        batches = shuffled(*train, options.seed, lambda images, labels, _: (prepared(images), labels), BATCH)
        source, tested = "Street View House Numbers", (prepared(test[0]), test[1])
    else:
        digits = load_digits(options.data)
        steps = options.steps or -(-len(digits.train_images) // BATCH)

        def batches(epoch: int) -> Iterator[Examples]:
            random = np.random.default_rng((options.seed, epoch))
            for _ in range(steps):
                pictures, numbers = house_numbers(digits.train_images, digits.train_labels, BATCH, options.side, random)
                yield prepared(pictures), numbers

        source, tested = (
            f"synthetic house numbers of {digits.name}",
            synthetic_test(digits.test_images, digits.test_labels, options.side),
        )
    for model in options.models:
        about = {"model": model, "recipe": f"{options.side} px", "digits": source, "batch": BATCH, "steps": steps}
        train_cell(about, build(model, options.side, options.seed), batches, steps, tested, options)


if __name__ == "__main__":
    main()
