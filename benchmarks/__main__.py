"""Warps beside the peers', interleaved in one process with equal thread counts.

Prints nanoseconds per output pixel and the ratios of medians (peer / warpkit: above 1, warpkit is faster), with the lowest and
highest ratio of single rounds, and writes all of it to benchmarks/results/ as JSON, with a plot. Compilation is done before the
clock starts, and is told apart. Before a case is timed, its pictures are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import warpkit as wk

from .cases import SETS, Case
from .peers import PEERS, installed, set_threads, warpkit
from .plot import plot_ratios
from .timing import RESULTS, Call, describe_machine, interleaved, ratios, write_results

SLOW_REPEATS = 3
SLOW_PIXELS = 3_000_000  # larger pictures are not for slow peers


def difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Mean absolute difference in grey levels, without the outermost tenth, where borders are handled differently."""
    rows, columns = (n // 10 for n in ours.shape[-3:-1])
    theirs = theirs.reshape(ours.shape)
    inner = (..., slice(rows, -rows), slice(columns, -columns), slice(None))
    return float(np.abs(ours[inner].astype(float) - theirs[inner]).mean())


def measure(case: Case, names: list[str], threads: int, repeats: int) -> dict[str, Any]:
    start = time.perf_counter()
    ours = warpkit(case)
    picture = ours()
    row: dict[str, Any] = {"case": str(case).split(), "threads": threads, "first call": time.perf_counter() - start}
    for slow in (False, True):
        calls: dict[str, Call] = {}
        for name in names:
            make, _, is_slow = PEERS[name]
            if is_slow == slow and not (is_slow and case.pixels > SLOW_PIXELS) and (call := make(case)) is not None:
                row.setdefault("difference", {})[name] = difference(picture, call())
                calls[name] = call
        if not calls and slow:
            continue
        seconds = interleaved({"warpkit": ours, **calls}, SLOW_REPEATS if slow else repeats)
        for name in seconds if not slow else calls:
            row.setdefault("ns per pixel", {})[name] = 1e9 * statistics.median(seconds[name]) / case.pixels
        for name in calls:
            row.setdefault("ratio", {})[name], row.setdefault("spread", {})[name] = ratios(seconds, name, "warpkit")
    _print(case, row)
    return row


def _print(case: Case, row: dict[str, Any]) -> None:
    times = row["ns per pixel"]
    parts = [f"{case!s:45} {row['threads']} thr  warpkit {times['warpkit']:7.2f} ns/px"]
    for name, ratio in row.get("ratio", {}).items():
        low, high = row["spread"][name]
        note = "" if row["difference"][name] < 1 else f", DIFFERS by {row['difference'][name]:.1f}"
        parts.append(f"{name} {times[name]:7.2f}, ratio {ratio:5.2f} ({low:.2f} to {high:.2f}{note})")
    print("  ".join(parts), flush=True)


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Geometric means of the ratios, by set, peer, pixel type and threads."""
    groups: dict[str, list[float]] = {}
    for row in rows:
        for name, ratio in row.get("ratio", {}).items():
            key = f"{row['set']}: {name}, {row['case'][2]}, {row['threads']} threads"
            groups.setdefault(key, []).append(ratio)
    return {key: statistics.geometric_mean(values) for key, values in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sets", nargs="*", choices=[*SETS, []], default=["opencv"], help=f"of {', '.join(SETS)} (default: opencv)"
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", help="only these sizes of a set")
    parser.add_argument("--threads", type=int, nargs="+", help="default: 1 and all")
    parser.add_argument("--output", type=Path, help="JSON file (default: benchmarks/results/DATE-SETS.json)")
    arguments = parser.parse_args()
    names = installed(arguments.peers)
    machine = describe_machine()
    print(json.dumps(machine, indent=1))
    rows = []
    for threads in arguments.threads or sorted({1, wk.get_num_threads()}):
        set_threads(threads, names)
        for name in arguments.sets:
            for case in SETS[name]():
                if not arguments.sizes or case.size in arguments.sizes:
                    rows.append({"set": name, **measure(case, names, threads, arguments.repeats)})
    means = summary(rows)
    print("geometric means of the ratios:", json.dumps(means, indent=1))
    output = arguments.output or RESULTS / f"{machine['date']}-{'-'.join(arguments.sets)}.json"
    write_results(output, {"machine": machine, "summary": means, "rows": rows})
    plot_ratios(rows, output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
