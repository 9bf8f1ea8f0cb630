"""The table of test errors, from the files that train.py wrote.

python examples/distorted_mnist/table.py examples/distorted_mnist/results
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Jaderberg et al. 2015, table 1, in percent.
PAPER = {
    "FCN": {"R": 2.1, "RTS": 5.2, "P": 3.1, "E": 3.2, "TC": 13.2},
    "CNN": {"R": 1.2, "RTS": 0.8, "P": 1.5, "E": 1.4, "TC": 3.5},
    "ST-FCN affine": {"R": 1.2, "RTS": 0.8, "P": 1.5, "E": 2.7, "TC": 2.0},
    "ST-FCN projective": {"R": 1.3, "RTS": 0.9, "P": 1.4, "E": 2.6},
    "ST-FCN tps": {"R": 1.1, "RTS": 0.8, "P": 1.4, "E": 2.4},
    "ST-CNN affine": {"R": 0.7, "RTS": 0.5, "P": 0.8, "E": 1.2, "TC": 1.7},
    "ST-CNN projective": {"R": 0.8, "RTS": 0.6, "P": 0.8, "E": 1.3},
    "ST-CNN tps": {"R": 0.7, "RTS": 0.5, "P": 0.8, "E": 1.1},
}
RECIPES = ("R", "RTS", "P", "E", "TC")


def read_cells(folder: Path) -> dict[tuple[str, str], dict]:
    """The finished and unfinished cells of a folder, by model and recipe."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return {(cell["model"], cell["recipe"]): cell for cell in cells}


def table(folder: Path) -> str:
    """Markdown: test error after the last epoch, and the paper's."""
    cells = read_cells(folder)
    recipes = [recipe for recipe in RECIPES if any(key[1] == recipe for key in cells)]
    lines = ["| model | " + " | ".join(recipes) + " |", "|---" * (len(recipes) + 1) + "|"]
    for model, paper in PAPER.items():
        row = [_entry(cells.get((model, recipe)), paper.get(recipe)) for recipe in recipes]
        if any(row):
            lines.append(f"| {model} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _entry(cell: dict | None, paper: float | None) -> str:
    if cell is None:
        return ""
    history = cell["history"]
    text = f"{history[-1]['test error']:.2f}"
    if paper is not None:
        text += f" ({paper})"
    return text if len(history) == cell["epochs"] else f"{text}, {len(history)} of {cell['epochs']} epochs"


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
