"""What Redis says about itself, also to a user who may not ask for its settings."""

from pathlib import Path

from redis.asyncio import Redis

from quickthumb.queue.connection import connect
from quickthumb.queue.server import RedisServer
from tests.redis_server import RedisServer as Server

# The rights in docs/deploying.md that matter here.
USER = ("ACL", "SETUSER", "little", "on", ">secret", "-@all", "+info", "+ping", "+select")


async def test_it_says_what_it_is_and_what_it_takes(client: Redis, redis: Redis) -> None:
    state = await RedisServer(client).state()
    info = await redis.info()
    assert state.name == ("Valkey" if "valkey_version" in info else "Redis")
    assert state.version == info.get("valkey_version", info["redis_version"])
    assert state.used_memory_bytes > 100_000
    assert state.max_memory_bytes is None
    assert state.connected_clients >= 1
    assert (state.evicted_keys, state.writes_fail) == (0, False)
    assert state.appends == bool(info["aof_enabled"])
    assert state.saves == bool((await redis.config_get("save"))["save"])


async def test_a_user_who_may_not_ask_for_settings_asks_once(tmp_path: Path) -> None:
    async with Server(tmp_path) as server, Redis.from_url(server.url) as redis:
        await redis.execute_command(*USER)
        await redis.config_set("maxmemory", 2**30)
        url = server.url.replace("unix://", "unix://little:secret@")
        async with connect(url, Redis, attempts=1, answer_seconds=3.0) as client:
            server_of = RedisServer(client)
            for _ in range(2):
                state = await server_of.state()
                assert (state.saves, state.max_memory_bytes) == (None, 2**30)
        refused = (await redis.info("commandstats"))["cmdstat_config|get"]["rejected_calls"]
        assert refused == 1
