"""Deliveries in Redis: adding, reading and listing them. Workers make them through `attempts`."""

import json
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Status, from_milliseconds, to_milliseconds
from quickthumb.model.webhook import Delivery, DeliveryAttempt, EventType
from quickthumb.queue.codec import failure_text
from quickthumb.queue.connection import translated
from quickthumb.queue.index import Added, Index
from quickthumb.queue.keys import DELIVERY, KEYS, Keys

# How many deliveries are listed for one webhook, the newest.
MOST_LISTED = 1000

_ATTEMPTS = TypeAdapter(tuple[DeliveryAttempt, ...])


class DeliveryStore:
    """Deliveries in Redis. Methods raise QueueUnavailable as `Index` does."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self.kind = DELIVERY
        self.index = Index(redis, DELIVERY, keys)
        self._redis = redis
        self._keys = keys

    async def add(self, delivery: Delivery) -> bool:
        """Adds a new delivery and queues it, and lists it for its webhook, its job or its batch. Returns False, and
        changes nothing, if it is known. Two round trips."""
        created_ms = to_milliseconds(delivery.created_at)
        # Listed first: what is listed but unknown is passed over, and what is known must be listed.
        owners = [owner for owner in (delivery.webhook_id, delivery.job_id, delivery.batch_id) if owner is not None]
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for owner in owners:
                listed = self._keys.deliveries_of(owner)
                pipeline.zadd(listed, {delivery.id: created_ms})
                pipeline.zremrangebyrank(listed, 0, -MOST_LISTED - 1)
                pipeline.expire(listed, self.kind.waiting_seconds + self.kind.kept_seconds())
            await pipeline.execute()
        return await self.index.add(delivery.id, created_ms, fields_of_delivery(delivery)) is Added.NEW

    async def get(self, delivery_id: str) -> Delivery | None:
        """The delivery in its current state, or None if there is none."""
        fields = await self.index.fields(delivery_id)
        return delivery_from(delivery_id, fields) if fields else None

    async def of(self, owner: str, *, most: int = MOST_LISTED) -> list[Delivery]:
        """The deliveries of a webhook, a job or a batch, newest first. Two round trips."""
        async with translated():
            found = await self._redis.zrange(self._keys.deliveries_of(owner), -most, -1)
        return await self._read([entry.decode() for entry in reversed(found)])

    async def _read(self, delivery_ids: Sequence[str]) -> list[Delivery]:
        if not delivery_ids:
            return []
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for delivery_id in delivery_ids:
                pipeline.hgetall(self._keys.record(self.kind, delivery_id))
            answers = await pipeline.execute()
        pairs = zip(delivery_ids, answers, strict=True)
        return [delivery_from(delivery_id, fields) for delivery_id, fields in pairs if fields]


def fields_of_delivery(delivery: Delivery) -> dict[str, str]:
    """The hash of a new delivery."""
    named = {"webhook_id": delivery.webhook_id, "job_id": delivery.job_id, "batch_id": delivery.batch_id}
    return {
        "tenant": delivery.tenant,
        "message_id": delivery.message_id,
        "event": delivery.event,
        "url": delivery.url,
        "happened_ms": str(to_milliseconds(delivery.happened_at)),
        "attempts": "0",
        # Telling of what is done comes before more work, and each receiver gets its turn.
        "priority": "high",
        "group": delivery.webhook_id or delivery.tenant,
        **{name: value for name, value in named.items() if value is not None},
    }


def tries_text(attempts: Sequence[DeliveryAttempt]) -> str:
    """The tries in the form in which a hash holds them, in the field `tries`."""
    return json.dumps([attempt.model_dump(mode="json", exclude_none=True) for attempt in attempts])


def ending_of_delivery(finished_ms: int, error: Failure | None) -> dict[str, str]:
    """The fields that a delivery gets when it ends."""
    return {"finished_ms": str(finished_ms), "error": failure_text(error)}


def delivery_from(delivery_id: str, fields: Mapping[bytes, bytes]) -> Delivery:
    """The delivery that a hash holds."""

    def text(name: str) -> str | None:
        found = fields.get(name.encode())
        return None if found is None else found.decode()

    error, tries = fields.get(b"error"), fields.get(b"tries")
    return Delivery(
        id=delivery_id,
        message_id=text("message_id") or delivery_id,
        tenant=text("tenant") or DEFAULT_TENANT,
        event=EventType(fields[b"event"].decode()),
        url=fields[b"url"].decode(),
        webhook_id=text("webhook_id"),
        job_id=text("job_id"),
        batch_id=text("batch_id"),
        happened_at=from_milliseconds(int(fields[b"happened_ms"])),
        created_at=from_milliseconds(int(fields[b"created_ms"])),
        status=Status(fields[b"status"].decode()),
        attempts=_ATTEMPTS.validate_json(tries) if tries else (),
        error=Failure.model_validate_json(error) if error else None,
    )
