"""The verbs of the doors: submit an image, find, wait for, list, open and remove jobs."""

import asyncio
from typing import Any

from quickthumb.model.errors import QuickThumbError, SourceMissing
from quickthumb.model.ids import is_id, new_id, now
from quickthumb.model.job import Job, Outcome, Result, Status
from quickthumb.queue.store import JobStore, Page, Tally
from quickthumb.queue.watch import JobWatch
from quickthumb.service.downloads import Download
from quickthumb.service.errors import NotReady, UnknownJob, UnknownResult, WrongState
from quickthumb.service.lookup import find_job
from quickthumb.service.submit import Accept, Submission, Upload, anything
from quickthumb.storage import Storage

# Whoever waits looks again this often even when nobody tells of a change.
LOOK_AGAIN_SECONDS = 1.0


class ImageService:
    """Everything that a door may ask for."""

    def __init__(self, store: JobStore, storage: Storage, watch: JobWatch, submission: Submission) -> None:
        self._store = store
        self._storage = storage
        self._watch = watch
        self._submission = submission
        self.presets = submission.presets

    async def submit(self, upload: Upload, accept: Accept = anything) -> Job:
        """Takes an image in and queues its job; `Submission.submit` says what is promised and raised."""
        return await self._submission.submit(upload, accept)

    async def find(self, job_id: str) -> Job:
        """The job as it stands. Raises UnknownJob."""
        return await find_job(self._store, job_id)

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

    async def result(self, job_id: str, name: str) -> tuple[Job, Result, Download]:
        """One result's file. Raises UnknownJob, UnknownResult, or NotReady while the job has not ended."""
        job = await self.find(job_id)
        if name not in {output["name"] for output in job.outputs}:
            raise UnknownResult("The job makes no result of this name.")
        if not job.status.ended:
            raise NotReady(f"The job is {job.status}.")
        result = next((result for result in job.results if result.name == name), None)
        blob = await self._storage.result(job_id, result.filename) if result else None
        if result is None or blob is None:
            raise UnknownResult(f"The job is {job.status} and has no such file.")
        return job, result, Download(blob, self._storage)

    async def original(self, job_id: str) -> tuple[Job, Download]:
        """The source's file. Raises UnknownJob, or SourceMissing when the source is no longer kept."""
        job = await self.find(job_id)
        blob = await self._storage.source(job_id)
        if blob is None:
            raise SourceMissing("The source of this job is no longer kept.")
        return job, Download(blob, self._storage)

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
