"""An arq worker's connections to Redis: they block in Redis until there is work, and survive an outage of Redis.

arq accepts a custom pool. This one corrects arq's behaviour through what the pool answers:

- arq polls its queue at intervals. This pool's read returns only when something is due, or after a while.
- arq reads the head of the queue, running jobs included. This pool leaves running jobs out.
- arq compares due times with its machine's clock. This pool uses Redis' clock.
- arq marks a job as running for minutes. This pool shortens the mark to a lease.
- arq updates the queue after every run of a job. This pool drops the update when a script has already done it (see
  `attempts`), or when the lease is lost.
- When Redis answers with an error, arq exits, or retries at once and forever. This pool logs the error and waits.
- arq takes whatever is due. This pool hands out large jobs one by one, and only while the worker has a place for one.
- arq has no way to pause a worker. This pool hands out no jobs, and keeps arq's health line away, while it is paused.
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

# The longest sleep. A lease that lapses wakes no worker, so every worker looks now and then. arq's health line may be
# late by this much; it lives only one second longer than its interval.
LONGEST_SLEEP_SECONDS = 0.8
# How long to wait after an error from Redis, for example while it accepts no writes.
TROUBLED_SECONDS = 1.0
# How far into the queue to look for items that no worker is running.
SCAN_MOST = 10_000
# The longest sleep while the worker has no place for another large job, and while it is being decided whether it has
# one: nobody wakes the pool when that changes.
FULL_SLEEP_SECONDS = 0.05
UNDECIDED_SLEEP_SECONDS = 0.005


@dataclass(slots=True)
class Orders:
    """How the pipelines of a pool change what arq does; all pipelines of the pool share this object.

    `read` holds the scores of the ids that were last read as due. `left_alone` holds the lease keys of items whose
    queue entries arq must not touch when its run ends. `postponed` holds the milliseconds after which an id is due
    again. `running` holds the lease keys of what arq has started and not ended.
    """

    lease_ms: int
    read: dict[str, float] = field(default_factory=dict)
    left_alone: set[str] = field(default_factory=set)
    postponed: dict[str, int] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)


class WakingPool(ArqRedis):
    """An ArqRedis for a worker. `lease_seconds` is the length of the lease with which arq starts a job."""

    def __init__(self, *, lease_seconds: float, keys: Keys = KEYS, **options: Any) -> None:
        super().__init__(job_serializer=codec.dump, job_deserializer=codec.load, **options)
        self._keys = keys
        self._orders = Orders(lease_ms=int(lease_seconds * 1000))
        self._due = RegisteredScript(self, "due")
        self._undecided: tuple[str, int] | None = None
        self.paused_for: str | None = None
        # Whether the worker has a place for one more large job, and how many large jobs it has taken or refused so far.
        self.takes_large: Callable[[], bool] = lambda: True
        self.large_decided: Callable[[], int] = lambda: 0

    def leave_alone(self, item_id: str) -> None:
        """Makes arq leave the queue unchanged when its run of the item ends: for an attempt that was settled, or whose
        lease is lost."""
        self._orders.left_alone.add(self._keys.lease(item_id))

    def postpone(self, item_id: str, seconds: float) -> None:
        """Makes the item due again `seconds` after arq's run of it ends, by Redis' clock, if arq retries it."""
        self._orders.postponed[item_id] = round(seconds * 1000)

    def pause(self, reason: str) -> None:
        """From now on, hands no job to arq and writes no health line, so that `arq --check` fails. `paused_for` is the
        reason."""
        self.paused_for = reason

    def resume(self) -> None:
        """Ends a pause."""
        self.paused_for = None

    def stop_waiting(self) -> None:
        """From now on, commands give up soon when Redis is unreachable. For a worker that is shutting down."""
        self._patience.end()

    @property
    def _patience(self) -> Patience:
        return patience_of(self.connection_pool)

    async def _wait_out(self, error: Exception) -> None:
        await _wait_out(self._patience, error)

    async def zrangebyscore(self, name: Any, *args: Any, num: int | None = None, **options: Any) -> Any:
        """arq's read of its queue. Returns the ids that are due and not running. If there are none, sleeps until there
        may be some, and then returns none.

        After an empty answer arq reads again at once, unless it was told to stop during the sleep. So a worker that is
        shutting down starts no new job.
        """
        if self.paused_for is not None:
            await asyncio.sleep(LONGEST_SLEEP_SECONDS)
            return []
        try:
            took_large = self._takes_another()
            ids, due_in_ms = await self._read_due(name, num or 1, took_large)
            if not ids:
                await self._sleep(due_in_ms, took_large)
        except (RedisError, OSError) as error:
            await self._wait_out(error)
            return []
        return ids

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Retries the command until Redis answers, also when the connection fails while it is being set up, which
        redis-py itself does not retry."""
        while True:
            try:
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except tuple(PASSING) as error:
                if self._patience.ended:
                    raise
                await self._wait_out(error)

    async def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """Writes arq's health line, unless the worker is paused. An error does not end the worker."""
        if self.paused_for is not None:
            return None
        try:
            return await cast("Awaitable[Any]", super().psetex(name, time_ms, value))
        except (RedisError, OSError) as error:
            await self._wait_out(error)

    async def delete(self, *names: Any) -> Any:
        """arq's last command, which deletes its health line. If Redis is unreachable, the line expires by itself."""
        # arq may never have come as far as `on_startup`, in which the worker arranges for this.
        self.stop_waiting()
        try:
            return await cast("Awaitable[Any]", super().delete(*names))
        except (RedisError, OSError) as error:
            log.debug("could not delete arq's health line at shutdown: %s", error)

    async def _read_due(self, queue: Any, most: int, takes_large: bool) -> tuple[list[bytes], int]:
        decided = self.large_decided()
        found, due_in_ms, large = await self._due(
            queue=queue,
            wake=self._keys.wake,
            large=self._keys.large,
            lease_prefix=in_progress_key_prefix,
            most=most,
            scan_most=SCAN_MOST,
            takes_large=int(takes_large),
        )
        if large:
            self._undecided = (self._keys.lease(large.decode()), decided)
        ids, scores = found[::2], found[1::2]
        self._orders.read = {item_id.decode(): float(score) for item_id, score in zip(ids, scores, strict=True)}
        return ids, due_in_ms

    def _takes_another(self) -> bool:
        """Whether to hand out another large job. Not until it is decided whether the last one has a place here, or arq
        did not start it, or has ended it."""
        if self._undecided is not None:
            lease, decided = self._undecided
            if lease not in self._orders.running or self.large_decided() != decided:
                self._undecided = None
        return self._undecided is None and self.takes_large()

    async def _sleep(self, due_in_ms: int, took_large: bool) -> None:
        """Sleeps until something is queued or due. After a read that left out the large jobs, only for a moment."""
        seconds = LONGEST_SLEEP_SECONDS
        if due_in_ms >= 0:
            seconds = min(seconds, max(0.01, due_in_ms / 1000))
        if not took_large:
            seconds = min(seconds, FULL_SLEEP_SECONDS if self._undecided is None else UNDECIDED_SLEEP_SECONDS)
        # redis-py's types allow only whole seconds, but Redis accepts fractions since version 6.
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
    """The pipeline with which arq starts and ends a job."""

    def __init__(self, *args: Any, orders: Orders) -> None:
        super().__init__(*args)
        self._orders = orders
        self._to_leave_alone: set[str] = set()
        self._to_start: set[str] = set()

    def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """arq's mark that a job is running, shortened to a lease."""
        if str(name).startswith(in_progress_key_prefix):
            time_ms = min(int(time_ms), self._orders.lease_ms)
            self._to_start.add(str(name))
        return super().psetex(name, time_ms, value)

    def delete(self, *names: Any) -> Any:
        """arq's end of a run, which deletes the mark. Notes whether `execute` must drop all of arq's commands, because
        arq is to leave this item alone."""
        self._to_leave_alone |= self._orders.left_alone & {str(name) for name in names}
        self._orders.running.difference_update(map(str, names))
        return super().delete(*names)

    def zincrby(self, name: Any, amount: float, value: Any) -> Any:
        """arq's next due time for a job, which arq computes from its own clock. A postponed item is due by Redis' clock
        instead."""
        delay_ms = self._orders.postponed.pop(str(value), None)
        if delay_ms is None:
            return super().zincrby(name, amount, value)
        script = load("postpone")
        keys, arguments = script.inputs(queue=name, id=value, delay_ms=delay_ms)
        return self.eval(script.text, len(keys), *keys, *map(str, arguments))

    async def execute(self, raise_on_error: bool = True) -> Any:
        """Retries the commands until Redis accepts them. arq updates the queue with them at the end of a job, and an
        exception would end the worker."""
        if self._to_leave_alone:
            self._orders.left_alone -= self._to_leave_alone
            await self.reset()  # type: ignore[no-untyped-call]
            return []
        commands, watching = self.command_stack, self.watching
        while True:
            try:
                answers = await super().execute(raise_on_error)
                self._orders.running |= self._to_start
                return answers
            except WatchError:
                raise
            except (RedisError, OSError) as error:
                if patience_of(self.connection_pool).ended:
                    raise
                await _wait_out(patience_of(self.connection_pool), error)
                if watching:
                    raise WatchError from error
                self.command_stack = commands

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A check that arq makes before it starts a job. An exception would end the worker, so after an error this
        returns an answer that makes arq skip the job until its next read. If even the WATCH failed, redis-py takes the
        following checks for commands of a transaction, and its answers to them make arq skip the job as well."""
        try:
            answer = await cast("Callable[..., Awaitable[Any]]", super().immediate_execute_command)(*args, **options)
        except WatchError:
            pass
        except (RedisError, OSError) as error:
            await _wait_out(patience_of(self.connection_pool), error)
        else:
            return self._due_score(str(args[2]), answer) if args[0] == "ZSCORE" else answer
        return 1 if args[0] == "EXISTS" else None

    def _due_score(self, item_id: str, score: float | None) -> float | None:
        """A score that arq takes for due, whatever its own clock says. None if the entry has changed since the read."""
        if score is None or self._orders.read.get(item_id) != score:
            return None
        # One millisecond less than now, because arq rounds.
        return min(score, time.time() * 1000 - 1)


async def _wait_out(patience: Patience, error: Exception) -> None:
    """Waits after an error. The log tells of the whole outage, not of each error.

    Ends the process with one sentence if waiting will not help: arq would print a traceback.
    """
    mistake = patience.outage.mistake(error)
    if mistake is not None:
        raise SystemExit(f"quickthumb: {mistake}")
    await patience.pause(TROUBLED_SECONDS)
