"""Least-squares fits within a kind of affine map, against scikit-image and the definition of a minimum."""

import json

import numpy as np
import pytest
import skimage.transform
from command import invoke
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk

PEER = 1e-9  # relative to coordinates of a few hundred pixels
EXACT_PX = 1e-9
MODELS = {"affine": 6, "similarity": 4, "euclidean": 3, "translation": 2}

TRUTH = {
    "affine": wk.Affine([[1.1, -0.3, 5.25], [0.2, 0.9, -3.5]]),
    "similarity": wk.Affine.similarity(1.7, 130, (40, -8)),
    "euclidean": wk.Affine.similarity(1, -75, (3, 90)),
    "translation": wk.Affine.translation(13.5, -2.25),
}


def member(model, rest):
    """A map of the kind, from as many numbers as it has degrees of freedom."""
    if model == "affine":
        return wk.Affine(np.reshape(rest, (2, 3)))
    if model == "similarity":
        return wk.Affine([[rest[0], -rest[1], rest[2]], [rest[1], rest[0], rest[3]]])
    if model == "euclidean":
        return wk.Affine.similarity(1, rest[0], rest[1:])
    return wk.Affine.translation(*rest)


def noisy_pairs(model, seed=0, count=40):
    random = np.random.default_rng(seed)
    src = random.uniform(0, 300, (count, 2))
    return src, TRUTH[model](src) + random.normal(0, 5, src.shape)


@pytest.mark.parametrize("model", MODELS)
def test_a_fit_recovers_the_map(model):
    src = np.random.default_rng(1).uniform(0, 300, (3, 2))
    assert np.allclose(wk.Affine.fit(src, TRUTH[model](src), model).matrix, TRUTH[model].matrix, rtol=0, atol=EXACT_PX)


@pytest.mark.parametrize(
    ("model", "peer"),
    [
        ("similarity", skimage.transform.SimilarityTransform),
        ("euclidean", skimage.transform.EuclideanTransform),
    ],
)
@given(seed=st.integers(0, 1000), mirror=st.booleans())
def test_fits_are_scikit_images(model, peer, seed, mirror):
    src, dst = noisy_pairs(model, seed, count=2 + seed % 9)
    if mirror:
        dst = dst * [1, -1]
    expected = peer.from_estimate(src, dst)
    assert np.allclose(wk.Affine.fit(src, dst, model)(src), expected(src), rtol=0, atol=300 * PEER)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_is_a_minimum(model, weighted):
    src, dst = noisy_pairs(model)
    random = np.random.default_rng(2)
    weights = random.uniform(0, 3, len(src)) if weighted else np.ones(len(src))

    def cost(transform):
        return (weights * ((transform(src) - dst) ** 2).sum(axis=1)).sum()

    fitted = wk.Affine.fit(src, dst, model, weights=weights if weighted else None)
    (a, b, c), (d, e, f) = fitted.matrix
    at = {
        "affine": [a, b, c, d, e, f],
        "similarity": [a, d, c, f],
        "euclidean": [np.degrees(np.arctan2(d, a)), c, f],
        "translation": [c, f],
    }[model]
    assert np.allclose(member(model, at).matrix, fitted.matrix, rtol=0, atol=EXACT_PX)
    for _ in range(50):
        assert cost(member(model, at + random.normal(0, 1e-3, MODELS[model]))) > cost(fitted)


@pytest.mark.parametrize("model", MODELS)
def test_whole_weights_count_as_repeated_points(model):
    src, dst = noisy_pairs(model, count=8)
    counts = np.array([1, 3, 0, 2, 1, 0, 4, 1])
    repeated = wk.Affine.fit(np.repeat(src, counts, axis=0), np.repeat(dst, counts, axis=0), model)
    assert np.allclose(wk.Affine.fit(src, dst, model, weights=counts).matrix, repeated.matrix, rtol=0, atol=EXACT_PX)


def test_only_an_affine_fit_mirrors():
    src, _ = noisy_pairs("affine")
    mirrored = src * [-1, 1]
    assert np.linalg.det(wk.Affine.fit(src, mirrored).matrix[:, :2]) < 0
    for model in ("similarity", "euclidean"):
        assert np.linalg.det(wk.Affine.fit(src, mirrored, model).matrix[:, :2]) > 0


SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
IMPOSSIBLE = {
    "one point for a turn": (SQUARE[:1], SQUARE[:1], "similarity", None, "at least 2"),
    "no point": (SQUARE[:0], SQUARE[:0], "translation", None, "at least 1"),
    "one source point": (SQUARE[[0, 0]], SQUARE[:2], "euclidean", None, "src"),
    "one target point": (SQUARE[:2], SQUARE[[0, 0]], "similarity", None, "dst"),
    "mirrored square": (SQUARE, SQUARE * [1, -1], "euclidean", None, "do not determine a rotation"),
    "another model": (SQUARE, SQUARE, "rigid", None, "model must be one of"),
    "negative weights": (SQUARE, SQUARE, "affine", [1, 1, 1, -1], "weights must not be negative"),
    "NaN weights": (SQUARE, SQUARE, "affine", [1, 1, 1, np.nan], "weights"),
    "too few weights": (SQUARE, SQUARE, "affine", [1, 1, 1], "weights"),
    "too few weighted points": (SQUARE, SQUARE, "affine", [1, 1, 0, 0], "weights must be above 0 for at least 3"),
    "weighted points on a line": (SQUARE, SQUARE, "euclidean", [0, 1, 0, 0], "weights"),
}


@pytest.mark.parametrize(("src", "dst", "model", "weights", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_fits_are_refused(src, dst, model, weights, message):
    with pytest.raises(ValueError, match=message):
        wk.Affine.fit(src, dst, model, weights=weights)


@pytest.mark.parametrize("model", ["similarity", "euclidean", "translation"])
def test_the_command_fits_them(tmp_path, model):
    target, source = noisy_pairs(model)
    rows = ["source_x,source_y,target_x,target_y"]
    rows += [",".join(map(repr, map(float, (*s, *t)))) for s, t in zip(source, target, strict=True)]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    invoke("fit", str(tmp_path / "pairs.csv"), "--model", model, "-o", str(tmp_path / "t.json"), code=0)
    text = (tmp_path / "t.json").read_text()
    assert json.loads(text)["direction"] == "inverse"
    assert wk.transform_from_json(text) == wk.Affine.fit(target, source, model)
