"""OpenCV, from whichever of its distributions, asked for only when pictures are read or written."""

from __future__ import annotations

from typing import Any

import click


def require_cv2() -> Any:
    """The module cv2; a missing one is told in one line."""
    try:
        import cv2
    except ImportError as error:
        raise click.ClickException(
            f"reading and writing pictures needs OpenCV ({error}): pip install 'numba-warpkit[cli]', and on a machine"
            " without libGL opencv-python-headless in place of opencv-python"
        ) from None
    if not hasattr(cv2, "imencodeWithMetadata"):
        raise click.ClickException(f"reading and writing pictures needs OpenCV 5 or newer, got {cv2.__version__}")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged files are told by us, once
    return cv2
