"""A picture that is larger than the memory may be: made, warped and stored chunk by chunk, beside the warp in memory.

    python -m benchmarks.large --size 60000 --folder /where/there/is/room

The picture is a file of uint8 pixels, chunk after chunk. Each map is warped in a process of its own, through Dask's threaded
scheduler into another file; told are the peak of its memory, nanoseconds per pixel, beside the same warp in memory of a smaller
picture into an array that is there, the time of a task, and the bytes that were read beside those of what the output shows of
the picture, which no program can do without. ``--check`` compares each output with the warp in memory of the whole picture.

The output's file is there before, as a copy of the picture made in the same tiles, which is timed as well: it tells what files
cost without a warp. The first copy also pays for memory that the machine has not used before, several times as much on a
virtual one. Then a smaller picture in memory, beside dask_image's affine_transform: time, and the peak of each in a process of
its own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from warpkit.stored import StoredPicture

from .timing import RESULTS, describe_machine, write_results

MAPS = ("affine", "homography", "spline")
FILES = ("picture", "warped")
KEEP = 2**28  # bytes of the picture's chunks that are kept
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

    def __init__(self, path: Path, size: int, chunks: tuple[int, int]) -> None:
        self.path, self.chunks = path, chunks
        self.shape, self.dtype, self.ndim = (size, size), np.dtype(np.uint8), 2
        self.bytes_read = 0
        path.touch()

    def _place(self, where: Any) -> tuple[int, tuple[int, int]]:
        """Where a chunk begins in the file, and its shape."""
        rows, columns = (axis.indices(size) for axis, size in zip(where, self.shape, strict=True))
        shape = max(rows[1] - rows[0], 0), max(columns[1] - columns[0], 0)
        return rows[0] * self.shape[1] + shape[0] * columns[0], shape

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
        return product(
            *(
                [slice(start, min(start + step, size)) for start in range(0, size, step)]
                for size, step in zip(self.shape, self.chunks, strict=True)
            )
        )


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


def copy_on_disk(picture: ChunkedFile, target: ChunkedFile) -> float:
    """Seconds to read and write all tiles, on as many threads as warps have."""
    stored = StoredPicture(picture, KEEP)

    def copy(part: tuple[slice, slice]) -> None:
        target[part] = stored.read(part)

    start = time.perf_counter()
    with ThreadPoolExecutor(wk.get_num_threads()) as pool:
        for _ in pool.map(copy, target.parts()):
            pass
    return time.perf_counter() - start


def warp_on_disk(name: str, picture: ChunkedFile, target: ChunkedFile, through: str) -> dict[str, Any]:
    """One map, from file to file; the kernels are loaded before the clock starts."""
    size = picture.shape[0]
    transform = inverse_map(name, size)
    warpkit_dask.warp(da.zeros((600, 600), np.uint8), transform, (8, 8)).compute()
    threads = wk.get_num_threads()
    start = time.perf_counter()
    image = picture if through == "stored" else da.from_array(picture, chunks=picture.chunks, name=f"picture-{name}")
    warped = warpkit_dask.warp(image, transform, chunks=target.chunks, keep=KEEP)
    planned = time.perf_counter()
    with TaskTimes() as times:
        warped.store(target, lock=False, scheduler="threads", num_workers=threads)
    seconds = time.perf_counter() - start
    windows = [wk.source_window(transform, part, picture.shape) for part in target.parts()]
    return {
        "map": name,
        "through": through,
        "seconds": seconds,
        "seconds to plan": planned - start,
        "ns per pixel": 1e9 * seconds / size**2,
        "ms per task": 1e3 * statistics.median(times.seconds),
        "tasks": len(times.seconds),
        "threads": threads,
        "peak MB": peak_megabytes(),
        "bytes read": picture.bytes_read,
        "bytes of what is seen": seen_bytes(transform, size),
        "bytes of all windows": sum(area(window) for window in windows if window is not None),
    }


def peak_megabytes() -> float:
    """Of this process's memory, in millions of bytes; getrusage would tell its parent's, if that had more when it began."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024 / 1e6


def pixels_of(file: ChunkedFile) -> NDArray[np.uint8]:
    """The whole picture."""
    pixels = np.empty(file.shape, np.uint8)
    for part in file.parts():
        pixels[part] = file[part]
    return pixels


def is_warp_in_memory(name: str, picture: NDArray[np.uint8], target: ChunkedFile) -> bool:
    warped = wk.warp(picture, inverse_map(name, target.shape[0]))
    return all(np.array_equal(warped[part], target[part]) for part in target.parts())


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


def beside_dask_image(name: str, size: int, chunk: int) -> dict[str, Any]:
    """An affine map of a picture in memory, in chunks, by one of the two; called in a process of its own."""
    from dask_image.ndinterp import affine_transform

    picture = da.from_array(np.random.default_rng(0).integers(0, 256, (size, size), np.uint8), chunks=chunk)
    transform = inverse_map("affine", size)
    swapped = np.array(transform.matrix)[::-1][:, [1, 0, 2]]
    calls = {
        "warpkit": lambda: warpkit_dask.warp(picture, transform),
        "dask_image": lambda: affine_transform(picture, swapped[:, :2], swapped[:, 2], order=1, output_chunks=(chunk, chunk)),
    }
    seconds = []
    with dask.config.set(scheduler="threads", num_workers=wk.get_num_threads()):
        for _ in range(3):
            start = time.perf_counter()
            warped = calls[name]().compute()
            seconds.append(time.perf_counter() - start)
    middle = warped[100:-100:7, 100:-100:7].astype(float)
    return {"seconds": statistics.median(seconds[1:]), "peak MB": peak_megabytes(), "mean": float(middle.mean())}


def in_own_process(*arguments: Any) -> dict[str, Any]:
    """What this script prints when it is called so."""
    command = [sys.executable, "-m", "benchmarks.large", *map(str, arguments)]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=60_000, help="pixels a side")
    parser.add_argument("--chunk", type=int, default=1_024, help="pixels a side of the source's chunks")
    parser.add_argument("--tile", type=int, nargs=2, default=(2_048, 4_096), help="rows and columns of the output's chunks")
    parser.add_argument("--through", choices=("stored", "dask"), default="stored", help="read by the tasks, or as a Dask array")
    parser.add_argument("--in-memory", type=int, default=16_000, help="pixels a side of the picture that is warped in memory")
    parser.add_argument("--beside", type=int, default=8_000, help="pixels a side of the picture for dask_image; 0: none")
    parser.add_argument("--check", action="store_true", help="needs memory for twice the size's square in bytes")
    parser.add_argument("--folder", type=Path, help="for the pictures: twice the size's square in bytes")
    parser.add_argument("--out", type=Path, default=RESULTS / "large.json")
    parser.add_argument("--only", choices=(*MAPS, "warpkit", "dask_image"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    files = ((asked.chunk, asked.chunk), tuple(asked.tile))
    if asked.only in MAPS:
        pictures = [ChunkedFile(asked.folder / name, asked.size, chunks) for name, chunks in zip(FILES, files, strict=True)]
        print(json.dumps(warp_on_disk(asked.only, *pictures, asked.through)))
        return {}
    if asked.only:
        print(json.dumps(beside_dask_image(asked.only, asked.beside, 2 * asked.chunk)))
        return {}
    results: dict[str, Any] = {"machine": describe_machine(), "size": asked.size, "chunk": asked.chunk, "tile": asked.tile}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        pictures = [ChunkedFile(Path(folder) / name, asked.size, chunks) for name, chunks in zip(FILES, files, strict=True)]
        make_picture(pictures[0])
        copies = [1e9 * copy_on_disk(*pictures) / asked.size**2 for _ in range(2)]
        results["copy, first and again: ns per pixel"] = copies
        print("copied:", copies)
        rows = []
        for name in MAPS:
            options = ("--size", asked.size, "--chunk", asked.chunk, "--tile", *asked.tile, "--through", asked.through)
            row = in_own_process("--only", name, "--folder", folder, *options)
            row["in memory: ns per pixel"] = warp_in_memory(name, min(asked.in_memory, asked.size))
            row["share of the speed in memory"] = row["in memory: ns per pixel"] / row["ns per pixel"]
            row["share without a copy's time"] = row["in memory: ns per pixel"] / (row["ns per pixel"] - copies[1])
            if asked.check:
                row["equals the warp in memory"] = is_warp_in_memory(name, pixels_of(pictures[0]), pictures[1])
            row["read / least"] = row["bytes read"] / row["bytes of what is seen"]
            rows.append(row)
            print(json.dumps(row, indent=1))
    results["rows"] = rows
    if asked.beside:
        beside = {
            name: in_own_process("--only", name, "--beside", asked.beside, "--chunk", asked.chunk)
            for name in ("warpkit", "dask_image")
        }
        results["beside dask_image"] = beside | {
            "times as fast": beside["dask_image"]["seconds"] / beside["warpkit"]["seconds"],
            "without the picture and its warp, MB": {
                name: found["peak MB"] - 2e-6 * asked.beside**2 for name, found in beside.items()
            },
        }
        print(json.dumps(results["beside dask_image"], indent=1))
    write_results(asked.out, results)
    return results


if __name__ == "__main__":
    main()
