"""Stores blobs as files: every key is a path below the data folder."""

import asyncio
import builtins
import json
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quickthumb.storage import arrivals, objects, sweeping
from quickthumb.storage.arrivals import FileArrival, NewJob
from quickthumb.storage.contract import Blob, Kept, RetentionAges, SweepReport
from quickthumb.storage.durability import (
    make_folder,
    open_folder,
    remove_folder,
    sync,
    to_its_end,
    translated,
    write_file,
)
from quickthumb.storage.errors import BlobGone, DiskFull, StorageUnavailable
from quickthumb.storage.layout import (
    ARRIVING,
    MAKING,
    OUTCOME,
    PROCESSED,
    STORE,
    UPLOADS,
    outcome_key,
    record_key,
    result_folder,
    result_key,
    source_key,
    upload_folder,
)

LAYOUT_VERSION = 1
# With less free space than this, not even a small upload fits.
NO_ROOM_BYTES = 64 * 1024
# Another process may remove a job's results at the very moment when new ones are moved to their place.
PLACING_TRIES = 3


class FileStorage:
    """Keeps blobs as files below one folder, which must lie on one file system."""

    def __init__(self, folder: Path, *, min_free_bytes: int = 0) -> None:
        """`probe` fails with less than `min_free_bytes` free: room for the results of jobs accepted before."""
        self._min_free_bytes = min_free_bytes
        self._folder = folder
        self._arriving = folder / UPLOADS / ARRIVING
        self._making = folder / PROCESSED / MAKING

    async def put(self, key: str, data: bytes) -> bool:
        with translated():
            return await to_its_end(objects.create, self._folder / key, data)

    async def get(self, key: str) -> bytes | None:
        with translated():
            return await asyncio.to_thread(objects.read, self._folder / key)

    async def delete(self, key: str) -> None:
        with translated():
            await to_its_end(objects.delete, self._folder / key)

    async def find(self, key: str) -> Blob | None:
        with translated():
            return await asyncio.to_thread(objects.find, self._folder, key)

    async def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        reading = objects.Reading(self._folder, blob, start, blob.length if end is None else end)
        try:
            while reading.left_bytes:
                with translated():
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
            with translated():
                batch = await to_its_end(next, batches, None)
            if batch is None:
                return
            yield batch

    async def identity(self) -> str:
        written = await self.get(STORE)
        if written is None:
            store = {"id": secrets.token_hex(16), "version": LAYOUT_VERSION}
            await self.put(STORE, json.dumps(store).encode())
            written = await self.get(STORE)
        try:
            store = json.loads(written or b"")
            if store["version"] == LAYOUT_VERSION:
                return str(store["id"])
        except (ValueError, TypeError, KeyError) as error:
            raise StorageUnavailable("The data folder's store.json is damaged.") from error
        raise StorageUnavailable("The data folder was written by another release, whose layout this one cannot read.")

    @asynccontextmanager
    async def receive(self, job_id: str) -> AsyncIterator[FileArrival]:
        with translated():
            arrival = await arrivals.arriving(self._new_job(job_id))
        try:
            yield arrival
        finally:
            await arrival.close()

    async def share(self, job_id: str, other_job_id: str, record: bytes) -> bool:
        with translated():
            return await arrivals.share(self._new_job(other_job_id), self._folder / source_key(job_id), record)

    def _new_job(self, job_id: str) -> NewJob:
        return NewJob(self._arriving / job_id, self._folder / upload_folder(job_id))

    async def source(self, job_id: str) -> Blob | None:
        return await self.find(source_key(job_id))

    async def result(self, job_id: str, filename: str) -> Blob | None:
        return await self.find(result_key(job_id, filename))

    async def look_up(self, job_id: str) -> Kept:
        with translated():
            return await asyncio.to_thread(self._look_up, job_id)

    def _look_up(self, job_id: str) -> Kept:
        return Kept(
            objects.read(self._folder / record_key(job_id)),
            objects.find(self._folder, source_key(job_id)),
            objects.read(self._folder / outcome_key(job_id)),
        )

    @asynccontextmanager
    async def workspace(self, job_id: str, token: str) -> AsyncIterator[Path]:
        folder = self._making / f"{job_id}.{token}"
        try:
            with translated():
                await to_its_end(open_folder, folder)
            yield folder
        finally:
            await to_its_end(shutil.rmtree, folder, ignore_errors=True)

    async def conclude(self, job_id: str, workspace: Path, outcome: bytes) -> bytes:
        with translated():
            return await to_its_end(_conclude, self._folder / result_folder(job_id), workspace, outcome)

    async def reopen(self, job_id: str, outcome: bytes) -> bool:
        with translated():
            return await to_its_end(_reopen, self._folder / result_folder(job_id), self._making, outcome)

    async def remove_source(self, job_id: str) -> None:
        with translated():
            await asyncio.to_thread((self._folder / source_key(job_id)).unlink, missing_ok=True)

    async def remove(self, job_id: str) -> None:
        for folder in (upload_folder(job_id), result_folder(job_id)):
            with translated():
                await to_its_end(remove_folder, self._folder / folder, self._making)

    async def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        with translated():
            shards = await asyncio.to_thread(sweeping.shards, self._folder / UPLOADS)
        for shard in shards:
            with translated():
                ids = await asyncio.to_thread(sweeping.jobs, shard)
            yield ids

    async def expire(self, ages: RetentionAges) -> SweepReport:
        with translated():
            return await asyncio.to_thread(sweeping.sweep, self._folder, ages)

    async def probe(self) -> None:
        with translated():
            await asyncio.to_thread(self._probe)

    def _probe(self) -> None:
        self._arriving.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self._arriving).free
        if free_bytes < NO_ROOM_BYTES:
            raise DiskFull("The server's disk is full.")
        if free_bytes < self._min_free_bytes:
            raise StorageUnavailable("The server's disk is almost full.")
        if not os.access(self._arriving, os.W_OK):
            raise StorageUnavailable("The server cannot write to its storage.")


def _conclude(place: Path, workspace: Path, outcome: bytes) -> bytes:
    for file in workspace.iterdir():
        sync(file)
    write_file(workspace / OUTCOME, outcome)
    sync(workspace)
    make_folder(place.parent)
    standing = _put_or_read(place, workspace, outcome)
    # Even if an outcome was there already: the process that stored it may have died before it synced the folder.
    sync(place.parent)
    return standing


def _reopen(place: Path, making: Path, outcome: bytes) -> bool:
    """Removes the results if `outcome` is the one that stands. They are taken aside before they are looked at, so that
    of several callers only one can remove them, and none removes what was concluded in the meantime."""
    making.mkdir(parents=True, exist_ok=True)
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
