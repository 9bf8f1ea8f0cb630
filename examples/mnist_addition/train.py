"""Add two digits that are shown in two channels, each turned, scaled and moved by itself (Jaderberg et al. 2015, appendix A.1).

    python examples/mnist_addition/train.py                       small: scikit-learn's digits
    python examples/mnist_addition/train.py --data mnist/ --models all

One transformer must find one map for both digits; two in parallel, each of which warps both channels, can look at one each.
A run that is cut off goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cells import BATCH, options_parser, parse, shuffled, train_cell
from digits import load_digits

from warpkit.distortions import distort
from warpkit.localiser import (
    AveragePool2D,
    Conv2D,
    Layer,
    Linear,
    Localiser,
    MaxPool2D,
    Parallel,
    Relu,
    Sequential,
    SpatialTransformer,
    dense,
)

MODELS = ("CNN", "ST-CNN", "2 x ST-CNN")
SUMS = 19
SIDE = 42
LOCALISER_RATE = 0.2
TEST_SEED = 54321


def build(model: str, seed: int) -> Sequential:
    """A net for pictures (42, 42, 2)."""
    random = np.random.default_rng(seed)
    shape = (SIDE, SIDE, 2)

    def transformer() -> Layer:
        localiser = Localiser.convolutional(shape, "affine", random, rate=LOCALISER_RATE)
        return SpatialTransformer(localiser, "affine", (SIDE, SIDE))

    first = {"CNN": 0, "ST-CNN": 1, "2 x ST-CNN": 2}[model]
    looks: list[Layer] = [transformer()] if first == 1 else [Parallel(transformer(), transformer())] if first == 2 else []
    front = Sequential(
        *(*looks, AveragePool2D(2)),
        *(Conv2D(4 if first == 2 else 2, 32, 5, random), MaxPool2D(2), Relu()),
        *(Conv2D(32, 64, 5, random), MaxPool2D(2), Relu()),
    )
    return Sequential(front, *dense(front.output_shape(shape), [512], random), Linear(512, SUMS, random))


def pairs(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each digit with another: pictures (N, 42, 42, 2) float32 and the sums."""
    others = random.permutation(len(images))
    channels = [distort(images[which], "RTS", random) for which in (np.arange(len(images)), others)]
    sums = labels.astype(np.int64) + labels[others]
    return np.stack(channels, axis=-1) * np.float32(1 / 255), sums


def main() -> None:
    options = parse(options_parser(__doc__, MODELS, ["all"], "mnist-addition"), MODELS)
    digits = load_digits(options.data)
    steps = -(-len(digits.train_images) // BATCH)
    batches = shuffled(digits.train_images, digits.train_labels, options.seed, pairs)
    test = pairs(digits.test_images, digits.test_labels, np.random.default_rng(TEST_SEED))
    for model in options.models:
        train_cell({"model": model, "digits": digits.name}, build(model, options.seed), batches, steps, test, options)


if __name__ == "__main__":
    main()
