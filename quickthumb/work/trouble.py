"""Trouble that an item is not to blame for, such as a full disk: it is tried again and again, but not for ever."""

from datetime import timedelta

from quickthumb.config import TroubleLimits
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.attempts import Attempt
from quickthumb.work.errors import GaveUp
from quickthumb.work.handler import Snooze, Verdict

# An item is not given up for its age alone: while no worker was running, nobody tried it.
LEAST_ATTEMPTS = 10
# An attempt that took longer than this and ended in trouble is followed by a pause that many times as long, so that
# an item which is tried in vain for days takes a tenth of a thread at most.
COSTLY_SECONDS = 5.0
PAUSE_FACTOR = 9
LONGEST_PAUSE_SECONDS = 900.0


def trouble_of(verdict: Verdict) -> QuickThumbError | None:
    """The error that ended an attempt although its item is not to blame. None for every other verdict, and for an item
    that only waits for its turn."""
    if not isinstance(verdict, Snooze) or not verdict.blameless or verdict.error is None:
        return None
    return None if verdict.error.waits_its_turn else verdict.error


def is_too_much(attempt: Attempt, limits: TroubleLimits) -> bool:
    """Whether an item has had too much trouble, now that this attempt ended with some, too."""
    number = attempt.troubles + 1
    takes_too_long = attempt.troubled_seconds >= limits.seconds and number >= LEAST_ATTEMPTS
    return takes_too_long or number >= limits.attempts


def gave_up(attempt: Attempt, trouble: QuickThumbError) -> GaveUp:
    """The error with which an item fails that had too much trouble."""
    past = timedelta(seconds=round(attempt.troubled_seconds))
    return GaveUp(f"Gave up after {attempt.troubles + 1} attempts within {past}: {trouble.detail}")


def pause_seconds(busy_seconds: float) -> float:
    """How long an item pauses at least after an attempt that took `busy_seconds` and ended in trouble."""
    return min(LONGEST_PAUSE_SECONDS, PAUSE_FACTOR * busy_seconds) if busy_seconds > COSTLY_SECONDS else 0.0
