"""The jobs that have just ended, and batches with them, read once for all listeners of this process that are told."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from quickthumb.model.batch import BatchEnd
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Job
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.events import Cursor, Event, EventLog
from quickthumb.work.batch_ends import BatchEnds

T = TypeVar("T")

# Listeners are told of an event within moments of each other.
MOST_REMEMBERED = 64


class Endings:
    """Remembers the last of what it has read. Its methods raise QueueUnavailable."""

    def __init__(self, log: EventLog, batches: BatchEnds) -> None:
        self._log = log
        self._batches = batches
        self._jobs: _Readings[Job] = _Readings()
        self._ends: _Readings[BatchEnd] = _Readings()

    async def job(self, event: Event) -> Job | None:
        """The job that the event says has ended; None if it was removed or retried since."""
        return await self._jobs.of(event.cursor, lambda: self._find(event))

    async def batch(self, event: Event, job: Job) -> BatchEnd | None:
        """The end of the batch of the job, if the event tells of the last of its jobs to end."""
        return await self._ends.of(event.cursor, lambda: self._find_last(event, job))

    async def told(self, event: Event) -> BatchEnd | None:
        """The end of the batch that the event tells of; None if the batch is not kept any more."""
        return await self._ends.of(event.cursor, lambda: self._known(event.job_id))

    async def _find(self, event: Event) -> Job | None:
        job = (await self._log.moment([event.job_id])).jobs.get(event.job_id)
        return job if job is not None and job.status is event.status else None

    async def _find_last(self, event: Event, job: Job) -> BatchEnd | None:
        end = None if job.batch is None else await self._known(job.batch)
        # A job that was retried after the end of its batch ends later.
        if end is None or job.batch is None or job.finished_at is None or job.finished_at > end.finished_at:
            return None
        siblings = await self._batches.jobs_over(job.batch)
        if siblings is None:
            return None
        later = await self._log.since(event.cursor)
        is_last = not any(one.job_id in siblings and one.status and one.status.ended for one in later or ())
        return end if is_last else None

    async def _known(self, batch_id: str) -> BatchEnd | None:
        try:
            return await self._batches.known(batch_id)
        except QueueUnavailable:
            raise
        except QuickThumbError:  # the storage cannot be read for the moment; nobody is told then
            return None


class _Readings(Generic[T]):
    """What was read, or is being read, because of each of the last events."""

    def __init__(self) -> None:
        self._read: OrderedDict[Cursor, asyncio.Task[T | None]] = OrderedDict()

    async def of(self, cursor: Cursor, read: Callable[[], Coroutine[Any, Any, T | None]]) -> T | None:
        reading = self._read.get(cursor)
        if reading is None:
            reading = self._read[cursor] = asyncio.create_task(read(), name="ending")
            while len(self._read) > MOST_REMEMBERED:
                self._read.popitem(last=False)
        # One listener may hang up while others wait for the same.
        return await asyncio.shield(reading)
