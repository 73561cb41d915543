"""Pushes images, several at once: uploads each, waits for its job, downloads the results and writes the journal."""

import asyncio
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path

from quickthumb.cli.pushing.folder import Photo, place_of
from quickthumb.cli.pushing.journal import Entry, Journal
from quickthumb.cli.pushing.report import Ending, Report
from quickthumb.client import AsyncClient, DamagedDownload, Job, Problem, Status, UnexpectedAnswer, Unreachable
from quickthumb.client.downloads import PART_PREFIX, PART_SUFFIX
from quickthumb.client.exchange import TEMPORARY

# The answers to an upload whose idempotency key belongs to a job that is gone, or to another content of the file.
USED_KEY = frozenset({"unknown_job", "idempotency_key_reused"})


class CannotGoOn(Exception):
    """What happened to this image would happen to all others: the run must stop. The message is one sentence."""


class Run:
    """One run of the command: `order` are the fields of every upload, and `retry` says to try again what failed."""

    def __init__(
        self, client: AsyncClient, journal: Journal, out: Path, order: Sequence[tuple[str, str]], *, retry: bool
    ) -> None:
        self._client = client
        self._journal = journal
        self._out = out
        self._order = order
        self._retry = retry

    async def push_all(self, photos: Iterable[Photo], report: Report, *, at_once: int) -> None:
        """Push the images, `at_once` at a time. Raises CannotGoOn, once those under way are stopped."""
        remaining = iter(photos)

        async def work() -> None:
            for photo in remaining:  # every worker takes the next one
                report.ended(await self._push(photo))

        stopped: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())
        except* CannotGoOn as stops:
            stopped = stops
        while isinstance(stopped, BaseExceptionGroup):
            stopped = stopped.exceptions[0]
        if stopped is not None:  # raised here, since older releases of Python wrap what is raised in `except*`
            raise CannotGoOn(str(stopped)) from None

    async def _push(self, photo: Photo) -> Ending:
        known = self._journal.entry(photo)
        if known is not None and self._journal.is_done(known):
            return _ending(known, "kept")
        if known is not None and known.status == "failed" and not self._retry:
            return _ending(known, "failed")
        try:
            return _ending(await self._pushed(photo, known))
        except (Unreachable, OSError) as error:
            raise CannotGoOn(_sentence(error)) from error

    async def _pushed(self, photo: Photo, known: Entry | None) -> Entry:
        try:
            return await self._with_results(photo, known)
        except Problem as problem:
            if problem.status in TEMPORARY:
                raise CannotGoOn(str(problem)) from problem
            code, reason = problem.code, str(problem)
        except (DamagedDownload, UnexpectedAnswer) as error:
            code, reason = "unexpected_answer", str(error)
        except _Unreadable as error:
            code, reason = "unreadable", str(error)
        return self._journal.note(photo, "failed", code=code, reason=reason)

    async def _with_results(self, photo: Photo, known: Entry | None) -> Entry:
        try:
            return await self._made(photo, await self._job(photo, known))
        except Problem as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
        # The job or its results have been removed meanwhile.
        return await self._made(photo, await self._uploaded(photo, None))

    async def _job(self, photo: Photo, known: Entry | None) -> Job:
        """The job of an earlier run, if there is one that may still give results, or else a new one."""
        job_id = self._journal.job_of(known) if known is not None else None
        if job_id is None:
            return await self._uploaded(photo, self._journal.idempotency_key(photo))
        job = await self._client.find(job_id)
        if not self._retry or job.status not in (Status.FAILED, Status.CANCELLED):
            return job
        if job.status is Status.FAILED:
            try:
                return await self._client.retry(job)
            except Problem as problem:
                if problem.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):  # else its source is gone
                    raise
        return await self._uploaded(photo, None)

    async def _uploaded(self, photo: Photo, key: str | None) -> Job:
        try:
            job = await self._client.upload(photo.path, order=self._order, idempotency_key=key)
        except Problem as problem:
            if key is None or problem.code not in USED_KEY:
                raise
            return await self._uploaded(photo, None)
        except OSError as error:
            raise _Unreadable(f"Cannot read the file: {error.strerror or error}.") from error
        self._journal.note(photo, "accepted", job=job.id)
        return job

    async def _made(self, photo: Photo, job: Job) -> Entry:
        job = job if job.status.ended else await self._client.wait(job)
        if job.error is not None:
            return self._journal.note(photo, "failed", job=job.id, code=job.error.code, reason=job.error.detail)
        if job.status is Status.CANCELLED:
            return self._journal.note(photo, "failed", job=job.id, code="cancelled", reason="The job was cancelled.")
        folder = self._out / photo.name
        await asyncio.to_thread(_prepare, folder)
        files = {}
        for number, result in enumerate(job.results.values(), start=1):
            place = await self._client.download(result, folder / place_of(result, number))
            files[f"{photo.name}/{place.name}"] = result.bytes
        return self._journal.note(photo, "done", job=job.id, files=files)


class _Unreadable(Exception):
    """The image itself cannot be read."""


def _prepare(folder: Path) -> None:
    """Make the folder for an image's results, and remove what a run that was killed left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def _ending(entry: Entry, status: str | None = None) -> Ending:
    return Ending(entry.path, status or entry.status, entry.job, tuple(entry.files), entry.code, entry.reason)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"Cannot write {error.filename or 'the results'}: {error.strerror or error}."
    return str(error)
