"""All handlers, one line each, and the functions that arq calls to have attempts made.

To have workers do another kind of work, add its handler here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from arq import Retry

from quickthumb import logs
from quickthumb.notify.mailer import Mailer
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import EMAIL, JOB, Kind
from quickthumb.queue.pool import WakingPool
from quickthumb.storage import Storage
from quickthumb.work.email import EmailHandler
from quickthumb.work.errors import Busy, LeaseLost
from quickthumb.work.handler import Handler, Snooze
from quickthumb.work.render import Render, RenderHandler
from quickthumb.work.runner import Runner

log = logging.getLogger("quickthumb.worker")

# Keys of arq's context: the runner, and the handlers by the name of their kind.
RUNNER = "runner"
HANDLERS_BY_KIND = "handlers"

# The delay before a retry when this worker had no place free for the item's kind.
BUSY_SECONDS = 1.0
# The delay before a retry when Redis itself, or a bug, kept the attempt from being settled.
UNSETTLED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a worker's handlers are made from."""

    jobs: JobStore
    emails: EmailStore
    attempts: Attempts
    storage: Storage
    render: Render
    confined: Render
    confined_formats: frozenset[str]
    mailer: Mailer
    sender: str
    lease_seconds: float
    max_attempts: int
    email_attempts: int
    spare_bytes: int
    removes_source: bool


def _render(parts: Parts) -> Handler:
    return RenderHandler(
        parts.jobs,
        parts.attempts,
        parts.storage,
        parts.render,
        parts.confined,
        lease_seconds=parts.lease_seconds,
        max_attempts=parts.max_attempts,
        confined_formats=parts.confined_formats,
        spare_bytes=parts.spare_bytes,
        removes_source=parts.removes_source,
    )


def _email(parts: Parts) -> Handler:
    return EmailHandler(parts.emails, parts.storage, parts.mailer, parts.sender, max_attempts=parts.email_attempts)


HANDLERS: tuple[tuple[Kind, Callable[[Parts], Handler]], ...] = (
    (JOB, _render),
    (EMAIL, _email),
)


def handlers_of(parts: Parts) -> dict[str, Handler]:
    """A worker's handlers, by the name of their kind."""
    return {kind.name: make(parts) for kind, make in HANDLERS}


def arq_function(kind: Kind) -> Callable[[dict[str, Any], str], Awaitable[None]]:
    """The function that arq calls to make an attempt at an item of this kind."""

    async def run(context: dict[str, Any], item_id: str) -> None:
        """Makes one attempt, and raises Retry when the item has not ended.

        Once an attempt was settled or released, or its lease was lost, the queue is already right, and arq must leave
        it alone. arq would take any exception except Retry and a cancellation for the item's end.
        """
        logs.begin(**{f"{kind.name}_id": item_id})
        runner: Runner = context[RUNNER]
        pool: WakingPool = context["redis"]
        try:
            verdict = await runner.run(context[HANDLERS_BY_KIND][kind.name], item_id)
        except asyncio.CancelledError:
            pool.leave_alone(item_id)
            raise
        except LeaseLost as lost:
            pool.leave_alone(item_id)
            raise Retry from lost
        except Busy as busy:
            raise _retry_later(pool, item_id, BUSY_SECONDS) from busy
        except Exception as error:
            log.exception("%s %s: the attempt could not be settled", kind.name, item_id)
            raise _retry_later(pool, item_id, UNSETTLED_SECONDS) from error
        pool.leave_alone(item_id)
        if isinstance(verdict, Snooze):
            raise Retry(defer=verdict.seconds)

    return run


def _retry_later(pool: WakingPool, item_id: str, seconds: float) -> Retry:
    """For an attempt that was not settled: arq itself puts the id back into the queue."""
    pool.postpone(item_id, seconds)
    return Retry(defer=seconds)
