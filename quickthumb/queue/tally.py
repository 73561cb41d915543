"""The numbers about jobs and workers that metrics show, from what Redis answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quickthumb.model.job import Status

# A worker whose last heartbeat is older than this counts as dead.
WORKER_SILENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tally:
    """The numbers for the metrics: jobs by status, the queue's length, the age of the oldest WAITING job (0 if there is
    none), live workers, totals that only ever grow (`totals` describes them), and deliveries to webhooks that have not
    ended, which are queued, too.

    `at` is the moment by Redis' clock, in Unix seconds."""

    at: float
    statuses: dict[Status, int]
    queued: int
    oldest_waiting_seconds: float
    workers: int
    totals: dict[str, int]
    deliveries: int = 0

    @property
    def in_line(self) -> int:
        """How many jobs and emails wait or run. Redis may count a delivery that was only just added."""
        return max(0, self.queued - self.deliveries)


@dataclass(frozen=True, slots=True)
class TenantTally:
    """The numbers for the metrics of one tenant: its jobs by status, the age of its oldest WAITING job (0 if there is
    none), and its totals."""

    statuses: dict[Status, int]
    oldest_waiting_seconds: float
    totals: dict[str, int]


def tenant_tally(moment: tuple[int, int], answers: Sequence[Any]) -> TenantTally:
    """The numbers of one tenant: the answers are a count for each status, the oldest WAITING entry, and the totals."""
    *counts, oldest, totals = answers
    return TenantTally(dict(zip(Status, counts, strict=True)), age(moment, oldest), numbers(totals))


def numbers(totals: Mapping[bytes, bytes]) -> dict[str, int]:
    """The counters that a hash of totals holds."""
    return {name.decode(): int(value) for name, value in totals.items()}


def age(moment: tuple[int, int], entries: Sequence[bytes]) -> float:
    """How long ago, at `moment`, the job of the first of these entries of an index was accepted; 0 without entries."""
    if not entries:
        return 0.0
    seconds, microseconds = moment
    created_ms, _, _ = entries[0].partition(b":")
    return max(0.0, seconds + microseconds / 1_000_000 - int(created_ms) / 1000)


def heard_of(moment: tuple[int, int], workers: Sequence[tuple[bytes, float]]) -> list[tuple[bytes, float]]:
    """Those of the workers that count as alive at `moment`, the seconds and microseconds of Redis' clock."""
    seconds, microseconds = moment
    since = seconds + microseconds / 1_000_000 - WORKER_SILENCE_SECONDS
    return [(name, seen) for name, seen in workers if seen >= since]


def live(moment: tuple[int, int], workers: Sequence[tuple[bytes, float]]) -> int:
    """How many of the workers count as alive at `moment`."""
    return len(heard_of(moment, workers))
