"""Other conventions of coordinates, translated: the only place where they exist.

warpkit's own: (x, y) = (column, row) in pixels, the centre of the top-left pixel is (0, 0).

* *Normalised* coordinates (Jaderberg et al. 2015, PyTorch) run from -1 to 1 over the picture. With ``align_corners=True``
  -1 and 1 are the centres of the outermost pixels, with ``False`` their outer borders.
* *Corner-origin* coordinates (GDAL, ImageMagick, Pillow, DALI) count in pixels from the top-left corner of the top-left
  pixel, whose centre is then (1/2, 1/2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .transforms import Affine, Projective


def from_normalized(
    theta: ArrayLike, input_shape: tuple[int, int], output_shape: tuple[int, int], *, align_corners: bool
) -> Affine | Projective:
    """The inverse map in pixels that a normalised ``theta`` stands for.

    Parameters
    ----------
    theta : (2, 3) or (3, 3)
        Takes normalised points of the output to normalised points of the input, as ``torch.nn.functional.affine_grid`` does.
    input_shape, output_shape : (rows, columns)
    align_corners : bool
        See the module.

    Returns
    -------
    Affine for (2, 3), Projective for (3, 3)

    Raises
    ------
    ValueError
        If theta is not finite, singular or of another shape.
    """
    array = checks.finite_array("theta", theta)
    if array.shape not in ((2, 3), (3, 3)):
        raise ValueError(f"theta must have shape (2, 3) or (3, 3), got {array.shape}")
    matrix = array if len(array) == 3 else np.vstack([array, [0, 0, 1]])
    matrix = (
        pixels_from_normalized("input_shape", input_shape, align_corners)
        @ matrix
        @ normalized_from_pixels("output_shape", output_shape, align_corners)
    )
    return Affine(matrix[:2]) if len(array) == 2 else Projective(matrix)


def to_normalized(
    inverse_map: Affine | Projective,
    input_shape: tuple[int, int],
    output_shape: tuple[int, int],
    *,
    align_corners: bool,
) -> NDArray[np.float64]:
    """The normalised theta of an inverse map in pixels: (2, 3) or, for Projective, (3, 3); undoes :func:`from_normalized`."""
    if not isinstance(inverse_map, Affine | Projective):
        raise TypeError(f"inverse_map must be Affine or Projective, got {type(inverse_map).__name__}")
    is_affine = isinstance(inverse_map, Affine)
    matrix = np.vstack([inverse_map.matrix, [0, 0, 1]]) if is_affine else inverse_map.matrix
    theta = (
        normalized_from_pixels("input_shape", input_shape, align_corners)
        @ matrix
        @ pixels_from_normalized("output_shape", output_shape, align_corners)
    )
    return theta[:2] if is_affine else theta


def from_corner_origin(matrix: ArrayLike) -> Affine | Projective:
    """The map that a matrix (2, 3) or (3, 3) on corner-origin coordinates stands for: T(-1/2) M T(+1/2)."""
    return _shifted(matrix, 0.5)


def to_corner_origin(transform: Affine | Projective) -> NDArray[np.float64]:
    """The matrix on corner-origin coordinates of a map; undoes :func:`from_corner_origin`."""
    if not isinstance(transform, Affine | Projective):
        raise TypeError(f"transform must be Affine or Projective, got {type(transform).__name__}")
    return _shifted(transform.matrix, -0.5).matrix


def from_pillow(data: ArrayLike) -> Affine | Projective:
    """The inverse map that the ``data`` of Pillow's ``Image.transform`` stands for.

    Parameters
    ----------
    data : (6,) or (8,)
        Six numbers for ``AFFINE``: ``(a x + b y + c, d x + e y + f)``; eight for ``PERSPECTIVE``: both divided by
        ``g x + h y + 1``. Output to image, from the corner of the top-left pixel.

    Raises
    ------
    ValueError
        If data is not finite, singular or of another length. (``QUAD``'s eight numbers mean something else.)
    """
    numbers = checks.finite_array("data", data)
    if numbers.shape not in ((6,), (8,)):
        raise ValueError(f"data must be six numbers (AFFINE) or eight (PERSPECTIVE), got shape {numbers.shape}")
    return from_corner_origin(numbers.reshape(2, 3) if len(numbers) == 6 else np.append(numbers, 1.0).reshape(3, 3))


def to_pillow(inverse_map: Affine | Projective) -> tuple[float, ...]:
    """The ``data`` for Pillow's ``AFFINE`` (6 numbers) or, for Projective, ``PERSPECTIVE`` (8); undoes :func:`from_pillow`.

    Raises
    ------
    ValueError
        If the corner of the top-left pixel is at or beyond the homography's horizon, which Pillow's numbers cannot say.
    """
    matrix = to_corner_origin(inverse_map)
    if len(matrix) == 3:
        if not matrix[2, 2] > 0:
            raise ValueError("inverse_map must have the corner of the top-left pixel in front of its horizon for Pillow")
        matrix = matrix / matrix[2, 2]
    return tuple(matrix.reshape(-1)[:8].tolist())


def from_geotransforms(source: ArrayLike, output: ArrayLike) -> Affine:
    """The inverse map between two rasters on one map of the world, from GDAL's geotransforms.

    Parameters
    ----------
    source, output : (6,)
        ``(x0, dx per column, dx per row, y0, dy per column, dy per row)`` in the same coordinate reference system, (x0, y0)
        being the corner of the top-left pixel, as ``GetGeoTransform`` returns it.

    Returns
    -------
    Affine
        Takes pixels of the output raster to pixels of the source, both from their centres.

    Raises
    ------
    ValueError
        If a geotransform is not finite, singular or of another length.
    """
    maps = []
    for name, numbers in (("source", source), ("output", output)):
        matrix = checks.finite_array(name, numbers, (6,)).reshape(2, 3)[:, [1, 2, 0]]
        checks.not_singular(name, matrix[:, :2])
        maps.append(matrix)
    from_source, from_output = maps
    # the corners' difference first: coordinates of the world are large
    from_output[:, 2] -= from_source[:, 2]
    transform = from_corner_origin(np.linalg.solve(from_source[:, :2], from_output))
    assert isinstance(transform, Affine)
    return transform


def _shifted(matrix: ArrayLike, shift: float) -> Affine | Projective:
    """T(-shift) M T(+shift)."""
    array = checks.finite_array("matrix", matrix)
    if array.shape not in ((2, 3), (3, 3)):
        raise ValueError(f"matrix must have shape (2, 3) or (3, 3), got {array.shape}")
    full = array if len(array) == 3 else np.vstack([array, [0, 0, 1]])
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = shift, -shift
    full = back @ full @ there
    return Affine(full[:2]) if len(array) == 2 else Projective(full)


def scale_and_offset(size: int, align_corners: bool) -> tuple[float, float]:
    """pixel = scale * normalised + offset, along an axis of ``size`` pixels."""
    return ((size - 1) / 2 if align_corners else size / 2), (size - 1) / 2


def pixels_from_normalized(name: str, shape: tuple[int, int], align_corners: bool) -> NDArray[np.float64]:
    """The matrix (3, 3) from normalised points to pixels of a picture of ``shape`` (rows, columns), ``name`` in errors."""
    rows, columns = checks.shape_2d(name, shape)
    (scale_x, offset_x), (scale_y, offset_y) = (scale_and_offset(size, align_corners) for size in (columns, rows))
    # PyTorch has every normalised coordinate at the centre of an axis of one pixel. A scale that is next to nothing does the
    # same, and the map keeps an inverse.
    scale_x, scale_y = scale_x or 2.0**-40, scale_y or 2.0**-40
    return np.array([[scale_x, 0, offset_x], [0, scale_y, offset_y], [0, 0, 1]])


def normalized_from_pixels(name: str, shape: tuple[int, int], align_corners: bool) -> NDArray[np.float64]:
    """The inverse of :func:`pixels_from_normalized`."""
    matrix = pixels_from_normalized(name, shape, align_corners)
    scale, offset = np.diag(matrix), matrix[:, 2]
    return np.array([[1 / scale[0], 0, -offset[0] / scale[0]], [0, 1 / scale[1], -offset[1] / scale[1]], [0, 0, 1]])
