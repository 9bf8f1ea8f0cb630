"""The benchmark of large pictures, on a small one."""

import numpy as np
import pytest

large = pytest.importorskip("benchmarks.large", reason="run from the root of the checkout")


@pytest.mark.parametrize("through", ["stored", "dask"])
@pytest.mark.parametrize("name", large.MAPS)
def test_what_is_timed_is_the_warp_of_the_picture(tmp_path, name, through):
    picture = large.ChunkedFile(tmp_path / "picture", 300, (64, 64))
    target = large.ChunkedFile(tmp_path / "warped", 300, (100, 110))
    large.make_picture(picture)
    large.copy_on_disk(picture, target)
    pixels = large.pixels_of(picture)
    assert np.array_equal(large.pixels_of(target), pixels)
    assert not large.is_warp_in_memory(name, pixels, target)
    picture.bytes_read = 0
    row = large.warp_on_disk(name, picture, target, through)
    assert large.is_warp_in_memory(name, pixels, target)
    assert row["tasks"] == 9
    assert row["bytes read"] <= 300**2
