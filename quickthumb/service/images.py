"""The verbs of the doors: submit an image, find, wait for, list, open and remove jobs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quickthumb import intake
from quickthumb.errors import NotReady, QuickThumbError, SourceMissing, TooManyPixels, UnknownJob, UnknownResult
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.imaging.limits import Limits
from quickthumb.jobs.model import Job, Result, Source, Status, is_id, new_id, now
from quickthumb.jobs.store import JobStore, Page, Tally
from quickthumb.jobs.watch import JobWatch
from quickthumb.service.recipe import recipe_from, written
from quickthumb.storage import Arrival, Storage

# Whoever waits looks again this often even when nobody tells of a change.
LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body, as it comes in, and what was said beside it."""

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    parameters: Iterable[tuple[str, Any]]


class ImageService:
    """Everything that a door may ask for."""

    def __init__(
        self, store: JobStore, storage: Storage, watch: JobWatch, intake_limits: intake.IntakeLimits, limits: Limits
    ) -> None:
        self._store = store
        self._storage = storage
        self._watch = watch
        self._intake_limits = intake_limits
        self._limits = limits

    async def submit(self, upload: Upload) -> Job:
        """Takes an image in and queues its job. When this returns, the job is kept: on disk and in the queue.

        Raises what `intake` and `recipe` refuse, QueueUnavailable, DiskFull or StorageUnavailable. Then nothing
        stays behind.
        """
        intake.refuse_declared_length(upload.content_length, upload.content_type, self._intake_limits)
        await asyncio.gather(self._store.probe(), self._storage.probe())
        job_id = new_id()
        async with AsyncExitStack() as stack:
            arrivals: list[Arrival] = []

            async def open_arrival() -> Arrival:
                arrivals.append(await stack.enter_async_context(self._storage.receive(job_id)))
                return arrivals[0]

            received = await intake.receive(
                upload.body,
                upload.content_type,
                inspect=self._inspect,
                open_sink=open_arrival,
                limits=self._intake_limits,
            )
            outputs = recipe_from([*upload.parameters, *((field.name, field.value) for field in received.fields)])
            header = received.header or await self._header_of(arrivals[0])
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
            await arrivals[0].keep(job.model_dump_json().encode())
        await self._queue(job)
        return job

    async def _queue(self, job: Job) -> None:
        try:
            await self._store.add(job)
        except BaseException:
            await asyncio.shield(self._storage.remove(job.id))
            raise

    def _inspect(self, prefix: bytes, complete: bool) -> Header | None:
        header = read_header(prefix, complete=complete)
        return None if header is None else self._accepted(header)

    async def _header_of(self, arrival: Arrival) -> Header:
        """For the few whose size stands behind the bytes that were looked at while they came in."""
        return self._accepted(await asyncio.to_thread(read_header_of_file, await arrival.written()))

    def _accepted(self, header: Header) -> Header:
        if header.width * header.height > self._limits.max_pixels:
            raise TooManyPixels(
                f"The image has {header.width} × {header.height} pixels; "
                f"at most {self._limits.max_pixels} are accepted."
            )
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
