"""Where Zarr lies: in a folder, or behind a URL that fsspec knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from zarr.storage import FsspecStore, LocalStore

from .errors import PictureError


def is_url(name: str) -> bool:
    return "://" in name


def open_store(name: str, *, read_only: bool = False) -> Any:
    if is_url(name):
        return FsspecStore.from_url(name, read_only=read_only)
    return LocalStore(name, read_only=read_only)


@contextlib.contextmanager
def store_errors(done: str) -> Iterator[None]:
    """Whatever stores and codecs raise, as an error of the picture."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(f"cannot be {done}: {error or type(error).__name__}") from None
