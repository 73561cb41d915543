"""Creates the folders of new jobs: source and record are written aside, and one rename makes both visible."""

import contextlib
import errno
import io
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import aiofiles.threadpool
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from quickthumb.storage.durability import (
    NO_LINK,
    claim,
    make_folder,
    open_folder,
    sync,
    to_its_end,
    translated,
    write_file,
)
from quickthumb.storage.identity import StoreFile
from quickthumb.storage.layout import RECORD, SOURCE

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Room:
    """What uploads may take of the disk of `folder`: all but `spare_bytes`. Safe to use from any thread."""

    def __init__(self, folder: Path, spare_bytes: int) -> None:
        self._folder = folder
        self._spare_bytes = spare_bytes
        self._lock = threading.Lock()
        self._wanted_bytes = 0

    @contextmanager
    def for_bytes(self, number: int) -> Iterator[None]:
        """Room for that many bytes, to be written within the block. Raises an ENOSPC if there is not enough.

        Counts what other uploads of this process are writing at the moment: each of them alone would fit.
        """
        with self._lock:
            self._wanted_bytes += number
            wanted_bytes = self._wanted_bytes
        try:
            self._check(wanted_bytes)
            yield
        finally:
            with self._lock:
                self._wanted_bytes -= number

    def _check(self, wanted_bytes: int) -> None:
        if not self._spare_bytes:
            return
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < wanted_bytes + self._spare_bytes:
            words = f"of {free_bytes} free bytes, {self._spare_bytes} (twice MIN_FREE_BYTES) must stay free"
            raise OSError(errno.ENOSPC, words, str(self._folder))


class SparingFile(io.BufferedWriter):
    """A new file. Each write looks whether there is room: an upload may go on for minutes after it was admitted."""

    def __init__(self, path: Path, room: Room) -> None:
        super().__init__(io.FileIO(path, "x"))
        self._room = room

    def write(self, data: "ReadableBuffer", /) -> int:
        with self._room.for_bytes(memoryview(data).nbytes):
            return super().write(data)


class NewJob:
    """The folder of a new job, which `keep` moves to `place`. The methods block; call them in threads.

    Stores nothing unless `store` is the right one. The source takes no more of the disk than `room` has.
    """

    def __init__(self, folder: Path, place: Path, store: StoreFile, room: Room) -> None:
        self._folder = folder
        self._place = place
        self._store = store
        self._room = room
        self._made = False
        self._moved = False
        self.source = folder / SOURCE

    def open(self) -> BinaryIO:
        """Creates the folder with an empty source in it; returns that file, open for writing."""
        self._make()
        try:
            file = SparingFile(self.source, self._room)
        except OSError:
            self.discard()
            raise
        claim(file)
        return file

    def share(self, source: Path) -> BinaryIO | None:
        """Creates the folder with another job's source in it; returns None if that source no longer exists.

        While the returned file is open, no sweep mistakes the folder for the leftover of a dead process.
        """
        try:
            file = source.open("rb")
        except FileNotFoundError:
            return None
        try:
            claim(file, shared=True)
            self._make()
            if self._link_or_copy(source, file):
                return file
            self.discard()
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def keep(self, record: bytes) -> None:
        """Writes the record and moves the folder to its place. The source must be synced already."""
        self._store.check()
        write_file(self._folder / RECORD, record)
        sync(self._folder)
        make_folder(self._place.parent, self._store.top)
        self._folder.rename(self._place)
        self._moved = True
        sync(self._place.parent)

    def discard(self) -> None:
        """Removes the folder wherever it is. If `keep` failed after moving it, moves it back first, so that nobody ever
        sees it half removed."""
        if not self._made:
            return
        if self._moved:
            with contextlib.suppress(OSError):
                self._place.rename(self._folder)
                sync(self._place.parent)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        self._store.check()
        open_folder(self._folder, self._store.top)
        self._made = True

    def _link_or_copy(self, source: Path, file: BinaryIO) -> bool:
        try:
            os.link(source, self.source)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            with SparingFile(self.source, self._room) as copy:
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
        return True


class FileArrival:
    """A source that is being uploaded."""

    def __init__(self, job: NewJob, file: BinaryIO) -> None:
        self._job = job
        self._file = file
        self._stream = cast("AsyncBufferedIOBase", aiofiles.threadpool.wrap(file))
        self._kept = False

    async def write(self, data: bytes) -> None:
        with translated(self._job.source):
            await self._stream.write(data)

    @asynccontextmanager
    async def written(self) -> AsyncIterator[Path]:
        with translated(self._job.source):
            await to_its_end(self._file.flush)
        yield self._job.source

    async def keep(self, record: bytes) -> None:
        with translated(self._job.source):
            await to_its_end(self._keep, record)
        self._kept = True

    def _keep(self, record: bytes) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._job.keep(record)

    async def close(self) -> None:
        """Closes the file, and removes the new job unless it was kept."""
        await to_its_end(self._close)

    def _close(self) -> None:
        # Closing tries again to write bytes that could not be written before; nobody needs them any more.
        with contextlib.suppress(OSError):
            self._file.close()
        if not self._kept:
            self._job.discard()


async def arriving(job: NewJob) -> FileArrival:
    """Starts an upload. Leaves nothing behind if this fails or is cancelled."""
    opened: list[FileArrival] = []
    try:
        await to_its_end(lambda: opened.append(FileArrival(job, job.open())))
    except BaseException:
        for arrival in opened:
            await arrival.close()
        raise
    return opened[0]


async def share(job: NewJob, source: Path, record: bytes) -> bool:
    """Stores the new job with another job's source; returns False if that source no longer exists.

    Stores nothing if it fails or is cancelled.
    """

    def place() -> bool:
        file = job.share(source)
        if file is None:
            return False
        with file:
            job.keep(record)
        return True

    try:
        return await to_its_end(place)
    except BaseException:
        await to_its_end(job.discard)
        raise
