"""Throughput of `warpkit warp` on photographs of 12 megapixels, beside OpenCV's codecs, an OpenCV loop and ImageMagick.

    python -m benchmarks.command_line --count 500

All make the same affine picture at JPEG quality 95 and are timed as a whole, reading from and writing to one folder; the
command with its start, after its kernels were compiled. Needs some 10 MB of disk for each picture.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data

from .timing import RESULTS, describe_machine, write_results

WIDTH, HEIGHT, QUALITY, DEGREES = 4000, 3000, 95, 5
DIFFERENT = 5
COMMAND = [sys.executable, "-c", "from warpkit_cli.main import main; main()", "warp"]


def make_photographs(folder: Path, count: int) -> list[Path]:
    """Enlarged pictures with the noise of a camera, so that their files have the size of photographs."""
    random = np.random.default_rng(0)
    picture = cv2.resize(skimage.data.coffee()[..., ::-1], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    paths = []
    for n in range(count):
        path = folder / f"{n:05}.jpg"
        if n < DIFFERENT:
            noisy = np.clip(np.roll(picture, 97 * n, axis=1) + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        else:
            path.hardlink_to(paths[n % DIFFERENT])
        paths.append(path)
    return paths


def codecs_alone(paths: list[Path], threads: int) -> None:
    """Decode and encode, and nothing else."""
    cv2.setNumThreads(1)

    def recode(path: Path) -> None:
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(recode, paths))


def opencv_loop(paths: list[Path], out: Path) -> None:
    """What most people write: read, warp, write, one after the other."""
    cv2.setNumThreads(1)
    matrix = cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), -DEGREES, 1)
    for path in paths:
        warped = cv2.warpAffine(cv2.imread(str(path)), matrix, (WIDTH, HEIGHT))
        cv2.imwrite(str(out / path.name), warped, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def imagemagick(paths: list[Path], out: Path, threads: int) -> None:
    """One process for each core, and bilinear sampling rather than its slower default."""
    options = ["-filter", "point", "-interpolate", "bilinear", "-virtual-pixel", "black"]

    def convert(path: Path) -> None:
        command = ["convert", "-limit", "thread", "1", path, *options, "-distort", "SRT", str(DEGREES)]
        subprocess.run([*command, "-quality", str(QUALITY), out / path.name], check=True)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(convert, paths))


def warpkit_command(paths: list[Path], out: Path, threads: int) -> None:
    options = ["--rotate", str(DEGREES), "--quality", str(QUALITY), "--workers", str(threads), "--overwrite", "--quiet"]
    subprocess.run([*COMMAND, str(paths[0].parent), "-o", str(out), *options], check=True)


def cost(work: Callable[[], None], count: int) -> dict[str, float]:
    """Pictures per second by the clock, and seconds of processors for each, which do not depend on what else is running."""
    clock, before = time.perf_counter(), sum(os.times()[:4])
    work()
    clock, used = time.perf_counter() - clock, sum(os.times()[:4]) - before
    return {"pictures per second": count / clock, "processor seconds per picture": used / count}


def measure(count: int, slow_count: int, threads: int, folder: Path) -> dict[str, Any]:
    """What each way costs, and what the command needs of memory."""
    for name in ("in", "few", "out"):
        (folder / name).mkdir()
    paths = make_photographs(folder / "in", count)
    few = [folder / "few" / path.name for path in paths[:slow_count]]
    for path, target in zip(paths, few, strict=False):
        target.hardlink_to(path)
    warpkit_command(few, folder / "out", threads)  # compiles, if need be
    costs = {
        "opencv codecs alone": cost(lambda: codecs_alone(paths, threads), count),
        "warpkit": cost(lambda: warpkit_command(paths, folder / "out", threads), count),
    }
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    costs["opencv loop, one thread"] = cost(lambda: opencv_loop(few, folder / "out"), len(few))
    if shutil.which("convert"):
        costs["imagemagick"] = cost(lambda: imagemagick(few, folder / "out", threads), len(few))
    return {"costs": costs, "count": count, "threads": threads, "peak MiB": round(memory)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--slow-count", type=int, default=40, help="pictures for what is slower")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments.count, min(arguments.count, arguments.slow_count), arguments.threads, Path(folder))
    ours = result["costs"]["warpkit"]
    for name, its in result["costs"].items():
        rate, used = its.values()
        told = f"{rate:7.2f} pictures/s (warpkit {ours['pictures per second'] / rate:5.2f} x)"
        print(
            f"{name:26}{told}   {used:6.3f} s of processors ({used / ours['processor seconds per picture']:5.2f} x warpkit's)"
        )
    print(f"peak memory of the command {result['peak MiB']} MiB")
    write_results(RESULTS / f"{date.today()}-command-line.json", {"machine": describe_machine(), **result})


if __name__ == "__main__":
    main()
