"""Passes new events on to whoever listens in this process. However many listen, one connection reads the stream."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.queue.connection import ask
from quickthumb.queue.events import BEGINNING, Cursor, Entry, Event, cursor_in, events_in, text_of
from quickthumb.queue.keys import KEYS, Keys

log = logging.getLogger("quickthumb.web")

RECONNECT_SECONDS = 0.5
# How long one read waits for an event. After each, and once a second while there are many, the reader makes sure that
# the stream is still the one that it knows.
QUIET_SECONDS = 2.0
CHECK_SECONDS = 1.0
ANSWER_SECONDS = 5.0
BATCH = 500
# The reader ends this long after the last listener has gone.
IDLE_SECONDS = 10.0
# A listener that has so many events before it loses them.
MOST_PENDING = 256


class Receiver(Protocol):
    """One who wants to know of changes."""

    def receive(self, event: Event) -> None:
        """Takes an event. Must be quick, and must not raise."""

    def disconnected(self) -> None:
        """Events may come late from now on, since the connection to Redis is lost."""

    def lost(self) -> None:
        """Events may be missing, since Redis has lost its data or the reader fell too far behind."""


class Listener:
    """Keeps events until they are taken, at most MOST_PENDING. Of `tenant`, if one is given.

    `changed` is set whenever there is something to take. With `is_behind`, events are missing.
    """

    def __init__(self, tenant: str | None = None) -> None:
        self.changed = asyncio.Event()
        self.is_behind = False
        self._tenant = tenant
        self._pending: deque[Event] = deque()

    def receive(self, event: Event) -> None:
        if self.is_behind or not self.wants(event):
            return
        self._pending.append(event)
        if len(self._pending) > MOST_PENDING:
            self.lost()
        self.changed.set()

    def disconnected(self) -> None:
        pass

    def lost(self) -> None:
        self._pending.clear()
        self.is_behind = True
        self.changed.set()

    def wants(self, event: Event) -> bool:
        """Whether the event is for this listener, as far as its tenant says."""
        return self._tenant is None or event.tenant == self._tenant

    def take(self) -> Event | None:
        """The next event; None if there is none for now."""
        return self._pending.popleft() if self._pending else None


class EventFeed:
    """Reads the stream from the moment at which somebody listens, until nobody has for IDLE_SECONDS."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._of_job: dict[str, set[Receiver]] = {}
        self._of_all: set[Receiver] = set()
        self._reader: asyncio.Task[None] | None = None
        self._ending: anyio.CancelScope | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._reading = asyncio.Event()
        self._at: Cursor | None = None

    @property
    def is_reading(self) -> bool:
        """Whether the reader runs."""
        return self._reader is not None and not self._reader.done()

    @asynccontextmanager
    async def listening(self, receiver: Receiver, job_ids: Iterable[str] | None) -> AsyncIterator[None]:
        """Within the block, the receiver gets every event of these jobs, or of all jobs with None.

        While Redis cannot be reached, the block begins all the same, after a moment.
        """
        ids = None if job_ids is None else tuple(job_ids)
        self._add(receiver, ids)
        try:
            await self._read()
            yield
        finally:
            self._remove(receiver, ids)
            if not self._of_job and not self._of_all:
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop)

    async def close(self) -> None:
        """Stops reading."""
        self._forget_idle()
        if self._reader is not None and self._ending is not None:
            self._ending.cancel()
            await self._reader

    def _add(self, receiver: Receiver, job_ids: tuple[str, ...] | None) -> None:
        if job_ids is None:
            self._of_all.add(receiver)
        for job_id in job_ids or ():
            self._of_job.setdefault(job_id, set()).add(receiver)

    def _remove(self, receiver: Receiver, job_ids: tuple[str, ...] | None) -> None:
        self._of_all.discard(receiver)
        for job_id in job_ids or ():
            self._of_job[job_id].discard(receiver)
            if not self._of_job[job_id]:
                del self._of_job[job_id]

    def _stop(self) -> None:
        self._idle = None
        if self._ending is not None:
            self._ending.cancel()
        # Whoever comes from now on starts another reader, which begins where the stream is then.
        self._at = None
        self._reading.clear()

    def _forget_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _read(self) -> None:
        self._forget_idle()
        if self._ending is None or self._ending.cancel_called:
            self._ending = anyio.CancelScope()
            self._reader = asyncio.create_task(self._read_until(self._ending), name="event feed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reading.wait(), RECONNECT_SECONDS)

    async def _read_until(self, ending: anyio.CancelScope) -> None:
        # Use a cancel scope, since it cancels repeatedly. A single cancellation is not enough: redis-py sends with
        # `wait_for`, which may swallow it in Python 3.11.
        with ending:
            while True:
                try:
                    await self._pass_on()
                except (RedisError, OSError):
                    pass  # the client's own commands tell of an outage
                except Exception:
                    log.exception("Events could not be read")
                self._reading.clear()
                for receiver in self._receivers():
                    receiver.disconnected()
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _pass_on(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._connection() as connection:
            self._at = await self._checked(self._at)
            checked = clock()
            self._reading.set()
            while True:
                entries = await self._next(connection, self._at)
                if entries:
                    self._at = cursor_in(entries[-1][0])
                    for event in events_in(entries):
                        self._deliver(event)
                if not entries or clock() - checked >= CHECK_SECONDS:
                    self._at, checked = await self._checked(self._at), clock()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection of its own, since a read may wait for longer than a command may take."""
        pool = self._redis.connection_pool
        connection = await pool.get_connection()
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection.disconnect(nowait=True)
                await pool.release(connection)

    async def _next(self, connection: Any, after: Cursor) -> list[Entry]:
        words = ("BLOCK", int(QUIET_SECONDS * 1000), "COUNT", BATCH, "STREAMS", self._keys.events, text_of(after))
        await connection.send_command("XREAD", *words)
        answer = await connection.read_response(timeout=QUIET_SECONDS + ANSWER_SECONDS)
        return answer[0][1] if answer else []

    async def _checked(self, at: Cursor | None) -> Cursor:
        """Where to go on. Tells everybody if the stream no longer has what came right after `at`: it was wiped, or
        trimmed before it could be read."""
        first, last = await self._end("XRANGE", "-", "+"), await self._end("XREVRANGE", "+", "-")
        if at is None or at == BEGINNING:
            return last if at is None else at
        if first <= at <= last:
            return at
        for receiver in self._receivers():
            receiver.lost()
        return last

    async def _end(self, command: str, start: str, stop: str) -> Cursor:
        found: list[Entry] = await ask(self._redis, command, self._keys.events, start, stop, "COUNT", 1)
        return cursor_in(found[0][0]) if found else BEGINNING

    def _deliver(self, event: Event) -> None:
        for receiver in (*self._of_job.get(event.job_id, ()), *self._of_all):
            receiver.receive(event)

    def _receivers(self) -> set[Receiver]:
        return self._of_all.union(*self._of_job.values())
