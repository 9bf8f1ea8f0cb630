"""The gallery shows every family, kernel and mode, and the page in docs is the one that its script makes."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import warpkit as wk
from warpkit import door, interpolations

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SIDE = 24  # pixels: quick
LARGEST_FOLDER = 600_000  # bytes


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples")
        return importlib.import_module("gallery")


def kinds(transform: wk.Transform) -> set[type]:
    """The families of a map and of its parts."""
    parts = transform.parts if isinstance(transform, wk.Composition) else ()
    return {type(transform)}.union(*map(kinds, parts))


def test_every_public_family_is_shown(gallery: ModuleType) -> None:
    public = {value for name in wk.__all__ if inspect.isclass(value := getattr(wk, name)) and issubclass(value, wk.Transform)}
    shown = {kind for example in gallery.families(SIDE) for transform in example.maps for kind in kinds(transform)}
    assert shown == public - {wk.Transform}


def test_every_kernel_and_mode_is_shown(gallery: ModuleType) -> None:
    assert set(gallery.KERNELS) == set(interpolations.KERNELS)
    assert set(gallery.MODES) == set(typing.get_args(door.Mode))


def test_the_page_is_the_one_of_the_script_and_names_the_files_that_there_are(gallery: ModuleType) -> None:
    groups = gallery.gallery(SIDE)
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert text == gallery.page(groups)
    named = re.findall(r"\(gallery/([^)]+)\)", text)
    files = list((DOCS / "gallery").iterdir())
    assert sorted(named) == sorted(file.name for file in files)
    assert sum(file.stat().st_size for file in files) < LARGEST_FOLDER
    for panel in (panel for group in groups for panel in group.panels):
        assert panel.picture.dtype == np.uint8
        assert panel.picture.shape[:2] == (SIDE, SIDE)
        assert panel.picture.std() > 1, panel.name
