"""The storage on a file system; `layout` says where things lie."""

import asyncio
import builtins
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

import aiofiles.threadpool
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from quickthumb.storage import objects, sweeping
from quickthumb.storage.claims import claim
from quickthumb.storage.contract import Ages, Blob, Kept, Swept
from quickthumb.storage.durability import make_folder, remove_folder, sync, to_its_end, translated, write_file
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from quickthumb.storage.layout import ARRIVING, MAKING, OUTCOME, PROCESSED, RECORD, SOURCE, UPLOADS, place_of

# With less than this, no upload of any size has a chance.
NO_ROOM_BYTES = 64 * 1024
# What stands in a job's place may be removed in the moment in which something is put there.
PLACING_TRIES = 3


class FileArrival:
    """A source being written beside its later place."""

    def __init__(self, file: AsyncBufferedIOBase, folder: Path, place: Path) -> None:
        self._file = file
        self._folder = folder
        self._place = place
        self._moved = False
        self._kept = False

    async def write(self, data: bytes) -> None:
        with translated():
            await self._file.write(data)

    async def written(self) -> Path:
        with translated():
            await self._file.flush()
        return self._folder / SOURCE

    async def keep(self, record: bytes) -> None:
        with translated():
            await self._file.flush()
            await to_its_end(self._keep, self._file.fileno(), record)
        self._kept = True

    async def discard_unless_kept(self) -> None:
        """Undoes what there is of it, even where the last step of keeping it failed or nobody waited for it."""
        if not self._kept:
            await to_its_end(shutil.rmtree, self._place if self._moved else self._folder, ignore_errors=True)

    def _keep(self, descriptor: int, record: bytes) -> None:
        os.fsync(descriptor)
        write_file(self._folder / RECORD, record)
        sync(self._folder)
        make_folder(self._place.parent)
        self._folder.rename(self._place)
        self._moved = True
        sync(self._place.parent)


class FileStorage:
    """Sources and results as files below one folder, which must lie on one file system."""

    def __init__(self, folder: Path, *, min_free_bytes: int = 0) -> None:
        """`min_free_bytes` is the room that uploads leave for the results of what was accepted before."""
        self._min_free_bytes = min_free_bytes
        self._folder = folder
        self._uploads = folder / UPLOADS
        self._arriving = self._uploads / ARRIVING
        self._processed = folder / PROCESSED
        self._making = self._processed / MAKING

    async def put(self, key: str, data: bytes) -> bool:
        with translated():
            return await to_its_end(objects.create, self._folder / key, data)

    async def get(self, key: str) -> bytes | None:
        with translated():
            return await asyncio.to_thread(_read, self._folder / key)

    async def delete(self, key: str) -> None:
        with translated():
            await to_its_end(objects.delete, self._folder / key)

    async def list(self, prefix: str) -> AsyncIterator[builtins.list[Blob]]:
        with translated():
            for folder in await asyncio.to_thread(objects.folders, self._folder / prefix):
                yield await asyncio.to_thread(objects.below, folder, self._folder)

    @asynccontextmanager
    async def receive(self, job_id: str) -> AsyncIterator[FileArrival]:
        folder = self._arriving / job_id
        with translated():
            file = await self._opened(folder)
        arrival = FileArrival(file, folder, place_of(self._uploads, job_id))
        try:
            yield arrival
        finally:
            # What could not be written before is not wanted any more.
            try:
                with contextlib.suppress(OSError):
                    await file.close()
            finally:
                await arrival.discard_unless_kept()

    async def _opened(self, folder: Path) -> AsyncBufferedIOBase:
        """The source in a new folder; there is neither when this fails, or is cancelled."""
        opened: list[BinaryIO] = []
        try:
            await to_its_end(lambda: opened.append(self._open_source(folder)))
        except asyncio.CancelledError:
            for file in opened:
                file.close()
                await to_its_end(shutil.rmtree, folder, ignore_errors=True)
            raise
        return cast("AsyncBufferedIOBase", aiofiles.threadpool.wrap(opened[0]))

    def _open_source(self, folder: Path) -> BinaryIO:
        self._open_folder(folder)
        try:
            file = (folder / SOURCE).open("xb")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        claim(file)
        return file

    async def source(self, job_id: str) -> Path | None:
        return await self._file(place_of(self._uploads, job_id) / SOURCE)

    async def remove_source(self, job_id: str) -> None:
        with translated():
            await asyncio.to_thread((place_of(self._uploads, job_id) / SOURCE).unlink, missing_ok=True)

    async def look_up(self, job_id: str) -> Kept:
        with translated():
            return await asyncio.to_thread(self._look_up, job_id)

    def _look_up(self, job_id: str) -> Kept:
        uploaded, made = place_of(self._uploads, job_id), place_of(self._processed, job_id)
        source = uploaded / SOURCE
        return Kept(_read(uploaded / RECORD), source if source.is_file() else None, _read(made / OUTCOME))

    @asynccontextmanager
    async def workspace(self, job_id: str, token: str) -> AsyncIterator[Path]:
        folder = self._making / f"{job_id}.{token}"
        try:
            with translated():
                await to_its_end(self._open_folder, folder)
            yield folder
        finally:
            await to_its_end(shutil.rmtree, folder, ignore_errors=True)

    async def conclude(self, job_id: str, workspace: Path, outcome: bytes) -> bytes:
        place = place_of(self._processed, job_id)
        with translated():
            return await to_its_end(self._conclude, place, workspace, outcome)

    @staticmethod
    def _conclude(place: Path, workspace: Path, outcome: bytes) -> bytes:
        for file in workspace.iterdir():
            sync(file)
        write_file(workspace / OUTCOME, outcome)
        sync(workspace)
        make_folder(place.parent)
        outcome = _put_or_read(place, workspace, outcome)
        # Also for one that stood: whoever put it there may have died before this.
        sync(place.parent)
        return outcome

    async def result(self, job_id: str, filename: str) -> Path | None:
        return await self._file(place_of(self._processed, job_id) / filename)

    async def reopen(self, job_id: str) -> None:
        with translated():
            await to_its_end(remove_folder, place_of(self._processed, job_id), self._making)

    async def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        with translated():
            shards = await asyncio.to_thread(sweeping.shards, self._uploads)
            for shard in shards:
                yield await asyncio.to_thread(sweeping.jobs, shard)

    async def expire(self, ages: Ages) -> Swept:
        with translated():
            return await asyncio.to_thread(sweeping.sweep, self._uploads, self._processed, ages)

    async def remove(self, job_id: str) -> None:
        for place in (place_of(self._uploads, job_id), place_of(self._processed, job_id)):
            with translated():
                await to_its_end(remove_folder, place, self._making)

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
            raise StorageUnavailable("The storage cannot be written to.")

    @staticmethod
    def _open_folder(folder: Path) -> None:
        try:
            folder.mkdir()
        except FileNotFoundError:
            make_folder(folder.parent)
            folder.mkdir()

    @staticmethod
    async def _file(path: Path) -> Path | None:
        return path if await asyncio.to_thread(path.is_file) else None


def _put_or_read(place: Path, workspace: Path, outcome: bytes) -> bytes:
    """Puts the workspace in its place, or reads the outcome that stands there."""
    failure = OSError()
    for _ in range(PLACING_TRIES):
        try:
            # Renaming a folder onto one that is not empty fails: the first outcome is the one that stands.
            workspace.rename(place)
        except OSError as error:
            standing = _read(place / OUTCOME)
            if standing is not None:
                return standing
            failure = error
        else:
            return outcome
    raise failure


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
