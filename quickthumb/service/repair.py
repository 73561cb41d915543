"""Keeping Redis true to the records on disk, and removing what has been kept long enough.

The records are the truth about which jobs were accepted, the outcomes about which have ended; Redis can be rebuilt
from them. arq, for its part, drops some calls without telling anyone: what has not ended must be in its queue.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from quickthumb.model.job import Job, Outcome, Status
from quickthumb.queue.store import JobStore
from quickthumb.queue.upkeep import JobUpkeep
from quickthumb.storage import Kept, RetentionAges, Storage

log = logging.getLogger("quickthumb.housekeeping")

# How many jobs Redis is asked about at one time.
BATCH = 500


@dataclass
class Rebuilt:
    """What going through the records has put right: jobs by what became of them."""

    looked_at: int = 0
    queued: int = 0
    restored: int = 0

    def told(self) -> str:
        return f"{self.looked_at} jobs looked at, {self.queued} queued again, {self.restored} results made known again"


class Housekeeper:
    """Repairs, and the sweep. Every method may run in several processes at once."""

    def __init__(
        self,
        store: JobStore,
        upkeep: JobUpkeep,
        storage: Storage,
        ages: RetentionAges,
        *,
        sweep_interval_seconds: float,
    ) -> None:
        self._store = store
        self._upkeep = upkeep
        self._storage = storage
        self._ages = ages
        self._sweep_interval_seconds = sweep_interval_seconds
        self._swept_at: float | None = None

    async def tend(self, worker: str) -> None:
        """One round: whatever is due, if `worker` is the one that keeps house."""
        if not await self._upkeep.keeps_house(worker):
            return
        run_id = await self._upkeep.run_id()
        if await self._upkeep.rebuilt_for() != run_id:
            rebuilt = await self.rebuild(lambda: self._upkeep.keeps_house(worker))
            await self._upkeep.mark_rebuilt(run_id)
            if rebuilt.queued or rebuilt.restored:
                log.warning("Redis had lost jobs: %s", rebuilt.told())
        await self.reconcile()
        if self._swept_at is None or time.monotonic() - self._swept_at > self._sweep_interval_seconds:
            self._swept_at = time.monotonic()
            await self.sweep()

    async def rebuild(self, between: Callable[[], Awaitable[object]] | None = None) -> Rebuilt:
        """Goes through all records: queues what has not ended, and makes known what has, where Redis knows it not.

        `between` is called now and then, for whoever must show that it is still at it.
        """
        rebuilt = Rebuilt()
        async for job_ids in self._storage.job_ids():
            await self._rebuild_batch(job_ids, rebuilt)
            if between is not None:
                await between()
        return rebuilt

    async def _rebuild_batch(self, job_ids: Sequence[str], rebuilt: Rebuilt) -> None:
        rebuilt.looked_at += len(job_ids)
        statuses = await self._upkeep.statuses(job_ids)
        for job_id, status in zip(job_ids, statuses, strict=True):
            if status is None or status is Status.FAILED:
                await self._rebuild_job(await self._storage.look_up(job_id), status, rebuilt)

    async def _rebuild_job(self, kept: Kept, status: Status | None, rebuilt: Rebuilt) -> None:
        if kept.record is None:
            return
        job = Job.from_record(kept.record)
        if kept.outcome is not None:
            if status is None:
                rebuilt.restored += await self._upkeep.restore(job, Outcome.model_validate_json(kept.outcome))
        elif status is Status.FAILED:
            # A retry was begun, and whoever began it died before Redis was told.
            rebuilt.queued += await self._store.reopen(job)
        else:
            rebuilt.queued += await self._store.add(job)

    async def reconcile(self) -> int:
        """Queues what has not ended but is not in the queue; how many that were."""
        requeued = 0
        async for job_id in self._upkeep.not_queued():
            kept = await self._storage.look_up(job_id)
            if kept.record is None:
                await self._store.remove(job_id)
            else:
                requeued += await self._upkeep.requeue(Job.from_record(kept.record))
        if requeued:
            log.warning("%d jobs were missing in the queue and are back", requeued)
        return requeued

    async def sweep(self) -> None:
        """Removes what has been kept long enough, and queues what has not ended and Redis does not know."""
        swept = await self._storage.expire(self._ages)
        # A web process that died between disk and queue has told nobody; its upload is kept all the same.
        rebuilt = Rebuilt()
        for start in range(0, len(swept.unended), BATCH):
            await self._rebuild_batch(swept.unended[start : start + BATCH], rebuilt)
        if rebuilt.queued:
            log.warning("%d uploads had been kept but not queued", rebuilt.queued)
        for job_id in swept.job_ids:
            await self._store.remove(job_id)
        if swept.job_ids or swept.sources or swept.unfinished:
            log.info(
                "removed %d jobs, %d sources and %d unfinished folders that were kept long enough",
                len(swept.job_ids),
                swept.sources,
                swept.unfinished,
            )
