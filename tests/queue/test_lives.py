"""Lists live for as long as any of their jobs can, whatever happens to the job; and none lives for good."""

import math

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Job, Outcome, Status, now, to_milliseconds
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import FOREVER_SECONDS, JOB, KEYS, WAITING_SECONDS
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed, finished

DAY = 86_400


def listed_job(keep: str | None = None) -> Job:
    order = {"outputs": [{"name": "thumbnail"}], "tag": ["cats"], **({} if keep is None else {"keep": keep})}
    return a_job(tenant="ada", order=order)


def ended(job: Job, status: Status) -> Outcome:
    return Outcome(status=status, finished_at=now(), source=job.source)


def lists_of(status: Status | None) -> list[str]:
    """The indexes that list a job: of all, of its tenant and of its tag."""
    places = (("default", None), ("ada", None), ("ada", "cats"))
    return [KEYS.index(JOB, status, tenant, tag) for tenant, tag in places]


async def soon_over(redis: Redis, *statuses: Status | None) -> None:
    """Has the indexes expire as if nothing had prolonged them for long."""
    for status in statuses:
        for index in lists_of(status):
            assert await redis.expire(index, 60)


@pytest.mark.parametrize(
    ("keep", "seconds"), [(None, RETENTION_SECONDS), ("30d", 30 * DAY), ("forever", FOREVER_SECONDS)]
)
async def test_the_lists_of_a_job_that_is_retried_live_on(
    store: JobStore, attempts: Attempts, redis: Redis, keep: str | None, seconds: int
) -> None:
    job = listed_job(keep)
    await store.add(job)
    assert await finished(attempts, await claimed(attempts, job.id), ended(job, Status.FAILED))
    await soon_over(redis, None, Status.FAILED)
    assert await store.reopen(job)
    for status in (None, Status.WAITING):
        for index in lists_of(status):
            assert await redis.ttl(index) >= WAITING_SECONDS + seconds


async def test_an_index_that_begins_anew_when_a_job_is_queued_again_expires(store: JobStore, redis: Redis) -> None:
    job = listed_job()
    await store.add(job)
    created_ms = to_milliseconds(job.created_at)
    await redis.zrem(KEYS.queue, job.id)
    for index in lists_of(Status.WAITING):
        await redis.zrem(index, f"{created_ms}:{job.id}")
    assert await store.index.requeue(job.id, created_ms)
    for index in lists_of(Status.WAITING):
        assert await redis.ttl(index) > WAITING_SECONDS


async def test_an_index_that_begins_anew_when_a_job_is_restored_expires(store: JobStore, redis: Redis) -> None:
    await store.add(listed_job("forever"))
    job = listed_job()
    assert await store.restore([(job, ended(job, Status.DONE))]) == [True]
    for index in lists_of(Status.DONE):
        assert await redis.ttl(index) > WAITING_SECONDS


async def test_the_lists_of_jobs_that_wait_live_by_the_times_that_count_now(
    client: Redis, store: JobStore, redis: Redis
) -> None:
    gone = listed_job()
    await store.add(gone)
    await redis.delete(KEYS.record(JOB, gone.id))

    async def nothing() -> None: ...

    later = JobStore(client, retention_seconds=math.inf)
    await later.index.retain(nothing)
    assert await redis.ttl(KEYS.index(JOB)) < FOREVER_SECONDS
    await store.add(listed_job())
    await later.index.retain(nothing)
    for index in lists_of(None):
        assert await redis.ttl(index) > FOREVER_SECONDS
