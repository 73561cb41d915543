"""The promises of JobStore, on a real Redis."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Failure, Job, Outcome, Status, new_id, now, to_milliseconds
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, WAITING_SECONDS
from quickthumb.queue.totals import durations
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claim, claimed, finished, is_held, put_back, token
from tests.redis_server import RedisServer

LEASE_SECONDS = 5.0


def ending(job: Job, status: Status = Status.DONE) -> Outcome:
    failure = Failure(code="broken_image", title="Broken", detail="It is.") if status is Status.FAILED else None
    return Outcome(status=status, finished_at=now(), source=job.source, error=failure)


async def everything(redis: Redis) -> dict[bytes, Any]:
    """Everything that Redis holds."""
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def status_of(store: JobStore, job: Job) -> Status:
    found = await store.get(job.id)
    assert found is not None
    return found.status


async def test_a_new_job_is_kept_queued_and_announced_at_once(store: JobStore, redis: Redis) -> None:
    job = a_job()
    await store.add(job)
    assert await store.get(job.id) == job
    assert await redis.zscore(KEYS.queue, job.id) == int(job.created_at.timestamp() * 1000)
    assert await redis.get(KEYS.call(job.id)) == codec.entry_for(JOB, job.id, to_milliseconds(job.created_at))
    assert await redis.llen(KEYS.wake) == 1  # type: ignore[misc]


async def test_adding_it_again_changes_nothing(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    job = a_job()
    await store.add(job)
    before = await everything(redis)
    await store.add(job)
    assert await everything(redis) == before
    attempt = await claimed(attempts, job.id)
    await finished(attempts, attempt, ending(job), busy_seconds=0)
    await store.add(job)
    assert await status_of(store, job) is Status.DONE


async def test_a_job_that_cannot_be_added_whole_is_not_there_at_all(store: JobStore, redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnavailable):
            await store.add(a_job())
        assert await everything(redis) == {}
    finally:
        await redis.config_set("maxmemory", "0")


async def test_an_unknown_job(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    stranger = a_job()
    attempt = Attempt(JOB, stranger.id, token(), 1, 1, {})
    assert await store.get(stranger.id) is None
    assert await claim(attempts, JOB, stranger.id) is None
    assert not await is_held(attempts, attempt, lease_seconds=LEASE_SECONDS)
    assert not await finished(attempts, attempt, ending(stranger), busy_seconds=1)
    assert not await put_back(attempts, attempt, blameless=True, busy_seconds=1)
    assert not await store.remove(stranger.id)
    assert await everything(redis) == {}


async def test_an_attempt_begins_with_a_lease(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    job = a_job()
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    assert (attempt.number, attempt.strike) == (1, 1)
    found = await store.get(job.id)
    assert found is not None
    assert found.status is Status.IN_PROGRESS
    assert found.attempts == 1
    assert found.started_at is not None
    assert 0 < await redis.pttl(KEYS.lease(job.id)) <= LEASE_SECONDS * 1000


async def test_a_lease_can_be_renewed_even_when_it_has_lapsed(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = a_job()
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    await redis.delete(KEYS.lease(job.id))
    assert await is_held(attempts, attempt, lease_seconds=60)
    assert await redis.pttl(KEYS.lease(job.id)) > 50_000


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.CANCELLED])
async def test_an_ended_job_stays_as_it_is_for_the_retention_time(
    store: JobStore, attempts: Attempts, redis: Redis, status: Status
) -> None:
    job = a_job()
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    outcome = ending(job, status)
    assert await finished(attempts, attempt, outcome, busy_seconds=0.5)
    found = await store.get(job.id)
    assert found is not None
    assert (found.status, found.error, found.finished_at) == (status, outcome.error, outcome.finished_at)
    assert 0 < await redis.ttl(KEYS.record(JOB, job.id)) <= RETENTION_SECONDS
    before = await everything(redis)
    assert await claim(attempts, JOB, job.id) is None
    assert not await finished(attempts, attempt, ending(job), busy_seconds=1)
    assert not await put_back(attempts, attempt, blameless=True, busy_seconds=1)
    assert not await is_held(attempts, attempt, lease_seconds=LEASE_SECONDS)
    assert await everything(redis) == before


async def test_a_waiting_job_outlives_the_retention_time(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    job = a_job()
    await store.add(job)
    await put_back(attempts, await claimed(attempts, job.id), blameless=True, busy_seconds=0)
    for key in (KEYS.record(JOB, job.id), KEYS.call(job.id)):
        assert await redis.ttl(key) > WAITING_SECONDS - 60


async def test_whoever_took_a_job_over_is_not_disturbed_by_the_one_before(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = a_job()
    await store.add(job)
    slow = await claimed(attempts, job.id)
    await redis.delete(KEYS.lease(job.id))
    quick = await claimed(attempts, job.id)
    assert (quick.number, quick.strike) == (2, 2)
    before = await everything(redis)
    assert not await is_held(attempts, slow, lease_seconds=60)
    assert not await finished(attempts, slow, ending(job, Status.FAILED), busy_seconds=1)
    assert not await put_back(attempts, slow, blameless=True, busy_seconds=1)
    assert await everything(redis) == before
    assert await is_held(attempts, quick, lease_seconds=LEASE_SECONDS)
    assert await finished(attempts, quick, ending(job), busy_seconds=1)
    assert await status_of(store, job) is Status.DONE


async def test_only_attempts_that_the_job_is_to_blame_for_are_strikes(store: JobStore, attempts: Attempts) -> None:
    job = a_job()
    await store.add(job)
    counted = []
    for blameless in (True, False, True, False):
        attempt = await claimed(attempts, job.id)
        counted.append((attempt.number, attempt.strike))
        assert await put_back(attempts, attempt, blameless=blameless, busy_seconds=0)
        assert await status_of(store, job) is Status.WAITING
    assert counted == [(1, 1), (2, 1), (3, 2), (4, 2)]


@pytest.mark.parametrize("status", Status)
async def test_a_removed_job_leaves_nothing_but_totals(
    store: JobStore, attempts: Attempts, redis: Redis, status: Status
) -> None:
    job = a_job()
    await store.add(job)
    attempt = None
    if status is not Status.WAITING:
        attempt = await claimed(attempts, job.id)
    if attempt is not None and status.ended:
        await finished(attempts, attempt, ending(job, status), busy_seconds=0)
    assert await store.remove(job.id)
    assert not await store.remove(job.id)
    assert await store.get(job.id) is None
    totals = {KEYS.wake.encode(), KEYS.totals.encode(), KEYS.events.encode()}
    left = set(await redis.keys("*")) - {*totals, KEYS.lease(job.id).encode()}
    assert left == set()
    if attempt is not None:
        assert not await finished(attempts, attempt, ending(job), busy_seconds=0)
        assert await store.get(job.id) is None


async def test_pages_go_from_the_newest_to_the_oldest(store: JobStore) -> None:
    jobs = [a_job(age_seconds=age) for age in (0, 1, 2, 3, 4)]
    for job in (jobs[2], jobs[0], jobs[4], jobs[1], jobs[3]):
        await store.add(job)
    cursor, pages = None, []
    while True:
        page = await store.page(status=None, limit=2, cursor=cursor)
        pages.append([job.id for job in page.jobs])
        cursor = page.cursor
        if cursor is None:
            break
        # Jobs added meanwhile are newer, so they do not disturb a client that is paging towards the oldest.
        await store.add(a_job())
    wanted = [job.id for job in jobs]
    assert pages == [wanted[:2], wanted[2:4], wanted[4:]]


async def test_jobs_of_the_same_moment_are_each_listed_once(store: JobStore) -> None:
    moment = now()
    jobs = {new_id() for _ in range(7)}
    for job_id in jobs:
        await store.add(a_job(id=job_id, created_at=moment))
    first = await store.page(status=None, limit=4, cursor=None)
    second = await store.page(status=None, limit=4, cursor=first.cursor)
    listed = [job.id for job in (*first.jobs, *second.jobs)]
    assert sorted(listed) == sorted(jobs)
    assert second.cursor is None


async def test_a_page_of_one_status(store: JobStore, attempts: Attempts) -> None:
    waiting, running, done = (a_job(age_seconds=age) for age in (3, 2, 1))
    for job in (waiting, running, done):
        await store.add(job)
    await claimed(attempts, running.id)
    await finished(attempts, await claimed(attempts, done.id), ending(done), busy_seconds=0)
    for status, job in ((Status.WAITING, waiting), (Status.IN_PROGRESS, running), (Status.DONE, done)):
        page = await store.page(status=status, limit=10, cursor=None)
        assert [found.id for found in page.jobs] == [job.id]
        assert page.cursor is None
    assert (await store.page(status=Status.FAILED, limit=10, cursor=None)).jobs == ()


async def test_expired_jobs_are_passed_over(store: JobStore, redis: Redis) -> None:
    jobs = [a_job(age_seconds=age) for age in range(5)]
    for job in jobs:
        await store.add(job)
    for gone in (jobs[0], jobs[1], jobs[3]):
        await redis.delete(KEYS.record(JOB, gone.id))
    listed, cursor = [], None
    while True:
        page = await store.page(status=None, limit=2, cursor=cursor)
        assert len(page.jobs) <= 2
        listed += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert listed == [jobs[2].id, jobs[4].id]


async def test_a_new_job_makes_its_indexes_live_on(store: JobStore, redis: Redis) -> None:
    """About once a minute."""
    await store.add(a_job())
    await redis.expire(KEYS.index(JOB), WAITING_SECONDS + RETENTION_SECONDS - 1)
    await redis.expire(KEYS.index(JOB, Status.WAITING), 5)
    await store.add(a_job())
    for index in (KEYS.index(JOB), KEYS.index(JOB, Status.WAITING)):
        assert await redis.zcard(index) == 2
        assert await redis.ttl(index) > WAITING_SECONDS + RETENTION_SECONDS


async def test_the_tally(store: JobStore, attempts: Attempts) -> None:
    jobs = [a_job() for _ in range(4)]
    for job in jobs:
        await store.add(job)
    await claimed(attempts, jobs[1].id)
    await finished(attempts, await claimed(attempts, jobs[2].id), ending(jobs[2]), busy_seconds=1.5)
    await put_back(attempts, await claimed(attempts, jobs[3].id), blameless=True, busy_seconds=0.25)
    await store.heartbeat("worker")
    tally = await store.tally()
    expected = dict.fromkeys(Status, 0) | {Status.WAITING: 2, Status.IN_PROGRESS: 1, Status.DONE: 1}
    assert tally.statuses == expected
    assert tally.queued == 3
    assert tally.workers == 1
    counters = {name: count for name, count in tally.totals.items() if not name.startswith(("wait_", "attempt_"))}
    assert counters == {"attempts:DONE": 1, "attempts:WAITING": 1, "busy_ms": 1_750}


async def test_the_tally_has_the_age_of_the_oldest_job_that_waits(store: JobStore, attempts: Attempts) -> None:
    assert (await store.tally()).oldest_waiting_seconds == 0
    for age_seconds in (300, 100, 200):
        await store.add(a_job(age_seconds=age_seconds))
    assert 300 <= (await store.tally()).oldest_waiting_seconds < 320
    oldest = (await store.page(status=Status.WAITING, limit=3, cursor=None)).jobs[-1]
    await claimed(attempts, oldest.id)
    assert 200 <= (await store.tally()).oldest_waiting_seconds < 220


async def test_the_first_claim_counts_the_waiting_time_and_each_attempt_its_own(
    store: JobStore, attempts: Attempts
) -> None:
    job = a_job(age_seconds=20)
    await store.add(job)
    await put_back(attempts, await claimed(attempts, job.id), busy_seconds=0.2)
    await finished(attempts, await claimed(attempts, job.id), ending(job), busy_seconds=4_000)
    totals = (await store.tally()).totals
    waits, times = durations(totals, "wait"), durations(totals, "attempt")
    assert waits.count == 1
    assert 20 <= waits.total_seconds < 30
    assert [count for bound, count in waits.buckets if bound in (10, 30)] == [0, 1]
    assert (times.count, times.total_seconds) == (2, 4_000.2)
    assert dict(times.buckets)[0.1] == 0
    assert dict(times.buckets)[0.25] == dict(times.buckets)[3_600] == 1


async def test_workers_live_until_they_sign_off_or_fall_silent(store: JobStore, redis: Redis) -> None:
    assert await store.live_workers() == 0
    for worker in ("one", "two", "two", "three"):
        await store.heartbeat(worker)
    assert await store.live_workers() == 3
    await store.sign_off("one")
    assert await store.live_workers() == 2
    await redis.zincrby(KEYS.workers, -11, "two")
    assert await store.live_workers() == 1
    await redis.zincrby(KEYS.workers, -100, "two")
    await store.heartbeat("three")
    assert await redis.zcard(KEYS.workers) == 1


async def test_a_paused_worker_does_not_count_as_live(store: JobStore) -> None:
    async def counted() -> tuple[int, int]:
        return await store.live_workers(), await store.paused_workers()

    await store.heartbeat("one")
    await store.heartbeat("two", paused=True)
    assert await counted() == (1, 1)
    await store.heartbeat("one", paused=True)
    assert await counted() == (0, 2)
    await store.heartbeat("one")
    await store.sign_off("two")
    assert await counted() == (1, 0)


async def test_a_redis_that_takes_no_writes_is_noticed(store: JobStore, redis: Redis) -> None:
    await store.probe()
    await redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(QueueUnavailable):
            await store.probe()
    finally:
        await redis.replicaof("NO", "ONE")


async def test_without_redis_the_queue_is_unavailable_and_then_back(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as server,
        connect(server.url, Redis, attempts=1, answer_seconds=1.0) as client,
    ):
        store, attempts = JobStore(client, retention_seconds=RETENTION_SECONDS), Attempts(client)
        job, other = a_job(), a_job()
        await store.add(job)
        attempt = await claimed(attempts, job.id)
        await server.stop()
        for asking in (
            store.add(other),
            store.get(job.id),
            attempts.renew([attempt], lease_seconds=1),
            finished(attempts, attempt, ending(job), busy_seconds=0),
            put_back(attempts, attempt, blameless=True, busy_seconds=0),
            store.remove(job.id),
            store.page(status=None, limit=1, cursor=None),
            store.probe(),
            store.heartbeat("worker"),
            store.sign_off("worker"),
            store.live_workers(),
            store.tally(),
        ):
            with pytest.raises(QueueUnavailable):
                await asking
        await server.start()
        assert await store.get(other.id) is None
        assert await finished(attempts, attempt, ending(job), busy_seconds=0)
        assert await status_of(store, job) is Status.DONE


async def test_a_job_keeps_the_id_of_its_request_in_redis_and_in_its_record(store: JobStore) -> None:
    for job in (a_job(request_id="8c1f-42:a/b=c"), a_job()):
        await store.add(job)
        assert await store.get(job.id) == Job.from_record(job.record()) == job
