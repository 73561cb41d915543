"""Waiting for a job to change without polling: the feed of events serves all waiting requests of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from quickthumb.queue.events import Event
from quickthumb.queue.feed import EventFeed
from quickthumb.queue.keys import KEYS, Keys


class JobWatch:
    """Notifies waiting requests when their job has changed.

    A notification is only a hint to read the job again: notifications get lost while Redis is unreachable, and may also
    come without a change. So a waiting request must read the job again after each notification, and also periodically
    without a notification.
    """

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self.feed = EventFeed(redis, keys)

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each change of the job, until the block is left. The caller clears it."""
        waiting = _Waiting()
        async with self.feed.listening(waiting, (job_id,)):
            yield waiting.changed

    async def close(self) -> None:
        """Stops listening."""
        await self.feed.close()


class _Waiting:
    """One request that waits."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    def receive(self, event: Event) -> None:
        self.changed.set()

    def disconnected(self) -> None:
        self.changed.set()

    def lost(self) -> None:
        self.changed.set()
