"""Webhooks: where to tell what happens, and what is owed to them."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Status

# How long messages are signed with the old secret, too, after a webhook got a new one; and with how many in all.
OVERLAP = timedelta(days=1)
MOST_SIGNING = 3
SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret, but how one begins
SECRET_BYTES = 32
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64


class EventType(StrEnum):
    """What a webhook can be told of."""

    JOB_DONE = "job.done"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    BATCH_DONE = "batch.done"
    ENDPOINT_TEST = "endpoint.test"


# What a webhook can choose from. Tests are sent when somebody asks for one.
CHOICES = (EventType.JOB_DONE, EventType.JOB_FAILED, EventType.JOB_CANCELLED, EventType.BATCH_DONE)

# The event of each end of a job.
OF_END: Mapping[Status, EventType] = {
    Status.DONE: EventType.JOB_DONE,
    Status.FAILED: EventType.JOB_FAILED,
    Status.CANCELLED: EventType.JOB_CANCELLED,
}


class Secret(BaseModel):
    """A secret in the form of Standard Webhooks, `whsec_…`, and since when it signs."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(repr=False)
    created_at: datetime


class Webhook(BaseModel):
    """A URL to which a tenant's events are posted, and what signs them: `secrets`, the newest first.

    `gone_at` is when its server said that it is gone, so that nothing is sent there any more; None if it is in use.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    url: str
    events: tuple[EventType, ...]
    description: str = ""
    created_at: datetime
    secrets: tuple[Secret, ...] = Field(repr=False)
    gone_at: datetime | None = None

    def signing(self, moment: datetime) -> tuple[str, ...]:
        """The secrets that sign at this moment: the newest, and those that were replaced less than OVERLAP ago, up to
        MOST_SIGNING in all."""
        newer = (None, *(secret.created_at for secret in self.secrets))
        current = (
            secret.text
            for secret, replaced_at in zip(self.secrets, newer, strict=False)
            if replaced_at is None or moment < replaced_at + OVERLAP
        )
        return tuple(islice(current, MOST_SIGNING))


class DeliveryAttempt(BaseModel):
    """One try to deliver: when it began, how long it took, and the status and the beginning of the answer, or else what
    went wrong."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    seconds: float
    status: int | None = None
    answer: str | None = None
    error: str | None = None


class Delivery(BaseModel):
    """One event that is owed to one URL. `message_id` is that of the event for this URL, and the same when it is sent
    again; `webhook_id` is None for the URL that came with the job or the batch itself. The event, which is the end of
    either one, was at `happened_at`, and the delivery is tried from `created_at` on."""

    model_config = ConfigDict(frozen=True)

    id: str
    message_id: str
    tenant: str = DEFAULT_TENANT
    event: EventType
    url: str
    webhook_id: str | None = None
    job_id: str | None = None
    batch_id: str | None = None
    happened_at: datetime
    created_at: datetime
    status: Status = Status.WAITING
    attempts: tuple[DeliveryAttempt, ...] = ()
    error: Failure | None = None


def message_of(event: EventType, subject: str, moment: datetime, receiver: str) -> str:
    """The id of the message that tells one receiver of one event: always the same, so that nothing is owed twice."""
    told = "\n".join((event, subject, moment.isoformat(), receiver))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def new_secret() -> str:
    """A new secret, as it is shown to whoever is to check signatures."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that sign. Raises ValueError for text that is not a secret."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret must begin with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret must be base64") from None
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise ValueError(f"a secret must have {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes")
    return key
