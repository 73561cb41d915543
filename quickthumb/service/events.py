"""The verb that follows jobs: it tells their events one by one, from any moment that the stream still holds.

What it tells is complete and in order: events come from the feed, and a first look at the jobs comes with the place of
the stream at that moment. Where events are missing (Redis was wiped, the listener was too slow), a reset says so, and a
new look takes their place.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from quickthumb.model.caller import Caller
from quickthumb.model.job import Job, Result, is_id
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.events import Cursor, Event, EventLog, Moment, read_cursor
from quickthumb.queue.feed import EventFeed, Listener
from quickthumb.service.endings import Endings
from quickthumb.service.errors import StreamsFull, TooManyStreams
from quickthumb.service.followed import Followed
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.tenancy import owns, unknown_job
from quickthumb.service.waits import Waits

# How soon to look again after Redis could not be reached.
RETRY_SECONDS = 1.0
# Who follows all jobs is told together of what happens within this time: otherwise, many such listeners would keep a
# busy process from its other work.
GATHER_SECONDS = 0.25
# A job that Redis lost comes back when it is rebuilt. One that is unknown for longer was removed.
MISSING_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream begins."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Events are missing. Snapshots of the jobs follow, if jobs were named."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Everything up to `cursor` was told: only from here on can a listener go on later."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job as it is."""

    job: Job


@dataclass(frozen=True, slots=True)
class Changed:
    """A job changed."""

    event: Event


@dataclass(frozen=True, slots=True)
class Ready:
    """A result is ready. The `cursor` is None if more is told of the same event."""

    cursor: Cursor | None
    job_id: str
    result: Result


@dataclass(frozen=True, slots=True)
class Ended:
    """A job has ended. The `cursor` is None within what begins with a snapshot."""

    cursor: Cursor | None
    job: Job


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing has happened for a while."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """This process ends; another one can go on."""


Told = Opened | Reset | Reached | Snapshot | Changed | Ready | Ended | Alive | Goodbye


class EventService:
    """Follows jobs for listeners: at most as many in this process, and of one address, as there are `places`."""

    def __init__(
        self, log: EventLog, feed: EventFeed, shutdown: Shutdown, places: Waits, *, heartbeat_seconds: float
    ) -> None:
        self._log = log
        self._endings = Endings(log)
        self._feed = feed
        self._shutdown = shutdown
        self._places = places
        self._heartbeat_seconds = heartbeat_seconds

    async def follow(
        self, caller: Caller, job_ids: Sequence[str] | None, after: str | None
    ) -> AsyncIterator[Sequence[Told]]:
        """Tells what happens to these jobs until all have ended, or to all of the caller's tenant with None: each time
        what there is to tell, at least one thing.

        Begins with snapshots of the jobs, or with what came after the event with the id `after`. Tells nothing at all
        if all of them had ended by then. Before it tells anything, raises UnknownJob, TooManyStreams, StreamsFull or
        QueueUnavailable; after that, it waits for Redis to come back.
        """
        if not all(map(is_id, job_ids or ())):
            raise unknown_job()
        listener = Listener(None if caller.is_bearer_of_url else caller.tenant)
        with self._place(caller), self._shutdown.wakes(listener.changed):
            async with self._feed.listening(listener, job_ids):
                follower = _Follower(self._log, self._endings, listener, caller, job_ids)
                if begun := [told async for told in follower.begin(after)]:
                    yield begun
                while not follower.is_over:
                    if self._shutdown.begun:
                        yield [Goodbye()]
                        return
                    # Not all at once, since each then looks at its jobs.
                    patience = self._heartbeat_seconds * random.uniform(0.7, 1)  # noqa: S311 - it spreads load
                    is_quiet = not await _is_set(listener.changed, patience)
                    if job_ids is None and not is_quiet:
                        await asyncio.sleep(GATHER_SECONDS)
                    if news := await self._news(follower, listener, is_quiet=is_quiet):
                        yield news

    @staticmethod
    async def _news(follower: "_Follower", listener: Listener, *, is_quiet: bool) -> list[Told]:
        news: list[Told] = [Alive()] if is_quiet else []
        try:
            async for told in follower.look_again() if is_quiet else follower.go_on():
                news.append(told)  # noqa: PERF401 - what was told before an error counts
        except QueueUnavailable:
            listener.lost()
            await asyncio.sleep(RETRY_SECONDS)
            news.append(Alive())
        return news

    @contextmanager
    def _place(self, caller: Caller) -> Iterator[None]:
        with self._places.place(caller.address) as has_place:
            if not has_place and self._places.is_full:
                raise StreamsFull("This server has as many streams of events as it may have.")
            if not has_place:
                raise TooManyStreams("Your network address has as many streams of events as it may have.")
            yield


async def _is_set(changed: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return False
    changed.clear()
    return True


class _Follower:
    """What one listener was told so far."""

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
        self._cursor: Cursor = (0, 0)
        self._followed = Followed(is_limited=job_ids is not None)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen."""
        return self._followed.is_over

    async def begin(self, after: str | None) -> AsyncIterator[Told]:
        """Tells how the jobs are, or what came after the event with this id."""
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
        """Tells what the listener has got."""
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
        """Looks whether jobs changed without an event: a rebuild of Redis and workers of an older release make none."""
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
        job = await self._endings.job(event)
        if job is not None:
            for told in self._ended(job, event.cursor):
                yield told
        else:  # it was removed or retried since
            self._followed.end(event.job_id)
            yield Changed(event)

    def _ended(self, job: Job, cursor: Cursor | None) -> Iterator[Told]:
        told = self._followed.end(job.id)
        for result in job.results:
            if result.name not in told:
                yield Ready(None, job.id, result)
        yield Ended(cursor, job)
