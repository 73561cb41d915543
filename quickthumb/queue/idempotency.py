"""What Idempotency-Keys were used for, so that a request which is sent again makes no second job.

After the IETF's draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.queue import keys, scripts
from quickthumb.queue.connection import translated
from quickthumb.queue.errors import QueueUnavailable, RequestInProgress


@dataclass(frozen=True, slots=True)
class Use:
    """A key that made a job. `fingerprint` tells the request from another one under the same key."""

    key: str
    job_id: str
    fingerprint: str

    def written(self) -> str:
        """As it is kept in Redis."""
        return json.dumps({"job_id": self.job_id, "fingerprint": self.fingerprint})


class Idempotency:
    """The uses of keys, kept in Redis for a day. Raises QueueUnavailable when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(scripts.TAKE)
        self._hold = redis.register_script(scripts.HOLD)
        self._give_up = redis.register_script(scripts.GIVE_UP)

    @asynccontextmanager
    async def claimed(self, key: str) -> AsyncIterator[Use | None]:
        """Claims the key while the block lasts; gives what it was used for before, or None when it is new.

        Raises RequestInProgress when another request claims it just now. `JobStore.add` turns the claim into a use;
        without that, it is given up when the block is left.
        """
        place, claim = keys.idempotency(key), f"claimed {secrets.token_hex(16)}"
        async with translated():
            found = await self._take(keys=[place], args=[claim, keys.CLAIM_SECONDS])
        if found is not None:
            yield _use(key, found)
            return
        renewing = asyncio.create_task(self._renew(place, claim), name="idempotency claim")
        try:
            yield None
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            with contextlib.suppress(QueueUnavailable):
                async with translated():
                    await self._give_up(keys=[place], args=[claim])

    async def withdraw(self, use: Use) -> None:
        """Takes a use back whose job was not taken after all, so that the key is new again."""
        async with translated():
            await self._give_up(keys=[keys.idempotency(use.key)], args=[use.written()])

    async def _renew(self, place: str, claim: str) -> None:
        while True:
            await asyncio.sleep(keys.CLAIM_SECONDS / 3)
            with contextlib.suppress(QueueUnavailable):
                async with translated():
                    await self._hold(keys=[place], args=[claim, keys.CLAIM_SECONDS])


def _use(key: str, found: bytes) -> Use:
    if found.startswith(b"claimed "):
        raise RequestInProgress("A request with this Idempotency-Key is still being received.")
    kept = json.loads(found)
    return Use(key, kept["job_id"], kept["fingerprint"])
