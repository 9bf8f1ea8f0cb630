"""A transform of every family, on a picture of 60 x 40 pixels, for the tests of transforms."""

import numpy as np
import pytest
from hypothesis import strategies as st
from more_families import MORE_FAMILIES

import warpkit as wk

EXACT_PX = 1e-12  # arithmetic on numbers around 1 to 100
MATRIX_INVERSE_PX = 1e-9  # 1e-12 of coordinates up to 1,000
FIT_PX = 1e-9
CONTROL_POINT_PX = 1e-9

CONTROL_POINTS = np.array([[0, 0], [59, 0], [0, 39], [59, 39], [20, 12], [41, 30], [33, 5.5]])
VALUES = CONTROL_POINTS + np.array([[1, 2], [-2, 1], [0, -1.5], [2, 1], [1.5, -1], [-1, 2], [0.5, 0.25]])

AFFINE = wk.Affine([[1.1, -0.3, 5.25], [0.2, 0.9, -3.5]])
PROJECTIVE = wk.Projective([[1.05, 0.1, 3], [-0.08, 0.95, 2], [2e-4, -1e-4, 1]])
SPLINE = wk.ThinPlateSpline(CONTROL_POINTS, VALUES)
SMOOTH_SPLINE = wk.ThinPlateSpline(CONTROL_POINTS, VALUES, smoothing=0.05)
FIELD = wk.DisplacementField.elastic((40, 60), alpha=100, sigma=9, seed=1)
COMPOSITION = PROJECTIVE @ AFFINE @ FIELD

FAMILIES = {
    "affine": AFFINE,
    "projective": PROJECTIVE,
    "spline": SPLINE,
    "smooth spline": SMOOTH_SPLINE,
    "field": FIELD,
    "inverse of spline": SPLINE.inverse,
    "inverse of field": FIELD.inverse,
    "composition": COMPOSITION,
    "inverse of composition": COMPOSITION.inverse,
    "composition with spline": AFFINE @ SPLINE,
    **MORE_FAMILIES,
}
every_family = pytest.mark.parametrize("transform", FAMILIES.values(), ids=FAMILIES)

# The horizon of this map is the line x = 10; points to its right have a value.
HALF_PLANE = wk.Projective([[1, 0, 0], [0, 1, 0], [0.1, 0, -1]])


def picture_points(count=200, seed=0):
    """Points of a 60 x 40 picture."""
    return np.random.default_rng(seed).uniform([0, 0], [59, 39], (count, 2))


numbers = st.floats(-500, 500)
factors = st.floats(0.5, 2)


@st.composite
def affines(draw):
    shear = wk.Affine.shearing(draw(st.floats(-40, 40)))
    scale = wk.Affine.scaling(draw(factors), draw(factors) * draw(st.sampled_from([-1, 1])))
    turn = wk.Affine.similarity(1, draw(st.floats(-360, 360)), (draw(numbers), draw(numbers)))
    return (turn @ scale @ shear).simplified()


@st.composite
def projectives(draw):
    """Maps of a 100 x 100 square to a convex quadrilateral."""
    square = np.array([[0, 0], [100, 0], [100, 100], [0, 100.0]])
    moves = draw(st.lists(st.floats(-24, 24), min_size=8, max_size=8))
    return wk.Projective.from_quads(square, square + np.reshape(moves, (4, 2)))
