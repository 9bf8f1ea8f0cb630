"""One cell of a table: a net, trained by epochs into a file that says how it went, from where it was cut off.

What the examples that train nets share: their options, how they shuffle, what optimiser they take.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from warpkit.localiser import Adam, Layer, error_rate, load, save, step_schedule, train_step

Examples = tuple[np.ndarray, np.ndarray]  # pictures as nets take them, and labels
BATCH = 256
RATE = 1e-3


def options_parser(doc: str, models: Sequence[str], default: Sequence[str], output: str) -> argparse.ArgumentParser:
    """The options of all examples that train nets."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with MNIST's four IDX files (default: scikit-learn's digits)")
    parser.add_argument("--models", nargs="+", default=list(default), help=f"all, or of {', '.join(models)}")
    parser.add_argument("--epochs", type=int, help="default: 15; of scikit-learn's few digits 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(output))
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def parse(parser: argparse.ArgumentParser, models: Sequence[str]) -> argparse.Namespace:
    """The options as given, checked and completed; the folder for the output exists afterwards."""
    options = parser.parse_args()
    options.models = list(models) if options.models == ["all"] else options.models
    unknown = set(options.models) - set(models)
    if unknown:
        parser.error(f"--models: {', '.join(sorted(unknown))} is none of {', '.join(models)}")
    options.epochs = options.epochs or (15 if options.data else 60)
    options.output.mkdir(parents=True, exist_ok=True)
    return options


def shuffled(
    images: np.ndarray,
    labels: np.ndarray,
    seed: int,
    prepare: Callable[[np.ndarray, np.ndarray, np.random.Generator], Examples],
    batch: int = BATCH,
) -> Callable[[int], Iterator[Examples]]:
    """For each epoch, all images in another order, by batches that ``prepare`` has distorted at random."""

    def batches(epoch: int) -> Iterator[Examples]:
        random = np.random.default_rng((seed, epoch))
        order = random.permutation(len(images))
        for first in range(0, len(order), batch):
            some = order[first : first + batch]
            yield prepare(images[some], labels[some], random)

    return batches


def count(net: Layer) -> int:
    """How many numbers a net learns."""
    return sum(parameter.value.size for parameter in net.parameters().values())


def train_cell(
    about: dict,
    net: Layer,
    batches: Callable[[int], Iterator[Examples]],
    steps: int,
    test: Examples,
    options: argparse.Namespace,
) -> None:
    """Train for as many epochs as the options say, each of ``batches(epoch)``, ``steps`` of them.

    After each epoch, ``NAME.json`` (``about``, what was trained how, and the history) and ``NAME.npz`` (net and optimiser) are
    written; a cell of the same number of epochs goes on from there.
    """
    about = {"batch": BATCH} | about | {"epochs": options.epochs, "seed": options.seed, "parameters": count(net)}
    about |= {"optimiser": f"Adam, rate {RATE}, a tenth of it in the last fifth"}
    optimiser = Adam(net.parameters(), step_schedule(RATE, max(1, round(0.8 * options.epochs * steps))))
    stem = " ".join(filter(None, (about["model"], about.get("recipe")))).replace(" ", "-")
    result_file, checkpoint = options.output / f"{stem}.json", options.output / f"{stem}.npz"
    cell = about | {"history": []}
    if result_file.exists():
        done = json.loads(result_file.read_text())
        is_same = {key: done.get(key) for key in about} == about
        if is_same and len(done["history"]) == about["epochs"]:
            return
        if is_same and checkpoint.exists():
            cell = done
            load(checkpoint, net, optimiser)
            if optimiser.steps != steps * len(cell["history"]):
                raise SystemExit(f"{result_file} and {checkpoint} are of different epochs: delete both to begin anew")
    for epoch in range(len(cell["history"]), about["epochs"]):
        start = time.perf_counter()
        label = f"{stem} {epoch + 1}/{about['epochs']}"
        progress = tqdm(batches(epoch), total=steps, desc=label, disable=options.quiet, leave=False)
        losses = [train_step(net, images, labels, optimiser) for images, labels in progress]
        error = 100 * error_rate(net, *test)
        seconds = round(time.perf_counter() - start, 1)
        cell["history"].append({"loss": float(np.mean(losses)), "test error": round(error, 3), "seconds": seconds})
        save(checkpoint, net, optimiser)
        temporary = result_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(cell, indent=1) + "\n")
        os.replace(temporary, result_file)
        print(f"{stem}: epoch {epoch + 1}, loss {np.mean(losses):.4f}, test error {error:.2f} %, {seconds} s", flush=True)
