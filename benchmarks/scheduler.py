"""`warpkit warp --scheduler` on a local Dask cluster beside a plain run: overhead per file, tasks per second, a worker killed.

    python -m benchmarks.scheduler --count 5000

Four workers of one thread; small files, so that the overhead is large beside the work. All runs start from warm kernels, and
are timed as whole commands. Files and reports of all of them must be the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from distributed import LocalCluster

from .timing import RESULTS, describe_machine, write_results

WORKERS, ROWS, COLUMNS, DIFFERENT = 4, 240, 320, 8
COMMAND = [sys.executable, "-c", "from warpkit_cli.main import main; main()", "warp", "in", "--rotate", "5"]


def make_files(folder: Path, count: int) -> None:
    """PNG files, of few different contents."""
    folder.mkdir()
    picture = cv2.resize(skimage.data.coffee()[..., ::-1], (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    contents = [cv2.imencode(".png", np.roll(picture, 17 * n, axis=1))[1].tobytes() for n in range(DIFFERENT)]
    for n in range(count):
        (folder / f"{n:06}.png").write_bytes(contents[n % DIFFERENT])


def seconds(folder: Path, output: str, *options: str) -> float:
    """Of one run of the command in ``folder``."""
    start = time.perf_counter()
    command = [*COMMAND, "-o", output, "--report", f"{output}.jsonl", "--quiet", *options]
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - start


def kill_in_the_middle(cluster: LocalCluster, output: Path, count: int) -> None:
    """Kill one worker when half of the files are there."""
    while not output.exists() or sum(1 for _ in os.scandir(output)) < count / 2:
        time.sleep(0.05)
    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)


def records(path: Path) -> dict[str, Any]:
    """A report without what the clock says."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    found = {line["input"]: {k: v for k, v in line.items() if k not in ("seconds", "output")} for line in lines}
    assert len(found) == len(lines), "a picture is in the report twice"
    return found


def assert_same(folder: Path, output: str, count: int) -> None:
    assert len(records(folder / "plain.jsonl")) == count
    assert records(folder / f"{output}.jsonl") == records(folder / "plain.jsonl"), output
    assert sorted(os.listdir(folder / output)) == sorted(os.listdir(folder / "plain")), output
    for path in (folder / output).iterdir():
        assert path.read_bytes() == (folder / "plain" / path.name).read_bytes(), path


def measure(folder: Path, count: int) -> dict[str, float]:
    make_files(folder / "in", count)
    seconds(folder, "warm")
    found = {"plain": seconds(folder, "plain")}
    # At most this many workers may die of a task before it is given up; one is killed here.
    with LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        address = ("--scheduler", cluster.scheduler_address)
        seconds(folder, "warm", "--overwrite", *address)
        found["cluster"] = seconds(folder, "cluster", *address)
        killer = threading.Thread(target=kill_in_the_middle, args=(cluster, folder / "killed", count))
        killer.start()
        found["worker killed"] = seconds(folder, "killed", *address)
        killer.join()
    found["local, with its start"] = seconds(folder, "local", "--scheduler", "local", "--workers", str(WORKERS))
    for output in ("cluster", "killed", "local"):
        assert_same(folder, output, count)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--output", type=Path, default=RESULTS / f"{date.today().isoformat()}-scheduler.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.count)
    rows = {
        name: {
            "seconds": round(taken, 3),
            "files per second": round(arguments.count / taken, 1),
            "ms per file": round(1000 * taken / arguments.count, 3),
            "ms per file more than plain": round(1000 * (taken - found["plain"]) / arguments.count, 3),
        }
        for name, taken in found.items()
    }
    for name, row in rows.items():
        print(f"{name:22}", row)
    content = {"machine": describe_machine(), "count": arguments.count, "size": [COLUMNS, ROWS], "workers": WORKERS}
    write_results(arguments.output, content | {"runs": rows})


if __name__ == "__main__":
    main()
