"""Gradients of every family's parameters through a warp."""

import numpy as np
import pytest
from more_families import MORE_FAMILIES

import warpkit as wk
from warpkit.testing import check_vjp

SHAPE = (40, 60)
# Sample points nearer than this to a pixel's centre line take no part in a comparison with differences.
KINK_MARGIN = 1e-3


@pytest.mark.parametrize("name", MORE_FAMILIES)
def test_parameter_gradient_agrees_with_differences(name):
    inverse_map = MORE_FAMILIES[name]
    random = np.random.default_rng(0)
    image = random.normal(size=SHAPE)
    points = wk.sampling_grid(inverse_map, SHAPE)
    distance = np.abs(points - np.round(points)).min(axis=-1)
    grad = random.normal(size=SHAPE) * (np.nan_to_num(distance) > KINK_MARGIN)
    options = {"mode": "edge"}
    _, pullback = wk.warp_vjp(image, inverse_map, **options)
    gradient = pullback(grad)[1]
    assert np.isfinite(gradient).all()
    for k in range(min(8, len(inverse_map.params))):
        direction = np.zeros_like(inverse_map.params)
        direction[k] = 1 / max(1.0, np.abs(inverse_map.jacobian(points)[~np.isnan(points).any(axis=-1)]).max())
        check_vjp(
            lambda p: wk.warp(image, inverse_map.with_params(p), **options),
            lambda g: pullback(g)[1],
            inverse_map.params,
            grad_output=grad,
            direction=direction,
        )
