"""The handler that renders jobs: it makes the ordered outputs from a source."""

import contextlib
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from quickthumb.imaging.engine import Rendering
from quickthumb.imaging.facts import Facts
from quickthumb.imaging.files import NoRoom, room_for
from quickthumb.model.errors import InternalError, QuickThumbError, SourceMissing
from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.model.output import Output
from quickthumb.model.retention import Retention, RetentionPolicy
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.job_fields import ending_of
from quickthumb.queue.jobs import JobStore
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.storage import Blob, Kept, Storage, Work
from quickthumb.storage.durability import translated
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage
from quickthumb.work.errors import LeaseLost
from quickthumb.work.fetch import Fetcher, FetchLater
from quickthumb.work.handler import Cancelled, Done, Failed, Snooze, Verdict, failed_in_redis, failure_of, unseen
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.results import TellingRender, result_of
from quickthumb.work.twins import Twins, TwinUnderWay

# What is told of a source. `asdict` copies each value, which takes ten times as long.
FACTS = tuple(field.name for field in fields(Facts))

KEEPS_SOURCES = RetentionPolicy(Retention(math.inf, math.inf))

# The field of a job's hash that says how many bytes its results need, once they did not fit on the disk.
NEEDED_BYTES = "needed_bytes"

# The lease is not renewed before results are put in place if it was confirmed within this share of its length: the rest
# is more than enough to sync them. Before a job fails, it always is: anyone's results are the same, but not a failure.
CONFIRMED_SHARE = 1 / 3

# Renders outputs from a source into a folder, off the event loop. Raises JobTimedOut when that takes too long.
Render = Callable[[Path, Sequence[Output], Path], Awaitable[Rendering]]


class RenderHandler:
    """Renders jobs with `render`; those that already have a strike, or whose source is in one of the
    `confined_formats`, with `confined`, in the safety of the sandbox; those of the others that have several
    outputs with `telling`, if given.

    A source that is not here yet is fetched first, by `fetcher`. Results leave at least `spare_bytes` of the disk free.
    If `retention` keeps a source for 0 seconds, it goes when its job ends. `twins` finds results that others
    have made.
    """

    at_once: int | None = None
    longest_pause_seconds = 30.0
    unexpected: QuickThumbError = InternalError(
        "The image could not be processed because of an unexpected error; see the worker's log."
    )

    def __init__(
        self,
        jobs: JobStore,
        attempts: Attempts,
        storage: Storage,
        render: Render,
        confined: Render,
        *,
        lease_seconds: float,
        max_attempts: int,
        confined_formats: frozenset[str] = frozenset(),
        spare_bytes: int = 0,
        outbox: WebhookOutbox | None = None,
        retention: RetentionPolicy = KEEPS_SOURCES,
        fetcher: Fetcher | None = None,
        telling: TellingRender | None = None,
        twins: Twins | None = None,
    ) -> None:
        self.kind = jobs.kind
        self.max_attempts = max_attempts
        self._jobs = jobs
        self._attempts = attempts
        self._storage = storage
        self._render = render
        self._confined = confined
        self._confined_formats = confined_formats
        self._lease_seconds = lease_seconds
        self._spare_bytes = spare_bytes
        self._outbox = outbox
        self._retention = retention
        self._fetcher = fetcher
        self._telling = telling
        self._twins = twins

    async def run(self, attempt: Attempt) -> Verdict:
        async with self._storage.work_on(attempt.id, attempt.token) as work:
            job = await self._recorded(attempt, work)
            if job is None:
                return unseen(attempt, self._storage.place, await self._storage.find_identity())
            if work.folder is None:
                return await self._ended(job, _stored(work.kept))
            try:
                return await self._ended(job, await self._rendered(attempt, job, work.kept, work.folder))
            except (FetchLater, TwinUnderWay) as later:
                return Snooze(blameless=True, seconds=later.seconds, fields=later.fields)
            except JobTimedOut as error:
                # Other jobs may have slowed down the first attempt. In the sandbox, only the picture is to blame.
                if attempt.strike > 1:
                    raise
                return Snooze(blameless=False, error=error)
            except DiskFull as error:
                if not isinstance(error.__cause__, NoRoom):
                    raise
                needed = {NEEDED_BYTES: str(error.__cause__.needed_bytes)}
                return Snooze(blameless=True, error=error, fields=needed, is_cheap_again=True)

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        async with self._storage.work_on(attempt.id, attempt.token) as work:
            job = await self._recorded(attempt, work)
            if job is None:
                return failed_in_redis(error)
            if work.folder is None:
                return await self._ended(job, _stored(work.kept))
            outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=failure_of(error))
            return await self._ended(job, await self._conclude(attempt, work.folder, outcome, job.keep))

    async def abandoned(self, attempt: Attempt) -> None:
        # If the job was removed while its results were put in place, remove the results, too. A job that was lost only
        # in Redis has no tombstone.
        if await self._storage.was_removed(attempt.id):
            await self._storage.remove(attempt.id)

    async def _recorded(self, attempt: Attempt, work: Work) -> Job | None:
        """The job, None without a record. If the job was removed, has Redis forget it and raises LeaseLost."""
        if work.kept.record is not None:
            return Job.from_record(work.kept.record)
        if await self._storage.was_removed(attempt.id):
            await self._jobs.remove(attempt.id)
            raise LeaseLost
        return None

    async def _rendered(self, attempt: Attempt, job: Job, kept: Kept, folder: Path) -> Outcome:
        """Renders the outputs and puts the results in place. Returns the stored outcome, which another attempt or a
        cancellation may have stored first."""
        job, source = await self._sourced(attempt, job, kept)
        if self._twins is not None and self._twins.wanted(job):
            taken = await self._twins.take_over(attempt, job, folder)
            if taken is not None:
                outcome = await self._conclude(attempt, folder, taken.outcome, job.keep)
                await self._twins.concluded(job, taken)
                return outcome
        if needed_bytes := int(attempt.fields.get(NEEDED_BYTES.encode(), 0)):
            # Rendering once more would only show again that there is too little room.
            await self._storage.probe(room_bytes=room_for(needed_bytes, self._spare_bytes))
        outputs = [Output.model_validate(parameters) for parameters in job.outputs]
        is_confined = attempt.strike > 1 or job.source.format in self._confined_formats
        render = self._confined if is_confined else self._render
        if self._telling is not None and len(outputs) > 1 and not is_confined:
            render = partial(self._telling, attempt)
        # A full disk is not the image's fault, and neither is a source that is just being removed.
        with _machine_errors_translated(folder):
            async with self._storage.local(source) as path:
                rendering = await render(path, outputs, folder)
        return await self._conclude(attempt, folder, _done(job, rendering), job.keep)

    async def _sourced(self, attempt: Attempt, job: Job, kept: Kept) -> tuple[Job, Blob]:
        """The job with what is known of its source, and the source, which is fetched if it is not here yet."""
        source = kept.source
        if job.fetch is not None and self._fetcher is not None:
            if source is None:
                facts = await self._fetcher.fetch(attempt, job, job.fetch)
                source = await self._storage.source(job.id)
            else:
                # An earlier attempt has kept it.
                with translated():
                    facts = await self._fetcher.identify(job, source)
            job = job.model_copy(update={"source": facts})
        if source is None:
            raise SourceMissing("The source image of the job is no longer stored.")
        return job, source

    async def _conclude(self, attempt: Attempt, folder: Path, outcome: Outcome, keep: str | None) -> Outcome:
        """Puts the results in place, with the outcome. Returns the stored outcome. Raises LeaseLost.

        A lease that was confirmed just now has not lapsed, so nobody else makes an attempt. The job may have been
        cancelled or removed all the same: the first outcome stands, and `abandoned` removes what came too late.
        """
        is_certain = outcome.error is None and attempt.was_confirmed_within(self._lease_seconds * CONFIRMED_SHARE)
        if not is_certain and await self._attempts.renew([attempt], lease_seconds=self._lease_seconds):
            raise LeaseLost
        written = outcome.model_dump_json().encode()
        results = [result.filename for result in outcome.results]
        standing = await self._storage.conclude(attempt.id, folder, written, results, keep=keep)
        return outcome if standing == written else Outcome.model_validate_json(standing)

    async def _ended(self, job: Job, outcome: Outcome) -> Verdict:
        """The verdict for the outcome in the storage."""
        if self._retention.of(job.tenant).source_seconds == 0:
            # Do this before the job's end is published. If it fails, the retention sweep removes the source later.
            with contextlib.suppress(StorageUnavailable, WrongStorage):
                await self._storage.remove_source(job.id)
        if self._outbox is not None:
            await self._outbox.announce(job, outcome)
        fields = ending_of(outcome)
        if outcome.error is not None:
            return Failed(fields, outcome.error)
        if outcome.status is Status.CANCELLED:
            return Cancelled(fields)
        files = ", ".join(f"{result.filename} {result.width}×{result.height}" for result in outcome.results)
        how = "results taken from an earlier job" if outcome.deduplicated else "image resized and saved"
        return Done(fields, f"{how}: {files}")


def _stored(kept: Kept) -> Outcome:
    assert kept.outcome is not None  # noqa: S101 - a job without an outcome has work to do
    return Outcome.model_validate_json(kept.outcome)


@contextlib.contextmanager
def _machine_errors_translated(folder: Path) -> Iterator[None]:
    """Translates what the operating system refuses. An OSError without an errno is raised by an image library, so the
    image may be to blame."""
    try:
        with translated(folder):
            yield
    except StorageUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is None:
            raise RuntimeError("an image library failed") from cause
        raise


def _done(job: Job, rendering: Rendering) -> Outcome:
    facts, provenance = rendering.facts, rendering.facts.provenance
    found = {name: getattr(facts, name) for name in FACTS}
    source = job.source.model_copy(update={**found, "provenance": provenance and asdict(provenance)})
    results = tuple(map(result_of, rendering.made))
    return Outcome(status=Status.DONE, finished_at=now(), source=source, results=results)
