"""A storage in memory: for tests, and to show that nothing above the contract needs files."""

import builtins
import errno
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from quickthumb.model.retention import seconds_in
from quickthumb.storage import Blob, Kept, Recorded, RetentionAges, SweepReport, Work
from quickthumb.storage.durability import translated
from quickthumb.storage.errors import BlobGone, WrongStorage
from quickthumb.storage.layout import (
    JOB_NAME,
    STORE,
    UPLOADS,
    change_key,
    keep_key,
    outcome_key,
    record_key,
    result_folder,
    result_key,
    source_key,
    upload_folder,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Small, so that tests get several blocks and batches.
BLOCK_BYTES = 4 * 1024
BATCH = 10


@contextmanager
def _temporary_file(data: bytes | bytearray) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


@dataclass(frozen=True)
class Entry:
    """One stored object; jobs that share a source share the entry."""

    data: bytes
    version: str = field(default_factory=lambda: secrets.token_hex(8))
    modified_seconds: float = field(default_factory=time.time)


class MemoryArrival:
    """A source that is being uploaded."""

    def __init__(self, storage: "MemoryStorage", job_id: str) -> None:
        self._storage = storage
        self._job_id = job_id
        self._data = bytearray()

    async def write(self, data: "ReadableBuffer") -> None:
        self._storage.take_write()
        self._data += data

    @asynccontextmanager
    async def written(self) -> AsyncIterator[Path]:
        with _temporary_file(self._data) as path:
            yield path

    async def keep(self, record: bytes) -> None:
        self._storage.place_job(self._job_id, Entry(bytes(self._data)), record)


class LateMemoryArrival(MemoryArrival):
    """The source of a job that is stored already."""

    async def keep(self, record: bytes) -> None:
        self._storage.add_source(self._job_id, Entry(bytes(self._data)))


class MemoryStorage:
    """`entries` holds every stored object, by key; `arriving` and `making` list unfinished uploads and workspaces.

    If `failing` is set to the number of an OSError, every write fails with that error.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.arriving: list[str] = []
        self.making: list[Path] = []
        self.failing: int | None = None
        self.tombstones: set[str] = set()
        self._expected: str | None = ""

    @property
    def place(self) -> str:
        return "memory"

    def expect(self, identity: str | None) -> None:
        self._expected = identity

    def check(self) -> None:
        """Raises WrongStorage unless this is the expected store, if one is expected."""
        entry = self.entries.get(STORE)
        if self._expected != "" and (entry is None or self._expected != entry.data.decode()):
            raise WrongStorage("another store")

    def take_write(self) -> None:
        """Raises the error that writes are set to fail with, if any."""
        self.check()
        if self.failing is not None:
            with translated():
                raise OSError(self.failing, os.strerror(self.failing))

    def place_job(self, job_id: str, source: Entry, record: bytes) -> None:
        """Stores a new job's source and record."""
        self.take_write()
        if any(self._below(upload_folder(job_id))):
            with translated():
                raise OSError(errno.ENOTEMPTY, "the job exists")
        self.entries |= {source_key(job_id): source, record_key(job_id): Entry(record)}

    def add_source(self, job_id: str, source: Entry) -> None:
        """Stores the source of a job that has none."""
        self.take_write()
        if record_key(job_id) not in self.entries or source_key(job_id) in self.entries:
            with translated():
                raise OSError(errno.EEXIST, "the job has a source, or is gone")
        self.entries[source_key(job_id)] = source

    async def put(self, key: str, data: bytes) -> bool:
        self.take_write()
        if key in self.entries:
            return False
        self.entries[key] = Entry(data)
        return True

    async def get(self, key: str) -> bytes | None:
        entry = self.entries.get(key)
        if entry is None:
            self.check()
        return entry.data if entry else None

    async def delete(self, key: str) -> None:
        self.check()
        self.entries.pop(key, None)

    async def find(self, key: str) -> Blob | None:
        if key not in self.entries:
            self.check()
        return self._blob(key) if key in self.entries else None

    async def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        data = self._data_of(blob)
        end = blob.length if end is None else end
        for begin in range(start, end, BLOCK_BYTES):
            yield data[begin : min(begin + BLOCK_BYTES, end)]

    @asynccontextmanager
    async def local(self, blob: Blob) -> AsyncIterator[Path]:
        with _temporary_file(self._data_of(blob)) as path:
            yield path

    async def list(self, prefix: str) -> AsyncIterator[builtins.list[Blob]]:
        keys = sorted(key for key in self.entries if key.startswith(prefix))
        for start in range(0, len(keys), BATCH):
            yield [self._blob(key) for key in keys[start : start + BATCH] if key in self.entries]

    async def identity(self) -> str:
        self.entries.setdefault(STORE, Entry(secrets.token_hex(16).encode()))
        return self.entries[STORE].data.decode()

    async def find_identity(self) -> str | None:
        return self.entries[STORE].data.decode() if STORE in self.entries else None

    @asynccontextmanager
    async def receive(self, job_id: str) -> AsyncIterator[MemoryArrival]:
        self.arriving.append(job_id)
        try:
            yield MemoryArrival(self, job_id)
        finally:
            self.arriving.remove(job_id)

    @asynccontextmanager
    async def supply(self, job_id: str, token: str) -> AsyncIterator[MemoryArrival]:
        self.arriving.append(job_id)
        try:
            yield LateMemoryArrival(self, job_id)
        finally:
            self.arriving.remove(job_id)

    async def share(self, job_id: str, other_job_id: str, record: bytes) -> bool:
        source = self.entries.get(source_key(job_id))
        if source is None:
            return False
        self.place_job(other_job_id, source, record)
        return True

    async def link_results(self, job_id: str, filenames: Sequence[str], workspace: Path) -> bool:
        found = [self.entries.get(result_key(job_id, name)) for name in filenames]
        if None in found:
            return False
        for name, entry in zip(filenames, found, strict=True):
            assert entry is not None
            (workspace / name).write_bytes(entry.data)
        return True

    async def source(self, job_id: str) -> Blob | None:
        return await self.find(source_key(job_id))

    async def result(self, job_id: str, filename: str) -> Blob | None:
        return await self.find(result_key(job_id, filename))

    async def look_up(self, job_id: str) -> Kept:
        return Kept(await self.get(record_key(job_id)), await self.source(job_id), await self.get(outcome_key(job_id)))

    async def records(self, job_ids: Sequence[str]) -> builtins.list[Recorded]:
        return [await self._recorded(job_id) for job_id in job_ids]

    async def _recorded(self, job_id: str) -> Recorded:
        record, outcome = await self.get(record_key(job_id)), await self.get(outcome_key(job_id))
        change, number = None, 1
        while outcome is None and (later := await self.get(change_key(job_id, number))) is not None:
            change, number = later, number + 1
        return Recorded(record, outcome, change)

    @asynccontextmanager
    async def workspace(self, job_id: str, token: str) -> AsyncIterator[Path]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.making.append(folder)
            try:
                yield folder
            finally:
                self.making.remove(folder)

    @asynccontextmanager
    async def work_on(self, job_id: str, token: str) -> AsyncIterator[Work]:
        kept = await self.look_up(job_id)
        if kept.record is None or kept.outcome is not None:
            yield Work(kept, None)
            return
        async with self.workspace(job_id, token) as folder:
            yield Work(kept, folder)

    async def conclude(
        self, job_id: str, workspace: Path, outcome: bytes, results: Sequence[str] = (), *, keep: str | None = None
    ) -> bytes:
        self.take_write()
        standing = await self.get(outcome_key(job_id))
        if standing is None:
            entries = {result_key(job_id, name): Entry((workspace / name).read_bytes()) for name in results}
            self.entries |= {**entries, outcome_key(job_id): Entry(outcome)}
            if keep is not None:
                self.entries[keep_key(job_id)] = Entry(keep.encode())
        return standing or outcome

    async def reopen(self, job_id: str, outcome: bytes) -> bool:
        if await self.get(outcome_key(job_id)) != outcome:
            return False
        for key in self._below(result_folder(job_id)):
            del self.entries[key]
        return True

    async def remove_source(self, job_id: str) -> None:
        await self.delete(source_key(job_id))

    async def remove(self, job_id: str) -> None:
        self.check()
        if record_key(job_id) in self.entries:
            self.tombstones.add(job_id)
        for key in self._below(upload_folder(job_id)) + self._below(result_folder(job_id)):
            del self.entries[key]

    async def was_removed(self, job_id: str) -> bool:
        self.check()
        return job_id in self.tombstones

    async def removed_among(self, job_ids: Sequence[str]) -> builtins.list[str]:
        return [job_id for job_id in job_ids if await self.was_removed(job_id)]

    async def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        names = {part for key in self.entries if key.startswith(UPLOADS) for part in key.split("/")}
        ids = sorted(name for name in names if JOB_NAME.fullmatch(name))
        for start in range(0, len(ids), BATCH):
            yield ids[start : start + BATCH]

    async def expire(self, ages: RetentionAges) -> SweepReport:
        removed, unended, sources = [], [], 0
        for job_id in [job_id async for ids in self.job_ids() for job_id in ids]:
            ended, accepted = self._age_seconds(outcome_key(job_id)), self._age_seconds(record_key(job_id))
            retention = ages.of(self.entries[record_key(job_id)].data) if ages.tenants else ages.general
            kept = self.entries.get(keep_key(job_id))
            job_seconds = seconds_in(kept.data.decode()) if kept else retention.job_seconds
            if (ended or 0) > job_seconds or (ended is None and accepted and accepted > ages.unended_seconds):
                await self.remove(job_id)
                removed.append(job_id)
            elif ended is None:
                unended.append(job_id)
            elif ended > retention.source_seconds and source_key(job_id) in self.entries:
                await self.remove_source(job_id)
                sources += 1
        return SweepReport(tuple(removed), sources, 0, tuple(unended))

    async def probe(self, *, writing: bool = False, room_bytes: int = 0) -> None:
        self.take_write()

    def grow_older(self, seconds: float) -> None:
        """Makes everything that is stored that much older."""
        for key, entry in self.entries.items():
            self.entries[key] = replace(entry, modified_seconds=entry.modified_seconds - seconds)

    def _blob(self, key: str) -> Blob:
        entry = self.entries[key]
        return Blob(key, len(entry.data), entry.version, datetime.fromtimestamp(entry.modified_seconds, UTC))

    def _data_of(self, blob: Blob) -> bytes:
        entry = self.entries.get(blob.key)
        if entry is None or entry.version != blob.version:
            raise BlobGone(blob.key)
        return entry.data

    def _below(self, folder: str) -> builtins.list[str]:
        return [key for key in self.entries if key.startswith(f"{folder}/")]

    def _age_seconds(self, key: str) -> float | None:
        entry = self.entries.get(key)
        return time.time() - entry.modified_seconds if entry else None
