"""Snapshots of the counters and of the queue over the last hour, day and week: for rates, percentiles and charts.

The counters only ever grow, so the difference of two snapshots says what happened between them. To take a snapshot
once a minute costs jobs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from pydantic import TypeAdapter
from redis.asyncio import Redis

from quickthumb.model.job import Status
from quickthumb.queue.connection import translated
from quickthumb.queue.keys import DELIVERY, EMAIL, KEYS, Keys
from quickthumb.queue.script import RegisteredScript
from quickthumb.queue.tally import Tally


@dataclass(frozen=True, slots=True)
class Span:
    """A time over which snapshots are kept: so many, one in each slot of so many seconds."""

    name: str
    slot_seconds: int
    slots: int

    @property
    def seconds(self) -> int:
        return self.slot_seconds * self.slots


# What the names of the other kinds' counters begin with.
OTHERS = (EMAIL.totals, DELIVERY.totals)
SPANS = (Span("hour", 60, 60), Span("day", 900, 96), Span("week", 7200, 84))


@dataclass(frozen=True, slots=True)
class Gauges:
    """How long the queue was at one moment: jobs and emails that wait or run, WAITING jobs, the age of the oldest of
    them (0 without any), and workers that take jobs."""

    queued: int
    waiting: int
    oldest_waiting_seconds: float
    workers: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters of jobs and the gauges at one moment, in Unix seconds. Earlier releases kept no gauges."""

    at: float
    totals: Mapping[str, int]
    gauges: Gauges | None = None


@cache
def _adapter() -> TypeAdapter[Snapshot]:
    """Made once somebody needs it: processes start sooner."""
    return TypeAdapter(Snapshot)


def snapshot_of(tally: Tally) -> Snapshot:
    gauges = Gauges(tally.in_line, tally.statuses[Status.WAITING], tally.oldest_waiting_seconds, tally.workers)
    return Snapshot(tally.at, _of_jobs(tally.totals), gauges)


def _of_jobs(totals: Mapping[str, int]) -> dict[str, int]:
    """The counters without those of emails and deliveries, which no chart shows. Earlier releases kept them, too."""
    return {name: count for name, count in totals.items() if not name.startswith(OTHERS)}


class History:
    """The snapshots in Redis. Methods are one round trip each, and raise QueueUnavailable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._keep = RegisteredScript(redis, "keep_history")

    async def keep(self, tally: Tally) -> int:
        """Keeps a snapshot in each span whose present slot has none. Returns in how many."""
        async with translated():
            return int(
                await self._keep(
                    spans=[self._keys.history(span.name) for span in SPANS],
                    snapshot=_adapter().dump_json(snapshot_of(tally)),
                    terms=[number for span in SPANS for number in (span.slot_seconds, span.slots)],
                )
            )

    async def read(self, spans: Sequence[Span] = SPANS) -> dict[str, tuple[Snapshot, ...]]:
        """The snapshots of each of these spans that are not older than it, by its name, oldest first."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for span in spans:
                pipeline.hgetall(self._keys.history(span.name))
            (seconds, _), *answers = await pipeline.execute()
        return {span.name: _within(span, seconds, kept) for span, kept in zip(spans, answers, strict=True)}


def _within(span: Span, now: int, kept: Mapping[bytes, bytes]) -> tuple[Snapshot, ...]:
    """Slots that are over go when the next one gets its snapshot: while no worker runs, they stay."""
    slots = sorted(slot for slot in map(int, kept) if slot > now - span.seconds)
    found = (_adapter().validate_json(kept[b"%d" % slot]) for slot in slots)
    return tuple(replace(snapshot, totals=_of_jobs(snapshot.totals)) for snapshot in found)
