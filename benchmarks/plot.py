"""A picture of the ratios: one mark per case and peer, on a logarithmic axis."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def plot_ratios(rows: list[dict[str, Any]], path: Path) -> None:
    """Write an SVG, if matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed: no plot")
        return
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.fonttype"] = "none"  # text as text, not as outlines
    from matplotlib import pyplot

    compared = [row for row in rows if row.get("ratio")]
    labels = [" ".join(row["case"]) + f", {row['threads']} thr" for row in compared]
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.16 * len(labels)), layout="constrained")
    for name in sorted({name for row in compared for name in row["ratio"]}):
        places = [n for n, row in enumerate(compared) if name in row["ratio"]]
        values = [compared[n]["ratio"][name] for n in places]
        spread = [[abs(compared[n]["spread"][name][end] - compared[n]["ratio"][name]) for n in places] for end in (0, 1)]
        axes.errorbar(values, places, xerr=spread, fmt="o", markersize=3, linewidth=0.6, label=name)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(
        xscale="log", yticks=range(len(labels)), ylim=(len(labels), -1), xlabel="peer / warpkit: right of 1, warpkit is faster"
    )
    axes.set_yticklabels(labels, fontsize=6)
    axes.grid(axis="x", linewidth=0.3)
    axes.legend()
    figure.savefig(path)
    print("wrote", path)
