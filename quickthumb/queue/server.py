"""What Redis says about itself, for operators: its release, its memory, and what it keeps on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from quickthumb.queue.connection import outage_of, translated


@dataclass(frozen=True, slots=True)
class RedisState:
    """What a Redis says about itself.

    `max_memory_bytes` is None if it has no limit of its own. `evicted_keys` are those that it has thrown away since its
    start for want of memory. `appends` says whether it appends each change to a file, `saves` whether it writes
    snapshots; None if it does not tell. `writes_fail` says that it could not write to its disk the last time.
    """

    name: str
    version: str
    used_memory_bytes: int
    max_memory_bytes: int | None
    connected_clients: int
    evicted_keys: int
    appends: bool
    saves: bool | None
    writes_fail: bool


class RedisServer:
    """The server that a client is connected to."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._tells_settings = True

    async def state(self) -> RedisState:
        """Two round trips. Raises QueueUnavailable."""
        async with translated():
            info: Mapping[str, Any] = await self._redis.info()
            saves = await self._saves()
        own_version = info.get("valkey_version")
        return RedisState(
            name="Valkey" if own_version else "Redis",
            version=str(own_version or info.get("redis_version", "")),
            used_memory_bytes=int(info.get("used_memory", 0)),
            max_memory_bytes=int(info.get("maxmemory", 0)) or None,
            connected_clients=int(info.get("connected_clients", 0)),
            evicted_keys=int(info.get("evicted_keys", 0)),
            appends=bool(info.get("aof_enabled")),
            saves=saves,
            writes_fail="err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")),
        )

    async def _saves(self) -> bool | None:
        """Whether it writes snapshots. A server that refuses to tell is not asked again: it may log each refusal."""
        if not self._tells_settings:
            return None
        try:
            with outage_of(self._redis).refusals_expected():
                found: Mapping[str, str] = await self._redis.config_get("save")
        except ResponseError:
            self._tells_settings = False
            return None
        return bool(found["save"]) if "save" in found else None
