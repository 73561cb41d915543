"""How workers claim what is due: in order, each item once, and again when Redis' answer was lost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest
from redis.asyncio import Redis

from quickthumb.model.email import Email
from quickthumb.model.job import Job, Status, new_id, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.claims import Claims, Due
from quickthumb.queue.connection import FOREVER, connect
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import EMAIL, JOB, KEYS
from tests.chaos.fleet import free_port
from tests.chaos.proxy import Cut, Proxy
from tests.redis_fixtures import a_job, put_back
from tests.waiting import wait_until

LEASE_SECONDS = 5.0


@pytest.fixture
def claims(client: Redis) -> Claims:
    return Claims(client, lease_seconds=LEASE_SECONDS)


async def added(store: JobStore, count: int) -> list[Job]:
    """Jobs, the oldest first."""
    jobs = [a_job(age_seconds=10 + count - number) for number in range(count)]
    for job in jobs:
        await store.add(job)
    return jobs


def ids(due: Due) -> list[str]:
    return [attempt.id for attempt in due.attempts]


async def test_several_are_claimed_at_once_oldest_first_and_none_of_them_again(
    claims: Claims, client: Redis, store: JobStore, redis: Redis
) -> None:
    jobs = await added(store, 5)
    first = await claims.claim(3)
    assert ids(first) == [job.id for job in jobs[:3]]
    assert len({attempt.token for attempt in first.attempts}) == 3
    for attempt in first.attempts:
        assert (attempt.kind, attempt.number, attempt.strike) == (JOB, 1, 1)
        assert await redis.get(KEYS.lease(attempt.id)) == attempt.token.encode()
        assert 0 < await redis.pttl(KEYS.lease(attempt.id)) <= LEASE_SECONDS * 1000
        assert attempt.fields == await redis.hgetall(KEYS.record(JOB, attempt.id))  # type: ignore[misc]
        assert attempt.was_confirmed_within(LEASE_SECONDS)
    assert ids(await Claims(client, lease_seconds=5).claim(3)) == [job.id for job in jobs[3:]]
    assert await claims.claim(3) == Due([], None, -1)


async def test_one_round_trip_claims_all(claims: Claims, store: JobStore, redis: Redis) -> None:
    await claims.claim(0)  # sends the script
    await added(store, 5)
    before = await calls(redis)
    assert len((await claims.claim(5)).attempts) == 5
    assert await calls(redis) - before == 1


async def calls(redis: Redis) -> int:
    return int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_with_nothing_due_it_says_when_the_next_is(claims: Claims, redis: Redis) -> None:
    assert (await claims.claim(1)).in_ms == -1
    seconds, _ = await redis.time()
    await redis.zadd(KEYS.queue, {"later": (seconds + 60) * 1000})
    assert 58_000 < (await claims.claim(1)).in_ms <= 60_000


async def test_a_claim_says_whether_it_got_all_and_when_the_next_is_due(
    claims: Claims, store: JobStore, redis: Redis
) -> None:
    await added(store, 4)
    assert (await claims.claim(2)).in_ms == 0
    assert await redis.exists(KEYS.wake)
    assert (await claims.claim(2)).in_ms == 0  # nobody has looked whether there is a fifth
    await added(store, 1)
    seconds, _ = await redis.time()
    await redis.zadd(KEYS.queue, {"later": (seconds + 60) * 1000})
    due = await claims.claim(2)
    assert len(due.attempts) == 1
    assert 58_000 < due.in_ms <= 60_000
    assert not await redis.exists(KEYS.wake)


async def test_what_has_ended_or_is_unknown_leaves_the_queue_and_hides_nothing(
    claims: Claims, store: JobStore, redis: Redis
) -> None:
    stranger, (gone, job) = new_id(), await added(store, 2)
    await store.cancel(gone.id, now())
    for item_id in (stranger, gone.id):
        await redis.zadd(KEYS.queue, {item_id: 1})
        await redis.set(KEYS.call(item_id), 1, ex=60)
        await redis.set(KEYS.tries(item_id), 1, ex=60)
    assert ids(await claims.claim(1)) == [job.id]
    assert await redis.zrange(KEYS.queue, 0, -1) == [job.id.encode()]
    assert not await redis.exists(*(key for item in (stranger, gone.id) for key in (KEYS.call(item), KEYS.tries(item))))


async def test_running_items_at_the_head_hide_nothing_behind_them(claims: Claims, store: JobStore) -> None:
    jobs = await added(store, 300)
    await claims.claim(298)
    assert ids(await claims.claim(5)) == [job.id for job in jobs[298:]]


async def test_a_lease_that_lapsed_is_a_strike(claims: Claims, store: JobStore, redis: Redis) -> None:
    (job,) = await added(store, 1)
    (first,) = (await claims.claim(1)).attempts
    await redis.delete(KEYS.lease(job.id))
    (second,) = (await claims.claim(1)).attempts
    assert (second.number, second.strike) == (2, 2)
    assert second.token != first.token


async def queued_emails(emails: EmailStore, count: int) -> list[str]:
    mails = [Email(id=new_id(), address="ada@example.com", created_at=now()) for _ in range(count)]
    for mail in mails:
        await emails.add(mail, most=count)
    return [mail.id for mail in mails]


async def test_a_kind_gets_no_more_than_its_limit_and_the_rest_waits_in_line(
    claims: Claims, client: Redis, store: JobStore, redis: Redis
) -> None:
    mails = await queued_emails(EmailStore(client), 3)
    (job,) = [a_job(age_seconds=-5)]  # due at once, behind the emails
    await store.add(job)
    due = await claims.claim(4, {JOB: 4, EMAIL: 1})
    (mail,) = [attempt for attempt in due.attempts if attempt.kind is EMAIL]
    assert sorted(ids(due)) == sorted([mail.id, job.id])
    assert await claims.claim(4, {JOB: 4, EMAIL: 0}) == Due([], None, -1)
    for other in set(mails) - {mail.id}:
        assert await redis.zscore(KEYS.queue, other) < 0
        found = await EmailStore(client).get(other)
        assert found is not None
        assert (found.status, found.attempts) == (Status.WAITING, 0)


async def test_one_large_item_is_claimed_and_none_by_a_worker_without_a_place_for_it(
    claims: Claims, store: JobStore, attempts: Attempts
) -> None:
    jobs = [a_job(age_seconds=age) for age in (30, 20, 10)]
    for job, is_large in zip(jobs, (True, True, False), strict=True):
        await store.add(job, is_large=is_large)
    large, other, small = (job.id for job in jobs)
    due = await claims.claim(3)
    assert (ids(due), due.large, due.in_ms) == ([large, small], large, 0)
    for attempt in due.attempts:
        await put_back(attempts, attempt)
    due = await claims.claim(3, takes_large=False)
    assert (ids(due), due.large) == ([small], None)
    due = await claims.claim(3)
    assert (ids(due), due.large) == ([large], large)
    due = await claims.claim(3)
    assert (ids(due), due.in_ms) == ([other], -1)


@pytest.mark.parametrize("cut", [Cut.BEFORE_ANSWER, Cut.WITHIN_ANSWER])
async def test_a_claim_whose_answer_was_lost_is_made_again_as_the_same_attempt(
    redis_url: str, store: JobStore, cut: Cut
) -> None:
    jobs = await added(store, 3)
    async with Proxy(redis_url, free_port()) as proxy, worker_s(proxy.url) as client:
        claims = Claims(client, lease_seconds=LEASE_SECONDS)
        await claims.claim(0)
        proxy.choose = once(proxy, cut)
        due = await claims.claim(2)
        assert proxy.cuts == [cut]
        assert ids(due) == [job.id for job in jobs[:2]]
        assert [(attempt.number, attempt.strike) for attempt in due.attempts] == [(1, 1), (1, 1)]
        assert ids(await claims.claim(2)) == [jobs[2].id]


def worker_s(url: str) -> Redis:
    """A client that retries for ever, as a worker's does."""
    return connect(url, Redis, attempts=FOREVER, answer_seconds=None, attempt_seconds=5.0)


def once(proxy: Proxy, cut: Cut) -> Callable[[bytes], Cut | None]:
    return lambda data: cut if b"EVALSHA" in data and not proxy.cuts else None


async def test_a_claim_that_was_given_up_is_found_by_the_next_even_once_its_lease_has_lapsed(
    redis_url: str, store: JobStore, redis: Redis
) -> None:
    (job,) = await added(store, 1)
    async with Proxy(redis_url, free_port()) as proxy, worker_s(proxy.url) as client:
        claims = Claims(client, lease_seconds=LEASE_SECONDS)
        await claims.claim(0)
        proxy.choose = lambda data: Cut.BEFORE_ANSWER if b"EVALSHA" in data else None
        claiming = asyncio.create_task(claims.claim(3))
        await wait_until(lambda: _runs(store, job))
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
        proxy.choose = lambda data: None
        await redis.delete(KEYS.lease(job.id))
        (attempt,) = (await claims.claim(1)).attempts
        assert (attempt.id, attempt.number, attempt.strike) == (job.id, 1, 1)
        assert await redis.exists(KEYS.lease(job.id))


async def _runs(store: JobStore, job: Job) -> bool:
    return await status_of(store, job) is Status.IN_PROGRESS


async def status_of(store: JobStore, job: Job) -> Status:
    found = await store.get(job.id)
    assert found is not None
    return found.status


async def test_claiming_none_finds_what_was_lost_and_touches_nothing_else(
    claims: Claims, redis_url: str, store: JobStore, redis: Redis
) -> None:
    *others, job = await added(store, 50)
    async with Proxy(redis_url, free_port()) as proxy, worker_s(proxy.url) as client:
        # Another worker runs what stands before it in the queue.
        await claims.claim(len(others))
        claims = Claims(client, lease_seconds=LEASE_SECONDS)
        proxy.choose = lambda data: Cut.BEFORE_ANSWER if b"EVALSHA" in data else None
        claiming = asyncio.create_task(claims.claim(1))
        await wait_until(lambda: _runs(store, job))
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
        proxy.choose = lambda data: None
        (other,) = await added(store, 1)
        await redis.zadd(KEYS.queue, {"unknown": 1})
        assert ids(await claims.claim(0)) == [job.id]
        assert await status_of(store, other) is Status.WAITING
        assert await redis.zscore(KEYS.queue, "unknown") == 1
        assert await redis.exists(KEYS.wake)


async def test_the_kind_of_an_attempt_is_the_one_that_the_worker_serves(claims: Claims, store: JobStore) -> None:
    await added(store, 1)
    kind = replace(JOB, retention_seconds=7)
    (attempt,) = (await claims.claim(1, {kind: 1})).attempts
    assert attempt.kind is kind


async def test_the_large_ones_are_known_until_they_end(claims: Claims, store: JobStore, redis: Redis) -> None:
    await store.add(a_job(), is_large=True)
    await claims.claim(1)
    assert len(await cast("Awaitable[set[bytes]]", redis.smembers(KEYS.large))) == 1
