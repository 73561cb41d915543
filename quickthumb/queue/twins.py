"""Which job makes, or has made, the results that other jobs ask for, too.

Redis may forget it, and may name a job that is gone: whoever uses it looks at the storage. A job that is rendered once
too often is all that can come of a loss.
"""

from redis.asyncio import Redis

from quickthumb.queue.connection import translated
from quickthumb.queue.keys import KEYS, Keys
from quickthumb.queue.script import RegisteredScript


class TwinIndex:
    """The jobs by the digest of what their results depend on. Methods raise QueueUnavailable."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._keys = keys
        self._twin = RegisteredScript(redis, "twin")

    async def name(self, digest: str, job_id: str, seconds: int, *, instead_of: str = "") -> str | None:
        """Names the job for `seconds`, unless another job is named, which is not `instead_of`.

        Returns None if it is named now, and otherwise the id of the other job. Of several callers, one is told None.
        """
        key = self._keys.twin(digest)
        async with translated():
            other = await self._twin(key=key, job_id=job_id, instead_of=instead_of, seconds=seconds)
        return None if other is None else other.decode()
