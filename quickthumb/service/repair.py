"""Repairs, which make Redis agree with the storage, and the retention sweep, which removes expired jobs and emails.

The records in the storage say what was accepted, and its outcomes say what has ended. Redis can be rebuilt from both.
arq silently drops some entries of its queue, so repairs also queue every item again that is missing there and has not
ended.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from quickthumb.model.job import Job, Outcome, Status
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.index import Index
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.repair import RepairLead
from quickthumb.queue.walk import Trimming, Walk
from quickthumb.storage import Recorded, RetentionAges, Storage, SweepReport
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.work.outbox import WebhookOutbox

log = logging.getLogger("quickthumb.repair")

# How many items to ask Redis about at a time.
BATCH = 500
# How many jobs to restore at a time. That keeps first the event loop and then Redis from all else, each for a
# millisecond or two.
CHUNK = 25
# How many chunks are under way at the same time: while Redis restores one, the next is prepared.
CHUNKS_AT_A_TIME = 2
# An item whose record is younger than this may still be on its way into the queue.
JUST_BEGUN_SECONDS = 3.0


class Repaired(Enum):
    """What the repair of an item did."""

    NOTHING = "nothing"
    QUEUED = "queued again"
    RESTORED = "restored"


class Ledger(Protocol):
    """The items of one kind that the storage has.

    `doubtful` lists the statuses in Redis that must be checked against the storage; None stands for an item that Redis
    does not know.
    """

    index: Index
    doubtful: frozenset[Status | None]

    def ids(self) -> AsyncIterator[list[str]]:
        """The ids of all items that have a record, in batches."""

    async def repair(self, items: Mapping[str, Status | None]) -> list[Repaired]:
        """Makes Redis, where the items have the given statuses, agree with the storage. Logs which of them it cannot
        repair."""

    async def requeue(self, item_id: str, created_ms: int) -> bool:
        """Queues an item that is missing in arq's queue.

        Returns False if it was removed or is not missing. Stale index entries of such an item are removed. An item
        without a record is queued all the same: the worker that claims it finds the record, or lets the item fail.
        """

    async def sweep(self) -> Sequence[str]:
        """Removes expired items. Returns the ids of the remaining items that have not ended, except those accepted only
        seconds ago."""


@dataclass
class RepairReport:
    """What a rebuild did: how many records it looked at, and how many items it queued or restored."""

    looked_at: int = 0
    queued: int = 0
    restored: int = 0

    def told(self) -> str:
        return f"{self.looked_at} records checked, {self.queued} queued again, {self.restored} outcomes restored"


class Repairer:
    """Repairs and sweeps items of every kind. Each method may run in several processes at the same time."""

    def __init__(
        self,
        lead: RepairLead,
        ledgers: Sequence[Ledger],
        *,
        sweep_interval_seconds: float,
        other_sweeps: Sequence[Callable[[], Awaitable[None]]] = (),
        other_rebuilds: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """`other_sweeps` remove what expires in the storage besides the items of the ledgers, and `other_rebuilds`
        queue what is owed besides them."""
        self._lead = lead
        self._other_sweeps = other_sweeps
        self._other_rebuilds = other_rebuilds
        self._ledgers = ledgers
        self._walks = [Walk(ledger.index) for ledger in ledgers]
        self._trimmings = [Trimming(ledger.index) for ledger in ledgers]
        self._sweep_interval_seconds = sweep_interval_seconds
        self._swept_at: float | None = None
        self._has_adopted = False

    async def round(self, worker: str) -> None:
        """Does whatever is due, provided that `worker` holds the repair lead. The first round also adopts what an older
        release left in its queue, without the lead, which a worker of that release may still hold."""
        if not self._has_adopted:
            await self.adopt()
            self._has_adopted = True
        if not await self._lead.leads(worker):
            return
        await self.adopt()
        run_id = await self._lead.run_id()
        if await self._lead.rebuilt_for() != run_id:
            token = await self._lead.begin_rebuild()
            report = await self.rebuild(lambda: self._lead.leads(worker))
            await self._lead.mark_rebuilt(run_id, token)
            if report.queued or report.restored:
                log.warning("Redis had lost data; rebuilt it from the storage: %s", report.told())
        await self.retain(lambda: self._lead.leads(worker))
        await self.reconcile()
        if self._swept_at is None or time.monotonic() - self._swept_at > self._sweep_interval_seconds:
            self._swept_at = time.monotonic()
            await self.sweep()

    async def adopt(self) -> None:
        """Moves items that a process of an older release queued, now or earlier, to the present queue."""
        for ledger in self._ledgers:
            moved = await ledger.index.adopt()
            if moved:
                log.warning("took over %d items from the queue of an older release", moved)

    async def rebuild(self, between: Callable[[], Awaitable[object]] | None = None) -> RepairReport:
        """Goes through all records: of the items that Redis does not know, queues those that have not ended, and
        restores those that have.

        Calls `between` after each batch, so that the caller can show that it is still alive.
        """
        report = RepairReport()
        for ledger in self._ledgers:
            async for item_ids in ledger.ids():
                for batch in _parts(item_ids, BATCH):
                    await _repair(ledger, batch, report)
                if between is not None:
                    await between()
        for rebuild in self._other_rebuilds:
            await rebuild()
        return report

    async def retain(self, between: Callable[[], Awaitable[object]]) -> None:
        """If the retention times have changed, has Redis forget what has ended by the new ones: a job that is to be
        kept for longer would be lost to its clients otherwise.

        Calls `between` after each batch, so that the caller can show that it is still alive.
        """
        told = "; ".join(ledger.index.kind.retention for ledger in self._ledgers)
        if await self._lead.retention() == told:
            return
        for ledger in self._ledgers:
            await ledger.index.retain(between)
        await self._lead.mark_retention(told)

    async def reconcile(self) -> int:
        """Queues items that have not ended but are missing in arq's queue. Returns how many it queued.

        Each call looks at the next part of them: at all if they are few, while a long queue takes many calls.
        """
        requeued = 0
        for ledger, walk in zip(self._ledgers, self._walks, strict=True):
            async for item_id, created_ms in walk.missing():
                with logged(item_id):
                    requeued += await ledger.requeue(item_id, created_ms)
        if requeued:
            log.warning("queued %d items that were missing in arq's queue", requeued)
        return requeued

    async def sweep(self) -> None:
        """Removes expired items, and queues items that have not ended and that Redis does not know."""
        for trimming in self._trimmings:
            await trimming.trim()
        for ledger in self._ledgers:
            unended = await ledger.sweep()
            # A web process may have died after it stored an item and before it queued it. Its client got no answer, but
            # the item is run all the same.
            report = RepairReport()
            for batch in _parts(unended, BATCH):
                await _repair(ledger, batch, report)
            if report.queued:
                log.warning("queued %d items that were stored but unknown to Redis", report.queued)
        for sweep in self._other_sweeps:
            await sweep()


async def _repair(ledger: Ledger, item_ids: Sequence[str], report: RepairReport) -> None:
    report.looked_at += len(item_ids)
    statuses = zip(item_ids, await ledger.index.statuses(item_ids), strict=True)
    doubtful = {item_id: status for item_id, status in statuses if status in ledger.doubtful}
    repaired = await ledger.repair(doubtful) if doubtful else []
    report.queued += repaired.count(Repaired.QUEUED)
    report.restored += repaired.count(Repaired.RESTORED)


@contextmanager
def logged(item_id: str) -> Iterator[None]:
    """Logs why an item could not be repaired, and lets the repair continue. Only an unreachable Redis stops it."""
    try:
        yield
    except QueueUnavailable:
        raise
    except Exception:
        log.exception("%s could not be repaired", item_id)


class JobLedger:
    """The jobs that the storage has. FAILED is doubtful, since a process may have died while it reopened the job."""

    doubtful: frozenset[Status | None] = frozenset({None, Status.FAILED})

    def __init__(
        self, store: JobStore, storage: Storage, ages: RetentionAges, outbox: WebhookOutbox | None = None
    ) -> None:
        self.index = store.index
        self._store = store
        self._storage = storage
        self._ages = ages
        self._outbox = outbox

    def ids(self) -> AsyncIterator[list[str]]:
        return self._storage.job_ids()

    async def repair(self, items: Mapping[str, Status | None]) -> list[Repaired]:
        kept = await self._records(list(items))
        repaired = await self._restore({job_id: kept[job_id] for job_id in kept if items[job_id] is None})
        for job_id in kept:
            if items[job_id] is not None:
                with logged(job_id):
                    repaired.append(await self._reopen(kept[job_id]))
        return repaired

    async def _records(self, job_ids: Sequence[str]) -> dict[str, Recorded]:
        """What the storage has of each job. Leaves out those that it cannot read, or that have no record."""
        try:
            found = dict(zip(job_ids, await self._storage.records(job_ids), strict=True))
        except StorageUnavailable:
            found = {}
            for job_id in job_ids:
                with logged(job_id):
                    (found[job_id],) = await self._storage.records([job_id])
        return {job_id: parts for job_id, parts in found.items() if parts.record is not None}

    async def _restore(self, kept: Mapping[str, Recorded]) -> list[Repaired]:
        restored: dict[str, Repaired] = {}
        chunks = _parts(list(kept), CHUNK)

        async def go_through() -> None:
            for job_ids in chunks:
                restored.update(await self._restore_chunk({job_id: kept[job_id] for job_id in job_ids}))

        # Each ends before an error is raised, so that nothing is restored after this has returned.
        ends = await asyncio.gather(*(go_through() for _ in range(CHUNKS_AT_A_TIME)), return_exceptions=True)
        for error in filter(None, ends):
            raise error
        # Jobs that were removed while they were being restored. A worker finds out by itself about those that it runs.
        ended = [job_id for job_id, repaired in restored.items() if repaired is Repaired.RESTORED]
        for job_id in await self._storage.removed_among(ended) if ended else []:
            await self._store.remove(job_id)
            del restored[job_id]
        return list(restored.values())

    async def _restore_chunk(self, kept: Mapping[str, Recorded]) -> dict[str, Repaired]:
        lost: list[tuple[Job, Outcome | None]] = []
        for job_id, parts in kept.items():
            with logged(job_id):
                lost.append(_read(parts))
        if not lost:
            return {}
        if self._outbox is not None:
            # First: if this process dies in between, the jobs are still unknown to Redis, and restored again.
            await self._outbox.restore([(job, outcome) for job, outcome in lost if outcome is not None])
        return {
            job.id: Repaired.RESTORED if outcome else Repaired.QUEUED
            for (job, outcome), is_restored in zip(lost, await self._store.restore(lost), strict=True)
            if is_restored
        }

    async def _reopen(self, kept: Recorded) -> Repaired:
        if kept.outcome is None and await self._store.reopen(_read(kept)[0]):
            return Repaired.QUEUED
        return Repaired.NOTHING

    async def requeue(self, item_id: str, created_ms: int) -> bool:
        if (await self._storage.look_up(item_id)).record is None and await self._storage.was_removed(item_id):
            await self._store.remove(item_id)
        return await self.index.requeue(item_id, created_ms)

    async def sweep(self) -> Sequence[str]:
        swept = await self._storage.expire(self._ages)
        for job_id in swept.job_ids:
            await self._store.remove(job_id)
        _log_sweep(swept)
        return swept.unended


def _read(kept: Recorded) -> tuple[Job, Outcome | None]:
    outcome = None if kept.outcome is None else Outcome.model_validate_json(kept.outcome)
    job = Job.from_record(kept.record or b"")
    return (job if kept.change is None else job.amended(kept.change)), outcome


def _parts(item_ids: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(item_ids), most):
        yield item_ids[start : start + most]


def _log_sweep(swept: SweepReport) -> None:
    if swept.job_ids or swept.sources or swept.unfinished:
        log.info(
            "retention sweep: removed %d jobs, %d sources and %d unfinished uploads or workspaces",
            len(swept.job_ids),
            swept.sources,
            swept.unfinished,
        )
