"""The connections of an arq worker: they sleep in Redis until there is work, and outlive a Redis that goes away.

arq takes a pool of one's own making; three of its habits are mended here, in what the pool answers. It polls the
queue at intervals: this pool's reading of the queue returns only when something is due, or after a second. It reads
the head of the queue, running jobs included: this pool leaves those out. It marks a job as running for minutes: this
pool shortens the mark to a lease.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, WatchError

from quickthumb.jobs import codec, keys, scripts

# The longest sleep: a lease that lapses wakes nobody, so everyone looks now and then.
LONGEST_SLEEP_SECONDS = 1.0
# How far into the queue to look for something that no worker is running.
SCAN_MOST = 10_000


class WakingPool(ArqRedis):
    """An ArqRedis for a worker; `lease_seconds` is how long a started job is left to its worker at first."""

    def __init__(self, *, lease_seconds: float, **options: Any) -> None:
        super().__init__(job_serializer=codec.dump, job_deserializer=codec.load, **options)
        self._lease_ms = int(lease_seconds * 1000)
        self._due = self.register_script(scripts.DUE)

    async def zrangebyscore(self, name: Any, *args: Any, num: int | None = None, **options: Any) -> Any:
        """arq's reading of its queue: the ids that are due and not running; none after a sleep until there may be some.

        After a sleep arq reads again at once, and not when it was told to stop meanwhile: then nothing new is begun.
        """
        ids, due_ms = await self._read_due(name, num or 1)
        if not ids:
            await self._sleep(due_ms)
        return ids

    async def _read_due(self, queue: Any, most: int) -> tuple[list[bytes], bytes]:
        arguments: list[str | int] = [in_progress_key_prefix, int(time.time() * 1000), most, SCAN_MOST]
        ids, due_ms = await self._due(keys=[queue, keys.WAKE], args=arguments)
        return ids, due_ms

    async def _sleep(self, due_ms: bytes) -> None:
        seconds = LONGEST_SLEEP_SECONDS
        if due_ms:
            seconds = min(seconds, max(0.01, float(due_ms) / 1000 - time.time()))
        # Typed for whole seconds, though Redis takes parts of one since version 6.
        await cast("Awaitable[Any]", self.blpop([keys.WAKE], timeout=cast("int", seconds)))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "LeasingPipeline":
        return LeasingPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint, lease_ms=self._lease_ms
        )


class LeasingPipeline(Pipeline):
    """What arq starts a job with."""

    def __init__(self, *args: Any, lease_ms: int) -> None:
        super().__init__(*args)
        self._lease_ms = lease_ms

    def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """arq's mark that a job is running, made as short as a lease."""
        if str(name).startswith(in_progress_key_prefix):
            time_ms = min(int(time_ms), self._lease_ms)
        return super().psetex(name, time_ms, value)

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A look at a job before starting it. When the connection breaks the answer is the one that makes arq
        pass the job over until its next look: the exception would end the worker."""
        try:
            return await cast("Callable[..., Awaitable[Any]]", super().immediate_execute_command)(*args, **options)
        except (WatchError, RedisError, OSError):
            await asyncio.sleep(0)
            if args[0] == "EXISTS":
                return 1
            if args[0] == "ZSCORE":
                return None
            raise
