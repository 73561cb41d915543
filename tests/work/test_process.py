"""What the runner says, in arq's words."""

from typing import Any

import pytest
from arq import Retry
from quickthumb.work.process import DISORDER_SECONDS, process

from quickthumb.queue.errors import QueueUnavailable
from quickthumb.work.runner import Abandoned, TryAgain


class Runner:
    def __init__(self, error: Exception | None = None) -> None:
        self.ran: list[str] = []
        self._error = error

    async def run(self, job_id: str) -> None:
        self.ran.append(job_id)
        if self._error:
            raise self._error


class Pool:
    def __init__(self) -> None:
        self.left_alone: list[str] = []

    def leave_alone(self, job_id: str) -> None:
        self.left_alone.append(job_id)


def context(error: Exception | None = None) -> dict[str, Any]:
    return {"runner": Runner(error), "redis": Pool()}


async def retry_for(given: dict[str, Any]) -> int | None:
    """After how many milliseconds arq is to come again."""
    with pytest.raises(Retry) as caught:
        await process(given, "job")
    return caught.value.defer_score


async def test_an_attempt_in_order_is_the_end() -> None:
    given = context()
    await process(given, "job")
    assert given["runner"].ran == ["job"]
    assert given["redis"].left_alone == []


async def test_what_may_pass_is_tried_again_in_time() -> None:
    given = context(TryAgain(4.0))
    assert await retry_for(given) == 4_000
    assert given["redis"].left_alone == []


async def test_what_is_in_other_hands_is_left_alone() -> None:
    given = context(Abandoned())
    assert await retry_for(given) is None
    assert given["redis"].left_alone == ["job"]


@pytest.mark.parametrize("error", [QueueUnavailable("away"), RuntimeError("a bug")])
async def test_whatever_else_happens_the_job_is_not_forgotten(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert await retry_for(context(error)) == DISORDER_SECONDS * 1000
    assert "could not be ended in order" in caplog.text
