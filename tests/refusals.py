"""How bad arguments are tried: the exception must be a ValueError or TypeError that names the argument.

The tables hold (call, exception, what the message must say).
"""

import numpy as np
import pytest

import warpkit as wk
from warpkit import Affine

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)
BATCH = np.stack([IMAGE, IMAGE + 1])
GRID = np.zeros((2, 3, 2))
IDENTITY = Affine.identity()
TRIANGLE = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
MODES = ["constant", "edge", "symmetric", "reflect", "wrap"]

for array in (IMAGE, BATCH, GRID, TRIANGLE):
    array.flags.writeable = False


def table(rows):
    """Parameters for ``test(call, error, message)`` from {id: (call, error, message)}."""
    return pytest.mark.parametrize(("call", "error", "message"), rows.values(), ids=rows)


def refuses(call, error, message):
    """The call must raise exactly a ValueError or a TypeError."""
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError)


def warp_with(**options):
    """A call of ``warp`` with these options."""
    image = options.pop("image", IMAGE)
    return lambda: wk.warp(image, IDENTITY, **options)
