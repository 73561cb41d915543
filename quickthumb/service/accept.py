"""Accepting an order for a source: the storage keeps the record and the source together, then the job is queued.

This module does not know where the source comes from. A source that was just uploaded, a source shared with another job
and a source that has yet to be fetched differ only in how they are kept.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quickthumb import logs
from quickthumb.model.caller import Caller
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import Job, now
from quickthumb.model.order import Order
from quickthumb.model.schedule import due_at
from quickthumb.model.source import Fetch, Source
from quickthumb.queue.idempotency import Idempotency, IdempotencyRecord
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.quotas import Demand
from quickthumb.service.capacity import Capacity
from quickthumb.service.errors import KeyReused
from quickthumb.service.notices import Notices
from quickthumb.service.quotas import Limiter
from quickthumb.service.tenancy import find_job, key_of_tenant
from quickthumb.storage import Storage

log = logging.getLogger("quickthumb.images")

# The pause before asking Redis again to forget a job that was not accepted after all.
FORGET_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """A job's place in a batch: the batch's id, the job's own, and what the Idempotency-Key of the batch is used for,
    if the job is the first to be accepted."""

    batch: str
    job_id: str
    use: IdempotencyRecord | None = None


# Stores a job's record permanently together with its source, both or neither.
Keep = Callable[[bytes], Awaitable[None]]


def any_size() -> int:
    """The size of an image of which nothing is known yet."""
    return 1


class Acceptance:
    """Admits requests while the queue and the storage have room, and accepts their jobs."""

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        idempotency: Idempotency,
        *,
        max_queued: int,
        limiter: Limiter | None = None,
        notices: Notices | None = None,
    ) -> None:
        self._store = store
        self._storage = storage
        self._idempotency = idempotency
        self._capacity = Capacity(store, storage, max_queued=max_queued)
        self.limiter = limiter or Limiter()
        self.notices = notices or Notices()
        self._forgetting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def admit(
        self, caller: Caller, idempotency_key: str | None = None, *, least_bytes: Callable[[], int] = any_size
    ) -> AsyncIterator["Admission"]:
        """Admits one request, whose image has at least `least_bytes`, and holds the claim on its Idempotency-Key while
        the block lasts.

        Raises QueueFull, QueueUnavailable, DiskFull, StorageUnavailable, WrongStorage, RequestInProgress and
        QuotaExceeded. What was accepted before needs no quota.
        """
        async with self._capacity.checked():
            if idempotency_key is None:
                await self.limiter.foresee_upload(caller, least_bytes)
                yield Admission(self, caller)
                return
            key = key_of_tenant(caller, idempotency_key)
            async with self._idempotency.claimed(key) as used:
                if used is None:
                    await self.limiter.foresee_upload(caller, least_bytes)
                yield Admission(self, caller, key, used)

    @property
    def idempotency(self) -> Idempotency:
        return self._idempotency

    async def first_job(self, caller: Caller, used: IdempotencyRecord, fingerprint: str) -> Job:
        """The job that an earlier request with the same key made. Raises KeyReused if the requests are not the same."""
        if used.fingerprint != fingerprint:
            raise KeyReused("This Idempotency-Key was already used with a different image or different parameters.")
        return await find_job(self._store, caller, used.job_id)

    async def queue(
        self, job: Job, use: IdempotencyRecord | None, *, is_large: bool, counted: Sequence[Demand] = ()
    ) -> None:
        """Queues a job that the storage keeps. If that fails, removes the job from the storage and from Redis."""
        try:
            await self._store.add(job, use, is_large=is_large, counted=counted)
            self._capacity.added()
        except BaseException:
            # Redis may have added the job although its answer was lost, and a worker may already be running it. If this
            # process dies before it can tell Redis, the tombstone that `remove` leaves tells the worker.
            try:
                await asyncio.shield(self._storage.remove(job.id))
            finally:
                forgetting = asyncio.create_task(self._forget(job, use), name=f"forget {job.id}")
                self._forgetting.add(forgetting)
                forgetting.add_done_callback(self._forgetting.discard)
            raise

    async def _forget(self, job: Job, use: IdempotencyRecord | None) -> None:
        """Removes a job whose client was told that it was not accepted, as soon as Redis can be reached."""
        while True:
            try:
                if use is not None:
                    await self._idempotency.withdraw(use)
                # Go on whatever Redis answers: it may have removed the job at an earlier try, and that answer was lost.
                await self._store.remove(job.id)
                await self._storage.remove(job.id)
                return
            except QuickThumbError as error:
                log.info(
                    "job %s was not accepted, but is not removed from Redis yet; retrying: %s",
                    job.id,
                    for_operators(error),
                )
                await asyncio.sleep(FORGET_AGAIN_SECONDS)


class Admission:
    """One admitted request. It may have one job accepted."""

    def __init__(
        self, acceptance: Acceptance, caller: Caller, key: str | None = None, used: IdempotencyRecord | None = None
    ) -> None:
        self._acceptance = acceptance
        self._caller = caller
        self._key = key
        self._used = used

    @property
    def is_repeat(self) -> bool:
        """Whether the Idempotency-Key was used before, so that no further job will be made."""
        return self._used is not None

    @property
    def used(self) -> IdempotencyRecord | None:
        """What the Idempotency-Key was used for before."""
        return self._used

    def use(self, item_id: str, fingerprint: str) -> IdempotencyRecord | None:
        """What the Idempotency-Key is used for now; None without one."""
        return None if self._key is None else IdempotencyRecord(self._key, item_id, fingerprint)

    async def accept(
        self,
        job_id: str,
        source: Source,
        order: Order,
        keep: Keep,
        *,
        is_large: bool = False,
        output_pixels: int = 0,
        fetch: Fetch | None = None,
        derived_from: str | None = None,
        place: Place | None = None,
    ) -> Job:
        """Makes the job, stores it with its source, and queues it, as an `is_large` one if it is known to be large. All
        of that is done when this returns, and counted against the caller's quotas. With `fetch`, a worker fetches the
        source. `derived_from` is the job whose source it shares. With a `place`, the job is part of a batch.

        If the same request was accepted before, returns its job and makes no other. Raises KeyReused, QuotaExceeded,
        TooManyEmails, QueueUnavailable and whatever `keep` raises; then no job is left behind.
        """
        limiter = self._acceptance.limiter
        counted, moment = limiter.kept(self._caller, source.bytes or 0), now()
        job = Job(
            id=job_id,
            tenant=self._caller.tenant,
            client=self._caller.client,
            counted_for=tuple(demand.policy.counted for demand in counted),
            request_id=self._caller.request_id,
            batch=None if place is None else place.batch,
            created_at=moment,
            source=source,
            fetch=fetch,
            derived_from=derived_from,
            order=order.written(),
            priority=order.priority,
            run_at=due_at(order.delay, order.run_at, moment),
        )
        use = None if self._key is None else IdempotencyRecord(self._key, job.id, _fingerprint(job, order))
        if use is not None and self._used is not None:
            return await self._acceptance.first_job(self._caller, self._used, use.fingerprint)
        if place is not None:
            use = place.use
        logs.mark(job_id=job_id)
        async with (
            self._acceptance.notices.counted(order.notify_email, job_id),
            limiter.upload(self._caller, source.bytes or 0, output_pixels),
        ):
            await keep(job.record())
            await self._acceptance.queue(job, use, is_large=is_large, counted=counted)
        return job


def _fingerprint(job: Job, order: Order) -> str:
    """A digest of what makes two requests the same: the image's bytes or its URL, its filename and the order.

    For an order that has only outputs, it is the same as in the first release, whose fingerprints are still in Redis.
    """
    others = {name: value for name, value in job.order.items() if name != "outputs"} | order.timing()
    if job.derived_from is not None:
        others["derived_from"] = job.derived_from
    image = job.source.sha256 if job.fetch is None else job.fetch.url
    told = [image, job.source.filename, job.order["outputs"], *([others] if others else [])]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
