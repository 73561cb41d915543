"""The verbs about the whole deployment, all tenants together. Only for the operator."""

import asyncio
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

from quickthumb import __version__
from quickthumb.model.caller import Caller
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.failures import FailedJobs
from quickthumb.queue.history import History, Span
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.server import RedisServer, RedisState
from quickthumb.queue.workers import Worker, Workers
from quickthumb.service.errors import NotForTenants
from quickthumb.service.failures import NEWEST, Failures, failures_of
from quickthumb.service.stats import Point, Stats, points_of, stats_of
from quickthumb.storage.space import DiskSpace


@dataclass(frozen=True, slots=True)
class WebProcess:
    """The web process that answers. `started_at` is a Unix time by the clock of its machine."""

    host: str
    pid: int
    version: str
    started_at: float


@dataclass(frozen=True, slots=True)
class System:
    """What the deployment runs on. `disk` or `redis` is None if it cannot be asked now."""

    disk: DiskSpace | None
    redis: RedisState | None
    web: WebProcess


class Deployment:
    """Numbers of the whole deployment. Every verb raises NotForTenants unless the caller is the operator, and
    QueueUnavailable unless it says otherwise."""

    def __init__(
        self,
        store: JobStore,
        history: History,
        workers: Workers,
        failed: FailedJobs,
        redis: RedisServer,
        disk: Callable[[], DiskSpace],
    ) -> None:
        """`disk` looks at the disk of the storage, and may wait; it raises StorageUnavailable."""
        self._store = store
        self._history = history
        self._workers = workers
        self._failed = failed
        self._redis = redis
        self._disk = disk
        self._web = WebProcess(platform.node(), os.getpid(), __version__, time.time())

    async def stats(self, caller: Caller) -> Stats:
        """The numbers of this moment and of the last hour, day and week, as far back as workers have run."""
        _check(caller)
        tally, snapshots = await asyncio.gather(self._store.tally(), self._history.read())
        return stats_of(tally, snapshots)

    async def points(self, caller: Caller, span: Span) -> list[Point]:
        """The chart of a span, oldest first, up to this moment."""
        _check(caller)
        tally, snapshots = await asyncio.gather(self._store.tally(), self._history.read([span]))
        return points_of(span, tally, snapshots[span.name])

    async def workers(self, caller: Caller) -> list[Worker]:
        """The workers that are alive, and what each is doing."""
        _check(caller)
        return await self._workers.live()

    async def failures(self, caller: Caller, span: Span) -> Failures:
        """Why jobs FAILED in a span, and which of those are kept."""
        _check(caller)
        tally, snapshots, found = await asyncio.gather(
            self._store.tally(), self._history.read([span]), self._failed.newest(NEWEST)
        )
        return failures_of(stats_of(tally, snapshots).windows[span.name], found)

    async def system(self, caller: Caller) -> System:
        """What the deployment runs on. Never raises QueueUnavailable: what cannot be asked is None."""
        _check(caller)
        disk, redis = await asyncio.gather(self._look_at_disk(), self._look_at_redis())
        return System(disk, redis, self._web)

    async def _look_at_disk(self) -> DiskSpace | None:
        try:
            return await asyncio.to_thread(self._disk)
        except QuickThumbError:
            return None

    async def _look_at_redis(self) -> RedisState | None:
        try:
            return await self._redis.state()
        except QuickThumbError:
            return None


def _check(caller: Caller) -> None:
    if not caller.runs_deployment:
        raise NotForTenants("These are the numbers of the whole service.")
