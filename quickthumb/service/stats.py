"""How busy the service is and has been: rates, times and failures over the last hour, day and week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quickthumb.model.job import Status
from quickthumb.queue.history import Gauges, Snapshot, Span, snapshot_of
from quickthumb.queue.tally import Tally
from quickthumb.queue.totals import Durations, durations

ENDS = (Status.DONE, Status.FAILED)
FAILED_WITH = "failed:"
# What happened in less time than this says little about rates, so it is shown together with what came before.
LEAST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Times:
    """The median and the 95th percentile of durations in seconds, from a histogram; None without any."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in so many `seconds`: jobs that ended by status, how long jobs waited for their first attempt, how
    long attempts took, and how many jobs FAILED with each error."""

    seconds: float
    ended: Mapping[Status, int]
    waiting: Times
    working: Times
    failures: Mapping[str, int]

    @property
    def per_second(self) -> float:
        """How many jobs ended per second."""
        return sum(self.ended.values()) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Stats:
    """The numbers of this moment, and those of each window by its name."""

    tally: Tally
    windows: Mapping[str, Window]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a chart: the window that ends `at` a moment, in Unix seconds, and the gauges of that moment; None if
    the snapshot is of an earlier release."""

    at: float
    window: Window
    gauges: Gauges | None


def stats_of(tally: Tally, snapshots: Mapping[str, Sequence[Snapshot]]) -> Stats:
    """The numbers of this moment, and those since the snapshots of each span began."""
    now = snapshot_of(tally)
    return Stats(tally, {name: window_of([*kept, now]) for name, kept in snapshots.items()})


def points_of(span: Span, tally: Tally, snapshots: Sequence[Snapshot]) -> list[Point]:
    """The chart of a span, oldest first: each point says what happened since the snapshot before. The last one is of
    this moment. There are no points for slots without a snapshot, nor where counters began anew."""
    now = snapshot_of(tally)
    # A new deployment has nothing else to show than its first seconds.
    kept = [each for each in snapshots if now.at - each.at >= LEAST_SECONDS] or list(snapshots[:1])
    pairs = pairwise([*kept, now][-span.slots - 1 :])
    return [
        Point(last.at, _between(first, last), last.gauges)
        for first, last in pairs
        if first.at < last.at and not _began_anew(first, last)
    ]


def window_of(snapshots: Sequence[Snapshot]) -> Window:
    """What happened up to the last snapshot, since the oldest one since which the counters did not begin anew."""
    first = last = snapshots[-1]
    for earlier, later in reversed(list(pairwise(snapshots))):
        if _began_anew(earlier, later):
            break
        first = earlier
    return _between(first, last)


def _began_anew(first: Snapshot, last: Snapshot) -> bool:
    """Whether a counter went back: they begin anew when Redis was wiped."""
    after = last.totals
    return any(count > after.get(name, 0) for name, count in first.totals.items())


def _between(first: Snapshot, last: Snapshot) -> Window:
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
