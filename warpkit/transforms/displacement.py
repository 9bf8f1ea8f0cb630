"""Displacement fields."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.field_maps import DISPLACEMENT_HEADER
from ..kernels.maps import DISPLACEMENT
from ..kernels.stages import Stage
from .base import Transform, read_only
from .inverse import Inverse
from .thin_plate import ThinPlateSpline


class DisplacementField(Transform):
    """``(x, y) -> (x, y) + field(x, y)``.

    Parameters
    ----------
    field : (H, W, 2)
        (dx, dy) in pixels at the pixel centres of an H x W picture. Between them the field is bilinear, beyond its border it
        keeps the border's value.

    Raises
    ------
    ValueError
        If the field is empty, not finite or of another shape.
    """

    _json_name = "displacement_field"

    def __init__(self, field: ArrayLike) -> None:
        array = checks.finite_array("field", field, (None, None, 2))
        if array.size == 0:
            raise ValueError(f"field must not be empty, got shape {array.shape}")
        self._packed = read_only(np.concatenate([array.shape[:2], array.reshape(-1)]))

    @property
    def field(self) -> NDArray[np.float64]:
        """(H, W, 2) float64, read-only."""
        rows, columns = int(self._packed[0]), int(self._packed[1])
        return self._packed[DISPLACEMENT_HEADER:].reshape(rows, columns, 2)

    @classmethod
    def elastic(cls, shape: tuple[int, int], alpha: float, sigma: float, seed: int) -> DisplacementField:
        """A smooth random field (Simard, Steinkraus and Platt 2003).

        Uniform noise in [-1, 1] for each pixel and axis, smoothed by a Gaussian, times ``alpha``.

        Parameters
        ----------
        shape : (rows, columns)
        alpha : float
            Strength, at least 0. The displacements' standard deviation is about ``0.16 alpha / sigma`` pixels.
        sigma : float
            The Gaussian's standard deviation in pixels, above 0.
        seed : int
            The same seed gives the same field.
        """
        rows, columns = checks.shape_2d("shape", shape)
        alpha, sigma = checks.finite_number("alpha", alpha), checks.finite_number("sigma", sigma)
        if alpha < 0:
            raise ValueError(f"alpha must not be negative, got {alpha}")
        if sigma <= 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        seed = checks.integer("seed", seed)
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        # The filter is periodic: a margin keeps opposite borders from resembling each other.
        margin = 4 * sigma
        needed = 64 * (rows + margin) * (columns + margin)
        checks.fits_in_memory(f"shape: an elastic field of {rows} x {columns} with sigma {sigma:g}", needed)
        padded = (rows + int(np.ceil(margin)), columns + int(np.ceil(margin)))
        random = np.random.default_rng(seed)
        frequency_y, frequency_x = np.fft.fftfreq(padded[0])[:, None], np.fft.rfftfreq(padded[1])
        gaussian = np.exp(-2 * (np.pi * sigma) ** 2 * (frequency_x**2 + frequency_y**2))
        field = np.empty((rows, columns, 2))
        for axis in range(2):
            noise = np.fft.rfft2(random.uniform(-1, 1, padded))
            field[..., axis] = np.fft.irfft2(noise * gaussian, s=padded)[:rows, :columns]
        return cls(alpha * field)

    @classmethod
    def from_transform(cls, transform: Transform, shape: tuple[int, int]) -> DisplacementField:
        """Any map, read off at the pixel centres of a picture of ``shape`` (rows, columns).

        Raises
        ------
        ValueError
            If the map has no value at some pixel.
        """
        if not isinstance(transform, Transform):
            raise TypeError(f"transform must be a transform, got {type(transform).__name__}")
        rows, columns = checks.shape_2d("shape", shape)
        checks.fits_in_memory(f"shape: a field of {rows} x {columns}", 6 * 8 * rows * columns)
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(np.float64)
        field = transform(grid) - grid
        missing = np.isnan(field).any(axis=2).sum()
        if missing:
            raise ValueError(f"transform must have a value at every pixel, got none at {missing} of {rows * columns}")
        return cls(field)

    @classmethod
    def fit(cls, src: ArrayLike, dst: ArrayLike, shape: tuple[int, int], smoothing: float = 0.0) -> DisplacementField:
        """The field of ``shape`` (rows, columns) read off the thin-plate spline that takes ``src`` to ``dst``."""
        return cls.from_transform(ThinPlateSpline.fit(src, dst, smoothing), shape)

    @property
    def inverse(self) -> Inverse:
        """The map that undoes this one, found by iteration: see :class:`Inverse`."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """The field, row by row: 2 H W numbers."""
        return self._packed[DISPLACEMENT_HEADER:]

    def with_params(self, params: ArrayLike) -> DisplacementField:
        return DisplacementField(checks.finite_array("params", params, (self.params.size,)).reshape(self.field.shape))

    def _stages(self) -> tuple[Stage, ...]:
        return (Stage(DISPLACEMENT, self._packed),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return packed[:, DISPLACEMENT_HEADER:]

    def _to_dict(self) -> dict[str, Any]:
        data = base64.b64encode(self.field.astype("<f8").tobytes()).decode("ascii")
        return {"shape": list(self.field.shape), "float64_base64": data}

    @classmethod
    def _from_dict(cls, fields: dict[str, Any]) -> DisplacementField:
        try:
            data = base64.b64decode(fields["float64_base64"], validate=True)
            field = np.frombuffer(data, dtype="<f8").reshape(fields["shape"])
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"float64_base64 must hold the numbers of an array of shape {fields['shape']}: {error}") from None
        return cls(field)

    def __repr__(self) -> str:
        rows, columns, _ = self.field.shape
        return f"DisplacementField({rows} x {columns}, largest shift {np.hypot(*self.params.reshape(-1, 2).T).max():.4g} px)"
