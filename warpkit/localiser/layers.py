"""Layers: functions that return their output and the function that pulls a gradient back through them.

    output, backprop = layer(images)
    grad_images = backprop(grad_output)

Images are (N, H, W, C), rows of numbers (N, F), in the dtype of the parameters: float32, unless :meth:`Layer.cast` changed it.
``backprop`` adds the gradients of the layer's parameters to their ``gradient``; it may be called once for each output.
``backprop(grad_output, wants_input=False)`` leaves out the gradient of the input, which the first layer of a net does not need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import checks
from ..kernels import windows
from ..kernels.stages import frozen
from ..threads import run_ranges

Array = NDArray[Any]
Rate: TypeAlias = float | Callable[[int], float]

# Windows that are copied at once: they stay in the cache between the copy and the matrix product.
_LARGEST_WINDOWS = 2 * 2**20


class Backprop(Protocol):
    """The gradient of a layer's input, for that of its output; None if it is not wanted."""

    def __call__(self, grad_output: Array, wants_input: bool = True) -> Array | None: ...


class Parameter:
    """Numbers that training changes.

    Attributes
    ----------
    value, gradient : arrays of one shape
        ``gradient`` is the sum of what backprop added since the last step of an optimiser.
    rate : float or function
        Factor of the learning rate, or what gives it for the number of steps that are done: for parts of a net that should
        learn slower, or begin later.
    """

    def __init__(self, value: Array, rate: Rate = 1.0) -> None:
        self.value = value
        self.gradient = np.zeros_like(value)
        self.rate = rate

    def __repr__(self) -> str:
        return f"Parameter({self.value.shape}, {self.value.dtype})"


class Layer(ABC):
    """What has parameters, by name, and can be called."""

    @abstractmethod
    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        """The output, and the function that pulls its gradient back."""

    def parameters(self) -> dict[str, Parameter]:
        """All parameters, by names that stay the same from run to run."""
        return {}

    def cast(self, dtype: DTypeLike) -> Layer:
        """Compute in another floating type from now on; returns the layer itself."""
        for parameter in self.parameters().values():
            parameter.value = parameter.value.astype(dtype)
            parameter.gradient = parameter.gradient.astype(dtype)
        return self

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one output for one input of ``input_shape``, without N: found by trying."""
        dtype = next((parameter.value.dtype for parameter in self.parameters().values()), np.dtype(np.float32))
        return tuple(self(np.zeros((1, *input_shape), dtype))[0].shape[1:])


def _threaded(kernel: Any, *arguments: Any, count: int, nanoseconds_each: float) -> None:
    run_ranges(lambda first, last: kernel(*arguments, first, last), count, nanoseconds_each)


def check_floating(images: Array) -> None:
    """Refuse integers, whose means and gradients would be rounded."""
    if images.dtype.kind != "f":
        raise TypeError(f"images must be floating, got dtype {images.dtype}; multiply by np.float32(1 / 255), say")


def _initial(shape: tuple[int, ...], inputs: int, random: np.random.Generator) -> Array:
    """Weights whose outputs keep the scale of their inputs through a Relu (He et al. 2015)."""
    return random.normal(0.0, np.sqrt(2.0 / inputs), shape).astype(np.float32)


class Linear(Layer):
    """``images @ weight + bias`` for rows of numbers.

    Parameters
    ----------
    inputs, outputs : int
    random : numpy.random.Generator
        Makes the first weights; the bias begins at zero.
    """

    def __init__(self, inputs: int, outputs: int, random: np.random.Generator) -> None:
        self.weight = Parameter(_initial((inputs, outputs), inputs, random))
        self.bias = Parameter(np.zeros(outputs, np.float32))

    def parameters(self) -> dict[str, Parameter]:
        return {"weight": self.weight, "bias": self.bias}

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        inputs = self.weight.value.shape[0]
        if images.ndim != 2 or images.shape[1] != inputs:
            raise ValueError(f"images must have shape (N, {inputs}) for this Linear layer, got {images.shape}")

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            self.weight.gradient += images.T @ grad_output
            self.bias.gradient += grad_output.sum(axis=0)
            return grad_output @ self.weight.value.T if wants_input else None

        return images @ self.weight.value + self.bias.value, backprop


class Conv2D(Layer):
    """Correlation with ``filters`` square windows, as matrix products.

    Parameters
    ----------
    channels, filters, size : int
    random : numpy.random.Generator
        Makes the first weights; the bias begins at zero.
    stride : int, default 1
    padding : int, default 0
        Zeros around the images.
    """

    def __init__(
        self, channels: int, filters: int, size: int, random: np.random.Generator, *, stride: int = 1, padding: int = 0
    ) -> None:
        self.weight = Parameter(_initial((size, size, channels, filters), size * size * channels, random))
        self.bias = Parameter(np.zeros(filters, np.float32))
        self._stride, self._padding = stride, padding

    def parameters(self) -> dict[str, Parameter]:
        return {"weight": self.weight, "bias": self.bias}

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        check_floating(images)
        size, _, channels, filters = self.weight.value.shape
        if images.ndim != 4 or images.shape[3] != channels or min(images.shape[1:3]) + 2 * self._padding < size:
            raise ValueError(
                f"images must have shape (N, H, W, {channels}), {size} x {size} pixels or more, got {images.shape}"
            )
        margin = self._padding
        padded = np.ascontiguousarray(
            np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0))) if margin else images
        )
        rows, columns = ((n - size) // self._stride + 1 for n in padded.shape[1:3])
        output = np.empty((len(images), rows, columns, filters), images.dtype)
        matrix = self.weight.value.reshape(-1, filters)
        for part, copies in self._parts(padded, rows, columns):
            product = output[part].reshape(-1, filters)
            np.matmul(copies.reshape(-1, len(matrix)), matrix, out=product)
            product += self.bias.value

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            grad_matrix = self.weight.gradient.reshape(-1, filters)
            grad_padded = np.zeros_like(padded) if wants_input else None
            grad_output = np.ascontiguousarray(grad_output)
            for part, copies in self._parts(padded, rows, columns):
                flat, grad = copies.reshape(-1, len(matrix)), grad_output[part].reshape(-1, filters)
                grad_matrix += flat.T @ grad
                self.bias.gradient += np.ones(len(grad), grad.dtype) @ grad  # faster than a sum over the first axis
                if grad_padded is not None:
                    np.matmul(grad, matrix.T, out=flat)
                    self._threaded(windows.fold, frozen(copies), grad_padded[part], copies)
            if grad_padded is None or not margin:
                return grad_padded
            return grad_padded[:, margin:-margin, margin:-margin]

        return output, backprop

    def _parts(self, padded: Array, rows: int, columns: int) -> Any:
        """Slices of the batch, each with its windows, copied: (images, rows, columns, size, size, channels)."""
        window = self.weight.value.shape[:3]
        at_once = max(1, _LARGEST_WINDOWS // (rows * columns * self.weight.value[..., 0].nbytes))
        copies = np.empty((min(at_once, len(padded)), rows, columns, *window), padded.dtype)
        for start in range(0, len(padded), at_once):
            part = slice(start, min(start + at_once, len(padded)))
            some = copies[: part.stop - start]
            self._threaded(windows.unfold, frozen(padded[part]), some, some)
            yield part, some

    def _threaded(self, kernel: Any, source: Array, target: Array, copies: Array) -> None:
        each = 0.3 * copies[0].size
        _threaded(kernel, source, target, self._stride, count=len(copies), nanoseconds_each=each)


class MaxPool2D(Layer):
    """The largest of each ``size`` x ``size`` pixels; rows and columns that are left over are left out."""

    def __init__(self, size: int = 2) -> None:
        if not 1 <= size <= 16:
            raise ValueError(f"size must be from 1 to 16, got {size}")
        self._size = size

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        images = np.ascontiguousarray(images)
        output = np.empty(_pooled_shape(images, self._size), images.dtype)
        places = np.empty(output.shape, np.uint8)
        each = 0.5 * images[0].size
        _threaded(windows.max_pool, frozen(images), output, places, self._size, count=len(images), nanoseconds_each=each)

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            if not wants_input:
                return None
            is_covered = images.shape[1] % self._size == images.shape[2] % self._size == 0
            grad_images = np.empty_like(images) if is_covered else np.zeros_like(images)
            arguments = (frozen(np.ascontiguousarray(grad_output)), frozen(places), grad_images, self._size)
            _threaded(windows.max_unpool, *arguments, count=len(images), nanoseconds_each=each)
            return grad_images

        return output, backprop


class AveragePool2D(Layer):
    """The mean of each ``size`` x ``size`` pixels; rows and columns that are left over are left out."""

    def __init__(self, size: int = 2) -> None:
        self._size = checks.integer("size", size)
        if self._size < 1:
            raise ValueError(f"size must be at least 1, got {size}")

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        size = self._size
        _, rows, columns, _ = _pooled_shape(images, size)
        corners = [(row, column) for row in range(size) for column in range(size)]
        share = images.dtype.type(1 / size**2)

        def pixels(array: Array, corner: tuple[int, int]) -> Array:
            """The pixels at one corner of all windows, as a view."""
            return array[:, corner[0] : rows * size : size, corner[1] : columns * size : size]

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            if not wants_input:
                return None
            grad_images = np.zeros_like(images)
            for corner in corners:
                pixels(grad_images, corner)[...] = grad_output * share
            return grad_images

        output = pixels(images, corners[0]).copy()
        for corner in corners[1:]:
            output += pixels(images, corner)
        return output * share, backprop


def _pooled_shape(images: Array, size: int) -> tuple[int, int, int, int]:
    check_floating(images)
    if images.ndim != 4 or min(images.shape[1:3]) < size:
        raise ValueError(f"images must have shape (N, H, W, C), {size} x {size} pixels or more, got {images.shape}")
    count, rows, columns, channels = images.shape
    return count, rows // size, columns // size, channels


class Relu(Layer):
    """What is below zero becomes zero."""

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        output = np.maximum(images, 0)

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            return grad_output * (output > 0) if wants_input else None

        return output, backprop


class Reshape(Layer):
    """Each image, or what became of it, in another shape: (N, *shape)."""

    def __init__(self, *shape: int) -> None:
        self._shape = shape

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            return grad_output.reshape(images.shape) if wants_input else None

        return images.reshape(len(images), *self._shape), backprop


class Flatten(Reshape):
    """Images as rows of numbers: (N, H W C)."""

    def __init__(self) -> None:
        super().__init__(-1)


class Sequential(Layer):
    """Layers one after another."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def parameters(self) -> dict[str, Parameter]:
        return _numbered(self.layers)

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        pulls, learns_below = [], []
        learns = False
        for layer in self.layers:
            images, pull = layer(images)
            pulls.append(pull)
            learns_below.append(learns)
            learns = learns or bool(layer.parameters())

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            gradient: Array | None = grad_output
            for pull, learns in zip(reversed(pulls), reversed(learns_below), strict=True):
                if gradient is None:
                    break
                gradient = pull(gradient, wants_input=wants_input or learns)
            return gradient

        return images, backprop


class Parallel(Layer):
    """Layers side by side; their outputs are joined along the last axis.

    Parameters
    ----------
    layers
    split : bool, default False
        Give each layer its share of the channels, as many shares as layers, instead of all of them a copy.
    """

    def __init__(self, *layers: Layer, split: bool = False) -> None:
        self.layers = layers
        self._split = split

    def parameters(self) -> dict[str, Parameter]:
        return _numbered(self.layers)

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        count = len(self.layers)
        if self._split and images.shape[-1] % count:
            raise ValueError(f"images must have a multiple of {count} channels to be split, got {images.shape}")
        inputs = np.split(images, count, axis=-1) if self._split else [images] * count
        outputs, pulls = zip(*(layer(part) for layer, part in zip(self.layers, inputs, strict=True)), strict=True)
        ends = np.cumsum([output.shape[-1] for output in outputs])

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            parts: Sequence[Array] = np.split(grad_output, ends[:-1], axis=-1)
            grads = [pull(part, wants_input=wants_input) for pull, part in zip(pulls, parts, strict=True)]
            if not wants_input:
                return None
            return np.concatenate(grads, axis=-1) if self._split else np.sum(grads, axis=0, dtype=images.dtype)

        return np.concatenate(outputs, axis=-1), backprop


def _numbered(layers: Sequence[Layer]) -> dict[str, Parameter]:
    return {f"{n}.{name}": parameter for n, layer in enumerate(layers) for name, parameter in layer.parameters().items()}
