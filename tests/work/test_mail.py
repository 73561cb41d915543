"""What arq is told of an attempt at sending an email."""

from typing import Any

import pytest
from arq import Retry
from quickthumb.work.mail import DISORDER_SECONDS, MAIL_RUNNER, send_email

from quickthumb.work.runner import TryAgain


class Runner:
    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.asked: list[str] = []

    async def run(self, mail_id: str) -> None:
        self.asked.append(mail_id)
        if self._error is not None:
            raise self._error


async def test_an_attempt_that_ends_the_email_is_the_end() -> None:
    runner = Runner(None)
    context: dict[str, Any] = {MAIL_RUNNER: runner}
    await send_email(context, "5f0c")
    assert runner.asked == ["5f0c"]


@pytest.mark.parametrize(("error", "seconds"), [(TryAgain(8), 8), (RuntimeError("a bug"), DISORDER_SECONDS)])
async def test_anything_else_is_called_for_again(error: Exception, seconds: float) -> None:
    context: dict[str, Any] = {MAIL_RUNNER: Runner(error)}
    with pytest.raises(Retry) as again:
        await send_email(context, "5f0c")
    assert again.value.defer_score == seconds * 1000
