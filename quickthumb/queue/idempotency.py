"""Idempotency records: what each Idempotency-Key was used for, so that a repeated request makes no second job.

Follows the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.errors import QueueUnavailable, RequestInProgress
from quickthumb.queue.keys import CLAIM_SECONDS, IDEMPOTENCY_SECONDS, KEYS, Keys
from quickthumb.queue.script import RegisteredScript


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a key was used for. `fingerprint` distinguishes the request from a different one with the same key."""

    key: str
    job_id: str
    fingerprint: str

    def written(self) -> str:
        """The record in the form that Redis keeps."""
        return json.dumps({"job_id": self.job_id, "fingerprint": self.fingerprint})


class Idempotency:
    """The idempotency records, kept in Redis for a day. Methods raise QueueUnavailable when Redis is unreachable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._acquire = RegisteredScript(redis, "acquire")
        self._extend = RegisteredScript(redis, "extend")
        self._release = RegisteredScript(redis, "release")

    @asynccontextmanager
    async def claimed(self, key: str) -> AsyncIterator[IdempotencyRecord | None]:
        """Claims the key while the block lasts. Yields the record of the key's earlier use; None when the key is new.

        Raises RequestInProgress while another request holds the claim. `JobStore.add` turns the claim into a record;
        otherwise the claim is released at the end of the block.
        """
        place, claim = self._keys.idempotency(key), f"claimed {secrets.token_hex(16)}"
        async with translated():
            found = await self._acquire(key=place, value=claim, seconds=CLAIM_SECONDS)
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
                    await self._release(key=place, value=claim)

    async def keep(self, use: IdempotencyRecord) -> None:
        """Turns the claim on a key into a record, for a request that makes no job."""
        async with translated():
            place = self._keys.idempotency(use.key)
            await self._redis.set(place, use.written(), ex=IDEMPOTENCY_SECONDS)

    async def withdraw(self, use: IdempotencyRecord) -> None:
        """Deletes the record of a job that was not accepted after all, so that the key counts as new again."""
        async with translated():
            await self._release(key=self._keys.idempotency(use.key), value=use.written())

    async def _renew(self, place: str, claim: str) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 3)
            with contextlib.suppress(QueueUnavailable):
                async with translated():
                    await self._extend(key=place, value=claim, seconds=CLAIM_SECONDS)


def _use(key: str, found: bytes) -> IdempotencyRecord:
    if found.startswith(b"claimed "):
        raise RequestInProgress("A request with this Idempotency-Key is still being received.")
    kept = json.loads(found)
    return IdempotencyRecord(key, kept["job_id"], kept["fingerprint"])
