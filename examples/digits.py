"""Hand-written digits for the examples: MNIST from a folder that has its four files, or scikit-learn's small set."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Digits(NamedTuple):
    """Pictures (N, 28, 28) uint8 and what they show."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path: Path) -> np.ndarray:
    """An array of unsigned bytes in MNIST's file format (.gz or plain)."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    rank = content[3]
    shape = tuple(np.frombuffer(content, ">i4", rank, 4))
    if len(content) != 4 + 4 * rank + np.prod(shape, dtype=np.int64):
        raise ValueError(f"{path} should hold {shape} bytes, but does not")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_digits(folder: Path | None) -> Digits:
    """MNIST from ``folder``; without one, the 1,797 digits of scikit-learn, enlarged to 28 x 28, every fifth for the test."""
    if folder is not None:
        arrays = []
        for name in FILES:
            found = [path for path in (folder / f"{name}.gz", folder / name) if path.exists()]
            if not found:
                raise FileNotFoundError(f"{folder} has no {name}.gz")
            arrays.append(read_idx(found[0]))
        return Digits("MNIST", *arrays[:2], *arrays[2:])
    from sklearn.datasets import load_digits as load_small

    import warpkit as wk

    small = load_small()
    pictures = np.clip(small.images * (255 / 16), 0, 255).astype(np.uint8)
    scale, shift = 0.4, 3.5 - 0.4 * 13.5  # eight pixels become twenty, in the middle, as MNIST's digits lie
    enlarged = wk.warp_batch(pictures, wk.Affine([[scale, 0, shift], [0, scale, shift]]), (28, 28))
    test = np.arange(len(enlarged)) % 5 == 0
    labels = small.target.astype(np.uint8)
    return Digits("scikit-learn digits", enlarged[~test], labels[~test], enlarged[test], labels[test])
