"""The connections of an arq worker: they sleep in Redis until there is work, and outlive a Redis that goes away.

arq takes a pool of one's own making; its habits are mended here, in what the pool answers:

- It polls its queue at intervals. This pool's reading returns only when something is due, or after a while.
- It reads the head of the queue, running jobs included. This pool leaves those out.
- It compares due times with the clock of its machine. This pool goes by the clock of Redis.
- It marks a job as running for minutes. This pool shortens the mark to a lease.
- It ends a job in the queue after every run. This pool drops that where a script has done it already (`attempts`), or
  where the lease is lost.
- An error that Redis answers ends it, or has it ask again at once and for ever. This pool logs the error, and waits.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, WatchError

from quickthumb.queue import codec
from quickthumb.queue.connection import PASSING, Patience, patience_of
from quickthumb.queue.keys import KEYS, Keys
from quickthumb.queue.script import RegisteredScript, load

log = logging.getLogger("quickthumb.worker")

# The longest sleep: a lease that lapses wakes nobody, so everyone looks now and then. It is also what arq's health
# line can be late by, which lives for a second more than its interval.
LONGEST_SLEEP_SECONDS = 0.8
# How long to leave a Redis alone that answers with an error: one that takes no writes, say.
TROUBLED_SECONDS = 1.0
# How far into the queue to look for something that no worker is running.
SCAN_MOST = 10_000


@dataclass(slots=True)
class Orders:
    """What the pipelines are to answer arq with; shared by all pipelines of a pool.

    `read` has the scores of the ids that were last read as due. `left_alone` are leases whose queue entries arq must
    not touch when it ends its run. `postponed` says after how many milliseconds an id is due again.
    """

    lease_ms: int
    read: dict[str, float] = field(default_factory=dict)
    left_alone: set[str] = field(default_factory=set)
    postponed: dict[str, int] = field(default_factory=dict)


class WakingPool(ArqRedis):
    """An ArqRedis for a worker; `lease_seconds` is how long a started job is left to its worker at first."""

    def __init__(self, *, lease_seconds: float, keys: Keys = KEYS, **options: Any) -> None:
        super().__init__(job_serializer=codec.dump, job_deserializer=codec.load, **options)
        self._keys = keys
        self._orders = Orders(lease_ms=int(lease_seconds * 1000))
        self._due = RegisteredScript(self, "due")

    def leave_alone(self, item_id: str) -> None:
        """Makes arq leave the queue as it is when its run of the item ends: the attempt was settled, or is lost."""
        self._orders.left_alone.add(self._keys.lease(item_id))

    def postpone(self, item_id: str, seconds: float) -> None:
        """Makes the item due again `seconds` after arq's run of it ends, by Redis' clock, if arq is to run it again."""
        self._orders.postponed[item_id] = round(seconds * 1000)

    def stop_waiting(self) -> None:
        """Has every command give up soon when Redis is away; for when the worker is to end."""
        self._patience.end()

    @property
    def _patience(self) -> Patience:
        return patience_of(self.connection_pool)

    async def zrangebyscore(self, name: Any, *args: Any, num: int | None = None, **options: Any) -> Any:
        """arq's reading of its queue: the ids that are due and not running; none after a sleep until there may be some.

        After a sleep arq reads again at once, and not when it was told to stop meanwhile: then nothing new is begun.
        """
        try:
            ids, due_in_ms = await self._read_due(name, num or 1)
            if not ids:
                await self._sleep(due_in_ms)
        except (RedisError, OSError) as error:
            await _wait_out(error)
            return []
        return ids

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends the command again until Redis answers, also when the connection breaks while it is being made:
        that redis-py does not try again."""
        while True:
            try:
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except tuple(PASSING) as error:
                if self._patience.ended:
                    raise
                await _wait_out(error)

    async def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """arq's health line; a Redis that does not take it is no reason to end."""
        try:
            return await cast("Awaitable[Any]", super().psetex(name, time_ms, value))
        except (RedisError, OSError) as error:
            await _wait_out(error)

    async def delete(self, *names: Any) -> Any:
        """arq's last word, that takes its health line away; without Redis it goes by itself."""
        try:
            return await cast("Awaitable[Any]", super().delete(*names))
        except (RedisError, OSError) as error:
            log.warning("Redis was away at the end: %s", error)

    async def _read_due(self, queue: Any, most: int) -> tuple[list[bytes], int]:
        found, due_in_ms = await self._due(
            queue=queue, wake=self._keys.wake, lease_prefix=in_progress_key_prefix, most=most, scan_most=SCAN_MOST
        )
        ids, scores = found[::2], found[1::2]
        self._orders.read = {item_id.decode(): float(score) for item_id, score in zip(ids, scores, strict=True)}
        return ids, due_in_ms

    async def _sleep(self, due_in_ms: int) -> None:
        seconds = LONGEST_SLEEP_SECONDS
        if due_in_ms >= 0:
            seconds = min(seconds, max(0.01, due_in_ms / 1000))
        # Typed for whole seconds, though Redis takes parts of one since version 6.
        await cast("Awaitable[Any]", self.blpop([self._keys.wake], timeout=cast("int", seconds)))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "LeasingPipeline":
        return LeasingPipeline(
            self.connection_pool,
            self.response_callbacks,
            transaction,
            shard_hint,
            orders=self._orders,
        )


class LeasingPipeline(Pipeline):
    """What arq starts and ends a job with."""

    def __init__(self, *args: Any, orders: Orders) -> None:
        super().__init__(*args)
        self._orders = orders
        self._to_leave_alone: set[str] = set()

    def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """arq's mark that a job is running, made as short as a lease."""
        if str(name).startswith(in_progress_key_prefix):
            time_ms = min(int(time_ms), self._orders.lease_ms)
        return super().psetex(name, time_ms, value)

    def delete(self, *names: Any) -> Any:
        """arq's end of a run: the mark goes, and what is executed with it."""
        self._to_leave_alone |= self._orders.left_alone & {str(name) for name in names}
        return super().delete(*names)

    def zincrby(self, name: Any, amount: float, value: Any) -> Any:
        """arq's next due time for a job, which it reckons by its own clock; a postponed one is due by Redis' clock."""
        delay_ms = self._orders.postponed.pop(str(value), None)
        if delay_ms is None:
            return super().zincrby(name, amount, value)
        script = load("postpone")
        keys, arguments = script.inputs(queue=name, id=value, delay_ms=delay_ms)
        return self.eval(script.text, len(keys), *keys, *map(str, arguments))

    async def execute(self, raise_on_error: bool = True) -> Any:
        """Sends the commands again until Redis takes them: arq tells the queue this way what became of a job, and an
        exception would end the worker."""
        if self._to_leave_alone:
            self._orders.left_alone -= self._to_leave_alone
            await self.reset()  # type: ignore[no-untyped-call]
            return []
        commands, watching = self.command_stack, self.watching
        while True:
            try:
                return await super().execute(raise_on_error)
            except WatchError:
                raise
            except (RedisError, OSError) as error:
                if patience_of(self.connection_pool).ended:
                    raise
                await _wait_out(error)
                if watching:
                    raise WatchError from error
                self.command_stack = commands

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A look at a job before starting it. When the connection breaks, the answer is one that makes arq pass the job
        over until its next look: the exception would end the worker. Where even the WATCH failed, redis-py takes the
        questions behind it for parts of a transaction, and what it answers to those passes the job over."""
        try:
            answer = await cast("Callable[..., Awaitable[Any]]", super().immediate_execute_command)(*args, **options)
        except WatchError:
            pass
        except (RedisError, OSError) as error:
            await _wait_out(error)
        else:
            return self._due_score(str(args[2]), answer) if args[0] == "ZSCORE" else answer
        return 1 if args[0] == "EXISTS" else None

    def _due_score(self, item_id: str, score: float | None) -> float | None:
        """A score that arq takes for due, whatever its own clock says; None when the entry is not as it was read."""
        if score is None or self._orders.read.get(item_id) != score:
            return None
        # A millisecond less than now, since arq rounds.
        return min(score, time.time() * 1000 - 1)


async def _wait_out(error: Exception) -> None:
    log.warning("Redis is in trouble: %s", error)
    await asyncio.sleep(TROUBLED_SECONDS)
