"""The benchmark of large pictures, on a small one."""

import numpy as np
import pytest

import warpkit as wk

large = pytest.importorskip("benchmarks.large", reason="run from the root of the checkout")


@pytest.mark.parametrize("name", large.MAPS)
def test_what_is_timed_is_the_warp_of_the_picture(tmp_path, name):
    source = large.ChunkedFile(tmp_path / "picture", 300, 64)
    large.make_picture(source)
    row = large.warp_on_disk(name, tmp_path, 300, 64, 100)
    picture, warped, target = (
        np.zeros((300, 300), np.uint8),
        np.zeros((300, 300), np.uint8),
        large.ChunkedFile(tmp_path / name, 300, 100),
    )
    for rows, columns in source.parts():
        picture[rows, columns] = source[rows, columns]
    for rows, columns in target.parts():
        warped[rows, columns] = target[rows, columns]
    assert np.array_equal(warped, wk.warp(picture, large.inverse_map(name, 300)))
    assert row["tasks"] == 9
    assert row["bytes read"] <= 300**2
