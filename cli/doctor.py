"""`warpkit doctor`: what this machine runs."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import click

_PACKAGES = (
    "numba-warpkit",
    "numba",
    "llvmlite",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "tifffile",
)
_FEATURES = ("avx512f", "avx512bw", "avx2", "fma", "neon")


# What most programs use; float images are also what derivatives are taken of.
_WARMED = ("uint8", "uint16", "int16", "float32", "float64")


@click.command()
@click.option("--warm", is_flag=True, help="Compile the usual kernels now, on all cores, rather than at first use.")
def doctor(warm: bool) -> int:
    """Say what this machine runs (versions, CPU, threads, kernel cache, CUDA), and test a warp: exit code 1 if it is wrong."""
    if warm:
        _warm()
    click.echo(f"python     {platform.python_version()}  {sys.executable}")
    for package in _PACKAGES:
        try:
            click.echo(f"package    {package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            if not package.startswith("opencv"):
                click.echo(f"package    {package} is not installed")
    click.echo(f"cpu        {_cpu()}")
    import warpkit as wk

    click.echo(f"threads    {wk.get_num_threads()} of {os.cpu_count()} processors")
    click.echo(f"cache      {_cache()}")
    click.echo(f"cuda       {_cuda()}")
    is_right, found = _self_test()
    click.echo(f"self test  {found}")
    return 0 if is_right else 1


def _warm() -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for dtype, seconds in zip(_WARMED, pool.map(compile_kernels, _WARMED), strict=True):
            click.echo(f"warmed     {dtype} in {seconds:.1f} s")


def compile_kernels(dtype: str) -> float:
    """Use every kernel for a pixel type once; returns the seconds that took."""
    import time

    import numpy as np

    import warpkit as wk

    start = time.perf_counter()
    picture = np.zeros((4, 5, 3), dtype)
    for interpolation in ("bilinear", "nearest", "bicubic"):
        wk.warp(picture, wk.Affine.identity(), interpolation=interpolation)
    wk.sample(picture, wk.sampling_grid(wk.Affine.identity(), (4, 5)).astype("float32"))
    if picture.dtype.kind == "f":
        output, pullback = wk.warp_vjp(picture, wk.Affine.identity())
        pullback(np.zeros_like(output))
    return time.perf_counter() - start


def _cpu() -> str:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    found = " ".join(name for name in _FEATURES if features.get(name))
    return f"{platform.machine()} {llvm.get_host_cpu_name()}: {found or 'no vector extensions that matter here'}"


def _cache() -> str:
    from warpkit.kernels.cpu import warp_tiles

    path = getattr(getattr(warp_tiles, "_cache", None), "cache_path", None)
    if path is None:
        return "no writable folder: kernels are compiled anew in each process; set NUMBA_CACHE_DIR"
    kernels = list(Path(path).glob("*.nbc"))
    return f"{path}: {len(kernels)} compiled kernels, {sum(f.stat().st_size for f in kernels) / 2**20:.1f} MiB"


def _cuda() -> str:
    try:
        from warpkit.kernels.cuda_target import require_device

        require_device()
    except Exception as error:  # whatever a missing package or a broken driver raises is what the user should read
        return f"not usable: {type(error).__name__}: {error}"
    return "device found, for arrays on it; the command line warps on the CPU"


def _self_test() -> tuple[bool, str]:
    import time

    import numpy as np

    import warpkit as wk

    picture = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    start = time.perf_counter()
    turned = wk.warp(picture, wk.Affine.rotation(90, center=(31.5, 31.5)).inverse)
    seconds = time.perf_counter() - start
    if not np.array_equal(turned, np.rot90(picture, -1)):
        return False, "FAILED: a quarter turn came out wrong"
    return True, f"passed, {seconds:.2f} s with compilation or loading"
