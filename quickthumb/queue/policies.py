"""The uploads that are under way with a policy, so that no more are begun than it allows.

Redis may forget them. What counts for good are the uses in the storage.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.errors import PolicyInUse, QueueUnavailable
from quickthumb.queue.keys import CLAIM_SECONDS, KEYS, Keys
from quickthumb.queue.script import RegisteredScript


class PolicyClaims:
    """Claims on the uses of policies that are still free."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._occupy = RegisteredScript(redis, "occupy")

    @asynccontextmanager
    async def held(self, digest: str, most: int) -> AsyncIterator[None]:
        """Holds one of `most` claims on the policy while the block lasts; if the process dies, CLAIM_SECONDS longer.

        Raises PolicyInUse while others hold them all, and QueueUnavailable.
        """
        token = secrets.token_hex(16)
        if not await self._take(digest, token, most):
            raise PolicyInUse("Another upload with this policy is still being received.")
        renewing = asyncio.create_task(self._renew(digest, token, most), name="policy claim")
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            with contextlib.suppress(QueueUnavailable):
                async with translated():
                    await self._redis.zrem(self._keys.policy(digest), token)

    async def _take(self, digest: str, token: str, most: int) -> bool:
        async with translated():
            places, lease_ms = self._keys.policy(digest), int(CLAIM_SECONDS * 1000)
            return bool(await self._occupy(places=places, token=token, most=most, lease_ms=lease_ms))

    async def _renew(self, digest: str, token: str, most: int) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS / 3)
            with contextlib.suppress(QueueUnavailable):
                await self._take(digest, token, most)
