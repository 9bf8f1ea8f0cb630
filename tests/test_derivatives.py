"""Every vector-Jacobian product of the package, by inner products; determinism; the subgradient at kinks."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import warpkit
import warpkit as wk
from warpkit.testing import check_adjoint, check_vjp

MODES = ["constant", "edge", "symmetric", "reflect", "wrap"]
INTERPOLATIONS = ["bilinear", "bicubic", "nearest"]
SMOOTH = ["bilinear", "bicubic"]
# Sample points nearer than this to a kink take no part in a comparison with differences.
KINK_MARGIN = 1e-3
FAMILIES = ["affine", "projective", "spline", "field", "inverse spline", "inverse field", "composition"]


def make_map(family: str, shape: tuple[int, int], seed: int) -> wk.Transform:
    """A gentle random map of a family, for pictures of about ``shape``."""
    random = np.random.default_rng(seed)
    rows, columns = shape
    if family == "affine":
        return wk.Affine(np.array([[1, 0, 0], [0, 1, 0]]) + random.normal(0, [0.2, 0.2, 2], (2, 3)))
    if family == "projective":
        tilt = np.vstack([random.normal(0, [0.2, 0.2, 2], (2, 3)), random.normal(0, [1e-3, 1e-3, 0.05])])
        return wk.Projective(np.eye(3) + tilt)
    if family == "spline":
        x, y = np.meshgrid(np.linspace(0, columns - 1, 3), np.linspace(0, rows - 1, 3))
        points = np.column_stack([x.ravel(), y.ravel()])
        return wk.ThinPlateSpline(points, points + random.normal(0, 0.05 * min(shape), points.shape))
    if family == "field":
        return wk.DisplacementField.elastic(shape, alpha=6, sigma=3, seed=seed)
    if family.startswith("inverse"):
        return make_map(family.split()[1], shape, seed).inverse
    return make_map("affine", shape, seed) @ make_map("field", shape, seed + 1) @ make_map("spline", shape, seed + 2)


def far_from_kinks(inverse_map: wk.Transform, shape: tuple[int, int]) -> np.ndarray:
    """Which output pixels are sampled where the picture's interpolant, and each field on the way, is smooth."""
    rows, columns = shape
    points = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(float)
    far = np.ones(shape, dtype=bool)
    parts = inverse_map.parts if isinstance(inverse_map, wk.Composition) else [inverse_map]
    for part in parts:
        points = part(points)
        distance = np.abs(points - np.round(points)).min(axis=-1)
        far &= np.nan_to_num(distance) > KINK_MARGIN
    return far


shapes = st.tuples(st.integers(5, 24), st.integers(5, 24))
seeds = st.integers(0, 10_000)
few = settings(max_examples=settings.default.max_examples * 2 // 5)  # for each of very many combinations


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("family", FAMILIES)
@few
@given(shape=shapes, output_shape=shapes, channels=st.integers(1, 4), seed=seeds)
def test_image_gradient_is_the_adjoint(family, interpolation, mode, shape, output_shape, channels, seed):
    inverse_map = make_map(family, shape, seed)
    options = {"interpolation": interpolation, "mode": mode}
    image = np.zeros((*shape, channels))
    _, pullback = wk.warp_vjp(image, inverse_map, output_shape, **options)
    check_adjoint(lambda v: wk.warp(v, inverse_map, output_shape, **options), lambda g: pullback(g)[0], image, seed=seed)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", SMOOTH)
@pytest.mark.parametrize("family", FAMILIES)
@few
@given(shape=shapes, output_shape=shapes, channels=st.integers(1, 4), seed=seeds)
def test_parameter_gradient_agrees_with_differences(family, interpolation, mode, shape, output_shape, channels, seed):
    inverse_map = make_map(family, shape, seed)
    random = np.random.default_rng(seed)
    image = random.normal(size=(*shape, channels))
    options = {"interpolation": interpolation, "mode": mode, "cval": 0.3}
    _, pullback = wk.warp_vjp(image, inverse_map, output_shape, **options)
    grad = random.normal(size=(*output_shape, channels)) * far_from_kinks(inverse_map, output_shape)[..., None]
    params = inverse_map.params
    # A parameter moves points by very different lengths: a perspective entry by the picture's size squared.
    reach = np.ones_like(params)
    if family == "projective":
        reach = np.outer([1, 1, 1 / 24], [1 / 24, 1 / 24, 1]).ravel()
    elif family == "affine":
        reach = np.tile([1 / 24, 1 / 24, 1], 2)
    check_vjp(
        lambda p: wk.warp(image, inverse_map.with_params(p), output_shape, **options),
        lambda g: pullback(g)[1],
        params,
        grad_output=grad,
        direction=random.normal(size=params.shape) * reach,
        seed=seed,
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", SMOOTH)
@few
@given(shape=shapes, output_shape=shapes, channels=st.integers(1, 4), seed=seeds)
def test_grid_gradient_agrees_with_differences(interpolation, mode, shape, output_shape, channels, seed):
    random = np.random.default_rng(seed)
    image = random.normal(size=(*shape, channels))
    grid = random.uniform(-3, 27, (*output_shape, 2))
    far = (np.abs(grid - np.round(grid)) > KINK_MARGIN).all(axis=-1)
    options = {"interpolation": interpolation, "mode": mode}
    _, pullback = wk.sample_vjp(image, grid, **options, cval=-0.2)
    check_vjp(
        lambda p: wk.sample(image, p, **options, cval=-0.2),
        lambda g: pullback(g)[1],
        grid,
        grad_output=random.normal(size=(*output_shape, channels)) * far[..., None],
        seed=seed,
    )
    check_adjoint(lambda v: wk.sample(v, grid, **options), lambda g: pullback(g)[0], image, seed=seed)


def batch_case():
    random = np.random.default_rng(3)
    images = random.normal(size=(5, 14, 17, 2))
    maps = [make_map("spline", (14, 17), seed) for seed in range(5)]
    return images, maps


def check_warp_batch_vjp():
    images, maps = batch_case()
    _, pullback = wk.warp_batch_vjp(images, maps)
    check_adjoint(lambda v: wk.warp_batch(v, maps), lambda g: pullback(g)[0], images)
    far = np.stack([far_from_kinks(m, (14, 17)) for m in maps])[..., None]
    params = np.stack([m.params for m in maps])
    check_vjp(
        lambda p: wk.warp_batch(images, [m.with_params(row) for m, row in zip(maps, p, strict=True)]),
        lambda g: pullback(g)[1],
        params,
        grad_output=np.random.default_rng(1).normal(size=images.shape) * far,
    )


CHECKED_BY = {
    "warp_vjp": test_parameter_gradient_agrees_with_differences,
    "sample_vjp": test_grid_gradient_agrees_with_differences,
    "warp_batch_vjp": check_warp_batch_vjp,
}


def test_every_vjp_of_the_package_is_checked():
    found = set()
    for module in pkgutil.walk_packages(warpkit.__path__, "warpkit."):
        # checked against their frameworks, and on the simulator
        if not module.name.startswith(("warpkit.interop", "warpkit.cuda_", "warpkit.gpu_", "warpkit.kernels.cuda")):
            names = vars(importlib.import_module(module.name))
            found |= {name for name in names if name.endswith("_vjp") and callable(names[name]) and not name.startswith("_")}
    assert found - {"check_vjp"} == set(CHECKED_BY)


def test_batch_gradients_agree_with_differences():
    check_warp_batch_vjp()


@pytest.mark.parametrize("kind", ["one map", "one family", "mixed", "matrices"])
def test_batch_equals_single_images(kind):
    images, maps = batch_case()
    if kind == "one map":
        maps = maps[:1] * 5
        given_maps = maps[0]
    elif kind == "one family":
        given_maps = maps
    elif kind == "mixed":
        given_maps = maps = [wk.Affine.rotation(5), *([wk.Affine.rotation(n).inverse for n in range(3)]), wk.Affine.rotation(4)]
        given_maps = maps
    else:
        given_maps = np.stack([wk.Affine.rotation(n, (8, 7)).matrix for n in range(5)])
        maps = list(map(wk.Affine, given_maps))
    output, pullback = wk.warp_batch_vjp(images, given_maps)
    grad = np.random.default_rng(0).normal(size=output.shape)
    grad_images, grad_params = pullback(grad)
    for n, inverse_map in enumerate(maps):
        single, single_pullback = wk.warp_vjp(images[n], inverse_map)
        grad_image, grad_map = single_pullback(grad[n])
        assert np.array_equal(single, output[n])
        assert np.array_equal(grad_image, grad_images[n])
        assert np.allclose(grad_map, grad_params[n], rtol=1e-12, atol=1e-12)


def test_gradients_of_maps_with_different_numbers_of_parameters_are_refused():
    images, _ = batch_case()
    maps = [make_map(family, (14, 17), 0) for family in ("affine", "spline", "affine", "affine", "affine")]
    with pytest.raises(ValueError, match="inverse_maps must have the same number of parameters"):
        wk.warp_batch_vjp(images, maps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("interpolation", SMOOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_the_same_bits_for_any_number_of_threads(family, interpolation, dtype):
    random = np.random.default_rng(0)
    image = random.normal(size=(150, 300, 3)).astype(dtype)
    inverse_map = make_map(family, (150, 300), 1) @ wk.Affine.rotation(30, (150, 75))
    before = wk.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 7):
            wk.set_num_threads(threads)
            output, pullback = wk.warp_vjp(image, inverse_map, interpolation=interpolation, mode="reflect")
            results.append(pullback(np.sin(np.arange(output.size)).reshape(output.shape)))
    finally:
        wk.set_num_threads(before)
    for grad_image, grad_params in results[1:]:
        assert grad_image.tobytes() == results[0][0].tobytes()
        assert grad_params.tobytes() == results[0][1].tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_at_a_kink_the_slope_is_that_of_the_cell_right_and_below(mode):
    image = np.array([[0.0, 1, 10, 100, 1000]]) + np.array([[0.0], [3], [30], [300]])
    _, pullback = wk.sample_vjp(image, np.array([[[2.0, 1.0]]]), mode=mode)
    _, grad_grid = pullback(np.ones((1, 1)))
    assert grad_grid[0, 0].tolist() == [90, 27]


def test_nearest_has_an_image_gradient_only():
    image = np.random.default_rng(0).normal(size=(9, 11))
    _, pullback = wk.warp_vjp(image, wk.Affine.rotation(20, (5, 4)), interpolation="nearest")
    grad_image, grad_params = pullback(np.ones((9, 11)))
    assert grad_image.sum() > 50
    assert not grad_params.any()


def test_gradients_that_are_not_asked_for_are_none():
    image = np.random.default_rng(0).normal(size=(9, 11))
    inverse_map = wk.Affine.rotation(20, (5, 4))
    _, pullback = wk.warp_vjp(image, inverse_map)
    both = pullback(np.ones((9, 11)))
    assert pullback(np.ones((9, 11)), image=False)[0] is None
    assert np.array_equal(pullback(np.ones((9, 11)), image=False)[1], both[1])
    assert pullback(np.ones((9, 11)), params=False)[1] is None
    assert np.array_equal(pullback(np.ones((9, 11)), params=False)[0], both[0])


@pytest.mark.parametrize(("dtype", "expected"), [("uint8", "float32"), ("int32", "float64"), ("float16", "float16")])
def test_dtypes_of_gradients(dtype, expected):
    image = np.arange(30).reshape(5, 6).astype(dtype)
    output, pullback = wk.warp_vjp(image, wk.Affine.translation(0.5, 0.25))
    grad_image, grad_params = pullback(np.ones(output.shape))
    assert output.dtype == dtype
    assert grad_image.dtype == expected
    assert grad_params.dtype == np.float64


def test_points_beyond_the_horizon_have_no_gradient():
    image = np.random.default_rng(0).normal(size=(20, 20))
    horizon = wk.Projective([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1.0]])
    for mode in MODES:
        output, pullback = wk.warp_vjp(image, horizon, mode=mode)
        grad = np.zeros(output.shape)
        grad[:, 10:] = 1
        grad_image, grad_params = pullback(grad)
        assert not grad_image.any()
        assert not grad_params.any()


@pytest.mark.parametrize(
    ("grad", "error", "message"),
    [
        (np.ones((3, 3)), ValueError, "grad_output must have the output's shape"),
        (np.array([["a"]]), TypeError, "grad_output must hold real numbers"),
    ],
)
def test_bad_output_gradients_are_refused(grad, error, message):
    _, pullback = wk.warp_vjp(np.ones((5, 6)), wk.Affine.identity())
    with pytest.raises(error, match=message):
        pullback(grad)


def test_checks_find_wrong_derivatives():
    with pytest.raises(AssertionError, match="relative error"):
        check_vjp(np.sin, lambda g: g * np.sin(1.0), np.full(3, 1.0))
    with pytest.raises(AssertionError, match="relative error"):
        check_adjoint(lambda v: 2 * v, lambda g: g, np.ones(4))
    with pytest.raises(AssertionError, match="shape"):
        check_vjp(np.sin, lambda g: g.sum(), np.full(3, 1.0))
    check_vjp(np.sin, lambda g: g * np.cos(1.0), np.full(3, 1.0))
