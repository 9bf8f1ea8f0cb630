"""One map of each of the smaller families, gentle on a 60 x 40 picture, for tests that want all of them."""

import warpkit as wk

POLAR = wk.Polar((31.3, 18.7), 25.5, (40, 60))
LOG_POLAR = wk.Polar((-3.5, 4.25), 40, (45, 60), "log")
LOG1P_POLAR = wk.Polar((31.3, 18.7), 25.5, (44, 64), "log1p")
SWIRL = wk.Swirl((31.3, 18.7), 1.5, 60, 0.3)
CYLINDER = wk.Cylindrical(70, (31.3, 18.7))

MORE_FAMILIES = {
    "polar": POLAR,
    "log-polar": LOG_POLAR,
    "log1p-polar": LOG1P_POLAR,
    "swirl": SWIRL,
    "cylinder": CYLINDER,
    "inverse of cylinder": CYLINDER.inverse,
    "inverse of polar": POLAR.inverse,
    "inverse of log-polar": LOG_POLAR.inverse,
}
