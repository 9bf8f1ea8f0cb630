"""Small splines on a lattice: what ``test_vector_paths.py`` tries on large ones, at sizes that plain Python can bear."""

import numpy as np
import pytest
from oracles import pixel_grid

import warpkit as wk

SHAPE, MARGIN = (20, 70), 40


@pytest.mark.parametrize("tolerance", [0.1, 0.001])
@pytest.mark.parametrize(("count", "spread"), [(3, 70), (12, 70), (12, 400)])
def test_a_lattice_keeps_to_the_tolerance(count, spread, tolerance):
    """Seen through a picture of its own coordinates, which bilinear sampling reads exactly."""
    random = np.random.default_rng(count + spread)
    points = random.uniform(-0.2, 1.2, (count, 2)) * spread
    values = points + random.normal(0, 3, points.shape)
    exact = wk.ThinPlateSpline(points, values)(pixel_grid(*SHAPE))
    ramp = pixel_grid(SHAPE[0] + 2 * MARGIN, SHAPE[1] + 2 * MARGIN) - MARGIN
    found = wk.warp(ramp, wk.ThinPlateSpline(points, values + MARGIN), SHAPE, tolerance=tolerance)
    inside = ((exact > 1 - MARGIN) & (exact < SHAPE[0] + MARGIN - 2)).all(axis=-1)
    assert inside.mean() > 0.3
    assert np.linalg.norm(found - exact, axis=-1)[inside].max() <= tolerance + 1e-9
