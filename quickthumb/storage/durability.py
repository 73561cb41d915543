"""Writes files so that a crash of the machine loses nothing, and locks those that are still being written."""

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from quickthumb.storage.errors import DiskFull, StorageUnavailable

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

P = ParamSpec("P")
T = TypeVar("T")

# EFBIG: the file system, or a limit of the process, allows no file of this size.
NO_ROOM = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))

# Errors of a file system that has no hard links, or that allows none, or no more, for this file.
NO_LINK = frozenset({errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


# Folders that this process has synced into their parents. All shards of uploads and results fit.
_lasting: set[Path] = set()
MOST_LASTING = 16_384


@contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Turns an OSError into DiskFull or StorageUnavailable. If the OSError has no path, as from a write to an open
    file, it gets this one, for the log."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None and path is not None:
            error.filename = str(path)
        if error.errno in NO_ROOM:
            raise DiskFull("The server has no disk space left.") from error
        raise StorageUnavailable("The server cannot use its storage right now.") from error


async def to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in a thread. A cancelled caller still waits until the thread has finished: a thread cannot be
    stopped, and it must not write anything after the caller has cleaned up."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    cancelled = False
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        working.exception()  # retrieved, so that asyncio does not warn about it
        raise asyncio.CancelledError
    return working.result()


def write_file(path: Path, data: bytes) -> None:
    """Writes a new file and syncs it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Syncs a file, or the entries of a folder. Windows cannot sync a folder and does not need to."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, top: Path | None = None) -> None:
    """Creates a folder and its parents so that they survive a crash. Raises FileNotFoundError rather than create `top`:
    a data folder that is gone must not come back empty.

    Below `top`, a folder that exists already is synced too, once: its creator may have died before syncing it.
    """
    if path.is_dir():
        if top is None or path == top or path in _lasting:
            return
    elif path == top:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    make_folder(path.parent, top)
    path.mkdir(exist_ok=True)
    sync(path.parent)
    if len(_lasting) >= MOST_LASTING:
        _lasting.clear()
    _lasting.add(path)


def open_folder(path: Path, top: Path | None = None) -> None:
    """Creates a new folder that need not survive a crash, but not `top`."""
    try:
        path.mkdir()
    except FileNotFoundError:
        make_folder(path.parent, top)
        path.mkdir()


def remove_folder(folder: Path, aside: Path, top: Path | None = None) -> None:
    """Removes a folder if it exists. Moves it into `aside` first, so that nobody ever sees it half removed."""
    if not folder.exists():
        return
    make_folder(aside, top)
    moved = aside / f"{folder.name}.removed.{secrets.token_hex(8)}"
    try:
        folder.rename(moved)
    except FileNotFoundError:
        return
    shutil.rmtree(moved, ignore_errors=True)


def claim(file: BinaryIO, *, shared: bool = False) -> None:
    """Marks the file as being written by this process, until the process closes it or dies.

    The mark is a kernel lock, which ends with the process. `shared` lets other processes hold the mark too.
    """
    if fcntl is not None:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), mode | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a lock of the kernel on a folder, which all processes that call this respect."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_claimed(path: Path) -> bool:
    """Whether a running process may still be writing the file. False if the file does not exist.

    Without kernel locks, as on Windows and some network file systems, every file counts as being written.
    """
    if fcntl is None:
        return True
    try:
        with path.open("rb+") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
