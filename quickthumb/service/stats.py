"""How busy the service is and has been: rates, times and failures over the last hour, day and week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quickthumb.model.job import Status
from quickthumb.queue.history import Snapshot
from quickthumb.queue.tally import Tally
from quickthumb.queue.totals import Durations, durations

ENDS = (Status.DONE, Status.FAILED)
FAILED_WITH = "failed:"


@dataclass(frozen=True, slots=True)
class Times:
    """The median and the 95th percentile of durations in seconds, from a histogram; None without any."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in the last `seconds`: jobs that ended by status, how long jobs waited for their first attempt, how
    long attempts took, and how many jobs FAILED with each error."""

    seconds: float
    ended: Mapping[Status, int]
    waiting: Times
    working: Times
    failures: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """The numbers of this moment, and those of each window by its name."""

    tally: Tally
    windows: Mapping[str, Window]


def stats_of(tally: Tally, snapshots: Mapping[str, Sequence[Snapshot]]) -> Stats:
    """The numbers of this moment, and those since the snapshots of each span began."""
    now = Snapshot(tally.at, tally.totals)
    return Stats(tally, {name: _window([*kept, now]) for name, kept in snapshots.items()})


def _window(snapshots: Sequence[Snapshot]) -> Window:
    first, last = _since_counters_began(snapshots), snapshots[-1]
    grown = {name: count - first.totals.get(name, 0) for name, count in last.totals.items()}
    return Window(
        seconds=max(0.0, last.at - first.at),
        ended={status: grown.get(f"attempts:{status}", 0) for status in ENDS},
        waiting=_times(durations(grown, "wait")),
        working=_times(durations(grown, "attempt")),
        failures={
            name.removeprefix(FAILED_WITH): count
            for name, count in sorted(grown.items())
            if name.startswith(FAILED_WITH) and count
        },
    )


def _since_counters_began(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The oldest snapshot since which no counter went back: they begin anew when Redis was wiped."""
    first = snapshots[-1]
    for snapshot in reversed(snapshots):
        if any(count > first.totals.get(name, 0) for name, count in snapshot.totals.items()):
            break
        first = snapshot
    return first


def _times(histogram: Durations) -> Times:
    return Times(_percentile(histogram, 0.5), _percentile(histogram, 0.95))


def _percentile(histogram: Durations, share: float) -> float | None:
    """The duration that this share does not exceed, in seconds: linear within its bucket, as in Prometheus'
    `histogram_quantile`. Beyond the last bound, that bound."""
    if not histogram.count:
        return None
    rank, below, lower = share * histogram.count, 0, 0.0
    for bound, count in histogram.buckets:
        if count >= rank:
            return lower + (bound - lower) * (rank - below) / (count - below)
        below, lower = count, bound
    return lower
