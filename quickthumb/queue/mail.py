"""Emails that wait to be sent: the one writer and reader of them in Redis, the queue's entry along with the status."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from quickthumb.model.ids import from_milliseconds, to_milliseconds
from quickthumb.model.job import ENDED, Failure, Status
from quickthumb.queue import codec, keys, scripts
from quickthumb.queue.connection import translated


class Mail(BaseModel):
    """One email to one address, and how the sending of it stands.

    `error` is why it FAILED or, while it is WAITING, why the last attempt did not send it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    address: str
    created_at: datetime
    status: Status = Status.WAITING
    attempts: int = 0
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class MailAttempt:
    """One try at sending; only whoever holds the token may end it."""

    mail: Mail
    token: str


class MailStore:
    """Emails in Redis. Every method raises QueueUnavailable when Redis is away or answers with an error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(scripts.MAIL_ADD)
        self._begin = redis.register_script(scripts.MAIL_BEGIN)
        self._leave = redis.register_script(scripts.MAIL_LEAVE)
        self._renew = redis.register_script(scripts.RENEW)

    async def add(self, mail: Mail, *, most: int) -> bool:
        """Keeps a new email and queues it, both or neither; False when `most` wait already."""
        created_ms = to_milliseconds(mail.created_at)
        fields: list[str | int] = ["status", mail.status, "address", mail.address, "created_ms", created_ms]
        async with translated():
            return bool(
                await self._add(
                    keys=[keys.mail(mail.id), keys.call(mail.id), keys.QUEUE, keys.WAKE, keys.MAILS],
                    args=[
                        mail.id,
                        created_ms,
                        codec.call_of(codec.MAIL_FUNCTION, mail.id, created_ms),
                        keys.MAIL_SECONDS,
                        keys.WAKE_SECONDS,
                        most,
                        created_ms - keys.MAIL_SECONDS * 1000,
                        *fields,
                        "attempts",
                        0,
                    ],
                )
            )

    async def get(self, mail_id: str) -> Mail | None:
        """The email as it stands, or None where there is none."""
        async with translated():
            fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(keys.mail(mail_id)))
        if not fields:
            return None
        error = fields.get(b"error")
        return Mail(
            id=mail_id,
            address=fields[b"address"].decode(),
            created_at=from_milliseconds(int(fields[b"created_ms"])),
            status=Status(fields[b"status"].decode()),
            attempts=int(fields[b"attempts"]),
            error=Failure.model_validate_json(error) if error else None,
        )

    async def begin(self, mail_id: str, token: str, *, lease_seconds: float) -> MailAttempt | None:
        """Begins an attempt, left to this worker for `lease_seconds`; None when there is nothing to send (any more)."""
        places = [keys.mail(mail_id), keys.lease(mail_id)]
        async with translated():
            number = await self._begin(keys=places, args=[",".join(ENDED), token, int(lease_seconds * 1000)])
        mail = await self.get(mail_id) if number else None
        return None if mail is None else MailAttempt(mail, token)

    async def renew(self, attempt: MailAttempt, *, lease_seconds: float) -> bool:
        """Holds on to a running attempt; False when it is no longer this worker's."""
        places = [keys.mail(attempt.mail.id), keys.lease(attempt.mail.id)]
        async with translated():
            return bool(await self._renew(keys=places, args=[attempt.token, int(lease_seconds * 1000)]))

    async def leave(self, attempt: MailAttempt, status: Status, error: Failure | None = None) -> bool:
        """Ends the attempt: the email is DONE or FAILED, or WAITING for the next; False when another has it."""
        written = error.model_dump_json() if error else ""
        async with translated():
            return bool(
                await self._leave(
                    keys=[keys.mail(attempt.mail.id), keys.MAILS],
                    args=[attempt.mail.id, attempt.token, status, written, keys.MAIL_SECONDS],
                )
            )
