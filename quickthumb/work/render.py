"""The handler that renders jobs: it makes the ordered outputs from a source."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from quickthumb.imaging.engine import Rendering
from quickthumb.imaging.files import NoRoom, room_for
from quickthumb.model.errors import InternalError, QuickThumbError, SourceMissing
from quickthumb.model.job import Job, Outcome, Result, Status, now
from quickthumb.model.output import Output
from quickthumb.model.source import Source
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.jobs import JobStore, ending_of
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.storage import Kept, Storage
from quickthumb.storage.durability import translated
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage
from quickthumb.work.errors import LeaseLost
from quickthumb.work.handler import Cancelled, Done, Failed, Snooze, Verdict, failed_in_redis, failure_of, unseen

# The field of a job's hash that says how many bytes its results need, once they did not fit on the disk.
NEEDED_BYTES = "needed_bytes"

# Renders outputs from a source into a folder, off the event loop. Raises JobTimedOut when that takes too long.
Render = Callable[[Path, Sequence[Output], Path], Awaitable[Rendering]]


class RenderHandler:
    """Renders jobs with `render`; those that already have a strike, or whose source is in one of the
    `confined_formats`, with `confined`, in the safety of the sandbox.

    Results leave at least `spare_bytes` of the disk free. With `removes_source`, a job's source goes when the job ends.
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
        removes_source: bool = False,
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
        self._removes_source = removes_source

    async def run(self, attempt: Attempt) -> Verdict:
        kept = await self._look_up(attempt)
        if kept.record is None:
            return unseen(attempt, self._storage.place, await self._storage.find_identity())
        job = Job.from_record(kept.record)
        if kept.outcome is not None:
            return await self._ended(job, kept.outcome)
        try:
            return await self._ended(job, await self._rendered(attempt, job, kept))
        except JobTimedOut as error:
            # Other jobs may have slowed down the first attempt. In the sandbox, only the picture itself is to blame.
            if attempt.strike > 1:
                raise
            return Snooze(blameless=False, error=error)
        except DiskFull as error:
            if not isinstance(error.__cause__, NoRoom):
                raise
            needed = {NEEDED_BYTES: str(error.__cause__.needed_bytes)}
            return Snooze(blameless=True, error=error, fields=needed, is_cheap_again=True)

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        kept = await self._look_up(attempt)
        if kept.record is None:
            return failed_in_redis(error)
        job = Job.from_record(kept.record)
        if kept.outcome is not None:
            return await self._ended(job, kept.outcome)
        outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=failure_of(error))
        async with self._storage.workspace(job.id, attempt.token) as folder:
            standing = await self._conclude(attempt, folder, outcome)
        return await self._ended(job, standing)

    async def abandoned(self, attempt: Attempt) -> None:
        # If the job was removed while its results were put in place, remove the results, too. A job that was lost only
        # in Redis has no tombstone.
        if await self._storage.was_removed(attempt.id):
            await self._storage.remove(attempt.id)

    async def _look_up(self, attempt: Attempt) -> Kept:
        """What the storage has of the job. If the job was removed, has Redis forget it and raises LeaseLost."""
        kept = await self._storage.look_up(attempt.id)
        if kept.record is None and await self._storage.was_removed(attempt.id):
            await self._jobs.remove(attempt.id)
            raise LeaseLost
        return kept

    async def _rendered(self, attempt: Attempt, job: Job, kept: Kept) -> bytes:
        """Renders the outputs and puts the results in place. Returns the stored outcome, which another attempt or a
        cancellation may have stored first."""
        source = kept.source
        if source is None:
            raise SourceMissing("The source image of the job is no longer stored.")
        if needed_bytes := int(attempt.fields.get(NEEDED_BYTES.encode(), 0)):
            # Rendering once more would only show again that there is too little room.
            await self._storage.probe(room_bytes=room_for(needed_bytes, self._spare_bytes))
        outputs = [Output.model_validate(parameters) for parameters in job.outputs]
        is_confined = attempt.strike > 1 or job.source.format in self._confined_formats
        render = self._confined if is_confined else self._render
        async with self._storage.workspace(job.id, attempt.token) as folder:
            # A full disk is not the image's fault, and neither is a source that is just being removed.
            with _machine_errors_translated(folder):
                async with self._storage.local(source) as path:
                    rendering = await render(path, outputs, folder)
            return await self._conclude(attempt, folder, _done(job, rendering))

    async def _conclude(self, attempt: Attempt, folder: Path, outcome: Outcome) -> bytes:
        if await self._attempts.renew([attempt], lease_seconds=self._lease_seconds):
            raise LeaseLost
        return await self._storage.conclude(attempt.id, folder, outcome.model_dump_json().encode())

    async def _ended(self, job: Job, standing: bytes) -> Verdict:
        """The verdict for the outcome in the storage."""
        if self._removes_source:
            # Do this before the job's end is published. If it fails, the retention sweep removes the source later.
            with contextlib.suppress(StorageUnavailable, WrongStorage):
                await self._storage.remove_source(job.id)
        outcome = Outcome.model_validate_json(standing)
        fields = ending_of(outcome)
        if outcome.error is not None:
            return Failed(fields, outcome.error)
        if outcome.status is Status.CANCELLED:
            return Cancelled(fields)
        files = ", ".join(f"{result.filename} {result.width}×{result.height}" for result in outcome.results)
        return Done(fields, f"image resized and saved: {files}")


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
    source = Source.model_validate({**job.source.model_dump(), **asdict(rendering.facts)})
    results = tuple(Result(**asdict(made)) for made in rendering.made)
    return Outcome(status=Status.DONE, finished_at=now(), source=source, results=results)
