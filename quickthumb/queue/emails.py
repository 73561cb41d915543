"""Emails in Redis: accepted and read. Workers send them as `attempts` of their kind."""

from redis.asyncio import Redis

from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.ids import to_milliseconds
from quickthumb.queue import codec
from quickthumb.queue.index import Added, Index
from quickthumb.queue.keys import EMAIL, KEYS, Keys


class EmailStore:
    """Emails in Redis, each method one round trip. All raise QueueUnavailable as `Index` does."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self.kind = EMAIL
        self.index = Index(redis, EMAIL, keys)

    async def add(self, email: Email, *, most: int = 0) -> Added:
        """Adds a new email and queues it, both or neither, unless `most` have not ended yet (0: no limit).

        Adding it again changes nothing.
        """
        created_ms = to_milliseconds(email.created_at)
        return await self.index.add(email.id, created_ms, codec.fields_of_email(email), most=most)

    async def get(self, email_id: str) -> Email | None:
        """The email as it stands, or None where there is none."""
        fields = await self.index.fields(email_id)
        return codec.email_from(email_id, fields) if fields else None

    async def restore(self, email: Email, outcome: EmailOutcome) -> bool:
        """Makes an email known again that has ended; False when Redis knows it, or its retention time is over."""
        return await self.index.restore(
            email.id,
            to_milliseconds(email.created_at),
            outcome.status,
            to_milliseconds(outcome.finished_at),
            {**codec.fields_of_email(email), **codec.ending_of_email(outcome)},
        )

    async def remove(self, email_id: str) -> bool:
        """Forgets the email and takes it from the queue; False where there was none."""
        return await self.index.remove(email_id)
