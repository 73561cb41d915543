"""What keeps Redis true to the records on disk: finding what is missing, and putting it back."""

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from quickthumb.model.ids import now, to_milliseconds
from quickthumb.model.job import Job, Outcome, Status
from quickthumb.queue import codec, keys, scripts
from quickthumb.queue.connection import translated

BATCH = 500


class JobUpkeep:
    """Repairs of what Redis knows. Raises QueueUnavailable when Redis is away."""

    def __init__(self, redis: Redis, *, retention_seconds: int) -> None:
        self._redis = redis
        self._retention_seconds = retention_seconds
        self._restore = redis.register_script(scripts.RESTORE)
        self._requeue = redis.register_script(scripts.REQUEUE)
        self._take = redis.register_script(scripts.TAKE)
        self._hold = redis.register_script(scripts.HOLD)

    async def keeps_house(self, worker: str) -> bool:
        """Whether `worker` is the one to keep house, now and for the next `keys.HOUSEKEEPER_SECONDS`."""
        async with translated():
            taken = await self._take(keys=[keys.HOUSEKEEPER], args=[worker, keys.HOUSEKEEPER_SECONDS])
            if taken is None:
                return True
            return bool(await self._hold(keys=[keys.HOUSEKEEPER], args=[worker, keys.HOUSEKEEPER_SECONDS]))

    async def run_id(self) -> str:
        """Which run of Redis this is: another one after each start of the server."""
        async with translated():
            server = await self._redis.info("server")
        return str(server["run_id"])

    async def rebuilt_for(self) -> str | None:
        """The run of Redis for which the records were last gone through; None when Redis was emptied since."""
        async with translated():
            found = await self._redis.get(keys.REBUILT)
        return found.decode() if found else None

    async def mark_rebuilt(self, run_id: str) -> None:
        """Says that the records were gone through for this run of Redis."""
        async with translated():
            await self._redis.set(keys.REBUILT, run_id)

    async def statuses(self, job_ids: Sequence[str]) -> list[Status | None]:
        """The status of each job, None where Redis does not know it. One round trip."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hget(keys.job(job_id), "status")
            found = await pipeline.execute()
        return [Status(status.decode()) if status else None for status in found]

    async def not_queued(self) -> AsyncIterator[str]:
        """The ids of jobs that have not ended but are missing in the queue, or whose call is."""
        for status in (Status.WAITING, Status.IN_PROGRESS):
            position = 0
            while entries := await self._unfinished(status, position):
                for job_id in await self._missing([entry.decode().partition(":")[2] for entry in entries]):
                    yield job_id
                position += len(entries)

    async def _unfinished(self, status: Status, position: int) -> list[bytes]:
        async with translated():
            entries: list[bytes] = await self._redis.zrange(keys.jobs_with(status), position, position + BATCH - 1)
        return entries

    async def _missing(self, job_ids: Sequence[str]) -> list[str]:
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.zscore(keys.QUEUE, job_id)
                pipeline.exists(keys.call(job_id))
            found = await pipeline.execute()
        pairs = zip(job_ids, found[::2], found[1::2], strict=True)
        return [job_id for job_id, score, call in pairs if score is None or not call]

    async def requeue(self, job: Job) -> bool:
        """Queues a job that has not ended and is missing in the queue; False when it is not missing."""
        async with translated():
            return bool(
                await self._requeue(
                    keys=[keys.job(job.id), keys.call(job.id), keys.QUEUE, keys.WAKE],
                    args=[
                        job.id,
                        to_milliseconds(now()),
                        codec.call_for(job),
                        keys.WAITING_SECONDS,
                        keys.WAKE_SECONDS,
                    ],
                )
            )

    async def restore(self, job: Job, outcome: Outcome) -> bool:
        """Makes a job known again that has ended, unless Redis knows it."""
        index_seconds = keys.WAITING_SECONDS + self._retention_seconds
        created_ms = to_milliseconds(job.created_at)
        kept_seconds = self._retention_seconds - int((now() - outcome.finished_at).total_seconds())
        if kept_seconds <= 0:
            return False
        fields = {**codec.fields_of(job), **codec.ending_of(outcome), "status": outcome.status.value}
        async with translated():
            return bool(
                await self._restore(
                    keys=[keys.job(job.id), keys.call(job.id), keys.QUEUE, keys.WAKE, keys.ALL_JOBS],
                    args=[
                        job.id,
                        created_ms,
                        outcome.status,
                        kept_seconds,
                        index_seconds,
                        created_ms - index_seconds * 1000,
                        *(text for pair in fields.items() for text in pair),
                    ],
                )
            )
