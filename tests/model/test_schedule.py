"""When a job may begin, as clients say it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quickthumb.config import BUILT_IN_PRESETS
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Change, Job, new_id, now
from quickthumb.model.order import Order
from quickthumb.model.schedule import ScheduleChange, due_at
from quickthumb.model.source import Source
from quickthumb.service.presets import read_presets

PRESETS = read_presets(BUILT_IN_PRESETS)
SOON = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (SOON, datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 13:30:00+01:30", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_rfc_3339_writes_it(given: str, kept: datetime) -> None:
    assert Order.parse([("run_at", given)], PRESETS).run_at == kept
    assert ScheduleChange.parse({"run_at": given}).run_at == kept


@pytest.mark.parametrize(
    "given",
    [
        "tomorrow", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z", "2026-01-31T12:00:00+99:99", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
        "1769860800", "2026-01-31T12:00:00Z" + "0" * 10_000, 1769860800, True, ["2026-01-31T12:00:00Z"],
    ],
)  # fmt: skip
def test_no_other_text_is_a_moment(given: Any) -> None:
    for parse in (lambda: Order.parse([("run_at", given)], PRESETS), lambda: ScheduleChange.parse({"run_at": given})):
        with pytest.raises(InvalidParameter) as caught:
            parse()
        assert caught.value.field == "run_at"


def test_a_month_ahead_is_the_latest() -> None:
    ahead = timedelta(days=30)
    Order.parse([("run_at", (now() + ahead).isoformat(timespec="seconds"))], PRESETS)
    Order.parse([("delay", "2592000")], PRESETS)
    for field, value in (("run_at", (now() + ahead + timedelta(minutes=2)).isoformat()), ("delay", "2592001")):
        with pytest.raises(InvalidParameter) as caught:
            Order.parse([(field, value)], PRESETS)
        assert caught.value.field == field


def test_a_delay_and_a_moment_exclude_each_other() -> None:
    for parse in (
        lambda: Order.parse([("delay", "5"), ("run_at", SOON)], PRESETS),
        lambda: ScheduleChange.parse({"delay": 5, "run_at": SOON}),
    ):
        with pytest.raises(InvalidParameter) as caught:
            parse()
        assert (caught.value.field, caught.value.detail) == ("run_at", "run_at cannot be combined with delay.")


def test_a_delay_begins_when_the_job_is_accepted() -> None:
    moment = now()
    assert due_at(90, None, moment) == moment + timedelta(seconds=90)
    assert due_at(None, moment, now()) == moment
    assert due_at(None, None, moment) is None


def test_what_was_given_is_no_part_of_the_order_that_is_stored() -> None:
    order = Order.parse([("priority", "low"), ("delay", "5")], PRESETS)
    assert order.written().keys() == {"outputs"}
    assert order.timing() == {"priority": "low", "delay": 5}
    assert Order.parse([("run_at", SOON)], PRESETS).timing() == {"run_at": "2026-01-31T12:00:00+00:00"}
    assert Order.parse([], PRESETS).timing() == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "priority"),
        ({"priority": None}, "priority"),
        ({"priority": "urgent"}, "priority"),
        ({"priority": ["high"]}, "priority"),
        ({"delay": -1}, "delay"),
        ({"delay": 1.5}, "delay"),
        ({"delay": "5"}, "delay"),
        ({"delay": True}, "delay"),
        ({"delay": None}, "priority"),
        ({"dealy": 5}, "dealy"),
        ({"status": "DONE"}, "status"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        ScheduleChange.parse(given)
    assert caught.value.field == field


def test_a_change_says_whether_it_reschedules() -> None:
    assert not ScheduleChange.parse({"priority": "high"}).reschedules
    for given in ({"delay": 0}, {"run_at": None}, {"run_at": SOON, "priority": "low"}):
        assert ScheduleChange.parse(given).reschedules


def test_a_record_keeps_priority_and_time_and_a_change_replaces_them() -> None:
    job = Job(id=new_id(), created_at=now(), source=Source(), order={"outputs": []}, priority="high", run_at=now())
    assert Job.from_record(job.record()) == job
    change = Change(changes=3, priority="low", run_at=None)
    amended = job.amended(change.model_dump_json().encode())
    assert (amended.priority, amended.run_at, amended.changes) == ("low", None, 3)
