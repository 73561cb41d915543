"""The verbs of the doors: submit an image, find, wait for, list, open and remove jobs."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from quickthumb import intake
from quickthumb.errors import (
    KeyReused,
    NotReady,
    QueueFull,
    QuickThumbError,
    SourceMissing,
    TooManyPixels,
    UnknownJob,
    UnknownResult,
    WrongState,
)
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.imaging.limits import Limits
from quickthumb.imaging.parameters import Output
from quickthumb.imaging.readable import require_readable
from quickthumb.jobs.idempotency import Idempotency, Use
from quickthumb.jobs.model import Job, Outcome, Result, Source, Status, is_id, new_id, now
from quickthumb.jobs.store import JobStore, Page, Tally
from quickthumb.jobs.watch import JobWatch
from quickthumb.service.presets import Presets
from quickthumb.service.recipe import recipe_from, written
from quickthumb.storage import Arrival, Storage

log = logging.getLogger("quickthumb.images")

# Whoever waits looks again this often even when nobody tells of a change.
LOOK_AGAIN_SECONDS = 1.0
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


def _anything(header: Header) -> None:
    """Accepts every image."""


class ImageService:
    """Everything that a door may ask for."""

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        watch: JobWatch,
        idempotency: Idempotency,
        intake_limits: intake.IntakeLimits,
        limits: Limits,
        presets: Presets,
        *,
        max_queued: int,
    ) -> None:
        self._store = store
        self._idempotency = idempotency
        self._max_queued = max_queued
        self._storage = storage
        self._watch = watch
        self._intake_limits = intake_limits
        self._limits = limits
        self._forgetting: set[asyncio.Task[None]] = set()
        self.presets = presets

    async def submit(self, upload: Upload, accept: Accept = _anything) -> Job:
        """Takes an image in and queues its job. When this returns, the job is kept: on disk and in the queue.

        With an Idempotency-Key that has made a job before, that job is the answer, and no other is made. `accept` is
        asked as soon as the image's header has arrived.

        Raises what `accept`, `intake` and `recipe` refuse, QueueUnavailable, QueueFull, DiskFull or StorageUnavailable,
        and RequestInProgress or KeyReused. Then nothing stays behind.
        """
        intake.refuse_declared_length(upload.content_length, upload.content_type, self._intake_limits)
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
                outputs=tuple(written(output) for output in outputs),
            )
            fingerprint = _fingerprint(job)
            if used is not None:
                return await self._first_job(used, fingerprint)
            await arrivals[0].keep(job.model_dump_json().encode())
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
        return await self.find(used.job_id)

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
        return self._accepted(await asyncio.to_thread(read_header_of_file, await arrival.written()), accept)

    def _accepted(self, header: Header, accept: Accept) -> Header:
        require_readable(header.format)
        if header.width * header.height > self._limits.max_pixels:
            raise TooManyPixels(
                f"The image has {header.width} × {header.height} pixels; "
                f"at most {self._limits.max_pixels} are accepted."
            )
        accept(header)
        return header

    async def find(self, job_id: str) -> Job:
        """The job as it stands. Raises UnknownJob."""
        job = await self._store.get(job_id) if is_id(job_id) else None
        if job is None:
            raise UnknownJob("There is no job with this id; it may have expired.")
        return job

    async def wait(self, job_id: str, seconds: float) -> Job:
        """The job once it has ended, or as it stands when the time is up. Raises UnknownJob."""
        job = await self.find(job_id)
        deadline = asyncio.get_running_loop().time() + seconds
        async with self._watch.watching(job_id) as changed:
            while not job.status.ended:
                changed.clear()
                job = await self.find(job_id)
                remaining = deadline - asyncio.get_running_loop().time()
                if job.status.ended or remaining <= 0:
                    break
                await _any_of(changed, min(remaining, LOOK_AGAIN_SECONDS))
        return job

    async def page(self, *, status: Status | None, limit: int, cursor: str | None) -> Page:
        """Jobs, newest first."""
        return await self._store.page(status=status, limit=limit, cursor=cursor)

    async def result(self, job_id: str, name: str) -> tuple[Job, Result, Path]:
        """One result's file. Raises UnknownJob, UnknownResult, or NotReady while the job has not ended."""
        job = await self.find(job_id)
        if name not in {output["name"] for output in job.outputs}:
            raise UnknownResult("The job makes no result of this name.")
        if not job.status.ended:
            raise NotReady(f"The job is {job.status}.")
        result = next((result for result in job.results if result.name == name), None)
        path = await self._storage.result(job_id, result.filename) if result else None
        if result is None or path is None:
            raise UnknownResult(f"The job is {job.status} and has no such file.")
        return job, result, path

    async def original(self, job_id: str) -> tuple[Job, Path]:
        """The source's file. Raises UnknownJob, or SourceMissing when the source is no longer kept."""
        job = await self.find(job_id)
        path = await self._storage.source(job_id)
        if path is None:
            raise SourceMissing("The source of this job is no longer kept.")
        return job, path

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job; its results will never appear. Cancelling it again changes nothing.

        Raises UnknownJob, or WrongState when the job has ended otherwise.
        """
        job = await self.find(job_id)
        if job.status is Status.CANCELLED:
            return job
        if job.status.ended:
            raise WrongState(f"The job is {job.status} already.")
        outcome = Outcome(status=Status.CANCELLED, finished_at=now(), source=job.source)
        async with self._storage.workspace(job_id, new_id()) as folder:
            written = outcome.model_dump_json().encode()
            standing = Outcome.model_validate_json(await self._storage.conclude(job_id, folder, written))
        if standing.status is not Status.CANCELLED:
            raise WrongState(f"The job is {standing.status} already.")
        await self._store.cancel(job_id, standing.finished_at)
        if await self._store.get(job_id) is None:
            # It was removed meanwhile, and what was just put on the disk has come too late to go with it.
            await self._storage.remove(job_id)
        return await self.find(job_id)

    async def retry(self, job_id: str) -> Job:
        """Lets a FAILED job be tried again. Raises UnknownJob, or WrongState when it is not FAILED or has no source."""
        job = await self.find(job_id)
        if job.status is not Status.FAILED:
            raise WrongState(f"Only a FAILED job can be tried again; this one is {job.status}.")
        kept = await self._storage.look_up(job_id)
        if kept.source is None:
            raise WrongState("The job's source is no longer kept, so it cannot be tried again.")
        await self._storage.reopen(job_id)
        if not await self._store.reopen(job):
            raise WrongState("The job's status has just changed.")
        return await self.find(job_id)

    async def remove(self, job_id: str) -> None:
        """Removes the job, its record and its files, cancelling it if it has not ended. Raises UnknownJob."""
        if not is_id(job_id):
            raise UnknownJob("There is no job with this id.")
        known = await self._store.remove(job_id)
        kept = await self._storage.look_up(job_id)
        await self._storage.remove(job_id)
        if not known and kept.record is None:
            raise UnknownJob("There is no job with this id; it may have expired.")

    async def readiness(self) -> dict[str, str]:
        """Each thing that must be there for jobs to be taken and done, as "ok" or what is wrong with it."""
        redis, disk, workers = await asyncio.gather(
            _checked(self._store.probe()), _checked(self._storage.probe()), self._workers()
        )
        return {"redis": redis, "disk": disk, "workers": workers}

    async def _workers(self) -> str:
        try:
            return "ok" if await self._store.live_workers() else "No worker is running."
        except QuickThumbError as error:
            return error.detail

    async def tally(self) -> Tally:
        """The numbers for the metrics."""
        return await self._store.tally()


def _fingerprint(job: Job) -> str:
    """What makes two requests the same: the image's bytes, its name and what is wanted of it."""
    wanted = json.dumps([job.source.sha256, job.source.filename, job.outputs], sort_keys=True)
    return hashlib.sha256(wanted.encode()).hexdigest()


async def _checked(probe: Any) -> str:
    try:
        await probe
    except QuickThumbError as error:
        return error.detail
    return "ok"


async def _any_of(changed: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return
