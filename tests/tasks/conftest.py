"""Fixtures for what arq sees."""

from collections.abc import AsyncIterator

import pytest

from quickthumb.jobs.connection import FOREVER, connect
from quickthumb.tasks.pool import WakingPool
from tests.redis_fixtures import client, redis, redis_url, shared_redis, store

__all__ = ["client", "redis", "redis_url", "shared_redis", "store"]


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[WakingPool]:
    """A pool as the worker makes it."""
    async with connect(redis_url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=5.0) as pool:
        yield pool
