"""All handlers, one line each, and the functions that arq calls to have attempts made.

To have workers do another kind of work, add its handler here.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quickthumb import logs
from quickthumb.model.retention import RetentionPolicy
from quickthumb.notify.mailer import Mailer
from quickthumb.outbound.client import OutboundClient
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import DELIVERY, EMAIL, JOB, Kind
from quickthumb.queue.pool import WakingPool
from quickthumb.storage import Storage
from quickthumb.work.deliver import DeliveryHandler
from quickthumb.work.email import EmailHandler
from quickthumb.work.errors import LeaseLost
from quickthumb.work.fetch import Fetcher
from quickthumb.work.handler import Handler
from quickthumb.work.messages import Messages
from quickthumb.work.notices import NoticeTexts
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.render import Render, RenderHandler
from quickthumb.work.results import TellingRender
from quickthumb.work.runner import Runner
from quickthumb.work.twins import Twins

log = logging.getLogger("quickthumb.worker")

# Keys of arq's context: the runner, and the handlers by the name of their kind.
RUNNER = "runner"
HANDLERS_BY_KIND = "handlers"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a worker's handlers are made from."""

    jobs: JobStore
    emails: EmailStore
    deliveries: DeliveryStore
    attempts: Attempts
    storage: Storage
    render: Render
    confined: Render
    telling: TellingRender
    confined_formats: frozenset[str]
    mailer: Mailer
    outbox: WebhookOutbox
    outbound: OutboundClient
    webhook_pauses: Sequence[float]
    webhook_secrets: Sequence[str]
    base: str
    sender: str
    lease_seconds: float
    max_attempts: int
    email_attempts: int
    spare_bytes: int
    retention: RetentionPolicy
    fetcher: Fetcher
    twins: Twins


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
        outbox=parts.outbox,
        retention=parts.retention,
        fetcher=parts.fetcher,
        telling=parts.telling,
        twins=parts.twins,
    )


def _email(parts: Parts) -> Handler:
    return EmailHandler(
        parts.emails,
        parts.storage,
        parts.mailer,
        NoticeTexts(parts.storage, parts.sender, parts.base),
        max_attempts=parts.email_attempts,
    )


def _delivery(parts: Parts) -> Handler:
    return DeliveryHandler(
        parts.deliveries,
        parts.storage,
        parts.outbox.webhooks,
        parts.outbound,
        Messages(parts.storage, parts.jobs, parts.outbox.batches, parts.base),
        pauses=parts.webhook_pauses,
        secrets=parts.webhook_secrets,
    )


HANDLERS: tuple[tuple[Kind, Callable[[Parts], Handler]], ...] = (
    (JOB, _render),
    (EMAIL, _email),
    (DELIVERY, _delivery),
)


def handlers_of(parts: Parts) -> dict[str, Handler]:
    """A worker's handlers, by the name of their kind."""
    return {kind.name: make(parts) for kind, make in HANDLERS}


def arq_function(kind: Kind) -> Callable[[dict[str, Any], str], Awaitable[None]]:
    """The function that arq calls to make an attempt at an item of this kind."""

    async def run(context: dict[str, Any], item_id: str) -> None:
        """Makes the attempt that the pool has claimed. The script that settles it updates the queue; if it cannot be
        settled, its lease lapses and the item is due again."""
        logs.begin(**{f"{kind.name}_id": item_id})
        runner: Runner = context[RUNNER]
        pool: WakingPool = context["redis"]
        try:
            await runner.run(context[HANDLERS_BY_KIND][kind.name], pool.begin(item_id))
        except LeaseLost:
            pass  # the runner has told of it
        except Exception:
            log.exception("%s %s: the attempt could not be settled", kind.name, item_id)

    return run
