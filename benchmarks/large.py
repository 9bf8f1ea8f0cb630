"""A picture that is larger than the memory may be: made, warped and stored chunk by chunk, beside the warp in memory.

    python -m benchmarks.large --size 60000 --folder /where/there/is/room

The picture is a file of uint8 pixels, chunk after chunk. Each map is warped in a process of its own, through Dask's threaded
scheduler into another file; told are the peak of its memory, nanoseconds per pixel, with files and in the warps' tasks alone,
beside the same warp in memory of a smaller picture, the time of a task, and the bytes that were read beside those of what the
output shows of the picture, which no program can do without. Then a smaller picture in memory, beside dask_image's
affine_transform.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.callbacks import Callback
from numpy.typing import NDArray

import warpkit as wk
from warpkit.interop import dask as warpkit_dask

from .timing import RESULTS, describe_machine, write_results

MAPS = ("affine", "homography", "spline")
REPEATS = 5


def inverse_map(name: str, size: int) -> wk.Transform:
    """Of a square picture."""
    middle = (size / 2, size / 2)
    if name == "affine":
        return wk.Affine.rotation(7, middle)
    if name == "homography":
        square = size * np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
        return wk.Projective.from_quads(
            square, square + size * np.array([[0.02, 0.01], [-0.01, 0.03], [-0.05, 0], [0.005, -0.04]])
        )
    ticks = np.linspace(0, size, 4)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return wk.ThinPlateSpline(points, points + np.random.default_rng(0).normal(0, 0.01 * size, points.shape))


class ChunkedFile:
    """A square picture of bytes in a file, chunk after chunk; what is read or written is one chunk."""

    def __init__(self, path: Path, size: int, chunk: int) -> None:
        self.path, self.chunk = path, chunk
        self.shape, self.dtype, self.ndim = (size, size), np.dtype(np.uint8), 2
        self.bytes_read = 0
        path.touch()

    def _place(self, where: Any) -> tuple[int, tuple[int, int]]:
        """Where a chunk begins in the file, and its shape."""
        rows, columns = (axis.indices(size) for axis, size in zip(where, self.shape, strict=True))
        across = -(-self.shape[1] // self.chunk)
        number = rows[0] // self.chunk * across + columns[0] // self.chunk
        return number * self.chunk**2, (max(rows[1] - rows[0], 0), max(columns[1] - columns[0], 0))

    def __getitem__(self, where: Any) -> NDArray[np.uint8]:
        place, shape = self._place(where)
        pixels = np.empty(shape, np.uint8)
        with self.path.open("rb", buffering=0) as file:
            file.seek(place)
            file.readinto(pixels.data)
        self.bytes_read += pixels.size
        return pixels

    def __setitem__(self, where: Any, pixels: NDArray[np.uint8]) -> None:
        place, _ = self._place(where)
        with self.path.open("r+b", buffering=0) as file:
            file.seek(place)
            file.write(np.ascontiguousarray(pixels).data)

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """The rows and columns of each chunk."""
        spans = [slice(start, min(start + self.chunk, self.shape[0])) for start in range(0, self.shape[0], self.chunk)]
        return product(spans, spans)


def make_picture(picture: ChunkedFile) -> None:
    """Waves and noise, chunk by chunk."""
    random = np.random.default_rng(0)
    for rows, columns in picture.parts():
        y, x = np.ogrid[rows, columns]
        waves = 100 + 60 * np.sin(x / 40) * np.cos(y / 55)
        picture[rows, columns] = (waves + random.integers(0, 60, waves.shape)).astype(np.uint8)


class TaskTimes(Callback):  # type: ignore[misc]
    """Seconds of each warp's task."""

    def __init__(self) -> None:
        super().__init__(pretask=self.begin, posttask=self.end)
        self.starts: dict[Any, float] = {}
        self.seconds: list[float] = []

    def begin(self, key: Any, graph: Any, state: Any) -> None:
        self.starts[key] = time.perf_counter()

    def end(self, key: Any, result: Any, graph: Any, state: Any, worker: Any) -> None:
        if str(key).startswith("('warp-"):
            self.seconds.append(time.perf_counter() - self.starts[key])


def warp_on_disk(name: str, folder: Path, size: int, chunk: int, tile: int) -> dict[str, Any]:
    """One map, from file to file; the kernels are loaded before the clock starts."""
    picture, target = ChunkedFile(folder / "picture", size, chunk), ChunkedFile(folder / name, size, tile)
    transform = inverse_map(name, size)
    warpkit_dask.warp(da.zeros((2, 2), np.uint8), transform, (8, 8)).compute()
    threads = wk.get_num_threads()
    start = time.perf_counter()
    warped = warpkit_dask.warp(da.from_array(picture, chunks=chunk, name=f"picture-{name}"), transform, chunks=tile)
    planned = time.perf_counter()
    with TaskTimes() as times:
        warped.store(target, lock=False, scheduler="threads", num_workers=threads)
    seconds = time.perf_counter() - start
    windows = [wk.source_window(transform, part, picture.shape) for part in target.parts()]
    return {
        "map": name,
        "seconds": seconds,
        "seconds to plan": planned - start,
        "ns per pixel": 1e9 * seconds / size**2,
        "ns per pixel in the warps' tasks": 1e9 * sum(times.seconds) / threads / size**2,
        "ms per task": 1e3 * statistics.median(times.seconds),
        "tasks": len(times.seconds),
        "threads": threads,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes read": picture.bytes_read,
        "bytes of what is seen": seen_bytes(transform, size),
        "bytes of all windows": sum(area(window) for window in windows if window is not None),
    }


def area(window: tuple[slice, slice]) -> int:
    return (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def seen_bytes(transform: wk.Transform, size: int, side: int = 500) -> float:
    """What any program must read: the share of the picture that the output shows, by the inverse map's derivative."""
    ticks = (np.arange(side) + 0.5) * size / side
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    inside = ((transform(points) > 0) & (transform(points) < size)).all(axis=-1)
    return float(size**2 * (inside * np.abs(np.linalg.det(transform.jacobian(points)))).mean())


def warp_in_memory(name: str, size: int) -> float:
    """Nanoseconds per pixel of a picture that fits."""
    picture = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
    transform, seconds = inverse_map(name, size), []
    out = np.empty_like(picture)
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        wk.warp(picture, transform, out=out)
        seconds.append(time.perf_counter() - start)
    return 1e9 * statistics.median(seconds[1:]) / size**2


def beside_dask_image(size: int, chunk: int) -> dict[str, Any]:
    """An affine map by both, of a picture in memory, in chunks."""
    from dask_image.ndinterp import affine_transform

    picture = da.from_array(np.random.default_rng(0).integers(0, 256, (size, size), np.uint8), chunks=chunk)
    transform = inverse_map("affine", size)
    swapped = np.array(transform.matrix)[::-1][:, [1, 0, 2]]
    results: dict[str, Any] = {"size": size}
    pictures = {}
    with dask.config.set(scheduler="threads", num_workers=wk.get_num_threads()):
        for name, call in (
            ("warpkit", lambda: warpkit_dask.warp(picture, transform)),
            (
                "dask_image",
                lambda: affine_transform(picture, swapped[:, :2], swapped[:, 2], order=1, output_chunks=(chunk, chunk)),
            ),
        ):
            call().compute()
            start = time.perf_counter()
            pictures[name] = call().compute()
            results[f"{name}: seconds"] = time.perf_counter() - start
    results["times as fast"] = results["dask_image: seconds"] / results["warpkit: seconds"]
    ours, theirs = (image[100:-100, 100:-100].astype(float) for image in pictures.values())
    results["mean difference"] = float(np.abs(ours - theirs).mean())
    return results


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=60_000, help="pixels a side")
    parser.add_argument("--chunk", type=int, default=2_048, help="pixels a side of the source's chunks")
    parser.add_argument("--tile", type=int, default=4_096, help="pixels a side of the output's chunks")
    parser.add_argument("--in-memory", type=int, default=16_000, help="pixels a side of the picture that is warped in memory")
    parser.add_argument("--beside", type=int, default=8_000, help="pixels a side of the picture for dask_image; 0: none")
    parser.add_argument("--folder", type=Path, help="for the pictures: twice the size's square in bytes")
    parser.add_argument("--out", type=Path, default=RESULTS / "large.json")
    parser.add_argument("--only", choices=MAPS, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.only:
        print(json.dumps(warp_on_disk(asked.only, asked.folder, asked.size, asked.chunk, asked.tile)))
        return {}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        make_picture(ChunkedFile(Path(folder) / "picture", asked.size, asked.chunk))
        rows = []
        for name in MAPS:
            command = [sys.executable, "-m", "benchmarks.large", "--only", name, "--folder", folder]
            command += [f"--{option}={getattr(asked, option)}" for option in ("size", "chunk", "tile")]
            row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            (Path(folder) / name).unlink()
            row["in memory: ns per pixel"] = warp_in_memory(name, min(asked.in_memory, asked.size))
            row["share of the speed in memory"] = row["in memory: ns per pixel"] / row["ns per pixel"]
            row["share without files"] = row["in memory: ns per pixel"] / row["ns per pixel in the warps' tasks"]
            row["read / least"] = row["bytes read"] / row["bytes of what is seen"]
            rows.append(row)
            print(json.dumps(row, indent=1))
    results: dict[str, Any] = {"machine": describe_machine(), "size": asked.size, "chunk": asked.chunk, "rows": rows}
    if asked.beside:
        results["beside dask_image"] = beside_dask_image(asked.beside, asked.chunk)
        print(json.dumps(results["beside dask_image"], indent=1))
    write_results(asked.out, results)
    return results


if __name__ == "__main__":
    main()
