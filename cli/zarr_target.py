"""Writing of OME-Zarr tile by tile."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import zarr
from zarr.codecs import ZstdCodec

from . import ome
from .chunked import Layout
from .errors import PictureError
from .pyramid import level_shapes
from .tile_runs import Tile, part_of
from .writing import locked, sync_folder, temporary_name
from .zarr_stores import is_url, open_store, store_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform

_UNFINISHED = "warpkit-unfinished"  # the attribute of a group that is being written; holds what makes it


class ZarrTarget:
    """An OME-Zarr group with a pyramid, written tile by tile; a tile is a chunk, and one that can be read is finished.

    A folder grows beside ``name`` and is renamed at the end. Behind a URL, which cannot be renamed, the group is there from the
    beginning, but becomes an OME-Zarr picture, by its metadata, only at the end.
    """

    def __init__(self, name: str, layout: Layout, shape: tuple[int, int], tile: int) -> None:
        self._name, self._tile = name.rstrip("/"), tile
        self._place = self._name if is_url(name) else os.fspath(temporary_name(Path(self._name)))
        self._lock, self._stack = Path(f"{self._place}.lock"), contextlib.ExitStack()
        self._store = open_store(self._place)
        self._layout = layout
        self.shapes = level_shapes(shape, tile)
        self.planes = layout.planes()
        self._arrays: list[Any] = []
        self._finished: set[Tile] = set()

    def exists(self) -> bool:
        """Whether there is a finished output."""
        if not is_url(self._name):
            return os.path.lexists(self._name)
        with store_errors("opened"):
            system, path = fsspec.core.url_to_fs(self._name)
            return bool(system.exists(path)) and self._begun() is None

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """Go on with the same ``job`` if that is asked for and there is one, or begin.

        Raises
        ------
        PictureError
            If another job is to be gone on with, or nothing can be written there.
        """
        if not is_url(self._name):
            Path(self._place).parent.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(locked(self._lock))
        begun = self._begun() if resume else None
        if begun is not None and begun != job:
            raise PictureError("was begun with other options or another input; without --resume it is begun anew")
        with store_errors("written"), zarr.config.set({"array.write_empty_chunks": True}):
            if begun is None:
                group = zarr.create_group(self._store, overwrite=True, attributes={_UNFINISHED: job})
                self._arrays = [self._create(group, level) for level in range(len(self.shapes))]
            else:
                group = zarr.open_group(self._store, mode="r+")
                self._arrays = [
                    group[str(level)] if str(level) in group else self._create(group, level)
                    for level in range(len(self.shapes))
                ]
                self._finished = set(self._written())

    def _create(self, group: Any, level: int) -> Any:
        channels = self._layout.pixel
        return group.create_array(
            str(level), shape=(*self._layout.leading, *channels, *self.shapes[level]), dtype=self._layout.dtype,
            chunks=(*(1 for _ in self._layout.leading), *channels, self._tile, self._tile), dimension_names=self._axes(),
            compressors=ZstdCodec(checksum=True),
        )  # fmt: skip

    def _axes(self) -> list[str]:
        return [*self._layout.names, *("c" for _ in self._layout.pixel), "y", "x"]

    def _begun(self) -> dict[str, Any] | None:
        """The job that an unfinished group belongs to."""
        with contextlib.suppress(Exception):
            job: dict[str, Any] | None = dict(zarr.open_group(open_store(self._place), mode="r").attrs).get(_UNFINISHED)
            return job
        return None

    def _written(self) -> Iterator[Tile]:
        """All tiles whose chunks are there."""
        system, path = fsspec.core.url_to_fs(self._place)
        leading = len(self._layout.leading)
        for level in range(len(self.shapes)):
            folder = f"{path}/{level}/c"
            for file in system.find(folder):
                place = file[file.rindex(f"/{level}/c/") + len(f"/{level}/c/") :].split("/")
                if all(part.isdecimal() for part in place):
                    yield Tile(level, tuple(map(int, place[:leading])), int(place[-2]), int(place[-1]))

    @property
    def bytes_written(self) -> int:
        return self._store.bytes_written

    def has(self, tile: Tile) -> bool:
        """Whether a tile is there, and whole: on this machine, a power cut may have left a part of it."""
        return tile in self._finished and (is_url(self._name) or self._can_be_read(tile))

    def _can_be_read(self, tile: Tile) -> bool:
        with contextlib.suppress(Exception):  # whatever a damaged chunk provokes in its codec
            self._arrays[tile.level][self._place_of(tile)]
            return True
        return False

    def _place_of(self, tile: Tile) -> tuple[int | slice, ...]:
        rows_and_columns = part_of(tile, self._tile, self.shapes[tile.level])
        return (*tile.plane, *(slice(None) for _ in self._layout.pixel), *rows_and_columns)

    def write(self, tile: Tile, pixels: NDArray[Any]) -> None:
        import numpy as np

        place = self._place_of(tile)
        with store_errors("written"):
            self._arrays[tile.level][place] = np.moveaxis(pixels, -1, 0) if self._layout.pixel else pixels

    def twice_as_fine(self, tile: Tile) -> NDArray[Any]:
        """What a tile of the pyramid is the half of."""
        import numpy as np

        rows, columns = self.shapes[tile.level - 1]
        size = 2 * self._tile
        part = part_of(tile, size, (rows, columns))
        place = (*tile.plane, *(slice(None) for _ in self._layout.pixel), *part)
        with store_errors("read"):
            pixels = np.asarray(self._arrays[tile.level - 1][place])
        return np.moveaxis(pixels, 0, -1) if self._layout.pixel else pixels

    def finish(self, source: Any, inverse_map: Transform) -> None:
        """Give the pyramid its metadata and its name."""
        with store_errors("written"):
            group = zarr.open_group(self._store, mode="r+")
            group.attrs.put({"ome": self._described(source, inverse_map)})
            if not is_url(self._name):
                sync_folder(self._place)
                self._rename()
                self._lock.unlink()

    def close(self) -> None:
        """Let others write it; what is not finished stays, to be gone on with."""
        self._stack.close()

    def _rename(self) -> None:
        old = Path(f"{self._place}-old")
        shutil.rmtree(old, ignore_errors=True)
        if os.path.lexists(self._name):
            os.replace(self._name, old)
        os.replace(self._place, self._name)
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)

    def _described(self, source: Any, inverse_map: Transform) -> dict[str, Any]:
        found = getattr(source, "attributes", {})
        return ome.metadata(self._axes(), ome.moved_sizes(ome.pixel_sizes(found), inverse_map), len(self.shapes), found)
