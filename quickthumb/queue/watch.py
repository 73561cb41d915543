"""Waiting for a job to change without asking again and again: one subscription for all who wait in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.queue import keys

RECONNECT_SECONDS = 0.5
# How long one reading of the subscription waits; nothing happens when it passes.
QUIET_SECONDS = 60.0


class JobWatch:
    """Tells who waits for a job when that job changed.

    A change is a hint to look again, never the truth itself: one may be missed while Redis is away, and waking
    without a change is allowed. Whoever waits reads the job again, and does so now and then unasked.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each change of the job, from now on until the block is left."""
        changed = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(changed)
        try:
            await self._listen()
            yield changed
        finally:
            self._waiting[job_id].discard(changed)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def close(self) -> None:
        """Stops listening."""
        # Once is not always enough: in Python 3.11 `wait_for`, with which redis-py sends, may swallow it.
        while self._listener is not None and not self._listener.done():
            self._listener.cancel()
            await asyncio.wait([self._listener], timeout=RECONNECT_SECONDS)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen_forever(), name="job watch")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), RECONNECT_SECONDS)

    async def _listen_forever(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._pass_on_changes()
            self._listening.clear()
            self._wake(set().union(*self._waiting.values()))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _pass_on_changes(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(keys.EVENTS)
            while True:
                message = await subscription.get_message(timeout=QUIET_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._listening.set()
                elif message["type"] == "message":
                    job_id = message["data"].decode().partition(" ")[0]
                    self._wake(self._waiting.get(job_id, set()))

    @staticmethod
    def _wake(events: set[asyncio.Event]) -> None:
        for event in events:
            event.set()
