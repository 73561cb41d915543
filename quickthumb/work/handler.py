"""What a handler owes the runner, and the verdicts with which it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Failure, Status
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import Kind


@dataclass(frozen=True, slots=True)
class Done:
    """The item is DONE. `fields` go into its record; `summary` is for the log."""

    status: ClassVar[Status] = Status.DONE
    fields: Mapping[str, str]
    summary: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The item is FAILED, for `error`. `fields` go into its record."""

    status: ClassVar[Status] = Status.FAILED
    fields: Mapping[str, str]
    error: Failure


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The item was cancelled before it ended otherwise. `fields` go into its record."""

    status: ClassVar[Status] = Status.CANCELLED
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snooze:
    """The item waits for another attempt, for `error`.

    It is due again after `seconds`; None leaves that to the runner, which doubles the pauses. An attempt that is not
    `blameless` is a strike against the item: after the last one that it may have, the item fails with the error.
    """

    status: ClassVar[Status] = Status.WAITING
    blameless: bool
    error: QuickThumbError | None = None
    seconds: float | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


Verdict = Done | Failed | Cancelled | Snooze


class Handler(Protocol):
    """Makes attempts at the items of one kind.

    `at_once` is how many attempts one worker may run at the same time (None: as many as it has places). An item fails
    after `max_attempts` strikes. The pauses between its attempts double from 1 s up to `longest_pause_seconds`.
    `unexpected` is what a user is told when the last attempt ended with an exception that nobody knows.
    """

    kind: Kind
    at_once: int | None
    max_attempts: int
    longest_pause_seconds: float
    unexpected: QuickThumbError

    async def run(self, attempt: Attempt) -> Verdict:
        """Makes one attempt. What it answers other than Snooze is in the storage when it returns.

        An end that stands in the storage already is the answer. A permanent error that it raises makes the item fail;
        one that may pass makes it wait and is no strike; any other exception makes it wait and is one. It raises
        LeaseLost when the item is not to be touched any more. It may be cancelled at any time, and then leaves nothing.
        """

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        """Writes to the storage that the item has failed, and answers the end that stands there. Raises as `run`."""

    async def abandoned(self, attempt: Attempt) -> None:
        """Clears away what an attempt left whose lease was lost, as far as nobody else wants it."""


def failure_of(error: QuickThumbError) -> Failure:
    """An error as records keep it."""
    return Failure(code=error.code, title=error.title, detail=error.detail)
