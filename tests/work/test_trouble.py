"""When an item is given up, and how long it pauses until then."""

import pytest

from quickthumb.config import TroubleLimits
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import JOB
from quickthumb.storage.errors import DiskFull
from quickthumb.work.trouble import gave_up, is_too_much, pause_seconds

LIMITS = TroubleLimits(seconds=3600, attempts=100)
BEGAN_MS = 1_700_000_000_000


def attempt_after(troubles: int, seconds: float) -> Attempt:
    """An attempt after some that ended in trouble, the first of them `seconds` ago."""
    fields = {b"started_ms": str(BEGAN_MS + round(seconds * 1000)).encode()}
    if troubles:
        fields |= {b"troubles": str(troubles).encode(), b"troubled_ms": str(BEGAN_MS).encode()}
    return Attempt(JOB, "5f0c", "token", troubles + 1, 1, fields)


@pytest.mark.parametrize(
    ("troubles", "seconds", "too_much"),
    [
        (0, 0, False),
        (0, 10**6, False),
        (8, 3600, False),
        (9, 3599, False),
        (9, 3600, True),
        (98, 1, False),
        (99, 1, True),
    ],
)
def test_an_item_is_given_up_for_the_time_or_for_the_number(troubles: int, seconds: float, too_much: bool) -> None:
    assert is_too_much(attempt_after(troubles, seconds), LIMITS) is too_much


def test_the_error_names_the_last_trouble() -> None:
    error = gave_up(attempt_after(411, 3 * 86_400 + 12), DiskFull("The disk is full."))
    assert error.detail == "Gave up after 412 attempts within 3 days, 0:00:12: The disk is full."


@pytest.mark.parametrize(("busy_seconds", "pause"), [(0.5, 0), (5, 0), (10, 90), (500, 900)])
def test_what_takes_long_pauses_longer(busy_seconds: float, pause: float) -> None:
    assert pause_seconds(busy_seconds) == pause
