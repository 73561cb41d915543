"""What one listener has been sent so far, and what comes next.

Everything comes from the jobs as they are and from the stream of events; when to look is up to `events`.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence

from quickthumb.model.batch import BatchEnd
from quickthumb.model.caller import Caller
from quickthumb.model.job import Job
from quickthumb.queue.events import Cursor, Event, EventLog, Moment, read_cursor
from quickthumb.queue.feed import Listener
from quickthumb.service.endings import Endings
from quickthumb.service.followed import Followed
from quickthumb.service.tenancy import owns, unknown_job
from quickthumb.service.told import BatchEnded, Changed, Ended, Opened, Reached, Ready, Reset, Snapshot, Told

# A job that Redis lost comes back when it is rebuilt. One that is unknown for longer was removed.
MISSING_SECONDS = 120.0
# Recent ends of batches are remembered, so that none is sent twice.
MOST_TOLD_BATCHES = 256


class Follower:
    """What one listener has been sent so far."""

    def __init__(
        self,
        log: EventLog,
        endings: Endings,
        listener: Listener,
        caller: Caller,
        job_ids: Sequence[str] | None,
    ) -> None:
        self._log = log
        self._endings = endings
        self._listener = listener
        self._caller = caller
        self._job_ids = tuple(job_ids or ())
        self._is_limited = job_ids is not None
        self._cursor: Cursor = (0, 0)
        self._followed = Followed(is_limited=self._is_limited)
        self._told_batches: deque[str] = deque(maxlen=MOST_TOLD_BATCHES)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen."""
        return self._followed.is_over

    async def begin(self, after: str | None) -> AsyncIterator[Told]:
        """Yields the jobs as they are, or the events after the one with this id."""
        moment = await self._moment(self._job_ids)
        if after is None and len(moment.jobs) < len(self._job_ids):
            raise unknown_job()
        cursor = read_cursor(after) if after else None
        # After the moment, so that whatever ended a job by then is among what was missed.
        missed = await self._log.since(cursor) if cursor else None
        if cursor is not None and missed is not None:
            async for told in self._resumed(moment, cursor, missed):
                yield told
            return
        self._cursor = moment.cursor
        yield Opened()
        if after is not None:
            yield Reset()
        for each in self._shown(moment):
            yield each

    async def _resumed(self, moment: Moment, cursor: Cursor, events: Sequence[Event]) -> AsyncIterator[Told]:
        unended = [job for job in moment.jobs.values() if not job.status.ended]
        missed = [event for event in events if self._is_asked(event) and self._listener.wants(event)]
        known = {event.job_id for event in missed} | {job.id for job in unended}
        self._cursor = cursor
        self._followed.expect(job_id for job_id in self._job_ids if job_id in known)
        for job in unended:
            self._followed.see(job)
        if not self.is_over:
            yield Opened()
        for event in missed:
            async for told in self._told(event):
                yield told

    async def go_on(self) -> AsyncIterator[Told]:
        """Yields what has arrived for the listener."""
        if self._listener.is_behind:
            # First, so that the listener takes what comes while Redis answers.
            self._listener.is_behind = False
            moment = await self._moment(self._job_ids)
            self._cursor = moment.cursor
            yield Reset()
            for told in self._shown(moment):
                yield told
        while event := self._listener.take():
            if event.cursor > self._cursor:
                async for told in self._told(event):
                    yield told

    async def look_again(self) -> AsyncIterator[Told]:
        """Checks whether jobs changed without an event: a rebuild of Redis and workers of an older release add none."""
        job_ids = self._followed.job_ids
        if not job_ids:
            return
        moment = await self._moment(job_ids)
        self._cursor = max(self._cursor, moment.cursor)
        for job_id in job_ids:
            job = moment.jobs.get(job_id)
            if job is None:
                if self._followed.miss(job_id, time.monotonic()) > MISSING_SECONDS:
                    self._followed.end(job_id)
                    yield Changed(Event(self._cursor, job_id, self._caller.tenant))
            elif self._followed.is_news(job):
                for told in self._shown_job(job):
                    yield told
                yield Reached(self._cursor)

    async def _moment(self, job_ids: Sequence[str]) -> Moment:
        moment = await self._log.moment(job_ids)
        if not all(owns(self._caller, job) for job in moment.jobs.values()):
            raise unknown_job()
        return moment

    def _is_asked(self, event: Event) -> bool:
        return not self._job_ids or event.job_id in self._job_ids

    def _shown(self, moment: Moment) -> Iterator[Told]:
        self._followed.expect(self._job_ids)
        for job_id in self._job_ids:
            if job_id in moment.jobs:
                yield from self._shown_job(moment.jobs[job_id])
            else:
                self._followed.miss(job_id, time.monotonic())
        yield Reached(self._cursor)

    def _shown_job(self, job: Job) -> Iterator[Told]:
        self._followed.see(job)
        yield Snapshot(job)
        if job.status.ended:
            yield from self._ended(job, None)

    async def _told(self, event: Event) -> AsyncIterator[Told]:
        self._cursor = event.cursor
        if event.is_batch:
            async for told in self._told_of_batch(event):
                yield told
            return
        if not self._followed.has(event.job_id):
            return
        if event.result is not None:
            self._followed.tell_result(event.job_id, event.result.name)
            yield Ready(event.cursor, event.job_id, event.result)
            return
        if event.status is None or not event.status.ended:
            self._followed.note(event)
            yield Changed(event)
            return
        async for told in self._told_end(event):
            yield told

    async def _told_end(self, event: Event) -> AsyncIterator[Told]:
        job = await self._endings.job(event)
        if job is not None:
            batch = None if self._is_limited or job.batch is None else await self._endings.batch(event, job)
            # A client that resumes after the end of the job must get the batch again.
            for told in self._ended(job, None if batch else event.cursor):
                yield told
            if batch is not None and job.batch is not None:
                yield self._batch_ended(event.cursor, job.batch, batch)
        else:  # it was removed or retried since
            self._followed.end(event.job_id)
            yield Changed(event)

    async def _told_of_batch(self, event: Event) -> AsyncIterator[Told]:
        """Yields the end of a batch whose last job had ended before, or was removed."""
        if self._is_limited or event.job_id in self._told_batches:
            return
        end = await self._endings.told(event)
        if end is not None:
            yield self._batch_ended(event.cursor, event.job_id, end)

    def _batch_ended(self, cursor: Cursor, batch_id: str, end: BatchEnd) -> Told:
        self._told_batches.append(batch_id)
        return BatchEnded(cursor, batch_id, end)

    def _ended(self, job: Job, cursor: Cursor | None) -> Iterator[Told]:
        told = self._followed.end(job.id)
        for result in job.results:
            if result.name not in told:
                yield Ready(None, job.id, result)
        yield Ended(cursor, job)
