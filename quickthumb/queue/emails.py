"""Emails in Redis: adding, reading and removing them. Workers send them through `attempts`, like every other kind."""

from collections.abc import Mapping

from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.job import Failure, Status, from_milliseconds, to_milliseconds
from quickthumb.queue.codec import failure_text
from quickthumb.queue.index import Added, Index, Lost
from quickthumb.queue.keys import EMAIL, KEYS, Keys


class EmailStore:
    """Emails in Redis. Every method is one round trip, and raises QueueUnavailable as `Index` does."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self.kind = EMAIL
        self.index = Index(redis, EMAIL, keys)

    async def add(self, email: Email, *, most: int = 0) -> Added:
        """Adds a new email and queues it, both or neither, unless `most` emails have not ended yet (0: no limit).

        Adding an email again changes nothing.
        """
        created_ms = to_milliseconds(email.created_at)
        return await self.index.add(email.id, created_ms, fields_of_email(email), most=most)

    async def get(self, email_id: str) -> Email | None:
        """The email in its current state, or None if there is none."""
        fields = await self.index.fields(email_id)
        return email_from(email_id, fields) if fields else None

    async def restore(self, email: Email, outcome: EmailOutcome) -> bool:
        """Restores an email that has ended. Returns False when Redis knows it, or when its retention time is over."""
        created_ms, finished_ms = to_milliseconds(email.created_at), to_milliseconds(outcome.finished_at)
        fields = {**fields_of_email(email), **ending_of_email(outcome)}
        (restored,) = await self.index.restore([Lost(email.id, created_ms, outcome.status, finished_ms, fields)])
        return restored

    async def remove(self, email_id: str) -> bool:
        """Forgets the email and takes it out of the queue. Returns False if there was none."""
        return await self.index.remove(email_id)


def fields_of_email(email: Email) -> dict[str, str]:
    """The hash of a new email. `recorded` says that the storage has its record: the first release stored none."""
    told = {} if email.job_id is None else {"job_id": email.job_id, "ended": email.ended or ""}
    return {"tenant": email.tenant, "address": email.address, "attempts": "0", "recorded": "1", **told}


def ending_of_email(outcome: EmailOutcome) -> dict[str, str]:
    """The fields that an email gets when it ends."""
    return {"finished_ms": str(to_milliseconds(outcome.finished_at)), "error": failure_text(outcome.error)}


def email_from(email_id: str, fields: Mapping[bytes, bytes]) -> Email:
    """The email that a hash holds, also if the first release wrote the hash."""
    error, job_id, ended = fields.get(b"error"), fields.get(b"job_id"), fields.get(b"ended")
    return Email(
        id=email_id,
        tenant=fields.get(b"tenant", DEFAULT_TENANT.encode()).decode(),
        address=fields[b"address"].decode(),
        created_at=from_milliseconds(int(fields[b"created_ms"])),
        job_id=job_id.decode() if job_id else None,
        ended=Status(ended.decode()) if ended else None,
        status=Status(fields[b"status"].decode()),
        attempts=int(fields[b"attempts"]),
        error=Failure.model_validate_json(error) if error else None,
    )


def is_recorded(fields: Mapping[bytes, bytes]) -> bool:
    """Whether the storage has a record of the email that a hash holds."""
    return b"recorded" in fields
