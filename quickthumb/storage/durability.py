"""Writing so that a crash of the machine loses nothing, and telling a full disk from other trouble."""

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from quickthumb.storage.errors import DiskFull, StorageUnavailable

P = ParamSpec("P")
T = TypeVar("T")

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})


@contextmanager
def translated() -> Iterator[None]:
    """Turns an OSError into DiskFull or StorageUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull("There is no space left on the server to keep the image.") from error
        raise StorageUnavailable("The server cannot use its storage just now.") from error


async def to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Works in a thread. Whoever is cancelled meanwhile is kept until the work is over: a thread cannot be stopped,
    and what it still writes would come after the clearing away."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    cancelled = False
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        working.exception()  # looked at, so that nobody warns of it
        raise asyncio.CancelledError
    return working.result()


def write_file(path: Path, data: bytes) -> None:
    """Writes a new file and brings it to the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Brings a file, or the entries of a folder, to the disk. Windows cannot sync a folder and does not need to."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(folder: Path, aside: Path) -> None:
    """Removes a folder, if it is there: moved to `aside` first, so that nobody ever sees half of it."""
    aside.mkdir(parents=True, exist_ok=True)
    moved = aside / f"{folder.name}.removed.{secrets.token_hex(8)}"
    try:
        folder.rename(moved)
    except FileNotFoundError:
        return
    shutil.rmtree(moved, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Makes a folder, its parents too, so that their names survive a crash."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)
