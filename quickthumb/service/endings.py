"""The jobs that have just ended, read once for all listeners of this process that are told of it."""

import asyncio
from collections import OrderedDict

from quickthumb.model.job import Job
from quickthumb.queue.events import Cursor, Event, EventLog

# Listeners are told of an event within moments of each other.
MOST_REMEMBERED = 64


class Endings:
    """Remembers the last of what it has read."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._read: OrderedDict[Cursor, asyncio.Task[Job | None]] = OrderedDict()

    async def job(self, event: Event) -> Job | None:
        """The job that the event says has ended; None if it was removed or retried since. Raises QueueUnavailable."""
        reading = self._read.get(event.cursor)
        if reading is None:
            reading = self._read[event.cursor] = asyncio.create_task(self._find(event), name="ended job")
            while len(self._read) > MOST_REMEMBERED:
                self._read.popitem(last=False)
        # One listener may hang up while others wait for the same.
        return await asyncio.shield(reading)

    async def _find(self, event: Event) -> Job | None:
        job = (await self._log.moment([event.job_id])).jobs.get(event.job_id)
        return job if job is not None and job.status is event.status else None
