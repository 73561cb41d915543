"""What a job remembers of its attempts."""

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Job, PastAttempt, Status, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS, MOST_PAST
from quickthumb.queue.past import HISTORY, past_in
from tests.queue.test_jobs import ending
from tests.redis_fixtures import a_job, claimed, finished

WORKER = "images-1:4711:9d2c7e1b"


@pytest.fixture
def attempts(client: Redis) -> Attempts:
    return Attempts(client, worker=WORKER)


@pytest.fixture
async def job(store: JobStore) -> Job:
    job = a_job()
    await store.add(job)
    return job


async def history(store: JobStore, job: Job) -> tuple[PastAttempt, ...]:
    found = await store.get(job.id)
    assert found is not None
    return found.history


async def test_a_job_remembers_each_attempt(store: JobStore, attempts: Attempts, job: Job) -> None:
    assert await history(store, job) == ()
    first = await claimed(attempts, job.id)
    assert await attempts.settle(first, Status.WAITING, busy_seconds=0.25, error_code="disk_full")
    second = await claimed(attempts, job.id)
    assert await finished(attempts, second, ending(job), busy_seconds=0.045)
    began = [int(attempt.fields[b"started_ms"]) for attempt in (first, second)]
    assert await history(store, job) == (
        PastAttempt(1, WORKER, began[0], 250, Status.WAITING, "disk_full"),
        PastAttempt(2, WORKER, began[1], 45, Status.DONE, None),
    )


async def test_an_attempt_whose_worker_died_is_remembered_at_once(
    store: JobStore, attempts: Attempts, job: Job
) -> None:
    dead = await claimed(attempts, job.id)
    lost = PastAttempt(1, None, int(dead.fields[b"started_ms"]), None, None, None)
    heir = await claimed(attempts, job.id)
    assert await history(store, job) == (lost,)
    await finished(attempts, heir, ending(job))
    assert [past.number for past in await history(store, job)] == [1, 2]
    assert (await history(store, job))[0] == lost


async def test_a_cancelled_attempt_is_remembered(store: JobStore, attempts: Attempts, job: Job) -> None:
    attempt = await claimed(attempts, job.id)
    await store.cancel(job.id, now())
    (past,) = await history(store, job)
    assert past.busy_ms is not None
    started_ms = int(attempt.fields[b"started_ms"])
    assert past == PastAttempt(1, None, started_ms, past.busy_ms, Status.CANCELLED, None)
    assert 0 <= past.busy_ms < 10_000


async def test_a_job_that_never_began_has_no_history(store: JobStore, job: Job) -> None:
    await store.cancel(job.id, now())
    assert await history(store, job) == ()


async def test_a_job_remembers_its_latest_attempts(store: JobStore, attempts: Attempts, job: Job) -> None:
    for number in range(MOST_PAST + 2):
        attempt = await claimed(attempts, job.id)
        if number % 2:
            await attempts.settle(attempt, Status.WAITING, busy_seconds=0)
    assert [past.number for past in await history(store, job)] == list(range(3, MOST_PAST + 3))
    await claimed(attempts, job.id)
    await claimed(attempts, job.id)
    assert [past.number for past in await history(store, job)] == list(range(4, MOST_PAST + 4))


async def test_a_history_that_cannot_be_read_keeps_nobody_from_the_job(
    attempts: Attempts, job: Job, redis: Redis
) -> None:
    await claimed(attempts, job.id)
    await redis.hset(KEYS.record(JOB, job.id), HISTORY, "[")  # type: ignore[misc]
    heir = await claimed(attempts, job.id)
    assert [past.number for past in past_in(heir.fields)] == [1]


def test_a_later_release_may_know_more_of_an_attempt() -> None:
    fields = {HISTORY.encode(): b'[[1,"a:1",5,6,"DONE",null,"more"]]'}
    assert past_in(fields) == (PastAttempt(1, "a:1", 5, 6, Status.DONE, None),)
