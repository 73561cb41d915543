"""Waiting requests are notified when their job changes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.watch import JobWatch
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@pytest.fixture
async def watch(client: Redis) -> AsyncIterator[JobWatch]:
    watch = JobWatch(client)
    yield watch
    await watch.close()


async def is_told(changed: asyncio.Event) -> None:
    await asyncio.wait_for(changed.wait(), 5)
    changed.clear()


async def test_every_change_wakes_and_only_those_who_wait_for_that_job(
    store: JobStore, attempts: Attempts, watch: JobWatch
) -> None:
    job, other = a_job(), a_job()
    async with watch.watching(job.id) as first, watch.watching(job.id) as second, watch.watching(other.id) as unmoved:
        await store.add(job)
        await is_told(first)
        await is_told(second)
        await claimed(attempts, job.id, lease_seconds=1)
        await is_told(first)
        await store.remove(job.id)
        await is_told(first)
        assert not unmoved.is_set()


async def test_a_change_right_after_the_beginning_is_not_missed(store: JobStore, watch: JobWatch) -> None:
    for _ in range(20):
        job = a_job()
        async with watch.watching(job.id) as changed:
            await store.add(job)
            await is_told(changed)


async def readers(redis: Redis) -> list[dict[str, str]]:
    """The connections that wait for events."""
    return [found for found in await redis.client_list() if "b" in found["flags"]]


async def test_all_share_one_connection(watch: JobWatch, redis: Redis) -> None:
    async with watch.watching("a"), watch.watching("b"), watch.watching("a"):

        async def one_reads() -> bool:
            return len(await readers(redis)) == 1

        await wait_until(one_reads)


async def test_a_cut_connection_is_made_again(store: JobStore, watch: JobWatch, redis: Redis) -> None:
    job = a_job()
    async with watch.watching(job.id) as changed:

        async def reads() -> bool:
            return bool(await readers(redis))

        await wait_until(reads)
        (cut,) = await readers(redis)
        await redis.client_kill_filter(_id=cut["id"])
        await is_told(changed)  # it may have missed something
        await wait_until(reads)
        await store.add(job)
        await is_told(changed)


async def test_it_outlives_a_redis_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as server,
        connect(server.url, Redis, attempts=1, answer_seconds=0.5) as client,
    ):
        watch, store = JobWatch(client), JobStore(client, retention_seconds=RETENTION_SECONDS)
        job = a_job()
        async with watch.watching(job.id) as changed:
            await server.kill()
            # Notifications may have been lost meanwhile, so every waiting request must read its job again.
            await is_told(changed)
            async with watch.watching("another") as other:
                assert not other.is_set()
            await server.start()

            async def reads() -> bool:
                return bool(await readers(client))

            await wait_until(reads)
            changed.clear()
            await store.add(job)
            await is_told(changed)
        await watch.close()


async def test_a_quiet_time_longer_than_an_answer_may_take_is_no_fault(redis_url: str, redis: Redis) -> None:
    async with connect(redis_url, Redis, attempts=0, answer_seconds=0.1) as client:
        watch = JobWatch(client)
        async with watch.watching("job") as changed:

            async def waits_for_longer() -> bool:
                return any(int(found["idle"]) >= 1 for found in await readers(redis))

            await wait_until(waits_for_longer)
            assert not changed.is_set()
        await watch.close()


async def test_closing_without_ever_having_listened(client: Redis) -> None:
    await JobWatch(client).close()
