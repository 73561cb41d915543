"""Fixtures around one real Redis that many tests share; a folder's conftest imports those that it wants.

A test that stops Redis, or cuts it off, starts one of its own: tests/redis_server.
"""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from quickthumb.model.ids import new_id, now
from quickthumb.model.job import Job
from quickthumb.model.source import Source
from quickthumb.queue.connection import connect
from quickthumb.queue.store import JobStore
from tests.redis_server import RedisServer

__all__ = ["client", "redis", "redis_url", "shared_redis", "store"]

RETENTION_SECONDS = 3_600


def a_job(*, age_seconds: float = 0, **changes: Any) -> Job:
    """A job that waits, as the service makes one."""
    source = Source(filename="cat.jpg", format="jpeg", width=400, height=300, bytes=1_000, sha256="0" * 64)
    job = Job(
        id=new_id(),
        created_at=now() - timedelta(seconds=age_seconds),
        source=source,
        order={"outputs": [{"name": "thumbnail", "width": 128, "height": 128}]},
    )
    return job.model_copy(update=changes)


def token() -> str:
    return secrets.token_hex(16)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """One Redis for all."""
    async with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis_url(shared_redis: RedisServer) -> str:
    """The address of a Redis in which nothing is kept yet."""
    async with Redis.from_url(shared_redis.url) as redis:
        await redis.flushall()
    return shared_redis.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A connection to look with."""
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A connection as the web process makes it."""
    async with connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as client:
        yield client


@pytest.fixture
def store(client: Redis) -> JobStore:
    return JobStore(client, retention_seconds=RETENTION_SECONDS)
