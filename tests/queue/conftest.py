"""Every test here leaves Redis with keys that pass, or that `keys` lists as living for good."""

from collections.abc import AsyncIterator, Iterator

import pytest
import redis as plain_redis

from quickthumb.queue.connection import FOREVER, connect
from quickthumb.queue.keys import KEYS
from quickthumb.queue.pool import WakingPool
from tests.redis_fixtures import attempts, client, redis, redis_url, shared_redis, store

__all__ = ["attempts", "client", "redis", "redis_url", "shared_redis", "store"]

FOR_GOOD = {KEYS.queue, KEYS.large, KEYS.totals, KEYS.lists, KEYS.events}
NEVER_EXPIRES = -1


@pytest.fixture(autouse=True)
def every_key_passes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Checks what a test left behind in the shared Redis."""
    if "redis_url" not in request.fixturenames:
        yield
        return
    url = request.getfixturevalue("redis_url")
    yield
    with plain_redis.Redis.from_url(url) as watcher:
        kept = {key.decode() for key in watcher.keys("*") if watcher.ttl(key) == NEVER_EXPIRES}
    passing = (KEYS.totals_of(""), f"{KEYS.queue}:line:", f"{KEYS.queue}:turns:")
    kept = {key for key in kept if not key.startswith(passing)}
    assert kept <= FOR_GOOD, f"keys that live for good: {kept - FOR_GOOD}"


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[WakingPool]:
    """A pool as the worker makes it."""
    async with connect(
        redis_url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=5.0, places=10
    ) as pool:
        yield pool
