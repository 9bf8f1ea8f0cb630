"""One training step of ST-CNN affine (batch 256, 28 x 28) beside the same net in PyTorch.

Interleaved in one process with equal thread counts: milliseconds of forward, backward and the optimiser's step, the ratio of
medians, and the share of the step that the transformer takes: what passes inside it, its localisation net included, and the
net's time less that of the same net without it, which includes the gradient of the first convolution's input that only a
transformer below it needs. Writes benchmarks/results/DATE-localiser.json. Needs the extra `benchmark`.

    python -m benchmarks.localiser
"""

from __future__ import annotations

import statistics
import time
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
    Parameter,
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


class Timed(Layer):
    """Another layer, and the seconds that passed in it and in its backprop."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self.seconds = 0.0

    def parameters(self) -> dict[str, Parameter]:
        return self._layer.parameters()

    def __call__(self, images: Any) -> tuple[Any, Any]:
        start = time.perf_counter()
        output, pull = self._layer(images)
        self.seconds += time.perf_counter() - start

        def backprop(grad_output: Any, wants_input: bool = True) -> Any:
            start = time.perf_counter()
            gradient = pull(grad_output, wants_input=wants_input)
            self.seconds += time.perf_counter() - start
            return gradient

        return output, backprop


def our_net(transformer: bool) -> Sequential:
    random = np.random.default_rng(0)
    look: list[Layer] = []
    if transformer:
        localiser = Localiser.convolutional((28, 28, 1), "affine", random)
        look.append(Timed(SpatialTransformer(localiser, "affine", (28, 28))))
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


def steps(inside: list[float]) -> dict[str, Call]:
    """One step of each net; the seconds inside our transformer are appended to ``inside``."""
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
            if isinstance(net.layers[0], Timed):
                inside.append(net.layers[0].seconds)
                net.layers[0].seconds = 0.0

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
            inside: list[float] = []
            seconds = interleaved(steps(inside), REPEATS)
        ratio, spread = ratios(seconds, "warpkit", "torch")
        medians = {name: 1e3 * statistics.median(values) for name, values in seconds.items()}
        shares = {name: 1 - medians[f"{name} without transformer"] / medians[name] for name in ("warpkit", "torch")}
        own = 1e3 * statistics.median(inside) / medians["warpkit"]
        rows.append({"threads": threads, "ms": medians, "warpkit / torch": ratio, "spread": spread})
        rows[-1] |= {"transformer by difference": shares, "inside our transformer": own}
        print(
            f"{threads} threads: warpkit {medians['warpkit']:.1f} ms, torch {medians['torch']:.1f} ms,"
            f" ratio {ratio:.2f} ({spread[0]:.2f} to {spread[1]:.2f});"
            f" inside the transformer {own:.1%}, by difference {shares['warpkit']:.1%}, torch's {shares['torch']:.1%}"
        )
    write_results(RESULTS / f"{machine['date']}-localiser.json", {"machine": machine, "rows": rows})


if __name__ == "__main__":
    main()
