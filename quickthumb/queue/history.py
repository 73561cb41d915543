"""Snapshots of the counters over the last hour, day and week, from which rates and percentiles are computed.

The counters only ever grow, so the difference of two snapshots says what happened between them. To take a snapshot
once a minute costs jobs nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, Keys
from quickthumb.queue.script import RegisteredScript
from quickthumb.queue.tally import Tally


@dataclass(frozen=True, slots=True)
class Span:
    """A time over which snapshots are kept: so many, one in each slot of so many seconds."""

    name: str
    slot_seconds: int
    slots: int


SPANS = (Span("hour", 60, 60), Span("day", 900, 96), Span("week", 7200, 84))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters at one moment, in Unix seconds."""

    at: float
    totals: Mapping[str, int]


class History:
    """The snapshots in Redis. Methods are one round trip each, and raise QueueUnavailable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._keep = RegisteredScript(redis, "keep_history")

    async def keep(self, tally: Tally) -> int:
        """Keeps the counters as a snapshot, in each span whose present slot has none. Returns in how many."""
        snapshot = Snapshot(tally.at, tally.totals)
        async with translated():
            return int(
                await self._keep(
                    spans=[self._keys.history(span.name) for span in SPANS],
                    snapshot=json.dumps(asdict(snapshot), separators=(",", ":")),
                    terms=[number for span in SPANS for number in (span.slot_seconds, span.slots)],
                )
            )

    async def read(self) -> dict[str, tuple[Snapshot, ...]]:
        """The snapshots of each span, by its name, oldest first."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for span in SPANS:
                pipeline.hgetall(self._keys.history(span.name))
            answers: list[Mapping[bytes, bytes]] = await pipeline.execute()
        return {
            span.name: tuple(_read(kept[slot]) for slot in sorted(kept, key=int))
            for span, kept in zip(SPANS, answers, strict=True)
        }


def _read(kept: bytes) -> Snapshot:
    fields: dict[str, Any] = json.loads(kept)
    return Snapshot(fields["at"], fields["totals"])
