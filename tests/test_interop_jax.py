"""The JAX interop: values and gradients against the library and against differences, under jit, vmap and grad."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")
jnp = jax.numpy

import oracles  # noqa: E402

import warpkit as wk  # noqa: E402
from warpkit import conventions  # noqa: E402
from warpkit.interop import jax as wkj  # noqa: E402
from warpkit.testing import check_adjoint, check_vjp  # noqa: E402

MODES = ["bilinear", "nearest", "bicubic"]
PADDINGS = ["zeros", "border", "reflection"]
FAMILIES = ["affine", "projective", "tps"]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_theta(family, count, random, amount=0.1):
    if family == "tps":
        line = np.linspace(-1, 1, 3)
        plain = np.stack(np.meshgrid(line, line), axis=-1).reshape(1, 9, 2) * 0.8
    else:
        plain = np.eye(3)[None, : 2 if family == "affine" else 3]
    return plain + random.normal(0, amount, (count, *plain.shape[1:]))


def batch(seed=0, count=2):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 3, 7, 9)), random.uniform(-1.4, 1.4, (count, 5, 6, 2)), random


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_grid_sample_equals_the_reference(mode, padding_mode, align_corners):
    images, grid, _ = batch()
    ours = wkj.grid_sample(images, grid, mode, padding_mode, align_corners)
    expected = [
        [oracles.torch_grid_sample(plane, points, mode, padding_mode, align_corners) for plane in image]
        for image, points in zip(images, grid, strict=True)
    ]
    assert ours.dtype == jnp.float64
    assert np.abs(ours - np.array(expected)).max() < 1e-12


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_gradients_of_grid_sample_agree_with_differences(mode, padding_mode, align_corners):
    images, grid, _ = batch()

    def sample(images, grid):
        return wkj.grid_sample(images, grid, mode, padding_mode, align_corners)

    _, pullback = jax.vjp(sample, images, grid)
    check_adjoint(lambda x: sample(x, grid), lambda g: pullback(jnp.asarray(g))[0], images)
    check_vjp(lambda p: sample(images, p), lambda g: pullback(jnp.asarray(g))[1], grid)


@pytest.mark.parametrize("padding_mode", PADDINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_transforms_agree_with_differences(family, padding_mode):
    images, _, random = batch()
    theta = random_theta(family, 2, random)

    def transform(images, theta):
        return wkj.spatial_transform(images, theta, family, (5, 6), padding_mode=padding_mode)

    _, pullback = jax.vjp(transform, images, theta)
    check_adjoint(lambda x: transform(x, theta), lambda g: pullback(jnp.asarray(g))[0], images)
    check_vjp(lambda t: transform(images, t), lambda g: pullback(jnp.asarray(g))[1], theta)


@pytest.mark.parametrize("family", ["affine", "projective"])
def test_a_transform_is_the_librarys_warp_with_its_gradients(family):
    images, _, random = batch(count=1)
    theta = random_theta(family, 1, random)
    inverse_map = conventions.from_normalized(theta[0], (7, 9), (7, 9), align_corners=False)
    expected, pull = wk.warp_vjp(images[0].transpose(1, 2, 0), inverse_map)
    output, pullback = jax.vjp(lambda x: wkj.spatial_transform(x, jnp.asarray(theta), family), images)
    assert np.abs(output[0].transpose(1, 2, 0) - expected).max() < 1e-12
    grad = random.normal(size=output.shape)
    assert np.abs(pullback(jnp.asarray(grad))[0][0].transpose(1, 2, 0) - pull(grad[0].transpose(1, 2, 0))[0]).max() < 1e-12


def loss(images, theta):
    return (wkj.spatial_transform(images, theta, padding_mode="border") ** 2).sum()


def test_jit_and_grad():
    images, _, random = batch()
    theta = random_theta("affine", 2, random)
    eager = jax.value_and_grad(loss, (0, 1))(images, theta)
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
    for _ in range(2):
        for a, b in zip(jax.tree.leaves(compiled(images, theta)), jax.tree.leaves(eager), strict=True):
            assert np.allclose(a, b, rtol=1e-13)


def test_vmap_is_a_batch():
    images, grid, random = batch(count=4)
    theta = random_theta("affine", 4, random)
    sampled = jax.vmap(lambda x, g: wkj.grid_sample(x[None], g[None])[0])(images, grid)
    assert np.array_equal(sampled, wkj.grid_sample(images, grid))
    one_picture = jax.vmap(lambda t: wkj.spatial_transform(images[:1], t[None])[0])(theta)
    assert np.array_equal(one_picture, wkj.spatial_transform(np.repeat(images[:1], 4, axis=0), theta))
    grads = jax.vmap(jax.grad(lambda x, t: loss(x[None], t[None]), (0, 1)))(images, theta)
    for a, b in zip(grads, jax.grad(loss, (0, 1))(images, theta), strict=True):
        assert np.allclose(a, b, rtol=1e-13)


def test_only_the_gradients_asked_for():
    images, _, random = batch()
    theta = random_theta("affine", 2, random)
    both = jax.grad(loss, (0, 1))(images, theta)
    assert np.array_equal(jax.grad(loss, 0)(images, theta), both[0])
    assert np.array_equal(jax.grad(loss, 1)(images, theta), both[1])
    assert not jax.grad(lambda t: 0 * t.sum() + jax.lax.stop_gradient(loss(images, t)))(theta).any()


def test_large_pictures_under_jit():
    """Arguments of callbacks that are large are moved by other threads than small ones."""
    images = np.random.default_rng(0).normal(size=(2, 3, 600, 800)).astype(np.float32)
    theta = np.eye(2, 3, dtype=np.float32)[None].repeat(2, 0)
    grads = jax.jit(jax.grad(loss, (0, 1)))(images, theta)
    assert np.allclose(grads[0], 2 * images, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dtypes(dtype):
    images, grid, random = batch()
    theta = random_theta("affine", 2, random)
    expected = wkj.spatial_transform(images, theta)
    x, t, g = (jnp.asarray(a, dtype=dtype) for a in (images, theta, grid))
    output = wkj.spatial_transform(x, t)
    tolerance = {"float32": 1e-4, "float16": 0.05, "bfloat16": 0.3}[dtype]
    assert output.dtype == dtype
    assert wkj.grid_sample(x, g).dtype == dtype
    assert np.abs(output.astype("float64") - expected).max() < tolerance
    for value, like in zip(jax.grad(loss, (0, 1))(x, t), (x, t), strict=True):
        assert value.dtype == like.dtype


def test_empty_batches_and_points_that_are_no_numbers():
    images, grid, _ = batch()
    assert wkj.grid_sample(images[:0], grid[:0]).shape == (0, 3, 5, 6)
    assert jax.grad(loss)(images[:0], np.zeros((0, 2, 3))).shape == (0, 3, 7, 9)
    grid[0, 0, 0] = np.nan
    assert not wkj.grid_sample(images, grid)[0, :, 0, 0].any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, g: wkj.grid_sample(x[0], g), ValueError, "input must have shape"),
        (lambda x, g: wkj.grid_sample(x, g[:1]), ValueError, "grid must have shape"),
        (lambda x, g: wkj.grid_sample(x.astype(int), g), TypeError, "input must be floating"),
        (lambda x, g: wkj.grid_sample(x, g, "cubic"), ValueError, "mode must be"),
        (lambda x, g: wkj.grid_sample(x, g, padding_mode="wrap"), ValueError, "padding_mode must be"),
        (lambda x, g: wkj.spatial_transform(x, np.eye(3)), ValueError, "theta must have shape"),
        (lambda x, g: wkj.spatial_transform(x, np.eye(2, 3)[None]), ValueError, "theta must have one entry"),
        (lambda x, g: wkj.spatial_transform(x, np.zeros((2, 5, 2)), "tps"), ValueError, "control_points must be given"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    images, grid, _ = batch()
    with pytest.raises(error, match=message):
        call(images, grid)


@pytest.mark.parametrize("transformed", [jax.jit, jax.grad])
def test_control_points_are_constants(transformed):
    images, _, _ = batch()
    points = np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]])
    function = transformed(lambda p: wkj.spatial_transform(images, np.stack([points] * 2), "tps", control_points=p).sum())
    with pytest.raises(TypeError, match="control_points must be concrete"):
        function(points)
