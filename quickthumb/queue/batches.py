"""The jobs of batches, as Redis knows them. Their ids follow from that of the batch, so Redis keeps no list of them."""

from collections.abc import Sequence

from redis.asyncio import Redis

from quickthumb.model.job import Job, Status
from quickthumb.queue.connection import translated
from quickthumb.queue.job_fields import job_from
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, Keys


class BatchJobs:
    """Reads many jobs at once. Every method is one round trip, and raises QueueUnavailable."""

    def __init__(self, redis: Redis, store: JobStore, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._store = store
        self._keys = keys

    async def read(self, job_ids: Sequence[str]) -> list[Job | None]:
        """The jobs in their current state; None for each that Redis does not know."""
        if not job_ids:
            return []
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(self._keys.record(JOB, job_id))
            answers = await pipeline.execute()
        pairs = zip(job_ids, answers, strict=True)
        return [job_from(job_id, fields, self._store.kind) if fields else None for job_id, fields in pairs]

    async def statuses(self, job_ids: Sequence[str]) -> list[Status | None]:
        """Only their statuses."""
        return await self._store.index.statuses(job_ids) if job_ids else []
