"""How arq learns the result of an attempt."""

import asyncio
from typing import Any

import pytest

from quickthumb.queue.attempts import Attempt
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import EMAIL, JOB, Kind
from quickthumb.work.errors import LeaseLost
from quickthumb.work.handler import Done, Snooze, Verdict
from quickthumb.work.handlers import HANDLERS, arq_function


class Runner:
    def __init__(self, verdict: Verdict | BaseException) -> None:
        self.ran: list[tuple[str, str]] = []
        self._verdict = verdict

    async def run(self, handler: str, attempt: Attempt) -> Verdict:
        self.ran.append((handler, attempt.id))
        if isinstance(self._verdict, BaseException):
            raise self._verdict
        return self._verdict


class Pool:
    """Knows the one attempt that was claimed."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def begin(self, item_id: str) -> Attempt:
        assert item_id == self._attempt.id
        return self._attempt


def context(kind: Kind, verdict: Verdict | BaseException) -> dict[str, Any]:
    handlers = {"job": "the handler of jobs", "email": "the handler of emails"}
    attempt = Attempt(kind, "item", "token", 1, 1, {})
    return {"runner": Runner(verdict), "redis": Pool(attempt), "handlers": handlers}


def test_what_the_first_release_queued_is_still_offered() -> None:
    assert [kind.function for kind, _ in HANDLERS][:2] == ["process", "send_email"]


@pytest.mark.parametrize(("kind", "handler"), [(JOB, "the handler of jobs"), (EMAIL, "the handler of emails")])
async def test_each_kind_has_its_handler(kind: Kind, handler: str) -> None:
    given = context(kind, Done({}, "done"))
    await arq_function(kind)(given, "item")
    assert given["runner"].ran == [(handler, "item")]


@pytest.mark.parametrize("verdict", [Done({}, "done"), Snooze(blameless=True, seconds=4.0), LeaseLost()])
async def test_what_was_settled_or_lost_is_the_end_for_arq(
    verdict: Verdict | BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The scripts have the queue right already."""
    await arq_function(JOB)(context(JOB, verdict), "item")
    assert not caplog.records


async def test_a_stopping_worker_tells_arq_so() -> None:
    with pytest.raises(asyncio.CancelledError):
        await arq_function(JOB)(context(JOB, asyncio.CancelledError()), "item")


@pytest.mark.parametrize("error", [QueueUnavailable("away"), RuntimeError("a bug")])
async def test_whatever_else_happens_is_told_and_does_not_end_the_worker(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await arq_function(JOB)(context(JOB, error), "item")
    assert "job item: the attempt could not be settled" in caplog.text
