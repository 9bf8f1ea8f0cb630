"""Piecewise affine maps against scikit-image; their edges, holes and bad parameters."""

import math
import sys

import numpy as np
import pytest
import skimage.transform
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

PEER_PX = 1e-9
ROUND_TRIP_PX = 1e-9


def bent_grid(rows=5, columns=6, seed=0, shift=2.0):
    """Control points all over a 60 x 40 picture, not quite on a grid, and where they go."""
    random = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(np.linspace(0, 59, columns), np.linspace(0, 39, rows)), axis=-1).reshape(-1, 2)
    points = points + random.uniform(-2, 2, points.shape)
    return points, points + random.uniform(-shift, shift, points.shape)


def picture_points(count=2000, seed=0):
    return np.random.default_rng(seed).uniform([-8, -8], [67, 47], (count, 2))


@given(st.integers(0, 1000), st.integers(2, 9), st.integers(2, 9))
def test_points_are_scikit_images(seed, rows, columns):
    src, dst = bent_grid(rows, columns, seed)
    ours = wk.PiecewiseAffine.fit(src, dst)(picture_points())
    peer = skimage.transform.PiecewiseAffineTransform.from_estimate(src, dst)(picture_points())
    outside = (peer == -1).all(axis=1)
    assert np.array_equal(np.isnan(ours).any(axis=1), outside)
    assert np.allclose(ours[~outside], peer[~outside], rtol=0, atol=PEER_PX)


def test_a_warp_is_scikit_images():
    src, dst = bent_grid()
    picture = np.random.default_rng(0).normal(size=(40, 60))
    peer = skimage.transform.PiecewiseAffineTransform.from_estimate(src, dst)
    expected = skimage.transform.warp(picture, peer, order=1, cval=0.5)
    ours = wk.warp(picture, wk.PiecewiseAffine(src, dst), cval=0.5)
    # scikit-image samples a corner where the map has no value
    inside = ~np.isnan(wk.sampling_grid(wk.PiecewiseAffine(src, dst), (40, 60))).any(axis=-1)
    assert np.allclose(ours[inside], expected[inside], rtol=0, atol=PEER_PX)
    assert (ours[~inside] == 0.5).all()


@given(st.integers(0, 1000), st.integers(3, 200))
def test_control_points_go_to_their_values(seed, count):
    random = np.random.default_rng(seed)
    src, dst = random.uniform(0, 100, (2, count, 2))
    assert np.allclose(wk.PiecewiseAffine(src, dst)(src), dst, rtol=0, atol=1e-6)


def test_there_is_no_gap_between_triangles():
    src, dst = bent_grid(20, 20)
    mapped = wk.PiecewiseAffine(src, dst)
    corners = src[mapped.triangles]
    along = np.random.default_rng(0).uniform(size=(50, 1, 1, 1))
    edges = along * corners + (1 - along) * np.roll(corners, 1, axis=1)
    assert not np.isnan(mapped(edges)).any()


def test_the_inverse_undoes_it():
    src, dst = bent_grid()
    # a straight outline: no slivers along it that would be turned over
    outline = np.stack(np.meshgrid(np.linspace(0, 59, 6), np.linspace(0, 39, 5)), axis=-1).reshape(-1, 2)
    on_outline = (outline % [59, 39] == 0).any(axis=1)
    src[on_outline] = dst[on_outline] = outline[on_outline]
    mapped = wk.PiecewiseAffine(src, dst)
    points = picture_points()
    moved = mapped(points)
    inside = ~np.isnan(moved).any(axis=1)
    assert inside.sum() > 1000
    assert np.allclose(mapped.inverse(moved[inside]), points[inside], rtol=0, atol=ROUND_TRIP_PX)
    assert mapped.inverse.inverse == mapped


def test_the_jacobian_is_that_of_the_triangle():
    src, dst = bent_grid()
    mapped = wk.PiecewiseAffine(src, dst)
    for triangle in mapped.triangles:
        expected = wk.Affine.fit(src[triangle], dst[triangle]).matrix[:, :2]
        assert np.allclose(mapped.jacobian(src[triangle].mean(axis=0)), expected, rtol=0, atol=PEER_PX)
    assert np.isnan(mapped.jacobian([-50.0, 0.0])).all()


SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])


def test_triangles_may_be_given_and_need_no_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(ImportError, match=r"triangulation.*or give triangles"):
        wk.PiecewiseAffine(SQUARE, SQUARE)
    half = wk.PiecewiseAffine(SQUARE, SQUARE + 1, [[0, 1, 2]])
    assert half([[8.0, 2.0]]).tolist() == [[9, 3]]
    assert np.isnan(half([2.0, 8.0])).all()
    whole = wk.PiecewiseAffine(SQUARE, SQUARE + 1, np.array([[0, 1, 2], [0, 2, 3]], dtype=np.uint8))
    assert whole([[2.0, 8.0], [10.0, 10.0], [0.0, 5.0]]).tolist() == [[3, 9], [11, 11], [1, 6]]
    assert wk.transform_from_json(whole.to_json()) == whole


def test_triangles_turned_over_still_have_an_inverse_and_flat_ones_none():
    crossed = wk.PiecewiseAffine(SQUARE, SQUARE[[0, 1, 3, 2]], [[0, 1, 2], [0, 2, 3]])
    point = np.array([8.0, 2.0])
    assert np.isfinite(crossed.inverse(crossed(point))).all()
    flat = wk.PiecewiseAffine(SQUARE, SQUARE * [1, 0], [[0, 1, 2], [0, 2, 3]])
    with pytest.raises(ValueError, match="area"):
        _ = flat.inverse


BAD = {
    "two points": ((SQUARE[:2], SQUARE[:2]), "at least three"),
    "on a line": ((SQUARE * [1, 0], SQUARE), "one line"),
    "one point twice": ((SQUARE[[0, 1, 2, 3, 1]], SQUARE[[0, 1, 2, 3, 0]]), r"apart, got (\[.*\]) beside \1"),
    "fewer values": ((SQUARE, SQUARE[:3]), "values"),
    "NaN": ((np.full((4, 2), math.nan), SQUARE), "control_points"),
    "flat triangle": ((SQUARE, SQUARE, [[0, 1, 1]]), r"triangles\[0\]"),
    "index too large": ((SQUARE, SQUARE, [[0, 1, 4]]), "triangles"),
    "negative index": ((SQUARE, SQUARE, [[0, 1, -1]]), "triangles"),
    "no triangle": ((SQUARE, SQUARE, np.zeros((0, 3), int)), "triangles"),
    "two corners": ((SQUARE, SQUARE, [[0, 1]]), "triangles"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wk.PiecewiseAffine(*arguments)


def test_indices_are_integers():
    with pytest.raises(TypeError, match="triangles"):
        wk.PiecewiseAffine(SQUARE, SQUARE, [[0.0, 1.0, 2.0]])


def test_ten_thousand_points_are_searched_by_few_triangles():
    random = np.random.default_rng(0)
    src = random.uniform(0, 1000, (10_000, 2))
    mapped = wk.PiecewiseAffine(src, src + 1)
    (stage,) = mapped._stages()
    columns, rows, table = stage.params[4:7].astype(int)
    assert (table - columns * rows - 1) / (columns * rows) < 8
