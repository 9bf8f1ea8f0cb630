"""What trains a net: losses, optimisers, and the file that holds both between two runs."""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from .layers import Array, Layer, Parameter, Rate


def softmax_cross_entropy(logits: Array, labels: NDArray[np.integer[Any]]) -> tuple[float, Array]:
    """The mean of -log softmax(logits)[label] and its gradient.

    Parameters
    ----------
    logits : (..., classes)
    labels : (...), integers below classes

    Returns
    -------
    loss : float
    grad_logits : (..., classes)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"labels must have shape {logits.shape[:-1]} for these logits, got {labels.shape}")
    if labels.size and not (labels.min() >= 0 and labels.max() < logits.shape[-1]):
        raise ValueError(f"labels must be from 0 to {logits.shape[-1] - 1}, got {labels.min()} to {labels.max()}")
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)
    loss = float((np.log(sums) - chosen).mean(dtype=np.float64))
    grad = exponentials / sums
    np.put_along_axis(grad, labels[..., None], np.take_along_axis(grad, labels[..., None], axis=-1) - 1, axis=-1)
    return loss, grad / grad.dtype.type(max(1, labels.size))


def step_schedule(rate: float, every: int, factor: float = 0.1) -> Callable[[int], float]:
    """A learning rate that is multiplied by ``factor`` after each ``every`` steps."""
    return lambda step: rate * factor ** (step // every)


def _now(rate: Rate, steps: int) -> float:
    return rate(steps) if callable(rate) else rate


class Optimiser(ABC):
    """Changes parameters by their gradients.

    Parameters
    ----------
    parameters : dict of Parameter
        What :meth:`Layer.parameters` gives.
    rate : float or function
        The learning rate, or what gives it for the number of steps that are done.
    """

    _states: tuple[str, ...] = ()

    def __init__(self, parameters: dict[str, Parameter], rate: Rate) -> None:
        self._parameters = parameters
        self._rate = rate if callable(rate) else checks.not_negative("rate", rate)
        self.steps = 0
        self._memory = {state: {name: np.zeros_like(p.value) for name, p in parameters.items()} for state in self._states}

    def step(self) -> None:
        """One step down, after which all gradients are zero."""
        rate, done = _now(self._rate, self.steps), self.steps
        self.steps += 1
        for name, parameter in self._parameters.items():
            memory = [self._memory[state][name] for state in self._states]
            self._update(parameter.value, parameter.gradient, rate * _now(parameter.rate, done), *memory)
            parameter.gradient[...] = 0

    @abstractmethod
    def _update(self, value: Array, gradient: Array, rate: float, *memory: Array) -> None:
        """Change ``value`` and the memory in place."""

    def state(self) -> dict[str, Array]:
        """Views of what the optimiser remembers, by name, and the number of steps."""
        arrays = {f"{state}/{name}": a for state, named in self._memory.items() for name, a in named.items()}
        return {"steps": np.array(self.steps), **arrays}


class SGD(Optimiser):
    """``v = momentum v + gradient; value -= rate v``."""

    _states = ("velocity",)

    def __init__(self, parameters: dict[str, Parameter], rate: Rate, *, momentum: float = 0.0) -> None:
        super().__init__(parameters, rate)
        self._momentum = momentum

    def _update(self, value: Array, gradient: Array, rate: float, *memory: Array) -> None:
        (velocity,) = memory
        velocity *= value.dtype.type(self._momentum)
        velocity += gradient
        value -= value.dtype.type(rate) * velocity


class Adam(Optimiser):
    """Kingma and Ba 2015, algorithm 1."""

    _states = ("first", "second")

    def __init__(
        self,
        parameters: dict[str, Parameter],
        rate: Rate = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, rate)
        self._betas, self._epsilon = betas, epsilon

    def _update(self, value: Array, gradient: Array, rate: float, *memory: Array) -> None:
        real = value.dtype.type
        for moment, beta, power in zip(memory, self._betas, (1, 2), strict=True):
            moment *= real(beta)
            moment += real(1 - beta) * gradient**power
        first, second = (moment / real(1 - beta**self.steps) for moment, beta in zip(memory, self._betas, strict=True))
        value -= real(rate) * first / (np.sqrt(second) + real(self._epsilon))


def save(path: str | Path, net: Layer, optimiser: Optimiser | None = None) -> None:
    """Write a net's parameters, and what its optimiser remembers, into a file of NumPy's format (.npz).

    The file appears whole or not at all.
    """
    arrays = _arrays(net, optimiser)
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: str | Path, net: Layer, optimiser: Optimiser | None = None) -> None:
    """Read what :func:`save` wrote into a net, and an optimiser, of the same shape.

    Raises
    ------
    ValueError
        If the file is not such a file, or that of another net; the net is unchanged then.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:  # TypeError: a single array, of a .npy
        raise ValueError(f"{path} does not hold a net: {error}") from None
    targets = _arrays(net, optimiser)
    for name, target in targets.items():
        if name not in found or found[name].shape != target.shape:
            shape = found[name].shape if name in found else "nothing"
            raise ValueError(f"{path} is of another net: {name} must have shape {target.shape}, got {shape}")
    for name, target in targets.items():
        target[...] = found[name]
    if optimiser is not None:
        optimiser.steps = int(found["optimiser/steps"])


def _arrays(net: Layer, optimiser: Optimiser | None) -> dict[str, Array]:
    arrays = {f"net/{name}": parameter.value for name, parameter in net.parameters().items()}
    if optimiser is not None:
        arrays |= {f"optimiser/{name}": array for name, array in optimiser.state().items()}
    return arrays


def train_step(net: Layer, images: Array, labels: NDArray[np.integer[Any]], optimiser: Optimiser) -> float:
    """One step of classification; returns the mean loss before it.

    Raises
    ------
    FloatingPointError
        If the loss is not finite; the net is unchanged then.
    """
    logits, backprop = net(images)
    with np.errstate(invalid="ignore"):
        loss, gradient = softmax_cross_entropy(logits, labels)
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss}: training has diverged, or the images are not finite")
    backprop(gradient, wants_input=False)
    optimiser.step()
    return loss


def predict(net: Layer, images: Array, *, batch: int = 500) -> Array:
    """The net's output for all images, computed by batches."""
    return np.concatenate([net(images[start : start + batch])[0] for start in range(0, len(images), batch)])


def error_rate(net: Layer, images: Array, labels: NDArray[np.integer[Any]], *, batch: int = 500) -> float:
    """The share of images whose largest logit is not their label's; of several labels for an image, all must be right."""
    wrong = predict(net, images, batch=batch).argmax(axis=-1) != labels
    return float(wrong.reshape(len(images), -1).any(axis=1).mean())
