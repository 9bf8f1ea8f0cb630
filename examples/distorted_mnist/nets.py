"""The eight nets of the paper's first experiment, all with about as many parameters: FCN and CNN, alone and with a spatial
transformer that looks first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from cells import count

from warpkit.localiser import (
    AveragePool2D,
    Conv2D,
    Layer,
    Linear,
    Localiser,
    MaxPool2D,
    Relu,
    Sequential,
    SpatialTransformer,
    dense,
)

MODELS = ["FCN", "CNN"] + [f"ST-{net} {maps}" for net in ("FCN", "CNN") for maps in ("affine", "projective", "tps")]
PARAMETERS = 400_000
CLASSES = 10
LOCALISER_RATE = 0.2


def build(model: str, side: int, seed: int) -> Sequential:
    """One of ``MODELS`` for grey pictures of ``side`` x ``side`` pixels; above 28 they are halved after the transformer."""
    random = np.random.default_rng(seed)
    shape = (side, side, 1)
    first: list[Layer] = []
    if model.startswith("ST-"):
        maps = model.split()[1]
        localiser = (Localiser.fully_connected if "FCN" in model else Localiser.convolutional)(
            shape, maps, random, rate=LOCALISER_RATE
        )
        first.append(SpatialTransformer(localiser, maps, (side, side)))
    if side > 28:
        first.append(AveragePool2D(2))
    front = Sequential(*first, *(_convolutions(side, random) if "CNN" in model else []))
    features = front.output_shape(shape)
    inputs = int(np.prod(features))
    hidden = 1 if "CNN" in model else 2
    width = _widest(lambda n: count(front) + inputs * n + (hidden - 1) * n * n + (hidden + CLASSES) * n)
    return Sequential(front, *dense(features, [width] * hidden, random), Linear(width, CLASSES, random))


def _convolutions(side: int, random: np.random.Generator) -> list[Layer]:
    seen = side // 2 if side > 28 else side
    sizes = (9, 7) if seen >= 28 else (5, 5)
    return [
        *(Conv2D(1, 32, sizes[0], random), MaxPool2D(2), Relu()),
        *(Conv2D(32, 64, sizes[1], random), MaxPool2D(2), Relu()),
    ]


def _widest(parameters: Callable[[int], int]) -> int:
    """The width with which a net has no more than ``PARAMETERS``."""
    width = 1
    while parameters(width + 1) <= PARAMETERS:
        width += 1
    return width
