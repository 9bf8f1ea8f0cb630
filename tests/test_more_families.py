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
    params = inverse_map.params
    for k in range(min(8, len(params))):
        # Parameters move points by very different lengths: each is changed by what moves some point by a pixel.
        unit = np.eye(len(params))[k]
        moves = wk.sampling_grid(inverse_map.with_params(params + 1e-6 * unit), SHAPE) - points
        direction = unit * 1e-6 / np.nanmax(np.abs(moves))
        check_vjp(
            lambda p: wk.warp(image, inverse_map.with_params(p), **options),
            lambda g: pullback(g)[1],
            params,
            grad_output=grad,
            direction=direction,
        )
