"""The FAILED jobs that are kept, by error: how many, and an example that the operator can look at."""

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Job, Outcome, Status, now
from quickthumb.queue import failures
from quickthumb.queue.failures import FailedJobs, Kept
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from tests.redis_fixtures import a_job


async def failed(store: JobStore, code: str, *, age_seconds: float, tenant: str = DEFAULT_TENANT) -> Job:
    """A job that has FAILED."""
    job = a_job(age_seconds=age_seconds, tenant=tenant)
    error = Failure(code=code, title="It failed", detail="It failed.")
    outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=error)
    await store.restore([(job, outcome)])
    return job


@pytest.mark.parametrize("batch", [1, 2, 200])
async def test_failures_are_counted_by_error_with_the_newest_as_an_example(
    client: Redis, store: JobStore, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(failures, "BATCH", batch)
    await failed(store, "gave_up", age_seconds=30)
    broken = await failed(store, "broken_image", age_seconds=20)
    newest = await failed(store, "gave_up", age_seconds=10)
    found = await FailedJobs(client).newest(200)
    assert (found.kept, found.counted) == (3, 3)
    assert found.by_code == {
        "gave_up": Kept(2, newest.id, "default"),
        "broken_image": Kept(1, broken.id, "default"),
    }


@pytest.mark.parametrize("batch", [1, 200])
async def test_the_example_is_one_of_the_operator_s_own_jobs_if_there_is_one(
    client: Redis, store: JobStore, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(failures, "BATCH", batch)
    await failed(store, "gave_up", age_seconds=30)
    await failed(store, "gave_up", age_seconds=20)
    own = await failed(store, "gave_up", age_seconds=15)
    await failed(store, "gave_up", age_seconds=10, tenant="shop")
    theirs = await failed(store, "broken_image", age_seconds=5, tenant="shop")
    found = (await FailedJobs(client).newest(200)).by_code
    assert found == {"gave_up": Kept(4, own.id, "default"), "broken_image": Kept(1, theirs.id, "shop")}


async def test_only_so_many_are_looked_at_and_those_that_have_expired_do_not_count(
    client: Redis, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "BATCH", 2)
    jobs = [await failed(store, "gave_up", age_seconds=age_seconds) for age_seconds in range(5)]
    await client.delete(KEYS.record(JOB, jobs[1].id))
    found = await FailedJobs(client).newest(4)
    assert (found.kept, found.counted, found.by_code["gave_up"]) == (5, 3, Kept(3, jobs[0].id, "default"))


async def test_without_failures_there_is_nothing(client: Redis) -> None:
    found = await FailedJobs(client).newest(200)
    assert (found.kept, found.counted, found.by_code) == (0, 0, {})
