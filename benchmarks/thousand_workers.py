"""What a warp of a very large picture would take on 1,000 workers: an estimate from times and windows that are measured here.

    python -m benchmarks.thousand_workers

Nothing runs on 1,000 workers. Measured are the time of one task (chunks decoded, the window cut, warped, the tile encoded),
what a Dask scheduler takes for a task that does nothing, and the windows of some tiles. From these follow the bytes that go
through the network, and whether workers or scheduler set the speed.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from distributed import Client, LocalCluster
from numcodecs.zstd import Zstd

import warpkit as wk

from .timing import RESULTS, describe_machine, write_results

SIDE, WORKERS, TASKS, SAMPLED = 60_000, 1_000, 2_000, 200
CHUNK = 512  # as the source is stored; tasks make tiles of one or more of them
TILES = (512, 1024, 2048, 4096, 8192)

Window = tuple[slice, slice]


def maps() -> dict[str, wk.Transform]:
    """Three motions of the whole picture."""
    last = SIDE - 1
    corners = np.array([[0, 0], [last, 0], [last, last], [0, last]], float)
    moved = corners + SIDE * np.array([[0.04, 0.02], [-0.03, 0.05], [-0.05, -0.02], [0.02, -0.04]])
    grid = np.stack(np.meshgrid(*[np.linspace(0, last, 4)] * 2), axis=-1).reshape(-1, 2)
    bent = grid + np.random.default_rng(0).normal(0, 0.02 * SIDE, grid.shape)
    return {
        "turned by 10 degrees": wk.Affine.rotation(10, center=(last / 2, last / 2)),
        "homography": wk.Projective.from_quads(corners, moved),
        "spline of 16 points": wk.ThinPlateSpline(grid, bent),
    }


def read_per_output_byte(inverse_map: wk.Transform, tile: int) -> tuple[float, float]:
    """Bytes of windows, and of the chunks that they touch, for each byte of output; the mean over some tiles."""
    random, count = np.random.default_rng(0), math.ceil(SIDE / tile)
    windows, chunks, made = 0, 0, 0
    for row, column in random.integers(0, count, (SAMPLED, 2)).tolist():
        part = tuple(slice(k * tile, min((k + 1) * tile, SIDE)) for k in (row, column))
        made += math.prod(s.stop - s.start for s in part)
        window = wk.source_window(inverse_map, part, (SIDE, SIDE))
        if window is not None:
            windows += math.prod(s.stop - s.start for s in window)
            chunks += math.prod(math.ceil(s.stop / CHUNK) - s.start // CHUNK for s in window) * CHUNK**2
    return windows / made, chunks / made


def task_seconds(tile: int) -> float:
    """One tile of a grey picture turned by 10 degrees, on one thread: the median of five."""
    wk.set_num_threads(1)
    codec = Zstd(level=0)
    photo = np.tile(skimage.data.camera(), (CHUNK // 512 + 1,) * 2)[:CHUNK, :CHUNK]
    encoded = codec.encode(np.ascontiguousarray(photo))
    inverse_map = wk.Affine.rotation(10, center=(SIDE / 2, SIDE / 2))
    part = tuple(slice(SIDE // 2 // tile * tile, (SIDE // 2 // tile + 1) * tile) for _ in range(2))
    window = wk.source_window(inverse_map, part, (SIDE, SIDE))
    assert window is not None

    def decoded() -> Any:
        return np.frombuffer(codec.decode(encoded), np.uint8).reshape(CHUNK, CHUNK)

    taken = []
    for _ in range(6):
        start = time.perf_counter()
        counts = [math.ceil(s.stop / CHUNK) - s.start // CHUNK for s in window]
        chunks = [[decoded() for _ in range(counts[1])] for _ in range(counts[0])]
        cut = np.block(chunks)[tuple(slice(s.start % CHUNK, s.start % CHUNK + s.stop - s.start) for s in window)]
        warped = wk.warp_part(cut, inverse_map, part, window=window, image_shape=(SIDE, SIDE))
        codec.encode(warped)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[1:]))


def scheduler_seconds() -> float:
    """For a task that does nothing: sent, run and its result fetched, on two workers; many at a time."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(abs, range(100)))
        start = time.perf_counter()
        client.gather(client.map(abs, range(100, 100 + TASKS)))
        return (time.perf_counter() - start) / TASKS


def estimate() -> list[dict[str, Any]]:
    """A row for each size of tiles."""
    scheduler, rows = scheduler_seconds(), []
    for tile in TILES:
        seconds = task_seconds(tile)
        by_workers, by_scheduler = WORKERS / seconds, 1 / scheduler
        rate = min(by_workers, by_scheduler)
        windows = {name: read_per_output_byte(inverse_map, tile) for name, inverse_map in maps().items()}
        rows.append({
            "tile": tile,
            "ms per task": round(1000 * seconds, 2),
            "ms of the scheduler per task": round(1000 * scheduler, 3),
            "tasks per second": round(rate),
            "set by": "workers" if rate == by_workers else "scheduler",
            "gigapixels per second": round(rate * tile**2 / 1e9, 2),
            "workers kept busy": round(min(WORKERS, by_scheduler * seconds)),
            "window bytes per output byte": {name: round(pair[0], 3) for name, pair in windows.items()},
            "chunk bytes per output byte": {name: round(pair[1], 3) for name, pair in windows.items()},
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS / f"{date.today().isoformat()}-thousand-workers.json")
    arguments = parser.parse_args()
    rows = estimate()
    for row in rows:
        print(row)
    write_results(
        arguments.output, {"machine": describe_machine(), "side": SIDE, "chunk": CHUNK, "workers": WORKERS, "tiles": rows}
    )


if __name__ == "__main__":
    main()
