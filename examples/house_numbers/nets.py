"""Nets that read house numbers: five softmaxes on a convolutional net, alone, with one transformer, or with one before each of
its first four convolutions (Jaderberg et al. 2015, section 4.2), narrower and shallower than the paper's."""

from __future__ import annotations

from collections.abc import Callable

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
SEEN = 64  # larger pictures are brought to this size by averages, after the first transformer, which can look closer before
FILTERS = (16, 32, 48, 64)
HIDDEN = 256
BODY_RATE, HEAD_RATE, WARM_UP_STEPS = 0.02, 1.0, 400
# Numbers of an affine theta, row by row: a transformer that looks beyond the picture has no gradient that would bring it back.
BOUNDS = ([0.2, -0.6, -0.8, -0.6, 0.2, -0.8], [1.5, 0.6, 0.8, 0.6, 1.5, 0.8])


def _after_warm_up(rate: float) -> Callable[[int], float]:
    """Transformers stay the identity until the rest of the net has begun to read: before, they would go anywhere."""
    return lambda step: 0.0 if step < WARM_UP_STEPS else rate


RATES = {"rate": _after_warm_up(BODY_RATE), "head_rate": _after_warm_up(HEAD_RATE)}


def build(model: str, side: int, seed: int) -> Sequential:
    """One of ``MODELS`` for grey pictures (side, side, 1); its output is (N, 5, 11): a digit or none at each of five places."""
    random = np.random.default_rng(seed)
    shape = (side, side, 1)
    layers: list[Layer] = [_transformer(_looking(shape, random), shape)] if model == "ST-CNN Single" else []
    for n, filters in enumerate(FILTERS):
        if model == "ST-CNN Multi":
            look = Localiser.fully_connected(shape, _maps(), random, **RATES)
            layers.append(_transformer(look, shape))
        if n == 0 and side > SEEN:
            layers.append(AveragePool2D(side // SEEN))
            shape = (SEEN, SEEN, 1)
        size = 3 if n else 5
        layers += [Conv2D(shape[2], filters, size, random, padding=size // 2), MaxPool2D(2), Relu()]
        shape = (shape[0] // 2, shape[1] // 2, filters)
    classes = NONE + 1
    head = [*dense(shape, [HIDDEN], random), Linear(HIDDEN, LONGEST * classes, random), Reshape(LONGEST, classes)]
    return Sequential(*layers, *head)


def _looking(shape: tuple[int, int, int], random: np.random.Generator) -> Localiser:
    """The localisation net of a single transformer: four layers, on pictures of 32 x 32."""
    body: list[Layer] = [AveragePool2D(shape[0] // 32), Conv2D(shape[2], 32, 5, random), MaxPool2D(2), Relu()]
    body += [Conv2D(32, 32, 5, random), Relu()]
    body += dense(Sequential(*body).output_shape(shape), [32, 32], random)
    return Localiser(Sequential(*body), shape, _maps(), random, **RATES)


def _transformer(look: Localiser, shape: tuple[int, int, int]) -> SpatialTransformer:
    return SpatialTransformer(look, _maps(), shape[:2], mode="edge")


def _maps() -> Family:
    return family("affine", bounds=BOUNDS)
