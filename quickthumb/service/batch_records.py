"""What is kept of batches: reading them, telling when they have ended, and forgetting them in time."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from quickthumb.model.batch import BatchContents, BatchItem, BatchRecord, Refusal, batch_job_id
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import Job, is_id, now
from quickthumb.model.retention import LONGEST_SECONDS
from quickthumb.queue.batches import BatchJobs
from quickthumb.service.errors import BatchCutOff
from quickthumb.storage import Storage
from quickthumb.storage.layout import BATCHES, batch_contents, batch_record

log = logging.getLogger("quickthumb.images")

# The clocks of several machines may differ by so much before a batch counts as broken off too early.
CLOCKS_DIFFER_SECONDS = 300
CUT_OFF = Refusal.of(
    BatchCutOff("The request ended before all of it had arrived; the batch has the images that came until then.")
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stands. `jobs` has those that are still kept, by the numbers of their images.

    Until it `is_complete`, more images may come.
    """

    record: BatchRecord
    items: tuple[BatchItem, ...]
    jobs: dict[int, Job]
    error: Refusal | None
    is_complete: bool

    @property
    def has_ended(self) -> bool:
        return self.is_complete and all(job.status.ended for job in self.jobs.values())

    @property
    def counts(self) -> Mapping[str, int]:
        """How many images are in which status; `REFUSED` and `REMOVED` stand for those without a job."""
        return Counter(self.status_of(item) for item in self.items)

    def status_of(self, item: BatchItem) -> str:
        if item.refusal is not None:
            return "REFUSED"
        job = self.jobs.get(item.number)
        return "REMOVED" if job is None else job.status.value


class BatchRecords:
    """The batches in the storage. No more images come to one that is older than `max_seconds`, and one without jobs is
    forgotten after `retention_seconds`."""

    def __init__(self, jobs: BatchJobs, storage: Storage, *, max_seconds: float, retention_seconds: float) -> None:
        self._jobs = jobs
        self._storage = storage
        self._longest = timedelta(seconds=max_seconds + CLOCKS_DIFFER_SECONDS)
        self._retention = timedelta(seconds=min(retention_seconds, LONGEST_SECONDS))

    async def find(self, batch_id: str) -> BatchRecord | None:
        """The record of a batch, whoever owns it; None if there is none."""
        kept = await self._storage.get(batch_record(batch_id)) if is_id(batch_id) else None
        return None if kept is None else BatchRecord.model_validate_json(kept)

    async def batch(self, record: BatchRecord) -> Batch:
        """The batch in its current state."""
        contents = await self._contents(record)
        if contents is None:
            return await self._unfinished(record)
        numbers = [item.number for item in contents.items if item.refusal is None]
        return Batch(record, contents.items, await self._found(record, numbers), contents.error, is_complete=True)

    async def ended(self, batch_id: str) -> Batch | None:
        """The batch if it has ended: no more images can come, and none of its jobs is waiting or in progress.

        Ask when a job of a batch has ended (`Job.batch`), and when a batch is complete. Several may be told so of the
        same batch: name what follows from its end after the id of the batch, so that it is done once.
        """
        record = await self.find(batch_id)
        if record is None:
            return None
        contents = await self._contents(record)
        if contents is None:
            return None
        ids = [batch_job_id(batch_id, item.number) for item in contents.items if item.refusal is None]
        if not all(status is None or status.ended for status in await self._jobs.statuses(ids)):
            return None
        return await self.batch(record)

    async def sweep(self) -> None:
        """Completes batches whose web process died, and forgets those whose jobs are all gone."""
        async for blobs in self._storage.list(f"{BATCHES}/"):
            for blob in blobs:
                if blob.key.endswith("/record.json") and self._is_over(blob.modified_at):
                    try:
                        await self._look_after(blob.key.split("/")[2])
                    except QuickThumbError as error:
                        log.warning("a batch could not be looked after: %s", for_operators(error))

    def _is_over(self, begun_at: datetime) -> bool:
        return now() - begun_at > self._longest

    async def _look_after(self, batch_id: str) -> None:
        record = await self.find(batch_id)
        if record is None:
            return
        if await self._contents(record) is None:
            batch = await self._unfinished(record)
            contents = BatchContents(items=batch.items, error=CUT_OFF)
            await self._storage.put(batch_contents(batch_id), contents.model_dump_json().encode())
        if now() - record.created_at > self._retention and not await self._has_jobs(record):
            await self._storage.delete(batch_contents(batch_id))
            await self._storage.delete(batch_record(batch_id))

    async def _has_jobs(self, record: BatchRecord) -> bool:
        ids = [batch_job_id(record.id, number) for number in range(1, record.most + 1)]
        return any(kept.record is not None for kept in await self._storage.records(ids))

    async def _contents(self, record: BatchRecord) -> BatchContents | None:
        kept = await self._storage.get(batch_contents(record.id))
        return None if kept is None else BatchContents.model_validate_json(kept)

    async def _unfinished(self, record: BatchRecord) -> Batch:
        """A batch of which nobody has told what it has: the jobs that are there are found by their ids."""
        jobs = await self._found(record, list(range(1, record.most + 1)))
        items = tuple(BatchItem(number=number, filename=job.source.filename) for number, job in jobs.items())
        is_over = self._is_over(record.created_at)
        return Batch(record, items, jobs, CUT_OFF if is_over else None, is_complete=is_over)

    async def _found(self, record: BatchRecord, numbers: list[int]) -> dict[int, Job]:
        found = await self._jobs.read([batch_job_id(record.id, number) for number in numbers])
        return {number: job for number, job in zip(numbers, found, strict=True) if job is not None}
