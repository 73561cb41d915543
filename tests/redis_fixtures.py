"""Fixtures around one real Redis that many tests share; a folder's conftest imports those that it wants.

A test that stops Redis, or cuts it off, starts one of its own: tests/redis_server.
"""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from quickthumb.model.job import Job, Outcome, Status, new_id, now
from quickthumb.model.source import Source
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.claims import Claims
from quickthumb.queue.connection import connect
from quickthumb.queue.job_fields import ending_of
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, PARKED_MS, Keys, Kind
from quickthumb.queue.rates import EmailRates
from tests.redis_server import RedisServer

__all__ = ["attempts", "client", "rates", "redis", "redis_url", "shared_redis", "store"]

RETENTION_SECONDS = 3_600
# The kind of the jobs of the store below.
JOBS = replace(JOB, retention_seconds=RETENTION_SECONDS)


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


@dataclass(frozen=True, slots=True)
class OneQueued(Keys):
    """The keys of a worker that sees only one item in the queue."""

    item_id: str = ""

    @property
    def queue(self) -> str:
        return f"only:{self.item_id}"

    @property
    def wake(self) -> str:
        return "nobody sleeps"


async def claim(attempts: Attempts, kind: Kind, item_id: str, *, lease_seconds: float = 5) -> Attempt | None:
    """Claims one item, even if it is not due yet or another worker has its lease. None if it cannot be claimed."""
    redis, keys = attempts._settle._redis, OneQueued(item_id=item_id)
    await redis.delete(KEYS.lease(item_id))
    now_ms = (await redis.time())[0] * 1000
    due_ms = (await redis.zscore(KEYS.queue, item_id) or 0) % PARKED_MS
    await redis.zadd(keys.queue, {item_id: min(due_ms, now_ms)})
    due = await Claims(redis, keys, lease_seconds=lease_seconds).claim(1, {kind: 1})
    await redis.delete(keys.queue)
    return due.attempts[0] if due.attempts else None


async def claimed(attempts: Attempts, item_id: str, *, lease_seconds: float = 5, kind: Kind = JOBS) -> Attempt:
    """An attempt as a worker begins it."""
    attempt = await claim(attempts, kind, item_id, lease_seconds=lease_seconds)
    assert attempt is not None
    return attempt


async def is_held(attempts: Attempts, attempt: Attempt, *, lease_seconds: float = 5) -> bool:
    """Whether the lease could be renewed."""
    return not await attempts.renew([attempt], lease_seconds=lease_seconds)


async def finished(attempts: Attempts, attempt: Attempt, outcome: Outcome, *, busy_seconds: float = 0) -> bool:
    """Whether the job could be ended."""
    return await attempts.settle(attempt, outcome.status, fields=ending_of(outcome), busy_seconds=busy_seconds)


async def put_back(attempts: Attempts, attempt: Attempt, *, blameless: bool = True, busy_seconds: float = 0) -> bool:
    """Whether the job could be put back."""
    return await attempts.settle(attempt, Status.WAITING, blameless=blameless, busy_seconds=busy_seconds)


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


@pytest.fixture
def attempts(client: Redis) -> Attempts:
    return Attempts(client)


@pytest.fixture
def rates(client: Redis) -> EmailRates:
    return EmailRates(client, most=50, most_per_mailbox=10)
