"""Where the status of every job is kept: the one writer and reader of jobs in Redis."""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, cast

from redis.asyncio import Redis

from quickthumb.model.ids import now, to_milliseconds
from quickthumb.model.job import Job, Outcome, Status, origins
from quickthumb.queue import codec, keys, scripts
from quickthumb.queue.connection import translated
from quickthumb.queue.idempotency import Use

# A worker that has shown no sign of life for this long counts as gone.
WORKER_SILENCE_SECONDS = 10.0


class NoAttempt(Enum):
    """Why an attempt could not begin."""

    ENDED = "the job has ended"
    UNKNOWN = "there is no such job"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a job. Whoever holds the token of the running attempt, and nobody else, may end it.

    `strike` counts the attempts for which the job itself may be to blame, this one included.
    """

    job_id: str
    token: str
    number: int
    strike: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor behind which the next page begins, if there is one."""

    jobs: tuple[Job, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the metrics show: jobs by status, the queue's length, live workers, and totals since the beginning."""

    statuses: dict[Status, int]
    queued: int
    workers: int
    totals: dict[str, int]


class JobStore:
    """Jobs in Redis. Every method is one round trip, two where it says so.

    All raise QueueUnavailable when Redis is away or answers with an error.
    """

    def __init__(self, redis: Redis, *, retention_seconds: int) -> None:
        self._redis = redis
        self._retention_seconds = retention_seconds
        self._add = redis.register_script(scripts.ADD)
        self._begin = redis.register_script(scripts.BEGIN)
        self._leave = redis.register_script(scripts.LEAVE)
        self._renew = redis.register_script(scripts.RENEW)
        self._remove = redis.register_script(scripts.REMOVE)
        self._cancel = redis.register_script(scripts.CANCEL)
        self._reopen = redis.register_script(scripts.REOPEN)

    async def add(self, job: Job, use: Use | None = None) -> bool:
        """Keeps a new job and queues it, both or neither; with `use`, what an Idempotency-Key was used for as well.

        Adding the same job again changes nothing, and answers False.
        """
        created_ms = to_milliseconds(job.created_at)
        index_seconds = keys.WAITING_SECONDS + self._retention_seconds
        fields = [text for pair in codec.fields_of(job).items() for text in pair]
        places = [keys.job(job.id), keys.call(job.id), keys.QUEUE, keys.WAKE, keys.ALL_JOBS]
        async with translated():
            return bool(
                await self._add(
                    keys=[*places, keys.idempotency(use.key)] if use else places,
                    args=[
                        job.id,
                        created_ms,
                        codec.call_for(job),
                        keys.WAITING_SECONDS,
                        index_seconds,
                        created_ms - index_seconds * 1000,
                        keys.WAKE_SECONDS,
                        use.written() if use else "",
                        keys.IDEMPOTENCY_SECONDS,
                        *fields,
                    ],
                )
            )

    async def get(self, job_id: str) -> Job | None:
        """The job as it stands, or None where there is none."""
        async with translated():
            fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(keys.job(job_id)))
        return codec.job_from(job_id, fields) if fields else None

    async def begin(self, job_id: str, token: str, *, lease_seconds: float) -> Attempt | NoAttempt:
        """Begins an attempt: the job is IN_PROGRESS, and is left to this worker for `lease_seconds`."""
        async with translated():
            number, strike = await self._begin(
                keys=[keys.job(job_id), keys.lease(job_id)],
                args=[
                    job_id,
                    _listed(origins(Status.IN_PROGRESS)),
                    token,
                    to_milliseconds(now()),
                    int(lease_seconds * 1000),
                ],
            )
        if number > 0:
            return Attempt(job_id, token, number, strike)
        return NoAttempt.ENDED if number == 0 else NoAttempt.UNKNOWN

    async def renew(self, attempt: Attempt, *, lease_seconds: float) -> bool:
        """Holds on to a running job for another `lease_seconds`; False when it is no longer this worker's."""
        async with translated():
            return bool(
                await self._renew(
                    keys=[keys.job(attempt.job_id), keys.lease(attempt.job_id)],
                    args=[attempt.token, int(lease_seconds * 1000)],
                )
            )

    async def finish(self, attempt: Attempt, outcome: Outcome, *, busy_seconds: float) -> bool:
        """Ends the job; False, with nothing changed, when the attempt is no longer the running one."""
        return await self._leave_as(attempt, outcome.status, busy_seconds, codec.ending_of(outcome))

    async def put_back(self, attempt: Attempt, *, blameless: bool, busy_seconds: float) -> bool:
        """Lets the job wait for its next attempt; False when the attempt is no longer the running one.

        `blameless` says that the attempt ended for no fault of the job: it is no strike against it.
        """
        return await self._leave_as(attempt, Status.WAITING, busy_seconds, {}, strikes_forgiven=int(blameless))

    async def _leave_as(
        self,
        attempt: Attempt,
        target: Status,
        busy_seconds: float,
        fields: dict[str, str],
        strikes_forgiven: int = 0,
    ) -> bool:
        async with translated():
            return bool(
                await self._leave(
                    keys=[keys.job(attempt.job_id), keys.TOTALS],
                    args=[
                        attempt.job_id,
                        _listed(origins(target)),
                        target,
                        attempt.token,
                        self._retention_seconds,
                        round(busy_seconds * 1000),
                        strikes_forgiven,
                        *(text for pair in fields.items() for text in pair),
                    ],
                )
            )

    async def cancel(self, job_id: str, moment: datetime) -> bool:
        """Cancels a job that has not ended, and takes it from the queue; False when it has, or is unknown."""
        async with translated():
            return bool(
                await self._cancel(
                    keys=[keys.job(job_id), keys.call(job_id), keys.QUEUE, keys.tries(job_id)],
                    args=[
                        job_id,
                        _listed(origins(Status.CANCELLED)),
                        to_milliseconds(moment),
                        self._retention_seconds,
                    ],
                )
            )

    async def reopen(self, job: Job) -> bool:
        """Lets a FAILED job wait for another attempt, with a clean slate; False when it is not FAILED.

        One that had two strikes keeps one: what was quarantined is quarantined again.
        """
        async with translated():
            return bool(
                await self._reopen(
                    keys=[keys.job(job.id), keys.call(job.id), keys.QUEUE, keys.WAKE],
                    args=[
                        job.id,
                        Status.FAILED,
                        to_milliseconds(now()),
                        codec.call_for(job),
                        keys.WAITING_SECONDS,
                        keys.WAKE_SECONDS,
                    ],
                )
            )

    async def remove(self, job_id: str) -> bool:
        """Forgets the job, whatever its status, and takes it from the queue; False where there was none."""
        async with translated():
            return bool(
                await self._remove(
                    keys=[keys.job(job_id), keys.call(job_id), keys.QUEUE, keys.ALL_JOBS, keys.tries(job_id)],
                    args=[job_id],
                )
            )

    async def page(self, *, status: Status | None, limit: int, cursor: str | None) -> Page:
        """Up to `limit` jobs, newest first, from behind `cursor`. Two round trips."""
        index = keys.ALL_JOBS if status is None else keys.jobs_with(status)
        highest = f"({cursor}" if cursor else "+"
        async with translated():
            entries = await self._redis.zrevrangebylex(index, highest, "-", start=0, num=limit + 1)
            found = await self._read([entry.decode().partition(":")[2] for entry in entries[:limit]])
        jobs = tuple(job for job in found if job is not None)
        return Page(jobs, entries[limit - 1].decode() if len(entries) > limit else None)

    async def _read(self, job_ids: Sequence[str]) -> list[Job | None]:
        if not job_ids:
            return []
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(keys.job(job_id))
            answers = await pipeline.execute()
        pairs = zip(job_ids, answers, strict=True)
        return [codec.job_from(job_id, fields) if fields else None for job_id, fields in pairs]

    async def probe(self) -> int:
        """How many jobs are queued. Makes sure that Redis takes writes, which a reading alone would not notice."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(keys.PROBE, 1, ex=keys.PROBE_SECONDS)
            pipeline.zcard(keys.QUEUE)
            _, queued = await pipeline.execute()
        return int(queued)

    async def beat(self, worker: str) -> None:
        """Says that `worker` is alive."""
        moment = time.time()
        async with translated(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zadd(keys.WORKERS, {worker: moment})
            pipeline.zremrangebyscore(keys.WORKERS, "-inf", moment - keys.WORKERS_SECONDS)
            pipeline.expire(keys.WORKERS, keys.WORKERS_SECONDS)
            await pipeline.execute()

    async def sign_off(self, worker: str) -> None:
        """Says that `worker` is leaving."""
        async with translated():
            await self._redis.zrem(keys.WORKERS, worker)

    async def live_workers(self) -> int:
        """How many workers have shown a sign of life of late."""
        async with translated():
            return int(await self._redis.zcount(keys.WORKERS, time.time() - WORKER_SILENCE_SECONDS, "+inf"))

    async def tally(self) -> Tally:
        """The numbers for the metrics."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for status in Status:
                pipeline.zcard(keys.jobs_with(status))
            pipeline.zcard(keys.QUEUE)
            pipeline.zcount(keys.WORKERS, time.time() - WORKER_SILENCE_SECONDS, "+inf")
            pipeline.hgetall(keys.TOTALS)
            answers: list[Any] = await pipeline.execute()
        *counts, queued, workers, totals = answers
        return Tally(
            statuses=dict(zip(Status, counts, strict=True)),
            queued=queued,
            workers=workers,
            totals={name.decode(): int(value) for name, value in totals.items()},
        )


def _listed(statuses: Sequence[Status]) -> str:
    return ",".join(statuses)
