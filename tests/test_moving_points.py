"""Points, boxes, polygons and masks that move with a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import pixel_grid
from scipy.optimize import brentq

import warpkit as wk

SHAPE = (180, 240)
# Pixels.
ACCURACY = 0.01
SOLVED = 1e-6
A_PIXEL = 1.1  # a corner that is sharper than a right angle may have its first pixel a little further in


def centre():
    return ((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2)


def spline(seed=0, strength=6.0):
    x, y = np.meshgrid(np.linspace(-20, SHAPE[1] + 20, 5), np.linspace(-20, SHAPE[0] + 20, 4))
    control_points = np.column_stack([x.ravel(), y.ravel()])
    moves = np.random.default_rng(seed).normal(0, strength, control_points.shape)
    return wk.ThinPlateSpline(control_points, control_points + moves)


def elastic(seed=0):
    return wk.DisplacementField.elastic(SHAPE, alpha=80, sigma=8, seed=seed)  # folds nowhere


def tilted():
    return wk.Projective([[1.1, 0.1, -20], [-0.05, 0.95, 10], [4e-4, -3e-4, 1]])


MAPS = {
    "affine": lambda: wk.Affine.similarity(0.9, 20, (5, -3), centre()),
    "projective": tilted,
    "spline": spline,
    "elastic": elastic,
    "inverse of a spline": lambda: spline().inverse,
    "inverse of elastic": lambda: elastic().inverse,
    "composition": lambda: elastic(3) @ tilted() @ wk.Affine.rotation(-10, centre()),
}


def inner_points(count=400, seed=1):
    return np.random.default_rng(seed).uniform((30, 30), (SHAPE[1] - 30, SHAPE[0] - 30), (count, 2))


# --- points ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAPS)
def test_the_inverse_map_takes_moved_points_back(name):
    inverse_map = MAPS[name]()
    points = inner_points()
    moved, visible = wk.warp_points(points, inverse_map, SHAPE)
    assert visible.mean() > 0.5
    np.testing.assert_allclose(inverse_map(moved), points, rtol=0, atol=SOLVED)


@pytest.mark.parametrize("name", MAPS)
def test_a_spot_in_the_picture_goes_where_its_point_goes(name):
    inverse_map, (x, y) = MAPS[name](), (118.3, 81.6)
    column, row = pixel_grid(*SHAPE)[..., 0], pixel_grid(*SHAPE)[..., 1]
    spot = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 3.0**2))
    warped = wk.warp(spot, inverse_map)
    (moved_x, moved_y), _ = wk.warp_points([x, y], inverse_map)
    assert np.hypot((warped * column).sum() / warped.sum() - moved_x, (warped * row).sum() / warped.sum() - moved_y) < 0.5


def test_matrices_are_taken_as_they_are_by_warp():
    matrix = np.array([[1.0, 0, 3], [0, 1, -2]])
    np.testing.assert_array_equal(wk.warp_points([[5, 5], [0, 0]], matrix).points, [[2, 7], [-3, 2]])


def test_points_keep_their_axes():
    moved, visible = wk.warp_points(np.zeros((2, 3, 2)), wk.Affine.identity(), (4, 4))
    assert moved.shape == (2, 3, 2)
    assert visible.shape == (2, 3)
    single, flag = wk.warp_points((1, 1), wk.Affine.identity(), (4, 4))
    assert single.shape == (2,)
    assert flag.shape == ()
    assert flag


def test_no_points_are_no_points():
    for none in (np.zeros((0, 2)), [], np.array([])):
        points, visible = wk.warp_points(none, spline(), SHAPE)
        assert (points.shape, visible.shape) == ((0, 2), (0,))


def test_visible_is_inside_the_pixels_of_the_output():
    points = [[-0.5, 0], [-0.51, 0], [3.49, 0], [3.5, 0], [0, 2.49], [0, 2.5]]
    visible = wk.warp_points(points, wk.Affine.identity(), (3, 4)).visible
    np.testing.assert_array_equal(visible, [True, False, True, False, True, False])


def test_points_behind_the_horizon_have_no_place():
    # the forward map has w = 1 - x / 100
    inverse_map = wk.Projective([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]).inverse
    moved, visible = wk.warp_points([[99, 5], [100, 5], [101, 5]], inverse_map)
    np.testing.assert_array_equal(visible, [True, False, False])
    np.testing.assert_allclose(moved[0], [9900, 500])
    assert np.isnan(moved[1:]).all()


def test_points_that_no_pixel_is_sampled_from_have_no_place():
    corners = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])
    flattened = wk.ThinPlateSpline(corners, corners * (1, 0))  # all of the output is sampled on the line y = 0
    moved, visible = wk.warp_points([[3.0, 5.0], [3.0, -1.0]], flattened)
    assert np.isnan(moved).all()
    assert not visible.any()
    boxes, visible, whole = wk.warp_boxes([[2, 3, 5, 6]], flattened, (10, 10), clip=True)
    assert np.isnan(boxes).all()
    assert not visible[0]
    assert not whole[0]


@given(st.integers(0, 10_000), st.floats(-60, 60), st.floats(0.5, 2))
def test_round_trips_under_elastic_maps_and_splines(seed, degrees, scale):
    turned = wk.Affine.similarity(scale, degrees, center=centre())
    points = inner_points(50, seed)
    for free in (elastic(seed), spline(seed, 4)):
        inverse_map = free @ turned
        moved = wk.warp_points(points, inverse_map).points
        back = wk.warp_points(moved, inverse_map.inverse).points
        np.testing.assert_allclose(back, points, rtol=0, atol=ACCURACY)


# --- boxes -----------------------------------------------------------------------------------------------------------------


def dense_outline(box, count=4000):
    """Points along a box, so close that their extremes are those of the outline."""
    x0, y0, x1, y1 = box
    t = np.linspace(0, 1, count)
    lines = [
        np.column_stack([x0 + (x1 - x0) * t, np.full(count, y0)]),
        np.column_stack([np.full(count, x1), y0 + (y1 - y0) * t]),
        np.column_stack([x0 + (x1 - x0) * t, np.full(count, y1)]),
        np.column_stack([np.full(count, x0), y0 + (y1 - y0) * t]),
    ]
    return np.concatenate(lines)


def random_boxes(seed, count=4):
    rng = np.random.default_rng(seed)
    low = rng.uniform((10, 10), (SHAPE[1] / 2, SHAPE[0] / 2), (count, 2))
    return np.column_stack([low, low + rng.uniform(3, (SHAPE[1] / 2 - 10, SHAPE[0] / 2 - 10), (count, 2))])


@pytest.mark.parametrize("name", MAPS)
def test_boxes_are_those_of_the_dense_outline(name):
    inverse_map = MAPS[name]()
    boxes = random_boxes(5, 8)
    moved = wk.warp_boxes(boxes, inverse_map).boxes
    for box, ours in zip(boxes, moved, strict=True):
        outline = wk.warp_points(dense_outline(box), inverse_map).points
        np.testing.assert_allclose(ours, [*outline.min(axis=0), *outline.max(axis=0)], rtol=0, atol=ACCURACY)


def test_the_box_of_a_bent_edge_is_not_that_of_its_corners():
    bend = wk.ThinPlateSpline(
        [[0, 0], [100, 0], [0, 100], [100, 100], [50, 50]], [[0, 0], [100, 0], [0, 100], [100, 100], [50, 70]]
    )
    box = [[20, 40, 80, 60]]
    corners = wk.warp_points([[20, 40], [80, 40], [80, 60], [20, 60]], bend.inverse).points
    assert wk.warp_boxes(box, bend.inverse).boxes[0, 3] > corners[:, 1].max() + 5


@given(st.integers(0, 10_000), st.sampled_from(sorted(MAPS)))
def test_the_mask_of_a_box_fills_its_warped_box(seed, name):
    inverse_map = {"elastic": elastic, "spline": spline}.get(name, lambda _: MAPS[name]())(seed)
    box = np.floor(random_boxes(seed, 1)) - 0.5
    x0, y0, x1, y1 = (box[0] + 0.5).astype(int)
    mask = np.zeros(SHAPE, bool)
    mask[y0:y1, x0:x1] = True
    warped = wk.warp_mask(mask, inverse_map)
    ours, visible, whole = wk.warp_boxes(box, inverse_map, SHAPE)
    assert visible[0] >= warped.any()
    if whole[0]:  # what the canvas cuts may end in a corner too sharp to hold a pixel's centre
        rows, columns = np.flatnonzero(warped.any(axis=1)), np.flatnonzero(warped.any(axis=0))
        filled = [columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5]
        assert np.abs(ours[0] - filled).max() <= A_PIXEL


def test_pixel_edges_are_half_a_pixel_from_centres():
    boxes, visible, whole = wk.warp_boxes([[2.5, -0.5, 5.5, 0.5]], wk.Affine.scaling(0.5), (10, 20))
    np.testing.assert_array_equal(boxes, [[5, -1, 11, 1]])
    assert visible[0]
    assert not whole[0]


def test_flags_of_boxes():
    boxes = [[0, 0, 5, 5], [-3, 0, 5, 5], [-9, 0, -2, 5], [-9, 0, -0.5, 5], [2, 2, 2, 2], [-0.5, -0.5, 19.5, 9.5]]
    _, visible, whole = wk.warp_boxes(boxes, wk.Affine.identity(), (10, 20))
    np.testing.assert_array_equal(visible, [True, True, False, False, True, True])
    np.testing.assert_array_equal(whole, [True, False, False, False, True, True])


def test_clipped_boxes_hold_the_visible_part_of_the_outline_only():
    # a square on its corner: cut at x = -0.5, its visible part is less tall than its box
    turned = wk.Affine.rotation(45).inverse
    box, _, whole = wk.warp_boxes([[-10, -10, 10, 10]], turned @ wk.Affine.translation(8, -20), (100, 100), clip=True)
    reach = 10 * 2**0.5
    np.testing.assert_allclose(box, [[-0.5, 20 - (reach - 7.5), reach - 8, 20 + (reach - 7.5)]], atol=1e-9)
    assert not whole[0]
    gone, visible, _ = wk.warp_boxes([[-90, -10, -80, 10]], wk.Affine.identity(), (9, 9), clip=True)
    assert np.isnan(gone).all()
    assert not visible[0]


def test_boxes_across_the_horizon_are_cut_at_the_canvas():
    inverse_map = wk.Projective([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]).inverse  # forward: w = 1 - x / 100
    crossing = [[0, 10, 150, 20]]
    clipped, visible, whole = wk.warp_boxes(crossing, inverse_map, (100, 200), clip=True)
    # forward: x -> x / (1 - x / 100); 199.5 is reached by 200 / 3, almost
    x = brentq(lambda x: x / (1 - x / 100) - 199.5, 0, 99)
    np.testing.assert_allclose(clipped, [[0, 10, 199.5, 20 / (1 - x / 100)]], atol=1e-6)
    assert visible[0]
    assert not whole[0]
    unclipped = wk.warp_boxes(crossing, inverse_map)
    assert unclipped.boxes[0, 2] > 1e6
    assert np.isfinite(unclipped.boxes).all()
    assert not unclipped.whole[0]
    behind, visible, whole = wk.warp_boxes([[101, 0, 120, 5]], inverse_map)
    assert np.isnan(behind).all()
    assert not visible[0]
    assert not whole[0]


def test_a_homography_within_a_composition_hides_the_same_part():
    homography = wk.Projective([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]).inverse
    still = wk.DisplacementField(np.zeros((2, 2, 2)))
    expected = wk.warp_boxes([[0, 10, 150, 20]], homography, (100, 200), clip=True)
    ours = wk.warp_boxes([[0, 10, 150, 20]], homography @ still, (100, 200), clip=True)
    np.testing.assert_allclose(ours.boxes, expected.boxes, atol=ACCURACY)
    assert not ours.whole[0]


def test_no_boxes_are_no_boxes():
    for inverse_map in (wk.Affine.identity(), spline()):
        for none in (np.zeros((0, 4)), [], np.array([])):
            boxes, visible, whole = wk.warp_boxes(none, inverse_map, SHAPE)
            assert boxes.shape == (0, 4)
            assert visible.shape == whole.shape == (0,)


# --- polygons --------------------------------------------------------------------------------------------------------------


def distance_to_ring(points, ring):
    start, along = ring[None], (np.roll(ring, -1, axis=0) - ring)[None]
    share = np.clip(((points[:, None] - start) * along).sum(axis=2) / np.maximum((along**2).sum(axis=2), 1e-30), 0, 1)
    return np.linalg.norm(points[:, None] - start - share[..., None] * along, axis=2).min(axis=1)


@pytest.mark.parametrize("tolerance", [0.01, 0.3])
@pytest.mark.parametrize("name", MAPS)
def test_polygons_follow_the_warped_edges(name, tolerance):
    inverse_map = MAPS[name]()
    triangle = np.array([[40.0, 30.0], [200.0, 60.0], [70.0, 150.0]])
    edges = triangle + np.linspace(0, 1, 700)[:, None, None] * (np.roll(triangle, -1, axis=0) - triangle)
    moved = wk.warp_points(edges.reshape(-1, 2), inverse_map).points
    ring = wk.warp_polygons([triangle], inverse_map, tolerance=tolerance).polygons[0]
    assert distance_to_ring(moved, ring).max() <= tolerance


def test_looser_polygons_have_fewer_points():
    triangle = np.array([[40.0, 30.0], [200.0, 60.0], [70.0, 150.0]])
    fine, coarse = (wk.warp_polygons([triangle], spline(), tolerance=t).polygons[0] for t in (0.001, 1.0))
    assert len(fine) > 2 * len(coarse)
    assert len(wk.warp_polygons([triangle], tilted()).polygons[0]) == 3


def area(ring):
    x, y = ring.T
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))


@pytest.mark.parametrize("name", ["affine", "elastic", "spline"])
def test_clipped_polygons_cover_what_the_mask_covers(name):
    inverse_map = wk.Affine.translation(60, 25) @ MAPS[name]()
    box = np.array([[29.5, 19.5], [150.5, 19.5], [150.5, 120.5], [29.5, 120.5]])
    mask = np.zeros(SHAPE, bool)
    mask[20:121, 30:151] = True
    polygons, visible, whole = wk.warp_polygons([box, box - 500], inverse_map, SHAPE, clip=True)
    assert abs(area(polygons[0]) - wk.warp_mask(mask, inverse_map).sum()) < 60
    np.testing.assert_array_equal(visible, [True, False])
    np.testing.assert_array_equal(whole, [False, False])
    assert polygons[1].shape == (0, 2)


# --- masks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64"])
def test_masks_keep_their_dtype_and_their_labels(dtype):
    labels = (pixel_grid(*SHAPE).sum(axis=2) // 40 % 3).astype(dtype)
    for rule in ("nearest", "majority"):
        warped = wk.warp_mask(labels, spline(), rule=rule)
        assert warped.dtype == labels.dtype
        assert set(np.unique(warped)) <= set(np.unique(labels)) | {0}


@pytest.mark.parametrize("dtype", ["int64", "uint64", ">i8"])
@pytest.mark.parametrize("channels", [(), (2,)])
@pytest.mark.parametrize("rule", ["nearest", "majority"])
def test_labels_of_64_bits_are_exact(rule, channels, dtype):
    labels = (2**60 + pixel_grid(5, 7)[..., 0].astype("uint64")).astype(dtype)
    labels = np.broadcast_to(labels.reshape(5, 7, *[1] * len(channels)), (5, 7, *channels))
    warped = wk.warp_mask(labels, wk.Affine.translation(2, 0), rule=rule, outside=2**60 - 1)
    assert warped.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(warped[:, :5], labels[:, 2:])
    np.testing.assert_array_equal(warped[:, 5:], 2**60 - 1)


def test_nearest_is_the_label_of_the_pixel_pointed_into():
    labels = np.arange(12, dtype=np.int32).reshape(3, 4) * 10
    moved = wk.warp_mask(labels, wk.Affine.translation(1.4, 0.6), outside=-1)
    np.testing.assert_array_equal(moved, [[50, 60, 70, -1], [90, 100, 110, -1], [-1, -1, -1, -1]])


def test_majority_is_where_at_least_half_is_covered():
    mask = np.zeros((9, 9), bool)
    mask[3:6, 3:6] = True
    inverse_map = wk.Affine.similarity(0.31, 11, (2.2, 1.7))
    coverage = wk.warp(mask.astype(np.float64), inverse_map, (20, 20))
    np.testing.assert_array_equal(wk.warp_mask(mask, inverse_map, (20, 20), rule="majority"), coverage >= 0.5)


def test_majority_of_many_labels_is_the_largest_share():
    labels = np.random.default_rng(0).integers(0, 5, (12, 15)).astype(np.uint8)
    inverse_map = wk.Affine.similarity(0.4, 25, (3, -2))
    shares = np.stack([wk.warp((labels == k).astype(float), inverse_map, (30, 30), cval=float(k == 4)) for k in range(5)])
    winner = wk.warp_mask(labels, inverse_map, (30, 30), rule="majority", outside=4)
    taken = np.take_along_axis(shares, winner[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(taken, shares.max(axis=0), atol=1e-6)


# --- what is refused -------------------------------------------------------------------------------------------------------

IDENTITY = wk.Affine.identity()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: wk.warp_points([[1, 2, 3]], IDENTITY), ValueError, r"points must have shape \(\.\.\., 2\)"),
        (lambda: wk.warp_points([[1, np.nan]], IDENTITY), ValueError, "points must hold finite"),
        (lambda: wk.warp_points([[1, 2]], "turn"), TypeError, "inverse_map must be a transform"),
        (lambda: wk.warp_points([[1, 2]], IDENTITY, (0, 5)), ValueError, "output_shape must be at least"),
        (lambda: wk.warp_boxes([[1, 2, 3]], IDENTITY), ValueError, r"boxes must have shape \(n, 4\)"),
        (lambda: wk.warp_boxes([[0, 0, 1, 1], [5, 0, 1, 1]], IDENTITY), ValueError, r"boxes\[1\] must have x0 <= x1"),
        (lambda: wk.warp_boxes([[0, 0, 1, 1]], IDENTITY, clip=True), ValueError, "output_shape must be given"),
        (lambda: wk.warp_polygons(5, IDENTITY), TypeError, "polygons must be a sequence"),
        (lambda: wk.warp_polygons([[[0, 0], [1, 1]]], IDENTITY), ValueError, r"polygons\[0\] must have at least three"),
        (lambda: wk.warp_polygons([[0, 0], [1, 1]], IDENTITY), ValueError, r"polygons\[0\] must have shape \(n, 2\)"),
        (lambda: wk.warp_polygons([np.eye(3, 2)], IDENTITY, tolerance=0), ValueError, "tolerance must be positive"),
        (lambda: wk.warp_mask(np.zeros((3, 3)), IDENTITY), TypeError, "mask must be of bool or integers"),
        (lambda: wk.warp_mask(np.zeros((3, 3), int), IDENTITY, rule="mean"), ValueError, "rule must be"),
        (lambda: wk.warp_mask(np.zeros((3, 3), int), IDENTITY, outside=0.5), TypeError, "outside must be an integer"),
        (lambda: wk.warp_mask(np.zeros((3, 3), np.uint8), IDENTITY, rule="majority", outside=300), ValueError, "outside"),
        (lambda: wk.warp_mask(np.zeros((3, 3), np.uint8), IDENTITY, outside=300), ValueError, "outside"),
        (lambda: wk.warp_points([[1, 2]], -np.eye(3), (5, 5)), ValueError, "horizon"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
