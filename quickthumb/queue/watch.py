"""Waiting for a job to change without polling: one subscription serves all waiting requests of this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from quickthumb.queue.keys import KEYS, Keys

RECONNECT_SECONDS = 0.5
# How long one read of the subscription waits for a message. After that, the listener just reads again.
QUIET_SECONDS = 60.0


class JobWatch:
    """Notifies waiting requests when their job has changed.

    A notification is only a hint to read the job again: notifications get lost while Redis is unreachable, and may also
    come without a change. So a waiting request must read the job again after each notification, and also periodically
    without a notification.
    """

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._ending: anyio.CancelScope | None = None
        self._listening = asyncio.Event()

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each change of the job, until the block is left. The caller clears it."""
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
        if self._listener is not None and self._ending is not None:
            self._ending.cancel()
            await self._listener

    async def _listen(self) -> None:
        if self._listener is None:
            self._ending = anyio.CancelScope()
            self._listener = asyncio.create_task(self._listen_until(self._ending), name="job watch")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), RECONNECT_SECONDS)

    async def _listen_until(self, ending: anyio.CancelScope) -> None:
        # Use a cancel scope, since it cancels repeatedly. A single cancellation is not enough: redis-py sends with
        # `wait_for`, which may swallow it in Python 3.11.
        with ending:
            while True:
                with contextlib.suppress(RedisError, OSError):
                    await self._pass_on_changes()
                self._listening.clear()
                self._wake(set().union(*self._waiting.values()))
                await asyncio.sleep(RECONNECT_SECONDS)

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[PubSub]:
        subscription = self._redis.pubsub()
        try:
            await subscription.subscribe(self._keys.events)
            yield subscription
        finally:
            with anyio.CancelScope(shield=True):
                await subscription.aclose()  # type: ignore[no-untyped-call]

    async def _pass_on_changes(self) -> None:
        async with self._subscription() as subscription:
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
