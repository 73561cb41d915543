"""Jobs that a wiped Redis does not have again yet are not the same as jobs that do not exist."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.model.job import Job, new_id
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.queue.watch import JobWatch
from quickthumb.service.errors import UnknownJob
from quickthumb.service.shutdown import Shutdown
from quickthumb.storage import FileStorage
from quickthumb.wiring import event_service, image_service, repairer, webhook_outbox
from tests.conftest import picture
from tests.service.test_jobs import upload

SHOP = Caller(tenant="shop")
WITH_URL = replace(SHOP, is_bearer_of_url=True)
Ask = Callable[[Redis, FileStorage, Caller, str], Awaitable[object]]


@pytest.fixture
async def job(client: Redis, storage: FileStorage) -> Job:
    outbox = webhook_outbox(Config(), client, storage)
    return await image_service(Config(), client, storage, JobWatch(client), outbox).submit(ANONYMOUS, upload(picture()))


async def find(client: Redis, storage: FileStorage, caller: Caller, job_id: str) -> Job:
    outbox = webhook_outbox(Config(), client, storage)
    return await image_service(Config(), client, storage, JobWatch(client), outbox).find(caller, job_id)


async def follow(client: Redis, storage: FileStorage, caller: Caller, job_id: str) -> None:
    outbox, watch = webhook_outbox(Config(), client, storage), JobWatch(client)
    told = event_service(Config(), client, storage, watch, Shutdown(), outbox).follow(caller, [job_id], None)
    await anext(aiter(told))


@pytest.mark.parametrize("ask", [find, follow])
@pytest.mark.parametrize("caller", [ANONYMOUS, WITH_URL], ids=["owner", "bearer of a URL"])
async def test_a_lost_job_is_unavailable(
    client: Redis, storage: FileStorage, job: Job, ask: Ask, caller: Caller
) -> None:
    await client.flushdb()
    with pytest.raises(QueueUnavailable):
        await ask(client, storage, caller, job.id)


@pytest.mark.parametrize("ask", [find, follow])
async def test_what_nobody_has_and_what_others_have_is_unknown(
    client: Redis, storage: FileStorage, job: Job, ask: Ask
) -> None:
    await client.flushdb()
    for caller, job_id in ((SHOP, job.id), (ANONYMOUS, new_id()), (ANONYMOUS, "../../x")):
        with pytest.raises(UnknownJob):
            await ask(client, storage, caller, job_id)


async def test_once_redis_is_rebuilt_the_job_is_back(client: Redis, storage: FileStorage, job: Job) -> None:
    await client.flushdb()
    await repairer(Config(), client, storage).round("worker")
    assert (await find(client, storage, ANONYMOUS, job.id)).id == job.id


async def test_what_a_complete_redis_lacks_is_gone(client: Redis, storage: FileStorage, job: Job) -> None:
    """Redis forgets a job a little before a sweep removes it."""
    await repairer(Config(), client, storage).round("worker")
    await client.delete(KEYS.record(JOB, job.id))
    with pytest.raises(UnknownJob):
        await find(client, storage, ANONYMOUS, job.id)
