"""Figures: labelled pictures side by side, and grids that show where a warp takes a picture. Pixels are BGR, 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform

_CELL_WIDTH = 600  # pictures wider than this get larger letters, margins and lines
_MARGIN = 16
_TITLE_HEIGHT = 34
_INK = (40, 40, 40)
_GRID_COLOUR = (80, 220, 255)
_GRID_LINES = 12
_POINTS_PER_LINE = 400


def as_displayable(pixels: NDArray[Any]) -> NDArray[Any]:
    """Any picture as 8-bit BGR, transparency on white."""
    import numpy as np

    values = pixels.astype(np.float64)
    if pixels.dtype.kind in "iu":
        values *= 255 / np.iinfo(pixels.dtype).max
    else:
        values *= 255
    values = np.atleast_3d(values)
    if values.shape[2] == 4:
        alpha = values[..., 3:] / 255
        values = values[..., :3] * alpha + 255 * (1 - alpha)
    elif values.shape[2] != 3:
        values = np.repeat(values[..., :1], 3, axis=2)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def side_by_side(titles: Sequence[str], pictures: Sequence[NDArray[Any]], columns: int) -> NDArray[Any]:
    """A white sheet with titled pictures in rows."""
    import numpy as np

    enlarge = _enlargement(max(p.shape[1] for p in pictures))
    margin, title_height = round(_MARGIN * enlarge), round(_TITLE_HEIGHT * enlarge)
    cell_height = max(p.shape[0] for p in pictures) + title_height + margin
    cell_width = max(p.shape[1] for p in pictures) + margin
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * cell_height + margin, columns * cell_width + margin, 3), 255, np.uint8)
    for n, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
        top = n // columns * cell_height + title_height
        left = n % columns * cell_width + margin
        _write(sheet, title, left, top - title_height // 3, enlarge)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _enlargement(width: int) -> float:
    return max(1.0, width / _CELL_WIDTH)


def _write(sheet: NDArray[Any], text: str, left: int, baseline: int, enlarge: float) -> None:
    import cv2

    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.55 * enlarge, _INK, round(enlarge), cv2.LINE_AA)


def with_moved_grid(picture: NDArray[Any], inverse_map: Transform, source_shape: tuple[int, int]) -> NDArray[Any]:
    """A warped picture with a regular grid of the original drawn where it has moved to."""
    import cv2
    import numpy as np

    rows, columns = source_shape
    drawn = (picture * 0.55).astype(np.uint8)
    forward = inverse_map.inverse
    along_x, along_y = np.linspace(0, columns - 1, _POINTS_PER_LINE), np.linspace(0, rows - 1, _POINTS_PER_LINE)
    lines = [np.column_stack([np.full_like(along_y, x), along_y]) for x in np.linspace(0, columns - 1, _GRID_LINES)]
    lines += [np.column_stack([along_x, np.full_like(along_x, y)]) for y in np.linspace(0, rows - 1, _GRID_LINES)]
    limit = 4 * max(picture.shape)
    thickness = round(_enlargement(picture.shape[1]))
    for line in lines:
        moved = forward(line)
        seen = np.isfinite(moved).all(axis=1) & (np.abs(moved) < limit).all(axis=1)
        # break the line where it leaves: a homography's horizon, a fold
        for piece in np.split(np.arange(len(line)), np.flatnonzero(np.diff(seen)) + 1):
            if seen[piece[0]]:
                corners = np.round(moved[piece] * 16).astype(np.int32).reshape(-1, 1, 2)
                cv2.polylines(drawn, [corners], False, _GRID_COLOUR, thickness, cv2.LINE_AA, shift=4)
    return drawn
