"""Creates the folders of new jobs: source and record are written aside, and one rename makes both visible."""

import contextlib
import errno
import io
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ParamSpec, cast

import aiofiles.threadpool
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from quickthumb.storage.durability import (
    NO_LINK,
    claim,
    locked,
    make_shard,
    open_folder,
    sync,
    sync_together,
    to_its_end,
    translated,
)
from quickthumb.storage.identity import StoreFile
from quickthumb.storage.layout import RECORD, SOURCE

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

P = ParamSpec("P")

# How many bytes of one upload are held in memory, and of all uploads of this process together.
MOST_HELD_EACH_BYTES = 4 * 1024 * 1024
MOST_HELD_BYTES = 64 * 1024 * 1024


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

    Stores nothing unless `store` is the right one: each visit to a thread calls `check` before anything else. The
    source takes no more of the disk than `room` has.
    """

    def __init__(self, folder: Path, place: Path, store: StoreFile, room: Room) -> None:
        self._folder = folder
        self._place = place
        self._store = store
        self._room = room
        self._made = False
        self._moved = False
        self.source = folder / SOURCE

    def check(self) -> None:
        """Raises WrongStorage if the store is not the right one."""
        self._store.check()

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

    def keep(self, record: bytes, *unsynced: BinaryIO) -> None:
        """Writes the record, syncs it with the `unsynced` files of the folder, and moves the folder to its place.

        What is in the folder is synced before it is moved: no crash leaves a job at its place without its source or
        its record.
        """
        shard = self._place.parent
        with open(f"{self._folder}/{RECORD}", "xb") as file:  # noqa: PTH123 - a Path would take longer than the call
            file.write(record)
            file.flush()
            sync_together(*unsynced, file)
        sync(self._folder)
        # Even if it exists: its creator may not have synced it yet.
        make_shard(shard, self._store.top)
        os.rename(self._folder, self._place)  # noqa: PTH104 - Path.rename makes another Path
        self._moved = True
        sync(shard)

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
                sync_together(copy)
        return True


class LateSource(NewJob):
    """The source of a job that is at its place already: it arrives in a folder of its own, and `keep`
    moves it alone."""

    def keep(self, record: bytes, *unsynced: BinaryIO) -> None:
        """Syncs the `unsynced` files, and moves the source to the job. The record is there already."""
        sync_together(*unsynced)
        target = self._place / SOURCE
        try:
            os.link(self.source, target)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            with locked(self._place):
                if target.exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
                self.source.rename(target)
        sync(self._place)
        shutil.rmtree(self._folder, ignore_errors=True)


class Memory:
    """How many bytes of uploads this process may still hold in memory. Use it in one event loop only."""

    def __init__(self, most_bytes: int) -> None:
        self.free_bytes = most_bytes

    def take(self, number: int, held_bytes: int) -> bool:
        """Takes `number` bytes for an upload that holds `held_bytes` already. Returns False if there is no room."""
        if number > self.free_bytes or held_bytes + number > MOST_HELD_EACH_BYTES:
            return False
        self.free_bytes -= number
        return True


class FileArrival:
    """A source that is being uploaded.

    A small one is held in memory until it is kept: then one visit to a thread writes, syncs and places it. One that is
    too large for that, or that finds no room in `memory`, goes to the disk as it arrives.

    Each is synced in a thread of its own. On a busy machine, one thread that did so for all of them took as much CPU
    time and kept uploads waiting four times as long.
    """

    def __init__(self, job: NewJob, memory: Memory) -> None:
        self._job = job
        self._memory = memory
        self._held: list[ReadableBuffer] = []
        self._held_bytes = 0
        self._file: BinaryIO | None = None
        self._kept = False

    async def write(self, data: "ReadableBuffer") -> None:
        if self._file is not None:
            with translated(self._job.source):
                await cast("AsyncBufferedIOBase", aiofiles.threadpool.wrap(self._file)).write(data)
            return
        self._held.append(data)
        length = memoryview(data).nbytes
        if self._memory.take(length, self._held_bytes):
            self._held_bytes += length
        else:
            await self._in_thread(self._write_held)

    @asynccontextmanager
    async def written(self) -> AsyncIterator[Path]:
        await self._in_thread(self._write_held)
        yield self._job.source

    async def keep(self, record: bytes) -> None:
        await self._in_thread(self._keep, record)
        self._kept = True

    async def close(self) -> None:
        """Closes the file, and removes the new job unless it was kept."""
        self._release()
        if self._file is not None and not self._kept:
            await to_its_end(self._discard, self._file)

    async def _in_thread(self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        with translated(self._job.source):
            await to_its_end(work, *args, **kwargs)
        self._release()

    def _release(self) -> None:
        self._held.clear()
        self._memory.free_bytes += self._held_bytes
        self._held_bytes = 0

    def _write_held(self) -> BinaryIO:
        self._job.check()
        if self._file is None:
            self._file = self._job.open()
        for data in self._held:
            self._file.write(data)
        self._file.flush()
        return self._file

    def _keep(self, record: bytes) -> None:
        file = self._write_held()
        self._job.keep(record, file)
        file.close()

    def _discard(self, file: BinaryIO) -> None:
        # Closing tries again to write bytes that could not be written before; nobody needs them any more.
        with contextlib.suppress(OSError):
            file.close()
        self._job.discard()


async def share(job: NewJob, source: Path, record: bytes) -> bool:
    """Stores the new job with another job's source; returns False if that source no longer exists.

    Stores nothing if it fails or is cancelled.
    """

    def place() -> bool:
        job.check()
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
