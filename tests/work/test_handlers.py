"""How arq learns the result of an attempt."""

import asyncio
from typing import Any

import pytest
from arq import Retry

from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import EMAIL, JOB
from quickthumb.work.errors import Busy, LeaseLost
from quickthumb.work.handler import Done, Snooze, Verdict
from quickthumb.work.handlers import BUSY_SECONDS, HANDLERS, UNSETTLED_SECONDS, arq_function

process = arq_function(JOB)


class Runner:
    def __init__(self, verdict: Verdict | BaseException | None) -> None:
        self.ran: list[tuple[str, str]] = []
        self._verdict = verdict

    async def run(self, handler: str, item_id: str) -> Verdict | None:
        self.ran.append((handler, item_id))
        if isinstance(self._verdict, BaseException):
            raise self._verdict
        return self._verdict


class Pool:
    def __init__(self) -> None:
        self.left_alone: list[str] = []
        self.postponed: list[tuple[str, float]] = []

    def leave_alone(self, item_id: str) -> None:
        self.left_alone.append(item_id)

    def postpone(self, item_id: str, seconds: float) -> None:
        self.postponed.append((item_id, seconds))


def context(verdict: Verdict | BaseException | None) -> dict[str, Any]:
    handlers = {"job": "the handler of jobs", "email": "the handler of emails"}
    return {"runner": Runner(verdict), "redis": Pool(), "handlers": handlers}


async def retry_for(given: dict[str, Any]) -> int | None:
    """The delay, in milliseconds, after which arq retries."""
    with pytest.raises(Retry) as caught:
        await process(given, "job")
    return caught.value.defer_score


def test_what_the_first_release_queued_is_still_offered() -> None:
    assert [kind.function for kind, _ in HANDLERS] == ["process", "send_email"]


async def test_each_kind_has_its_handler() -> None:
    given = context(None)
    await arq_function(EMAIL)(given, "mail")
    await process(given, "job")
    assert given["runner"].ran == [("the handler of emails", "mail"), ("the handler of jobs", "job")]


@pytest.mark.parametrize("verdict", [Done({}, "done"), None])
async def test_an_attempt_in_order_is_the_end(verdict: Verdict | None) -> None:
    given = context(verdict)
    await process(given, "job")
    # The script that settled the attempt took the item out of the queue.
    assert given["redis"].left_alone == ["job"]


async def test_what_may_pass_is_tried_again_in_time() -> None:
    given = context(Snooze(blameless=True, seconds=4.0))
    assert await retry_for(given) == 4_000
    # The script that settled the attempt put the item back into the queue.
    assert given["redis"].left_alone == ["job"]


async def test_what_is_lost_is_left_alone() -> None:
    given = context(LeaseLost())
    assert await retry_for(given) is None
    assert given["redis"].left_alone == ["job"]


async def test_what_a_stopping_worker_released_is_left_alone() -> None:
    given = context(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await process(given, "job")
    assert given["redis"].left_alone == ["job"]


async def test_a_kind_that_has_no_place_free_is_asked_for_again() -> None:
    given = context(Busy())
    assert await retry_for(given) == BUSY_SECONDS * 1000
    assert (given["redis"].postponed, given["redis"].left_alone) == ([("job", BUSY_SECONDS)], [])


@pytest.mark.parametrize("error", [QueueUnavailable("away"), RuntimeError("a bug")])
async def test_whatever_else_happens_the_job_is_not_forgotten(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    given = context(error)
    assert await retry_for(given) == UNSETTLED_SECONDS * 1000
    assert "could not be settled" in caplog.text
    assert (given["redis"].postponed, given["redis"].left_alone) == ([("job", UNSETTLED_SECONDS)], [])
