"""What is measured: sets of cases, and the picture and map of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import warpkit as wk

SIZES = {
    "128": (128, 128),
    "512": (512, 512),
    "1080p": (1080, 1920),
    "4K": (2160, 3840),
    "8K": (4320, 7680),
}
DEGREES = (0.3, 17.0, 45.0)


@dataclass(frozen=True)
class Case:
    """One warp. ``family`` is affine, projective, grid (a rotation as a grid of float32 points), spline or batch."""

    family: str
    size: str = "1080p"
    dtype: str = "uint8"
    channels: int = 3
    degrees: float = 17.0
    scale: float = 1.0
    interpolation: str = "bilinear"

    def __str__(self) -> str:
        scale = "" if self.scale == 1 else f" x{self.scale:g}"
        pixels = f"{self.dtype:7} C{self.channels}"
        return f"{self.family:10} {self.size:5} {pixels} {self.degrees:4g} deg{scale} {self.interpolation}"

    @property
    def shape(self) -> tuple[int, int]:
        return (28, 28) if self.family == "batch" else SIZES[self.size]

    @property
    def count(self) -> int:
        """Pictures in a batch."""
        return int(self.size) if self.family == "batch" else 1

    @property
    def pixels(self) -> int:
        return self.count * self.shape[0] * self.shape[1]

    def picture(self) -> NDArray[Any]:
        """Smooth enough for results to be compared: noise would tell little."""
        rows, columns = self.shape
        y, x = np.mgrid[:rows, :columns]
        random = np.random.default_rng(0)
        waves = [
            np.sin(x * random.uniform(0.02, 0.2) + y * random.uniform(0.02, 0.2) + random.uniform(0, 6))
            for _ in range(self.channels)
        ]
        picture = np.round(127.5 + 120 * np.stack(waves, axis=-1)).astype(self.dtype)
        return np.stack([picture] * self.count) if self.family == "batch" else picture

    def inverse_map(self) -> wk.Transform:
        rows, columns = self.shape
        centre = ((columns - 1) / 2, (rows - 1) / 2)
        if self.family == "spline":
            x, y = np.meshgrid(np.linspace(0, columns - 1, 4), np.linspace(0, rows - 1, 4))
            points = np.column_stack([x.ravel(), y.ravel()])
            bend = np.random.default_rng(1).uniform(-0.02, 0.02, points.shape) * columns
            return wk.ThinPlateSpline(points, points + bend)
        turn = wk.Affine.similarity(1 / self.scale, self.degrees, center=centre)
        if self.family != "projective":
            return turn
        tilt = np.eye(3)
        tilt[2] = [0.1 / columns, -0.05 / rows, 1.0]
        return wk.Projective(np.vstack([turn.matrix, [0, 0, 1]]) @ tilt)


def opencv_set() -> Iterator[Case]:
    """OpenCV's own ground: two families, its channel counts, three sizes and angles."""
    for dtype, size, channels, degrees, family in product(
        ("uint8", "float32"), ("512", "1080p", "4K"), (1, 3, 4), DEGREES, ("affine", "projective")
    ):
        yield Case(family, size, dtype, channels, degrees)


def pixel_set() -> Iterator[Case]:
    for dtype, channels in product(("uint8", "uint16", "float32"), (1, 3, 4, 8)):
        yield Case("affine", "1080p", dtype, channels)


def interpolation_set() -> Iterator[Case]:
    for interpolation, dtype, channels in product(("nearest", "bilinear", "bicubic"), ("uint8", "float32"), (1, 3, 4)):
        yield Case("affine", "1080p", dtype, channels, interpolation=interpolation)


def bicubic_set() -> Iterator[Case]:
    for dtype, size, channels, degrees in product(("uint8", "float32"), ("512", "1080p", "4K"), (1, 3, 4), DEGREES):
        yield Case("affine", size, dtype, channels, degrees, interpolation="bicubic")


def kernel_set() -> Iterator[Case]:
    """The sampling kernels of more than two taps; OpenCV has two of them."""
    kernels = ("bicubic", "mitchell", "bspline3", "lanczos3", "lanczos4")
    for interpolation, dtype, channels in product(kernels, ("uint8", "float32"), (1, 3)):
        yield Case("affine", "1080p", dtype, channels, interpolation=interpolation)


def motion_set() -> Iterator[Case]:
    for dtype, degrees, scale in product(("uint8", "float32"), (0.0, 0.3, 17.0, 45.0, 90.0), (0.5, 1.0, 2.0)):
        yield Case("affine", "1080p", dtype, 3, degrees, scale)


def size_set() -> Iterator[Case]:
    for dtype, size in product(("uint8", "float32"), SIZES):
        yield Case("affine", size, dtype, 3)


def family_set() -> Iterator[Case]:
    for family, dtype, channels in product(("grid", "spline"), ("uint8", "float32"), (1, 3)):
        yield Case(family, "1080p", dtype, channels)


def batch_set() -> Iterator[Case]:
    for dtype in ("uint8", "float32"):
        yield Case("batch", "10000", dtype, 1)


SETS = {
    "opencv": opencv_set,
    "pixels": pixel_set,
    "interpolations": interpolation_set,
    "bicubic": bicubic_set,
    "kernels": kernel_set,
    "motions": motion_set,
    "sizes": size_set,
    "families": family_set,
    "batches": batch_set,
}
