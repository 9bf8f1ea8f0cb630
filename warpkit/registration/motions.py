"""What steps change: an inverse map, and how the numbers of a step move the fixed picture's points before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..transforms import Affine, Projective, ThinPlateSpline, Transform
from .models import GENERATORS, Matrix, displacements, exponential, normalising


class Penalty(NamedTuple):
    """What a motion costs for each pixel, as a part of the fixed picture's variance: its value, and what it adds to the normal
    equations of a step."""

    cost: float
    matrix: NDArray[np.float64]
    right: NDArray[np.float64]


class Motion(Protocol):
    """An inverse map, in pixels of the full size."""

    @property
    def transform(self) -> Transform: ...

    def at(self, scale: int) -> Transform:
        """The map between pictures that are smaller by ``scale``."""

    def basis(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How each number of a step displaces points (n, 2) of the fixed picture: (P, 2, n); of all steps alike."""

    def moved(self, step: NDArray[np.float64]) -> Motion | None:
        """After a step; None if the map would fold."""

    def slopes(self) -> NDArray[np.float64]:
        """Of the transform's parameters by a step's numbers, where these are 0."""

    def penalty(self) -> Penalty | None: ...


@dataclass(frozen=True)
class MatrixMotion:
    """A matrix (3, 3), and the generators of its model; a step's numbers are pixels, about, at the fixed picture's corners."""

    matrix: Matrix
    generators: NDArray[np.float64]
    shape: tuple[int, int]

    @property
    def transform(self) -> Affine | Projective:
        return self.at(1)

    def at(self, scale: int) -> Affine | Projective:
        sizes = np.array([scale, scale, 1.0])
        matrix = self.matrix * sizes / sizes[:, None]
        return Affine(matrix[:2]) if np.array_equal(matrix[2], [0, 0, 1]) else Projective(matrix)

    def with_model(self, model: str) -> MatrixMotion:
        return replace(self, generators=GENERATORS[model])

    def after(self, change: Matrix) -> MatrixMotion:
        """Of points that ``change``, in normalised coordinates, has moved."""
        to_normal = normalising(self.shape)
        matrix = self.matrix @ np.linalg.inv(to_normal) @ change @ to_normal
        return replace(self, matrix=matrix / matrix[2, 2])

    def basis(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        to_normal = normalising(self.shape)
        return displacements(self.generators, points * to_normal[0, 0] + to_normal[:2, 2])

    def moved(self, step: NDArray[np.float64]) -> MatrixMotion | None:
        pixel = normalising(self.shape)[0, 0]
        trial = self.after(exponential(np.einsum("p,pij->ij", step * pixel, self.generators)))
        w = corners(self.shape) @ trial.matrix[2, :2] + trial.matrix[2, 2]
        return trial if w.min() > 0 and np.linalg.det(trial.matrix) > 0 else None

    def slopes(self) -> NDArray[np.float64]:
        to_normal = normalising(self.shape)
        moved = self.matrix @ np.linalg.inv(to_normal) @ (to_normal[0, 0] * self.generators) @ to_normal
        moved -= moved[:, 2:, 2:] * self.matrix  # the last entry stays 1
        return np.asarray(moved.reshape(len(moved), -1)[:, : self.transform.params.size].T)

    def penalty(self) -> None:
        return None


@dataclass(frozen=True)
class SplineMotion:
    """A thin-plate spline; a step's numbers are the displacements of its control points, row by row."""

    transform: ThinPlateSpline
    shape: tuple[int, int]
    bending: float

    @classmethod
    def on_grid(cls, start: Transform, shape: tuple[int, int], counts: tuple[int, int], bending: float) -> SplineMotion:
        """Control points on a grid of (rows, columns) over the whole picture, placed by another map."""
        y, x = (np.linspace(0, side - 1, count) for side, count in zip(shape, counts, strict=True))
        control_points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        return cls(ThinPlateSpline(control_points, start(control_points)), shape, bending)

    def at(self, scale: int) -> ThinPlateSpline:
        return ThinPlateSpline(self.transform.control_points / scale, self.transform.values / scale)

    def basis(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = _shares(self.transform, points)
        basis = np.zeros((len(shares), 2, 2, len(points)))
        basis[:, 0, 0] = basis[:, 1, 1] = shares
        return basis.reshape(-1, 2, len(points))

    def moved(self, step: NDArray[np.float64]) -> SplineMotion | None:
        control_points = self.transform.control_points
        values = self.transform(control_points + step.reshape(-1, 2))
        trial = self.transform.with_params(values.reshape(-1))
        unfolded = np.linalg.det(trial.jacobian(control_points)) > 0
        return replace(self, transform=trial) if unfolded.all() else None

    def slopes(self) -> NDArray[np.float64]:
        count = len(self.transform.control_points)
        slopes = np.zeros((count, 2, count, 2))
        each = np.arange(count)
        slopes[each, :, each] = self.transform.jacobian(self.transform.control_points)
        return slopes.reshape(2 * count, -1)

    def penalty(self) -> Penalty:
        """The bending energy of the map, lengths measured in halves of the diagonal."""
        scale = normalising(self.shape)[0, 0] ** 2 * self.bending
        energy = np.kron(self.transform.bending_matrix, np.eye(2)) * scale
        pull = energy @ self.transform.params
        return Penalty(float(self.transform.params @ pull), energy, -pull)


def _shares(spline: ThinPlateSpline, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, n): at points, the splines that are 1 at one control point and 0 at the others; two at a time, as x and y."""
    units, count = np.eye(len(spline.control_points)), len(spline.control_points)
    pairs = [units[:, [k, min(k + 1, count - 1)]] for k in range(0, count, 2)]
    shares = [spline.with_params(pair.reshape(-1))(points).T for pair in pairs]
    return np.concatenate(shares)[:count]


def corners(shape: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = shape
    return np.array([(0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)], dtype=np.float64)
