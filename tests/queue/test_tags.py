"""The lists of tags, and how many jobs a list has: what they cost, and that they follow what happens to a job."""

from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Job, Status, now
from quickthumb.model.order import MOST_TAGS
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, WAITING_SECONDS
from quickthumb.queue.walk import Trimming
from tests.queue.test_tenants import commands, outcome_of
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed, finished, put_back

JOBS = 3_000
# One job in so many has the tag that is asked for.
EVERY = 100


def tagged(*tags: str, **changes: Any) -> Job:
    return a_job(order={"outputs": [], "tag": list(tags)}, **changes)


async def listed(redis: Redis, tag: str, tenant: str = DEFAULT_TENANT) -> dict[str | None, set[str]]:
    """The ids in each index of a tag that has any."""
    found = {}
    for status in (None, *Status):
        entries = await redis.zrange(KEYS.index(JOB, status, tenant, tag), 0, -1)
        if entries:
            found[status and status.value] = {entry.decode().partition(":")[2] for entry in entries}
    return found


async def names(store: JobStore) -> int:
    return len(await store.index.lists("", most=1_000))


async def total(store: JobStore, tenant: str, status: Status | None = None, tag: str | None = None) -> int:
    page = await store.page(status=status, limit=1, cursor=None, tenant=tenant, tag=tag, counts=True)
    assert page.total is not None
    return page.total


@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, "ada"])
async def test_a_page_by_tag_costs_what_it_shows_however_many_jobs_there_are(
    store: JobStore, redis: Redis, tenant: str
) -> None:
    for number in range(JOBS):
        tag = "wanted" if number % EVERY == 0 else f"other-{number % 7}"
        await store.add(tagged(tag, age_seconds=JOBS - number, tenant=tenant))
    seen: list[Job] = []
    cursor = None
    for limit in (20, 9, 1):
        before = await commands(redis)
        page = await store.page(
            status=Status.WAITING, limit=limit, cursor=cursor, tenant=tenant, tag="wanted", counts=True
        )
        # One for the entries, one for the total, and one for each job; one that asked.
        assert await commands(redis) - before - 1 == 2 + limit
        assert (len(page.jobs), page.total) == (limit, JOBS / EVERY)
        seen += page.jobs
        cursor = page.cursor
    assert cursor is None
    assert {tuple(job.order["tag"]) for job in seen} == {("wanted",)}
    ages = [job.created_at for job in seen]
    assert ages == sorted(set(ages), reverse=True)


@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, "ada"])
async def test_lists_of_tags_follow_a_job_from_its_beginning_to_its_end(
    store: JobStore, attempts: Attempts, redis: Redis, tenant: str
) -> None:
    job, other = tagged("cats", "2026", tenant=tenant), tagged("2026", tenant=tenant)
    await store.add(job)
    await store.add(other)
    assert await listed(redis, "2026", tenant) == {None: {job.id, other.id}, "WAITING": {job.id, other.id}}
    attempt = await claimed(attempts, job.id)
    assert await listed(redis, "cats", tenant) == {None: {job.id}, "IN_PROGRESS": {job.id}}
    assert await put_back(attempts, attempt)
    assert await finished(attempts, await claimed(attempts, job.id), outcome_of(job, Status.FAILED))
    assert await listed(redis, "cats", tenant) == {None: {job.id}, "FAILED": {job.id}}
    assert await listed(redis, "2026", tenant) == {
        None: {job.id, other.id},
        "FAILED": {job.id},
        "WAITING": {other.id},
    }
    assert await store.reopen(job)
    assert await store.cancel(job.id, now(), tenant=tenant)
    assert await listed(redis, "cats", tenant) == {None: {job.id}, "CANCELLED": {job.id}}
    assert await store.remove(job.id)
    assert await listed(redis, "cats", tenant) == {}
    assert await listed(redis, "2026", tenant) == {None: {other.id}, "WAITING": {other.id}}


async def test_two_tenants_never_share_the_list_of_a_tag(store: JobStore, redis: Redis) -> None:
    jobs = {tenant: tagged("cats", tenant=tenant) for tenant in ("ada", "bob", DEFAULT_TENANT)}
    for job in jobs.values():
        await store.add(job)
    for tenant, job in jobs.items():
        assert await listed(redis, "cats", tenant) == {None: {job.id}, "WAITING": {job.id}}
        page = await store.page(status=None, limit=9, cursor=None, tenant=tenant, tag="cats", counts=True)
        assert ([one.id for one in page.jobs], page.total) == ([job.id], 1)
    assert await listed(redis, "cats", "eve") == {}


async def test_a_tagged_job_counts_for_its_tenant_and_is_told_as_its_tenant_s(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    for tenant in ("ada", DEFAULT_TENANT):
        job = tagged("cats", "dogs", tenant=tenant)
        await store.add(job)
        attempt = await claimed(attempts, job.id)
        assert attempt.tenant == (None if tenant == DEFAULT_TENANT else tenant)
        assert await finished(attempts, attempt, outcome_of(job))
    (ada,) = await store.tenants_tallies(["ada"])
    assert ada.totals == {"accepted": 1, "accepted_bytes": 1_000, "attempts:DONE": 1}
    assert [key async for key in redis.scan_iter(f"{KEYS.totals}:of:*")] == [KEYS.totals_of("ada").encode()]
    events = [fields[b"tenant"] for _, fields in await redis.xrange(KEYS.events)]
    assert events == [b"ada"] * 3 + [b""] * 3


async def test_a_tag_that_is_given_twice_is_one_and_all_that_are_allowed_are_listed(
    store: JobStore, redis: Redis
) -> None:
    await store.add(tagged("cats", "cats"))
    assert await names(store) == 1
    many = [f"tag-{number}" for number in range(MOST_TAGS)]
    job = tagged(*many, tenant="ada")
    await store.add(job)
    assert [await listed(redis, tag, "ada") for tag in many] == [{None: {job.id}, "WAITING": {job.id}}] * MOST_TAGS


async def test_a_wiped_redis_gets_the_lists_of_tags_back(store: JobStore, redis: Redis) -> None:
    waiting, done = tagged("cats", "dogs"), tagged("cats", tenant="ada")
    # What the storage has of them.
    kept: Sequence[Job] = [Job.from_record(job.record()) for job in (waiting, done)]
    assert await store.restore([(kept[0], None), (kept[1], outcome_of(kept[1]))]) == [True, True]
    assert await listed(redis, "cats") == await listed(redis, "dogs") == {None: {waiting.id}, "WAITING": {waiting.id}}
    assert await listed(redis, "cats", "ada") == {None: {done.id}, "DONE": {done.id}}
    assert await names(store) == 4
    for tenant, tag in ((DEFAULT_TENANT, "dogs"), ("ada", "cats")):
        assert await redis.ttl(KEYS.index(JOB, None, tenant, tag)) > WAITING_SECONDS


async def test_requeuing_mends_the_lists_of_tags(store: JobStore, redis: Redis) -> None:
    job = tagged("cats")
    await store.add(job)
    created_ms = round(job.created_at.timestamp() * 1000)
    await redis.zrem(KEYS.queue, job.id)
    await redis.zrem(KEYS.index(JOB, Status.WAITING, tag="cats"), f"{created_ms}:{job.id}")
    assert await store.index.requeue(job.id, created_ms)
    assert await listed(redis, "cats") == {None: {job.id}, "WAITING": {job.id}}


async def test_lists_of_tags_are_trimmed_and_forgotten(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickthumb.queue.walk.MOST_LISTS", 3)
    jobs = [tagged(*tags, age_seconds=RETENTION_SECONDS + 60) for tags in ("abcdefg", "a")]
    expired, kept = jobs
    for job in jobs:
        await store.add(job)
    await redis.delete(KEYS.record(JOB, expired.id))
    trimming, left = Trimming(store.index), []
    for _ in range(3):
        await trimming.trim()
        left.append(await names(store))
    # The list of `a` may be any of them: it stays.
    assert left[0] >= 4
    assert left[2] == 1
    assert await listed(redis, "a") == {None: {kept.id}, "WAITING": {kept.id}}
    assert await total(store, DEFAULT_TENANT) == await total(store, DEFAULT_TENANT, tag="a") == 1
    # It begins again from the first list on.
    await redis.delete(KEYS.record(JOB, kept.id))
    await trimming.trim()
    assert await names(store) == await total(store, DEFAULT_TENANT) == 0
    assert await listed(redis, "a") == {}


async def test_the_total_is_that_of_one_s_own_jobs(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    for tenant, count in (("ada", 3), ("bob", 2), (DEFAULT_TENANT, 4)):
        for _ in range(count):
            await store.add(tagged("cats", tenant=tenant))
    job = a_job(tenant="ada")
    await store.add(job)
    assert await finished(attempts, await claimed(attempts, job.id), outcome_of(job))
    assert [await total(store, tenant) for tenant in ("ada", "bob", DEFAULT_TENANT, "eve")] == [4, 2, 4, 0]
    assert [await total(store, tenant, Status.WAITING) for tenant in ("ada", DEFAULT_TENANT)] == [3, 4]
    assert [await total(store, tenant, Status.DONE) for tenant in ("ada", DEFAULT_TENANT)] == [1, 0]
    before = await commands(redis)
    await total(store, DEFAULT_TENANT)
    # The entries, their count, the tenants, a job, and the count of each of the two other tenants, whatever tags there
    # are; one that asked.
    assert await commands(redis) - before - 1 == 6


async def test_a_job_without_tags_is_in_no_other_list(store: JobStore, redis: Redis) -> None:
    await store.add(a_job())
    assert not [key async for key in redis.scan_iter("*:of:*")]
    assert await names(store) == 0
