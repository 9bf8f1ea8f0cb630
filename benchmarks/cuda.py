"""Warps on a GPU: first whether they are right, then how fast, beside PyTorch, kornia and CuPy.

    python -m benchmarks.cuda

Needs PyTorch with CUDA and the extra cuda12 or cuda13; peers that are not installed are left out. Times are medians by CUDA
events after a warm-up, over inputs that rotate so that none is still in the L2 cache. "kernel" is the launch alone, with its
arguments made before; the others are whole calls from Python. Writes benchmarks/results/DATE-cuda.json.
Exit codes: 0 done, 1 a result was wrong, 2 no GPU.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import statistics
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import warpkit as wk
from warpkit.testing import TOLERANCES

RESULTS = Path(__file__).parent / "results"
WARM_UP, REPEATS = 10, 50
ROTATED_BYTES = 2**29  # several times any L2
LARGE = (1, 1, 4096, 4096)
PICTURES = (32, 3, 512, 512)
DIGITS = (4096, 1, 28, 28)
SPLINE = (8, 3, 512, 512)

Call = Callable[[int], Any]  # with the number of the input to take


# --- is it right? -----------------------------------------------------------------------------------------------------------


def maps(rows: int, columns: int) -> dict[str, wk.Transform]:
    """A map of each family for pictures of this size, with all borders in sight."""
    corners = np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], dtype=float)
    moved = corners + np.array([[0.1, 0.06], [-0.13, 0.08], [0.07, -0.11], [-0.1, -0.03]]) * [columns, rows]
    turn = wk.Affine.similarity(1.2, 17.3, (0.3, -0.7), (columns / 2, rows / 2))
    spline = wk.ThinPlateSpline(
        np.vstack([corners, [[columns / 3, rows / 2]]]), np.vstack([moved, [[columns / 2.7, rows / 2.2]]])
    )
    field = wk.DisplacementField.elastic((rows, columns), alpha=rows / 3, sigma=rows / 20 + 1, seed=0)
    families = {"affine": turn, "projective": wk.Projective.from_quads(corners, moved), "spline": spline, "field": field}
    return {**families, "inverse": spline.inverse, "composition": turn @ field @ spline}


def picture(dtype: str, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Levels for integers, else relative to the largest magnitude."""
    distance = float(np.abs(found.astype(float) - expected.astype(float)).max())
    return distance if expected.dtype.kind in "iu" else distance / max(1e-30, float(np.abs(expected.astype(float)).max()))


def disagreements(
    on_gpu: Callable[[NDArray[Any]], Any], on_host: Callable[[Any], NDArray[Any]], rows: int, columns: int
) -> list[str]:
    """What differs between GPU and CPU by more than the table in docs/cuda.md allows, or from run to run."""
    wrong = []
    for name, inverse_map in maps(rows, columns).items():
        for dtype in ("uint8", "int16", "float16", "float32", "float64"):
            image = picture(dtype, (rows, columns, 3), 0)
            for interpolation in ("bilinear", "bicubic"):
                options: dict[str, Any] = {"interpolation": interpolation, "mode": "reflect"}
                found = on_host(wk.warp(on_gpu(image), inverse_map, **options))
                expected = wk.warp(image, inverse_map, tolerance=0.0, **options)
                if not error(found, expected) <= (1.0 if image.dtype.kind in "iu" else TOLERANCES[dtype]):
                    wrong.append(f"warp {name} {dtype} {interpolation}: off by {error(found, expected):.3g}")
        for dtype in ("float32", "float64"):
            wrong += wrong_gradients(on_gpu, on_host, name, inverse_map, picture(dtype, (rows, columns, 3), 0))
    return wrong


def wrong_gradients(
    on_gpu: Callable[[NDArray[Any]], Any],
    on_host: Callable[[Any], NDArray[Any]],
    name: str,
    inverse_map: wk.Transform,
    image: NDArray[Any],
) -> list[str]:
    wrong = []
    grad = picture(image.dtype.name, image.shape, 1)
    expected = wk.warp_vjp(image, inverse_map)[1](grad)
    pullback = wk.warp_vjp(on_gpu(image), inverse_map)[1]
    runs = [pullback(on_gpu(grad)) for _ in range(3)]
    found = [(on_host(grad_image), grad_params) for grad_image, grad_params in runs]
    for what, ours, theirs in zip(("image", "params"), found[0], expected, strict=True):
        assert ours is not None
        assert theirs is not None
        if not error(ours, theirs) <= TOLERANCES[image.dtype.name] * 10:
            wrong.append(f"gradient of {what}, {name} {image.dtype}: off by {error(ours, theirs):.3g}")
    if any(a.tobytes() != b.tobytes() for run in found[1:] for a, b in zip(run, found[0], strict=True)):
        wrong.append(f"gradient, {name} {image.dtype}: not the same bits in every run")
    return wrong


# --- how fast? --------------------------------------------------------------------------------------------------------------


def milliseconds(call: Call, count: int) -> float:
    """Median time of a call on the device, with ``count`` inputs in rotation."""
    import torch

    for k in range(WARM_UP):
        call(k % count)
    times = []
    for k in range(REPEATS):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        call(k % count)
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop))
    return statistics.median(times)


def rotating(shape: tuple[int, ...], **options: Any) -> list[Any]:
    """Inputs that together leave no room in the L2 cache."""
    import torch

    count = max(2, min(64, ROTATED_BYTES // (4 * math.prod(shape))))
    return [torch.rand(shape, device="cuda", **options) for _ in range(count)]


def affine_calls(shape: tuple[int, ...]) -> tuple[dict[str, Call], int]:
    """PyTorch's two functions, eager and compiled, and ours fused; forward, and with the gradients of input and theta."""
    import torch

    from warpkit.interop import torch as wkt

    inputs, grad = rotating(shape, requires_grad=True), torch.rand(shape, device="cuda")
    cos, sin = math.cos(math.radians(17)), math.sin(math.radians(17))
    theta = torch.tensor([[[cos, -sin, 0.05], [sin, cos, 0.0]]], device="cuda").repeat(shape[0], 1, 1).requires_grad_()
    functional = torch.nn.functional

    def peer(given: Any, theta: Any) -> Any:
        return functional.grid_sample(given, functional.affine_grid(theta, list(shape), False), align_corners=False)

    calls: dict[str, Call] = {}
    for name, call in (("torch", peer), ("torch compiled", torch.compile(peer)), ("warpkit", wkt.spatial_transform)):
        calls[f"{name} forward"] = lambda k, call=call: call(inputs[k].detach(), theta.detach())
        calls[f"{name} both"] = lambda k, call=call: torch.autograd.grad(call(inputs[k], theta), (inputs[k], theta), grad)
    return calls, len(inputs)


def spline_calls(shape: tuple[int, ...]) -> tuple[dict[str, Call], int]:
    """16 control points, ours and kornia's where it is installed."""
    import torch

    from warpkit.interop import torch as wkt

    inputs = rotating(shape)
    line = torch.linspace(-1, 1, 4, device="cuda")
    points = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(1, 16, 2).repeat(shape[0], 1, 1)
    theta = 0.9 * points + 0.05 * torch.randn_like(points)
    calls: dict[str, Call] = {"warpkit": lambda k: wkt.spatial_transform(inputs[k], theta, "tps", align_corners=True)}
    if importlib.util.find_spec("kornia"):
        kornia = importlib.import_module("kornia.geometry.transform")

        def peer(k: int) -> Any:
            weights, affine = kornia.get_tps_transform(points, theta)
            return kornia.warp_image_tps(inputs[k], points, weights, affine, align_corners=True)

        calls["kornia"] = peer
    return calls, len(inputs)


def warp_calls(shape: tuple[int, ...]) -> tuple[dict[str, Call], int]:
    """The library's own functions on (N, H, W): the launch alone and the whole call; CuPy's, where it is there; a copy."""
    import torch

    inputs = [given[:, 0] for given in rotating(shape)]
    out = torch.empty_like(inputs[0])
    count, _, rows, columns = shape
    turn = wk.Affine.rotation(17, ((columns - 1) / 2, (rows - 1) / 2))
    turns = np.repeat(turn.matrix[None], count, axis=0)
    launches = [prepared(given, out, turns) for given in inputs]
    calls: dict[str, Call] = {
        "copy": lambda k: out.copy_(inputs[k]),
        "warpkit kernel": lambda k: launches[k](),
        "warpkit": lambda k: wk.warp_batch(inputs[k], turns, out=out),
    }
    if count == 1 and importlib.util.find_spec("cupy"):
        cupy, ndimage = importlib.import_module("cupy"), importlib.import_module("cupyx.scipy.ndimage")
        pictures, matrix = [cupy.asarray(given[0]) for given in inputs], turn.matrix[::-1, [1, 0, 2]]
        calls["cupyx"] = lambda k: ndimage.affine_transform(pictures[k], matrix[:, :2], matrix[:, 2], order=1)
    return calls, len(inputs)


def prepared(images: Any, out: Any, matrices: NDArray[np.float64]) -> Callable[[], None]:
    """The launch of a bilinear warp, its arguments made now."""
    from warpkit import cuda_engine, door, gpu_warping

    source, target = (
        gpu_warping.as_batch(gpu_warping.image_memory(name, array, (3, 4)), is_batch=True)
        for name, array in (("images", images), ("out", out))
    )
    (pipeline,) = door.batch_maps(matrices, len(matrices), source.shape[1:3]).pipelines
    job = gpu_warping.problem(source, cuda_engine.on_device(pipeline, source), None, "bilinear", "constant", 0.0)
    launch, arguments = cuda_engine.forward_call(job, target)
    return lambda: launch(arguments)


def empty_launch() -> float:
    """Milliseconds of a kernel that does nothing."""
    from warpkit.kernels.cuda_target import cuda

    @cuda.jit
    def nothing() -> None:
        pass

    return milliseconds(lambda _: nothing[256, 256](), 1)


def measure() -> dict[str, Any]:
    cases = {
        "warp 4096 x 4096": warp_calls(LARGE),
        "warp 4096 of 28 x 28": warp_calls(DIGITS),
        "affine 4096 x 4096": affine_calls(LARGE),
        "affine 32 x 3 x 512 x 512": affine_calls(PICTURES),
        "spline 8 x 3 x 512 x 512": spline_calls(SPLINE),
    }
    times = {case: {name: milliseconds(call, count) for name, call in calls.items()} for case, (calls, count) in cases.items()}
    return {"milliseconds": times, "empty launch": empty_launch()}


def goals(results: dict[str, Any]) -> dict[str, float]:
    """The ratios that were aimed at; above 1 is met."""
    times = results["milliseconds"]
    large, affine, spline = times["warp 4096 x 4096"], times["affine 4096 x 4096"], times["spline 8 x 3 x 512 x 512"]
    found = {
        "70 % of copy bandwidth, forward": large["copy"] / large["warpkit kernel"] / 0.7,
        "2 x torch, affine forward": affine["torch forward"] / affine["warpkit forward"] / 2,
        "2 x torch, affine with gradients": affine["torch both"] / affine["warpkit both"] / 2,
        "4096 of 28 x 28 in 2 empty launches": 2 * results["empty launch"] / times["warp 4096 of 28 x 28"]["warpkit kernel"],
    }
    if "kornia" in spline:
        found["10 x kornia, spline"] = spline["kornia"] / spline["warpkit"] / 10
    return found


def has_gpu() -> bool:
    """Whether PyTorch and the package for CUDA are there, and see a device."""
    if not (importlib.util.find_spec("torch") and importlib.util.find_spec("numba_cuda")):
        return False
    import torch

    from warpkit.kernels.cuda_target import cuda

    return bool(torch.cuda.is_available() and cuda.is_available())


def main() -> int:
    if not has_gpu():
        print("no GPU found, or PyTorch with CUDA or numba-cuda is not installed", file=sys.stderr)
        return 2
    import torch

    wrong = disagreements(lambda array: torch.from_numpy(array).cuda(), lambda tensor: tensor.cpu().numpy(), 61, 83)
    print("\n".join(wrong) or "GPU and CPU agree; gradients are the same bits in every run")
    if wrong:
        return 1
    results = measure()
    for case, times in results["milliseconds"].items():
        for name, time in times.items():
            print(f"{case:28} {name:24} {time:9.4f} ms")
    results |= {
        "goals": goals(results),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    for name, ratio in results["goals"].items():
        print(f"{name:40} {ratio:6.2f} of the goal")
    path = RESULTS / f"{date.today().isoformat()}-cuda.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    print("wrote", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
