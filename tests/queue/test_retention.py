"""How long Redis keeps a job: as its order says, else as its tenant has it, else as the setting has it."""

import math
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import FOREVER_SECONDS, JOB, KEYS, WAITING_SECONDS
from tests.redis_fixtures import a_job, claim, finished

DAY = 86_400
TENANTS_SECONDS = {"ada": math.inf, "bob": 60.0}
# The tenant of a job, what its order says, and how long it is kept.
CASES = [
    ("default", None, 7 * DAY),
    ("cat", None, 7 * DAY),
    ("ada", None, FOREVER_SECONDS),
    ("bob", None, 60),
    ("ada", "1h", 3_600),
    ("bob", "30d", 30 * DAY),
    ("default", "forever", FOREVER_SECONDS),
    ("default", "10m", 600),
]


def order(keep: str | None) -> dict[str, object]:
    return {"outputs": [{"name": "a"}], **({"keep": keep} if keep else {})}


@pytest.fixture
def store(client: Redis) -> JobStore:
    return JobStore(client, retention_seconds=7 * DAY, tenants_seconds=TENANTS_SECONDS)


async def end(store: JobStore, attempts: Attempts, job: Job, way: str) -> None:
    """Has the job end: at the end of an attempt, by a cancellation, or in a Redis that was wiped and rebuilt."""
    if way == "wiped":
        outcome = Outcome(status=Status.DONE, finished_at=now(), source=job.source)
        assert await store.restore([(job, outcome)]) == [True]
        return
    await store.add(job)
    if way == "cancelled":
        assert await store.cancel(job.id, now(), tenant=job.tenant)
        return
    attempt = await claim(attempts, store.kind, job.id)
    assert attempt is not None
    assert await finished(attempts, attempt, Outcome(status=Status.DONE, finished_at=now(), source=job.source))


@pytest.mark.parametrize("way", ["settled", "cancelled", "wiped"])
@pytest.mark.parametrize(("tenant", "keep", "seconds"), CASES)
async def test_a_job_lives_as_long_as_it_is_kept(
    store: JobStore, attempts: Attempts, redis: Redis, tenant: str, keep: str | None, seconds: int, way: str
) -> None:
    job = a_job(tenant=tenant, order=order(keep))
    await end(store, attempts, job, way)
    assert seconds - 5 < await redis.ttl(KEYS.record(JOB, job.id)) <= seconds
    # The lists live as long as what is in them.
    status = Status.CANCELLED if way == "cancelled" else Status.DONE
    for index in {KEYS.index(JOB, place, of) for place in (None, status) for of in ("default", tenant)}:
        assert await redis.ttl(index) >= seconds + WAITING_SECONDS - 5
    found = await store.get(job.id)
    assert found is not None
    assert found.finished_at is not None
    until = None if seconds == FOREVER_SECONDS else found.finished_at + timedelta(seconds=seconds)
    assert found.expires_at == until


async def test_a_job_that_has_not_ended_does_not_say_when_it_expires(store: JobStore) -> None:
    job = a_job(order=order("1h"))
    await store.add(job)
    found = await store.get(job.id)
    assert found is not None
    assert found.expires_at is None


async def test_a_later_job_does_not_shorten_the_life_of_a_list(store: JobStore, redis: Redis) -> None:
    await store.add(a_job(order=order("forever")))
    for _ in range(2):
        await store.add(a_job())
        await store.restore([(a_job(), None)])
    for index in (KEYS.index(JOB), KEYS.index(JOB, Status.WAITING)):
        assert await redis.ttl(index) > FOREVER_SECONDS


async def test_a_job_that_was_kept_long_enough_is_not_restored(store: JobStore) -> None:
    ended_at = now() - timedelta(days=8)
    jobs = [a_job(age_seconds=9 * DAY, order=order(keep)) for keep in ("7d", "9d", "forever", None)]
    lost = [(job, Outcome(status=Status.DONE, finished_at=ended_at, source=job.source)) for job in jobs]
    assert await store.restore(lost) == [False, True, True, False]


async def test_times_that_have_changed_count_for_jobs_that_have_ended(
    client: Redis, attempts: Attempts, redis: Redis
) -> None:
    before = JobStore(client, retention_seconds=7 * DAY)
    after = JobStore(client, retention_seconds=math.inf, tenants_seconds={"bob": 60.0, "default": 30.0 * DAY})
    jobs = {
        "default": a_job(),
        "ada": a_job(tenant="ada"),
        "bob": a_job(tenant="bob"),
        "kept": a_job(tenant="bob", order=order("1h")),
    }
    for job in jobs.values():
        await end(before, attempts, job, "settled")
    waiting = a_job(tenant="ada")
    await before.add(waiting)
    batches = []

    async def between() -> None:
        batches.append(1)

    await after.index.retain(between)
    times = {"default": 30 * DAY, "ada": FOREVER_SECONDS, "bob": 60, "kept": 3_600}
    for name, job in jobs.items():
        assert times[name] - 5 < await redis.ttl(KEYS.record(JOB, job.id)) <= times[name]
    assert await redis.ttl(KEYS.record(JOB, waiting.id)) <= WAITING_SECONDS
    for index in (KEYS.index(JOB), KEYS.index(JOB, Status.DONE, "ada"), KEYS.index(JOB, tenant="ada")):
        assert await redis.ttl(index) > FOREVER_SECONDS
    assert batches == []


async def test_a_great_many_ended_jobs_are_gone_through_in_batches(
    client: Redis, store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickthumb.queue.index.BATCH", 2)
    jobs = [a_job() for _ in range(5)]
    await store.restore([(job, Outcome(status=Status.DONE, finished_at=now(), source=job.source)) for job in jobs])
    batches = []

    async def between() -> None:
        batches.append(1)

    await JobStore(client, retention_seconds=60 * DAY).index.retain(between)
    assert len(batches) == 2
    for job in jobs:
        assert await redis.ttl(KEYS.record(JOB, job.id)) > 59 * DAY
