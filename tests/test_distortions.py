"""Random distortions: drawn as the recipes say, the same for a seed, and the same as the maps they are made of."""

import numpy as np
import pytest

import warpkit as wk
from warpkit.distortions import canvas_shape, clutter, distort, random_maps

RECIPES = ["R", "RTS", "P", "E"]
COUNT = 400


def pictures(count=6, shape=(28, 28)):
    return np.random.default_rng(3).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("shape", [(28, 28), (20, 33), (21, 30, 3)])
def test_pictures_are_warped_by_the_maps_that_are_drawn(recipe, shape):
    images = pictures(shape=shape)
    distorted = distort(images, recipe, np.random.default_rng(5), mode="edge")
    assert distorted.shape[1:3] == canvas_shape(recipe, shape[:2])
    maps = random_maps(recipe, shape[:2], len(images), np.random.default_rng(5))
    for image, result, inverse_map in zip(images, distorted, maps, strict=True):
        assert np.array_equal(result, wk.warp(image, inverse_map, result.shape[:2], mode="edge", tolerance=0))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_seed_says_all(recipe):
    first, again, other = (distort(pictures(), recipe, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def scales_and_angles(maps):
    linear = np.array([inverse_map.inverse.matrix[:, :2] for inverse_map in maps])
    scales = np.sqrt(np.linalg.det(linear))
    assert np.allclose(linear @ linear.transpose(0, 2, 1), scales[:, None, None] ** 2 * np.eye(2))
    return scales, np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))


def test_r_turns_about_the_centre():
    maps = random_maps("R", (20, 30), COUNT, np.random.default_rng(0))
    scales, angles = scales_and_angles(maps)
    assert np.allclose(scales, 1)
    assert -90 <= angles.min() < -85
    assert 85 < angles.max() <= 90
    assert all(np.allclose(inverse_map([14.5, 9.5]), [14.5, 9.5]) for inverse_map in maps)


def test_rts_puts_the_picture_anywhere_on_a_larger_canvas():
    maps = random_maps("RTS", (28, 28), COUNT, np.random.default_rng(0))
    scales, angles = scales_and_angles(maps)
    assert 0.7 <= scales.min() < 0.72
    assert 1.18 < scales.max() <= 1.2
    assert -45 <= angles.min() < -43
    assert 43 < angles.max() <= 45
    centres = np.array([inverse_map.inverse([13.5, 13.5]) for inverse_map in maps])
    room = (42 - 28 * scales) / 2
    assert (np.abs(centres - 20.5) <= room[:, None] + 1e-9).all()
    assert (np.abs(centres - 20.5).max(axis=0) > 9).all()


def test_p_moves_corners_and_keeps_the_picture_in_front():
    maps = random_maps("P", (28, 28), COUNT, np.random.default_rng(0))
    square = np.array([[0.0, 0], [27, 0], [27, 27], [0, 27]])
    corners = np.array([inverse_map.inverse(square) for inverse_map in maps])
    assert np.isfinite(corners).all()
    noise = corners - 13.5 - 0.875 * (square - 13.5)
    assert 4 < noise.std() < 6  # 5, and a little of the scale; quads that are no view are left out


def test_e_bends_by_sixteen_points():
    maps = random_maps("E", (28, 28), COUNT, np.random.default_rng(0))
    grid = maps[0].control_points - 13.5
    scales = np.array([np.linalg.lstsq(grid.reshape(-1, 1), m.params - 13.5, rcond=None)[0][0] for m in maps])
    assert scales.min() > 1 / 1.05
    assert scales.max() < 1.05 / 0.75
    noise = np.array([m.params - 13.5 - s * grid.reshape(-1) for m, s in zip(maps, scales, strict=True)])
    assert 1.4 < noise.std() < 1.6


def test_clutter_holds_the_picture_and_patches_of_others():
    images = np.zeros((30, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = np.arange(1, 31)[:, None, None]
    scenes = clutter(images, np.random.default_rng(0))
    assert scenes.shape == (30, 60, 60)
    for number, scene in enumerate(scenes, start=1):
        assert 100 <= (scene == number).sum() <= 144, "the picture, of which a brighter patch may hide some"
        assert ((scene > 0) & (scene != number)).sum() <= 6 * 36
    assert sum(((scene > 0) & (scene != n)).any() for n, scene in enumerate(scenes, start=1)) > 25
    assert np.array_equal(scenes, clutter(images, np.random.default_rng(0)))


def test_bad_recipes_are_refused():
    with pytest.raises(ValueError, match="recipe must be one of R, RTS, P, E, got 'X'"):
        distort(pictures(), "X", np.random.default_rng(0))
    with pytest.raises(ValueError, match="images must have shape"):
        distort(pictures()[0], "R", np.random.default_rng(0))
