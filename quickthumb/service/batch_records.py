"""What is kept of batches: reading them, completing and telling of those whose web process died, and forgetting them
in time."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from quickthumb.model.batch import REFUSED, REMOVED, BatchContents, BatchItem, BatchRecord, Refusal, batch_job_id
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import Job, now
from quickthumb.model.retention import LONGEST_SECONDS
from quickthumb.queue.batches import BatchJobs
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import DELIVERY_SECONDS
from quickthumb.queue.repair import RepairLead
from quickthumb.service.errors import BatchCutOff
from quickthumb.storage import Storage
from quickthumb.storage.layout import BATCHES, batch_contents, batch_delivered_folder, batch_end, batch_record
from quickthumb.work.outbox import WebhookOutbox

log = logging.getLogger("quickthumb.images")

# The clocks of several machines may differ by so much before a batch counts as broken off too early.
CLOCKS_DIFFER_SECONDS = 300
# A process that stored the end of a batch and died before it told of it did so no longer ago than this, or while no
# worker ran.
TOLD_SOON = timedelta(hours=1)
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
            return REFUSED
        job = self.jobs.get(item.number)
        return REMOVED if job is None else job.status.value


@dataclass(slots=True)
class _Stored:
    """What the storage lists of one batch: when its record and its end were stored, if they are there."""

    id: str
    begun_at: datetime | None = None
    ended_at: datetime | None = None


class BatchRecords:
    """The batches in the storage. No more images come to one that is older than `max_seconds`, and one without jobs is
    forgotten after `retention_seconds`."""

    def __init__(
        self,
        jobs: BatchJobs,
        lead: RepairLead,
        storage: Storage,
        outbox: WebhookOutbox,
        *,
        max_seconds: float,
        retention_seconds: float,
    ) -> None:
        self._jobs = jobs
        self._lead = lead
        self._storage = storage
        self._outbox = outbox
        self._longest = timedelta(seconds=max_seconds + CLOCKS_DIFFER_SECONDS)
        self._retention = timedelta(seconds=min(retention_seconds, LONGEST_SECONDS))
        # The first sweep of a process tells of all ends that may not have been told: all processes may have been away.
        self._telling = timedelta(seconds=DELIVERY_SECONDS)

    async def find(self, batch_id: str) -> BatchRecord | None:
        """The record of a batch, whoever owns it; None if there is none."""
        return await self._outbox.batches.record(batch_id)

    async def batch(self, record: BatchRecord) -> Batch:
        """The batch in its current state. Raises QueueUnavailable also while Redis, which has lost its data, lacks jobs
        that the storage has: they were not removed."""
        contents = await self._outbox.batches.contents(record.id)
        if contents is None:
            return await self._unfinished(record)
        numbers = [item.number for item in contents.items if item.refusal is None]
        return Batch(record, contents.items, await self._found(record, numbers), contents.error, is_complete=True)

    async def restore(self) -> None:
        """Queues what is still owed to webhooks because batches have ended, after Redis had lost its data. Raises
        QueueUnavailable, and logs what else keeps a batch from that."""
        async for stored in self._all():
            with _logged():
                await self._tell(stored, timedelta(seconds=DELIVERY_SECONDS))

    async def sweep(self) -> None:
        """Completes batches whose web process died, tells of ends that nobody has told of, and forgets batches whose
        jobs are all gone."""
        async for stored in self._all():
            with _logged():
                await self._look_after(stored)
        self._telling = TOLD_SOON

    async def _all(self) -> AsyncIterator[_Stored]:
        stored: _Stored | None = None
        async for blobs in self._storage.list(f"{BATCHES}/"):
            for blob in blobs:
                batch_id = blob.key.split("/")[2]
                if stored is None or stored.id != batch_id:
                    if stored is not None:
                        yield stored
                    stored = _Stored(batch_id)
                if blob.key == batch_record(batch_id):
                    stored.begun_at = blob.modified_at
                elif blob.key == batch_end(batch_id):
                    stored.ended_at = blob.modified_at
        if stored is not None:
            yield stored

    def _is_over(self, begun_at: datetime) -> bool:
        return now() - begun_at > self._longest

    async def _look_after(self, stored: _Stored) -> None:
        if stored.begun_at is None:  # a process died while it forgot the batch
            await self._forget(stored.id)
            return
        record = await self.find(stored.id) if self._is_over(stored.begun_at) else None
        if record is not None and await self._outbox.batches.contents(stored.id) is None:
            batch = await self._unfinished(record)
            contents = BatchContents(items=batch.items, error=CUT_OFF)
            await self._storage.put(batch_contents(stored.id), contents.model_dump_json().encode())
        await self._tell(stored, self._telling)
        if record is not None and now() - record.created_at > self._retention and not await self._has_jobs(record):
            await self._forget(stored.id)

    async def _tell(self, stored: _Stored, since: timedelta) -> None:
        if stored.ended_at is None or now() - stored.ended_at < since:
            await self._outbox.restore_batch(stored.id)

    async def _forget(self, batch_id: str) -> None:
        """Removes the batch. Its record goes first: with one but without its end, the end would be told again."""
        await self._storage.delete(batch_record(batch_id))
        await self._storage.delete(batch_end(batch_id))
        await self._storage.delete(batch_contents(batch_id))
        async for blobs in self._storage.list(batch_delivered_folder(batch_id)):
            for blob in blobs:
                await self._storage.delete(blob.key)

    async def _has_jobs(self, record: BatchRecord) -> bool:
        ids = [batch_job_id(record.id, number) for number in range(1, record.most + 1)]
        return any(kept.record is not None for kept in await self._storage.records(ids))

    async def _unfinished(self, record: BatchRecord) -> Batch:
        """A batch of which nobody has told what it has: the jobs that are there are found by their ids."""
        jobs = await self._found(record, list(range(1, record.most + 1)))
        items = tuple(BatchItem(number=number, filename=job.source.filename) for number, job in jobs.items())
        is_over = self._is_over(record.created_at)
        return Batch(record, items, jobs, CUT_OFF if is_over else None, is_complete=is_over)

    async def _found(self, record: BatchRecord, numbers: list[int]) -> dict[int, Job]:
        ids = {number: batch_job_id(record.id, number) for number in numbers}
        found = await self._read(ids)
        missing = {number: job_id for number, job_id in ids.items() if number not in found}
        if not missing:
            return found
        if await self._lead.is_rebuilt():
            # Again: the rebuild may have ended since they were read.
            return found | await self._read(missing)
        if any(kept.record is not None for kept in await self._storage.records(list(missing.values()))):
            raise QueueUnavailable("Redis has lost data, and does not have all jobs of the batch again yet.")
        return found

    async def _read(self, ids: Mapping[int, str]) -> dict[int, Job]:
        jobs = await self._jobs.read(list(ids.values()))
        return {number: job for number, job in zip(ids, jobs, strict=True) if job is not None}


@contextmanager
def _logged() -> Iterator[None]:
    """Logs why a batch could not be looked after, and lets the others have their turn."""
    try:
        yield
    except QueueUnavailable:
        raise
    except (QuickThumbError, ValidationError) as error:
        words = for_operators(error) if isinstance(error, QuickThumbError) else "what is stored of it cannot be read"
        log.warning("a batch could not be looked after: %s", words)
