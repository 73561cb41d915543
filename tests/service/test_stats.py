"""Rates, percentiles and failures from snapshots of counters that only grow, until Redis is wiped."""

from dataclasses import replace

import pytest

from quickthumb.model.job import Status
from quickthumb.queue.history import SPANS, Gauges, Snapshot
from quickthumb.queue.tally import Tally
from quickthumb.service.stats import Point, Times, Window, points_of, stats_of

BEGUN = {"attempts:DONE": 100, "wait_ms:100": 100, "wait_ms": 9_000, "failed:gave_up": 2}


def tally(totals: dict[str, int], at: float) -> Tally:
    statuses = dict.fromkeys(Status, 0)
    return Tally(at=at, statuses=statuses, queued=0, oldest_waiting_seconds=0, workers=1, totals=totals)


def window(snapshots: list[Snapshot], totals: dict[str, int], at: float = 1_000.0) -> Window:
    return stats_of(tally(totals, at), {"hour": snapshots}).windows["hour"]


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


HOUR = SPANS[0]
GAUGES = Gauges(queued=3, waiting=2, oldest_waiting_seconds=1.5, workers=1)


def points(snapshots: list[Snapshot], totals: dict[str, int], at: float = 1_000.0) -> list[Point]:
    return points_of(HOUR, tally(totals, at), snapshots)


def test_each_point_says_what_happened_since_the_snapshot_before() -> None:
    kept = [Snapshot(860.0, BEGUN), Snapshot(920.0, {**BEGUN, "attempts:DONE": 160}, GAUGES)]
    first, last = points(kept, {**BEGUN, "attempts:DONE": 164, "attempts:FAILED": 4})
    assert (first.at, first.window.seconds, first.window.per_second) == (920.0, 60.0, 1.0)
    assert first.gauges == GAUGES
    assert (last.at, last.window.seconds, last.window.ended) == (1_000.0, 80.0, {Status.DONE: 4, Status.FAILED: 4})
    assert last.gauges == Gauges(queued=0, waiting=0, oldest_waiting_seconds=0, workers=1)
    assert last.window.waiting == Times(None, None)


def test_slots_without_a_snapshot_have_no_point_and_nothing_is_lost() -> None:
    kept = [Snapshot(100.0, {}), Snapshot(160.0, {"attempts:DONE": 1}), Snapshot(900.0, {"attempts:DONE": 741})]
    found = points(kept, {"attempts:DONE": 741})
    assert [(point.at, point.window.seconds, point.window.ended[Status.DONE]) for point in found] == [
        (160.0, 60.0, 1),
        (900.0, 740.0, 740),
        (1_000.0, 100.0, 0),
    ]


@pytest.mark.parametrize("after", [{}, {"attempts:DONE": 99, "attempts:FAILED": 5000}], ids=["wiped", "restored"])
def test_counters_that_begin_anew_make_no_point_and_no_negative_rate(after: dict[str, int]) -> None:
    kept = [Snapshot(800.0, {}), Snapshot(860.0, BEGUN), Snapshot(920.0, after)]
    assert [(point.at, point.window.ended[Status.DONE]) for point in points(kept, after)] == [(860.0, 100), (1000.0, 0)]


def test_the_present_is_not_a_point_of_its_own_before_it_has_lasted() -> None:
    """A rate over a second says nothing; so what happened just now is shown together with the slot before."""
    kept = [Snapshot(939.0, {}), Snapshot(999.0, {"attempts:DONE": 60})]
    (found,) = points(kept, {"attempts:DONE": 61})
    assert (found.at, found.window.seconds, found.window.per_second) == (1_000.0, 61.0, 1.0)
    (first,) = points(kept[1:], {"attempts:DONE": 61})
    assert (first.window.seconds, first.window.ended[Status.DONE]) == (1.0, 1)  # a new deployment has nothing else


def test_there_are_never_more_points_than_slots() -> None:
    kept = [Snapshot(at, {}) for at in range(0, 80 * 60, 60)]
    found = points(kept, {}, at=80 * 60)
    assert len(found) == HOUR.slots
    assert found[-1].at == 80 * 60


def test_deliveries_to_webhooks_do_not_stand_in_line() -> None:
    assert replace(tally({}, 1.0), queued=5, deliveries=2).in_line == 3
    assert replace(tally({}, 1.0), queued=0, deliveries=1).in_line == 0
