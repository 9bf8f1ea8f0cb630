"""One map of each of the smaller families, gentle on a 60 x 40 picture, for tests that want all of them."""

import warpkit as wk

POLAR = wk.Polar((31.3, 18.7), 25.5, (40, 60))
LOG_POLAR = wk.Polar((-3.5, 4.25), 40, (45, 60), "log")
LOG1P_POLAR = wk.Polar((31.3, 18.7), 25.5, (44, 64), "log1p")
SWIRL = wk.Swirl((31.3, 18.7), 1.5, 60, 0.3)
CYLINDER = wk.Cylindrical(70, (31.3, 18.7))
CAMERA = [[71.5, 0, 31.2], [0, 69.0, 18.6], [0, 0, 1]]
NEW_CAMERA = [[66.0, 0, 29.7], [0, 67.5, 20.1], [0, 0, 1]]
LENS = wk.BrownConrady(CAMERA, [-0.21, 0.06, 2e-3, -1e-3, 0.01], NEW_CAMERA)
RATIONAL_LENS = wk.BrownConrady(CAMERA, [0.3, -0.05, 1e-3, 2e-3, 0.02, 0.35, 0.02, -0.01], NEW_CAMERA)
FISHEYE = wk.Fisheye(CAMERA, [-0.03, 0.02, -0.01, 0.003], NEW_CAMERA)

POLYNOMIAL = wk.Polynomial(
    [
        [30.5, 29.2, 1.1, 0.8, -0.5, 0.6, 0.2, -0.1, 0.15, 0.1],
        [19.3, 0.5, 30.4, -0.4, 0.7, 0.3, -0.1, 0.2, 0.1, -0.2],
    ],
    center=(30, 20),
    scale=30,
)

# A hull so wide that no test leaves it.
KNOTS = [[-311, -305.5], [402.3, -298], [398, 351.7], [-303, 349], [12.3, 8.7], [44.1, 11.9], [27.8, 33.3]]
MOVED_KNOTS = [[-310, -304], [401, -300], [399, 352.5], [-305, 350], [13.4, 7.9], [42.9, 13.1], [28.5, 31.8]]
PIECEWISE = wk.PiecewiseAffine(KNOTS, MOVED_KNOTS)

MORE_FAMILIES = {
    "polar": POLAR,
    "log-polar": LOG_POLAR,
    "log1p-polar": LOG1P_POLAR,
    "swirl": SWIRL,
    "cylinder": CYLINDER,
    "inverse of cylinder": CYLINDER.inverse,
    "lens": LENS,
    "inverse of lens": LENS.inverse,
    "rational lens": RATIONAL_LENS,
    "inverse of rational lens": RATIONAL_LENS.inverse,
    "fisheye": FISHEYE,
    "inverse of fisheye": FISHEYE.inverse,
    "polynomial": POLYNOMIAL,
    "inverse of polynomial": POLYNOMIAL.inverse,
    "piecewise affine": PIECEWISE,
    "inverse of piecewise affine": PIECEWISE.inverse,
    "inverse of polar": POLAR.inverse,
    "inverse of log-polar": LOG_POLAR.inverse,
}
