"""The storage on a file system.

    uploads/5f0/5f0c…/source         the uploaded bytes
    uploads/5f0/5f0c…/job.json       the job's record
    uploads/.arriving/5f0c…/         a source on its way in
    processed/5f0/5f0c…/thumbnail.jpg
    processed/5f0/5f0c…/outcome.json how the job ended
    processed/.making/5f0c….token/   results on their way

What is in a dotted folder is not there yet; one rename of a folder makes it be there, whole. The first three digits
of the id spread the jobs over 4,096 folders, so that a million jobs make some 250 entries in each.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from quickthumb.errors import DiskFull, StorageUnavailable
from quickthumb.storage.contract import Kept
from quickthumb.storage.durability import make_folder, sync, translated, write_file

SOURCE = "source"
RECORD = "job.json"
OUTCOME = "outcome.json"
SHARD_DIGITS = 3
# Below this the storage counts as full: a worker needs room for results of what was accepted before.
RESERVE_BYTES = 16 * 1024 * 1024


class FileArrival:
    """A source being written beside its later place."""

    def __init__(self, file: AsyncBufferedIOBase, folder: Path, place: Path) -> None:
        self._file = file
        self._folder = folder
        self._place = place

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
            await asyncio.to_thread(self._keep, self._file.fileno(), record)

    def _keep(self, descriptor: int, record: bytes) -> None:
        os.fsync(descriptor)
        write_file(self._folder / RECORD, record)
        sync(self._folder)
        make_folder(self._place.parent)
        self._folder.rename(self._place)
        sync(self._place.parent)


class FileStorage:
    """Sources and results as files below one folder, which must lie on one file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uploads = folder / "uploads"
        self._arriving = self._uploads / ".arriving"
        self._processed = folder / "processed"
        self._making = self._processed / ".making"

    @asynccontextmanager
    async def receive(self, job_id: str) -> AsyncIterator[FileArrival]:
        folder = self._arriving / job_id
        with translated():
            await asyncio.to_thread(self._open_folder, folder)
        try:
            with translated():
                file = await aiofiles.open(folder / SOURCE, "xb")
            try:
                yield FileArrival(file, folder, self._place(self._uploads, job_id))
            finally:
                await file.close()
        finally:
            await _discard(folder)

    async def source(self, job_id: str) -> Path | None:
        return await self._file(self._place(self._uploads, job_id) / SOURCE)

    async def look_up(self, job_id: str) -> Kept:
        with translated():
            return await asyncio.to_thread(self._look_up, job_id)

    def _look_up(self, job_id: str) -> Kept:
        uploaded, made = self._place(self._uploads, job_id), self._place(self._processed, job_id)
        source = uploaded / SOURCE
        return Kept(_read(uploaded / RECORD), source if source.is_file() else None, _read(made / OUTCOME))

    @asynccontextmanager
    async def workspace(self, job_id: str, token: str) -> AsyncIterator[Path]:
        folder = self._making / f"{job_id}.{token}"
        with translated():
            await asyncio.to_thread(self._open_folder, folder)
        try:
            yield folder
        finally:
            await _discard(folder)

    async def conclude(self, job_id: str, workspace: Path, outcome: bytes) -> bytes:
        place = self._place(self._processed, job_id)
        with translated():
            return await asyncio.to_thread(self._conclude, place, workspace, outcome)

    @staticmethod
    def _conclude(place: Path, workspace: Path, outcome: bytes) -> bytes:
        for file in workspace.iterdir():
            sync(file)
        write_file(workspace / OUTCOME, outcome)
        sync(workspace)
        make_folder(place.parent)
        try:
            # Renaming a folder onto one that is not empty fails: the first outcome is the one that stands.
            workspace.rename(place)
        except OSError:
            if not (place / OUTCOME).is_file():
                raise
            return (place / OUTCOME).read_bytes()
        sync(place.parent)
        return outcome

    async def result(self, job_id: str, filename: str) -> Path | None:
        return await self._file(self._place(self._processed, job_id) / filename)

    async def remove(self, job_id: str) -> None:
        for place in (self._place(self._uploads, job_id), self._place(self._processed, job_id)):
            with translated():
                await asyncio.to_thread(self._remove, place)

    def _remove(self, place: Path) -> None:
        # Moved aside first, so that nobody ever sees half a job.
        aside = self._making / f"{place.name}.removed.{secrets.token_hex(8)}"
        self._making.mkdir(parents=True, exist_ok=True)
        try:
            place.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside)

    async def probe(self) -> None:
        with translated():
            await asyncio.to_thread(self._probe)

    def _probe(self) -> None:
        self._arriving.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._arriving).free < RESERVE_BYTES:
            raise DiskFull("The server's disk is almost full.")
        if not os.access(self._arriving, os.W_OK):
            raise StorageUnavailable("The storage cannot be written to.")

    @staticmethod
    def _place(area: Path, job_id: str) -> Path:
        return area / job_id[:SHARD_DIGITS] / job_id

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


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


async def _discard(folder: Path) -> None:
    """Removes a folder that has not been kept; whoever is being cancelled waits for it."""
    await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
