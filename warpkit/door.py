"""What the public functions take, checked and brought into the kernels' terms."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, pixels
from .interpolations import Interpolation as Interpolation
from .kernels.stages import Pipeline
from .transforms import Affine, Composition, Projective, Transform

Mode: TypeAlias = Literal["constant", "fill", "edge", "symmetric", "reflect", "wrap"]
Map: TypeAlias = Transform | NDArray[Any]

# By the least and the largest rank.
_AXES = {(2, 3): "(H, W) or (H, W, C)", (3, 4): "(N, H, W) or (N, H, W, C)", (3, 3): "(H, W, C)"}


def image_array(name: str, value: ArrayLike, ranks: tuple[int, int]) -> NDArray[Any]:
    array = checks.plain_array(name, value)
    check_image(name, array.shape, array.dtype, ranks)
    return array


def check_image(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], ranks: tuple[int, int]) -> None:
    """What must hold for an image or a batch of them, wherever it is."""
    pixels.carrier_dtype(name, dtype)
    if len(shape) not in ranks:
        raise ValueError(f"{name} must have shape {_AXES[ranks]}, got {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {shape}")
    if max(shape[:3]) >= 2**31:
        raise ValueError(f"{name} must be below 2**31 pixels on each side, got shape {shape}")


def as_transform(name: str, value: Any) -> Transform:
    if isinstance(value, Transform):
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a transform or a matrix as an array (2, 3) or (3, 3), got {type(value).__name__}")
    if value.shape not in ((2, 3), (3, 3)):
        raise ValueError(f"{name} must be a transform or a matrix as an array (2, 3) or (3, 3), got shape {value.shape}")
    try:
        return Affine(value) if len(value) == 2 else Projective(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def check_horizon(name: str, transform: Transform, shape: tuple[int, ...]) -> None:
    """A homography of which nothing can be seen is a sign error, not a picture to return."""
    parts = transform.parts if isinstance(transform, Composition) else (transform,)
    matrices = [part.matrix for part in parts if isinstance(part, Affine | Projective)]
    if len(matrices) < len(parts) or sum(len(matrix) == 3 for matrix in matrices) != 1:
        return
    last_row = np.array([0.0, 0.0, 1.0])
    for matrix in reversed(matrices):
        last_row = last_row @ (matrix if len(matrix) == 3 else np.vstack([matrix, [0, 0, 1]]))
    a, b, c = last_row.tolist()
    # w is linear: what holds for the corners holds between them
    if all(a * x + b * y + c <= 0 for x, y in _corners(shape)):
        _refuse_horizon(name)


def _corners(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    rows, columns = shape
    return [(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)]


def _refuse_horizon(name: str) -> None:
    raise ValueError(
        f"{name}: the whole output lies at or beyond the homography's horizon (w <= 0); negate the matrix if its sign was"
        " arbitrary"
    )


class Maps(NamedTuple):
    """The maps of a batch: transforms, one for all images or one for each, and their pipelines.

    There is one pipeline where all transforms have the same stages; it has one row of parameters or one for each image. A batch
    of matrices is represented by a single transform: the gradient of packed parameters means the same for all of them.
    """

    transforms: list[Transform]
    pipelines: list[Pipeline]


def single_map(inverse_map: Any, shape: tuple[int, ...]) -> Maps:
    """The map of one image onto a canvas of ``shape``."""
    transform = as_transform("inverse_map", inverse_map)
    check_horizon("inverse_map", transform, shape)
    return Maps([transform], [transform.pipeline])


def batch_maps(inverse_maps: Any, count: int, shape: tuple[int, ...]) -> Maps:
    """The maps of a batch of ``count`` images onto canvases of ``shape``."""
    if isinstance(inverse_maps, np.ndarray) and inverse_maps.ndim == 3:
        return _batch_of_matrices(inverse_maps, count, shape)
    if isinstance(inverse_maps, Transform | np.ndarray):
        transforms = [as_transform("inverse_maps", inverse_maps)]
    else:
        try:
            transforms = [as_transform(f"inverse_maps[{n}]", item) for n, item in enumerate(inverse_maps)]
        except TypeError as error:
            raise TypeError(f"inverse_maps must be one transform or a sequence of them: {error}") from None
        if len(transforms) != count:
            raise ValueError(f"inverse_maps must be one or as many as images ({count}), got {len(transforms)}")
    for transform in transforms:
        check_horizon("inverse_maps", transform, shape)
    pipelines = [transform.pipeline for transform in transforms]
    table, params, nanoseconds = pipelines[0]
    if all(np.array_equal(p.table, table) and p.params.size == params.size for p in pipelines):
        pipelines = [Pipeline(table, np.concatenate([p.params for p in pipelines]), nanoseconds)]
    return Maps(transforms, pipelines)


def _batch_of_matrices(array: NDArray[Any], count: int, shape: tuple[int, ...]) -> Maps:
    matrices = checks.finite_array("inverse_maps", array)
    if matrices.shape[1:] not in ((2, 3), (3, 3)) or len(matrices) != count:
        raise ValueError(f"inverse_maps must have shape ({count}, 2, 3) or ({count}, 3, 3), got {matrices.shape}")
    is_affine = matrices.shape[1] == 2
    checks.not_singular("inverse_maps", matrices[:, :, :2] if is_affine else matrices)
    if not is_affine:
        w = matrices[:, 2, :2] @ np.array(_corners(shape)).T + matrices[:, 2, 2:]
        hidden = np.flatnonzero((w <= 0).all(axis=1))
        if len(hidden):
            _refuse_horizon(f"inverse_maps[{hidden[0]}]")
    example = Affine.identity() if is_affine else Projective(np.eye(3))
    table, _, nanoseconds = example.pipeline
    return Maps([example], [Pipeline(table, matrices.reshape(count, -1), nanoseconds)])


def output_array(source: NDArray[Any], shape: tuple[int, ...], out: NDArray[Any] | None) -> NDArray[Any]:
    """A new array, or ``out`` when it will do."""
    dtype = source.dtype.newbyteorder("=")
    if out is None:
        carrier = pixels.carrier_dtype("image", source.dtype)
        size = 1
        for n in shape:
            size *= n
        checks.fits_in_memory(f"output_shape: an output of shape {shape}", size * max(dtype.itemsize, carrier.itemsize))
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out must be a plain array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"out must have shape {shape} and dtype {dtype}, got {out.shape} and {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got a read-only array")
    if overlap(out, source):
        raise ValueError("out must not overlap the image")
    return out


def overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def check_antialias(antialias: Any, interpolation: Any) -> None:
    """Averages of labels, which nearest sampling is for, would be labels of something else."""
    if not isinstance(antialias, (bool, np.bool_)):
        raise TypeError(f"antialias must be True or False, got {type(antialias).__name__}")
    if antialias and interpolation == "nearest":
        raise ValueError("antialias averages pixels, which interpolation 'nearest' must not; use 'bilinear'")


def refuse_antialias_on_gpu(antialias: Any) -> None:
    if antialias:
        raise ValueError("antialias is for arrays on the host, not for those on a GPU: copy the image there first")


def grid_array(grid: ArrayLike) -> NDArray[Any]:
    """A grid of points (rows, columns, 2), float32 or float64, C-contiguous."""
    points = checks.plain_array("grid", grid)
    if points.dtype.kind not in "biuf":
        raise TypeError(f"grid must hold real numbers, got dtype {points.dtype}")
    if points.ndim != 3 or points.shape[2] != 2 or points.size == 0:
        raise ValueError(f"grid must have shape (rows, columns, 2), not empty, got {points.shape}")
    return np.ascontiguousarray(points, dtype=np.float32 if points.dtype == np.float32 else np.float64)


def refuse_invalid_points(invalid: int, grid: NDArray[Any]) -> None:
    """Raise if a kernel met grid points that are not finite."""
    if invalid:
        raise ValueError(
            f"grid must hold finite points, got {invalid} with NaN or infinity of {grid.size // 2};"
            " np.nan_to_num(grid, nan=1e9) puts them outside the image"
        )
