"""Slow float64 oracles in plain NumPy, written from the definitions: no line of warpkit runs here.

Points are (x, y) = (column, row); borders are made by ``numpy.pad`` itself.
"""

import math

import numpy as np

MODES = ("constant", "edge", "symmetric", "reflect", "wrap")
INTERPOLATIONS = ("bilinear", "nearest")


def pixel_grid(rows, columns):
    """(rows, columns, 2): the position (x, y) of each pixel."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(np.float64)


def sample(picture, points, interpolation="bilinear", mode="constant", cval=0.0):
    """Unrounded float64 samples of ``picture`` (H, W[, C]) at ``points`` (..., 2); ``cval`` where a point is not finite."""
    height, width = picture.shape[:2]
    missing = ~np.isfinite(points).all(axis=-1)
    x = _near_image(np.where(missing, 0.0, points[..., 0]), width, mode)
    y = _near_image(np.where(missing, 0.0, points[..., 1]), height, mode)
    padded, first_x, first_y = _padded(picture, x, y, mode, cval)
    if interpolation == "nearest":
        values = padded[_nearest(y) - first_y, _nearest(x) - first_x]
    else:
        values = _bilinear(padded, x, y, first_x, first_y)
    values[missing] = cval
    return values


def _near_image(coordinates, size, mode):
    """The same coordinates, those far away replaced by others with the same taps, so that a small pad reaches all."""
    if mode in ("constant", "edge"):
        return np.clip(coordinates, -3.0, size + 2.0)
    period = {"symmetric": 2 * size, "reflect": max(2 * size - 2, 1), "wrap": size}[mode]
    # fmod is exact in floating point, however large the coordinate
    return np.where(np.abs(coordinates) <= 2 * size, coordinates, np.fmod(coordinates, period))


def _padded(picture, x, y, mode, cval):
    """``picture`` in float64, padded to hold all taps of the coordinates, and the (x, y) of its first pixel."""
    height, width = picture.shape[:2]
    widths = []
    for coordinates, size in ((y, height), (x, width)):
        before = max(0, -int(np.floor(coordinates.min())))
        after = max(0, int(np.floor(coordinates.max())) + 2 - size)
        widths.append((before, after))
    options = {"constant_values": cval} if mode == "constant" else {}
    channel_axis = [(0, 0)] * (picture.ndim - 2)
    padded = np.pad(picture.astype(np.float64), [*widths, *channel_axis], mode=mode, **options)
    return padded, -widths[1][0], -widths[0][0]


def _nearest(coordinates):
    """The nearest integer, at halves the larger one; ``floor(x + 0.5)`` would round up the number just below a half."""
    whole = np.floor(coordinates)
    return (whole + (coordinates - whole >= 0.5)).astype(np.int64)


def _bilinear(padded, x, y, first_x, first_y):
    """Sum over the four neighbours of weight times value; neighbours of weight zero take no part."""
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    channel_axis = (1,) * (padded.ndim - 2)
    total = np.zeros((*x.shape, *padded.shape[2:]))
    for row in (top, top + 1):
        for column in (left, left + 1):
            weight = ((1 - np.abs(x - column)) * (1 - np.abs(y - row))).reshape(*x.shape, *channel_axis)
            total += weight * np.where(weight == 0, 0.0, padded[row - first_y, column - first_x])
    return total


def cubic_kernel(distance, a=-0.5):
    """Keys (1981), eq. 15 with a free."""
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def mitchell_netravali(distance, b, c):
    """Mitchell & Netravali (1988), eq. 8."""
    d = np.abs(distance)
    near = (12 - 9 * b - 6 * c) * d**3 + (-18 + 12 * b + 6 * c) * d**2 + 6 - 2 * b
    far = (-b - 6 * c) * d**3 + (6 * b + 30 * c) * d**2 + (-12 * b - 48 * c) * d + 8 * b + 24 * c
    return np.where(d < 1, near, np.where(d < 2, far, 0.0)) / 6


def lanczos(distance, lobes):
    """The windowed sinc function."""
    return np.where(np.abs(distance) < lobes, np.sinc(distance) * np.sinc(distance / lobes), 0.0)


def bicubic(picture, points, mode, cval=0.0):
    return separable(picture, points, cubic_kernel, mode, cval)


def separable(picture, points, kernel, mode, cval=0.0):
    """The sum over all pixels of a padded picture (H, W[, C]), weighted by ``kernel``, a function of the distance: no taps are
    chosen. Weights along each axis are divided by their sum.

    Points at most 8 pixels away; ``cval`` where one is not finite.
    """
    pad = 12
    options = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(picture.astype(float), [(pad, pad)] * 2 + [(0, 0)] * (picture.ndim - 2), mode=mode, **options)
    missing = ~np.isfinite(points).all(axis=-1)
    points = np.where(missing[..., None], 0.0, points)
    along_x = kernel(points[..., 0, None] - np.arange(-pad, picture.shape[1] + pad))
    along_y = kernel(points[..., 1, None] - np.arange(-pad, picture.shape[0] + pad))
    along_x, along_y = (weights / weights.sum(axis=-1, keepdims=True) for weights in (along_x, along_y))
    values = (
        np.einsum("...i,...j,ij->...", along_y, along_x, padded)
        if picture.ndim == 2
        else np.einsum("...i,...j,ijc->...c", along_y, along_x, padded)
    )
    values[missing] = cval
    return values


def with_fill(values, points, height, width, fill):
    """Samples of mode "edge", replaced where the points lie outside the area of the pixels."""
    x, y = points[..., 0], points[..., 1]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    return np.where(inside.reshape(*inside.shape, *(1,) * (values.ndim - 2)), values, fill)


def antialiased(at_points, points, variance=1 / 6):
    """The mean over each pixel's footprint of ``at_points``, which takes points (n, 2) to values.

    ``points`` (rows + 2, columns + 2, 2): those of the output with a frame of one pixel. A footprint is spanned by half the way
    between the left and right, and between the upper and lower neighbour, each cut so that the variance of the kernel's and the
    box's widths together is that of the whole step, but for a share that falls with its length.
    """
    here = points[1:-1, 1:-1]
    steps = [(points[1:-1, 2:] - points[1:-1, :-2]) / 2, (points[2:, 1:-1] - points[:-2, 1:-1]) / 2]
    lengths = [np.linalg.norm(step, axis=-1) for step in steps]
    averaged = []
    for step, length in zip(steps, lengths, strict=True):
        long = np.maximum(length, 1)
        part = np.sqrt(np.maximum(0, 1 - 12 * variance / long**2 + (12 * variance - 1) / long**4))
        averaged.append(step * part[..., None])
    counts = [np.clip(np.ceil(length - 1e-6), 1, 64).astype(int) for length in lengths]
    means = {}
    for place in np.ndindex(here.shape[:2]):
        across, down = counts[0][place], counts[1][place]
        u, v = np.meshgrid((np.arange(across) + 0.5) / across - 0.5, (np.arange(down) + 0.5) / down - 0.5)
        samples = here[place] + u[..., None] * averaged[0][place] + v[..., None] * averaged[1][place]
        means[place] = at_points(samples.reshape(-1, 2)).mean(axis=0)
    return np.array([means[place] for place in np.ndindex(here.shape[:2])]).reshape(*here.shape[:2], *means[0, 0].shape)


def taps_inside(points, height, width):
    """Which points have all four bilinear taps inside a picture."""
    x, y = points[..., 0], points[..., 1]
    return (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)


def as_pixels(values, dtype):
    """Samples as pixels of ``dtype``: integers to the nearest, halves up."""
    dtype = np.dtype(dtype)
    return np.floor(values + 0.5).astype(dtype) if dtype.kind in "bui" else values.astype(dtype)


def affine(matrix, points):
    """(a x + b y + c, d x + e y + f) for a matrix (2, 3)."""
    (a, b, c), (d, e, f) = matrix
    x, y = points[..., 0], points[..., 1]
    return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)


def homography(matrix, points):
    """(X / w, Y / w) for a matrix (3, 3); NaN where w <= 0."""
    x, y = points[..., 0], points[..., 1]
    upper, middle, lower = (row[0] * x + row[1] * y + row[2] for row in matrix)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mapped = np.stack([upper / lower, middle / lower], axis=-1)
    mapped[lower <= 0] = np.nan
    return mapped


def displacement_field(field, points):
    """Point plus displacement, bilinear between the field's samples, constant beyond its border."""
    return points + sample(field, points, "bilinear", "edge")


def thin_plate_spline(control_points, values, points, smoothing=0.0):
    """Bookstein's spline: minimise bending subject to f(control_points) = values.

    The smoothing is added to the kernel matrix of the control points scaled to fit the square [-1, 1].
    """
    low, high = control_points.min(axis=0), control_points.max(axis=0)
    scale = 2 / (high - low).max()
    knots = (control_points - (low + high) / 2) * scale
    count = len(knots)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _thin_plate_kernel(knots, knots) + smoothing * np.eye(count)
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = knots
    system[count + 1 :, :count] = knots.T
    solution = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    flat = (points.reshape(-1, 2) - (low + high) / 2) * scale
    basis = np.column_stack([_thin_plate_kernel(flat, knots), np.ones(len(flat)), flat])
    return (basis @ solution).reshape(points.shape)


def _thin_plate_kernel(points, knots):
    """U = r^2 ln r^2 between all pairs, 0 at r = 0."""
    squared = ((points[:, None] - knots[None]) ** 2).sum(axis=-1)
    return squared * np.log(np.where(squared == 0, 1.0, squared))


def torch_grid_sample(picture, grid, mode, padding_mode, align_corners):
    """PyTorch's ``grid_sample`` of one plane (H, W) at normalised points (rows, columns, 2), one Python float at a time.

    Written from PyTorch's documentation; that the border rules hold for each tap of bicubic, but before the rounding of nearest
    and before the weights of bilinear, is what PyTorch does.
    """
    interpolate = {"bilinear": _torch_bilinear, "nearest": _torch_nearest, "bicubic": _torch_bicubic}[mode]
    output = np.empty(grid.shape[:2])
    for index in np.ndindex(*output.shape):
        x, y = (_torch_pixel(float(t), size, align_corners) for t, size in zip(grid[index], picture.shape[::-1], strict=True))
        output[index] = interpolate(picture, x, y, padding_mode, align_corners)
    return output


def _torch_pixel(normalised, size, align_corners):
    """-1 and 1 are the centres of the outermost pixels, or else their outer borders; the centre of the first pixel is 0."""
    return (normalised + 1) / 2 * (size - 1) if align_corners else ((normalised + 1) * size - 1) / 2


def _torch_inside(coordinate, size, padding_mode, align_corners):
    """A coordinate after the border rule: as it is for "zeros", in [0, size - 1] for the others."""
    if padding_mode == "zeros":
        return coordinate
    if padding_mode == "reflection":
        low, high = (0, size - 1) if align_corners else (-0.5, size - 0.5)
        away = abs(coordinate - low) % (2 * (high - low)) if high > low else 0
        coordinate = low + min(away, 2 * (high - low) - away)
    return min(max(coordinate, 0), size - 1)


def _torch_value(picture, column, row):
    height, width = picture.shape
    return float(picture[int(row), int(column)]) if 0 <= row < height and 0 <= column < width else 0.0


def _torch_nearest(picture, x, y, padding_mode, align_corners):
    """Python's ``round`` takes halves to the even integer, as PyTorch does."""
    height, width = picture.shape
    column = round(_torch_inside(x, width, padding_mode, align_corners))
    row = round(_torch_inside(y, height, padding_mode, align_corners))
    return _torch_value(picture, column, row)


def _torch_bilinear(picture, x, y, padding_mode, align_corners):
    height, width = picture.shape
    x = _torch_inside(x, width, padding_mode, align_corners)
    y = _torch_inside(y, height, padding_mode, align_corners)
    left, top = math.floor(x), math.floor(y)
    return sum(
        (1 - abs(x - column)) * (1 - abs(y - row)) * _torch_value(picture, column, row)
        for row in (top, top + 1)
        for column in (left, left + 1)
    )


def _torch_bicubic(picture, x, y, padding_mode, align_corners):
    height, width = picture.shape
    left, top = math.floor(x), math.floor(y)
    total = 0.0
    for row in range(top - 1, top + 3):
        for column in range(left - 1, left + 3):
            tap = (
                _torch_inside(column, width, padding_mode, align_corners),
                _torch_inside(row, height, padding_mode, align_corners),
            )
            total += _keys(x - column) * _keys(y - row) * _torch_value(picture, *tap)
    return total


def _keys(distance, a=-0.75):
    """The weight of cubic convolution (Keys 1981) with PyTorch's a."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0
