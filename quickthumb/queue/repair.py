"""Which worker does the repairs, and for which run of Redis the records were last gone through."""

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, REPAIR_LEAD_SECONDS, Keys
from quickthumb.queue.script import RegisteredScript


class RepairLead:
    """What the workers tell each other about repairs. Raises QueueUnavailable when Redis is away."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._redis = redis
        self._keys = keys
        self._acquire = RegisteredScript(redis, "acquire")
        self._extend = RegisteredScript(redis, "extend")

    async def leads(self, worker: str) -> bool:
        """Whether `worker` is the one to do repairs, now and for the next `REPAIR_LEAD_SECONDS`."""
        lead = {"key": self._keys.repair_lead, "value": worker, "seconds": REPAIR_LEAD_SECONDS}
        async with translated():
            return await self._acquire(**lead) is None or bool(await self._extend(**lead))

    async def run_id(self) -> str:
        """Which run of Redis this is: another one after each start of the server."""
        async with translated():
            server = await self._redis.info("server")
        return str(server["run_id"])

    async def rebuilt_for(self) -> str | None:
        """The run of Redis for which the records were last gone through; None when Redis was emptied since."""
        async with translated():
            found = await self._redis.get(self._keys.rebuilt)
        return found.decode() if found else None

    async def mark_rebuilt(self, run_id: str) -> None:
        """Notes that the records were gone through for this run of Redis."""
        async with translated():
            await self._redis.set(self._keys.rebuilt, run_id)
