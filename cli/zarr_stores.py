"""Where Zarr lies: in a folder, or behind a URL that fsspec knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from zarr.storage import FsspecStore, LocalStore, WrapperStore

from .errors import PictureError


def is_url(name: str) -> bool:
    return "://" in name


class CountingStore(WrapperStore):  # type: ignore[misc]
    """A store that counts the bytes that are read and written; Zarr calls it from one thread."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.bytes_read = self.bytes_written = 0

    async def get(self, *place: Any, **options: Any) -> Any:
        found = await super().get(*place, **options)
        self.bytes_read += 0 if found is None else len(found)
        return found

    async def set(self, key: str, value: Any) -> None:
        await super().set(key, value)
        self.bytes_written += len(value)


def open_store(name: str, *, read_only: bool = False) -> CountingStore:
    if is_url(name):
        return CountingStore(FsspecStore.from_url(name, read_only=read_only))
    return CountingStore(LocalStore(name, read_only=read_only))


@contextlib.contextmanager
def store_errors(done: str) -> Iterator[None]:
    """Whatever stores and codecs raise, as an error of the picture."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(f"cannot be {done}: {error or type(error).__name__}") from None
