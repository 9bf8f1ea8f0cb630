"""What the CPU does and a GPU, or Numba's simulator of one, refuses: the list, with reasons."""

import numpy as np
import pytest

import warpkit as wk
from warpkit.interpolations import KERNELS
from warpkit.kernels.taps import MODES

pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from test_cuda import ALIKE, INTERPOLATIONS, oracles

from warpkit.kernels.cuda_target import IS_SIMULATOR, cuda

pytestmark = pytest.mark.skipif(not (IS_SIMULATOR or cuda.is_available()), reason="no GPU and no simulator: make test-cuda")

LACKING = {
    "warp_normal_equations": "registration runs on the CPU",
    "warp_weighted": "weights are multiplied by NumPy",
    "warp_alpha": "weights are multiplied by NumPy",
}
LACKING_OPTIONS = {
    "antialias": (True, "averages over footprints are made on the CPU"),
    "interpolation": ("bspline3", "the filter of the cubic spline's coefficients runs on the CPU"),
    "cval": ((1, 2, 3), "kernels take one fill"),
}


def image(*shape):
    return cuda.to_device(np.zeros(shape, "float32"))


def test_what_one_target_has_and_the_other_lacks():
    affine, grid, all_of_it = wk.Affine.identity(), cuda.to_device(np.zeros((2, 2, 2))), (slice(0, 3), slice(0, 4))
    calls = {
        "warp": lambda f: f(image(3, 4), affine),
        "warp_vjp": lambda f: f(image(3, 4), affine),
        "warp_batch": lambda f: f(image(1, 3, 4), affine),
        "warp_batch_vjp": lambda f: f(image(1, 3, 4), affine),
        "warp_part": lambda f: f(image(3, 4), affine, all_of_it, window=all_of_it, image_shape=(3, 4)),
        "sample": lambda f: f(image(3, 4), grid),
        "sample_vjp": lambda f: f(image(3, 4), grid),
        "warp_normal_equations": lambda f: f(image(3, 4), np.zeros((3, 4)), affine),
        "warp_weighted": lambda f: f(image(3, 4), None, affine),
        "warp_alpha": lambda f: f(image(3, 4, 4), affine),
    }
    of_geometry = {"warp_points", "warp_boxes", "warp_polygons", "warp_mask"}
    assert set(calls) == {name for name in wk.__all__ if name.startswith(("warp", "sample"))} - of_geometry
    assert set(LACKING) <= set(calls)
    for name, call in calls.items():
        if name in LACKING:
            with pytest.raises(TypeError, match="must be an array on the host"):
                call(getattr(wk, name))
        else:
            call(getattr(wk, name))


def test_kernels_and_modes_of_the_cpu_are_tested_on_a_gpu():
    assert set(KERNELS) == {*INTERPOLATIONS, *ALIKE, "bspline3"}
    assert set(MODES) == {*oracles.MODES, "fill"}


@pytest.mark.parametrize("option", LACKING_OPTIONS)
def test_what_options_of_the_cpu_a_gpu_refuses(option):
    with pytest.raises(ValueError, match=option):
        wk.warp(image(3, 4, 3), wk.Affine.identity(), **{option: LACKING_OPTIONS[option][0]})
