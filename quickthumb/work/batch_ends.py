"""The ends of batches: a batch has ended once no more images can come and none of its jobs is waiting or in progress.

The storage decides, not Redis. A process that ends a job, completes a batch or removes a job asks afterwards, so that
the last of them finds the end; a process that repeats the work of one that died finds it again. The first to find the
end stores it. From then on it stands, even if a job is retried.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from quickthumb.model.batch import REFUSED, REMOVED, BatchContents, BatchEnd, BatchRecord, batch_job_id
from quickthumb.model.job import Outcome, is_id, now
from quickthumb.queue.batches import BatchJobs
from quickthumb.queue.events import EventLog
from quickthumb.storage import Storage
from quickthumb.storage.layout import batch_contents, batch_end, batch_record


class BatchEnds:
    """Finds that batches have ended, and stores it. Methods raise QueueUnavailable and what `Storage` raises."""

    def __init__(self, jobs: BatchJobs, events: EventLog, storage: Storage) -> None:
        self._jobs = jobs
        self._events = events
        self._storage = storage

    async def record(self, batch_id: str) -> BatchRecord | None:
        """The record of a batch of any tenant; None if there is none."""
        kept = await self._storage.get(batch_record(batch_id)) if is_id(batch_id) else None
        return None if kept is None else BatchRecord.model_validate_json(kept)

    async def contents(self, batch_id: str) -> BatchContents | None:
        """The images of a batch; None while more may come."""
        kept = await self._storage.get(batch_contents(batch_id))
        return None if kept is None else BatchContents.model_validate_json(kept)

    async def known(self, batch_id: str) -> BatchEnd | None:
        """The end of a batch, if it is stored."""
        kept = await self._storage.get(batch_end(batch_id))
        return None if kept is None else BatchEnd.model_validate_json(kept)

    async def conclude(self, batch_id: str) -> tuple[BatchRecord, BatchEnd] | None:
        """The batch and its end, every time that this is called; None if it has not ended.

        Call it when the outcome of one of its jobs is stored (`Job.batch`), when a job was removed, and when the batch
        is complete.
        """
        end = await self.known(batch_id) or await self._found(batch_id)
        record = None if end is None else await self.record(batch_id)
        return None if end is None or record is None else (record, end)

    async def jobs_over(self, batch_id: str) -> Set[str] | None:
        """The ids of the jobs of a batch if all have ended, as far as Redis knows, and no more can come; else None."""
        contents = await self.contents(batch_id)
        if contents is None:
            return None
        ids = list(_jobs_of(batch_id, contents).values())
        is_over = all(status is None or status.ended for status in await self._jobs.statuses(ids))
        return frozenset(ids) if is_over else None

    async def is_settled(self, batch_id: str) -> bool:
        """Whether Redis knows of every end of a job of the batch that is stored."""
        contents = await self.contents(batch_id)
        ids = [] if contents is None else list(_jobs_of(batch_id, contents).values())
        statuses = zip(ids, await self._jobs.statuses(ids), strict=True)
        unended = [job_id for job_id, status in statuses if status is not None and not status.ended]
        return not any(kept.outcome for kept in await self._storage.records(unended)) if unended else True

    async def _found(self, batch_id: str) -> BatchEnd | None:
        contents = await self.contents(batch_id)
        if contents is None:
            return None
        jobs = _jobs_of(batch_id, contents)
        # In the middle of a batch, the first question is the last one.
        if not await self._may_have_ended(list(jobs.values())):
            return None
        ends = await self._ends(list(jobs.values()))
        if ends is None:
            return None
        status_of = {number: ends[job_id].status.value for number, job_id in jobs.items() if job_id in ends}
        counts = Counter(
            REFUSED if item.refusal is not None else status_of.get(item.number, REMOVED) for item in contents.items
        )
        moment = max([now(), *(outcome.finished_at for outcome in ends.values())])
        return await self._store(batch_id, BatchEnd(finished_at=moment, counts=dict(counts)))

    async def _may_have_ended(self, job_ids: Sequence[str]) -> bool:
        """Whether the batch may have ended although Redis has a job that has not: if that job has an outcome, or no
        record, Redis has not learned of its end yet."""
        statuses = zip(job_ids, await self._jobs.statuses(job_ids), strict=True)
        doubtful = next((job_id for job_id, status in statuses if status is None or not status.ended), None)
        if doubtful is None:
            return True
        (kept,) = await self._storage.records([doubtful])
        return kept.record is None or kept.outcome is not None

    async def _ends(self, job_ids: Sequence[str]) -> Mapping[str, Outcome] | None:
        """The outcomes of the jobs that are still kept; None if one has not ended."""
        found = dict(zip(job_ids, await self._storage.records(job_ids), strict=True)) if job_ids else {}
        ends = {}
        for job_id, kept in found.items():
            if kept.record is None:
                continue
            if kept.outcome is None:
                return None
            ends[job_id] = Outcome.model_validate_json(kept.outcome)
        return ends

    async def _store(self, batch_id: str, end: BatchEnd) -> BatchEnd | None:
        if not await self._storage.put(batch_end(batch_id), end.model_dump_json().encode()):
            return await self.known(batch_id)
        await self._tell_listeners(batch_id)
        return end

    async def _tell_listeners(self, batch_id: str) -> None:
        """Adds an event for the end of the batch, unless the end of a job is still to come: listeners learn of the
        batch with it."""
        record = await self.record(batch_id)
        if record is not None and await self.jobs_over(batch_id) is not None:
            await self._events.tell_batch(batch_id, record.tenant)


def _jobs_of(batch_id: str, contents: BatchContents) -> dict[int, str]:
    """The ids of the jobs of the images that were accepted, by the numbers of the images."""
    return {item.number: batch_job_id(batch_id, item.number) for item in contents.items if item.refusal is None}
