"""The verbs that follow jobs and batches: they tell events one by one, from any moment that the stream still holds.

What they tell is complete and in order: events come from the feed, and a first look at the jobs comes with the place of
the stream at that moment. Where events are missing (Redis was wiped, the listener was too slow), a reset says so, and a
new look takes their place.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence, Set
from contextlib import contextmanager

from quickthumb.model.batch import BatchRecord
from quickthumb.model.caller import Caller
from quickthumb.model.job import is_id
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.events import EventLog
from quickthumb.queue.feed import EventFeed, Listener
from quickthumb.service.batch_records import BatchRecords
from quickthumb.service.endings import Endings
from quickthumb.service.errors import StreamsFull, TooManyStreams, UnknownBatch, UnknownJob
from quickthumb.service.follower import Follower
from quickthumb.service.rebuilding import Rebuilding
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.tenancy import unknown_job
from quickthumb.service.told import Alive, BatchEnded, Goodbye, Opened, Told
from quickthumb.service.waits import Waits
from quickthumb.work.batch_ends import BatchEnds

# How soon to look again after Redis could not be reached.
RETRY_SECONDS = 1.0
# Who follows all jobs is told together of what happens within this time: otherwise, many such listeners would keep a
# busy process from its other work.
GATHER_SECONDS = 0.25
# How soon to look again whether a batch has ended whose jobs have.
LOOK_AGAIN_SECONDS = 1.0
# What a client sends back that was told of the end of a batch which it follows.
END = "end"


class EventService:
    """Follows jobs for listeners: at most as many in this process, and of one address, as there are `places`."""

    def __init__(
        self,
        log: EventLog,
        feed: EventFeed,
        records: BatchRecords,
        ends: BatchEnds,
        shutdown: Shutdown,
        places: Waits,
        rebuilding: Rebuilding,
        *,
        heartbeat_seconds: float,
    ) -> None:
        self._log = log
        self._endings = Endings(log, ends)
        self._records = records
        self._ends = ends
        self._feed = feed
        self._shutdown = shutdown
        self._places = places
        self._rebuilding = rebuilding
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
        with self._place(caller):
            try:
                async for news in self._follow(caller, job_ids, after):
                    yield news
            except UnknownJob:
                await self._rebuilding.check(caller, job_ids or ())
                raise

    async def follow_batch(self, caller: Caller, batch_id: str, after: str | None) -> AsyncIterator[Sequence[Told]]:
        """Tells what happens to the jobs of a batch, as `follow` does, and at last that the batch has ended.

        Tells nothing at all if that was told: if `after` is END. Raises UnknownBatch, in place of UnknownJob.
        """
        with self._place(caller):
            record = await self._records.find(batch_id)
            if record is None or not (record.tenant == caller.tenant or caller.is_bearer_of_url):
                raise UnknownBatch("There is no batch with this id; it may have expired.")
            if after == END and (await self._records.batch(record)).has_ended:
                return
            async for news in self._follow_batch(caller, record, None if after == END else after):
                yield news

    async def _follow_batch(
        self, caller: Caller, record: BatchRecord, after: str | None
    ) -> AsyncIterator[Sequence[Told]]:
        followed: set[str] = set()
        opening: list[Told] = [Opened()]
        while not self._shutdown.begun and await self._records.find(record.id) is not None:
            try:
                job_ids = await self._jobs_besides(followed, record)
                if job_ids or opening:
                    async for news in self._follow(caller, job_ids, None if followed else after):
                        opening = []
                        yield news
                    followed.update(job_ids)
                end = await self._ends.known(record.id)
            except UnknownJob:  # removed just now
                continue
            except QueueUnavailable:
                if opening:
                    raise
                end = None
            if end is not None:
                yield [*opening, BatchEnded(None, record.id, end)]
                return
            # More images may come, or somebody is about to find the end.
            yield [*opening, Alive()]
            opening = []
            await self._shutdown_within(LOOK_AGAIN_SECONDS)
        yield [Goodbye()]

    async def _jobs_besides(self, followed: Set[str], record: BatchRecord) -> list[str]:
        """The ids of those jobs of the batch that are not followed yet."""
        batch = await self._records.batch(record)
        return [job.id for job in batch.jobs.values() if job.id not in followed]

    async def _shutdown_within(self, seconds: float) -> bool:
        begun = asyncio.Event()
        with self._shutdown.wakes(begun):
            return await _is_set(begun, seconds)

    async def _follow(
        self, caller: Caller, job_ids: Sequence[str] | None, after: str | None
    ) -> AsyncIterator[Sequence[Told]]:
        listener = Listener(None if caller.is_bearer_of_url else caller.tenant)
        with self._shutdown.wakes(listener.changed):
            async with self._feed.listening(listener, job_ids):
                follower = Follower(self._log, self._endings, listener, caller, job_ids)
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
    async def _news(follower: Follower, listener: Listener, *, is_quiet: bool) -> list[Told]:
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
