"""What every storage must do. `tests/storage/contract.py` states the same obligations as an executable suite.

A storage keeps blobs: bytes under a key. Only `layout` makes keys; job ids are 32 hexadecimal digits and file names are
the service's own, so no text from a client ever reaches a storage. Nothing here is a path, with two exceptions for code
that can only work on local files: `Storage.local` and `Storage.workspace`.

Every method raises DiskFull when there is no space left, and StorageUnavailable for any other failure. Once `expect`
was called, methods raise WrongStorage instead of changing another store than the expected one, or of reporting that
something is missing there.
"""

import builtins
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from quickthumb.model.job import tenant_in
from quickthumb.model.retention import Retention

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# The most entries in one batch of a listing.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored blob, as it was when it was found: `length` in bytes.

    Two different contents under one key never have the same `version`, which is text that fits into an ETag.
    """

    key: str
    length: int
    version: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What the storage holds of a job: its record, its source and its outcome. None stands for a part it lacks."""

    record: bytes | None
    source: Blob | None
    outcome: bytes | None


class Recorded(NamedTuple):
    """The record and the outcome of a job, and the last change to it, which only a job without an outcome needs. None
    stands for a part that the storage lacks."""

    record: bytes | None
    outcome: bytes | None
    change: bytes | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt at a job begins with. `folder` is an empty workspace; None if the job has no record or has
    ended."""

    kept: Kept
    folder: Path | None


@dataclass(frozen=True, slots=True)
class RetentionAges:
    """Retention times in seconds: of a job and of its source, both counted from the job's end (math.inf: forever); of a
    job that never ends, counted from its acceptance; and of uploads and workspaces that were never finished.

    `tenants` has the first two for the tenants whose jobs are kept for other times.
    """

    ended_seconds: float
    source_seconds: float
    unended_seconds: float
    unfinished_seconds: float
    tenants: Mapping[str, Retention] = field(default_factory=dict)

    @property
    def general(self) -> Retention:
        return Retention(self.ended_seconds, self.source_seconds)

    def of(self, record: bytes) -> Retention:
        """The retention of a job with this record, unless the job was concluded with a `keep` of its own. A job whose
        tenant cannot be told is kept for as long as any."""
        tenant = tenant_in(record)
        if tenant is not None:
            return self.tenants.get(tenant, self.general)
        every = (self.general, *self.tenants.values())
        return Retention(max(each.job_seconds for each in every), max(each.source_seconds for each in every))


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep removed: the ids of whole jobs, the number of sources and the number of unfinished uploads and
    workspaces. `unended` lists the jobs that have no outcome, except those accepted only seconds ago."""

    job_ids: tuple[str, ...]
    sources: int
    unfinished: int
    unended: tuple[str, ...] = ()


class Arrival(Protocol):
    """A source that is being uploaded."""

    async def write(self, data: "ReadableBuffer") -> None:
        """Appends to the source. The caller must not change `data` afterwards: the arrival may hold it in memory."""

    def written(self) -> AbstractAsyncContextManager[Path]:
        """What has been written so far, as a local file to read until the block ends."""

    async def keep(self, record: bytes) -> None:
        """Stores the source and the job's record: both or neither, and visible to others only now.

        Once this returns, they survive a crash of the machine. Raises StorageUnavailable if the job exists already.
        """


class Storage(Protocol):
    """The sources, records, outcomes and results of jobs, and small objects of other kinds."""

    @property
    def place(self) -> str:
        """Where this store is, for operators: for example the absolute path of a folder."""

    # Blobs of any kind

    async def put(self, key: str, data: bytes) -> bool:
        """Creates a small object. Returns False and changes nothing if the key is taken.

        If many callers create the same key at once, exactly one of them gets True. Readers see the whole object or
        none. Once this returns, True or False, the object under the key survives a crash of the machine.
        """

    async def get(self, key: str) -> bytes | None:
        """Reads a small object; returns None if it does not exist."""

    async def delete(self, key: str) -> None:
        """Deletes a small object if it exists. Once this returns, it stays deleted after a crash of the machine."""

    async def find(self, key: str) -> Blob | None:
        """Looks up a blob without reading it; returns None if it does not exist."""

    def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Streams the bytes from `start` up to but not including `end` (default: the blob's length), in blocks.

        0 ≤ start ≤ end ≤ length. Memory stays bounded whatever the length. Raises BlobGone, before the first block,
        if the blob has been removed or replaced since it was found; a reader never gets other bytes instead. After the
        first block a removal may go unnoticed or raise BlobGone; the stream never just ends early.

        Close an iterator that you do not exhaust (`contextlib.aclosing`): it holds an open file or connection.
        """

    def local(self, blob: Blob) -> AbstractAsyncContextManager[Path]:
        """The blob as a local file, to read until the block ends. A storage on local files yields its own file.

        If the blob is gone, entering the block raises BlobGone, or opening the file raises FileNotFoundError.
        """

    def list(self, prefix: str) -> AsyncIterator[builtins.list[Blob]]:
        """Finds every blob under `prefix` (a folder, with its slash), in batches of at most BATCH and in any order.

        Each blob that exists throughout is listed exactly once. A blob that is created or deleted meanwhile may be
        listed or not. Unfinished uploads and workspaces are never listed.
        """

    async def identity(self) -> str:
        """The id of this store. The first caller creates it; every later caller gets the same one.

        Every store has an id of its own, and a store that was emptied gets a new one.
        """

    async def find_identity(self) -> str | None:
        """The id of this store; None if it has none. Creates nothing."""

    def expect(self, identity: str | None) -> None:
        """Says which id this store should have. None: it is not known yet, so nothing may be changed."""

    # Jobs

    def receive(self, job_id: str) -> AbstractAsyncContextManager[Arrival]:
        """Receives a new source. If the block ends without `Arrival.keep`, the upload is discarded."""

    def supply(self, job_id: str, token: str) -> AbstractAsyncContextManager[Arrival]:
        """Receives the source of a job whose record was stored without one, for one attempt.

        `Arrival.keep` stores the source alone, whatever it is given. It raises StorageUnavailable if the job has a
        source already, which stays, or is gone. If the block ends without `keep`, what has arrived is discarded.
        """

    async def share(self, job_id: str, other_job_id: str, record: bytes) -> bool:
        """Makes the source of `job_id` the source of a new job too, and stores the new job's record with it.

        Copies no bytes where the storage can avoid it. Afterwards the jobs are independent: either job, or either
        source, can be removed without the other noticing, and removing the last one frees the bytes. Returns False
        and stores nothing if `job_id` has no source. Otherwise the promises of `Arrival.keep` hold. A cancelled call
        stores nothing.
        """

    async def link_results(self, job_id: str, filenames: Sequence[str], workspace: Path) -> bool:
        """Puts results of a job into a workspace, for another job to conclude with, and copies no bytes where the
        storage can avoid it: so nobody may write to these files. Afterwards the jobs are independent, as with `share`.

        Returns False, with nothing put there, if one of the results does not exist.
        """

    async def source(self, job_id: str) -> Blob | None:
        """Finds a job's source; returns None if it does not exist."""

    async def result(self, job_id: str, filename: str) -> Blob | None:
        """Finds one of a job's results; returns None if it does not exist."""

    async def look_up(self, job_id: str) -> Kept:
        """Reads a job's record and outcome and finds its source, in one call."""

    async def records(self, job_ids: Sequence[str]) -> builtins.list[Recorded]:
        """Reads the record and the outcome of each of the jobs, in their order, and the last change to those without
        an outcome. Far cheaper than to look up each.

        Changes are small objects under `change_key`, numbered from 1 on without a gap; they are removed with the job.
        """

    def workspace(self, job_id: str, token: str) -> AbstractAsyncContextManager[Path]:
        """An empty local folder for the results of one attempt. It is removed when the block ends."""

    def work_on(self, job_id: str, token: str) -> AbstractAsyncContextManager[Work]:
        """Does what `look_up` does and, if there is work to do, what `workspace` does, in one call."""

    async def conclude(
        self, job_id: str, workspace: Path, outcome: bytes, results: Sequence[str] = (), *, keep: str | None = None
    ) -> bytes:
        """Stores `results`, the names of all files in the workspace, as the job's results together with the outcome,
        all or nothing. The workspace is used up, unless this fails. With `keep`, which is `forever` or a length of time
        that `model.retention` can read, `expire` keeps the job for that long.

        A job ends only once: if it has an outcome already, that outcome and its results stay. Returns the outcome
        that is stored now. Once this returns, that outcome survives a crash of the machine.
        """

    async def reopen(self, job_id: str, outcome: bytes) -> bool:
        """Removes the outcome and the results, so that the job can end again, if `outcome` is the one that stands.

        Returns False, with nothing changed, if another outcome stands or none. Of several callers, one is told True.
        """

    async def remove_source(self, job_id: str) -> None:
        """Removes a job's source if it exists; record, results and outcome stay."""

    async def remove(self, job_id: str) -> None:
        """Removes everything of a job that exists: source, record, results and outcome.

        If the job had a record, leaves a tombstone: at every moment there is the record or the tombstone.
        """

    async def was_removed(self, job_id: str) -> bool:
        """Whether there is a tombstone of the job. Only that proves that a job without a record was removed."""

    async def removed_among(self, job_ids: Sequence[str]) -> builtins.list[str]:
        """Those of the jobs of which there is a tombstone."""

    def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        """The ids of all jobs whose record is stored, in batches of at most BATCH."""

    async def expire(self, ages: RetentionAges) -> SweepReport:
        """Removes what has outlived its retention time, and nothing else: a job's own, which `conclude` was given, else
        its tenant's, else the general one. A source never outlives its job. A tombstone lives `unended_seconds`: no
        item that has not ended lives longer in Redis.

        Of very many jobs, each call looks only at the next part. It reads no record unless the tenants' times differ
        and the job's age lies between them.
        """

    async def probe(self, *, writing: bool = False, room_bytes: int = 0) -> None:
        """Checks that the storage takes writes and has room; with `writing`, by writing something and removing it.

        Raises DiskFull if no space is left, or less than `room_bytes`, and StorageUnavailable if too little is left for
        more uploads or writes are refused.
        """
