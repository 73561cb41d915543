"""The job verbs: submit, find, wait, page, result, original, reschedule, cancel, retry, remove.

Each acts on behalf of a caller.
"""

import asyncio
import contextlib

from quickthumb.model.caller import EVERY_TENANT, Caller
from quickthumb.model.errors import QuickThumbError, SourceMissing
from quickthumb.model.job import Job, Outcome, Result, Status, is_id, new_id, now
from quickthumb.model.order import Presets
from quickthumb.model.schedule import ScheduleChange
from quickthumb.model.selection import ANY, Selection
from quickthumb.model.source import SourceState
from quickthumb.queue.jobs import JobStore, Page
from quickthumb.queue.search import span_between
from quickthumb.queue.watch import JobWatch
from quickthumb.service.derive import Derivation, derive
from quickthumb.service.downloads import Download
from quickthumb.service.errors import JobFailed, NotReady, UnknownJob, UnknownResult, WrongState
from quickthumb.service.notices import FIELD as NOTIFY_EMAIL
from quickthumb.service.originals import Originals
from quickthumb.service.rebuilding import Rebuilding
from quickthumb.service.schedule import reschedule
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.sources import CheckHeader, any_header
from quickthumb.service.submit import Submission, Upload
from quickthumb.service.tenancy import find_job, lists, owns, unknown_job
from quickthumb.service.waits import Waits
from quickthumb.storage import Kept, Storage
from quickthumb.work.outbox import WebhookOutbox

# A waiting request reads its job again after this long, even if no change was announced.
LOOK_AGAIN_SECONDS = 1.0
# A page of the default tenant skips other tenants' jobs, but stops after this many; then it may be shorter than the
# limit.
PASSED_OVER = 1000


class ImageService:
    """What callers can do with jobs. Every verb raises UnknownJob for another tenant's job."""

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        watch: JobWatch,
        submission: Submission,
        shutdown: Shutdown | None = None,
        waits: Waits | None = None,
        originals: Originals | None = None,
        outbox: WebhookOutbox | None = None,
        rebuilding: Rebuilding | None = None,
    ) -> None:
        self._store = store
        self._storage = storage
        self._watch = watch
        self._submission = submission
        self._shutdown = shutdown or Shutdown()
        self._waits = waits or Waits()
        self._originals = originals or Originals(storage, keeps_location=False)
        self._outbox = outbox
        self._rebuilding = rebuilding

    def presets(self, caller: Caller) -> Presets:
        """The presets that the caller may use, by their names."""
        return self._submission.presets.allowed(caller)

    @property
    def submission(self) -> Submission:
        return self._submission

    async def submit(self, caller: Caller, upload: Upload, check: CheckHeader = any_header) -> Job:
        """Takes in an image and queues its job. `Submission.submit` documents the promise and the errors."""
        return await self._submission.submit(caller, upload, check)

    async def derive(self, caller: Caller, derivation: Derivation) -> Job:
        """Queues a new job for the source of another. `derive` documents the promise and the errors."""
        return await derive(self._store, self._storage, self._submission, caller, derivation)

    async def find(self, caller: Caller, job_id: str) -> Job:
        """The job in its current state. Raises UnknownJob, and QueueUnavailable for a job that a wiped Redis does not
        have again yet."""
        try:
            return await find_job(self._store, caller, job_id)
        except UnknownJob:
            if self._rebuilding is None:
                raise
            await self._rebuilding.check(caller, [job_id])
        return await find_job(self._store, caller, job_id)  # again: the rebuild may have ended in between

    async def wait(self, caller: Caller, job_id: str, seconds: float) -> Job:
        """The job once it has ended, or in its current state after `seconds` or on shutdown. Raises UnknownJob."""
        job = await self.find(caller, job_id)
        deadline = asyncio.get_running_loop().time() + seconds
        async with self._watch.watching(job_id) as changed:
            with self._shutdown.wakes(changed):
                while not job.status.ended:
                    changed.clear()
                    job = await self.find(caller, job_id)
                    remaining = deadline - asyncio.get_running_loop().time()
                    if job.status.ended or remaining <= 0 or self._shutdown.begun:
                        break
                    await _any_of(changed, min(remaining, LOOK_AGAIN_SECONDS))
        return job

    async def wait_if_room(self, caller: Caller, job_id: str, seconds: float) -> tuple[Job, bool]:
        """What `wait` returns, and True. If too many requests wait already: the job in its current state, and False."""
        with self._waits.place(caller.address) as may_wait:
            if may_wait:
                return await self.wait(caller, job_id, seconds), True
            return await self.find(caller, job_id), False

    async def page(self, caller: Caller, selection: Selection = ANY, *, limit: int, cursor: str | None = None) -> Page:
        """Those of the caller's jobs that are selected, after `cursor`, newest first, at most `limit`; for a caller who
        stands for EVERY_TENANT, those of all tenants. And how many there are in all, unless that needs a search.

        A page may have fewer jobs than `limit`, although more follow: a search looks at a bounded number of jobs. So
        does a page of the default tenant without a tag, whose jobs are listed together with those of all other tenants.
        """
        if selection.needs_search or (caller.tenant == EVERY_TENANT and selection.tag is not None):
            return await self._store.search(selection, limit=limit, cursor=cursor, tenant=caller.tenant)
        span = span_between(selection.after, selection.before)
        own: list[Job] = []
        passed_over, total = 0, None
        while True:
            page = await self._store.page(
                status=selection.status,
                limit=limit - len(own),
                cursor=cursor,
                tenant=caller.tenant,
                tag=selection.tag,
                counts=total is None,
                span=span,
            )
            total = page.total if total is None else total
            found = [job for job in page.jobs if lists(caller, job)]
            own += found
            passed_over += len(page.jobs) - len(found)
            if page.cursor is None or len(found) == len(page.jobs) or passed_over >= PASSED_OVER:
                return Page(tuple(own), page.cursor, max(total or 0, len(own)))
            cursor = page.cursor

    async def result(self, caller: Caller, job_id: str, name: str) -> tuple[Job, Result, Download]:
        """One result of a job, with its file.

        Raises UnknownJob, UnknownResult, JobFailed, or NotReady while the job has not ended.
        """
        job = await self.find(caller, job_id)
        if name not in {output["name"] for output in job.outputs}:
            raise UnknownResult("The job has no output with this name.")
        if not job.status.ended:
            raise NotReady(f"The job is {job.status}.")
        if job.error is not None:
            raise JobFailed(job.error)
        result = next((result for result in job.results if result.name == name), None)
        blob = await self._storage.result(job_id, result.filename) if result else None
        if result is None or blob is None:
            raise UnknownResult(f"The job is {job.status}, and there is no file for this result.")
        return job, result, Download(blob, self._storage)

    async def original(self, caller: Caller, job_id: str) -> tuple[Job, Download]:
        """A job, with the file of its source, without location unless the setting says so.

        Raises UnknownJob, SourceMissing if the source is no longer stored, NotReady while it has yet to be fetched, and
        OriginalWithheld.
        """
        job = await self.find(caller, job_id)
        blob = await self._storage.source(job_id)
        if blob is None and not job.status.ended and job.source.state is SourceState.EXPECTED:
            raise NotReady("The image has not been fetched yet.")
        if blob is None:
            raise SourceMissing("The source image of this job is no longer stored.")
        return job, await self._originals.download(blob)

    async def reschedule(self, caller: Caller, job_id: str, change: ScheduleChange) -> Job:
        """Changes the priority or the schedule of a WAITING job. `schedule` documents the promise and the errors."""
        return await reschedule(self._store, self._storage, caller, job_id, change)

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """Cancels a job; its results will never appear. Cancelling it again changes nothing.

        Raises UnknownJob, or WrongState when the job is already DONE or FAILED.
        """
        job = await self.find(caller, job_id)
        if job.status is Status.CANCELLED:
            return job
        if job.status.ended:
            raise WrongState(f"The job is already {job.status}.")
        outcome = Outcome(status=Status.CANCELLED, finished_at=now(), source=job.source)
        async with self._storage.workspace(job_id, new_id()) as folder:
            written = outcome.model_dump_json().encode()
            standing = Outcome.model_validate_json(await self._storage.conclude(job_id, folder, written, keep=job.keep))
        if standing.status is not Status.CANCELLED:
            raise WrongState(f"The job is already {standing.status}.")
        if self._outbox is not None:
            await self._outbox.announce(job, standing)
        await self._store.cancel(job_id, standing.finished_at, tenant=job.tenant)
        if await self._storage.was_removed(job_id):
            # The job was removed in the meantime, so the outcome that was just written must be removed, too.
            await self._storage.remove(job_id)
        return await self.find(caller, job_id)

    async def retry(self, caller: Caller, job_id: str) -> Job:
        """Queues a FAILED job again. Raises UnknownJob, or WrongState when the job is not FAILED or has no source, and
        TooManyEmails if it is to send one more."""
        job = await self.find(caller, job_id)
        if job.status is not Status.FAILED:
            raise WrongState(f"Only a FAILED job can be retried; this job is {job.status}.")
        kept = await self._storage.look_up(job_id)
        if kept.source is None and not _can_be_fetched(kept):
            raise WrongState("The job cannot be retried, because its source image is no longer stored.")
        if (address := job.order.get(NOTIFY_EMAIL)) is not None:
            await self._submission.acceptance.notices.count(address, new_id())
        # Without an outcome, another retry came first, or died before it told Redis.
        if kept.outcome is not None:
            failed = Outcome.model_validate_json(kept.outcome).status is Status.FAILED
            if not failed or not await self._storage.reopen(job_id, kept.outcome):
                raise WrongState("The job's status changed in the meantime.")
        await self._store.reopen(job)
        # Redis may have reopened the job at the first of two tries, and only its answer was lost.
        reopened = await self.find(caller, job_id)
        if reopened.status is Status.FAILED:
            raise WrongState("The job's status changed in the meantime.")
        return reopened

    async def remove(self, caller: Caller, job_id: str) -> None:
        """Removes the job with its record and its files, and cancels it if it has not ended. Raises UnknownJob."""
        if not is_id(job_id):
            raise unknown_job()
        job = await self._store.get(job_id) or await self._recorded(job_id)
        if job is not None and not owns(caller, job):
            raise unknown_job()
        await self._store.remove(job_id)
        await self._storage.remove(job_id)
        if job is None:
            raise unknown_job()
        if job.batch is not None and self._outbox is not None:
            with contextlib.suppress(QuickThumbError):  # otherwise, a sweep tells of it
                await self._outbox.announce_batch(job.batch)

    async def _recorded(self, job_id: str) -> Job | None:
        """The job according to its record in the storage, for a job that Redis does not know; None without a record."""
        record = (await self._storage.look_up(job_id)).record
        return None if record is None else Job.from_record(record)


def _can_be_fetched(kept: Kept) -> bool:
    return kept.record is not None and Job.from_record(kept.record).fetch is not None


async def _any_of(changed: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return
