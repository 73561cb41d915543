"""The contract between handlers and the runner, and the verdicts that handlers return."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Failure, Status, now, to_milliseconds
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.codec import failure_text
from quickthumb.queue.keys import Kind
from quickthumb.work.errors import RecordMissing

log = logging.getLogger("quickthumb.job")


@dataclass(frozen=True, slots=True)
class Done:
    """The item is DONE. `fields` go into its record in Redis, `summary` goes into the log."""

    status: ClassVar[Status] = Status.DONE
    fields: Mapping[str, str]
    summary: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The item FAILED because of `error`. `fields` go into its record in Redis."""

    status: ClassVar[Status] = Status.FAILED
    fields: Mapping[str, str]
    error: Failure


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The item was cancelled before it was DONE or FAILED. `fields` go into its record in Redis."""

    status: ClassVar[Status] = Status.CANCELLED
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snooze:
    """The item waits for another attempt, because of `error` if there is one. `fields` go into its record in Redis.

    It is due again after `seconds`; with None, the runner applies exponential backoff, or no pause at all if the error
    says `waits_its_turn`. An attempt that is not `blameless` is a strike against the item. At the last strike that its
    handler allows, the item fails with `error`.
    With `is_cheap_again`, the next attempt costs little, as long as the cause has not passed.
    """

    status: ClassVar[Status] = Status.WAITING
    blameless: bool
    error: QuickThumbError | None = None
    seconds: float | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    is_cheap_again: bool = False


Verdict = Done | Failed | Cancelled | Snooze


class Handler(Protocol):
    """Makes attempts at the items of one kind.

    `at_once` is how many attempts one worker may make at the same time (None: no limit beyond arq's own). An item fails
    after `max_attempts` strikes. Between its attempts there is exponential backoff, starting at 1 s and limited to
    `longest_pause_seconds`. `unexpected` is the error that users see when the last attempt ended with an exception that
    is not a QuickThumbError.
    """

    kind: Kind
    at_once: int | None
    max_attempts: int
    longest_pause_seconds: float
    unexpected: QuickThumbError

    async def run(self, attempt: Attempt) -> Verdict:
        """Makes one attempt. When it returns any verdict but Snooze, the outcome is in the storage.

        If the storage already has an outcome, the verdict follows from that. When `run` raises a permanent
        QuickThumbError, the item fails; any other QuickThumbError makes the item wait, without a strike; any other
        exception makes it wait, with a strike. Raises LeaseLost when this worker must not touch the item any more.
        `run` may be cancelled at any time, and then leaves nothing behind.
        """

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        """Stores that the item has failed, unless the storage already has an outcome. Returns the verdict for the
        stored outcome. An item without a record fails in Redis alone. Raises as `run` does."""

    async def abandoned(self, attempt: Attempt) -> None:
        """Removes what an attempt left behind when its lease was lost, unless it is still needed."""


# How soon another worker may look for a record that this one does not see, and how soon after that. A network file
# system may show an old view for half a minute.
OTHER_WORKER_SECONDS = 1.0
OLD_VIEW_SECONDS = 30.0


def unseen(attempt: Attempt, place: str, identity: str | None) -> Snooze:
    """The verdict on an item whose record this worker does not see although nobody removed it: another worker is to
    look. Once `max_attempts` attempts saw nothing, the item fails."""
    log.error(
        "%s %s: no record of it in %s (storage %s), and nothing says that it was removed; leaving it to another worker",
        attempt.kind.name,
        attempt.id,
        place,
        identity,
    )
    error = RecordMissing(f"No worker found the record of this {attempt.kind.name} in the storage.")
    pause_seconds = OTHER_WORKER_SECONDS if attempt.strike == 1 else OLD_VIEW_SECONDS
    return Snooze(blameless=False, error=error, seconds=pause_seconds)


def failed_in_redis(error: QuickThumbError) -> Failed:
    """The verdict on an item whose end cannot be in the storage: only Redis knows that it FAILED.

    If a worker finds its record later, without an outcome, the item is queued again (`service.repair`).
    """
    failure = failure_of(error)
    return Failed({"error": failure_text(failure), "finished_ms": str(to_milliseconds(now()))}, failure)


def failure_of(error: QuickThumbError) -> Failure:
    """The error in the form that records keep."""
    retryable = error.retry_may_help or not error.permanent
    return Failure(code=error.code, title=error.title, detail=error.detail, retryable=retryable)
