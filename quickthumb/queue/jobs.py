"""Jobs in Redis: adding, reading, listing and counting them. Also the workers that are alive to run them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT, EVERY_TENANT
from quickthumb.model.job import Change, Job, Outcome, Status, from_milliseconds, to_milliseconds
from quickthumb.model.selection import Selection
from quickthumb.queue.connection import translated
from quickthumb.queue.idempotency import IdempotencyRecord
from quickthumb.queue.index import Added, Index, Lost
from quickthumb.queue.job_fields import ending_of, fields_but_source, fields_of, job_from, run_at_ms
from quickthumb.queue.keys import (
    AFTER_TAGS,
    DELIVERY,
    JOB,
    KEYS,
    PROBE_SECONDS,
    WORKERS_SECONDS,
    Keys,
)
from quickthumb.queue.quotas import Demand
from quickthumb.queue.script import RegisteredScript
from quickthumb.queue.search import WHOLE, Conditions, Search, Span, span_between
from quickthumb.queue.tally import Tally, TenantTally, live, numbers, tenant_tally

NO_TENANTS: Mapping[str, float] = {}
# How far into the queue to look for a job that waits.
SCAN_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor after which the next page begins, or None on the last page.

    `total` is how many jobs the list has in all; 0 if it was not asked for, None if only a look at each job could tell.
    It may count jobs that have expired since the last sweep.
    """

    jobs: tuple[Job, ...]
    cursor: str | None
    total: int | None = 0

    @property
    def looked_back_to(self) -> datetime | None:
        """When the oldest job searched was accepted; None if there are no older ones."""
        return None if self.cursor is None else from_milliseconds(int(self.cursor.partition(":")[0]))


class JobStore:
    """Jobs in Redis. Every method is one round trip, unless it says otherwise.

    Redis forgets a job `retention_seconds` after its end (math.inf: never), or after what `tenants_seconds` has for its
    tenant, unless the job's order says how long to keep it.

    All methods raise QueueUnavailable when Redis is unreachable or answers with an error.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        retention_seconds: float,
        source_seconds: float | None = None,
        tenants_seconds: Mapping[str, float] = NO_TENANTS,
        tenants_source_seconds: Mapping[str, float] = NO_TENANTS,
        keys: Keys = KEYS,
    ) -> None:
        self.kind = replace(
            JOB,
            retention_seconds=retention_seconds,
            source_seconds=retention_seconds if source_seconds is None else source_seconds,
            tenants_seconds=tuple(tenants_seconds.items()),
            tenants_source_seconds=tuple(tenants_source_seconds.items()),
        )
        self.index = Index(redis, self.kind, keys)
        self._redis = redis
        self._keys = keys
        self._heartbeat = RegisteredScript(redis, "heartbeat")
        self._oldest = RegisteredScript(redis, "oldest")
        self._search = Search(redis, keys.record(self.kind, ""))

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
        size_bytes = job.source.bytes or 0
        added = await self.index.add(
            job.id,
            created_ms,
            fields_of(job),
            is_large=is_large,
            size_bytes=size_bytes,
            run_at_ms=run_at_ms(job),
            use=use,
            counted=counted,
        )
        return added is Added.NEW

    async def get(self, job_id: str) -> Job | None:
        """The job in its current state, or None if there is none."""
        fields = await self.index.fields(job_id)
        return job_from(job_id, fields, self.kind) if fields else None

    async def cancel(self, job_id: str, moment: datetime, *, tenant: str = DEFAULT_TENANT) -> bool:
        """Cancels a tenant's job that has not ended, and takes it out of the queue. Returns False when it has ended or
        is unknown."""
        return await self.index.cancel(job_id, to_milliseconds(moment), tenant=tenant)

    async def amend(self, job_id: str, change: Change, *, reschedules: bool) -> bool:
        """Changes the priority of a WAITING job, and when it is due, as `Index.amend` does. Returns False when the job
        is not WAITING."""
        run_at_ms = None if change.run_at is None else to_milliseconds(change.run_at)
        return await self.index.amend(
            job_id, change.changes, change.priority, reschedules=reschedules, run_at_ms=run_at_ms
        )

    async def reopen(self, job: Job) -> bool:
        """Queues a FAILED job again, as `Index.reopen` does. Returns False when the job is not FAILED."""
        return await self.index.reopen(job.id, to_milliseconds(job.created_at))

    async def restore(self, lost: Sequence[tuple[Job, Outcome | None]]) -> list[bool]:
        """Restores jobs, and queues those without an outcome, as `Index.restore` does."""
        return await self.index.restore([_lost(job, outcome) for job, outcome in lost])

    async def remove(self, job_id: str) -> bool:
        """Forgets the job, whatever its status, and takes it out of the queue. Returns False if there was none."""
        return await self.index.remove(job_id)

    async def page(
        self,
        *,
        status: Status | None,
        limit: int,
        cursor: str | None,
        tenant: str = DEFAULT_TENANT,
        tag: str | None = None,
        counts: bool = False,
        span: Span = WHOLE,
    ) -> Page:
        """Up to `limit` of a tenant's jobs after `cursor`, newest first, of those with the `tag` if one is given, and
        in this `span` of the list; without a tag, those of all tenants for `default`. With `counts`, also the total,
        for `default` of its own jobs only.

        Two round trips, however many jobs and tags there are. Only the total of `default` needs one command more for
        each other tenant.
        """
        own = DEFAULT_TENANT if tenant == EVERY_TENANT else tenant
        index, part = self._keys.index(self.kind, status, own, tag), span.following(cursor)
        has_others = counts and tag is None and tenant == DEFAULT_TENANT
        async with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.zrevrangebylex(index, part.highest, part.lowest, start=0, num=limit + 1)
                if counts:
                    _count_in(pipeline, index, span)
                if has_others:
                    pipeline.execute_command("ZRANGE", self._keys.lists, f"({AFTER_TAGS}", "+", "BYLEX")
                entries, *counted = await pipeline.execute()
            job_ids = [entry.decode().partition(":")[2] for entry in entries[:limit]]
            others = [self._keys.list_index(self.kind, of.decode(), status) for of in counted[1]] if has_others else []
            jobs, of_others = await self._read(job_ids, others, span)
        total = max(0, counted[0] - of_others) if counts else 0
        return Page(jobs, entries[limit - 1].decode() if len(entries) > limit else None, total)

    async def search(self, selection: Selection, *, limit: int, cursor: str | None, tenant: str) -> Page:
        """Up to `limit` of a tenant's selected jobs after `cursor`, newest first; for EVERY_TENANT, of all jobs. The
        total is unknown.

        Searches at most `search.MOST_EXAMINED` jobs, so the page may have fewer than exist, or none. One round trip for
        each 100 of them, and one for the jobs found.
        """
        is_everyone = tenant == EVERY_TENANT
        listed = DEFAULT_TENANT if is_everyone else tenant
        # A tag has a list for each tenant.
        tag = None if is_everyone else selection.tag
        index = self._keys.index(self.kind, selection.status, listed, tag)
        conditions = Conditions(
            selection if is_everyone else replace(selection, tag=None),
            default_only=tenant == DEFAULT_TENANT and tag is None,
        )
        span = span_between(selection.after, selection.before).following(cursor)
        async with translated():
            found = await self._search.find(index, span, conditions, limit=limit)
            jobs, _ = await self._read(found.ids, ())
        return Page(jobs, found.cursor, None)

    async def _read(
        self, job_ids: Sequence[str], indexes: Sequence[str], span: Span = WHOLE
    ) -> tuple[tuple[Job, ...], int]:
        """The jobs that Redis still knows, and how many entries these indexes have together in that span."""
        if not job_ids and not indexes:
            return (), 0
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(self._keys.record(self.kind, job_id))
            for index in indexes:
                _count_in(pipeline, index, span)
            answers = await pipeline.execute()
        records = zip(job_ids, answers, strict=False)
        jobs = tuple(job_from(job_id, fields, self.kind) for job_id, fields in records if fields)
        return jobs, sum(answers[len(job_ids) :])

    async def probe(self) -> int:
        """How many items are queued. Also checks that Redis accepts writes, which a read alone would not reveal."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._keys.probe, 1, ex=PROBE_SECONDS)
            pipeline.zcard(self._keys.queue)
            _, queued = await pipeline.execute()
        return int(queued)

    async def heartbeat(self, worker: str, *, paused: bool = False, report: bytes = b"") -> None:
        """Records that `worker` is alive, with its `report`; a `paused` one takes no jobs, and does not count as
        live."""
        lists = (self._keys.workers, self._keys.paused_workers)
        workers, others = reversed(lists) if paused else lists
        async with translated():
            await self._heartbeat(
                workers=workers,
                others=others,
                about=self._keys.worker(worker),
                worker=worker,
                silent_seconds=WORKERS_SECONDS,
                report=report,
            )

    async def sign_off(self, worker: str) -> None:
        """Records that `worker` has stopped."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(self._keys.workers, worker)
            pipeline.zrem(self._keys.paused_workers, worker)
            pipeline.delete(self._keys.worker(worker))
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
        return live(moment, found)

    async def tally(self) -> Tally:
        """The numbers for the metrics of the whole deployment. Two round trips."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            self._count(pipeline, DEFAULT_TENANT)
            pipeline.zcard(self._keys.queue)
            pipeline.hgetall(self._keys.totals)
            pipeline.time()
            pipeline.zrange(self._keys.workers, 0, -1, withscores=True)
            pipeline.zcard(self._keys.index(DELIVERY, Status.WAITING))
            pipeline.zcard(self._keys.index(DELIVERY, Status.IN_PROGRESS))
            answers: list[Any] = await pipeline.execute()
            oldest_ms = await self._oldest(
                queue=self._keys.queue, record_prefix=self._keys.record(self.kind, ""), scan_most=SCAN_MOST
            )
        *counts, _, queued, totals, moment, workers, waiting, running = answers
        return Tally(
            at=moment[0] + moment[1] / 1_000_000,
            statuses=dict(zip(Status, counts, strict=True)),
            queued=queued,
            oldest_waiting_seconds=oldest_ms / 1000,
            workers=live(moment, workers),
            totals=numbers(totals),
            deliveries=waiting + running,
        )

    async def tenants_tallies(self, tenants: Sequence[str]) -> list[TenantTally]:
        """The numbers for the metrics of each of these tenants, which are not `default`."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for tenant in tenants:
                self._count(pipeline, tenant)
                pipeline.hgetall(self._keys.totals_of(tenant))
            moment, *answers = await pipeline.execute()
        each = len(Status) + 2
        return [tenant_tally(moment, answers[start : start + each]) for start in range(0, len(answers), each)]

    def _count(self, pipeline: Any, tenant: str) -> None:
        """Asks for the number of jobs with each status, and for the oldest WAITING one."""
        for status in Status:
            pipeline.zcard(self._keys.index(self.kind, status, tenant))
        pipeline.zrange(self._keys.index(self.kind, Status.WAITING, tenant), 0, 0)


def _count_in(pipeline: Any, index: str, span: Span) -> None:
    """Asks how many entries of an index are in a span."""
    if span == WHOLE:
        pipeline.zcard(index)
    else:
        pipeline.zlexcount(index, span.lowest, span.highest)


def _lost(job: Job, outcome: Outcome | None) -> Lost:
    created_ms, counted_for = to_milliseconds(job.created_at), " ".join(job.counted_for)
    if outcome is None:
        return Lost(job.id, created_ms, job.status, 0, fields_of(job), counted_for, run_at_ms(job))
    # The outcome has the source, too, and knows more of it.
    ending = ending_of(outcome)
    fields = {**fields_but_source(job), **ending}
    return Lost(job.id, created_ms, outcome.status, int(ending["finished_ms"]), fields, counted_for)
