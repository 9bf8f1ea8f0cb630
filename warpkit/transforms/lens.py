"""Lenses: OpenCV's two models of a camera's distortion."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..kernels.lens_maps import DISTORTION
from ..kernels.maps import BROWN_CONRADY, FISHEYE
from ..kernels.stages import Stage
from .base import Transform, read_only
from .inverse import Inverse

L = TypeVar("L", bound="Lens")


class Lens(Transform):
    """From the pixels of a camera without distortion to those of the camera: the inverse map that undistorts its picture."""

    _kind: ClassVar[int]
    _coefficients: ClassVar[tuple[int, ...]]  # how many there may be

    def __init__(self, camera_matrix: ArrayLike, distortion: ArrayLike, new_camera_matrix: ArrayLike | None = None) -> None:
        camera = _camera("camera_matrix", camera_matrix)
        new_camera = camera if new_camera_matrix is None else _camera("new_camera_matrix", new_camera_matrix)
        coefficients = checks.finite_array("distortion", distortion)
        if coefficients.size not in self._coefficients or max(coefficients.shape, default=0) != coefficients.size:
            counts = " or ".join(map(str, self._coefficients))
            raise ValueError(f"distortion must hold {counts} coefficients, got shape {coefficients.shape}")
        self._params = read_only(np.concatenate([camera, new_camera, coefficients.reshape(-1)]))

    @property
    def camera_matrix(self) -> NDArray[np.float64]:
        """(3, 3), of the camera."""
        return _matrix(self._params[:4])

    @property
    def new_camera_matrix(self) -> NDArray[np.float64]:
        """(3, 3), of the camera without distortion."""
        return _matrix(self._params[4:8])

    @property
    def distortion(self) -> NDArray[np.float64]:
        """The coefficients, as many as were given."""
        return self._params[8:]

    @property
    def inverse(self) -> Inverse:
        """From the pixels of the camera to those without distortion, by Newton's method: see :class:`Inverse`."""
        return Inverse(self)

    @property
    def params(self) -> NDArray[np.float64]:
        """(fx, fy, cx, cy) of the camera and of the one without distortion, then the coefficients."""
        return self._params

    def with_params(self: L, params: ArrayLike) -> L:
        array = checks.finite_array("params", params, (self._params.size,))
        return type(self)(_matrix(array[:4]), array[8:], _matrix(array[4:8]))

    def _stages(self) -> tuple[Stage, ...]:
        missing = DISTORTION + max(self._coefficients) - self._params.size
        return (Stage(self._kind, np.append(self._params, np.zeros(missing))),)

    def pull_packed(self, packed: NDArray[np.float64]) -> NDArray[np.float64]:
        return packed[:, : self._params.size]

    def _to_dict(self) -> dict[str, Any]:
        return {
            "camera_matrix": self.camera_matrix.tolist(),
            "distortion": self.distortion.tolist(),
            "new_camera_matrix": self.new_camera_matrix.tolist(),
        }

    @classmethod
    def _from_dict(cls: type[L], fields: dict[str, Any]) -> L:
        return cls(fields["camera_matrix"], fields["distortion"], fields["new_camera_matrix"])

    def __repr__(self) -> str:
        fx, fy, cx, cy = self._params[:4]
        coefficients = ", ".join(f"{k:.6g}" for k in self.distortion)
        return f"{type(self).__name__}(f = ({fx:.6g}, {fy:.6g}), c = ({cx:.6g}, {cy:.6g}), distortion = [{coefficients}])"


class BrownConrady(Lens):
    """A lens with radial and tangential distortion (Brown 1966), OpenCV's standard model.

    A pixel of the camera without distortion is the ray (u, v) = ((x - cx) / fx, (y - cy) / fy) of its matrix, which is bent to
    ``u s + 2 p1 u v + p2 (r^2 + 2 u^2)`` and ``v s + p1 (r^2 + 2 v^2) + 2 p2 u v``, with r^2 = u^2 + v^2 and
    ``s = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)``, and seen by the camera.

    Parameters
    ----------
    camera_matrix : (3, 3)
        ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``, focal lengths above 0.
    distortion : (4,), (5,) or (8,)
        k1, k2, p1, p2[, k3[, k4, k5, k6]]; also as the row or column that OpenCV returns.
    new_camera_matrix : (3, 3), optional
        Of the camera without distortion; by default that of the camera.

    Raises
    ------
    ValueError
        If a matrix is not of that form, or there is another number of coefficients.

    Notes
    -----
    The map of OpenCV's ``initUndistortRectifyMap`` without rectification; its inverse, found by iteration, is
    ``undistortPoints``. A radial polynomial is only true within the picture that it was calibrated in: farther out it may fold,
    here as there.
    """

    _json_name = "brown_conrady"
    _kind = BROWN_CONRADY
    _coefficients = (4, 5, 8)


class Fisheye(Lens):
    """A fisheye lens (Kannala and Brandt 2006), OpenCV's ``fisheye`` model.

    A ray (u, v) of the camera without distortion, see :class:`BrownConrady`, at the angle t = atan(r) from the axis is bent to
    ``t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)``, its distance from the axis.

    Parameters
    ----------
    camera_matrix : (3, 3)
        ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``, focal lengths above 0.
    distortion : (4,)
        k1, k2, k3, k4.
    new_camera_matrix : (3, 3), optional
        Of the camera without distortion; by default that of the camera.

    Raises
    ------
    ValueError
        If a matrix is not of that form, or there is another number of coefficients.

    Notes
    -----
    The map of OpenCV's ``fisheye.initUndistortRectifyMap`` without rectification; its inverse, found by iteration, is
    ``fisheye.undistortPoints``, and has no value (NaN) where a ray would come from the side or from behind.
    """

    _json_name = "fisheye"
    _kind = FISHEYE
    _coefficients = (4,)


def _camera(name: str, matrix: ArrayLike) -> NDArray[np.float64]:
    """fx, fy, cx, cy of a camera matrix."""
    array = checks.finite_array(name, matrix, (3, 3))
    numbers = array[[0, 1, 0, 1], [0, 1, 2, 2]]
    if not np.array_equal(array, _matrix(numbers)):
        raise ValueError(f"{name} must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got {array.tolist()}")
    if not numbers[:2].min() > 0:
        raise ValueError(f"{name} must have focal lengths above 0, got {numbers[0]:g} and {numbers[1]:g}")
    return numbers


def _matrix(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    fx, fy, cx, cy = numbers
    return read_only(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
