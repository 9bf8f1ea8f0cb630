"""Warps beside OpenCV's, interleaved in one process with equal thread counts.

Prints nanoseconds per output pixel and the ratio of medians (OpenCV / warpkit: above 1, warpkit is faster), and writes both
to benchmarks/results/ as JSON. Compilation is done before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import llvmlite.binding as llvm
import numpy as np

import warpkit as wk

SIZES = {"512": (512, 512), "1080p": (1080, 1920), "4K": (2160, 3840)}
PIXELS = [("uint8", 1), ("uint8", 3), ("uint8", 4), ("float32", 1), ("float32", 3), ("float32", 4)]
DEGREES = (0.3, 17.0, 45.0)
RESULTS = Path(__file__).parent / "results"


def interleaved(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for counted in range(-1, repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def maps(size: tuple[int, int], degrees: float) -> dict[str, wk.Transform]:
    """A rotation about the centre, and the same with some perspective."""
    rows, columns = size
    centre = ((columns - 1) / 2, (rows - 1) / 2)
    affine = wk.Affine.rotation(degrees, centre)
    tilt = np.eye(3)
    tilt[2] = [0.1 / columns, -0.05 / rows, 1.0]
    projective = wk.Projective(np.vstack([affine.matrix, [0, 0, 1]]) @ tilt)
    return {"affine": affine, "projective": projective}


def calls_for(picture: np.ndarray, inverse_map: wk.Transform) -> dict[str, Callable[[], Any]]:
    rows, columns = picture.shape[:2]
    ours, theirs = np.empty_like(picture), np.empty_like(picture)
    opencv = cv2.warpAffine if isinstance(inverse_map, wk.Affine) else cv2.warpPerspective
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return {
        "warpkit": lambda: wk.warp(picture, inverse_map, out=ours),
        "opencv": lambda: opencv(picture, inverse_map.matrix, (columns, rows), dst=theirs, flags=flags),  # type: ignore[attr-defined]
    }


def measure(threads: int, repeats: int, sizes: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    wk.set_num_threads(threads)
    cv2.setNumThreads(threads)
    random = np.random.default_rng(0)
    rows = []
    for size_name, size in sizes.items():
        for dtype, channels in PIXELS:
            picture = random.integers(0, 256, (*size, channels)).astype(dtype)
            for degrees in DEGREES:
                for family, inverse_map in maps(size, degrees).items():
                    seconds = interleaved(calls_for(picture, inverse_map), repeats)
                    nanoseconds = {name: 1e9 * statistics.median(t) / (size[0] * size[1]) for name, t in seconds.items()}
                    ratios = sorted(b / a for a, b in zip(seconds["warpkit"], seconds["opencv"], strict=True))
                    case = f"{size_name:5} {dtype:7} C{channels} {family:10} {degrees:4} deg"
                    row = {"case": case, "threads": threads, **nanoseconds}
                    row |= {"ratio": nanoseconds["opencv"] / nanoseconds["warpkit"], "spread": [ratios[0], ratios[-1]]}
                    rows.append(row)
                    print(
                        f"{case}  {threads} thr  warpkit {row['warpkit']:6.2f}  opencv {row['opencv']:6.2f} ns/px"
                        f"  ratio {row['ratio']:5.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                        flush=True,
                    )
    return rows


def describe_machine() -> dict[str, Any]:
    build = cv2.getBuildInformation()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "commit": commit or None,
        "cpu": f"{platform.machine()} {llvm.get_host_cpu_name()}, {wk.get_num_threads()} processors",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in ("numba", "numpy", "llvmlite")} | {"opencv": cv2.__version__},
        "opencv build": [
            line.strip() for line in build.splitlines() if re.search(r"Dispatched|Baseline|IPP:|Parallel fr", line)
        ],
    }


def geometric_mean(rows: list[dict[str, Any]]) -> float:
    return statistics.geometric_mean(row["ratio"] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--output", type=Path, help="JSON file (default: benchmarks/results/DATE-opencv.json)")
    arguments = parser.parse_args()
    machine = describe_machine()
    print(json.dumps(machine, indent=1))
    rows = []
    for threads in sorted({1, wk.get_num_threads()}):
        rows += measure(threads, arguments.repeats, {name: SIZES[name] for name in arguments.sizes})
    summary = {}
    for threads in sorted({row["threads"] for row in rows}):
        for kind in ("uint8", "float32"):
            chosen = [row for row in rows if row["threads"] == threads and kind in row["case"]]
            summary[f"{kind}, {threads} threads"] = geometric_mean(chosen)
    print("geometric mean of the ratios:", json.dumps(summary, indent=1))
    output = arguments.output or RESULTS / f"{machine['date']}-opencv.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": machine, "summary": summary, "rows": rows}, indent=1) + "\n")
    print("wrote", output)


if __name__ == "__main__":
    main()
