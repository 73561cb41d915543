"""Counting the uses of upload policies: used once means once, in all processes together.

A use is an object in the storage, created just before its job: of two uploads that want the last use, one creates it.
Redis only keeps uploads from being received for nothing.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.policy import UploadPolicy
from quickthumb.queue.policies import PolicyClaims
from quickthumb.service.errors import PolicyUsed
from quickthumb.storage import Storage
from quickthumb.storage.layout import POLICIES, policy_use, policy_uses_expire_before

log = logging.getLogger("quickthumb.images")

# The clocks of several machines may differ by so much before a use is forgotten too early.
CLOCKS_DIFFER_SECONDS = 3600

Keep = Callable[[bytes], Awaitable[None]]
# Makes of a job's id, and of the function that keeps the job, one that counts the use first.
Counted = Callable[[str, Keep], Keep]


class PolicyUses:
    """The uses of policies, and how to add one."""

    def __init__(self, claims: PolicyClaims, storage: Storage) -> None:
        self._claims = claims
        self._storage = storage

    @asynccontextmanager
    async def begun(self, policy: UploadPolicy | None, *, is_repeat: bool = False) -> AsyncIterator[Counted]:
        """Holds a use of the policy while the block lasts. Yields what makes it count as soon as a job is kept.

        If the block raises and no job was kept, the use is given back. A process that dies gives it back too, unless it
        dies in the moment between counting and keeping. A request that `is_repeat`, and so makes no job, uses nothing.

        Raises PolicyUsed, PolicyInUse, QueueUnavailable and StorageUnavailable. The counting itself raises PolicyUsed
        too, if Redis forgot in the meantime who else is uploading.
        """
        if policy is None or is_repeat:
            yield _uncounted
            return
        left = policy.terms.max_uses - await self._first_free(policy)
        if left <= 0:
            raise _used(policy)
        async with self._claims.held(policy.digest, left):
            use = _Use(self._storage, policy)
            try:
                yield use.counted
            except BaseException:
                await asyncio.shield(use.give_back())
                raise

    async def _first_free(self, policy: UploadPolicy) -> int:
        """The number of the first use that is free; `max_uses` if there is none."""
        terms = policy.terms
        for number in range(terms.max_uses):
            if await self._storage.find(policy_use(policy.digest, terms.expires, number)) is None:
                return number
        return terms.max_uses

    async def sweep(self) -> None:
        """Forgets the uses of policies that have expired."""
        now = time.time() - CLOCKS_DIFFER_SECONDS
        async for blobs in self._storage.list(f"{POLICIES}/"):
            for blob in blobs:
                if policy_uses_expire_before(blob.key) < now:
                    await self._storage.delete(blob.key)


class _Use:
    """One use of a policy, for at most one job."""

    def __init__(self, storage: Storage, policy: UploadPolicy) -> None:
        self._storage = storage
        self._policy = policy
        # Where it was last tried to count the use, the job, and what is stored there if that was done.
        self._tried: tuple[str, str, bytes] | None = None

    def counted(self, job_id: str, keep: Keep) -> Keep:
        async def keep_and_count(record: bytes) -> None:
            await self._count(job_id)
            await keep(record)

        return keep_and_count

    async def _count(self, job_id: str) -> None:
        terms = self._policy.terms
        data = json.dumps({"job_id": job_id, "expires": terms.expires}).encode()
        for number in range(terms.max_uses):
            key = policy_use(self._policy.digest, terms.expires, number)
            self._tried = key, job_id, data
            if await self._storage.put(key, data):
                return
        self._tried = None
        raise _used(self._policy)

    async def give_back(self) -> None:
        """Uncounts the use, unless its job was kept all the same. If that fails, the use counts: never one too many."""
        if self._tried is None:
            return
        key, job_id, data = self._tried
        try:
            if (await self._storage.look_up(job_id)).record is None and await self._storage.get(key) == data:
                await self._storage.delete(key)
        except QuickThumbError as error:
            log.warning("a use of an upload policy was not given back: %s", for_operators(error))


def _uncounted(_: str, keep: Keep) -> Keep:
    return keep


def _used(policy: UploadPolicy) -> PolicyUsed:
    times = "once" if policy.terms.max_uses == 1 else f"{policy.terms.max_uses} times"
    return PolicyUsed(f"The policy allows to upload {times}, and that has happened.")
