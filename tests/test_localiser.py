"""Layers, families, spatial transformers and what trains them."""

import numpy as np
import pytest

import warpkit as wk
from warpkit.localiser import (
    SGD,
    Adam,
    AveragePool2D,
    Conv2D,
    Flatten,
    Linear,
    Localiser,
    MaxPool2D,
    Parallel,
    Parameter,
    Relu,
    Reshape,
    Sequential,
    SpatialTransformer,
    error_rate,
    family,
    load,
    predict,
    save,
    softmax_cross_entropy,
    step_schedule,
    train_step,
)
from warpkit.testing import check_vjp

FAMILIES = {
    "affine": {},
    "attention": {},
    "similarity": {},
    "projective": {},
    "tps": {},
    "attention within bounds": {"name": "attention", "bounds": ([0.3, -1, -1], [1.5, 1, 1])},
    "tps within bounds": {"name": "tps", "points": 9, "bounds": (-3, 3)},
}


def named_family(name):
    options = dict(FAMILIES[name])
    return family(options.pop("name", name), **options)


def random():
    return np.random.default_rng(7)


def unsettled_transformer(name, **options):
    """A transformer that looks at 16 x 16 pixels and two channels, and whose head has weights."""
    maps = named_family(name)
    localiser = Localiser.convolutional((16, 16, 2), maps, random(), filters=(4,), size=3, hidden=(6,))
    head = localiser.layers[1]
    head.weight.value[:] = random().normal(0, 0.03, head.weight.value.shape)
    return SpatialTransformer(localiser, maps, (12, 11), **options)


def check_layer(layer, images):
    """The gradients of the input and of each parameter, against differences."""
    layer.cast(np.float64)
    check_vjp(lambda x: layer(x)[0], lambda g: layer(images)[1](g), images, tolerance=1e-6)
    for name, parameter in layer.parameters().items():
        value = parameter.value

        def output(changed, parameter=parameter, value=value):
            parameter.value = changed
            result = layer(images)[0]
            parameter.value = value
            return result

        def pull(grad, parameter=parameter):
            parameter.gradient[...] = 0
            layer(images)[1](grad, wants_input=False)
            return parameter.gradient.copy()

        try:
            check_vjp(output, pull, value, tolerance=1e-6)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


LAYERS = {
    "linear": (lambda: Linear(7, 5, random()), (3, 7)),
    "convolution": (lambda: Conv2D(3, 4, 3, random()), (2, 9, 8, 3)),
    "convolution with stride and padding": (lambda: Conv2D(3, 4, 3, random(), stride=2, padding=1), (2, 9, 8, 3)),
    "convolution of one pixel": (lambda: Conv2D(2, 3, 1, random()), (2, 4, 5, 2)),
    "max pool": (lambda: MaxPool2D(2), (2, 9, 8, 3)),
    "max pool of three": (lambda: MaxPool2D(3), (2, 9, 8, 3)),
    "average pool": (lambda: AveragePool2D(2), (2, 9, 8, 3)),
    "relu": (Relu, (2, 9)),
    "flatten": (Flatten, (2, 3, 4, 5)),
    "reshape": (lambda: Reshape(5, 2, 6), (2, 3, 4, 5)),
    "parallel copies": (lambda: Parallel(Linear(7, 5, random()), Linear(7, 3, random())), (2, 7)),
    "parallel shares": (lambda: Parallel(Linear(4, 5, random()), Linear(4, 3, random()), split=True), (2, 8)),
    "sequence": (lambda: Sequential(Conv2D(2, 3, 3, random()), Relu(), Flatten(), Linear(48, 4, random())), (2, 6, 6, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers(name):
    make, shape = LAYERS[name]
    check_layer(make(), random().normal(size=shape))


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_of_spatial_transformers(name):
    check_layer(unsettled_transformer(name), random().normal(size=(3, 16, 16, 2)))


def test_gradients_of_transformers_in_parallel_and_in_depth():
    wide = Parallel(unsettled_transformer("affine"), unsettled_transformer("attention"))
    check_layer(wide, random().normal(size=(2, 16, 16, 2)))
    second = SpatialTransformer(Localiser.fully_connected((12, 11, 2), "affine", random(), hidden=(5,)), "affine", (8, 8))
    check_layer(Sequential(unsettled_transformer("projective"), second), random().normal(size=(2, 16, 16, 2)))


def test_a_convolution_is_the_sum_over_its_window():
    layer, images = Conv2D(3, 2, 3, random(), stride=2, padding=1), random().normal(size=(2, 7, 6, 3)).astype(np.float32)
    layer.bias.value[:] = [1, -2]
    output, _ = layer(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for row, column in np.ndindex(output.shape[1:3]):
        window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        expected = np.tensordot(window, layer.weight.value, 3) + np.array([1, -2])
        np.testing.assert_allclose(output[:, row, column], expected, rtol=1e-4, atol=1e-5)


def test_large_batches_are_convolved_as_small_ones():
    layer, images = Conv2D(4, 3, 5, random()), random().normal(size=(70, 24, 24, 4)).astype(np.float32)
    output, _ = layer(images)
    for n in (0, 33, 69):
        np.testing.assert_allclose(output[n : n + 1], layer(images[n : n + 1])[0], rtol=1e-5, atol=1e-5)


def test_a_pool_of_equal_pixels_sends_its_gradient_to_one():
    _, backprop = MaxPool2D(2)(np.zeros((1, 2, 2, 1), np.float32))
    assert backprop(np.ones((1, 1, 1, 1), np.float32)).ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_new_transformer_is_the_identity(name):
    maps = named_family(name)
    localiser = Localiser.fully_connected((9, 10, 3), maps, random())
    images = random().random((2, 9, 10, 3), dtype=np.float32)
    output, _ = SpatialTransformer(localiser, maps, (9, 10))(images)
    np.testing.assert_allclose(output, images, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_transforms_are_what_the_transformer_does(name, align_corners):
    transformer = unsettled_transformer(name, mode="edge", align_corners=align_corners)
    images = random().random((2, 16, 16, 2), dtype=np.float32)
    output, _ = transformer(images)
    for image, result, transform in zip(images, output, transformer.transforms(images), strict=True):
        np.testing.assert_allclose(result, wk.warp(image, transform, (12, 11), mode="edge", tolerance=0), atol=1e-4)


def test_splines_on_a_large_canvas_are_what_they_are_on_a_small_one():
    """Beyond some millions of pixels times control points, splines are computed by the kernels, with no grid in memory."""
    localiser = Localiser.fully_connected((16, 16, 1), "tps", random(), hidden=(5,))
    localiser.layers[1].weight.value[:] = 0.1 * random().normal(size=localiser.layers[1].weight.value.shape)
    # bicubic: so many points would meet some kink of bilinear sampling within the differences
    transformer = SpatialTransformer(localiser, "tps", (400, 410), interpolation="bicubic")
    images = random().random((2, 16, 16, 1), dtype=np.float32)
    output, _ = transformer(images)
    for image, result, transform in zip(images, output, transformer.transforms(images), strict=True):
        np.testing.assert_allclose(
            result, wk.warp(image, transform, (400, 410), interpolation="bicubic", tolerance=0), atol=1e-4
        )
    check_layer(transformer, images.astype(np.float64))


def test_bounds_hold_and_begin_with_the_identity():
    maps = family("attention", bounds=([0.5, -0.25, -0.25], [1.5, 0.25, 0.25]))
    theta, _ = maps.theta(np.array([maps.start, [1e3, 1e3, -1e3], [-1e3, -1e3, 1e3]]))
    assert np.allclose(theta, [[[1, 0, 0], [0, 1, 0]], [[1.5, 0, 0.25], [0, 1.5, -0.25]], [[0.5, 0, -0.25], [0, 0.5, 0.25]]])


def test_the_gradient_scale_is_the_localisers_alone():
    images = random().random((2, 16, 16, 2), dtype=np.float32)
    gradients = []
    for scale in (1.0, 0.25):
        transformer = unsettled_transformer("affine", gradient_scale=scale)
        output, backprop = transformer(images)
        backprop(np.ones_like(output), wants_input=False)
        gradients.append({name: p.gradient for name, p in transformer.parameters().items()})
    for name, full in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], 0.25 * full, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimiser", [SGD, Adam])
def test_a_rate_may_begin_later(optimiser):
    parameters = {"early": Parameter(np.ones(3)), "late": Parameter(np.ones(3), rate=lambda step: 0.0 if step < 2 else 0.5)}
    training = optimiser(parameters, 0.1)
    values = []
    for _ in range(3):
        for parameter in parameters.values():
            parameter.gradient[:] = 1
        training.step()
        values.append(parameters["late"].value[0])
    assert values[:2] == [1, 1]
    np.testing.assert_allclose([values[2], parameters["early"].value[0]], [0.95, 0.7], rtol=1e-6)


@pytest.mark.parametrize("make", [Localiser.fully_connected, Localiser.convolutional])
def test_the_head_of_a_localiser_may_have_a_rate_of_its_own(make):
    parameters = list(make((28, 28, 1), "affine", random(), rate=0.1, head_rate=0.5).parameters().values())
    assert [parameter.rate for parameter in parameters] == [0.1] * (len(parameters) - 2) + [0.5] * 2
    assert {parameter.rate for parameter in make((28, 28, 1), "affine", random(), rate=0.1).parameters().values()} == {0.1}


def test_softmax_cross_entropy():
    logits, labels = random().normal(size=(3, 5, 11)), random().integers(0, 11, (3, 5))
    loss, _ = softmax_cross_entropy(logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    assert loss == pytest.approx(-np.log(np.take_along_axis(probabilities, labels[..., None], 2)).mean())
    check_vjp(lambda x: softmax_cross_entropy(x, labels)[0], lambda g: g * softmax_cross_entropy(logits, labels)[1], logits)
    huge, _ = softmax_cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert huge == 2e4


def small_net():
    localiser = Localiser.fully_connected((8, 8, 1), "affine", random(), hidden=(8,), rate=0.1)
    return Sequential(SpatialTransformer(localiser, "affine", (8, 8)), Flatten(), Linear(64, 2, random()))


def bars():
    """Vertical and horizontal bars at random places: two classes."""
    images, labels = np.zeros((200, 8, 8, 1), np.float32), np.arange(200) % 2
    for image, label, place in zip(images, labels, random().integers(0, 8, 200), strict=True):
        image[(slice(None), place) if label else (place, slice(None))] = 1
    return images, labels


@pytest.mark.parametrize("optimiser", [lambda p: SGD(p, 0.1, momentum=0.9), lambda p: Adam(p, 1e-2)], ids=["SGD", "Adam"])
def test_training_learns_and_repeats(optimiser):
    images, labels = bars()
    runs = []
    for _ in range(2):
        net = small_net()
        steps = optimiser(net.parameters())
        runs.append([train_step(net, images, labels, steps) for _ in range(150)])
    assert runs[0] == runs[1]
    assert runs[0][-1] < 0.3 * runs[0][0]
    assert error_rate(net, images, labels) < 0.1
    assert predict(net, images, batch=7).shape == (200, 2)


def test_a_run_goes_on_from_its_file(tmp_path):
    images, labels = (part[:40] for part in bars())
    whole = small_net()
    steps = Adam(whole.parameters(), step_schedule(1e-2, 10))
    expected = [train_step(whole, images, labels, steps) for _ in range(20)]
    first = small_net()
    steps = Adam(first.parameters(), step_schedule(1e-2, 10))
    losses = [train_step(first, images, labels, steps) for _ in range(8)]
    save(tmp_path / "net.npz", first, steps)
    second = small_net()
    steps = Adam(second.parameters(), step_schedule(1e-2, 10))
    load(tmp_path / "net.npz", second, steps)
    losses += [train_step(second, images, labels, steps) for _ in range(12)]
    assert losses == expected
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_files_of_other_nets_are_refused(tmp_path):
    save(tmp_path / "net.npz", Linear(3, 2, random()))
    other = Linear(4, 2, random())
    before = other.weight.value.copy()
    with pytest.raises(ValueError, match=r"weight must have shape \(4, 2\)"):
        load(tmp_path / "net.npz", other)
    (tmp_path / "text.npz").write_text("no net")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("text.npz", "array.npy"):
        with pytest.raises(ValueError, match="does not hold a net"):
            load(tmp_path / name, other)
    assert np.array_equal(other.weight.value, before)


def test_the_rate_of_a_parameter_scales_its_steps():
    layer = Linear(2, 2, random())
    layer.bias.rate = 0.5
    before = {name: p.value.copy() for name, p in layer.parameters().items()}
    for parameter in layer.parameters().values():
        parameter.gradient[...] = 1
    SGD(layer.parameters(), step_schedule(0.1, 5)).step()
    assert np.allclose(before["weight"] - layer.weight.value, 0.1)
    assert np.allclose(before["bias"] - layer.bias.value, 0.05)
    assert not layer.weight.gradient.any()


BAD = {
    "too small for a window": (lambda: Conv2D(1, 2, 5, random())(np.zeros((1, 4, 9, 1), np.float32)), "images must have"),
    "other channels": (lambda: Conv2D(1, 2, 3, random())(np.zeros((1, 9, 9, 2), np.float32)), "images must have"),
    "other width": (lambda: Linear(3, 2, random())(np.zeros((1, 4), np.float32)), r"images must have shape \(N, 3\)"),
    "pool of nothing": (lambda: MaxPool2D(0), "size must be from 1"),
    "channels that do not divide": (lambda: Parallel(Relu(), Relu(), split=True)(np.zeros((1, 3))), "multiple of 2"),
    "unknown family": (lambda: family("rigid"), "family must be"),
    "no square grid": (lambda: family("tps", points=10), "square grid"),
    "bounds without the identity": (lambda: family("affine", bounds=(0.5, 2)), "bounds must have the identity"),
    "bounds of another length": (lambda: family("attention", bounds=([0, 0], [2, 2])), "bounds must be"),
    "label beyond classes": (lambda: softmax_cross_entropy(np.zeros((1, 3)), np.array([3])), "labels must be from 0 to 2"),
    "labels of another shape": (lambda: softmax_cross_entropy(np.zeros((2, 3)), np.array([1])), r"shape \(2,\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


INTEGERS = {
    "a convolution": lambda: Conv2D(1, 2, 3, random()),
    "a pool": lambda: AveragePool2D(2),
    "a transformer": lambda: SpatialTransformer(Sequential(Flatten(), Linear(36, 6, random())), "affine", (6, 6)),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_refused_rather_than_rounded(name):
    """A pool's means of 8-bit pixels were 0, a transformer's gradients whole numbers."""
    with pytest.raises(TypeError, match="images must be floating, got dtype uint8"):
        INTEGERS[name]()(np.full((2, 6, 6, 1), 200, np.uint8))


@pytest.mark.parametrize("labels", [np.array([0.0, 1]), np.array([False, True])])
def test_labels_are_integers(labels):
    with pytest.raises(TypeError, match="labels must be integers, got dtype"):
        softmax_cross_entropy(np.zeros((2, 2)), labels)
    assert softmax_cross_entropy(np.zeros((2, 2)), [0, 1])[0] == pytest.approx(np.log(2))


def test_a_loss_that_is_not_finite_leaves_the_net_as_it_was():
    layer = Linear(3, 2, random())
    before, optimiser = layer.weight.value.copy(), Adam(layer.parameters())
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        train_step(layer, np.array([[np.nan, 0, 0]], np.float32), np.array([1]), optimiser)
    assert np.array_equal(layer.weight.value, before)
    assert not layer.weight.gradient.any()
    assert optimiser.steps == 0


def test_images_that_are_not_finite_are_not_taken_for_divergence():
    with pytest.raises(ValueError, match="images must hold finite numbers"):
        unsettled_transformer("affine")(np.full((1, 16, 16, 2), np.nan, np.float32))


def test_a_net_that_diverged_says_so():
    transformer = unsettled_transformer("affine")
    transformer.localiser.layers[1].bias.value[0] = np.nan
    with pytest.raises(FloatingPointError, match="diverged"):
        transformer(np.zeros((1, 16, 16, 2), np.float32))
