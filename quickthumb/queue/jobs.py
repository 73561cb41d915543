"""Jobs in Redis: adding, reading, listing and counting them. Also the workers that are alive to run them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Job, Outcome, Result, Status, from_milliseconds, to_milliseconds
from quickthumb.model.source import Source
from quickthumb.queue.codec import REQUEST_ID, failure_text, request_id_of
from quickthumb.queue.connection import translated
from quickthumb.queue.idempotency import IdempotencyRecord
from quickthumb.queue.index import Added, Index, Lost
from quickthumb.queue.keys import JOB, KEYS, PROBE_SECONDS, WORKERS_SECONDS, Keys
from quickthumb.queue.quotas import Demand
from quickthumb.queue.script import RegisteredScript

# A worker whose last heartbeat is older than this counts as dead.
WORKER_SILENCE_SECONDS = 10.0

_RESULTS = TypeAdapter(tuple[Result, ...])


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor after which the next page begins, or None on the last page."""

    jobs: tuple[Job, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """The numbers for the metrics: jobs by status, the queue's length, the age of the oldest WAITING job (0 if there is
    none), live workers, and totals that only ever grow (`totals` describes them).

    `at` is the moment by Redis' clock, in Unix seconds."""

    at: float
    statuses: dict[Status, int]
    queued: int
    oldest_waiting_seconds: float
    workers: int
    totals: dict[str, int]


class JobStore:
    """Jobs in Redis. Every method is one round trip, unless it says otherwise.

    All raise QueueUnavailable when Redis is unreachable or answers with an error.
    """

    def __init__(
        self, redis: Redis, *, retention_seconds: int, source_seconds: int | None = None, keys: Keys = KEYS
    ) -> None:
        source_seconds = retention_seconds if source_seconds is None else source_seconds
        self.kind = replace(JOB, retention_seconds=retention_seconds, source_seconds=source_seconds)
        self.index = Index(redis, self.kind, keys)
        self._redis = redis
        self._keys = keys
        self._heartbeat = RegisteredScript(redis, "heartbeat")

    async def add(
        self,
        job: Job,
        use: IdempotencyRecord | None = None,
        *,
        is_large: bool = False,
        counted: Sequence[Demand] = (),
    ) -> bool:
        """Adds a new job and queues it, both or neither. With `use`, also stores that idempotency record. Workers
        know of an `is_large` job before they claim it.

        Adding a job again changes nothing, and returns False. Counts the job against the quotas of `counted`, which
        are those of its `counted_for`; raises QuotaExceeded if one has too little room.
        """
        created_ms = to_milliseconds(job.created_at)
        fields = fields_of(job)
        added = await self.index.add(job.id, created_ms, fields, is_large=is_large, use=use, counted=counted)
        return added is Added.NEW

    async def get(self, job_id: str) -> Job | None:
        """The job in its current state, or None if there is none."""
        fields = await self.index.fields(job_id)
        return job_from(job_id, fields) if fields else None

    async def cancel(self, job_id: str, moment: datetime) -> bool:
        """Cancels a job that has not ended, and takes it out of the queue. Returns False when it has ended or is
        unknown."""
        return await self.index.cancel(job_id, to_milliseconds(moment))

    async def reopen(self, job: Job) -> bool:
        """Queues a FAILED job again, as `Index.reopen` does. Returns False when the job is not FAILED."""
        return await self.index.reopen(job.id, to_milliseconds(job.created_at))

    async def restore(self, lost: Sequence[tuple[Job, Outcome | None]]) -> list[bool]:
        """Restores jobs, and queues those without an outcome, as `Index.restore` does."""
        return await self.index.restore([_lost(job, outcome) for job, outcome in lost])

    async def remove(self, job_id: str) -> bool:
        """Forgets the job, whatever its status, and takes it out of the queue. Returns False if there was none."""
        return await self.index.remove(job_id)

    async def page(self, *, status: Status | None, limit: int, cursor: str | None) -> Page:
        """Up to `limit` jobs after `cursor`, newest first. Two round trips."""
        index = self._keys.index(self.kind, status)
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
                pipeline.hgetall(self._keys.record(self.kind, job_id))
            answers = await pipeline.execute()
        pairs = zip(job_ids, answers, strict=True)
        return [job_from(job_id, fields) if fields else None for job_id, fields in pairs]

    async def probe(self) -> int:
        """How many items are queued. Also checks that Redis accepts writes, which a read alone would not reveal."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._keys.probe, 1, ex=PROBE_SECONDS)
            pipeline.zcard(self._keys.queue)
            _, queued = await pipeline.execute()
        return int(queued)

    async def heartbeat(self, worker: str, *, paused: bool = False) -> None:
        """Records that `worker` is alive; a `paused` one takes no jobs, and does not count as live."""
        lists = (self._keys.workers, self._keys.paused_workers)
        workers, others = reversed(lists) if paused else lists
        async with translated():
            await self._heartbeat(workers=workers, others=others, worker=worker, silent_seconds=WORKERS_SECONDS)

    async def sign_off(self, worker: str) -> None:
        """Records that `worker` has stopped."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(self._keys.workers, worker)
            pipeline.zrem(self._keys.paused_workers, worker)
            await pipeline.execute()

    async def live_workers(self) -> int:
        """How many workers take jobs and had a heartbeat within the last WORKER_SILENCE_SECONDS."""
        return await self._heard_of(self._keys.workers)

    async def paused_workers(self) -> int:
        """How many workers take no jobs but showed within the last WORKER_SILENCE_SECONDS that they are alive."""
        return await self._heard_of(self._keys.paused_workers)

    async def _heard_of(self, workers: str) -> int:
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.zrange(workers, 0, -1, withscores=True)
            moment, found = await pipeline.execute()
        return _live(moment, found)

    async def tally(self) -> Tally:
        """The numbers for the metrics."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for status in Status:
                pipeline.zcard(self._keys.index(self.kind, status))
            pipeline.zcard(self._keys.queue)
            pipeline.zrange(self._keys.index(self.kind, Status.WAITING), 0, 0)
            pipeline.hgetall(self._keys.totals)
            pipeline.time()
            pipeline.zrange(self._keys.workers, 0, -1, withscores=True)
            answers: list[Any] = await pipeline.execute()
        *counts, queued, oldest, totals, moment, workers = answers
        return Tally(
            at=moment[0] + moment[1] / 1_000_000,
            statuses=dict(zip(Status, counts, strict=True)),
            queued=queued,
            oldest_waiting_seconds=_age(moment, oldest),
            workers=_live(moment, workers),
            totals={name.decode(): int(value) for name, value in totals.items()},
        )


def _lost(job: Job, outcome: Outcome | None) -> Lost:
    created_ms, counted_for = to_milliseconds(job.created_at), " ".join(job.counted_for)
    if outcome is None:
        return Lost(job.id, created_ms, job.status, 0, fields_of(job), counted_for)
    # The outcome has the source, too, and knows more of it.
    ending = ending_of(outcome)
    fields = {**_fields_but_source(job), **ending}
    return Lost(job.id, created_ms, outcome.status, int(ending["finished_ms"]), fields, counted_for)


def _age(moment: tuple[int, int], entries: Sequence[bytes]) -> float:
    """How long ago, at `moment`, the job of the first of these entries of an index was accepted; 0 without entries."""
    if not entries:
        return 0.0
    seconds, microseconds = moment
    created_ms, _, _ = entries[0].partition(b":")
    return max(0.0, seconds + microseconds / 1_000_000 - int(created_ms) / 1000)


def _live(moment: tuple[int, int], workers: Sequence[tuple[bytes, float]]) -> int:
    """How many of the workers count as alive at `moment`, the seconds and microseconds of Redis' clock."""
    seconds, microseconds = moment
    since = seconds + microseconds / 1_000_000 - WORKER_SILENCE_SECONDS
    return sum(seen >= since for _, seen in workers)


def fields_of(job: Job) -> dict[str, str]:
    """The hash of a new job."""
    return {"source": job.source.model_dump_json(), **_fields_but_source(job)}


def _fields_but_source(job: Job) -> dict[str, str]:
    return {
        "status": job.status,
        "created_ms": str(to_milliseconds(job.created_at)),
        "attempts": str(job.attempts),
        "outputs": json.dumps(job.order["outputs"]),
        **_beyond_outputs(job),
    }


def _beyond_outputs(job: Job) -> dict[str, str]:
    """The fields that only some jobs have."""
    others = {name: value for name, value in job.order.items() if name != "outputs"}
    tenant = {} if job.tenant == DEFAULT_TENANT else {"tenant": job.tenant}
    client = {} if job.client is None else {"client": job.client}
    counted = {"counted_for": " ".join(job.counted_for)} if job.counted_for else {}
    batch = {} if job.batch is None else {"batch": job.batch}
    request = {} if job.request_id is None else {REQUEST_ID: job.request_id}
    return {**tenant, **client, **counted, **request, **batch, **({"order": json.dumps(others)} if others else {})}


def ending_of(outcome: Outcome) -> dict[str, str]:
    """The fields that a job gets when it ends."""
    return {
        "finished_ms": str(to_milliseconds(outcome.finished_at)),
        "source": outcome.source.model_dump_json(),
        "results": json.dumps([result.model_dump() for result in outcome.results]),
        "error": failure_text(outcome.error),
    }


def job_from(job_id: str, fields: Mapping[bytes, bytes]) -> Job:
    """The job that a hash holds."""

    started_ms, finished_ms = fields.get(b"started_ms"), fields.get(b"finished_ms")
    results, error = fields.get(b"results"), fields.get(b"error")
    order: dict[str, Any] = {"outputs": from_json(fields[b"outputs"])}
    if others := fields.get(b"order"):
        order |= from_json(others)
    return Job(
        id=job_id,
        tenant=fields.get(b"tenant", DEFAULT_TENANT.encode()).decode(),
        client=fields[b"client"].decode() if b"client" in fields else None,
        counted_for=tuple(fields[b"counted_for"].decode().split()) if b"counted_for" in fields else (),
        request_id=request_id_of(fields),
        batch=fields[b"batch"].decode() if b"batch" in fields else None,
        status=Status(fields[b"status"].decode()),
        created_at=from_milliseconds(int(fields[b"created_ms"])),
        started_at=from_milliseconds(int(started_ms)) if started_ms else None,
        finished_at=from_milliseconds(int(finished_ms)) if finished_ms else None,
        attempts=int(fields[b"attempts"]),
        source=Source.model_validate_json(fields[b"source"]),
        order=order,
        results=_RESULTS.validate_json(results) if results else (),
        error=Failure.model_validate_json(error) if error else None,
    )
