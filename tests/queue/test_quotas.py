"""Quotas on a real Redis: exact windows, seats, and what jobs count for as long as they are kept."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Change, Job, Outcome, Result, Status, now
from quickthumb.model.quota import (
    OUTPUT_PIXELS,
    REQUESTS,
    STORED,
    STREAMS,
    UNENDED,
    UPLOAD_BYTES,
    UPLOADS,
    Policy,
    subject_of,
)
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.errors import QuotaExceeded
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS, WAITING_SECONDS
from quickthumb.queue.quotas import Demand, QuotaStore
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed, finished
from tests.waiting import wait_until

MINE = "key:abcdefghijkl"
SOURCE_SECONDS = 600
SOURCE_BYTES, RESULT_BYTES = 1000, 300


@pytest.fixture
def quotas(client: Redis) -> QuotaStore:
    return QuotaStore(client)


@pytest.fixture
def store(client: Redis) -> JobStore:
    return JobStore(client, retention_seconds=RETENTION_SECONDS, source_seconds=SOURCE_SECONDS)


async def admitted(quotas: QuotaStore, policy: Policy, amount: int = 1) -> bool:
    (standing,) = await quotas.take([Demand(policy, amount)])
    return standing.admitted


async def grow_older(redis: Redis, policy: Policy, seconds: float) -> None:
    """Makes what was counted that much older."""
    place = KEYS.quota(policy)
    await redis.set(place, float(await redis.get(place)) - seconds * 1e6, px=60_000)


@pytest.mark.parametrize("most", [1, 7, 100])
async def test_a_whole_quota_is_admitted_at_once_and_no_more(quotas: QuotaStore, most: int) -> None:
    policy = Policy(UPLOADS, MINE, most)
    assert [await admitted(quotas, policy) for _ in range(most + 2)] == [True] * most + [False] * 2


async def test_what_comes_back_comes_back_one_by_one(quotas: QuotaStore, redis: Redis) -> None:
    policy = Policy(UPLOADS, MINE, 60)
    assert await admitted(quotas, policy, 60)
    await grow_older(redis, policy, 59)
    assert not await admitted(quotas, policy)
    await grow_older(redis, policy, 62)
    assert [await admitted(quotas, policy) for _ in range(3)] == [True, True, False]


async def test_it_says_how_much_is_left_and_when_there_is_more(quotas: QuotaStore) -> None:
    policy = Policy(REQUESTS, MINE, 60)
    (standing,) = await quotas.take([Demand(policy, 20)])
    assert (standing.admitted, standing.remaining) == (True, 40)
    (standing,) = await quotas.take([Demand(policy, 45)])
    assert (standing.admitted, standing.remaining) == (False, 40)
    assert standing.wait_seconds == pytest.approx(5, abs=0.5)


async def test_whoever_waits_as_long_as_told_is_admitted(quotas: QuotaStore) -> None:
    policy = Policy(REQUESTS, MINE, 600)
    assert await admitted(quotas, policy, 600)
    (standing,) = await quotas.take([Demand(policy, 1)])
    assert standing.wait_seconds is not None
    until = time.monotonic() + standing.wait_seconds
    await wait_until(lambda: time.monotonic() >= until)
    assert await admitted(quotas, policy)


async def test_two_processes_share_a_quota(redis_url: str) -> None:
    policy = Policy(UPLOADS, MINE, 50)
    async with (
        connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as one,
        connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as two,
    ):
        stores = [QuotaStore(one), QuotaStore(two)]
        taken = await asyncio.gather(*(admitted(stores[number % 2], policy) for number in range(100)))
    assert taken.count(True) == 50


async def test_all_or_nothing(quotas: QuotaStore, redis: Redis) -> None:
    uploads, bytes_, pixels = Policy(UPLOADS, MINE, 10), Policy(UPLOAD_BYTES, MINE, 100), Policy(OUTPUT_PIXELS, MINE, 9)
    demands = [Demand(uploads, 1), Demand(bytes_, 101), Demand(pixels, 10)]
    standings = await quotas.take(demands)
    assert [standing.admitted for standing in standings] == [True, False, False]
    assert [standing.wait_seconds for standing in standings][1:] == [None, None]
    assert not await redis.keys("*")


async def test_a_look_takes_nothing_and_a_return_gives_back(quotas: QuotaStore, redis: Redis) -> None:
    policy = Policy(UPLOADS, MINE, 2)
    await quotas.take([Demand(policy, 2)], commit=False)
    assert not await redis.keys("*")
    assert await admitted(quotas, policy, 2)
    assert await admitted(quotas, policy, -1)
    assert [await admitted(quotas, policy) for _ in range(2)] == [True, False]
    assert await admitted(quotas, policy, -2)
    assert not await redis.keys("*")


async def test_a_window_leaves_redis_when_it_is_full_again(quotas: QuotaStore, redis: Redis) -> None:
    policy = Policy(REQUESTS, MINE, 60)
    await admitted(quotas, policy, 30)
    assert 29_000 < await redis.pttl(KEYS.quota(policy)) <= 30_000


async def test_seats_are_all_or_none_and_pass(quotas: QuotaStore, redis: Redis) -> None:
    mine, all_of_us = Policy(STREAMS, MINE, 2), Policy(STREAMS, "tenant:shop", 3)
    assert [await quotas.occupy([mine, all_of_us], str(holder)) for holder in range(3)] == [None, None, mine]
    assert await quotas.occupy([mine, all_of_us], "1") is None
    other = Policy(STREAMS, "key:other0000000", 2)
    assert [await quotas.occupy([other, all_of_us], f"other {holder}") for holder in range(2)] == [None, all_of_us]
    assert await redis.zcard(KEYS.quota(other)) == 1
    await quotas.vacate([mine, all_of_us], "0")
    assert await quotas.occupy([mine, all_of_us], "2") is None
    await redis.zadd(KEYS.quota(mine), {"1": 1, "2": 1})
    await redis.zadd(KEYS.quota(all_of_us), {"1": 1, "2": 1})
    assert await quotas.occupy([mine, all_of_us], "3") is None


def kept(*policies: Policy, amount: int = 1) -> list[Demand]:
    return [Demand(policy, amount) for policy in policies]


def job_counted(demands: Sequence[Demand]) -> Job:
    return a_job(client=MINE, counted_for=tuple(demand.policy.counted for demand in demands))


def done(job: Job) -> Outcome:
    result = Result(name="thumbnail", filename="t.jpg", format="jpeg", width=1, height=1, bytes=RESULT_BYTES)
    return Outcome(status=Status.DONE, finished_at=now(), source=job.source, results=(result,))


async def unended(redis: Redis, policy: Policy) -> int:
    return int(await redis.zcard(KEYS.quota(policy)))


async def stored(redis: Redis, policy: Policy) -> int:
    """The total, which must be the sum of the entries."""
    found: dict[bytes, bytes] = await redis.hgetall(KEYS.quota(policy))  # type: ignore[misc]
    total = int(found.pop(b"total", 0))
    assert total == sum(map(int, found.values()))
    return total


UNENDED_MINE, UNENDED_OURS = Policy(UNENDED, MINE, 2), Policy(UNENDED, "tenant:shop", 3)
STORED_MINE = Policy(STORED, MINE, 2500)


async def test_no_more_jobs_than_allowed_are_unended(store: JobStore, redis: Redis) -> None:
    demands = kept(UNENDED_MINE, UNENDED_OURS)
    jobs = [job_counted(demands) for _ in range(3)]
    assert await store.add(jobs[0], counted=demands)
    assert await store.add(jobs[1], counted=demands)
    with pytest.raises(QuotaExceeded) as refused:
        await store.add(jobs[2], counted=demands)
    assert [standing.policy for standing in refused.value.violated] == [UNENDED_MINE]
    assert await store.get(jobs[2].id) is None
    assert not await store.add(jobs[0], counted=demands)  # sent again: it is there already
    await store.cancel(jobs[0].id, now())
    assert await store.add(jobs[2], counted=demands)
    assert (await unended(redis, UNENDED_MINE), await unended(redis, UNENDED_OURS)) == (2, 2)


@pytest.mark.parametrize("end", ["done", "failed", "cancelled", "removed"])
async def test_however_a_job_ends_it_counts_no_longer(
    store: JobStore, attempts: Attempts, redis: Redis, end: str
) -> None:
    demands = kept(UNENDED_MINE)
    job = job_counted(demands)
    await store.add(job, counted=demands)
    attempt = await claimed(attempts, job.id, kind=store.kind)
    assert await unended(redis, UNENDED_MINE) == 1
    if end == "done":
        assert await finished(attempts, attempt, done(job))
    elif end == "failed":
        await finished(attempts, attempt, Outcome(status=Status.FAILED, finished_at=now(), source=job.source))
        assert await unended(redis, UNENDED_MINE) == 0
        await store.reopen(job)
        assert await unended(redis, UNENDED_MINE) == 1
        await store.remove(job.id)
    elif end == "cancelled":
        await store.cancel(job.id, now())
    else:
        await store.remove(job.id)
    assert await unended(redis, UNENDED_MINE) == 0


async def test_an_attempt_that_is_put_back_still_counts(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    demands = kept(UNENDED_MINE)
    job = job_counted(demands)
    await store.add(job, counted=demands)
    await attempts.settle(await claimed(attempts, job.id, kind=store.kind), Status.WAITING, busy_seconds=0)
    assert await unended(redis, UNENDED_MINE) == 1


async def test_a_job_that_is_put_off_counts_for_as_long(store: JobStore, redis: Redis) -> None:
    demands = kept(UNENDED_MINE)
    job = job_counted(demands)
    await store.add(job, counted=demands)
    ahead = timedelta(days=20)
    assert await store.amend(job.id, Change(changes=1, priority="normal", run_at=now() + ahead), reschedules=True)
    counts_until = await redis.zscore(KEYS.quota(UNENDED_MINE), job.id)
    assert counts_until is not None
    assert counts_until / 1000 > time.time() + ahead.total_seconds() + WAITING_SECONDS - 60


async def test_a_job_that_redis_has_forgotten_leaves_room(store: JobStore, redis: Redis) -> None:
    demands = kept(Policy(UNENDED, MINE, 1))
    job = job_counted(demands)
    await store.add(job, counted=demands)
    await redis.zadd(KEYS.quota(UNENDED_MINE), {job.id: 1})  # its time is over
    assert await store.add(job_counted(demands), counted=demands)


async def test_stored_bytes_follow_a_job_to_its_end(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    demands = kept(STORED_MINE, amount=SOURCE_BYTES)
    jobs = [job_counted(demands) for _ in range(3)]
    for job in jobs[:2]:
        await store.add(job, counted=demands)
    assert await stored(redis, STORED_MINE) == 2 * SOURCE_BYTES
    with pytest.raises(QuotaExceeded):
        await store.add(jobs[2], counted=demands)
    await finished(attempts, await claimed(attempts, jobs[0].id, kind=store.kind), done(jobs[0]))
    assert await stored(redis, STORED_MINE) == 2 * SOURCE_BYTES + RESULT_BYTES
    for _ in range(2):
        await store.remove(jobs[0].id)
        assert await stored(redis, STORED_MINE) == SOURCE_BYTES
    await store.cancel(jobs[1].id, now())
    assert await stored(redis, STORED_MINE) == SOURCE_BYTES  # the source of a cancelled job is kept for a while
    assert await store.add(jobs[2], counted=demands)


async def test_source_and_results_pass_at_their_own_times(
    store: JobStore, attempts: Attempts, quotas: QuotaStore, redis: Redis
) -> None:
    demands = kept(STORED_MINE, amount=SOURCE_BYTES)
    job = job_counted(demands)
    await store.add(job, counted=demands)
    await finished(attempts, await claimed(attempts, job.id, kind=store.kind), done(job))
    ends = f"{KEYS.quota(STORED_MINE)}:ends"
    due = {
        entry.decode(): score / 1000 - time.time() for entry, score in await redis.zrange(ends, 0, -1, withscores=True)
    }
    assert due == {
        job.id: pytest.approx(RETENTION_SECONDS, abs=30),
        f"{job.id}:source": pytest.approx(SOURCE_SECONDS, abs=30),
    }
    await redis.zadd(ends, {f"{job.id}:source": 1})
    (standing,) = await quotas.take([Demand(STORED_MINE, 1)], commit=False)
    assert standing.remaining == STORED_MINE.most - RESULT_BYTES
    assert await stored(redis, STORED_MINE) == RESULT_BYTES


async def test_a_source_that_goes_with_its_job_counts_no_longer(
    client: Redis, attempts: Attempts, redis: Redis
) -> None:
    store = JobStore(client, retention_seconds=RETENTION_SECONDS, source_seconds=0)
    demands = kept(STORED_MINE, amount=SOURCE_BYTES)
    job = job_counted(demands)
    await store.add(job, counted=demands)
    await finished(attempts, await claimed(attempts, job.id, kind=store.kind), done(job))
    assert await stored(redis, STORED_MINE) == RESULT_BYTES


async def test_a_wiped_redis_counts_again_what_keys_keep(store: JobStore, redis: Redis) -> None:
    address = Policy(UNENDED, subject_of("address:192.0.2.1"), 5)
    demands = kept(UNENDED_MINE, STORED_MINE, address)
    waiting, ended, old = (Job.from_record(job_counted(demands).record()) for _ in range(3))
    assert waiting.counted_for == (UNENDED_MINE.counted, STORED_MINE.counted)
    past = done(old).model_copy(update={"finished_at": now() - timedelta(seconds=SOURCE_SECONDS + 60)})
    for _ in range(2):
        await store.restore([(waiting, None), (ended, done(ended)), (old, past)])
        assert await unended(redis, UNENDED_MINE) == 1
        assert await stored(redis, STORED_MINE) == 2 * SOURCE_BYTES + 2 * RESULT_BYTES
    assert await unended(redis, address) == 0
    found = await store.get(waiting.id)
    assert found is not None
    assert found.counted_for == waiting.counted_for


def test_an_address_is_not_told_and_an_ipv6_network_is_one_client() -> None:
    assert "192.0.2.1" not in subject_of("address:192.0.2.1")
    assert subject_of("address:2a00:1450:4001:82b::1") == subject_of("address:2a00:1450:4001:82b:ffff::2")
    assert subject_of("address:2a00:1450:4001:82b::1") != subject_of("address:2a00:1450:4001:82c::1")
    assert subject_of("address:::ffff:192.0.2.1") == subject_of("address:192.0.2.1")
    assert subject_of(MINE) == MINE
