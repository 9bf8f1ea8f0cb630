"""Random pictures, maps, options and texts, for all tests that want them."""

import json

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from oracles import INTERPOLATIONS, MODES

import warpkit as wk

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
DTYPES = (*INTEGERS, *FLOATS)
# Sums of larger integers lose more than a hundredth in float64.
LARGEST_INTEGER = 2**40


def pixels_of(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return st.integers(max(info.min, -LARGEST_INTEGER), min(info.max, LARGEST_INTEGER))
    return st.floats(-1024, 1024, width=8 * dtype.itemsize)


@st.composite
def pictures(draw, dtypes=DTYPES):
    """(H, W) or (H, W, C) of any accepted dtype, or some of them, 1 to 9 pixels a side."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    channels = draw(st.sampled_from([(), (1,), (2,), (3,), (4,), (5,)]))
    return draw(arrays.arrays(dtype, (*shape, *channels), elements=pixels_of(dtype)))


@st.composite
def affine_matrices(draw):
    """Turns, mirror images, magnification and reduction up to 10,000 times, near or unimaginably far."""
    first, second = draw(st.floats(-180, 180)), draw(st.floats(-180, 180))
    scales = [10.0 ** draw(st.floats(-4, 4)) * draw(st.sampled_from([-1, 1])) for _ in range(2)]
    linear = wk.Affine.rotation(first).matrix[:, :2] * scales @ wk.Affine.rotation(second).matrix[:, :2]
    near, far = st.floats(-20, 20), st.floats(-1e30, 1e30)
    offset = draw(st.one_of(st.tuples(near, near), st.tuples(far, near), st.tuples(far, far)))
    return np.column_stack([linear, offset])


options = st.fixed_dictionaries(
    {"interpolation": st.sampled_from(INTERPOLATIONS), "mode": st.sampled_from(MODES), "cval": st.sampled_from([0, 1])}
)


numbers = st.one_of(st.floats(-1e3, 1e3), st.floats(), st.integers(), st.text(max_size=5))


def comma_separated(count):
    """What an option of ``count`` numbers may be given."""
    return st.lists(numbers, min_size=count - 1, max_size=count + 1).map(lambda values: ",".join(map(str, values)))


motions = st.fixed_dictionaries(
    {},
    optional={
        "rotate": numbers.map(str),
        "scale": comma_separated(2),
        "translate": comma_separated(2),
        "shear": comma_separated(2),
        "matrix": comma_separated(6),
        "quad": comma_separated(8),
        "size": st.one_of(st.sampled_from(["same", "fit"]), st.text(max_size=8)),
    },
)

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def damaged(draw, text):
    """A text with a piece cut out, doubled or put in place of another."""
    start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    piece = draw(st.one_of(st.just(""), st.just(text[start:end] * 2), st.text(max_size=6), json_values.map(json.dumps)))
    return text[:start] + piece + text[end:]
