"""A transform as kernels take it: a table of stages and one array with all their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import maps

_NANOSECONDS = {
    maps.AFFINE: 0.3,
    maps.PROJECTIVE: 0.8,
    maps.DISPLACEMENT: 10.0,
    maps.POLAR: 10.0,
    maps.SWIRL: 10.0,
    maps.CYLINDRICAL: 8.0,
    maps.BROWN_CONRADY: 5.0,
    maps.FISHEYE: 20.0,
    maps.PIECEWISE_AFFINE: 15.0,
}


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view: kernels take all their inputs so, or Numba would compile one more variant for arrays that are."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


class Stage(NamedTuple):
    """One map of a pipeline: its kind (see :mod:`maps`) and its parameters, float64 and contiguous."""

    kind: int
    params: NDArray[np.float64]

    @property
    def nanoseconds(self) -> float:
        """Rough time per point, good enough to choose how much work one call should hold."""
        kind = abs(self.kind)
        if kind == maps.THIN_PLATE:
            time = 2.0 + 2.0 * float(self.params[0])
        elif kind == maps.POLYNOMIAL:
            time = 4.0 * float(self.params[0] + 1) ** 2
        else:
            time = _NANOSECONDS[kind]
        return 8.0 * time if self.kind < 0 and kind not in maps.HAVE_FORMULA_FOR_INVERSE else time


class Pipeline(NamedTuple):
    """Stages in the order they are applied.

    ``table`` (stages, 2) int64 holds each one's kind and the place where its parameters begin in a row of ``params``
    (1 or N, length) float64.
    """

    table: NDArray[np.int64]
    params: NDArray[np.float64]
    nanoseconds: float


def pack(stages: Sequence[Stage]) -> Pipeline:
    """Lay out the stages of one transform; a single stage is not copied."""
    lengths = [stage.params.size for stage in stages]
    starts = np.cumsum([0, *lengths[:-1]])
    table = np.array([(stage.kind, start) for stage, start in zip(stages, starts, strict=True)], dtype=np.int64)
    params = stages[0].params if len(stages) == 1 else np.concatenate([stage.params for stage in stages])
    return Pipeline(table, frozen(params.reshape(1, -1)), sum(stage.nanoseconds for stage in stages))
