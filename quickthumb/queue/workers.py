"""What workers say of themselves: each sends a report with its heartbeats, and readers see the last one of each.

A report says how things stood at the heartbeat, so it may be as old as the time between two of them. Jobs cost nothing
more for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, Keys
from quickthumb.queue.tally import heard_of


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that a worker makes: the kind and the id of the item, the number of the attempt, and since when, in
    Unix seconds by Redis' clock."""

    kind: str
    id: str
    attempt: int
    since: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of itself.

    `started_at` is a Unix time by the clock of its machine. `memory_bytes` includes its sandbox processes; None if its
    system does not tell. `stuck` threads were abandoned with an image that never ends; `busy` does not count them.
    `jobs_done` counts jobs that this worker has brought to DONE. `paused_for` says why it takes no jobs, if it takes
    none.
    """

    host: str
    pid: int
    version: str
    started_at: float
    threads: int
    busy: int
    stuck: int
    memory_bytes: int | None
    jobs_done: int
    running: tuple[Running, ...]
    paused_for: str | None = None

    def written(self) -> bytes:
        """As Redis keeps it. Other releases may have more fields, or fewer."""
        return _REPORT.dump_json(self)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is alive: when it was last heard of, in Unix seconds by Redis' clock, whether it is paused, and its
    report; None if it is of a release that sends none, or another one."""

    id: str
    seen_at: float
    is_paused: bool
    report: Report | None


_REPORT = TypeAdapter(Report)


class Workers:
    """The workers that are alive."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys

    async def live(self) -> list[Worker]:
        """Those with a heartbeat within the last WORKER_SILENCE_SECONDS, by their ids. Two round trips. Raises
        QueueUnavailable."""
        async with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.time()
                for workers in (self._keys.workers, self._keys.paused_workers):
                    pipeline.zrange(workers, 0, -1, withscores=True)
                moment, active, paused = await pipeline.execute()
            seen = [(*each, False) for each in heard_of(moment, active)]
            seen += [(*each, True) for each in heard_of(moment, paused)]
            return await self._reported(sorted(seen))

    async def _reported(self, seen: Sequence[tuple[bytes, float, bool]]) -> list[Worker]:
        if not seen:
            return []
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name, _, _ in seen:
                pipeline.get(self._keys.worker(name.decode()))
            reports = await pipeline.execute()
        return [
            Worker(name.decode(), seen_at, is_paused, _read(report))
            for (name, seen_at, is_paused), report in zip(seen, reports, strict=True)
        ]


def _read(report: bytes | None) -> Report | None:
    try:
        return None if report is None else _REPORT.validate_json(report)
    except ValidationError:
        return None
