"""What any storage owes the service. `tests/storage/contract.py` is the same as an executable suite.

Job ids are 32 hexadecimal digits, names of files are the service's own: no text of a client reaches a storage.
A full disk is errors.DiskFull, any other trouble with it errors.StorageUnavailable.
"""

import builtins
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are kept under a key, `length` of them. `version` is another one whenever the bytes are others."""

    key: str
    length: int
    version: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a job: its record, its source as a file to read, and its outcome; None for what is not there."""

    record: bytes | None
    source: Path | None
    outcome: bytes | None


@dataclass(frozen=True, slots=True)
class Ages:
    """How long things are kept, in seconds: a job after its end, its source after its end, a job that does not end,
    and what was begun but neither kept nor cleared away."""

    ended_seconds: float
    source_seconds: float
    unended_seconds: float
    unfinished_seconds: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed: the ids of whole jobs, and how many sources and unfinished folders; and which jobs were seen
    that have not ended."""

    job_ids: tuple[str, ...]
    sources: int
    unfinished: int
    unended: tuple[str, ...] = ()


class Arrival(Protocol):
    """A source on its way in."""

    async def write(self, data: bytes) -> None:
        """Appends to the source."""

    async def written(self) -> Path:
        """The source as it is so far, as a file to read."""

    async def keep(self, record: bytes) -> None:
        """Makes the source and the job's record permanent, both or neither, and visible only now.

        When this returns they survive a crash of the machine.
        """


class Storage(Protocol):
    """Sources, records and results of jobs; and small objects of other kinds, each under a key of `layout`'s making."""

    async def put(self, key: str, data: bytes) -> bool:
        """Creates a small object; False, with nothing changed, where there is one under that key already.

        Of many who try at once, exactly one is told True. It is seen whole or not at all, and when this returns it
        survives a crash of the machine.
        """

    async def get(self, key: str) -> bytes | None:
        """A small object, or None where there is none."""

    async def delete(self, key: str) -> None:
        """Removes a small object, if it is there."""

    def list(self, prefix: str) -> AsyncIterator[builtins.list[Blob]]:
        """What is kept under keys that begin with `prefix` (a folder, with its slash), in batches, in any order.

        What is put or deleted meanwhile may be listed or not.
        """

    def receive(self, job_id: str) -> AbstractAsyncContextManager[Arrival]:
        """Takes in a new source. Whatever was not kept when the block is left, is gone."""

    async def source(self, job_id: str) -> Path | None:
        """The source as a file to read, or None where there is none."""

    async def remove_source(self, job_id: str) -> None:
        """Removes the source, if it is there; record, results and outcome stay."""

    async def look_up(self, job_id: str) -> Kept:
        """Whatever is kept of a job, in one go."""

    def workspace(self, job_id: str, token: str) -> AbstractAsyncContextManager[Path]:
        """An empty folder for the results of one attempt. It is gone when the block is left."""

    async def conclude(self, job_id: str, workspace: Path, outcome: bytes) -> bytes:
        """Makes the files of a workspace the job's results, all at once, together with the outcome.

        A job ends once: where an outcome stands already it stays, with its results. Returns the one that stands.
        When this returns it survives a crash of the machine.
        """

    async def result(self, job_id: str, filename: str) -> Path | None:
        """One file of the results, or None where there is none."""

    async def reopen(self, job_id: str) -> None:
        """Removes the outcome, so that the job can end anew."""

    def job_ids(self) -> AsyncIterator[builtins.list[str]]:
        """The ids of all jobs of which a record is kept, in batches."""

    async def expire(self, ages: Ages) -> Swept:
        """Removes what is older than `ages` allow, and nothing else."""

    async def remove(self, job_id: str) -> None:
        """Removes source, record, results and outcome, as far as they are there."""

    async def probe(self) -> None:
        """Makes sure that the storage takes writes and has room.

        Raises DiskFull when there is none left, StorageUnavailable when there is too little or it takes no writes.
        """
