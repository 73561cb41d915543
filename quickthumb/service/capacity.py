"""Whether the queue and the storage take one more job: asked for each upload, but looked up at most once per second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import QueueFull
from quickthumb.storage import Storage

# How long a good answer counts.
REMEMBERED_SECONDS = 1.0


class Capacity:
    """The room for more jobs, as one process sees it.

    Remembers only that there was room, and counts the jobs that this process has added since. When they would fill the
    queue, it looks again.
    """

    def __init__(
        self, store: JobStore, storage: Storage, *, max_queued: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._storage = storage
        self._max_queued = max_queued
        self._clock = clock
        self._looking: asyncio.Task[None] | None = None
        self._good_until: float | None = None
        self._queued = 0

    @asynccontextmanager
    async def checked(self) -> AsyncIterator[None]:
        """Raises QueueFull, QueueUnavailable, DiskFull, StorageUnavailable or WrongStorage if there is no room now.

        If the block ends with such an error, the next request looks again. An error of the client's says nothing about
        the room.
        """
        await self._check()
        try:
            yield
        except QuickThumbError as error:
            if not error.permanent and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._good_until = None
            raise

    async def _check(self) -> None:
        if self._good_until is not None and self._clock() < self._good_until and self._queued < self._max_queued:
            return
        # Requests that come in the meantime wait for the same look, also if the client of the first one goes away.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="look for room")
        await asyncio.shield(self._looking)

    def added(self) -> None:
        """Counts a job that this process has added."""
        self._queued += 1

    async def _look(self) -> None:
        self._good_until = None
        self._queued = 0
        begun = self._clock()
        queued, _ = await asyncio.gather(self._store.probe(), self._storage.probe())
        if queued >= self._max_queued:
            raise QueueFull(f"{queued} jobs are already waiting.")
        # Jobs that were added during the look may count twice. That only makes the next look earlier.
        self._queued += queued
        self._good_until = begun + REMEMBERED_SECONDS
