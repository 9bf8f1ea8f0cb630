"""Pictures of where transformers look: a picture, the border of what is taken from it, what comes out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

ORANGE, BLUE = (60, 200, 255), (255, 170, 60)  # blue, green, red, as OpenCV has them
_SUBPIXELS = 4  # bits


def panel(image: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, C) of 0 to 1, enlarged to ``side``, as colours: one channel grey, two red and cyan."""
    levels = np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
    colours = levels[..., [-1, -1, 0]]
    return cv2.resize(colours, (side, side), interpolation=cv2.INTER_NEAREST)


def border(shape: tuple[int, int]) -> np.ndarray:
    """Points along the border of a picture (rows, columns), clockwise from the top left; the first quarter is the top."""
    rows, columns = shape
    line = np.linspace(-0.5, 0.5, 20)
    x, y = (columns - 1) / 2 + columns * line, (rows - 1) / 2 + rows * line
    top, right = np.stack([x, np.full(20, y[0])], -1), np.stack([np.full(20, x[-1]), y], -1)
    bottom, left = np.stack([x[::-1], np.full(20, y[-1])], -1), np.stack([np.full(20, x[0]), y[::-1]], -1)
    return np.concatenate([top, right, bottom, left])


def draw_look(drawing: np.ndarray, image_side: int, transform, shape: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Draw into an enlarged picture the border of what a transformer takes from it; the upper edge is thick."""
    points = (transform(border(shape)) + 0.5) * (drawing.shape[1] / image_side) - 0.5
    points = np.round(points * 2**_SUBPIXELS).astype(np.int32)[:, None]
    cv2.polylines(drawing, [points], True, colour, 1, cv2.LINE_AA, _SUBPIXELS)
    cv2.polylines(drawing, [points[: len(points) // 4]], False, colour, 3, cv2.LINE_AA, _SUBPIXELS)


def sheet(rows: Sequence[Sequence[np.ndarray]], label: str = "") -> np.ndarray:
    """Panels of one size in rows, with thin lines between them, a label to the left."""
    framed = [[np.pad(p, ((1, 1), (1, 1), (0, 0)), constant_values=70) for p in row] for row in rows]
    picture = np.vstack([np.hstack(row) for row in framed])
    if not label:
        return picture
    margin = np.zeros((len(picture), 60, 3), np.uint8)
    cv2.putText(margin, label, (6, len(picture) // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 1, cv2.LINE_AA)
    return np.hstack([margin, picture])
