"""What all transforms have in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.points import map_points, points_jacobian
from ..kernels.stages import Pipeline, Stage, frozen, pack
from ..threads import ComputedOnce, run_ranges

if TYPE_CHECKING:
    from .composition import Composition

Direction = Literal["inverse", "forward"]

_FORMAT = "warpkit-transform"
_VERSION = 1


class Transform(ABC):
    """A map of the plane, ``(x, y) -> (x', y')``: an immutable value.

    Convention:
        points are (x, y) = (column, row) in pixels, the centre of the top-left pixel is (0, 0);
        as the inverse map of a warp, it takes a pixel of the output to the point of the image it is sampled from;
        ``T1 @ T2`` applies ``T2`` first.
    """

    __array_ufunc__ = None  # or numpy would try to multiply by us

    _json_name: ClassVar[str]
    _families: ClassVar[dict[str, type[Transform]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_json_name" in vars(cls):  # not for classes that only refine a family
            Transform._families[cls._json_name] = cls

    @abstractmethod
    def _stages(self) -> tuple[Stage, ...]:
        """The map as kernels take it."""

    @property
    @abstractmethod
    def inverse(self) -> Transform:
        """The map that undoes this one."""

    @property
    @abstractmethod
    def params(self) -> NDArray[np.float64]:
        """All free parameters, 1-D float64, read-only."""

    @abstractmethod
    def with_params(self, params: ArrayLike) -> Transform:
        """The same kind of map with other parameters; 1-D, as many as ``params`` has."""

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gradient of ``params`` (n, P) from that of the packed parameters (n, length), as kernels compute it."""
        return packed

    @abstractmethod
    def _to_dict(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""

    @classmethod
    @abstractmethod
    def _from_dict(cls, fields: dict[str, Any]) -> Transform: ...

    @ComputedOnce
    def pipeline(self) -> Pipeline:
        """The stages packed for kernels."""
        return pack(self._stages())

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where the map sends points.

        Parameters
        ----------
        points : (..., 2)
            Finite (x, y), in pixels.

        Returns
        -------
        (..., 2) float64
            NaN where the map has no value: at or beyond the horizon of a homography, or where an inverse found by iteration
            did not converge.
        """
        array = checks.points("points", points)
        flat = array.reshape(-1, 2)
        out = np.empty_like(flat)
        table, params, nanoseconds = self.pipeline
        run_ranges(lambda first, last: map_points(frozen(flat), out, table, params[0], first, last), len(flat), nanoseconds)
        return out.reshape(array.shape)

    def jacobian(self, points: ArrayLike) -> NDArray[np.float64]:
        """Derivative of the map at points (..., 2): (..., 2, 2), ``[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]``."""
        array = checks.points("points", points)
        table, params, _ = self.pipeline
        flat: NDArray[np.float64] = points_jacobian(frozen(array.reshape(-1, 2)), table, params[0])
        return flat.reshape(*array.shape, 2)

    def __matmul__(self, first: Transform) -> Composition:
        """The composition that applies ``first``, then this map."""
        from .composition import Composition

        if not isinstance(first, Transform):
            return NotImplemented
        return Composition((first, self))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._to_dict() == other._to_dict()

    def __hash__(self) -> int:
        # adding 0 makes -0 and 0, which are equal, the same bits
        return hash((type(self), (self.params + 0.0).tobytes()))

    def __setattr__(self, name: str, value: Any) -> None:
        # what was packed for kernels would not know of it
        if name in self.__dict__:
            raise AttributeError(f"{name} cannot be changed: transforms are values; make another, as with_params does")
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "pipeline"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        restore(self, state)

    def to_json(self, *, direction: Direction | None = None) -> str:
        """The map as JSON text, exact to the last bit.

        ``direction`` notes for readers of the file which way the map goes: ``"inverse"``, target to source points, as
        :func:`warpkit.warp` takes it, or ``"forward"``, source to target points, the motion of the picture.
        """
        if direction not in (None, "inverse", "forward"):
            raise ValueError(f"direction must be 'inverse', 'forward' or None, got {direction!r}")
        head: dict[str, Any] = {"format": _FORMAT, "version": _VERSION}
        if direction is not None:
            head["direction"] = direction
        return json.dumps({**head, **to_fields(self)})


def to_fields(transform: Transform) -> dict[str, Any]:
    """A transform as JSON-ready fields."""
    return {"type": transform._json_name, **transform._to_dict()}


def from_fields(fields: Any) -> Transform:
    """The transform that :func:`to_fields` described."""
    if not isinstance(fields, dict) or "type" not in fields:
        raise ValueError(f"a transform must be a JSON object with a field 'type', got {str(fields)[:80]}")
    family = Transform._families.get(fields["type"]) if isinstance(fields["type"], str) else None
    if family is None:
        known = ", ".join(sorted(Transform._families))
        raise ValueError(f"transform type must be one of {known}, got {str(fields['type'])[:80]!r}")
    try:
        return family._from_dict(fields)
    except KeyError as error:
        raise ValueError(f"transform of type {fields['type']!r} lacks the field {error}") from None


def transform_from_json(text: str) -> Transform:
    """The transform that :meth:`Transform.to_json` wrote.

    Raises
    ------
    ValueError
        If the text is not JSON, not a transform, of a newer version, or has impossible parameters.
    """
    return transform_and_direction(text)[0]


def transform_and_direction(text: str) -> tuple[Transform, Direction | None]:
    """As :func:`transform_from_json`, with the direction that the text notes, if any."""
    if not isinstance(text, str | bytes | bytearray):
        raise TypeError(f"text must be JSON text, got {type(text).__name__}")
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"text is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f'text must be a JSON object with "format": "{_FORMAT}"')
    if document.get("version") != _VERSION:
        raise ValueError(f"version must be {_VERSION}, got {document.get('version')!r}")
    direction = document.get("direction")
    if direction not in (None, "inverse", "forward"):
        raise ValueError(f"direction must be 'inverse' or 'forward', got {direction!r}")
    try:
        return from_fields(document), direction
    except TypeError as error:
        raise ValueError(f"transform has a field of the wrong type: {error}") from None
    except RecursionError:
        raise ValueError("transform is nested too deeply") from None


def read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.flags.writeable = False
    return array


def restore(value: object, state: dict[str, Any]) -> None:
    """Set an object's attributes from a copy or pickle, whose arrays have become writable."""
    value.__dict__.update({name: read_only(item) if isinstance(item, np.ndarray) else item for name, item in state.items()})
