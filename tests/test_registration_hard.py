"""Registration where it may fail, and from a start that others find."""

import numpy as np
import pytest
import scipy.ndimage
import skimage.registration

import warpkit as wk
from benchmarks import registration_hard as hard
from benchmarks import registration_pairs as made


@pytest.mark.parametrize(("kind", "count"), [("noise", 5), ("blurred", 5), ("small", 5), ("two motions", 2), ("unrelated", 2)])
def test_what_is_wrong_is_not_trusted(kind, count):
    """The fifth of the pictures is hard: a rocket before an empty sky."""
    for pair in hard.pairs(kind, count, seed=0):
        found = wk.register(pair.moving, pair.fixed)
        matrix = np.vstack([found.transform.matrix, [0, 0, 1]])
        assert not found.converged or made.corner_error(matrix, pair.matrix, pair.fixed.shape) <= 0.5, pair.picture


def test_phase_correlation_gives_a_start():
    """As docs/registration.md has it, of a shift and a little turn."""
    picture, truth = made.photograph("camera"), wk.Affine.translation(43, -28) @ wk.Affine.rotation(2, (150, 150))
    x, y = np.moveaxis(truth(made.grid((300, 300))) + 100, -1, 0)
    moving, fixed = picture[100:400, 100:400], scipy.ndimage.map_coordinates(picture, [y, x])
    (dy, dx), _, _ = skimage.registration.phase_cross_correlation(fixed, moving)
    start = wk.Affine.translation(-dx, -dy)
    assert np.abs(start((150, 150)) - truth((150, 150))).max() < 6
    found = wk.register(moving, fixed, initial=start)
    assert found.converged, found.reason
    assert np.abs(found.transform(made.grid((300, 300))) - truth(made.grid((300, 300)))).max() < 0.05
