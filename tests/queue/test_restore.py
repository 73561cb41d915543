"""Restoring what Redis has lost, many items at a time, and finding what is missing in arq's queue."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Job, Outcome, Status, new_id, now
from quickthumb.queue import index, walk
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, WAITING_SECONDS
from quickthumb.queue.walk import Walk
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed


def outcome_of(job: Job, *, age_seconds: float = 0) -> Outcome:
    return Outcome(status=Status.DONE, finished_at=now() - timedelta(seconds=age_seconds), source=job.source)


async def keys_of(redis: Redis) -> dict[bytes, bytes]:
    """Everything that Redis holds, except the tokens that wake workers."""
    return {key: await redis.dump(key) or b"" for key in await redis.keys("*") if key != KEYS.wake.encode()}


async def test_a_restored_job_is_the_same_as_an_added_one(store: JobStore, redis: Redis) -> None:
    jobs = [a_job(), a_job(tenant="zoo", request_id="r1"), a_job(order={"outputs": [{"name": "ä💚"}], "priority": 3})]
    for job in jobs:
        await store.add(job)
    added = {job.id: await redis.hgetall(KEYS.record(JOB, job.id)) for job in jobs}  # type: ignore[misc]
    entries = [await redis.get(KEYS.call(job.id)) for job in jobs]
    others = {name: await redis.zrange(name, 0, -1, withscores=True) for name in await _sets(redis)}
    await redis.flushdb()
    assert await store.restore([(job, None) for job in jobs]) == [True, True, True]
    assert {job.id: await redis.hgetall(KEYS.record(JOB, job.id)) for job in jobs} == added  # type: ignore[misc]
    assert [await redis.get(KEYS.call(job.id)) for job in jobs] == entries
    assert {name: await redis.zrange(name, 0, -1, withscores=True) for name in await _sets(redis)} == others
    for key in (KEYS.record(JOB, jobs[0].id), KEYS.call(jobs[0].id)):
        assert WAITING_SECONDS - 60 < await redis.ttl(key) <= WAITING_SECONDS


async def _sets(redis: Redis) -> set[bytes]:
    return {key for key in await redis.keys("*") if await redis.type(key) == b"zset"}


async def test_every_key_of_restored_jobs_expires(store: JobStore, redis: Redis) -> None:
    waiting, done = a_job(), a_job()
    await store.restore([(waiting, None), (done, outcome_of(done))])
    lasting = {key for key in await redis.keys("*") if await redis.ttl(key) == -1}
    assert lasting == {KEYS.queue.encode()}


async def test_only_what_redis_does_not_know_is_restored(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    waiting, running, lost = a_job(), a_job(), a_job()
    for job in (waiting, running):
        await store.add(job)
    await claimed(attempts, running.id)
    before = await keys_of(redis)
    assert await store.restore([(waiting, None), (running, outcome_of(running))]) == [False, False]
    assert await keys_of(redis) == before
    assert await store.restore([(waiting, None), (lost, None), (running, None)]) == [False, True, False]
    assert await store.get(lost.id) == lost


async def test_an_ended_job_lives_for_the_rest_of_its_retention_time(store: JobStore, redis: Redis) -> None:
    jobs = [a_job(age_seconds=9_000) for _ in range(4)]
    ages = (0, 1_000, RETENTION_SECONDS + 1, -500)
    lost: list[tuple[Job, Outcome | None]] = [
        (job, outcome_of(job, age_seconds=age)) for job, age in zip(jobs, ages, strict=True)
    ]
    assert await store.restore(lost) == [True, True, False, True]
    left = [await redis.ttl(KEYS.record(JOB, job.id)) for job in jobs]
    expected = (RETENTION_SECONDS, RETENTION_SECONDS - 1_000, -2, RETENTION_SECONDS)
    assert all(abs(seconds - wanted) <= 2 for seconds, wanted in zip(left, expected, strict=True))
    assert not await redis.exists(KEYS.queue, KEYS.wake)


async def test_statuses_come_in_their_order(store: JobStore, attempts: Attempts) -> None:
    waiting, running = a_job(), a_job()
    for job in (waiting, running):
        await store.add(job)
    await claimed(attempts, running.id)
    ids = [running.id, new_id(), waiting.id, new_id()]
    assert await store.index.statuses(ids) == [Status.IN_PROGRESS, None, Status.WAITING, None]
    assert await store.index.statuses([]) == []


@pytest.mark.parametrize("batch", [1, 2, 5, 6])
async def test_everything_missing_is_found_though_the_index_changes_meanwhile(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(index, "BATCH", batch)
    jobs = [a_job(age_seconds=age) for age in (50, 40, 30, 20, 10)]
    for job in jobs:
        await store.add(job)
    dropped, without_call, later = jobs[0], jobs[2], jobs[4]
    await redis.zrem(KEYS.queue, dropped.id, later.id)
    await redis.delete(KEYS.call(without_call.id))
    found = []
    async for job_id, created_ms in Walk(store.index).missing():
        found.append(job_id)
        stored = await redis.hget(KEYS.record(JOB, job_id), "created_ms")  # type: ignore[misc]
        assert created_ms == int(stored or 0)
        await store.remove(job_id)
    assert found == [dropped.id, without_call.id, later.id]


@pytest.mark.parametrize(("batch", "most"), [(1, 2), (2, 2), (2, 4), (1, 5)])
async def test_a_long_queue_is_looked_through_part_by_part_and_then_again(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch, batch: int, most: int
) -> None:
    monkeypatch.setattr(index, "BATCH", batch)
    monkeypatch.setattr(walk, "MOST_AT_A_TIME", most)
    jobs = [a_job(age_seconds=age) for age in (50, 40, 30, 20, 10)]
    for job in jobs:
        await store.add(job)
    await redis.delete(KEYS.queue)
    looking = Walk(store.index)
    # The part after the last full one is empty if the queue ends with that one.
    rounds = len(jobs) // most + 1
    parts = [[job_id async for job_id, _ in looking.missing()] for _ in range(2 * rounds)]
    assert max(map(len, parts)) <= most
    once = [job_id for part in parts[:rounds] for job_id in part]
    assert once == [job.id for job in jobs]
    assert [job_id for part in parts[rounds:] for job_id in part] == once


async def test_a_part_of_the_queue_in_which_the_search_broke_off_is_looked_at_again(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BATCH", 2)
    jobs = [a_job(age_seconds=age) for age in (50, 40, 30, 20, 10)]
    for job in jobs:
        await store.add(job)
    await redis.delete(KEYS.queue)
    looking = Walk(store.index)
    async for job_id, _ in looking.missing():
        if job_id == jobs[3].id:
            break
    assert [job_id async for job_id, _ in looking.missing()] == [job.id for job in jobs[2:]]


async def test_a_record_is_one_block_of_memory(store: JobStore, redis: Redis) -> None:
    waiting, done = a_job(), a_job()
    await store.restore([(waiting, None), (done, outcome_of(done))])
    for job in (waiting, done):
        encoding = await redis.object("ENCODING", KEYS.record(JOB, job.id))
        assert encoding in {b"listpack", b"ziplist"}
