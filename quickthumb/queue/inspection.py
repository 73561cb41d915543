"""Looks at a Redis for `quickthumb doctor`: its version, its settings, its clock, and what the user may do there."""

import time
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from quickthumb.queue.keys import KEYS, PROBE_SECONDS, Keys

NO_ITEM = "0" * 32


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says about itself. `saves` is its setting for snapshots, or None if it does not tell.

    `ahead_seconds` is how far its clock is ahead of this machine's, `storage_id` the id of the storage whose jobs it
    has, and `forbidden` names commands that the user may not run, or not on QuickThumb's keys.

    `version` is that of the Redis that it is compatible with. If it is a Valkey, `valkey_version` is its own.
    """

    version: str
    valkey_version: str | None
    is_cluster: bool
    is_replica: bool
    policy: str
    appends: bool
    saves: str | None
    writes_fail: bool
    ahead_seconds: float
    storage_id: str | None
    forbidden: tuple[str, ...]


async def inspect(redis: Redis, keys: Keys = KEYS) -> RedisFacts:
    """Raises RedisError or OSError if Redis cannot be reached, or does not let the user in."""
    await redis.ping()
    forbidden = await _forbidden(redis, keys)
    info: dict[str, Any] = {} if "INFO" in forbidden else await redis.info()
    started = time.time()
    seconds, microseconds = await redis.time()
    between = (started + time.time()) / 2
    storage_id = None if "GET" in forbidden else await redis.get(keys.storage)
    return RedisFacts(
        version=str(info.get("redis_version", "")),
        valkey_version=str(info["valkey_version"]) if "valkey_version" in info else None,
        is_cluster=bool(info.get("cluster_enabled")),
        is_replica=info.get("role") == "slave",
        policy=info.get("maxmemory_policy", "noeviction"),
        appends=bool(info.get("aof_enabled")),
        saves=await _saves(redis),
        writes_fail="err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")),
        ahead_seconds=seconds + microseconds / 1_000_000 - between,
        storage_id=storage_id.decode() if storage_id else None,
        forbidden=forbidden,
    )


async def _saves(redis: Redis) -> str | None:
    try:
        found: dict[str, str] = await redis.config_get("save")
    except RedisError:  # hosted Redis often has no CONFIG
        return None
    return found.get("save")


async def _forbidden(redis: Redis, keys: Keys) -> tuple[str, ...]:
    """Which of the commands that QuickThumb needs the user may not run.

    Nothing is changed but the probe: the other commands find nothing to change, or the wrong type of value.
    """
    probe, queue, call = keys.probe, keys.queue, keys.call(NO_ITEM)
    commands: list[tuple[Any, ...]] = [
        ("SET", probe, 1, "EX", PROBE_SECONDS),
        *((name, probe) for name in ("GET", "EXISTS", "TTL", "HGETALL")),
        ("EXPIRE", probe, PROBE_SECONDS),
        ("PEXPIRE", probe, PROBE_SECONDS * 1000),
        ("HSET", probe, "field", 1),
        ("HSETNX", probe, "field", 1),
        ("HGET", probe, "field"),
        ("HKEYS", probe),
        ("HMGET", probe, "field"),
        ("HDEL", probe, "field"),
        ("HINCRBY", probe, "field", 1),
        ("SADD", keys.large, NO_ITEM),
        ("SMISMEMBER", keys.large, NO_ITEM),
        ("SREM", keys.large, NO_ITEM),
        ("RPUSH", probe, 1),
        ("BLPOP", probe, 1),
        ("ZADD", probe, 0, "item"),
        ("ZREMRANGEBYSCORE", probe, 1, 0),
        ("ZREMRANGEBYRANK", probe, 1, 0),
        ("ZRANGE", probe, 0, 0),
        ("ZREVRANGEBYLEX", probe, "+", "-"),
        ("ZLEXCOUNT", probe, "-", "+"),
        ("ZRANGEBYSCORE", queue, 1, 0),
        ("ZCARD", queue),
        ("ZSCORE", queue, NO_ITEM),
        ("ZMSCORE", queue, NO_ITEM),
        ("ZREM", queue, NO_ITEM),
        *(("DEL", key) for key in (call, keys.lease(NO_ITEM), keys.tries(NO_ITEM))),
        ("XADD", probe, "*", "field", 1),
        *(
            (name, keys.events, first, last, "COUNT", 1)
            for name, first, last in (("XRANGE", "-", "+"), ("XREVRANGE", "+", "-"))
        ),
        ("XREAD", "COUNT", 1, "STREAMS", keys.events, "$"),
        ("EVAL", "return 1", 0),
        ("SCRIPT LOAD", "return 1"),
        ("INFO",),
        ("TIME",),
    ]
    async with redis.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        answers = await pipeline.execute(raise_on_error=False)
    refused = [str(command[0]) for command, answer in zip(commands, answers, strict=True) if _is_refusal(answer)]
    return tuple(dict.fromkeys(refused))


def _is_refusal(answer: object) -> bool:
    return isinstance(answer, NoPermissionError)
