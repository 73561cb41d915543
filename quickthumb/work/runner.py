"""The worker's verb: run one attempt at a job, whatever happens to it, and say how it went."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from quickthumb.imaging.engine import Rendering
from quickthumb.model.errors import InternalError, QuickThumbError, SourceMissing
from quickthumb.model.ids import new_id, now
from quickthumb.model.job import Failure, Job, Outcome, Result, Status
from quickthumb.model.output import Output
from quickthumb.model.source import Source
from quickthumb.queue.store import Attempt, JobStore, NoAttempt
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.storage import Kept, Storage
from quickthumb.storage.durability import translated
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.work.errors import TooManyAttempts

log = logging.getLogger("quickthumb.job")

LONGEST_BACKOFF_SECONDS = 30.0

Render = Callable[[Path, Sequence[Output], Path], Awaitable[Rendering]]


class TryAgain(Exception):
    """The attempt failed for a reason that may pass; the job waits and is due again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"due again in {seconds} s")
        self.seconds = seconds


class Abandoned(Exception):
    """The job is no longer this worker's: another took it over, or it was removed. Nothing of it is to be touched."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient a worker is; times in seconds. And whether it removes a job's source at the job's end."""

    lease_seconds: float
    max_attempts: int
    removes_source: bool = False


class JobRunner:
    """Runs jobs. `render` makes the pictures, off the event loop, and ends what takes too long as JobTimedOut.

    `confined` does the same for jobs with a strike against them, where they can do no harm; without it, `render` does.
    """

    def __init__(
        self, store: JobStore, storage: Storage, render: Render, terms: Terms, confined: Render | None = None
    ) -> None:
        self._store = store
        self._storage = storage
        self._render = render
        self._confined = confined or render
        self._terms = terms
        self._running: dict[str, Attempt] = {}

    async def renew_leases(self) -> None:
        """Holds on to every job that is running here; to be called well within the lease's time."""
        for attempt in list(self._running.values()):
            if not await self._store.renew(attempt, lease_seconds=self._terms.lease_seconds):
                log.warning("job %s is no longer this worker's", attempt.job_id)

    async def run(self, job_id: str) -> None:
        """Runs one attempt at the job, to the job's end or back to WAITING.

        A job that has ended, or is gone, is left alone. Raises TryAgain when the job is to be run again later, and
        Abandoned when it is in other hands by now.
        """
        attempt = await self._store.begin(job_id, new_id(), lease_seconds=self._terms.lease_seconds)
        if isinstance(attempt, NoAttempt):
            log.info("job %s is not run: %s", job_id, attempt.value)
            return
        self._running[job_id] = attempt
        started = time.monotonic()
        try:
            await self._attempt(attempt, started)
        except Abandoned:
            log.warning("job %s was left to whoever has it now", job_id)
            raise
        except asyncio.CancelledError:
            # Where the job is in other hands by now, there is nothing to put back.
            with contextlib.suppress(Abandoned):
                await asyncio.shield(self._put_back(attempt, started, blameless=True))
            raise
        finally:
            del self._running[job_id]

    async def _attempt(self, attempt: Attempt, started: float) -> None:
        try:
            kept = await self._storage.look_up(attempt.job_id)
            if kept.record is None:
                # It was never accepted, or it has been removed: Redis is to forget it.
                await self._store.remove(attempt.job_id)
                raise Abandoned
            job = Job.from_record(kept.record)
            outcome = await self._outcome_or_failure(attempt, job, kept)
            await self._finish(attempt, job, outcome, time.monotonic() - started)
        except QuickThumbError as error:
            await self._put_back(attempt, started, blameless=not error.permanent)
            log.warning("job %s waits: %s", attempt.job_id, error.detail)
            raise TryAgain(self._backoff_seconds(attempt.number)) from error
        except (Abandoned, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("job %s: attempt %d went wrong", attempt.job_id, attempt.number)
            await self._put_back(attempt, started, blameless=False)
            raise TryAgain(self._backoff_seconds(attempt.number)) from error

    async def _outcome_or_failure(self, attempt: Attempt, job: Job, kept: Kept) -> Outcome:
        """How the job ended. Raises what may pass: an error that is not permanent, or one that nobody knows while
        the job has tries left."""
        try:
            return await self._outcome(attempt, job, kept)
        except QuickThumbError as error:
            if not error.permanent or self._gets_a_second_chance(attempt, error):
                raise
            return await self._conclude_failed(attempt, job, error)
        except Abandoned:
            raise
        except Exception:
            if attempt.strike < self._terms.max_attempts:
                raise
            log.exception("job %s: attempt %d went wrong, the last one", job.id, attempt.number)
            sentence = "The image could not be processed, for a reason that has been logged."
            return await self._conclude_failed(attempt, job, InternalError(sentence))

    async def _outcome(self, attempt: Attempt, job: Job, kept: Kept) -> Outcome:
        if kept.outcome is not None:
            return Outcome.model_validate_json(kept.outcome)
        if attempt.strike > self._terms.max_attempts:
            raise TooManyAttempts(f"The image was tried {self._terms.max_attempts} times and ended each of them.")
        if kept.source is None:
            raise SourceMissing("The source of the job is no longer kept.")
        outputs = [Output.model_validate(parameters) for parameters in job.outputs]
        async with self._storage.workspace(job.id, attempt.token) as folder:
            render = self._render if attempt.strike == 1 else self._confined
            # A full disk is no fault of the image; neither is a source that is just being removed.
            with translated():
                async with self._storage.local(kept.source) as path:
                    rendering = await render(path, outputs, folder)
            return await self._conclude(attempt, folder, _done(job, rendering))

    def _gets_a_second_chance(self, attempt: Attempt, error: QuickThumbError) -> bool:
        """A first attempt may have been slow for its neighbours' sake; confined, a picture has only itself to blame."""
        return isinstance(error, JobTimedOut) and attempt.strike == 1 < self._terms.max_attempts

    async def _conclude_failed(self, attempt: Attempt, job: Job, error: QuickThumbError) -> Outcome:
        failure = Failure(code=error.code, title=error.title, detail=error.detail)
        outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=failure)
        async with self._storage.workspace(job.id, attempt.token) as folder:
            return await self._conclude(attempt, folder, outcome)

    async def _conclude(self, attempt: Attempt, folder: Path, outcome: Outcome) -> Outcome:
        if not await self._store.renew(attempt, lease_seconds=self._terms.lease_seconds):
            raise Abandoned
        standing = await self._storage.conclude(attempt.job_id, folder, outcome.model_dump_json().encode())
        return Outcome.model_validate_json(standing)

    async def _finish(self, attempt: Attempt, job: Job, outcome: Outcome, busy_seconds: float) -> None:
        if self._terms.removes_source:
            # Before anyone is told of the end; what fails here the sweep does later.
            with contextlib.suppress(StorageUnavailable):
                await self._storage.remove_source(job.id)
        if not await self._store.finish(attempt, outcome, busy_seconds=busy_seconds):
            await self._clear_away_if_removed(job)
            raise Abandoned
        if outcome.error is not None:
            log.warning("job %s FAILED: %s", job.id, outcome.error.detail)
            return
        files = ", ".join(f"{result.filename} {result.width}×{result.height}" for result in outcome.results)
        log.info("job %s: image resized and saved: %s in %.0f ms", job.id, files, busy_seconds * 1000)

    async def _clear_away_if_removed(self, job: Job) -> None:
        if await self._store.get(job.id) is None:
            await self._storage.remove(job.id)

    async def _put_back(self, attempt: Attempt, started: float, *, blameless: bool) -> None:
        busy_seconds = time.monotonic() - started
        if not await self._store.put_back(attempt, blameless=blameless, busy_seconds=busy_seconds):
            raise Abandoned

    @staticmethod
    def _backoff_seconds(attempts: int) -> float:
        return float(min(LONGEST_BACKOFF_SECONDS, 2 ** (attempts - 1)))


def _done(job: Job, rendering: Rendering) -> Outcome:
    source = Source.model_validate({**job.source.model_dump(), **asdict(rendering.facts)})
    results = tuple(Result(**asdict(made)) for made in rendering.made)
    return Outcome(status=Status.DONE, finished_at=now(), source=source, results=results)
