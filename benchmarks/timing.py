"""Clocks, the machine's description, and the files that results are written to."""

from __future__ import annotations

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

import warpkit as wk

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numba", "numpy", "llvmlite", "torch", "scikit-image", "scipy", "kornia")

Call = Callable[[], Any]


def interleaved(calls: dict[str, Call], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for counted in range(-1, repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], peer: str, ours: str) -> tuple[float, list[float]]:
    """The ratio of medians peer / ours, and the lowest and highest of the single rounds."""
    rounds = sorted(b / a for a, b in zip(seconds[ours], seconds[peer], strict=True))
    return statistics.median(seconds[peer]) / statistics.median(seconds[ours]), [rounds[0], rounds[-1]]


def describe_machine() -> dict[str, Any]:
    build = cv2.getBuildInformation()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "commit": commit or None,
        "cpu": f"{platform.machine()} {llvm.get_host_cpu_name()}, {wk.get_num_threads()} processors",
        "python": platform.python_version(),
        "packages": {"opencv": cv2.__version__} | {name: _version(name) for name in PACKAGES},
        "opencv build": [
            line.strip() for line in build.splitlines() if re.search(r"Dispatched|Baseline|IPP:|Parallel fr", line)
        ],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def write_results(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    print("wrote", path)
