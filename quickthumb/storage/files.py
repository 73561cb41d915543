"""Stores blobs as files: every key is a path below the data folder."""

import asyncio
import builtins
import errno
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from quickthumb.model.errors import Cause
from quickthumb.storage import arrivals, linking, lookup, objects, removal, sweeping
from quickthumb.storage.arrivals import MOST_HELD_BYTES, FileArrival, LateSource, Memory, NewJob, Room
from quickthumb.storage.contract import Blob, Kept, Recorded, RetentionAges, SweepReport, Work
from quickthumb.storage.durability import (
    create,
    make_folder,
    make_shard,
    open_folder,
    sync,
    sync_together,
    to_its_end,
    translated,
)
from quickthumb.storage.errors import BlobGone, DiskFull, StorageUnavailable
from quickthumb.storage.identity import StoreFile
from quickthumb.storage.layout import (
    ARRIVING,
    KEEP,
    MAKING,
    OUTCOME,
    PROCESSED,
    SHARD_DIGITS,
    UPLOADS,
    result_folder,
    result_key,
    source_key,
    upload_folder,
)

P = ParamSpec("P")
T = TypeVar("T")

# With less free space than this, not even a small upload fits.
NO_ROOM_BYTES = 64 * 1024
# Another process may remove a job's results at the very moment when new ones are moved to their place.
PLACING_TRIES = 3
# What a probe writes: a block, which takes room on every file system.
PROBE = bytes(4096)


class FileStorage:
    """Keeps blobs as files below one folder, which must lie on one file system.

    Once `expect` was called, every change first looks whether the folder still has the expected id, in the thread that
    makes the change. So does every read that finds nothing: a file is missing only if the right folder lacks it.
    """

    def __init__(self, folder: Path, *, min_free_bytes: int = 0, memory_bytes: int = MOST_HELD_BYTES) -> None:
        """Uploads leave `min_free_bytes` free: room for the results of jobs accepted before. `probe` asks for it.

        Small uploads are held in memory until they are kept: all together at most `memory_bytes`.
        """
        self._min_free_bytes = min_free_bytes
        self._folder = folder
        self._store = StoreFile(folder)
        self._arriving = folder / UPLOADS / ARRIVING
        self._room = Room(self._arriving, min_free_bytes)
        self._memory = Memory(memory_bytes)
        self._making = folder / PROCESSED / MAKING
        self._workspaces: set[Path] = set()  # those that exist
        # The sweep goes on after this one. It begins anywhere: if workers restart often, each sweeps another part.
        self._swept_shard = secrets.token_hex(2)[:SHARD_DIGITS]

    @property
    def place(self) -> str:
        return str(self._folder.absolute())

    async def put(self, key: str, data: bytes) -> bool:
        return await self._change(objects.create, self._folder / key, data, self._store.top)

    async def get(self, key: str) -> bytes | None:
        return await self._look(objects.read, self._folder / key)

    async def delete(self, key: str) -> None:
        await self._change(objects.delete, self._folder / key)

    async def find(self, key: str) -> Blob | None:
        return await self._look(objects.find, self._folder, key)

    async def _change(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Changes the folder, in a thread and to the end, if it is the right one."""

        def checked() -> T:
            self._store.check()
            return work(*args, **kwargs)

        with translated(self._folder):
            return await to_its_end(checked)

    async def _look(self, work: Callable[P, T | None], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Reads in the folder, in a thread; returns None only if it is the right one."""

        def checked() -> T | None:
            found = work(*args, **kwargs)
            if found is None:
                self._store.check()
            return found

        with translated(self._folder):
            return await asyncio.to_thread(checked)

    async def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        reading = objects.Reading(self._folder, blob, start, blob.length if end is None else end)
        try:
            while reading.left_bytes:
                with translated(self._folder / blob.key):
                    block = await to_its_end(reading.next_block)
                if block is None:
                    raise BlobGone(blob.key)
                yield block
        finally:
            reading.close()

    @asynccontextmanager
    async def local(self, blob: Blob) -> AsyncIterator[Path]:
        yield self._folder / blob.key

    async def list(self, prefix: str) -> AsyncIterator[builtins.list[Blob]]:
        batches = objects.batches(self._folder, prefix)
        while True:
            batch = await self._change(next, batches, None)
            if batch is None:
                return
            yield batch

    async def identity(self) -> str:
        with translated(self._folder):
            return await to_its_end(self._store.create)

    async def find_identity(self) -> str | None:
        with translated(self._folder):
            return await asyncio.to_thread(self._store.read)

    def expect(self, identity: str | None) -> None:
        self._store.expect(identity)

    @asynccontextmanager
    async def receive(self, job_id: str) -> AsyncIterator[FileArrival]:
        arrival = FileArrival(self._new_job(job_id), self._memory)
        try:
            yield arrival
        finally:
            await arrival.close()

    @asynccontextmanager
    async def supply(self, job_id: str, token: str) -> AsyncIterator[FileArrival]:
        place = self._folder / upload_folder(job_id)
        late = LateSource(self._arriving / f"{job_id}.{token}", place, self._store, self._room)
        arrival = FileArrival(late, self._memory)
        try:
            yield arrival
        finally:
            await arrival.close()

    async def share(self, job_id: str, other_job_id: str, record: bytes) -> bool:
        with translated(self._folder):
            return await arrivals.share(self._new_job(other_job_id), self._folder / source_key(job_id), record)

    async def link_results(self, job_id: str, filenames: Sequence[str], workspace: Path) -> bool:
        return await self._change(linking.link_results, self._folder / result_folder(job_id), filenames, workspace)

    def _new_job(self, job_id: str) -> NewJob:
        place = self._folder / upload_folder(job_id)
        return NewJob(self._arriving / job_id, place, self._store, self._room)

    async def source(self, job_id: str) -> Blob | None:
        return await self.find(source_key(job_id))

    async def result(self, job_id: str, filename: str) -> Blob | None:
        return await self.find(result_key(job_id, filename))

    async def look_up(self, job_id: str) -> Kept:
        with translated(self._folder):
            return await asyncio.to_thread(lookup.look_up, self._folder, self._store, job_id)

    async def records(self, job_ids: Sequence[str]) -> builtins.list[Recorded]:
        with translated(self._folder):
            return await asyncio.to_thread(lookup.records, self._folder, self._store, job_ids)

    @asynccontextmanager
    async def workspace(self, job_id: str, token: str) -> AsyncIterator[Path]:
        folder = self._making / f"{job_id}.{token}"
        try:
            await self._change(self._make_workspace, folder)
            yield folder
        finally:
            await self._remove_workspace(folder)

    @asynccontextmanager
    async def work_on(self, job_id: str, token: str) -> AsyncIterator[Work]:
        folder = self._making / f"{job_id}.{token}"
        try:
            yield await self._change(self._begin, job_id, folder)
        finally:
            await self._remove_workspace(folder)

    def _begin(self, job_id: str, folder: Path) -> Work:
        kept = lookup.look_up(self._folder, self._store, job_id)
        if kept.record is None or kept.outcome is not None:
            return Work(kept, None)
        self._make_workspace(folder)
        return Work(kept, folder)

    def _make_workspace(self, folder: Path) -> None:
        open_folder(folder, self._store.top)
        self._workspaces.add(folder)

    async def _remove_workspace(self, folder: Path) -> None:
        """Removes a workspace if it is still there."""
        if folder in self._workspaces:
            self._workspaces.discard(folder)
            await to_its_end(shutil.rmtree, folder, ignore_errors=True)

    async def conclude(
        self, job_id: str, workspace: Path, outcome: bytes, results: Sequence[str] = (), *, keep: str | None = None
    ) -> bytes:
        written = {OUTCOME: outcome} if keep is None else {KEEP: keep.encode(), OUTCOME: outcome}
        return await self._change(self._conclude, self._folder / result_folder(job_id), workspace, written, results)

    def _conclude(self, place: Path, workspace: Path, written: Mapping[str, bytes], results: Sequence[str]) -> bytes:
        standing = _conclude(place, workspace, written, results, self._store.top)
        self._workspaces.discard(workspace)
        return standing

    async def reopen(self, job_id: str, outcome: bytes) -> bool:
        place = self._folder / result_folder(job_id)
        return await self._change(_reopen, place, self._making, outcome, self._store.top)

    async def remove_source(self, job_id: str) -> None:
        await self._change((self._folder / source_key(job_id)).unlink, missing_ok=True)

    async def remove(self, job_id: str) -> None:
        await self._change(removal.remove_job, self._folder, job_id, self._store.top)

    async def was_removed(self, job_id: str) -> bool:
        return await self._change(removal.was_removed, self._folder, job_id)

    async def removed_among(self, job_ids: Sequence[str]) -> builtins.list[str]:
        return await self._change(removal.removed_among, self._folder, job_ids)

    async def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        batches = sweeping.batches(self._folder / UPLOADS)
        while batch := await self._change(next, batches, None):
            yield batch

    async def expire(self, ages: RetentionAges) -> SweepReport:
        report, self._swept_shard = await self._change(sweeping.sweep, self._folder, ages, self._swept_shard)
        return report

    async def probe(self, *, writing: bool = False, room_bytes: int = 0) -> None:
        await self._change(self._probe, room_bytes)
        if writing:
            async with self.workspace(secrets.token_hex(16), "probe") as folder:
                await self._change((folder / "probe").write_bytes, PROBE)

    def _probe(self, room_bytes: int) -> None:
        make_folder(self._arriving, self._store.top)
        free_bytes = shutil.disk_usage(self._arriving).free
        if free_bytes < NO_ROOM_BYTES:
            raise DiskFull("The server's disk is full.") from self._refusal(errno.ENOSPC)
        if free_bytes < room_bytes:
            cause = Cause(f"{free_bytes} bytes are free at {self._folder}, of the {room_bytes} that are needed")
            raise DiskFull("The server's disk has too little room.") from cause
        if free_bytes < self._min_free_bytes:
            cause = Cause(f"less than {self._min_free_bytes} bytes (twice MIN_FREE_BYTES) are free at {self._folder}")
            raise StorageUnavailable("The server's disk is almost full.") from cause
        if not os.access(self._arriving, os.W_OK):
            raise StorageUnavailable("The server cannot write to its storage.") from self._refusal(errno.EACCES)

    def _refusal(self, number: int) -> OSError:
        return OSError(number, os.strerror(number), str(self._arriving))


def _conclude(
    place: Path, workspace: Path, written: Mapping[str, bytes], results: Sequence[str], top: Path | None
) -> bytes:
    """Moves the workspace to its place, with the results and what is `written` beside them. Returns the outcome that
    stands."""
    outcome = written[OUTCOME]
    descriptors: list[int] = []
    try:
        descriptors.extend(os.open(f"{workspace}/{name}", os.O_RDONLY) for name in results)
        descriptors.extend(create(f"{workspace}/{name}", data) for name, data in written.items())
        sync_together(*descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    sync(workspace)
    make_shard(place.parent, top)
    standing = _put_or_read(place, workspace, outcome)
    # Even if an outcome was there already: the process that stored it may have died before it synced the folder.
    sync(place.parent)
    if standing is not outcome:
        shutil.rmtree(workspace, ignore_errors=True)
    return standing


def _reopen(place: Path, making: Path, outcome: bytes, top: Path | None) -> bool:
    """Removes the results if `outcome` is the one that stands. They are taken aside before they are looked at again, so
    that of several callers only one can remove them, and none removes what was concluded in the meantime."""
    # A crash between taking another outcome aside and putting it back would lose it.
    if objects.read(place / OUTCOME) != outcome:
        return False
    make_folder(making, top)
    aside = making / f"{place.name}.reopened.{secrets.token_hex(8)}"
    try:
        place.rename(aside)
    except FileNotFoundError:
        return False
    if objects.read(aside / OUTCOME) != outcome:
        _put_or_read(place, aside, b"")
        return False
    sync(place.parent)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _put_or_read(place: Path, workspace: Path, outcome: bytes) -> bytes:
    """Moves the workspace to its place and returns its outcome, or returns the outcome that is there already."""
    failure = OSError()
    for _ in range(PLACING_TRIES):
        try:
            # Renaming a folder onto one that is not empty fails, so the first outcome stays.
            workspace.rename(place)
        except OSError as error:
            standing = objects.read(place / OUTCOME)
            if standing is not None:
                return standing
            failure = error
        else:
            return outcome
    raise failure
