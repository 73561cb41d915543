"""The verbs of jobs: submit, find, wait, page, result, original, cancel, retry, remove. Each acts for a caller."""

import asyncio

from quickthumb.model.caller import Caller
from quickthumb.model.errors import SourceMissing
from quickthumb.model.job import Job, Outcome, Result, Status, is_id, new_id, now
from quickthumb.queue.jobs import JobStore, Page
from quickthumb.queue.watch import JobWatch
from quickthumb.service.downloads import Download
from quickthumb.service.errors import NotReady, UnknownResult, WrongState
from quickthumb.service.sources import CheckHeader, any_header
from quickthumb.service.submit import Submission, Upload
from quickthumb.service.tenancy import find_job, owns, unknown_job
from quickthumb.storage import Storage

# A waiting request looks at its job this often even if no change is announced.
LOOK_AGAIN_SECONDS = 1.0
# How many jobs, at most, a page may pass over because they belong to other tenants; it may then be shorter than asked.
PASSED_OVER = 1000


class ImageService:
    """What callers may ask of jobs. Another tenant's job is an UnknownJob in every verb."""

    def __init__(self, store: JobStore, storage: Storage, watch: JobWatch, submission: Submission) -> None:
        self._store = store
        self._storage = storage
        self._watch = watch
        self._submission = submission
        self.presets = submission.presets

    async def submit(self, caller: Caller, upload: Upload, check: CheckHeader = any_header) -> Job:
        """Takes an image in and queues its job; `Submission.submit` says what is promised and raised."""
        return await self._submission.submit(caller, upload, check)

    async def find(self, caller: Caller, job_id: str) -> Job:
        """The job as it stands. Raises UnknownJob."""
        return await find_job(self._store, caller, job_id)

    async def wait(self, caller: Caller, job_id: str, seconds: float) -> Job:
        """The job once it has ended, or as it stands when the time is up. Raises UnknownJob."""
        job = await self.find(caller, job_id)
        deadline = asyncio.get_running_loop().time() + seconds
        async with self._watch.watching(job_id) as changed:
            while not job.status.ended:
                changed.clear()
                job = await self.find(caller, job_id)
                remaining = deadline - asyncio.get_running_loop().time()
                if job.status.ended or remaining <= 0:
                    break
                await _any_of(changed, min(remaining, LOOK_AGAIN_SECONDS))
        return job

    async def page(self, caller: Caller, *, status: Status | None, limit: int, cursor: str | None) -> Page:
        """The caller's jobs, newest first, at most `limit`."""
        own: list[Job] = []
        passed_over = 0
        while True:
            page = await self._store.page(status=status, limit=limit - len(own), cursor=cursor)
            found = [job for job in page.jobs if owns(caller, job)]
            own += found
            passed_over += len(page.jobs) - len(found)
            if page.cursor is None or len(found) == len(page.jobs) or passed_over >= PASSED_OVER:
                return Page(tuple(own), page.cursor)
            cursor = page.cursor

    async def result(self, caller: Caller, job_id: str, name: str) -> tuple[Job, Result, Download]:
        """One result's file. Raises UnknownJob, UnknownResult, or NotReady while the job has not ended."""
        job = await self.find(caller, job_id)
        if name not in {output["name"] for output in job.outputs}:
            raise UnknownResult("The job makes no result of this name.")
        if not job.status.ended:
            raise NotReady(f"The job is {job.status}.")
        result = next((result for result in job.results if result.name == name), None)
        blob = await self._storage.result(job_id, result.filename) if result else None
        if result is None or blob is None:
            raise UnknownResult(f"The job is {job.status} and has no such file.")
        return job, result, Download(blob, self._storage)

    async def original(self, caller: Caller, job_id: str) -> tuple[Job, Download]:
        """The source's file. Raises UnknownJob, or SourceMissing when the source is no longer kept."""
        job = await self.find(caller, job_id)
        blob = await self._storage.source(job_id)
        if blob is None:
            raise SourceMissing("The source of this job is no longer kept.")
        return job, Download(blob, self._storage)

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """Cancels a job; its results will never appear. Cancelling it again changes nothing.

        Raises UnknownJob, or WrongState when the job has ended otherwise.
        """
        job = await self.find(caller, job_id)
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
            # The job was removed in the meantime, so the outcome that was just written has to be removed, too.
            await self._storage.remove(job_id)
        return await self.find(caller, job_id)

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """Lets a FAILED job be tried again. Raises UnknownJob, or WrongState when it is not FAILED or has no source."""
        job = await self.find(caller, job_id)
        if job.status is not Status.FAILED:
            raise WrongState(f"Only a FAILED job can be tried again; this one is {job.status}.")
        kept = await self._storage.look_up(job_id)
        if kept.source is None:
            raise WrongState("The job's source is no longer kept, so it cannot be tried again.")
        await self._storage.reopen(job_id)
        if not await self._store.reopen(job):
            raise WrongState("The job's status has just changed.")
        return await self.find(caller, job_id)

    async def remove(self, caller: Caller, job_id: str) -> None:
        """Removes the job, its record and its files, cancelling it if it has not ended. Raises UnknownJob."""
        if not is_id(job_id):
            raise unknown_job()
        job = await self._store.get(job_id) or await self._recorded(job_id)
        if job is not None and not owns(caller, job):
            raise unknown_job()
        await self._store.remove(job_id)
        await self._storage.remove(job_id)
        if job is None:
            raise unknown_job()

    async def _recorded(self, job_id: str) -> Job | None:
        """A job that Redis does not know, as its record has it."""
        record = (await self._storage.look_up(job_id)).record
        return None if record is None else Job.from_record(record)


async def _any_of(changed: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return
