"""Warps with their gradients beside PyTorch's affine_grid + grid_sample and kornia's thin-plate splines.

Interleaved in one process with equal thread counts: milliseconds of forward, and of forward with the gradients of input and
theta, and the ratio of medians (peer / warpkit: above 1, warpkit is faster). Then the peak memory beyond inputs, output and
gradients.
Writes benchmarks/results/DATE-derivatives.json. Needs the extra `torch`; kornia is skipped where it is not installed.

    python -m benchmarks.derivatives
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import warpkit as wk
from warpkit.interop import torch as wkt

from .timing import RESULTS, describe_machine, interleaved, ratios, write_results

SHAPES = [(32, 3, 224, 224), (1, 3, 1080, 1920), (256, 1, 28, 28), (8, 64, 56, 56)]
SPLINE_SHAPE = (8, 3, 256, 256)
MEMORY_SHAPE = (1, 3, 4096, 4096)
MIB = 2**20


def turn(count: int, degrees: float = 17.0) -> torch.Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[[cos, -sin, 0.05], [sin, cos, 0.0]]]).repeat(count, 1, 1)


def affine_calls(shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """PyTorch's two functions, ours as their drop-ins, and ours fused."""
    functional = torch.nn.functional
    inputs, grad = torch.rand(shape, requires_grad=True), torch.rand(shape)
    theta = turn(shape[0]).requires_grad_()

    def peer() -> torch.Tensor:
        return functional.grid_sample(inputs, functional.affine_grid(theta, list(shape), False), align_corners=False)

    def drop_in() -> torch.Tensor:
        return wkt.grid_sample(inputs, functional.affine_grid(theta, list(shape), False), align_corners=False)

    def fused() -> torch.Tensor:
        return wkt.spatial_transform(inputs, theta)

    calls: dict[str, Callable[[], Any]] = {}
    for name, call in (("peer", peer), ("warpkit", fused), ("warpkit grid_sample", drop_in)):
        calls[f"{name} forward"] = call
        calls[f"{name} both"] = lambda call=call: torch.autograd.grad(call(), (inputs, theta), grad)
    return calls


def spline_calls(shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """16 control points. kornia's kernel is taken between the points of both ends, so that its pictures differ from ours."""
    kornia = importlib.import_module("kornia.geometry.transform")
    inputs, grad = torch.rand(shape, requires_grad=True), torch.rand(shape)
    line = torch.linspace(-1, 1, 4)
    points = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(1, 16, 2).repeat(shape[0], 1, 1)
    theta = (0.9 * points + 0.05 * torch.randn_like(points)).requires_grad_()

    def peer() -> torch.Tensor:
        kernel_weights, affine_weights = kornia.get_tps_transform(points, theta)
        warped: torch.Tensor = kornia.warp_image_tps(inputs, points, kernel_weights, affine_weights, align_corners=True)
        return warped

    def ours() -> torch.Tensor:
        return wkt.spatial_transform(inputs, theta, "tps", align_corners=True)

    calls: dict[str, Callable[[], Any]] = {}
    for name, call in (("peer", peer), ("warpkit", ours)):
        calls[f"{name} forward"] = call
        calls[f"{name} both"] = lambda call=call: torch.autograd.grad(call(), (inputs, theta), grad)
    return calls


def measure(case: str, calls: dict[str, Callable[[], Any]], threads: int, repeats: int) -> dict[str, Any]:
    seconds = interleaved(calls, repeats)
    milliseconds = {name: 1e3 * statistics.median(times) for name, times in seconds.items()}
    row: dict[str, Any] = {"case": case, "threads": threads, "milliseconds": milliseconds, "ratio": {}, "spread": {}}
    for name in milliseconds:
        if name.startswith("warpkit"):
            row["ratio"][name], row["spread"][name] = ratios(seconds, f"peer {name.split()[-1]}", name)
    parts = [f"{name} {milliseconds[name]:.1f} ms, ratio {ratio:.2f}" for name, ratio in row["ratio"].items()]
    print(f"{case}  {threads} thr  " + "; ".join(parts), flush=True)
    return row


def peak_beyond_results() -> float | None:
    """MiB above inputs, output and gradients at the highest point of forward and backward; Linux only."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None

    def field(name: str) -> float:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024

    small = torch.rand(1, 3, 64, 64, requires_grad=True)
    theta = turn(1).requires_grad_()
    torch.autograd.grad(wkt.spatial_transform(small, theta).sum(), (small, theta))  # compiled
    inputs, grad = torch.rand(MEMORY_SHAPE, requires_grad=True), torch.rand(MEMORY_SHAPE)
    before = field("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    output = wkt.spatial_transform(inputs, theta)
    gradients = torch.autograd.grad(output, (inputs, theta), grad)
    return field("VmHWM") - before - sum(4 * t.numel() for t in (output, *gradients)) / MIB


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.derivatives", description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path, help="JSON file (default: benchmarks/results/DATE-derivatives.json)")
    arguments = parser.parse_args()
    machine = describe_machine()
    has_kornia = importlib.util.find_spec("kornia") is not None
    if not has_kornia:
        print("kornia is not installed: no splines")
    print(json.dumps(machine, indent=1))
    all_threads = wk.get_num_threads()
    rows = []
    for threads in sorted({1, all_threads}):
        wk.set_num_threads(threads)
        torch.set_num_threads(threads)
        rows += [measure(str(shape), affine_calls(shape), threads, arguments.repeats) for shape in SHAPES]
        if has_kornia:
            rows.append(measure(f"spline {SPLINE_SHAPE}", spline_calls(SPLINE_SHAPE), threads, arguments.repeats))
    peak = peak_beyond_results()
    print(f"peak memory beyond inputs, output and gradients at {MEMORY_SHAPE}: {peak} MiB")
    output = arguments.output or RESULTS / f"{machine['date']}-derivatives.json"
    write_results(output, {"machine": machine, "peak MiB": peak, "rows": rows})


if __name__ == "__main__":
    main()
