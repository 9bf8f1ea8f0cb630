"""Nets that read house numbers: five softmaxes on a convolutional net, alone, with one transformer, or with one before each of
its first four convolutions (Jaderberg et al. 2015, section 4.2), narrower and shallower than the paper's."""

from __future__ import annotations

import numpy as np
from house_numbers.synthetic import LONGEST, NONE

from warpkit.localiser import (
    AveragePool2D,
    Conv2D,
    Family,
    Layer,
    Linear,
    Localiser,
    MaxPool2D,
    Relu,
    Reshape,
    Sequential,
    SpatialTransformer,
    dense,
    family,
)

MODELS = ("CNN", "ST-CNN Single", "ST-CNN Multi")
FILTERS = {64: (16, 32, 48, 64), 128: (8, 16, 32, 48, 64)}
HIDDEN = 256
LOCALISER_RATE, WARM_UP_STEPS = 0.2, 1600
# Numbers of an affine theta, row by row: a transformer that looks beyond the picture has no gradient that would bring it back.
BOUNDS = ([0.2, -0.6, -0.8, -0.6, 0.2, -0.8], [1.5, 0.6, 0.8, 0.6, 1.5, 0.8])
TRANSFORMERS_OF_MULTI = 4


def localiser_rate(step: int) -> float:
    """Transformers stay the identity until the rest of the net has begun to read: before, they would go anywhere."""
    return 0.0 if step < WARM_UP_STEPS else LOCALISER_RATE


def build(model: str, side: int, seed: int) -> Sequential:
    """One of ``MODELS`` for grey pictures (side, side, 1); its output is (N, 5, 11): a digit or none at each of five places."""
    random = np.random.default_rng(seed)
    shape = (side, side, 1)
    layers: list[Layer] = [_transformer(_looking(shape, random), shape)] if model == "ST-CNN Single" else []
    for n, filters in enumerate(FILTERS[side]):
        if model == "ST-CNN Multi" and n < TRANSFORMERS_OF_MULTI:
            look = Localiser.fully_connected(shape, _maps(), random, rate=localiser_rate)
            layers.append(_transformer(look, shape))
        if n == 0:  # strides, where the paper pools: most of a step would be spent here
            layers += [Conv2D(shape[2], filters, 5, random, stride=2, padding=2), Relu()]
        else:
            layers += [Conv2D(shape[2], filters, 3, random, padding=1), MaxPool2D(2), Relu()]
        shape = (shape[0] // 2, shape[1] // 2, filters)
    classes = NONE + 1
    head = [*dense(shape, [HIDDEN], random), Linear(HIDDEN, LONGEST * classes, random), Reshape(LONGEST, classes)]
    return Sequential(*layers, *head)


def _looking(shape: tuple[int, int, int], random: np.random.Generator) -> Localiser:
    """The localisation net of a single transformer: four layers, on pictures of 32 x 32."""
    body: list[Layer] = [AveragePool2D(shape[0] // 32), Conv2D(shape[2], 32, 5, random), MaxPool2D(2), Relu()]
    body += [Conv2D(32, 32, 5, random), Relu()]
    body += dense(Sequential(*body).output_shape(shape), [32, 32], random)
    return Localiser(Sequential(*body), shape, _maps(), random, rate=localiser_rate)


def _transformer(look: Localiser, shape: tuple[int, int, int]) -> SpatialTransformer:
    return SpatialTransformer(look, _maps(), shape[:2], mode="edge")


def _maps() -> Family:
    return family("affine", bounds=BOUNDS)
