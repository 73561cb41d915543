"""An arq worker's connections to Redis: they claim what is due, sleep in Redis when nothing is, and survive an outage.

arq accepts a custom pool. This one corrects arq's behaviour through what the pool answers:

- arq polls its queue at intervals. This pool's read returns only when something is due, or after a while.
- arq reads the head of the queue, running jobs included, and asks Redis three more times before it starts a job. This
  pool's read claims what it returns, as much as the worker can start now; the pool itself answers what arq asks next.
- arq compares due times with its machine's clock. This pool uses Redis' clock.
- arq marks a job as running for minutes, and updates the queue after every run. Here a claim takes a short lease, and
  only the script that settles an attempt updates the queue (see `attempts`).
- When Redis answers with an error, arq exits, or retries at once and forever. This pool logs the error and waits.
- arq takes whatever is due. This pool hands out large jobs one by one, and only while the worker has a place for one.
- arq has no way to pause a worker. This pool hands out no jobs, and keeps arq's health line away, while it is paused.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from quickthumb.model.job import Status
from quickthumb.model.priority import OVERTAKING, Overtaking
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.claims import SCAN_MOST, Claims
from quickthumb.queue.connection import PASSING, Patience, patience_of
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import EMAIL, JOB, KEYS, Keys, Kind
from quickthumb.queue.places import Places, StandIn

log = logging.getLogger("quickthumb.worker")

# The longest sleep. A lease that lapses wakes no worker, so every worker looks now and then. arq's health line may be
# late by this much; it lives only one second longer than its interval.
LONGEST_SLEEP_SECONDS = 0.8
# How long to wait after an error from Redis, for example while it accepts no writes.
TROUBLED_SECONDS = 1.0
# The longest sleep while the worker has no place for another large job, and while it is being decided whether it has
# one: nobody wakes the pool when that changes.
FULL_SLEEP_SECONDS = 0.05
UNDECIDED_SLEEP_SECONDS = 0.005
# When an item is due again that this worker claimed anew before its own last attempt at it had ended.
STILL_HERE_SECONDS = 1.0


class WakingPool(ArqRedis):
    """An ArqRedis for a worker that runs up to `places` items at the same time, each under a lease of `lease_seconds`.

    arq itself has to allow for more: an item leaves its place here a moment before arq notices that its run has ended.
    """

    def __init__(
        self,
        *,
        lease_seconds: float,
        places: int,
        keys: Keys = KEYS,
        overtaking: Overtaking = OVERTAKING,
        **options: Any,
    ) -> None:
        super().__init__(job_serializer=codec.dump, job_deserializer=codec.load, **options)
        self._keys = keys
        self._places = Places(places)
        self._claims = Claims(self, keys, lease_seconds=lease_seconds, overtaking=overtaking)
        self._attempts = Attempts(self, keys)
        self._undecided: tuple[str, int] | None = None
        # As in `Due`, from the last claim: unless it is 0, there is no need to ask once more before the pool sleeps.
        self._due_in_ms = 0
        self.paused_for: str | None = None
        # The kinds of items that the worker runs, and how many of each at the same time (None: as many as it can).
        self.serves: Mapping[Kind, int | None] = {JOB: None, EMAIL: None}
        # Whether the worker has a place for one more large job, and how many large jobs it has taken or refused so far.
        self.takes_large: Callable[[], bool] = lambda: True
        self.large_decided: Callable[[], int] = lambda: 0

    def begin(self, item_id: str) -> Attempt:
        """The attempt at an item that arq was given, for its handler."""
        place = self._places.get(item_id)
        if place is None:
            raise LookupError(f"arq runs {item_id}, which was not claimed")
        place.has_begun = True
        return place.attempt

    async def give_back(self) -> None:
        """Puts back into the queue what was claimed and not begun, without a strike. Call it at the end.

        An answer of Redis' that was lost may have told of more. If Redis is unreachable, the leases just lapse.
        """
        with contextlib.suppress(RedisError, OSError, QueueUnavailable):
            await self._put_back(self._places.idle())
            await self._put_back((await self._claims.claim(0, self._limits())).attempts)

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

    async def zrangebyscore(self, name: Any, *_: Any, **__: Any) -> Any:
        """arq's read of its queue. Claims what is due, as much as there are places for, and returns the ids. If there
        are none, or if the last read got all, sleeps until there may be some, and then returns none.

        After an empty answer arq reads again at once, unless it was told to stop during the sleep. So a worker that is
        shutting down starts no new job.
        """
        if self.paused_for is not None:
            await asyncio.sleep(LONGEST_SLEEP_SECONDS)
            return []
        if self._places.free <= 0 and not self._places.left_over():
            await self._places.wait(LONGEST_SLEEP_SECONDS)
            return []
        try:
            return await self._claim()
        except (RedisError, OSError, QueueUnavailable) as error:
            await self._wait_out(error)
            return []

    async def _claim(self) -> list[bytes]:
        left_over = self._places.left_over()
        await self._put_back(left_over)
        due_in_ms, self._due_in_ms = self._due_in_ms, 0
        if due_in_ms and not left_over:
            await self._sleep(due_in_ms)
            return []
        took_large, decided = self._takes_another(), self.large_decided()
        due = await self._claims.claim(self._places.free, self._limits(), takes_large=took_large)
        still_here = [attempt for attempt in due.attempts if not self._places.take(attempt)]
        await self._put_back(still_here, seconds=STILL_HERE_SECONDS)
        if self.paused_for is not None:
            await self._put_back(self._places.left_over())
        if due.large:
            self._undecided = (due.large, decided)
        if due.attempts:
            self._due_in_ms = 0 if still_here else due.in_ms
        else:
            await self._sleep(due.in_ms, took_large=took_large)
        return [attempt.id.encode() for attempt in self._places.left_over()]

    def _limits(self) -> dict[Kind, int]:
        return {
            kind: SCAN_MOST if at_once is None else at_once - self._places.of_kind(kind)
            for kind, at_once in self.serves.items()
        }

    async def _put_back(self, attempts: Iterable[Attempt], seconds: float = 0.0) -> None:
        for attempt in attempts:
            await self._attempts.settle(attempt, Status.WAITING, blameless=True, busy_seconds=0, delay_seconds=seconds)
            # Only now: when Redis refuses, the attempt is put back later. Its lease would lapse, with a strike.
            place = self._places.get(attempt.id)
            if place is not None and place.attempt is attempt:
                self._places.leave(attempt.id)

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

    def _takes_another(self) -> bool:
        """Whether to hand out another large job. Not until it is decided whether the last one has a place here, or arq
        did not start it, or has ended it."""
        if self._undecided is not None:
            item_id, decided = self._undecided
            if self._places.get(item_id) is None or self.large_decided() != decided:
                self._undecided = None
        return self._undecided is None and self.takes_large()

    async def _sleep(self, due_in_ms: int, *, took_large: bool = True) -> None:
        """Sleeps until something is queued or due. After a read that left out the large jobs, only for a moment."""
        seconds = LONGEST_SLEEP_SECONDS
        if due_in_ms >= 0:
            seconds = min(seconds, max(0.01, due_in_ms / 1000))
        if not took_large:
            seconds = min(seconds, FULL_SLEEP_SECONDS if self._undecided is None else UNDECIDED_SLEEP_SECONDS)
        # redis-py's types allow only whole seconds, but Redis accepts fractions since version 6.
        await cast("Awaitable[Any]", self.blpop([self._keys.wake], timeout=cast("int", seconds)))

    async def _wait_out(self, error: Exception) -> None:
        """Waits after an error. The log tells of the whole outage, not of each error.

        Ends the process with one sentence if waiting will not help: arq would print a traceback.
        """
        mistake = self._patience.outage.mistake(error)
        if mistake is not None:
            raise SystemExit(f"quickthumb: {mistake}")
        await self._patience.pause(TROUBLED_SECONDS)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        """A patient pipeline; but a StandIn for transactions, with which only arq works: it starts and ends jobs."""
        if transaction:
            return StandIn(self._places)
        return PatientPipeline(
            self.connection_pool, self.response_callbacks, False, shard_hint, wait_out=self._wait_out
        )


class PatientPipeline(Pipeline):
    """A pipeline that retries its commands until Redis accepts them, as the pool does with single ones: arq's first
    commands, before `on_startup`, come in a pipeline."""

    def __init__(self, *parts: Any, wait_out: Callable[[Exception], Awaitable[None]]) -> None:
        super().__init__(*parts)
        self._wait_out = wait_out

    async def execute(self, raise_on_error: bool = True) -> Any:
        commands = self.command_stack
        while True:
            try:
                return await super().execute(raise_on_error)
            except (RedisError, OSError) as error:
                if patience_of(self.connection_pool).ended:
                    raise
                await self._wait_out(error)
                self.command_stack = commands
