"""Registration beside OpenCV's ECC, kornia, scikit-image's phase correlation and optical flow, on motions that are known.

    python -m benchmarks.registration [--pairs 200] [--repeats 5]

Success: pairs made of photographs by SciPy (:mod:`benchmarks.registration_pairs`). A pair is found if the corners are within
``FOUND`` pixels RMS, and silently wrong if they are not within ``WRONG`` though the method did not say that it failed. All
start at the identity. OpenCV's ECC runs on the pictures themselves and on its own pyramid. kornia's gradient descent, of
which only some pairs are tried, says nothing of failures. Of warpkit's results it is counted how often ``corner_error`` is
right about ``FOUND``. Hard: pairs that may well fail (:mod:`benchmarks.registration_hard`). Time: one pair of 1080p, equal
threads, interleaved. Bent pictures: mean end-point errors, where the fixed picture shows what the moving one has, beside those
of the best thin plates through grids of points.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import kornia.geometry
import numpy as np
import scipy.interpolate
import scipy.ndimage
import skimage.color
import skimage.data
import skimage.registration
import torch
from numpy.typing import NDArray

import warpkit as wk
from warpkit.registration.motions import SplineMotion

from . import registration_hard
from . import registration_pairs as made
from .timing import RESULTS, describe_machine, interleaved, ratios, write_results

MODELS = ("translation", "euclidean", "similarity", "affine", "projective")
FOUND, WRONG = 0.05, 0.5  # pixels
ACCURACIES = FOUND, 0.2  # that are asked of hard pairs
OPENCV_MODELS = {
    "translation": cv2.MOTION_TRANSLATION,
    "euclidean": cv2.MOTION_EUCLIDEAN,
    "affine": cv2.MOTION_AFFINE,
    "projective": cv2.MOTION_HOMOGRAPHY,
}
# Its models that ours has.
KORNIA_MODELS = {"similarity": "similarity", "projective": "homography"}
KORNIA, KORNIA_PAIRS = "kornia ImageRegistrator", 12
CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-6)
FULL_HD = (1080, 1920)
BENT = 12  # pairs of bent pictures
GRIDS = (5, 7, 9)  # control points of thin plates, each way

# Of two pictures and a model: the matrix (3, 3), or None where the method says that it failed or has no such model.
Method = Callable[[NDArray[Any], NDArray[Any], Any], NDArray[np.float64] | None]


def three_rows(matrix: NDArray[Any]) -> NDArray[np.float64]:
    return np.vstack([matrix, [0, 0, 1]])[:3].astype(float)


def warpkit(moving: NDArray[Any], fixed: NDArray[Any], model: Any) -> NDArray[np.float64] | None:
    found = wk.register(moving, fixed, model)
    assert isinstance(found.transform, wk.Affine | wk.Projective)
    return three_rows(found.transform.matrix) if found.converged else None


def _identity(model: str) -> NDArray[np.float32]:
    return np.eye(3 if model == "projective" else 2, 3, dtype=np.float32)


def opencv(moving: NDArray[Any], fixed: NDArray[Any], model: Any) -> NDArray[np.float64] | None:
    try:
        return three_rows(cv2.findTransformECC(fixed, moving, _identity(model), OPENCV_MODELS[model], CRITERIA, None, 5)[1])
    except cv2.error:
        return None


def opencv_multi_scale(moving: NDArray[Any], fixed: NDArray[Any], model: Any) -> NDArray[np.float64] | None:
    parameters = cv2.ECCParameters()
    parameters.motionType = OPENCV_MODELS[model]
    try:
        return three_rows(cv2.findTransformECCMultiScale(fixed, moving, _identity(model), parameters)[1])
    except cv2.error:
        return None


def kornia_registrator(moving: NDArray[Any], fixed: NDArray[Any], model: Any) -> NDArray[np.float64] | None:
    """kornia's ``ImageRegistrator`` as it comes: gradient descent (Adam) on a pyramid, in coordinates from -1 to 1."""
    pictures = [torch.from_numpy(picture.astype(np.float32) / 255)[None, None] for picture in (moving, fixed)]
    # kornia's homography takes points of its destination to those of its source.
    matrix = kornia.geometry.ImageRegistrator(KORNIA_MODELS[model]).register(*pictures)[0].detach().numpy().astype(float)
    rows, columns = fixed.shape
    to_normal = np.array([[2 / (columns - 1), 0, -1], [0, 2 / (rows - 1), -1], [0, 0, 1]])
    return np.linalg.inv(to_normal) @ three_rows(matrix) @ to_normal


def phase_correlation(moving: NDArray[Any], fixed: NDArray[Any], model: Any) -> NDArray[np.float64] | None:
    """Sub-pixel shifts to 1/100 pixel."""
    (dy, dx), _, _ = skimage.registration.phase_cross_correlation(fixed, moving, upsample_factor=100)
    return np.array([[1, 0, -dx], [0, 1, -dy], [0, 0, 1.0]])


METHODS: dict[str, tuple[Method, tuple[str, ...]]] = {
    "warpkit": (warpkit, MODELS),
    "OpenCV ECC": (opencv, tuple(OPENCV_MODELS)),
    "OpenCV ECC multi-scale": (opencv_multi_scale, tuple(OPENCV_MODELS)),
    KORNIA: (kornia_registrator, tuple(KORNIA_MODELS)),
    "scikit-image phase correlation": (phase_correlation, ("translation",)),
}


def success(model: str, count: int) -> dict[str, Any]:
    """What each method found of the same pairs."""
    methods = {name: method for name, (method, models) in METHODS.items() if model in models}
    errors: dict[str, list[float | None]] = {name: [] for name in methods}
    for n, pair in enumerate(made.pairs(model, count, seed=MODELS.index(model))):
        for name, method in methods.items():
            if name == KORNIA and n >= KORNIA_PAIRS:
                continue
            matrix = method(pair.moving, pair.fixed, model)
            errors[name].append(None if matrix is None else made.corner_error(matrix, pair.matrix, pair.fixed.shape))
    row: dict[str, Any] = {"model": model, "pairs": count}
    for name, all_errors in errors.items():
        count = len(all_errors)
        known = [error for error in all_errors if error is not None]
        near = [error for error in known if error <= WRONG]
        row[name] = {
            "pairs": count,
            "found": sum(error <= FOUND for error in known) / count,
            "within half a pixel": len(near) / count,
            "said to have failed": (count - len(known)) / count,
            "silently wrong": (len(known) - len(near)) / count,
            "median error of those near": statistics.median(near) if near else None,
        }
        print(f"{model:12} {name:32}", *(f"{key} {value:.4g}" for key, value in row[name].items() if value is not None))
    return row


def accuracy(model: str, count: int) -> dict[str, Any]:
    """Whether ``accuracy=FOUND`` tells which pairs are found to it, and errors beside those that are expected."""
    errors, expected, flagged = [], [], []
    for pair in made.pairs(model, count, seed=MODELS.index(model)):
        found = wk.register(pair.moving, pair.fixed, model, accuracy=FOUND)
        assert isinstance(found.transform, wk.Affine | wk.Projective)
        errors.append(made.corner_error(three_rows(found.transform.matrix), pair.matrix, pair.fixed.shape))
        expected.append(found.corner_error)
        flagged.append(not found.converged)
    are_near, are_flagged = np.array(errors) <= FOUND, np.array(flagged)
    row = {
        "model": model,
        "pairs": count,
        "not within, not flagged": int((~are_near & ~are_flagged).sum()),
        "not within, flagged": int((~are_near & are_flagged).sum()),
        "within, but flagged": int((are_near & are_flagged).sum()),
        "errors beside the expected ones, RMS": float(np.sqrt(np.mean((np.array(errors) / np.array(expected)) ** 2))),
        "largest error": max(errors),
    }
    print(row)
    return row


def hard(kind: str, count: int) -> dict[str, Any]:
    """Whether failures are said to be such, of pairs that may well fail, by default and where an accuracy is asked for; beside
    OpenCV's multi-scale ECC, which can only throw."""
    errors, expected, trusted, others = [], [], [], []
    for pair in registration_hard.pairs(kind, count, seed=list(registration_hard.KINDS).index(kind)):
        found, other = wk.register(pair.moving, pair.fixed), opencv_multi_scale(pair.moving, pair.fixed, "affine")
        assert isinstance(found.transform, wk.Affine)
        errors.append(made.corner_error(three_rows(found.transform.matrix), pair.matrix, pair.fixed.shape))
        expected.append(found.corner_error)
        trusted.append(found.converged)
        others.append(None if other is None else made.corner_error(other, pair.matrix, pair.fixed.shape))
    error, is_trusted = np.array(errors), np.array(trusted)
    is_near = error <= WRONG  # NaN, where nothing is right, is not
    beside = (error / np.array(expected, dtype=float))[is_trusted & is_near]
    row: dict[str, Any] = {
        "kind": kind,
        "pairs": count,
        "found": int((error <= FOUND).sum()),
        "within half a pixel": int(is_near.sum()),
        "said to have failed": int((~is_trusted).sum()),
        "silently wrong": int((is_trusted & ~is_near).sum()),
        "largest silent error": max(error[is_trusted & ~is_near].tolist(), default=None),
        "within half a pixel, but said to have failed": int((~is_trusted & is_near).sum()),
        "errors beside the expected ones, RMS": float(np.sqrt(np.mean(beside**2))) if beside.size else None,
        "OpenCV: within half a pixel": sum(other is not None and other <= WRONG for other in others),
        "OpenCV: silently wrong": sum(other is not None and not other <= WRONG for other in others),
    }
    for limit in ACCURACIES:
        is_known = is_trusted & (np.array(expected) <= limit)
        row[f"not within {limit}, but trusted to be"] = int((is_known & ~(error <= limit)).sum())
        row[f"within {limit}, but not trusted to be"] = int((~is_known & (error <= limit)).sum())
    print(row)
    return row


def full_hd_pair(model: str) -> made.Pair:
    """A photograph enlarged, of which a small motion is to be found: all methods find it."""
    random = np.random.default_rng(5)
    picture = made.photograph("coffee")
    rows, columns = FULL_HD
    points = made.grid(FULL_HD) * ((np.array(picture.shape[::-1]) - 60) / (columns, rows)) + 30
    matrix = np.eye(3)
    matrix[:2, 2] = 6, -4
    if model != "translation":
        matrix[:2, :2] = [[1.01, -0.012], [0.012, 0.995]]
    if model == "projective":
        matrix[2, :2] = 3e-6, -2e-6
    scale, moved = np.diff(points[0, :2, 0])[0], made.apply(matrix, made.grid(FULL_HD))
    scale_y = np.diff(points[:2, 0, 1])[0]
    moved = moved * (scale, scale_y) + points[0, 0]
    views = [scipy.ndimage.map_coordinates(picture, [at[..., 1], at[..., 0]], order=3, mode="mirror") for at in (points, moved)]
    return made.Pair("coffee", *(made.with_noise(view, 2, random) for view in views), matrix)


def times(model: str, threads: int, repeats: int) -> dict[str, Any]:
    """Seconds for a pair of 1080p, and how far each was off."""
    wk.set_num_threads(threads)
    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    pair = full_hd_pair(model)
    names = [name for name, (_, models) in METHODS.items() if model in models and "phase" not in name]
    calls = {name: (lambda name=name: METHODS[name][0](pair.moving, pair.fixed, model)) for name in names}
    row: dict[str, Any] = {"model": model, "threads": threads}
    for name, call in calls.items():
        matrix = call()
        row[name] = {"error": None if matrix is None else made.corner_error(matrix, pair.matrix, FULL_HD)}
    seconds = interleaved(calls, repeats)
    for name in names:
        row[name]["seconds"] = statistics.median(seconds[name])
        if name != "warpkit":
            row[name]["ratio"], row[name]["spread"] = ratios(seconds, name, "warpkit")
        print(f"{model:12} {threads} thr {name:26}", row[name])
    return row


# --- bent pictures ---------------------------------------------------------------------------------------------------------


def bent_points(name: str, kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    """Where the fixed picture's pixels lie in the moving one: a thin plate through 25 points that are up to 12 pixels off along
    each axis, or smoothed noise of up to 10 pixels."""
    shape = made.moving_shape(name)
    rows, columns = shape
    if kind == "noise":
        noise = np.stack([scipy.ndimage.gaussian_filter(random.normal(size=shape), columns / 6) for _ in range(2)], axis=-1)
        return made.grid(shape) + 10 * noise / np.linalg.norm(noise, axis=-1).max()
    y, x = np.meshgrid(np.linspace(0, rows - 1, 5), np.linspace(0, columns - 1, 5), indexing="ij")
    control = np.column_stack([x.ravel(), y.ravel()])
    bent = control + random.uniform(-12, 12, control.shape)
    spline = scipy.interpolate.RBFInterpolator(control, bent, kernel="thin_plate_spline")
    return np.asarray(spline(made.grid(shape).reshape(-1, 2))).reshape(*shape, 2)


def best_plate(flow: NDArray[np.float64], seen: NDArray[np.bool_], side: int) -> float:
    """The mean end-point error of the thin plate through side x side points that is nearest to displacements (rows, columns,
    2), least squares, from every fourth pixel."""
    shape = seen.shape
    start = SplineMotion.on_grid(wk.Affine.identity(), shape, (side, side), 0.0)
    some = seen[::4, ::4]
    shares = start.basis(made.grid(shape)[::4, ::4][some])[::2, 0].T
    wanted = flow[::4, ::4][some]
    control = np.linalg.lstsq(shares, wanted, rcond=None)[0]
    return float(np.linalg.norm(shares @ control - wanted, axis=1).mean())


def tv_l1(moving: NDArray[Any], fixed: NDArray[Any]) -> NDArray[np.float64]:
    """scikit-image's optical flow, (rows, columns, 2), in grey from 0 to 1."""
    v, u = skimage.registration.optical_flow_tvl1(fixed / 255, moving / 255)
    return np.stack([u, v], axis=-1).astype(float)


def flow(found: wk.Registration, shape: tuple[int, int]) -> NDArray[np.float64]:
    return found.transform(made.grid(shape)) - made.grid(shape)


def bent(kind: str) -> dict[str, Any]:
    random = np.random.default_rng(3)
    errors: dict[str, list[float]] = {}
    silent = 0
    for n in range(BENT):
        name = made.PICTURES[n % len(made.PICTURES)]
        points, shape = bent_points(name, kind, random), made.moving_shape(name)
        moving = made.with_noise(made.view(name, made.grid(shape)), 2, random)
        fixed = made.with_noise(made.view(name, points), 2, random)
        truth = points - made.grid(shape)
        seen = ((points >= 0) & (points <= np.array(shape[::-1]) - 1)).all(axis=-1)
        spline, dense = wk.register(moving, fixed, "tps"), wk.register(moving, fixed, "dense")
        flows = {"warpkit tps": flow(spline, shape), "warpkit dense": flow(dense, shape), "TV-L1": tv_l1(moving, fixed)}
        for side in GRIDS[1:]:
            more = wk.register(moving, fixed, "tps", control_points=(side, side))
            flows[f"warpkit tps, {side} x {side}"] = flow(more, shape)
        for side in GRIDS:
            errors.setdefault(f"best plate, {side} x {side}", []).append(best_plate(truth, seen, side))
        for method, found in flows.items():
            errors.setdefault(method, []).append(float(np.linalg.norm(found - truth, axis=-1)[seen].mean()))
        silent += spline.converged and errors["warpkit tps"][-1] > WRONG
    row: dict[str, Any] = {"kind": kind, "pairs": BENT, "splines silently wrong": silent}
    for method, all_errors in errors.items():
        row[method] = {"mean": statistics.mean(all_errors), "largest": max(all_errors)}
        print(f"bent by {kind:12} {method:16}", row[method])
    return row


def stereo() -> dict[str, Any]:
    """The Middlebury motorcycle: true disparities of the left picture."""
    left, right, disparity = skimage.data.stereo_motorcycle()
    left, right = (np.rint(255 * skimage.color.rgb2gray(picture)).astype(np.uint8) for picture in (left, right))
    known = np.isfinite(disparity)
    truth = np.stack([-np.where(known, disparity, 0), np.zeros_like(disparity)], axis=-1)
    calls = {
        "warpkit dense": lambda: flow(wk.register(right, left, "dense"), left.shape),
        "TV-L1": lambda: tv_l1(right, left),
    }
    row: dict[str, Any] = {"pixels": int(known.sum())}
    for method, call in calls.items():
        distances = np.linalg.norm(call() - truth, axis=-1)[known]
        row[method] = {
            "mean": float(distances.mean()),
            "median": float(np.median(distances)),
            "above 2 pixels": float((distances > 2).mean()),
        }
    seconds = interleaved(calls, 1)
    for method in calls:
        row[method]["seconds"] = seconds[method][0]
        print(f"motorcycle {method:16}", row[method])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registration", description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=["success", "accuracy", "hard", "1080p", "bent", "stereo"])
    parser.add_argument("--hard-pairs", type=int, default=60, help="of each kind")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    machine = describe_machine()
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "success": lambda: [success(model, arguments.pairs) for model in MODELS],
        "accuracy": lambda: [accuracy(model, arguments.pairs) for model in MODELS],
        "hard": lambda: [hard(kind, arguments.hard_pairs) for kind in registration_hard.KINDS],
        "1080p": lambda: [
            times(model, n, arguments.repeats)
            for n in sorted({1, wk.get_num_threads()})
            for model in ("translation", "affine", "projective")
        ],
        "bent": lambda: [bent(kind) for kind in ("thin plate", "noise")],
        "stereo": lambda: [stereo()],
    }
    results = {name: parts[name]() for name in arguments.parts}
    output = arguments.output or RESULTS / f"{machine['date']}-registration.json"
    write_results(output, {"machine": machine, "noise": made.NOISE, **results})


if __name__ == "__main__":
    main()
