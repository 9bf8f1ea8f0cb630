"""The peers: for each, what does the same as warpkit in a case, or nothing where it cannot."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

import warpkit as wk

from .cases import Case
from .timing import Call

_OPENCV = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos4": cv2.INTER_LANCZOS4,
}
_TORCH = ("nearest", "bilinear", "bicubic")  # kornia: the first two
_ORDERS = {"nearest": 0, "bilinear": 1}  # their third order is another kernel


def warpkit(case: Case) -> Call:
    picture, inverse_map, options = case.picture(), case.inverse_map(), {"interpolation": case.interpolation}
    out = np.empty_like(picture)
    if case.family == "grid":
        grid = wk.sampling_grid(inverse_map, case.shape).astype(np.float32)
        return lambda: wk.sample(picture, grid, out=out, **options)
    if case.family == "batch":
        matrices = np.stack([inverse_map.params.reshape(2, 3)] * case.count)
        return lambda: wk.warp_batch(picture, matrices, out=out, **options)
    return lambda: wk.warp(picture, inverse_map, out=out, **options)


def opencv(case: Case) -> Call | None:
    if case.channels > 4 or case.family == "spline" or case.interpolation not in _OPENCV:
        return None
    picture, inverse_map = case.picture(), case.inverse_map()
    rows, columns = case.shape
    flags = _OPENCV[case.interpolation]
    if case.family == "grid":
        grid = wk.sampling_grid(inverse_map, case.shape).astype(np.float32)
        xs, ys = np.ascontiguousarray(grid[..., 0]), np.ascontiguousarray(grid[..., 1])
        return lambda: cv2.remap(picture, xs, ys, flags)
    matrix = inverse_map.matrix  # type: ignore[attr-defined]
    warp = cv2.warpPerspective if case.family == "projective" else cv2.warpAffine
    flags |= cv2.WARP_INVERSE_MAP
    if case.family == "batch":
        return lambda: np.stack([warp(one, matrix, (columns, rows), flags=flags)[..., None] for one in picture])
    out = np.empty_like(picture)
    return lambda: warp(picture, matrix, (columns, rows), dst=out, flags=flags)


def torch(case: Case) -> Call | None:
    """affine_grid + grid_sample, on NCHW."""
    if case.dtype != "float32" or case.family not in ("affine", "batch") or case.interpolation not in _TORCH:
        return None
    torch = importlib.import_module("torch")
    functional = torch.nn.functional
    picture = case.picture() if case.family == "batch" else case.picture()[None]
    images = torch.from_numpy(np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))
    theta = wk.conventions.to_normalized(case.inverse_map(), case.shape, case.shape, align_corners=False)  # type: ignore[arg-type]
    thetas = torch.from_numpy(theta).float().repeat(len(images), 1, 1)

    def call() -> Any:
        grid = functional.affine_grid(thetas, list(images.shape), align_corners=False)
        out = functional.grid_sample(images, grid, mode=case.interpolation, align_corners=False)
        return out.permute(0, 2, 3, 1).numpy().reshape(picture.shape if case.family == "batch" else picture.shape[1:])

    return call


def kornia(case: Case) -> Call | None:
    if case.dtype != "float32" or case.family not in ("affine", "projective") or case.interpolation not in _TORCH[:2]:
        return None
    torch, transform = importlib.import_module("torch"), importlib.import_module("kornia.geometry.transform")
    image = torch.from_numpy(np.ascontiguousarray(case.picture().transpose(2, 0, 1)))[None]
    forward = torch.from_numpy(case.inverse_map().inverse.matrix)[None].float()  # type: ignore[attr-defined]
    warp = transform.warp_affine if case.family == "affine" else transform.warp_perspective
    return lambda: warp(image, forward, case.shape, mode=case.interpolation, align_corners=True)[0].permute(1, 2, 0).numpy()


def skimage(case: Case) -> Call | None:
    if case.interpolation not in _ORDERS or case.family not in ("affine", "projective", "spline"):
        return None
    transform = importlib.import_module("skimage.transform")
    picture, own = case.picture(), case.inverse_map()
    order = _ORDERS[case.interpolation]
    if isinstance(own, wk.ThinPlateSpline):
        spline = transform.ThinPlateSplineTransform.from_estimate(own.control_points, own.values)
        return lambda: transform.warp(picture, spline, order=order, preserve_range=True)
    matrix = np.eye(3)
    matrix[: len(own.matrix)] = own.matrix  # type: ignore[attr-defined]
    return lambda: transform.warp(picture, matrix, order=order, preserve_range=True)


def scipy(case: Case) -> Call | None:
    """affine_transform, one channel after the other."""
    if case.interpolation not in _ORDERS or case.family != "affine":
        return None
    ndimage = importlib.import_module("scipy.ndimage")
    planes = np.ascontiguousarray(case.picture().transpose(2, 0, 1))
    (a, b, c), (d, e, f) = case.inverse_map().matrix  # type: ignore[attr-defined]
    options = {"order": _ORDERS[case.interpolation], "mode": "grid-constant", "prefilter": False}
    return lambda: np.stack([ndimage.affine_transform(plane, [[e, d], [b, a]], (f, c), **options) for plane in planes], axis=-1)


# Slow ones are run less often.
PEERS: dict[str, tuple[Callable[[Case], Call | None], str, bool]] = {
    "opencv": (opencv, "cv2", False),
    "torch": (torch, "torch", False),
    "kornia": (kornia, "kornia", True),
    "skimage": (skimage, "skimage", True),
    "scipy": (scipy, "scipy", True),
}


def installed(names: list[str]) -> list[str]:
    """Those of the peers that are there; says which are not."""
    there = [name for name in names if importlib.util.find_spec(PEERS[name][1]) is not None]
    for name in sorted(set(names) - set(there)):
        print(f"{name} is not installed: skipped")
    return there


def set_threads(threads: int, names: list[str]) -> None:
    wk.set_num_threads(threads)
    cv2.setNumThreads(threads)
    if {"torch", "kornia"} & set(names):
        importlib.import_module("torch").set_num_threads(threads)
