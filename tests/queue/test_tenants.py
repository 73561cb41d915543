"""The lists of single tenants: what they cost, and that they follow everything that happens to a job."""

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, WAITING_SECONDS
from quickthumb.queue.walk import Trimming
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claim, claimed, finished, put_back

TENANTS = ("ada", "bob", DEFAULT_TENANT)
JOBS_OF_EACH = 1_000
LIMIT = 20


def outcome_of(job: Job, status: Status = Status.DONE) -> Outcome:
    return Outcome(status=status, finished_at=now(), source=job.source)


async def listed(redis: Redis, tenant: str) -> dict[str | None, set[str]]:
    """The ids in each index of a tenant that has any."""
    found = {}
    for status in (None, *Status):
        entries = await redis.zrange(KEYS.index(JOB, status, tenant), 0, -1)
        if entries:
            found[status and status.value] = {entry.decode().partition(":")[2] for entry in entries}
    return found


async def commands(redis: Redis) -> int:
    """How many commands Redis has run so far, before this one."""
    stats = await redis.info("stats")
    return int(stats["total_commands_processed"])


@pytest.fixture
async def crowded(store: JobStore) -> JobStore:
    """A store in which each of TENANTS has JOBS_OF_EACH jobs, one after the other."""
    for number in range(JOBS_OF_EACH):
        for tenant in TENANTS:
            await store.add(a_job(age_seconds=JOBS_OF_EACH - number, tenant=tenant))
    return store


async def test_a_page_costs_the_same_however_many_jobs_others_have(crowded: JobStore, redis: Redis) -> None:
    await crowded.add(a_job(tenant="cat"))
    costs, ids = {}, []
    for tenant, most in (("cat", 1), ("ada", LIMIT), ("bob", LIMIT)):
        cursor = None
        for _ in range(3):
            before = await commands(redis)
            page = await crowded.page(status=Status.WAITING, limit=most, cursor=cursor, tenant=tenant)
            costs[tenant] = await commands(redis) - before - 1  # without the one that asks
            assert len(page.jobs) == most
            assert {job.tenant for job in page.jobs} == {tenant}
            cursor = page.cursor
            ids += [job.id for job in page.jobs]
            if tenant == "cat":
                break
    assert len(set(ids)) == len(ids)
    # One for the entries, and one for each job.
    assert costs == {"cat": 2, "ada": 1 + LIMIT, "bob": 1 + LIMIT}


async def test_all_of_a_tenant_s_jobs_are_listed_and_no_others(crowded: JobStore) -> None:
    seen: list[Job] = []
    cursor = None
    while True:
        page = await crowded.page(status=None, limit=100, cursor=cursor, tenant="bob")
        seen += page.jobs
        cursor = page.cursor
        if cursor is None:
            break
    assert len(seen) == JOBS_OF_EACH
    assert [job.created_at for job in seen] == sorted((job.created_at for job in seen), reverse=True)
    assert {job.tenant for job in seen} == {"bob"}


async def test_lists_follow_a_job_from_its_beginning_to_its_end(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job, other = a_job(tenant="ada"), a_job()
    await store.add(other)
    await store.add(job)
    for tenant, ids in (("ada", {job.id}), (DEFAULT_TENANT, {job.id, other.id})):
        assert await listed(redis, tenant) == {None: ids, "WAITING": ids}
    attempt = await claimed(attempts, job.id)
    assert await listed(redis, "ada") == {None: {job.id}, "IN_PROGRESS": {job.id}}
    assert await put_back(attempts, attempt)
    assert await listed(redis, "ada") == {None: {job.id}, "WAITING": {job.id}}
    attempt = await claimed(attempts, job.id)
    assert await finished(attempts, attempt, outcome_of(job, Status.FAILED))
    assert await listed(redis, "ada") == {None: {job.id}, "FAILED": {job.id}}
    assert await store.reopen(job)
    assert await listed(redis, "ada") == {None: {job.id}, "WAITING": {job.id}}
    assert await store.cancel(job.id, now(), tenant="ada")
    assert await listed(redis, "ada") == {None: {job.id}, "CANCELLED": {job.id}}
    assert (await listed(redis, DEFAULT_TENANT))[None] == {job.id, other.id}
    assert await store.remove(job.id)
    assert await listed(redis, "ada") == {}
    assert await listed(redis, DEFAULT_TENANT) == {None: {other.id}, "WAITING": {other.id}}


async def test_jobs_of_the_default_tenant_are_in_no_other_index(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = a_job()
    await store.add(job)
    assert await finished(attempts, await claimed(attempts, job.id), outcome_of(job))
    assert not [key async for key in redis.scan_iter("*:of:*")]
    assert not await redis.exists(KEYS.lists)


async def test_requeuing_mends_the_tenant_s_lists(store: JobStore, redis: Redis) -> None:
    job = a_job(tenant="ada")
    await store.add(job)
    created_ms = round(job.created_at.timestamp() * 1000)
    entry = f"{created_ms}:{job.id}"
    await redis.zrem(KEYS.queue, job.id)
    await redis.zrem(KEYS.index(JOB, Status.WAITING, "ada"), entry)
    await redis.zadd(KEYS.index(JOB, Status.IN_PROGRESS, "ada"), {entry: 0})
    await redis.expire(KEYS.index(JOB, Status.IN_PROGRESS, "ada"), 60)
    assert await store.index.requeue(job.id, created_ms)
    assert await listed(redis, "ada") == {None: {job.id}, "WAITING": {job.id}}


async def test_a_wiped_redis_gets_the_lists_back(store: JobStore, redis: Redis) -> None:
    waiting, done, default = a_job(tenant="ada"), a_job(tenant="ada"), a_job()
    restored = [(waiting, None), (done, outcome_of(done)), (default, None)]
    assert await store.restore(restored) == [True, True, True]
    both = {waiting.id, done.id}
    assert await listed(redis, "ada") == {None: both, "WAITING": {waiting.id}, "DONE": {done.id}}
    assert await store.index.lists("", most=10) == ["ada"]
    for status in (None, Status.WAITING, Status.DONE):
        assert await redis.ttl(KEYS.index(JOB, status, "ada")) > WAITING_SECONDS


async def test_each_tenant_has_numbers_of_its_own(store: JobStore, attempts: Attempts) -> None:
    jobs = [a_job(tenant="ada", age_seconds=60), a_job(tenant="ada"), a_job(tenant="bob"), a_job()]
    for job in jobs:
        await store.add(job)
    assert await finished(attempts, await claimed(attempts, jobs[1].id), outcome_of(jobs[1]))
    ada, bob, nobody = await store.tenants_tallies(["ada", "bob", "cat"])
    assert {status: count for status, count in ada.statuses.items() if count} == {Status.WAITING: 1, Status.DONE: 1}
    assert ada.totals == {"accepted": 2, "accepted_bytes": 2_000, "attempts:DONE": 1}
    assert 59 < ada.oldest_waiting_seconds < 90
    assert bob.totals == {"accepted": 1, "accepted_bytes": 1_000}
    assert (sum(nobody.statuses.values()), nobody.totals, nobody.oldest_waiting_seconds) == (0, {}, 0)
    assert (await store.tally()).statuses[Status.WAITING] == 3


@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, "ada"])
async def test_entries_of_expired_jobs_are_trimmed_and_those_of_kept_jobs_are_not(
    store: JobStore, attempts: Attempts, redis: Redis, tenant: str
) -> None:
    long_ago = WAITING_SECONDS + RETENTION_SECONDS + 60
    kept = a_job(age_seconds=long_ago, tenant=tenant, order={"outputs": [], "keep": "forever"})
    expired, young = a_job(age_seconds=long_ago, tenant=tenant), a_job(tenant=tenant)
    for job in (kept, expired, young):
        await store.add(job)
        attempt = await claim(attempts, store.kind, job.id)
        assert attempt is not None
        assert await finished(attempts, attempt, outcome_of(job))
    await redis.delete(KEYS.record(JOB, expired.id), KEYS.record(JOB, young.id))
    await Trimming(store.index).trim()
    # Whether a young one has expired is not asked.
    assert await listed(redis, tenant) == {None: {kept.id, young.id}, "DONE": {kept.id, young.id}}
    page = await store.page(status=Status.DONE, limit=5, cursor=None, tenant=tenant)
    assert [job.id for job in page.jobs] == [kept.id]


async def test_a_long_index_is_trimmed_part_by_part(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickthumb.queue.index.BATCH", 3)
    monkeypatch.setattr("quickthumb.queue.walk.MOST_AT_A_TIME", 6)
    long_ago = WAITING_SECONDS + RETENTION_SECONDS + 100
    jobs = [a_job(age_seconds=long_ago - number, tenant="ada") for number in range(10)]
    for job in jobs:
        await store.add(job)
    await redis.delete(*(KEYS.record(JOB, job.id) for job in jobs[::2]))
    trimming = Trimming(store.index)
    left = []
    for _ in range(2):
        await trimming.trim()
        left.append(await redis.zcard(KEYS.index(JOB, tenant="ada")))
    assert left == [7, 5]
    await redis.delete(*(KEYS.record(JOB, job.id) for job in jobs))
    for _ in range(2):
        await trimming.trim()
    assert await store.index.lists("", most=10) == []
    assert await listed(redis, "ada") == await listed(redis, DEFAULT_TENANT) == {}
