"""The localiser's layers beside PyTorch's: the same weights, the same batch, the same outputs and gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from warpkit.interop.torch import spatial_transform  # noqa: E402
from warpkit.localiser import (  # noqa: E402
    SGD,
    Adam,
    AveragePool2D,
    Conv2D,
    Linear,
    Localiser,
    MaxPool2D,
    Relu,
    Sequential,
    SpatialTransformer,
    dense,
    softmax_cross_entropy,
)

functional = torch.nn.functional


def random():
    return np.random.default_rng(11)


def tensors(layer):
    """A layer's parameters as PyTorch's: leaves, in warpkit's layout, float64."""
    return {name: torch.from_numpy(p.value.copy()).double().requires_grad_() for name, p in layer.parameters().items()}


def nchw(images):
    return torch.from_numpy(images).double().permute(0, 3, 1, 2)


def convolved(x, p, name):
    return functional.conv2d(x, p[f"{name}weight"].permute(3, 2, 0, 1), p[f"{name}bias"])


LAYERS = {
    "convolution": (lambda: Conv2D(3, 4, 3, random()), lambda x, p: convolved(x, p, "")),
    "strided convolution": (
        lambda: Conv2D(3, 4, 3, random(), stride=2, padding=1),
        lambda x, p: functional.conv2d(x, p["weight"].permute(3, 2, 0, 1), p["bias"], stride=2, padding=1),
    ),
    "max pool": (lambda: MaxPool2D(2), lambda x, p: functional.max_pool2d(x, 2)),
    "average pool": (lambda: AveragePool2D(2), lambda x, p: functional.avg_pool2d(x, 2)),
    "relu": (Relu, lambda x, p: functional.relu(x)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, theirs = LAYERS[name]
    layer = make().cast(np.float64)
    parameters = tensors(layer)
    images = random().normal(size=(2, 9, 8, 3))
    x = nchw(images).requires_grad_()
    output, backprop = layer(images)
    expected = theirs(x, parameters)
    np.testing.assert_allclose(output, expected.detach().permute(0, 2, 3, 1), atol=1e-12)
    grad = random().normal(size=output.shape)
    expected.backward(nchw(grad))
    np.testing.assert_allclose(backprop(grad), x.grad.permute(0, 2, 3, 1), atol=1e-11)
    for key, parameter in layer.parameters().items():
        np.testing.assert_allclose(parameter.gradient, parameters[key].grad, atol=1e-11)


def test_cross_entropy():
    logits, labels = random().normal(size=(6, 5)), random().integers(0, 5, 6)
    x = torch.from_numpy(logits).requires_grad_()
    expected = functional.cross_entropy(x, torch.from_numpy(labels))
    expected.backward()
    loss, grad = softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grad, x.grad, atol=1e-14)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: SGD(p, 0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (lambda p: Adam(p, 0.01), lambda p: torch.optim.Adam(p, 0.01)),
    ],
    ids=["SGD", "Adam"],
)
def test_optimisers(ours, theirs):
    layer = Linear(3, 2, random()).cast(np.float64)
    parameters = tensors(layer)
    mine, yours = ours(layer.parameters()), theirs(parameters.values())
    for step in range(5):
        for key, parameter in layer.parameters().items():
            parameter.gradient[...] = np.random.default_rng(step).normal(size=parameter.value.shape)
            parameters[key].grad = torch.from_numpy(parameter.gradient.copy())
        mine.step()
        yours.step()
    for key, parameter in layer.parameters().items():
        np.testing.assert_allclose(parameter.value, parameters[key].detach(), atol=1e-12)


def st_cnn(maps):
    """The paper's ST-CNN for 28 x 28 pixels, with few filters and a localiser that has begun to learn."""
    localiser = Localiser.convolutional((28, 28, 1), maps, random(), filters=(4, 4), hidden=(8,))
    head = localiser.layers[1]
    head.weight.value[:] = random().normal(0, 0.02, head.weight.value.shape)
    transformer = SpatialTransformer(localiser, maps, (28, 28))
    convolutions = [Conv2D(1, 4, 9, random()), MaxPool2D(2), Relu(), Conv2D(4, 6, 7, random()), MaxPool2D(2), Relu()]
    return Sequential(transformer, *convolutions, *dense((2, 2, 6), (12,), random()), Linear(12, 10, random()))


def flat(x):
    """As Flatten does for channels last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def st_cnn_in_torch(x, p, maps):
    look = functional.avg_pool2d(x, 2)
    look = functional.relu(convolved(look, p, "0.localiser.0.1."))
    look = functional.relu(convolved(functional.max_pool2d(look, 2), p, "0.localiser.0.4."))
    look = functional.relu(flat(look) @ p["0.localiser.0.7.weight"] + p["0.localiser.0.7.bias"])
    theta = look @ p["0.localiser.1.weight"] + p["0.localiser.1.bias"]
    if maps == "projective":
        theta = torch.cat([theta, torch.ones_like(theta[:, :1])], dim=1)
    shape = {"affine": (2, 3), "projective": (3, 3), "tps": (16, 2)}[maps]
    x = spatial_transform(x, theta.reshape(-1, *shape), family=maps, size=(28, 28))
    x = functional.relu(functional.max_pool2d(convolved(x, p, "1."), 2))
    x = functional.relu(functional.max_pool2d(convolved(x, p, "4."), 2))
    x = functional.relu(flat(x) @ p["8.weight"] + p["8.bias"])
    return x @ p["10.weight"] + p["10.bias"]


@pytest.mark.parametrize("maps", ["affine", "projective", "tps"])
def test_a_spatial_transformer_trains_as_in_torch(maps):
    images, labels = random().random((8, 28, 28, 1)), random().integers(0, 10, 8)
    net = st_cnn(maps).cast(np.float64)
    parameters = tensors(net)
    x = nchw(images).requires_grad_()
    expected = functional.cross_entropy(st_cnn_in_torch(x, parameters, maps), torch.from_numpy(labels))
    expected.backward()
    logits, backprop = net(images)
    loss, grad = softmax_cross_entropy(logits, labels)
    grad_images = backprop(grad)
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    scale = np.abs(grad_images).max()
    np.testing.assert_allclose(grad_images, x.grad.permute(0, 2, 3, 1), atol=1e-7 * scale)
    for key, parameter in net.parameters().items():
        theirs = parameters[key].grad.numpy()
        np.testing.assert_allclose(parameter.gradient, theirs, atol=1e-7 * np.abs(theirs).max(), err_msg=key)
