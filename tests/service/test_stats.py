"""Rates, percentiles and failures from snapshots of counters that only grow, until Redis is wiped."""

import pytest

from quickthumb.model.job import Status
from quickthumb.queue.history import Snapshot
from quickthumb.queue.tally import Tally
from quickthumb.service.stats import Times, Window, stats_of

BEGUN = {"attempts:DONE": 100, "wait_ms:100": 100, "wait_ms": 9_000, "failed:gave_up": 2}


def window(snapshots: list[Snapshot], totals: dict[str, int], at: float = 1_000.0) -> Window:
    tally = Tally(
        at=at, statuses=dict.fromkeys(Status, 0), queued=0, oldest_waiting_seconds=0, workers=1, totals=totals
    )
    return stats_of(tally, {"hour": snapshots}).windows["hour"]


def test_a_window_counts_what_has_happened_since_its_oldest_snapshot() -> None:
    now = {"attempts:DONE": 160, "attempts:FAILED": 1, "failed:gave_up": 2, "failed:broken_image": 1}
    found = window([Snapshot(940.0, BEGUN), Snapshot(970.0, {**BEGUN, "attempts:DONE": 120})], {**BEGUN, **now})
    assert found.seconds == 60.0
    assert found.ended == {Status.DONE: 60, Status.FAILED: 1}
    assert found.failures == {"broken_image": 1}


def test_a_wiped_redis_begins_the_window_anew() -> None:
    before, after = Snapshot(700.0, BEGUN), Snapshot(900.0, {"attempts:DONE": 5})
    found = window([before, after], {"attempts:DONE": 25})
    assert (found.seconds, found.ended[Status.DONE]) == (100.0, 20)


def test_without_snapshots_nothing_has_happened_yet() -> None:
    found = window([], BEGUN)
    assert found == Window(0.0, {Status.DONE: 0, Status.FAILED: 0}, Times(None, None), Times(None, None), {})


def test_percentiles_lie_within_their_bucket() -> None:
    grown = {"wait_ms:10": 90, "wait_ms:50": 10, "attempt_ms:more": 1}
    found = window([Snapshot(0.0, {})], grown)
    assert found.waiting.p50 == pytest.approx(0.010 * 50 / 90)
    assert found.waiting.p95 == pytest.approx(0.025 + 0.025 * 5 / 10)
    assert found.working == Times(3600.0, 3600.0)  # beyond the last bound
