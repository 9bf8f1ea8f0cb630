"""How much memory there is, of the machine or its container: what does not fit is refused before it is allocated."""

import os

import numpy as np
import pytest

import warpkit as wk
from warpkit import checks

PLENTY = "MemTotal: 9 kB\nMemAvailable:    4000000000 kB\n"
MEMORY, LIMIT, USED = "/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"


@pytest.fixture
def system_says(monkeypatch):
    """Lets the files of the system say what a test wants; those it does not name are missing."""

    def say(**texts):
        class File:
            def __init__(self, name):
                self.name = name

            def read_text(self):
                if self.name not in texts:
                    raise FileNotFoundError(self.name)
                return texts[self.name]

        monkeypatch.setattr(checks, "Path", File)

    return lambda texts: say(**texts)


def warp_of_one_gib():
    return wk.warp(np.zeros((2, 2), np.uint8), wk.Affine.identity(), (2**15, 2**15))


def test_the_limit_of_a_container_counts(system_says):
    system_says({MEMORY: PLENTY, LIMIT: f"{2**30}\n", USED: f"{2**29}\n"})
    with pytest.raises(ValueError, match=r"output_shape.* 1\.0 GiB of memory, available is 0\.5 GiB"):
        warp_of_one_gib()


def test_a_container_without_a_limit_has_what_the_machine_has(system_says):
    system_says({MEMORY: PLENTY, LIMIT: "max\n", USED: "5\n"})
    assert checks.available_memory() == 4_000_000_000 * 1024


def test_where_the_system_says_nothing_its_pages_are_counted(system_says, monkeypatch):
    system_says({})
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}.get, raising=False)
    assert checks.available_memory() == 40_960
    with pytest.raises(ValueError, match="output_shape"):
        warp_of_one_gib()


def test_absurd_sizes_are_refused_even_where_nothing_is_known(system_says, monkeypatch):
    def unknown(name):
        raise OSError(name)

    system_says({})
    monkeypatch.setattr(os, "sysconf", unknown, raising=False)
    with pytest.raises(ValueError, match="available is unknown"):
        wk.warp(np.zeros((2, 2), np.uint8), wk.Affine.identity(), (2**31 - 1, 2**31 - 1))
