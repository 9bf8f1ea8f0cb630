"""Maps applied one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.stages import Stage
from .affine import Affine
from .base import Transform, from_fields, read_only, to_fields
from .projective import Projective


class Composition(Transform):
    """Several maps as one; usually written ``last @ first``.

    A warp runs through all of them and samples the image once.

    Parameters
    ----------
    parts : sequence of Transform
        In the order they are applied. Compositions among them are taken apart.
    """

    _json_name = "composition"

    def __init__(self, parts: Sequence[Transform]) -> None:
        if not isinstance(parts, Iterable):
            raise TypeError(f"parts must be a sequence of transforms, got {type(parts).__name__}")
        flat: list[Transform] = []
        for part in parts:
            if not isinstance(part, Transform):
                raise TypeError(f"parts must be transforms, got {type(part).__name__}")
            flat.extend(part.parts if isinstance(part, Composition) else (part,))
        if not flat:
            raise ValueError("parts must hold at least one transform")
        self.parts: tuple[Transform, ...] = tuple(flat)

    @property
    def inverse(self) -> Composition:
        return Composition([part.inverse for part in reversed(self.parts)])

    @property
    def params(self) -> NDArray[np.float64]:
        """The parameters of the parts, in the order they are applied."""
        return read_only(np.concatenate([part.params for part in self.parts]))

    def with_params(self, params: ArrayLike) -> Composition:
        lengths = [part.params.size for part in self.parts]
        array = checks.finite_array("params", params, (sum(lengths),))
        pieces = np.split(array, np.cumsum(lengths)[:-1])
        return Composition([part.with_params(piece) for part, piece in zip(self.parts, pieces, strict=True)])

    def simplified(self) -> Transform:
        """The same map with neighbouring matrices multiplied; a single matrix if that is all there is.

        Two homographies stay two: their product has values beyond the first one's horizon.
        """
        merged: list[Transform] = []
        for part in self.parts:
            before = merged[-1] if merged else None
            both = isinstance(part, Projective) and isinstance(before, Projective)
            if isinstance(part, Affine | Projective) and isinstance(before, Affine | Projective) and not both:
                merged.pop()
                matrix = np.matmul(_homogeneous(part), _homogeneous(before))
                both_affine = np.array_equal(matrix[2], [0, 0, 1])
                merged.append(Affine(matrix) if both_affine else Projective(matrix))
            else:
                merged.append(part)
        return merged[0] if len(merged) == 1 else Composition(merged)

    def _stages(self) -> tuple[Stage, ...]:
        return tuple(stage for part in self.parts for stage in part._stages())

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        lengths = [sum(stage.params.size for stage in part._stages()) for part in self.parts]
        pieces = np.split(packed, np.cumsum(lengths)[:-1], axis=1)
        return np.hstack([part.pull_packed(piece) for part, piece in zip(self.parts, pieces, strict=True)])

    def _to_dict(self) -> dict[str, Any]:
        return {"parts": [to_fields(part) for part in self.parts]}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Composition:
        if not isinstance(fields["parts"], list):
            raise ValueError(f"parts must be a list, got {type(fields['parts']).__name__}")
        return cls([from_fields(part) for part in fields["parts"]])

    def __repr__(self) -> str:
        return " @ ".join(repr(part) for part in reversed(self.parts))


def _homogeneous(part: Affine | Projective) -> NDArray[np.float64]:
    return np.vstack([part.matrix, [0, 0, 1]]) if isinstance(part, Affine) else part.matrix
