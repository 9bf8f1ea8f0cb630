"""Files written whole or not at all: into a temporary file beside them, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import BusyError, DiskFullError, PictureError

with contextlib.suppress(ImportError):  # Windows refuses by itself to rename a file that another process has open
    import fcntl

PREFIX = ".warpkit-"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` into the file ``path``, as :func:`whole_file` does."""
    with whole_file(path) as write:
        write(data)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Begin the file ``path``; calling what this gives with all its bytes puts it there.

    At no moment is there a part of it under that name. Its temporary file is there from the beginning and, after an error, no
    more: only a process that dies leaves one, which tells what it had begun.

    Raises
    ------
    PictureError
        If it cannot be written; nothing is left behind.
    DiskFullError
        If that is for want of space.
    """
    with contextlib.ExitStack() as stack:
        with _told():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            handle, temporary = stack.enter_context(_temporary(path))

        def write(data: bytes) -> None:
            with _told():
                _write_all(handle, data)
                os.fsync(handle)
                os.replace(temporary, path)

        yield write


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the system refuses, as an error of one picture."""
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in _FULL else BusyError if error.errno == errno.EBUSY else PictureError
        raise kind(f"cannot be written: {error.strerror or error}") from None


def sync_folder(top: str) -> None:
    """Wait until all files and folders below are on the disk, under their names; Windows has no such thing for folders."""
    if os.name == "nt":
        return
    for folder, _, files in os.walk(top):
        for name in (*files, "."):
            handle = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def leftover_names(folder: Path) -> frozenset[str]:
    """Names of temporary files in a folder: of processes that died, and of those that write into it now."""
    try:
        return frozenset(name for name in os.listdir(folder) if name.startswith(PREFIX))
    except OSError:
        return frozenset()


def was_left(temporary: Path) -> bool:
    """Whether a temporary file is of a process that died: one that lives has it locked."""
    try:
        handle = os.open(temporary, os.O_RDWR)
    except OSError:
        return False
    try:
        _own(handle, temporary)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def temporary_name(path: Path) -> Path:
    """Where ``path`` grows: always the same name, so that making it again clears up after a run that was killed."""
    # The name is hashed: with a prefix, a name of 255 bytes would be too long.
    return path.with_name(PREFIX + hashlib.blake2b(path.name.encode(errors="surrogateescape"), digest_size=10).hexdigest())


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[tuple[int, Path]]:
    """The temporary file of ``path``: empty, ours alone, and gone afterwards unless it was renamed."""
    temporary = temporary_name(path)
    with locked(temporary) as handle:
        try:
            os.ftruncate(handle, 0)
            yield handle, temporary
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """A file opened or begun, and ours alone until the end.

    Raises
    ------
    OSError
        EBUSY if another process has it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        _own(handle, path)
        yield handle
    finally:
        os.close(handle)


def _own(handle: int, temporary: Path) -> None:
    """Take the file for ourselves: a killed run's is free, a running one's is not. The system frees it when we end."""
    if os.name == "nt":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(temporary)):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    # Locked, or renamed to its final name between our opening and locking it: the other one's work either way.
    raise OSError(errno.EBUSY, "another process is writing it")


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
