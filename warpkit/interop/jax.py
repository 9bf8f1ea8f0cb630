"""JAX: ``grid_sample``, and warps by affine, projective and thin-plate parameters without a grid in memory.

On the CPU, under ``jit``, ``vmap`` and ``grad``; reverse mode, once. Coordinates are PyTorch's: normalised to [-1, 1], (x, y),
with ``align_corners`` saying whether -1 and 1 are the centres of the outermost pixels or their outer borders.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero
from numpy.typing import ArrayLike, NDArray

from .. import checks, engine
from ..conventions import scale_and_offset
from ..thetas import Family, Packing, packing
from .options import border_mode, check_options, sampling_problem


def grid_sample(
    input: ArrayLike,
    grid: ArrayLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Array:
    """Sample pictures at the points of a grid, as ``torch.nn.functional.grid_sample`` does.

    Parameters
    ----------
    input : (N, C, H, W)
        float32 or float64; float16 and bfloat16 are computed in float32.
    grid : (N, rows, columns, 2)
        Normalised (x, y). A point that is not finite gives zeros.
    mode : {"bilinear", "nearest", "bicubic"}
        Nearest rounds halves to even; bicubic has a = -3/4.
    padding_mode : {"zeros", "border", "reflection"}
    align_corners : bool, default False

    Returns
    -------
    (N, C, rows, columns), of input's dtype

    Raises
    ------
    ValueError, TypeError
        For other modes, shapes and dtypes.
    """
    images, points = _floating("input", input, 4), _floating("grid", grid, 4)
    check_options(mode, padding_mode)
    if points.shape[3] != 2 or len(points) != len(images):
        raise ValueError(f"grid must have shape ({len(images)}, rows, columns, 2), got {points.shape}")
    working = _working(images)
    scale = np.array([scale_and_offset(size, align_corners)[0] for size in (images.shape[3], images.shape[2])])
    points = (points.astype(working.dtype) + 1) * scale.astype(working.dtype) - (0 if align_corners else 0.5)
    points = jnp.round(points) if mode == "nearest" else points
    return _sampled(_Sampling(mode, border_mode(padding_mode, align_corners)), working, points).astype(images.dtype)


def spatial_transform(
    input: ArrayLike,
    theta: ArrayLike,
    family: Family = "affine",
    size: tuple[int, int] | None = None,
    align_corners: bool = False,
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    control_points: ArrayLike | None = None,
) -> Array:
    """Warp a batch by learned parameters, with no grid in memory (Jaderberg et al. 2015).

    Parameters
    ----------
    input : (N, C, H, W)
        As for :func:`grid_sample`.
    theta : array
        "affine" (N, 2, 3) and "projective" (N, 3, 3): normalised output points to normalised input points. "tps" (N, K, 2): the
        normalised input points to which the K control points of the output go.
    family : {"affine", "projective", "tps"}
    size : (rows, columns), default: input's
    align_corners, mode, padding_mode
        As for :func:`grid_sample`.
    control_points : (K, 2), "tps" only
        Normalised and concrete, not traced; the default is a square grid of K points over [-1, 1].

    Returns
    -------
    (N, C, rows, columns), of input's dtype
        Differentiable with respect to input and theta.
    """
    images, parameters = _floating("input", input, 4), _floating("theta", theta, 3)
    check_options(mode, padding_mode)
    rows, columns = images.shape[2:] if size is None else checks.shape_2d("size", size)
    if isinstance(control_points, jax.core.Tracer):
        raise TypeError("control_points must be concrete, got a traced array: they are constants, of jit and of derivatives")
    points = None if control_points is None else np.asarray(control_points, dtype=np.float64)
    packing(family, parameters.shape, images.shape[2:], (rows, columns), align_corners, points)  # refuses what does not fit
    if len(parameters) != len(images):
        raise ValueError(f"theta must have one entry for each of the {len(images)} inputs, got {len(parameters)}")
    flat = None if points is None else tuple(points.reshape(-1).tolist())
    options = _Warp(mode, border_mode(padding_mode, align_corners), family, (rows, columns), align_corners, flat)
    return _sampled(options, _working(images), parameters).astype(images.dtype)


class _Sampling(NamedTuple):
    """Pictures at the points (N, rows, columns, 2) of a grid, in pixels."""

    mode: str
    border: int

    def output_shape(self, points: Any) -> tuple[int, int]:
        rows, columns = points.shape[-3:-1]
        return rows, columns

    def problem(self, images: NDArray[Any], points: NDArray[Any]) -> engine.Problem:
        return sampling_problem(images, engine.NO_STAGES, points, self.mode, self.border)

    def gradients(
        self, images: NDArray[Any], points: NDArray[Any], grad: NDArray[Any], of_images: bool, of_points: bool
    ) -> tuple[Any, Any]:
        found, pulled = engine.gradients(self.problem(images, points), grad, images=of_images, grid=of_points)
        return found, pulled.grid


class _Warp(NamedTuple):
    """Pictures through the maps of theta (N, ...)."""

    mode: str
    border: int
    family: str
    shape: tuple[int, int]
    align_corners: bool
    control_points: tuple[float, ...] | None

    def output_shape(self, theta: Any) -> tuple[int, int]:
        return self.shape

    def _packing(self, images: Any, theta: Any) -> Packing:
        points = None if self.control_points is None else np.reshape(self.control_points, (-1, 2))
        return packing(self.family, theta.shape, images.shape[2:4], self.shape, self.align_corners, points)

    def problem(self, images: NDArray[Any], theta: NDArray[Any]) -> engine.Problem:
        pipeline = self._packing(images, theta).pipeline(theta.astype(np.float64).reshape(len(theta), -1))
        return sampling_problem(images, pipeline, engine.NO_GRID, self.mode, self.border)

    def gradients(
        self, images: NDArray[Any], theta: NDArray[Any], grad: NDArray[Any], of_images: bool, of_theta: bool
    ) -> tuple[Any, Any]:
        found, pulled = engine.gradients(self.problem(images, theta), grad, images=of_images, params=of_theta)
        if pulled.params is None:
            return found, None
        return found, (pulled.params @ self._packing(images, theta).matrix).reshape(theta.shape)


_Kind: TypeAlias = _Sampling | _Warp


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sampled(kind: _Kind, images: Array, other: Array) -> Array:
    """Pictures (N, C, H, W) by way of ``other``, the points or theta."""
    result = jax.ShapeDtypeStruct((*images.shape[:2], *kind.output_shape(other)), images.dtype)
    return jax.pure_callback(partial(_forward, kind), result, images, other, vmap_method="broadcast_all")


def _forward(kind: _Kind, images: Array, other: Array) -> NDArray[Any]:
    pictures, merged = _planes(images), _merged(other, images.ndim - 4)
    out = np.empty((*pictures.shape[:2], *kind.output_shape(merged), 1), pictures.dtype)
    if out.size:
        engine.forward(kind.problem(pictures, merged), out)
    return out.reshape(*images.shape[:-2], *out.shape[2:4])


def _save(kind: _Kind, images: Any, other: Any) -> tuple[Array, Any]:
    """What is wanted is noted by the residuals' structure, which stays known under ``jit``."""
    wanted = tuple(() if primal.perturbed else None for primal in (images, other))
    return _sampled(kind, images.value, other.value), (images.value, other.value, wanted)


def _pull(kind: _Kind, saved: Any, grad: Any) -> tuple[Array | None, Array | None]:
    images, other, flags = saved
    wanted = (flags[0] is not None, flags[1] is not None)
    if isinstance(grad, SymbolicZero) or not any(wanted):
        return None, None
    results = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x, want in zip((images, other), wanted, strict=True) if want]
    found = iter(jax.pure_callback(partial(_backward, kind, wanted), results, images, other, grad, vmap_method="broadcast_all"))
    of_images, of_other = (next(found) if want else None for want in wanted)
    return of_images, of_other


def _backward(kind: _Kind, wanted: tuple[bool, bool], images: Array, other: Array, grad: Array) -> list[NDArray[Any]]:
    pictures, merged, cotangent = _planes(images), _merged(other, images.ndim - 4), _planes(grad)
    found: tuple[Any, Any] = (np.zeros(images.shape), np.zeros(other.shape))
    if cotangent.size:
        found = kind.gradients(pictures, merged, cotangent, *wanted)
    shaped = zip(found, (images, other), wanted, strict=True)
    return [value.reshape(like.shape).astype(like.dtype, copy=False) for value, like, want in shaped if want]


_sampled.defvjp(_save, _pull, symbolic_zeros=True)


def _planes(images: Array) -> NDArray[Any]:
    """(..., N, C, H, W) as kernels take it; further axes are ``vmap``'s."""
    return np.ascontiguousarray(images).reshape(-1, *images.shape[-3:], 1)


def _merged(other: Array, extra: int) -> NDArray[Any]:
    """The first ``extra`` axes, which are ``vmap``'s, merged with the batch's."""
    return np.ascontiguousarray(other).reshape(-1, *other.shape[extra + 1 :])


def _floating(name: str, value: ArrayLike, rank: int) -> Array:
    array = jnp.asarray(value)
    if array.ndim != rank or (name == "input" and 0 in array.shape[2:]):
        axes = {"input": "(N, C, H, W), H and W positive", "grid": "(N, rows, columns, 2)", "theta": "(N, ...) of 3 axes"}[name]
        raise ValueError(f"{name} must have shape {axes}, got {array.shape}")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must be floating, got {array.dtype}")
    return array


def _working(images: Array) -> Array:
    return images if images.dtype == jnp.float64 else images.astype(jnp.float32)
