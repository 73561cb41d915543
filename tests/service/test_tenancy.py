"""Tenants see only their own jobs; other tenants' jobs do not exist for them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.model.job import Job, Status
from quickthumb.model.selection import Selection
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.watch import JobWatch
from quickthumb.service.errors import UnknownJob
from quickthumb.service.jobs import ImageService
from quickthumb.storage import FileStorage
from tests.conftest import picture
from tests.redis_fixtures import a_job
from tests.service.test_jobs import service_of, upload

ADA = Caller(tenant="ada", key_id="1", address="192.0.2.1")
BOB = Caller(tenant="bob")


@pytest.fixture
async def service(client: Redis, store: JobStore, storage: FileStorage) -> AsyncIterator[ImageService]:
    watch = JobWatch(client)
    yield service_of(store, storage, watch, client)
    await watch.close()


@pytest.fixture
async def job(service: ImageService) -> Job:
    return await service.submit(ADA, upload(picture()))


async def test_a_job_belongs_to_its_caller_s_tenant(service: ImageService, storage: FileStorage, job: Job) -> None:
    assert job.tenant == "ada"
    assert await service.find(replace(ADA, key_id="2", address=None), job.id) == job
    record = (await storage.look_up(job.id)).record
    assert record is not None
    assert Job.from_record(record) == job


@pytest.mark.parametrize("other", [BOB, ANONYMOUS], ids=["bob", "anonymous"])
@pytest.mark.parametrize(
    "verb",
    [
        lambda service, caller, job_id: service.find(caller, job_id),
        lambda service, caller, job_id: service.wait(caller, job_id, 30),
        lambda service, caller, job_id: service.result(caller, job_id, "thumbnail"),
        lambda service, caller, job_id: service.original(caller, job_id),
        lambda service, caller, job_id: service.cancel(caller, job_id),
        lambda service, caller, job_id: service.retry(caller, job_id),
        lambda service, caller, job_id: service.remove(caller, job_id),
    ],
    ids=["find", "wait", "result", "original", "cancel", "retry", "remove"],
)
async def test_another_tenant_s_job_is_unknown_in_every_verb(
    service: ImageService, job: Job, other: Caller, verb: Callable[..., object]
) -> None:
    refusals = []
    for job_id in (job.id, "0" * 32):
        with pytest.raises(UnknownJob) as caught:
            await verb(service, other, job_id)  # type: ignore[misc]
        refusals.append(caught.value.detail)
    assert refusals[0] == refusals[1]
    assert await service.find(ADA, job.id) == job


async def test_a_job_that_redis_has_forgotten_is_removed_by_its_tenant_alone(
    service: ImageService, store: JobStore, storage: FileStorage, job: Job
) -> None:
    await store.remove(job.id)
    with pytest.raises(UnknownJob):
        await service.remove(BOB, job.id)
    assert (await storage.look_up(job.id)).record is not None
    await service.remove(ADA, job.id)
    assert (await storage.look_up(job.id)).record is None


async def test_pages_show_one_s_own(service: ImageService, store: JobStore) -> None:
    tenants = ["ada", "bob", "bob", "ada", "bob", "default", "bob", "ada", "bob", "bob"]
    jobs = [a_job(age_seconds=number, tenant=tenant) for number, tenant in enumerate(tenants)]
    for job in jobs:
        await store.add(job)
    for caller in (ADA, BOB, ANONYMOUS):
        own = [job.id for job in jobs if job.tenant == caller.tenant]
        for limit in (1, 2, 3, 20):
            seen: list[str] = []
            cursor = None
            while True:
                page = await service.page(caller, Selection(Status.WAITING), limit=limit, cursor=cursor)
                seen += [job.id for job in page.jobs]
                cursor = page.cursor
                if cursor is None:
                    break
                assert len(page.jobs) == limit
            assert seen == own


async def test_idempotency_keys_are_the_tenant_s_own(service: ImageService, redis: Redis) -> None:
    jobs = [
        await service.submit(caller, replace(upload(picture()), idempotency_key="one"))
        for caller in (ADA, ADA, BOB, ANONYMOUS)
    ]
    assert [jobs[0].id == other.id for other in jobs] == [True, True, False, False]
    assert [job.tenant for job in jobs] == ["ada", "ada", "bob", "default"]
    # Earlier releases, which had no tenants, put it there.
    assert jobs[3].id.encode() in await redis.get(KEYS.idempotency("one"))
