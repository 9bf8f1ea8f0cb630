"""Pictures and settings that all tests share."""

import signal
import sys
from pathlib import Path

import cv2
import numba
import numpy as np
import pytest
import skimage.data
from command import PHOTO
from hypothesis import HealthCheck, settings

import warpkit as wk

settings.register_profile(
    "warpkit", deadline=None, derandomize=True, database=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
# For kernels as plain Python: pytest --hypothesis-profile=few
settings.register_profile("few", settings.get_profile("warpkit"), max_examples=5)
settings.load_profile("warpkit")


def pytest_configure(config):
    # A shell's background jobs ignore Ctrl-C, and what they start with them; here are tests that press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if numba.config.DISABLE_JIT:
        # NumPy warns of scalars that overflow or are not finite; machine code computes the same and does not.
        config.addinivalue_line("filterwarnings", r"ignore::RuntimeWarning:warpkit\.kernels")


def pytest_sessionfinish():
    """xdist kills a worker that takes long to end; by then coverage, where it measures, must have written what it saw."""
    if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()):
        measured.save()


def _picture(name):
    picture = getattr(skimage.data, name)()
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def astronaut():
    """512 x 512 RGB."""
    return _picture("astronaut")


@pytest.fixture(scope="session")
def chelsea():
    """300 x 451 RGB."""
    return _picture("chelsea")


@pytest.fixture(scope="session")
def coffee():
    """400 x 600 RGB."""
    return _picture("coffee")


@pytest.fixture(scope="session")
def camera():
    """512 x 512 grey."""
    return _picture("camera")


@pytest.fixture(scope="session")
def pictures(astronaut, chelsea, coffee, camera):
    """All four by name, uint8 and read-only."""
    return {"astronaut": astronaut, "chelsea": chelsea, "coffee": coffee, "camera": camera}


@pytest.fixture
def set_num_threads():
    """``warpkit.set_num_threads``, undone after the test."""
    before = wk.get_num_threads()
    yield wk.set_num_threads
    wk.set_num_threads(before)


@pytest.fixture
def five_pictures(tmp_path, monkeypatch, set_num_threads):
    """A working folder with in/0.png to in/4.png."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for n in range(5):
        cv2.imwrite(f"in/{n}.png", np.roll(PHOTO, n, axis=0))
