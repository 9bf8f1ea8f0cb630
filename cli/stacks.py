"""What the pictures of a stack are compared with; each gives their inverse maps, from the first picture's canvas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from .errors import PictureError
from .registering import Agreement, How, colours, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform


_ITSELF = Agreement(1.0, 0.0)


class Target(Protocol):
    """What pictures are compared with."""

    canvas: tuple[int, int]
    """Rows and columns of the first picture"""

    def place(self, pixels: NDArray[Any]) -> tuple[Transform, Agreement]:
        """A picture's inverse map, and how well it agrees with its target; PictureError if it cannot be aligned."""


class ToFirst:
    """The first picture that comes, which stays as it is."""

    canvas = (1, 1)

    def __init__(self, how: How) -> None:
        self._how = how
        self._first: NDArray[Any] | None = None

    def place(self, pixels: NDArray[Any]) -> tuple[Transform, Agreement]:
        import warpkit as wk

        if self._first is None:
            self._first, self.canvas = pixels, pixels.shape[:2]
            return wk.Affine.identity(), _ITSELF
        found = register(pixels, self._first, self._how)
        return found.transform, Agreement.of(found)


class ToPrevious:
    """The last picture that could be aligned, through the maps of all before it."""

    canvas = (1, 1)

    def __init__(self, how: How) -> None:
        self._how = how
        self._previous: NDArray[Any] | None = None
        self._map: Transform

    def place(self, pixels: NDArray[Any]) -> tuple[Transform, Agreement]:
        import warpkit as wk

        if self._previous is None:
            self._map, agreement, self.canvas = wk.Affine.identity(), _ITSELF, pixels.shape[:2]
        else:
            found = register(pixels, self._previous, self._how)
            self._map, agreement = wk.Composition([self._map, found.transform]).simplified(), Agreement.of(found)
        self._previous = pixels
        return self._map, agreement


class ToMean:
    """The mean of all ``pictures`` that can be aligned to the first of them."""

    def __init__(self, pictures: Iterable[NDArray[Any]], how: How) -> None:
        import numpy as np

        import warpkit as wk

        self._how, target = how, ToFirst(how)
        total, count = np.zeros((1, 1, 0)), np.zeros((1, 1, 1))
        for pixels in pictures:
            try:
                inverse_map, _ = target.place(pixels)
            except PictureError:
                continue
            picture = colours(pixels).astype(np.float32)
            warped, seen = wk.warp_weighted(picture, np.ones(pixels.shape[:2]), inverse_map, target.canvas)
            if total.size == 0:
                total, count = np.zeros(warped.shape), np.zeros((*target.canvas, 1))
            if warped.shape == total.shape:  # greys have no part in a mean of colours
                total += warped * seen[..., None]
                count += seen[..., None]
        self.canvas = target.canvas
        self._mean, self._known = total / np.maximum(count, 1e-9), count[..., 0] > 0

    def place(self, pixels: NDArray[Any]) -> tuple[Transform, Agreement]:
        found = register(pixels, self._mean, self._how, known=self._known)
        return found.transform, Agreement.of(found)
