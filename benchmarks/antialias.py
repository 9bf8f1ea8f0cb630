"""Pictures made smaller: how near they come to the scene, and what that costs.

    python -m benchmarks.antialias

Quality: a zone plate and a Siemens star, known as formulas, are drawn, made smaller and turned, and compared with the scene
itself, 64 samples to each pixel. Beside bilinear and bicubic averages stand plain bilinear sampling and ImageMagick's EWA (if
its ``convert`` is installed), whose own time is that of its distortion without reading and writing.
Time: a quarter of 12 megapixels beside OpenCV's ``INTER_AREA``, and warps that make nothing smaller with and without the
option.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import warpkit as wk

from .timing import RESULTS, describe_machine, interleaved, ratios, write_results

SIZE, DEGREES = 1024, 17
SCALES = (0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 0.85, 1.0)
SUPERSAMPLING = 8  # along each axis

Scene = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def zone_plate(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rings, 2.5 pixels to each at the edge."""
    squared = ((points - (SIZE - 1) / 2) ** 2).sum(axis=-1)
    return 127.5 + 127.5 * np.cos(0.8 * np.pi / SIZE * squared)


def siemens_star(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """36 black and white rays with edges one pixel wide."""
    x, y = np.moveaxis(points - (SIZE - 1) / 2, -1, 0)
    across = np.sin(36 * np.arctan2(y, x)) * np.maximum(np.hypot(x, y), 1e-6) / 36
    return 255 * np.clip(across + 0.5, 0, 1)


SCENES: dict[str, Scene] = {"zone plate": zone_plate, "siemens star": siemens_star}


def grid(rows: int, columns: int) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(float)


def smaller(scale: float) -> tuple[wk.Affine, int]:
    """The inverse map of a turned, smaller picture, and how many pixels of it along a side show nothing but the scene."""
    side = int(0.7 * SIZE * scale)
    about = wk.Affine.translation((SIZE - 1) / 2, (SIZE - 1) / 2) @ wk.Affine.similarity(1 / scale, DEGREES)
    return (about @ wk.Affine.translation(-(side - 1) / 2, -(side - 1) / 2)).simplified(), side


def truth(scene: Scene, inverse_map: wk.Affine, side: int) -> NDArray[np.float64]:
    offsets = (np.arange(SUPERSAMPLING) + 0.5) / SUPERSAMPLING - 0.5
    pixels = grid(side, side)
    samples = [scene(inverse_map(pixels + np.array([u, v]))) for u in offsets for v in offsets]
    mean: NDArray[np.float64] = np.mean(samples, axis=0)
    return mean


def decibels(picture: NDArray[Any], expected: NDArray[np.float64]) -> float:
    return float(20 * math.log10(255 / np.sqrt(np.mean((picture - expected) ** 2))))


class ImageMagick:
    """``convert``, on a picture in its own format, which it reads without decoding."""

    def __init__(self, picture: NDArray[np.uint8], folder: Path) -> None:
        cv2.imwrite(str(folder / "in.png"), picture[..., ::-1])
        self.source, self.target = folder / "in.mpc", folder / "out.png"
        self._run(folder / "in.png", self.source)

    def _run(self, *arguments: Any) -> float:
        start = time.perf_counter()
        subprocess.run(["convert", "-limit", "thread", "1", *map(str, arguments)], check=True)
        return time.perf_counter() - start

    def warp(self, inverse_map: wk.Affine, side: int) -> tuple[NDArray[np.uint8], float]:
        """The picture, and seconds."""
        # its coordinates count from the corner of the first pixel
        forward = wk.conventions.to_corner_origin(inverse_map.inverse)
        numbers = ",".join(str(number) for number in forward[:2].T.ravel())
        view = ["-virtual-pixel", "edge", "-define", f"distort:viewport={side}x{side}+0+0"]
        distort = [self.source, *view, "-distort", "AffineProjection", numbers, "+repage"]
        self._run(*distort, self.target)
        seconds = statistics.median(self._run(*distort, "null:") - self._run(self.source, "null:") for _ in range(5))
        return cv2.imread(str(self.target))[..., ::-1], seconds


def quality(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for name, scene in SCENES.items():
        picture = np.floor(scene(grid(SIZE, SIZE)) + 0.5).clip(0, 255).astype(np.uint8)
        picture = np.repeat(picture[..., None], 3, axis=2)
        magick = ImageMagick(picture, folder) if shutil.which("convert") else None
        for scale in SCALES:
            inverse_map, side = smaller(scale)
            expected = truth(scene, inverse_map, side)[..., None]
            row: dict[str, Any] = {"scene": name, "scale": scale}
            row["plain"] = decibels(wk.warp(picture, inverse_map, (side, side)), expected)
            for interpolation in ("bilinear", "bicubic"):
                options: dict[str, Any] = {"interpolation": interpolation, "antialias": True, "mode": "edge"}
                row[interpolation] = decibels(wk.warp(picture, inverse_map, (side, side), **options), expected)
                call = partial(wk.warp, picture, inverse_map, (side, side), **options)
                row[f"{interpolation} seconds"] = statistics.median(interleaved({"ours": call}, 9)["ours"])
            if magick:
                theirs, row["ewa seconds"] = magick.warp(inverse_map, side)
                row["ewa"] = decibels(theirs, expected)
            rows.append(row)
            print({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}, flush=True)
    return rows


def speed(threads: int) -> dict[str, float]:
    """Ratios of medians."""
    wk.set_num_threads(threads)
    cv2.setNumThreads(threads)
    random = np.random.default_rng(0)
    quarter = wk.Affine([[4, 0, 1.5], [0, 4, 1.5]])
    found = {}
    for channels in (1, 3):
        shape = (3000, 4000) if channels == 1 else (3000, 4000, channels)
        picture = random.integers(0, 256, shape, dtype=np.uint8)
        seconds = interleaved(
            {
                "area": partial(cv2.resize, picture, (1000, 750), interpolation=cv2.INTER_AREA),
                "ours": partial(wk.warp, picture, quarter, (750, 1000), antialias=True),
            },
            25,
        )
        found[f"quarter of 12 megapixels, {channels} channels: ours / INTER_AREA"] = ratios(seconds, "ours", "area")[0]
    picture = random.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    corners = np.array([[0, 0], [1919, 0], [0, 1079], [1919, 1079]])
    maps = {
        "rotation": wk.Affine.rotation(30, (960, 540)),
        "homography": wk.Projective([[0.8, 0.05, 20], [-0.02, 0.7, 30], [5e-5, 5e-5, 1]]),
        "spline": wk.ThinPlateSpline([*corners, [960, 540]], [*(0.8 * corners + 90), [850, 530]]),
    }
    for name, inverse_map in maps.items():
        seconds = interleaved(
            {
                "with": partial(wk.warp, picture, inverse_map, antialias=True),
                "without": partial(wk.warp, picture, inverse_map),
            },
            25,
        )
        found[f"nothing smaller, {name}: with / without"] = ratios(seconds, "with", "without")[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    wk.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = quality(Path(folder))
    speeds = {threads: speed(threads) for threads in (1, 2)}
    for threads, found in speeds.items():
        for name, ratio in found.items():
            print(f"{threads} threads, {name} {ratio:.2f}")
    content = {"machine": describe_machine(), "quality": rows, "speed": speeds}
    write_results(RESULTS / f"{date.today()}-antialias.json", content)


if __name__ == "__main__":
    main()
