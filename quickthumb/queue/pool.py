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
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.exceptions import RedisError

from quickthumb.model.job import Status
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.claims import SCAN_MOST, Claims
from quickthumb.queue.connection import PASSING, Patience, patience_of
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import EMAIL, JOB, KEYS, Keys, Kind

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


@dataclass(slots=True)
class Place:
    """A place of the worker, and the attempt that has it: from the claim until arq's run of it ends. arq has started
    the run if `is_started`; the handler has the attempt if it `has_begun`."""

    attempt: Attempt
    is_started: bool = False
    has_begun: bool = False


class Places:
    """The places for what a worker runs at the same time, `most` in all, by the ids of the items."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, Place] = {}
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        return self._most - len(self._taken)

    def get(self, item_id: str) -> Place | None:
        return self._taken.get(item_id)

    def take(self, attempt: Attempt) -> bool:
        """Gives the attempt a place. Returns False if an earlier attempt at the same item has one."""
        if attempt.id in self._taken:
            return False
        self._taken[attempt.id] = Place(attempt)
        return True

    def leave(self, item_id: str) -> None:
        self._taken.pop(item_id, None)
        self._changed.set()

    def of_kind(self, kind: Kind) -> int:
        """How many places items of a kind have."""
        return sum(place.attempt.kind.name == kind.name for place in self._taken.values())

    def left_over(self) -> list[Attempt]:
        """The attempts that arq was given and did not start."""
        return [place.attempt for place in self._taken.values() if not place.is_started]

    def idle(self) -> list[Attempt]:
        """The attempts that no handler has got."""
        return [place.attempt for place in self._taken.values() if not place.has_begun]

    async def wait(self, seconds: float) -> None:
        """Waits until one becomes free, or for so long."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()


class WakingPool(ArqRedis):
    """An ArqRedis for a worker that runs up to `places` items at the same time, each under a lease of `lease_seconds`.

    arq itself has to allow for more: an item leaves its place here a moment before arq notices that its run has ended.
    """

    def __init__(self, *, lease_seconds: float, places: int, keys: Keys = KEYS, **options: Any) -> None:
        super().__init__(job_serializer=codec.dump, job_deserializer=codec.load, **options)
        self._keys = keys
        self._places = Places(places)
        self._claims = Claims(self, keys, lease_seconds=lease_seconds)
        self._attempts = Attempts(self, keys)
        self._undecided: tuple[str, int] | None = None
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
        are none, sleeps until there may be some, and then returns none.

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
        await self._put_back(self._places.left_over())
        took_large, decided = self._takes_another(), self.large_decided()
        due = await self._claims.claim(self._places.free, self._limits(), takes_large=took_large)
        still_here = [attempt for attempt in due.attempts if not self._places.take(attempt)]
        await self._put_back(still_here, seconds=STILL_HERE_SECONDS)
        if self.paused_for is not None:
            await self._put_back(self._places.left_over())
        if due.large:
            self._undecided = (due.large, decided)
        if not due.attempts:
            await self._sleep(due.in_ms, took_large)
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

    async def _sleep(self, due_in_ms: int, took_large: bool) -> None:
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
        """Redis' own pipeline; but a StandIn for transactions, with which only arq works: it starts and ends jobs."""
        return StandIn(self._places) if transaction else super().pipeline(False, shard_hint)


class StandIn:
    """Answers arq in place of Redis while arq starts and ends a job. The job is claimed already, and the queue entry is
    not arq's to change; so all that arq says is whether the job's place is still taken."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._answers: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def watch(self, *_: Any) -> None:
        """Nothing changes between arq's checks."""

    async def exists(self, *_: Any) -> int:
        """Nobody else runs the job: it is claimed."""
        return 0

    async def zscore(self, _: Any, item_id: Any) -> float | None:
        """A due time that has passed, whatever arq's own clock says; None if the job is no longer to be started."""
        place = self._places.get(str(item_id))
        # One millisecond less than now, because arq rounds.
        return None if place is None or place.is_started else time.time() * 1000 - 1

    def multi(self) -> None:
        pass

    def psetex(self, name: Any, *_: Any) -> None:
        """arq's mark that it has started the job."""
        place = self._places.get(str(name).removeprefix(in_progress_key_prefix))
        if place is not None:
            place.is_started = True

    def get(self, name: Any) -> None:
        """arq's entry for the job, which says what to call."""
        place = self._places.get(str(name).removeprefix(job_key_prefix))
        entry = None
        if place is not None:
            attempt = place.attempt
            entry = codec.entry_for(attempt.kind, attempt.id, int(attempt.fields.get(b"created_ms", 0)))
        self._answers.append(entry)

    def incr(self, *_: Any) -> None:
        """arq's count of tries. QuickThumb counts attempts itself."""
        self._answers.append(1)

    def expire(self, *_: Any) -> None:
        self._answers.append(1)

    def delete(self, *names: Any) -> None:
        """arq's end of a run."""
        for name in names:
            if str(name).startswith(in_progress_key_prefix):
                self._places.leave(str(name).removeprefix(in_progress_key_prefix))

    def zrem(self, *_: Any) -> None:
        """The script that settled the attempt has updated the queue."""

    zincrby = set = zrem

    async def execute(self) -> list[Any]:
        answers, self._answers = self._answers, []
        return answers
