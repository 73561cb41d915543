"""Repairs, which keep Redis true to the storage, and the retention sweep, which removes what was kept long enough.

The records in the storage are the truth about what was accepted, the outcomes about what has ended. Redis can be
rebuilt from them. arq, for its part, drops some calls without telling anyone: what has not ended must be in its queue.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from quickthumb.model.job import Job, Outcome, Status
from quickthumb.queue.index import Index
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.repair import RepairLead
from quickthumb.storage import RetentionAges, Storage, SweepReport

log = logging.getLogger("quickthumb.repair")

# How many items Redis is asked about at one time.
BATCH = 500
# What was kept so recently may still be on its way into the queue.
JUST_BEGUN_SECONDS = 3.0


class Repaired(Enum):
    """What a repair has put right."""

    NOTHING = "nothing"
    QUEUED = "queued again"
    RESTORED = "made known again"


class Ledger(Protocol):
    """The items of one kind as the storage has them.

    `doubtful` are the statuses in Redis for which the storage must be asked: None where Redis does not know an item.
    """

    index: Index
    doubtful: frozenset[Status | None]

    def ids(self) -> AsyncIterator[list[str]]:
        """The ids of all items of which a record is kept, in batches."""

    async def repair(self, item_id: str, status: Status | None) -> Repaired:
        """Makes Redis, which says `status`, agree with the storage."""

    async def requeue(self, item_id: str) -> bool:
        """Queues an item that is missing in arq's queue; forgets it, and answers False, where it has no record."""

    async def sweep(self) -> Sequence[str]:
        """Removes what was kept long enough. The ids of items that were seen and have not ended."""


@dataclass
class RepairReport:
    """What going through the records has put right: items by what became of them."""

    looked_at: int = 0
    queued: int = 0
    restored: int = 0

    def told(self) -> str:
        return f"{self.looked_at} jobs looked at, {self.queued} queued again, {self.restored} results made known again"


class Repairer:
    """Repairs and sweeps items of every kind. Each method may run in several processes at once."""

    def __init__(self, lead: RepairLead, ledgers: Sequence[Ledger], *, sweep_interval_seconds: float) -> None:
        self._lead = lead
        self._ledgers = ledgers
        self._sweep_interval_seconds = sweep_interval_seconds
        self._swept_at: float | None = None

    async def round(self, worker: str) -> None:
        """Does whatever is due, if `worker` is the one that leads."""
        if not await self._lead.leads(worker):
            return
        run_id = await self._lead.run_id()
        if await self._lead.rebuilt_for() != run_id:
            report = await self.rebuild(lambda: self._lead.leads(worker))
            await self._lead.mark_rebuilt(run_id)
            if report.queued or report.restored:
                log.warning("Redis had lost jobs: %s", report.told())
        await self.reconcile()
        if self._swept_at is None or time.monotonic() - self._swept_at > self._sweep_interval_seconds:
            self._swept_at = time.monotonic()
            await self.sweep()

    async def rebuild(self, between: Callable[[], Awaitable[object]] | None = None) -> RepairReport:
        """Goes through all records: queues what has not ended and makes known what has, where Redis does not know it.

        `between` is called now and then, for a caller that must show that it is still at it.
        """
        report = RepairReport()
        for ledger in self._ledgers:
            async for item_ids in ledger.ids():
                await _repair(ledger, item_ids, report)
                if between is not None:
                    await between()
        return report

    async def reconcile(self) -> int:
        """Queues what has not ended but is missing in arq's queue; how many that were."""
        requeued = 0
        for ledger in self._ledgers:
            async for item_id in ledger.index.not_queued():
                requeued += await ledger.requeue(item_id)
        if requeued:
            log.warning("%d jobs were missing in the queue and are back", requeued)
        return requeued

    async def sweep(self) -> None:
        """Removes what was kept long enough, and queues what has not ended and Redis does not know."""
        for ledger in self._ledgers:
            unended = await ledger.sweep()
            # A web process that died between storage and queue has told nobody; what it accepted is kept all the same.
            report = RepairReport()
            for start in range(0, len(unended), BATCH):
                await _repair(ledger, unended[start : start + BATCH], report)
            if report.queued:
                log.warning("%d items had been kept but not queued", report.queued)


async def _repair(ledger: Ledger, item_ids: Sequence[str], report: RepairReport) -> None:
    report.looked_at += len(item_ids)
    statuses = await ledger.index.statuses(item_ids)
    for item_id, status in zip(item_ids, statuses, strict=True):
        if status in ledger.doubtful:
            repaired = await ledger.repair(item_id, status)
            report.queued += repaired is Repaired.QUEUED
            report.restored += repaired is Repaired.RESTORED


class JobLedger:
    """Jobs as the storage has them. One that FAILED may have been reopened by a process that died in the middle."""

    doubtful: frozenset[Status | None] = frozenset({None, Status.FAILED})

    def __init__(self, store: JobStore, storage: Storage, ages: RetentionAges) -> None:
        self.index = store.index
        self._store = store
        self._storage = storage
        self._ages = ages

    def ids(self) -> AsyncIterator[list[str]]:
        return self._storage.job_ids()

    async def repair(self, item_id: str, status: Status | None) -> Repaired:
        kept = await self._storage.look_up(item_id)
        if kept.record is None:
            return Repaired.NOTHING
        job = Job.from_record(kept.record)
        if kept.outcome is None:
            queued = await (self._store.add(job) if status is None else self._store.reopen(job))
            return Repaired.QUEUED if queued else Repaired.NOTHING
        if status is None and await self._store.restore(job, Outcome.model_validate_json(kept.outcome)):
            return Repaired.RESTORED
        return Repaired.NOTHING

    async def requeue(self, item_id: str) -> bool:
        kept = await self._storage.look_up(item_id)
        if kept.record is None:
            await self._store.remove(item_id)
            return False
        return await self._store.requeue(Job.from_record(kept.record))

    async def sweep(self) -> Sequence[str]:
        swept = await self._storage.expire(self._ages)
        for job_id in swept.job_ids:
            await self._store.remove(job_id)
        _tell(swept)
        return swept.unended


def _tell(swept: SweepReport) -> None:
    if swept.job_ids or swept.sources or swept.unfinished:
        log.info(
            "removed %d jobs, %d sources and %d unfinished folders that were kept long enough",
            len(swept.job_ids),
            swept.sources,
            swept.unfinished,
        )
