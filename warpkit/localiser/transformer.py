"""Spatial transformers (Jaderberg et al. 2015): a net that looks at a picture, and a warp by what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import checks, engine, thetas
from ..conventions import from_normalized, pixels_from_normalized
from ..door import Mode
from ..interpolations import Interpolation, kernel_of
from ..shared_splines import SharedSplines, is_small
from ..transforms import ThinPlateSpline, Transform
from .families import Family, family
from .layers import (
    Array,
    AveragePool2D,
    Backprop,
    Conv2D,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    Parameter,
    Rate,
    Relu,
    Sequential,
    check_floating,
)

Pull: TypeAlias = Callable[[Array, bool], tuple[Array | None, NDArray[np.float64]]]


class Localiser(Sequential):
    """A net whose last layer begins with zero weights and, as its bias, the identity of a family.

    Parameters
    ----------
    body : Layer
        Whatever makes rows of numbers of images.
    input_shape : (H, W, C)
    maps : Family or its name
    random : numpy.random.Generator
    rate : float or function, default 1
        Factor of the learning rate of all its parameters, or what gives it for the number of steps that are done: a transformer
        that moves before the rest of the net recognises anything may move away from what it should look at.
    head_rate : float or function, default: rate
        That of the last layer. While it is next to zero, what reaches the body is mostly noise; Adam makes full steps of it all
        the same, and units die. A body that learns much slower than its head is safe.
    """

    def __init__(
        self,
        body: Layer,
        input_shape: tuple[int, ...],
        maps: Family | str,
        random: np.random.Generator,
        *,
        rate: Rate = 1.0,
        head_rate: Rate | None = None,
    ) -> None:
        maps = family(maps) if isinstance(maps, str) else maps
        (features,) = body.output_shape(input_shape)
        head = Linear(features, maps.count, random)
        head.weight.value[:] = 0
        head.bias.value[:] = maps.start
        super().__init__(body, head)
        for parameter in self.parameters().values():
            parameter.rate = rate
        for parameter in head.parameters().values():
            parameter.rate = rate if head_rate is None else head_rate

    @classmethod
    def fully_connected(
        cls,
        input_shape: tuple[int, int, int],
        maps: Family | str,
        random: np.random.Generator,
        *,
        hidden: Sequence[int] = (32, 32),
        rate: Rate = 1.0,
        head_rate: Rate | None = None,
    ) -> Localiser:
        """Fully connected layers of ``hidden`` units."""
        body = Sequential(*dense(input_shape, hidden, random))
        return cls(body, input_shape, maps, random, rate=rate, head_rate=head_rate)

    @classmethod
    def convolutional(
        cls,
        input_shape: tuple[int, int, int],
        maps: Family | str,
        random: np.random.Generator,
        *,
        halved: bool = True,
        filters: Sequence[int] = (20, 20),
        size: int = 5,
        hidden: Sequence[int] = (20,),
        rate: Rate = 1.0,
        head_rate: Rate | None = None,
    ) -> Localiser:
        """Convolutions of ``size`` x ``size`` with pools of 2 x 2 between them, on images of half the size, then ``hidden``."""
        layers: list[Layer] = [AveragePool2D(2)] if halved else []
        channels = input_shape[2]
        for n, count in enumerate(filters):
            is_last = n == len(filters) - 1
            # pooled before the Relu, which gives the same and has less to do
            layers += [Conv2D(channels, count, size, random), *([] if is_last else [MaxPool2D(2)]), Relu()]
            channels = count
        shape = Sequential(*layers).output_shape(input_shape)
        body = Sequential(*layers, *dense(shape, hidden, random))
        return cls(body, input_shape, maps, random, rate=rate, head_rate=head_rate)


def dense(input_shape: tuple[int, ...], widths: Sequence[int], random: np.random.Generator) -> list[Layer]:
    """Flatten, then fully connected layers of ``widths`` units, each with a Relu."""
    layers: list[Layer] = [Flatten()]
    inputs = int(np.prod(input_shape))
    for width in widths:
        layers += [Linear(inputs, width, random), Relu()]
        inputs = width
    return layers


class SpatialTransformer(Layer):
    """Warps each image by the map that the localiser chooses when it looks at it.

    Parameters
    ----------
    localiser : Layer
        Images (N, H, W, C) to (N, P), the numbers of the family.
    maps : Family or its name
    output_shape : (rows, columns)
    interpolation : str or Cubic
        As in :func:`warpkit.warp`.
    mode, cval
        What lies beyond the border, as in :func:`warpkit.warp`: a net may well look there.
    gradient_scale : float, default 1
        Of the gradient that reaches the localiser, which learns slower by a factor below 1; that of the images is as it is.
    align_corners : bool, default False
        Whether -1 and 1 are the centres of the outermost pixels or their outer borders.
    """

    def __init__(
        self,
        localiser: Layer,
        maps: Family | str,
        output_shape: tuple[int, int],
        *,
        interpolation: Interpolation = "bilinear",
        mode: Mode = "constant",
        cval: float = 0.0,
        gradient_scale: float = 1.0,
        align_corners: bool = False,
    ) -> None:
        self.localiser = localiser
        self.maps = family(maps) if isinstance(maps, str) else maps
        self._output_shape = checks.shape_2d("output_shape", output_shape)
        kernel_of(interpolation)
        engine.border_code(mode)
        self._interpolation, self._mode = interpolation, mode
        self._cval = checks.finite_number("cval", cval)
        self._gradient_scale = checks.finite_number("gradient_scale", gradient_scale)
        self._align_corners = bool(align_corners)

    def parameters(self) -> dict[str, Parameter]:
        return {f"localiser.{name}": parameter for name, parameter in self.localiser.parameters().items()}

    def __call__(self, images: Array) -> tuple[Array, Backprop]:
        check_floating(images)
        if images.ndim != 4:
            raise ValueError(f"images must have shape (N, H, W, C), got {images.shape}")
        numbers, pull_numbers = self.localiser(images)
        theta, pull_theta = self._theta(numbers, images)
        job, pull_job = self._problem(theta, images)
        output = np.empty((len(images), 1, *self._output_shape, images.shape[3]), images.dtype)
        engine.forward(job, output)

        def backprop(grad_output: Array, wants_input: bool = True) -> Array | None:
            grad = np.ascontiguousarray(grad_output, dtype=images.dtype).reshape(output.shape)
            grad_images, grad_theta = pull_job(grad, wants_input)
            grad_numbers = pull_theta(grad_theta * self._gradient_scale).astype(images.dtype)
            through_localiser = pull_numbers(grad_numbers, wants_input=wants_input)
            if grad_images is None or through_localiser is None:
                return None
            gradient: Array = grad_images.reshape(images.shape) + through_localiser
            return gradient

        return output.reshape(len(images), *output.shape[2:]), backprop

    def _problem(self, theta: NDArray[np.float64], images: Array) -> tuple[engine.Problem, Pull]:
        """The warp by theta, and what pulls its output's gradient back to the images, if wanted, and theta."""
        options = self._interpolation, self._mode, self._cval
        if self.maps.kind == "tps" and is_small(theta.shape[1], self._output_shape):
            to_input, to_output = self._to_pixels(images)
            splines = SharedSplines(_moved(thetas.square_grid(theta.shape[1]), to_output), self._output_shape)
            grid = splines.grid(_moved(theta, to_input))
            job = engine.problem("images", images, engine.NO_STAGES, grid, *options)

            def pull_grid(grad: Array, wants_images: bool) -> tuple[Array | None, NDArray[np.float64]]:
                grad_images, pulled = engine.gradients(job, grad, images=wants_images, grid=True)
                assert pulled.grid is not None
                return grad_images, splines.pull(pulled.grid) * np.diag(to_input)[:2]

            return job, pull_grid
        input_shape = (images.shape[1], images.shape[2])
        packing = thetas.packing(self.maps.kind, theta.shape, input_shape, self._output_shape, self._align_corners, None)
        pipeline = packing.pipeline(theta.reshape(len(theta), -1))
        job = engine.problem("images", images, pipeline, engine.NO_GRID, *options)

        def pull_params(grad: Array, wants_images: bool) -> tuple[Array | None, NDArray[np.float64]]:
            grad_images, pulled = engine.gradients(job, grad, images=wants_images, params=True)
            assert pulled.params is not None
            return grad_images, pulled.params @ packing.matrix

        return job, pull_params

    def transforms(self, images: Array) -> list[Transform]:
        """The inverse map, in pixels, that is chosen for each image."""
        numbers, _ = self.localiser(images)
        theta, _ = self._theta(numbers, images)
        if self.maps.kind != "tps":
            shapes = images.shape[1:3], self._output_shape
            return [from_normalized(one, *shapes, align_corners=self._align_corners) for one in theta]
        to_input, to_output = self._to_pixels(images)
        points = thetas.square_grid(theta.shape[1])
        spline = ThinPlateSpline(_moved(points, to_output), _moved(points, to_input))
        return [spline.with_params(_moved(one, to_input).reshape(-1)) for one in theta]

    def _theta(self, numbers: Array, images: Array) -> Any:
        expected = (len(images), self.maps.count)
        if numbers.shape != expected:
            raise ValueError(f"localiser must give shape {expected} for its family, got {numbers.shape}")
        if not np.isfinite(numbers).all():
            if not np.isfinite(images).all():
                raise ValueError("images must hold finite numbers, got NaN or infinity")
            raise FloatingPointError("the localiser's output is not finite: training has diverged; try a smaller learning rate")
        return self.maps.theta(numbers)

    def _to_pixels(self, images: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The matrices from normalised points to pixels of the input and of the output."""
        shapes = {"images": (images.shape[1], images.shape[2]), "output_shape": self._output_shape}
        to_input, to_output = (pixels_from_normalized(name, shape, self._align_corners) for name, shape in shapes.items())
        return to_input, to_output


def _moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ matrix[:2, :2].T + matrix[:2, 2]
