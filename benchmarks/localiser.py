"""One training step of ST-CNN affine (batch 256, 28 x 28) beside the same net in PyTorch.

Interleaved in one process with equal thread counts: milliseconds of forward, backward and the optimiser's step, the ratio of
medians, and the share of the step that the transformer takes (the net's time less that of the same net without it).
Writes benchmarks/results/DATE-localiser.json. Needs the extra `benchmark`.

    python -m benchmarks.localiser
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import warpkit as wk
from warpkit.localiser import (
    SGD,
    Conv2D,
    Layer,
    Linear,
    Localiser,
    MaxPool2D,
    Relu,
    Sequential,
    SpatialTransformer,
    dense,
    train_step,
)

from .timing import RESULTS, Call, describe_machine, interleaved, ratios, write_results

BATCH = 256
HIDDEN = 1000
REPEATS = 15
nn = torch.nn


def our_net(transformer: bool) -> Sequential:
    random = np.random.default_rng(0)
    look: list[Layer] = []
    if transformer:
        localiser = Localiser.convolutional((28, 28, 1), "affine", random)
        look.append(SpatialTransformer(localiser, "affine", (28, 28)))
    return Sequential(
        *look,
        *(Conv2D(1, 32, 9, random), MaxPool2D(2), Relu()),
        *(Conv2D(32, 64, 7, random), MaxPool2D(2), Relu()),
        *dense((2, 2, 64), (HIDDEN,), random),
        Linear(HIDDEN, 10, random),
    )


class TorchTransformer(nn.Module):
    """As PyTorch's own tutorial has it: affine_grid and grid_sample."""

    def __init__(self) -> None:
        super().__init__()
        self.localiser = nn.Sequential(
            *(nn.AvgPool2d(2), nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 20, 5), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 6)),
        )
        nn.init.zeros_(self.localiser[-1].weight)
        self.localiser[-1].bias.data = torch.tensor([1.0, 0, 0, 0, 1, 0])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        grid = nn.functional.affine_grid(self.localiser(images).view(-1, 2, 3), list(images.shape), align_corners=False)
        return nn.functional.grid_sample(images, grid, align_corners=False)


def torch_net(transformer: bool) -> nn.Module:
    return nn.Sequential(
        *([TorchTransformer()] if transformer else []),
        *(nn.Conv2d(1, 32, 9), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(32, 64, 7), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)),
    )


def steps() -> dict[str, Call]:
    images = np.random.default_rng(1).random((BATCH, 28, 28, 1), dtype=np.float32)
    labels = np.arange(BATCH) % 10
    their_images, their_labels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)
    calls: dict[str, Call] = {}
    for name, transformer in (("", True), (" without transformer", False)):
        net, theirs = our_net(transformer), torch_net(transformer)
        optimiser = SGD(net.parameters(), 1e-3, momentum=0.9)
        their_optimiser = torch.optim.SGD(theirs.parameters(), 1e-3, momentum=0.9)

        def ours_step(net: Sequential = net, optimiser: SGD = optimiser) -> None:
            train_step(net, images, labels, optimiser)

        def their_step(net: nn.Module = theirs, optimiser: Any = their_optimiser) -> None:
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(their_images), their_labels).backward()
            optimiser.step()

        calls[f"warpkit{name}"] = ours_step
        calls[f"torch{name}"] = their_step
    return calls


def main() -> None:
    machine, rows = describe_machine(), []
    all_threads = wk.get_num_threads()
    for threads in sorted({1, all_threads}):
        wk.set_num_threads(threads)
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            seconds = interleaved(steps(), REPEATS)
        ratio, spread = ratios(seconds, "warpkit", "torch")
        medians = {name: 1e3 * statistics.median(values) for name, values in seconds.items()}
        shares = {name: 1 - medians[f"{name} without transformer"] / medians[name] for name in ("warpkit", "torch")}
        rows.append({"threads": threads, "ms": medians, "warpkit / torch": ratio, "spread": spread, "transformer": shares})
        print(
            f"{threads} threads: warpkit {medians['warpkit']:.1f} ms, torch {medians['torch']:.1f} ms,"
            f" ratio {ratio:.2f} ({spread[0]:.2f} to {spread[1]:.2f});"
            f" the transformer's share {shares['warpkit']:.1%}, torch's {shares['torch']:.1%}"
        )
    write_results(RESULTS / f"{machine['date']}-localiser.json", {"machine": machine, "rows": rows})


if __name__ == "__main__":
    main()
