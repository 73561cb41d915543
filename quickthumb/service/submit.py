"""Taking images in: from a request's body to a job that is kept and queued."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from quickthumb import intake
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.imaging.readable import require_readable
from quickthumb.model.errors import QuickThumbError, TooManyPixels
from quickthumb.model.ids import new_id, now
from quickthumb.model.job import Job
from quickthumb.model.limits import Limits
from quickthumb.model.order import Presets, recipe_from, written
from quickthumb.model.output import Output
from quickthumb.model.source import Source
from quickthumb.queue.idempotency import Idempotency, Use
from quickthumb.queue.store import JobStore
from quickthumb.service.errors import KeyReused, QueueFull
from quickthumb.service.lookup import find_job
from quickthumb.storage import Arrival, Storage

log = logging.getLogger("quickthumb.images")

# How soon to try again to have Redis forget a job that was not taken after all.
FORGET_AGAIN_SECONDS = 1.0

# Looks at a header and raises what is to refuse the image.
Accept = Callable[[Header], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body, as it comes in, and what was said beside it.

    With `preset` the door has settled what is to be made: other fields of the request are not looked at.
    """

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    parameters: Iterable[tuple[str, Any]]
    idempotency_key: str | None = None
    preset: str | None = None


def anything(header: Header) -> None:
    """Accepts every image."""


class Submission:
    """The verb of taking an image in."""

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        idempotency: Idempotency,
        intake_limits: intake.IntakeLimits,
        limits: Limits,
        presets: Presets,
        *,
        max_queued: int,
    ) -> None:
        self.presets = presets
        self._store = store
        self._storage = storage
        self._idempotency = idempotency
        self._intake_limits = intake_limits
        self._limits = limits
        self._max_queued = max_queued
        self._forgetting: set[asyncio.Task[None]] = set()

    async def submit(self, upload: Upload, accept: Accept = anything) -> Job:
        """Takes an image in and queues its job. When this returns, the job is kept: on disk and in the queue.

        With an Idempotency-Key that has made a job before, that job is the answer, and no other is made. `accept` is
        asked as soon as the image's header has arrived.

        Raises what `accept`, `intake` and `recipe` refuse, QueueUnavailable, QueueFull, DiskFull or StorageUnavailable,
        and RequestInProgress or KeyReused. Then nothing stays behind.
        """
        intake.refuse_declared_length(upload.content_length, upload.content_type, self._intake_limits)
        if not intake.brings_fields(upload.content_type):
            self._wanted(upload, ())
        queued, _ = await asyncio.gather(self._store.probe(), self._storage.probe())
        if queued >= self._max_queued:
            raise QueueFull(f"{queued} images are waiting already.")
        if upload.idempotency_key is None:
            return await self._take_in(upload, accept, None)
        async with self._idempotency.claimed(upload.idempotency_key) as used:
            return await self._take_in(upload, accept, used)

    async def _take_in(self, upload: Upload, accept: Accept, used: Use | None) -> Job:
        job_id = new_id()
        async with AsyncExitStack() as stack:
            arrivals: list[Arrival] = []

            async def open_arrival() -> Arrival:
                arrivals.append(await stack.enter_async_context(self._storage.receive(job_id)))
                return arrivals[0]

            received = await intake.receive(
                upload.body,
                upload.content_type,
                inspect=partial(self._inspect, accept),
                open_sink=open_arrival,
                limits=self._intake_limits,
            )
            outputs = self._wanted(upload, received.fields)
            header = received.header or await self._header_of(arrivals[0], accept)
            job = Job(
                id=job_id,
                created_at=now(),
                source=Source(
                    filename=received.filename,
                    format=header.format,
                    width=header.width,
                    height=header.height,
                    bytes=received.bytes,
                    sha256=received.sha256,
                ),
                order={"outputs": [written(output) for output in outputs]},
            )
            fingerprint = _fingerprint(job)
            if used is not None:
                return await self._first_job(used, fingerprint)
            await arrivals[0].keep(job.record())
        use = Use(upload.idempotency_key, job.id, fingerprint) if upload.idempotency_key else None
        await self._queue(job, use)
        return job

    def _wanted(self, upload: Upload, fields: Iterable[intake.Field]) -> tuple[Output, ...]:
        if upload.preset is not None:
            return self.presets[upload.preset]
        return recipe_from([*upload.parameters, *((field.name, field.value) for field in fields)], self.presets)

    async def _first_job(self, used: Use, fingerprint: str) -> Job:
        if used.fingerprint != fingerprint:
            raise KeyReused("This Idempotency-Key was used with another image or other parameters.")
        return await find_job(self._store, used.job_id)

    async def _queue(self, job: Job, use: Use | None) -> None:
        try:
            await self._store.add(job, use)
        except BaseException:
            # Redis may have taken the job and only its answer be lost; a worker may be at it already.
            await asyncio.shield(self._storage.remove(job.id))
            forgetting = asyncio.create_task(self._forget(job, use), name=f"forget {job.id}")
            self._forgetting.add(forgetting)
            forgetting.add_done_callback(self._forgetting.discard)
            raise

    async def _forget(self, job: Job, use: Use | None) -> None:
        """Has Redis forget a job that its client was told was not taken, as soon as Redis can be reached."""
        while True:
            try:
                if use is not None:
                    await self._idempotency.withdraw(use)
                # Whatever Redis says: its answer to an earlier try may have been lost, too.
                await self._store.remove(job.id)
                await self._storage.remove(job.id)
                return
            except QuickThumbError as error:
                log.info("job %s is still to be forgotten: %s", job.id, error.detail)
                await asyncio.sleep(FORGET_AGAIN_SECONDS)

    def _inspect(self, accept: Accept, prefix: bytes, complete: bool) -> Header | None:
        header = read_header(prefix, complete=complete)
        return None if header is None else self._accepted(header, accept)

    async def _header_of(self, arrival: Arrival, accept: Accept) -> Header:
        """For the few whose size stands behind the bytes that were looked at while they came in."""
        async with arrival.written() as path:
            return self._accepted(await asyncio.to_thread(read_header_of_file, path), accept)

    def _accepted(self, header: Header, accept: Accept) -> Header:
        require_readable(header.format)
        if header.width * header.height > self._limits.max_pixels:
            raise TooManyPixels(
                f"The image has {header.width} × {header.height} pixels; "
                f"at most {self._limits.max_pixels} are accepted."
            )
        accept(header)
        return header


def _fingerprint(job: Job) -> str:
    """What makes two requests the same: the image's bytes, its name and what is wanted of it."""
    wanted = json.dumps([job.source.sha256, job.source.filename, job.order["outputs"]], sort_keys=True)
    return hashlib.sha256(wanted.encode()).hexdigest()
