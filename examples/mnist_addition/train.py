"""Add two digits that are shown in two channels, each turned, scaled and moved by itself (Jaderberg et al. 2015, appendix A.1).

    python examples/mnist_addition/train.py                       small: scikit-learn's digits
    python examples/mnist_addition/train.py --data mnist/ --models all

One transformer must find one map for both digits; two in parallel, each of which warps both channels, can look at one each.
A run that is cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cells import Batches, train_cell
from digits import Digits, load_digits

from warpkit.distortions import distort
from warpkit.localiser import (
    Adam,
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
    step_schedule,
)

MODELS = ("CNN", "ST-CNN", "2 x ST-CNN")
SUMS = 19
SIDE = 42
BATCH = 256
RATE = 1e-3
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


def train_model(model: str, digits: Digits, epochs: int, seed: int, output: Path, quiet: bool) -> None:
    net = build(model, seed)
    steps = -(-len(digits.train_images) // BATCH)
    optimiser = Adam(net.parameters(), step_schedule(RATE, max(1, round(0.8 * epochs * steps))))

    def batches(epoch: int) -> Batches:
        random = np.random.default_rng((seed, epoch))
        order = random.permutation(len(digits.train_images))
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            yield pairs(digits.train_images[some], digits.train_labels[some], random)

    test = pairs(digits.test_images, digits.test_labels, np.random.default_rng(TEST_SEED))
    about = {"model": model, "digits": digits.name, "epochs": epochs, "batch": BATCH, "seed": seed}
    about |= {"optimiser": f"Adam, rate {RATE}, a tenth of it in the last fifth"}
    about |= {"parameters": sum(parameter.value.size for parameter in net.parameters().values())}
    train_cell(model, about, net, optimiser, batches, steps, test, output, quiet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with MNIST's four IDX files (default: scikit-learn's digits)")
    parser.add_argument("--models", nargs="+", default=["all"], help=f"all, or of {', '.join(MODELS)}")
    parser.add_argument("--epochs", type=int, help="default: 15; of scikit-learn's few digits 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("mnist-addition"))
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args()
    models = MODELS if options.models == ["all"] else options.models
    unknown = set(models) - set(MODELS)
    if unknown:
        parser.error(f"--models: {', '.join(sorted(unknown))} is none of {', '.join(MODELS)}")
    digits = load_digits(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    for model in models:
        train_model(model, digits, options.epochs or (15 if options.data else 60), options.seed, options.output, options.quiet)


if __name__ == "__main__":
    main()
