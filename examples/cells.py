"""One cell of a table: a net, trained by epochs into a file that says how it went, from where it was cut off."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from warpkit.localiser import Layer, Optimiser, error_rate, load, save, train_step

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


def train_cell(
    name: str,
    about: dict,
    net: Layer,
    optimiser: Optimiser,
    batches: Callable[[int], Batches],
    steps: int,
    test: tuple[np.ndarray, np.ndarray],
    output: Path,
    quiet: bool,
) -> None:
    """Train for ``about["epochs"]`` epochs, each of ``batches(epoch)``, ``steps`` of them.

    After each epoch, ``NAME.json`` (``about`` and the history) and ``NAME.npz`` (net and optimiser) are written; a cell of the
    same number of epochs goes on from there.
    """
    stem = name.replace(" ", "-")
    result_file, checkpoint = output / f"{stem}.json", output / f"{stem}.npz"
    cell = about | {"history": []}
    if result_file.exists():
        done = json.loads(result_file.read_text())
        if done["epochs"] == about["epochs"] and len(done["history"]) == about["epochs"]:
            return
        if done["epochs"] == about["epochs"] and checkpoint.exists():
            cell = done
            load(checkpoint, net, optimiser)
    for epoch in range(len(cell["history"]), about["epochs"]):
        start = time.perf_counter()
        label = f"{stem} {epoch + 1}/{about['epochs']}"
        progress = tqdm(batches(epoch), total=steps, desc=label, disable=quiet, leave=False)
        losses = [train_step(net, images, labels, optimiser) for images, labels in progress]
        error = 100 * error_rate(net, *test)
        seconds = round(time.perf_counter() - start, 1)
        cell["history"].append({"loss": float(np.mean(losses)), "test error": round(error, 3), "seconds": seconds})
        save(checkpoint, net, optimiser)
        temporary = result_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(cell, indent=1) + "\n")
        os.replace(temporary, result_file)
        print(f"{stem}: epoch {epoch + 1}, loss {np.mean(losses):.4f}, test error {error:.2f} %, {seconds} s", flush=True)
