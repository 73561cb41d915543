"""Which storage this Redis belongs to, which worker does repairs, and for which run of Redis all records were read."""

import secrets

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, REPAIR_LEAD_SECONDS, Keys
from quickthumb.queue.script import RegisteredScript


class StorageMark:
    """The id of the storage that has the records of what is in this Redis. Methods raise QueueUnavailable when Redis is
    unreachable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys

    async def read(self) -> str | None:
        """The id; None if no process has written it yet, or Redis was wiped since."""
        async with translated():
            found = await self._redis.get(self._keys.storage)
        return found.decode() if found else None

    async def agree(self, identity: str) -> str:
        """The id that Redis has; writes this one if it has none. One round trip."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._keys.storage, identity, nx=True)
            pipeline.get(self._keys.storage)
            _, standing = await pipeline.execute()
        return str(standing.decode())

    async def replace(self, identity: str) -> None:
        """Makes Redis belong to another storage."""
        async with translated():
            await self._redis.set(self._keys.storage, identity)


class RepairLead:
    """How the workers agree on which of them does repairs. Methods raise QueueUnavailable when Redis is unreachable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._acquire = RegisteredScript(redis, "acquire")
        self._extend = RegisteredScript(redis, "extend")
        self._replace = RegisteredScript(redis, "replace")

    async def leads(self, worker: str) -> bool:
        """Whether `worker` holds the repair lead. Takes or extends the lead, for `REPAIR_LEAD_SECONDS` from now."""
        lead = {"key": self._keys.repair_lead, "value": worker, "seconds": REPAIR_LEAD_SECONDS}
        async with translated():
            return await self._acquire(**lead) is None or bool(await self._extend(**lead))

    async def run_id(self) -> str:
        """The id of this run of Redis, which changes with each start of the server."""
        async with translated():
            server = await self._redis.info("server")
        return str(server["run_id"])

    async def rebuilt_for(self) -> str | None:
        """The id of the run of Redis for which all records were last checked; None if Redis was wiped since."""
        async with translated():
            found = await self._redis.get(self._keys.rebuilt)
        return found.decode() if found else None

    async def is_rebuilt(self) -> bool:
        """Whether Redis has whatever is in the storage: all records were read for this run of it."""
        async with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.get(self._keys.rebuilt)
            pipeline.info("server")
            found, server = await pipeline.execute()
        return bool(found is not None and found.decode() == str(server["run_id"]))

    async def begin_rebuild(self) -> str:
        """Notes that a rebuild begins, and returns a token for `mark_rebuilt`."""
        token = f"rebuilding {secrets.token_hex(16)}"
        async with translated():
            await self._redis.set(self._keys.rebuilt, token)
        return token

    async def mark_rebuilt(self, run_id: str, token: str) -> bool:
        """Notes that all records were read for this run of Redis.

        Returns False, and notes nothing, if Redis was emptied since `begin_rebuild`: the rebuild has to start again.
        """
        async with translated():
            return bool(await self._replace(key=self._keys.rebuilt, old=token, new=run_id))

    async def retention(self) -> str | None:
        """The retention times by which ended items expire, as `mark_retention` was told; None if Redis was wiped."""
        async with translated():
            found = await self._redis.get(self._keys.retention)
        return found.decode() if found else None

    async def mark_retention(self, told: str) -> None:
        """Notes by which retention times all ended items expire now."""
        async with translated():
            await self._redis.set(self._keys.retention, told)
