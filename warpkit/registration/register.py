"""Align two pictures: checks at the door, then from the smallest pictures to the largest."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import checks, door
from ..transforms import Affine, Composition, Projective, Transform
from .course import Course, Spline
from .equations import ROBUST, Measure
from .guard import Limits, doubt, slope_correlation
from .models import GENERATORS
from .pictures import Pictures, load
from .pyramid import Pair, pyramid
from .result import Record, Registration
from .search import NEAR, WIDE, Range

Model: TypeAlias = Literal["translation", "euclidean", "similarity", "affine", "projective", "tps", "dense"]

MODELS = (*GENERATORS, "tps", "dense")
_ANY_START = ("tps", "dense")
SEARCHES = {"near": NEAR, "wide": WIDE}
_LARGEST_ERROR, _LARGEST_SPLINE_ERROR = 0.5, 1.0  # pixels; a spline's corners hang on what little is seen there


def register(
    moving: ArrayLike,
    fixed: ArrayLike,
    model: Model = "affine",
    *,
    measure: Literal["ncc", "ssd"] = "ncc",
    robust: Literal["huber", "tukey"] | None = None,
    initial: door.Map | None = None,
    search: Literal["near", "wide"] | bool | None = None,
    moving_mask: ArrayLike | None = None,
    fixed_weights: ArrayLike | None = None,
    control_points: tuple[int, int] = (5, 5),
    bending: float = 1e-4,
    smoothness: float = 0.07,
    least_overlap: float = 0.25,
    least_correlation: float = 0.6,
    accuracy: float | None = None,
    sharp: bool | None = None,
) -> Registration:
    """Find the map that makes one picture look like another.

    From small pictures to large ones, Gauss-Newton steps on the sum of squared differences. A step is a small motion of the
    fixed picture's points, before the map (Baker and Matthews 2004); slopes are the mean of both pictures' (Benhimane and Malis
    2004).

    Convention:
        the result's ``transform`` takes points (x, y) of ``fixed`` to points of ``moving``, in pixels, the centre of the
        top-left pixel being (0, 0): it is the inverse map of the warp that lays ``moving`` onto ``fixed``.

    Parameters
    ----------
    moving : (H, W) or (H, W, C)
        Any type that :func:`warpkit.warp` takes. What is not finite counts as not known.
    fixed : (rows, columns) or (rows, columns, C)
        All channels are compared, each for itself.
    model : {"translation", "euclidean", "similarity", "affine", "projective", "tps", "dense"}
        What the map may be: a shift; with turns; with a change of size; any affine map; a homography; a thin-plate spline with
        control points on a grid over ``fixed``; a displacement for each pixel of ``fixed``, smooth but for edges (TV-L1: Zach,
        Pock and Bischof 2007).
    measure : {"ncc", "ssd"}
        "ncc" leaves gain and bias of each channel free, which makes the (normalised) correlation largest, as OpenCV's ECC does
        (Evangelidis and Psarakis 2008). "ssd" compares the pixels as they are.
    robust : {"huber", "tukey"}, optional
        Large residuals weigh less, or nothing, beside their median (Huber 1964, Beaton and Tukey 1974): for pictures that show
        different things in places.
    initial : Transform or matrix, optional
        Where to begin, from ``fixed`` to ``moving``: an affine map or a homography; any map for "tps" and "dense". From point
        pairs: ``wk.Affine.fit(fixed_points, moving_points)``. The identity otherwise. The model is of what the steps change: a
        "translation" keeps the turn of ``initial``.
    search : {"near", "wide"} or bool, optional
        What to try about the start, on the smallest pictures, each at the shift that its correlation is largest for: "near" or
        True, turns of up to 20 degrees and sizes of 0.85 to 1.18; "wide", all turns and sizes of 0.5 to 2, as far as the model
        has them; False, nothing. By default "near" if there is no ``initial``. Not for "dense".
    moving_mask : (H, W) of bool, optional
        Which pixels of ``moving`` are known.
    fixed_weights : (rows, columns), optional
        How much pixels of ``fixed`` weigh, at least 0; those of 0 are not looked at.
    control_points : (rows, columns)
        Of the grid of a spline, at least 2 each; more follow finer bends.
    bending : float
        What a spline's bending energy costs (lengths in halves of the picture's diagonal) beside the mean squared difference as
        a part of the picture's variance.
    smoothness : float
        What a displacement field's total variation (the length of its gradient, summed) costs beside the absolute differences,
        of which the picture's standard deviation is 1.
    least_overlap, least_correlation : float
        A result that compares less than this part of ``fixed``, or whose pictures' slopes correlate less, is not trusted.
    accuracy : float, optional
        How well the corners must be known for a result to be trusted: the largest ``corner_error`` of the result, in pixels;
        0.5 by default, 1 for "tps". Cannot be asked of "dense".
    sharp : bool, optional
        Whether the last steps compare the pixels as they are, by the cubic spline through them. Otherwise they are smoothed,
        which takes half the time, but blurs both pictures a little differently: by the corners up to 0.06 pixels in small
        pictures with few edges, thousandths in large ones. By default for ``fixed`` of up to 2**20 pixels. Not for "dense".

    Returns
    -------
    Registration
        ``converged`` is False, with the ``reason``, where the result is not to be trusted.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it. What the pictures show raises nothing.

    Notes
    -----
    The same bits for any number of threads. Pixels are compared as float32.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(map(repr, MODELS))}, got {model!r}")
    if measure not in ("ncc", "ssd"):
        raise ValueError(f"measure must be 'ncc' or 'ssd', got {measure!r}")
    if robust not in ROBUST:
        raise ValueError(f"robust must be 'huber', 'tukey' or None, got {robust!r}")
    if not (search is None or isinstance(search, bool) or (isinstance(search, str) and search in SEARCHES)):
        raise ValueError(f"search must be 'near', 'wide', True, False or None, got {search!r}")
    counts = checks.shape_2d("control_points", control_points)
    if min(counts) < 2:
        raise ValueError(f"control_points must be at least (2, 2), got {counts}")
    least_overlap = checks.not_negative("least_overlap", least_overlap)
    least_correlation = checks.finite_number("least_correlation", least_correlation)
    if accuracy is not None and model == "dense":
        raise ValueError(f"accuracy must be None for the model 'dense', whose error is not known, got {accuracy!r}")
    if sharp is not None and not isinstance(sharp, bool):
        raise TypeError(f"sharp must be True, False or None, got {type(sharp).__name__}")
    if sharp and model == "dense":
        raise ValueError("sharp must be False or None for the model 'dense', which compares smoothed pictures")
    largest_error = _LARGEST_SPLINE_ERROR if model == "tps" else _LARGEST_ERROR
    if accuracy is not None:
        largest_error = checks.positive("accuracy", accuracy)
    course = Course(
        model,
        Measure(measure == "ncc", robust),
        _around(initial is None if search is None else search),
        Spline(counts, checks.not_negative("bending", bending)),
        checks.positive("smoothness", smoothness),
    )
    is_sharp = False if model == "dense" else sharp
    pictures = load(moving, fixed, moving_mask, fixed_weights, keep_light=measure == "ssd", is_sharp=is_sharp)
    start = _start(initial, model, pictures.fixed.shape[1:])
    if pictures.are_flat:
        return _nothing(pictures, start)
    history: list[Record] = []
    smooth = Pair(pictures.moving, pictures.fixed)
    levels = pyramid(pictures.sharp, smooth, pictures.weights, pictures.room)
    motion, fit, settled, known = course.run(levels, start, history)
    overlap, slopes = fit.pixels / pictures.weight, slope_correlation(levels, motion)
    limits = Limits(least_overlap, least_correlation, largest_error)
    reason = doubt(settled, overlap, slopes, known, limits)
    covariance, corner_error = known[:2] if known else (None, None)
    gain, bias = pictures.light(fit.lights)
    return Registration(
        *(motion.transform, not reason, reason, fit.correlation, slopes, overlap, gain, bias, covariance, corner_error),
        tuple(history),
    )


def _around(search: str | bool) -> Range | None:
    if isinstance(search, str):
        return SEARCHES[search]
    return SEARCHES["near"] if search else None


def _start(initial: door.Map | None, model: str, shape: tuple[int, ...]) -> Transform:
    """A matrix, or for a spline any map."""
    if initial is None:
        return Affine.identity()
    start = door.as_transform("initial", initial)
    door.check_horizon("initial", start, shape)
    if isinstance(start, Composition):
        start = start.simplified()
    if isinstance(start, Projective) and model not in ("projective", *_ANY_START):
        raise ValueError(f"initial must be affine for the model {model!r}, got a homography")
    if not isinstance(start, Affine | Projective) and model not in _ANY_START:
        raise TypeError(f"initial must be a matrix, Affine or Projective for the model {model!r}, got {type(start).__name__}")
    rows, columns = shape
    points = np.stack(np.meshgrid(np.linspace(0, columns - 1, 9), np.linspace(0, rows - 1, 9)), axis=-1)
    if np.isnan(start(points)).any():
        raise ValueError("initial must have a value at every pixel of fixed")
    return start


def _nothing(pictures: Pictures, start: Transform) -> Registration:
    channels, length = len(pictures.fixed), start.params.size
    return Registration(
        start, False, "a picture is flat, or nothing of it is known", 0.0, 0.0, 0.0,
        np.ones(channels), np.zeros(channels), np.full((length, length), np.nan), np.inf, (),
    )  # fmt: skip
