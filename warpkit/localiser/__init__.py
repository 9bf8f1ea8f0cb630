"""Spatial transformers that train with NumPy and warpkit's kernels alone.

    random = np.random.default_rng(0)
    look = Localiser.convolutional((28, 28, 1), "affine", random)
    net = Sequential(SpatialTransformer(look, "affine", (28, 28)), Conv2D(1, 32, 9, random), Relu(), MaxPool2D(), ...)
    optimiser = Adam(net.parameters())
    loss = train_step(net, images, labels, optimiser)

See :mod:`warpkit.localiser.layers` for what a layer is.
"""

from .families import Family, family
from .layers import (
    AveragePool2D,
    Conv2D,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    Parallel,
    Parameter,
    Relu,
    Reshape,
    Sequential,
)
from .training import (
    SGD,
    Adam,
    Optimiser,
    error_rate,
    load,
    predict,
    save,
    softmax_cross_entropy,
    step_schedule,
    train_step,
)
from .transformer import Localiser, SpatialTransformer, dense

__all__ = [
    "SGD",
    "Adam",
    "AveragePool2D",
    "Conv2D",
    "Family",
    "Flatten",
    "Layer",
    "Linear",
    "Localiser",
    "MaxPool2D",
    "Optimiser",
    "Parallel",
    "Parameter",
    "Relu",
    "Reshape",
    "Sequential",
    "SpatialTransformer",
    "dense",
    "error_rate",
    "family",
    "load",
    "predict",
    "save",
    "softmax_cross_entropy",
    "step_schedule",
    "train_step",
]
