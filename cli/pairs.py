"""Point pairs from CSV files with the header source_x,source_y,target_x,target_y."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform

HEADER = ["source_x", "source_y", "target_x", "target_y"]
AFFINE_MODELS = ("affine", "similarity", "euclidean", "translation")
MODELS = (*AFFINE_MODELS, "projective", "tps", "polynomial", "piecewise")


def read_pairs(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Source and target points, both (n, 2), in pixels."""
    import numpy as np

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise click.UsageError(f"{path}: cannot be read: {error}") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if sorted(header) != sorted(HEADER):
        raise click.UsageError(f"{path}: the first line must be {','.join(HEADER)}, got {','.join(header)!r}")
    columns = [header.index(name) for name in HEADER]
    numbers = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        try:
            numbers.append([float(row[column]) for column in columns])
        except (ValueError, IndexError):
            raise click.UsageError(f"{path}, line {line}: expected four numbers, got {','.join(row)!r}") from None
    points = np.array(numbers).reshape(-1, 4)
    return points[:, :2], points[:, 2:]


def fit_inverse_map(path: Path, model: str, smoothing: float = 0.0, order: int = 2) -> Transform:
    """The map from target to source points of a file of pairs."""
    import warpkit as wk

    source, target = read_pairs(path)
    try:
        if model in AFFINE_MODELS:
            return wk.Affine.fit(target, source, model)
        if model == "projective":
            return wk.Projective.fit(target, source)
        if model == "polynomial":
            return wk.Polynomial.fit(target, source, order)
        if model == "piecewise":
            return wk.PiecewiseAffine.fit(target, source)
        return wk.ThinPlateSpline.fit(target, source, smoothing)
    except ValueError as error:
        # The library's src is where the inverse map starts: the target points.
        message = str(error).replace("src", "target points").replace("dst", "source points")
        raise click.UsageError(f"{path}: {message}") from None
