"""Writes files so that a crash of the machine loses nothing, and locks those that are still being written."""

import asyncio
import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
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

# Of sync_file_range(2), which Linux alone has: start to write what is not written yet, without waiting for it.
SYNC_FILE_RANGE_WRITE = 2


def _found_start_writing() -> Callable[[int, int, int, int], int] | None:
    """`sync_file_range` of the C library, if it has it."""
    if not sys.platform.startswith("linux"):
        return None  # pragma: no cover
    found = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return found


_start_writing = _found_start_writing()


# For all changes of files in this process. Nearly all these threads wait for the disk. They start once they are needed.
# In those of the event loop, each visit would cost two futures more, and what keeps them in step.
threads = ThreadPoolExecutor(32, "storage")

# Folders that this process has synced into their parents. All shards of uploads and results fit.
_lasting: set[str] = set()
MOST_LASTING = 16_384


class translated:  # noqa: N801 - to be read as a verb
    """Turns an OSError into DiskFull or StorageUnavailable: `with translated(): …`. If the OSError has no path, as from
    a write to an open file, it gets this one, for the log."""

    __slots__ = ("_path",)

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, OSError):
            return
        if error.filename is None and error.errno is not None and self._path is not None:
            error.filename = str(self._path)
        if error.errno in NO_ROOM:
            raise DiskFull("The server has no disk space left.") from error
        raise StorageUnavailable("The server cannot use its storage right now.") from error


async def to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in a thread. A cancelled caller still waits until the thread has finished: a thread cannot be
    stopped, and it must not write anything after the caller has cleaned up."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    working = threads.submit(work, *args, **kwargs)
    working.add_done_callback(tell)
    try:
        await ended.wait()
    except asyncio.CancelledError:
        while not ended.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ended.wait()
        raise
    return working.result()


def write_file(path: Path, data: bytes) -> None:
    """Writes a new file and syncs it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        sync_content(file.fileno())


def create(path: str, data: bytes) -> int:
    """Writes a new file; returns its descriptor. What a file object does besides takes longer than a small write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sync_together(*files: BinaryIO | int) -> None:
    """Syncs the content of files, or of their descriptors, that this process has written and flushed.

    The kernel starts to write all of them before the first is waited for. A file system with a journal then places all
    their blocks in one transaction, and the first sync commits it for the others too.
    """
    descriptors = [file if isinstance(file, int) else file.fileno() for file in files]
    if _start_writing is not None:
        for descriptor in descriptors:
            # Only a start: it may fail, and promises nothing. The syncs below report what cannot be written.
            _start_writing(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE)
    for descriptor in descriptors:
        sync_content(descriptor)


def sync_content(descriptor: int) -> None:
    """Syncs the content and the length of a file, which need not include its times."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:  # pragma: no cover - macOS and Windows
        os.fsync(descriptor)


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

    Below `top`, folders that exist already are synced too, once: their creator may have died before syncing them.
    """
    exists = path.is_dir()
    if exists and (top is None or path == top or str(path) in _lasting):
        return
    if path == top:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    make_folder(path.parent, top)
    path.mkdir(exist_ok=True)
    # One sync is enough for all the folders that a process finds.
    synced = [*path.parent.iterdir()] if exists else [path]
    sync(path.parent)
    _remember(map(str, synced))


def make_shard(shard: Path, top: Path | None = None) -> None:
    """Creates a shard as `make_folder` does, and with it the 15 others that differ from it in the last digit only: one
    sync is enough for all of them."""
    if shard.is_dir():
        if str(shard) not in _lasting:
            make_folder(shard, top)
        return
    make_folder(shard.parent, top)
    start = str(shard)[:-1]
    row = [f"{start}{digit:x}" for digit in range(16)]
    for folder in row:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)  # noqa: PTH102 - sixteen Paths would take longer than the calls
    sync(shard.parent)
    _remember(row)


def _remember(synced: Iterable[str]) -> None:
    if len(_lasting) >= MOST_LASTING:
        _lasting.clear()
    _lasting.update(synced)


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
