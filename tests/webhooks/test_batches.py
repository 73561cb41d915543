"""The end of a batch is told once, whoever finds it, and whoever dies."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook as Verifier

from quickthumb.model.batch import BatchContents, BatchItem, BatchRecord, Refusal, batch_job_id
from quickthumb.model.job import Job, Outcome, Status, new_id, now
from quickthumb.model.webhook import Delivery, EventType
from quickthumb.service.errors import BatchCutOff
from quickthumb.storage.layout import batch_contents, batch_delivered_folder, batch_end, batch_record
from quickthumb.work.handler import Snooze
from tests.conftest import picture
from tests.redis_fixtures import a_job
from tests.redis_server import RedisServer
from tests.storage.jobs import end, keep
from tests.test_processes import Site as Processes
from tests.waiting import wait_until
from tests.webhooks.conftest import SECRET, Site
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_trouble import HOUSEKEEPING_SECONDS, settings_of

REFUSED = Refusal.of(BatchCutOff("for a test"))


async def batch_of(site: Site, count: int, **facts: Any) -> tuple[BatchRecord, list[Job]]:
    """A batch that is complete, with so many jobs that wait, and one image that was refused."""
    record = BatchRecord(id=new_id(), tenant="shop", created_at=now(), most=count + 1, **facts)
    await site.storage.put(batch_record(record.id), record.model_dump_json().encode())
    items = [BatchItem(number=number) for number in range(1, count + 1)]
    contents = BatchContents(items=(*items, BatchItem(number=count + 1, refusal=REFUSED)))
    await site.storage.put(batch_contents(record.id), contents.model_dump_json().encode())
    jobs = [a_job(id=batch_job_id(record.id, item.number), tenant="shop", batch=record.id) for item in items]
    for job in jobs:
        await keep(site.storage, record=job.record(), job_id=job.id)
        await site.store.add(job)
    return record, jobs


async def concluded(site: Site, job: Job, status: Status = Status.DONE) -> Outcome:
    """The job has ended, as far as the storage knows."""
    outcome = Outcome(status=status, finished_at=now(), source=job.source)
    await end(site.storage, job.id, {}, outcome.model_dump_json().encode())
    return outcome


async def told_of(site: Site, record: BatchRecord) -> list[Delivery]:
    return await site.deliveries.of(record.id)


def another(site: Site) -> Site:
    """Another process of the same service."""
    return Site(site.client, site.storage, site.store, site.attempts, site.hook)


async def test_it_is_told_with_the_last_job_to_the_tenants_webhooks_and_to_its_own_url(site: Site) -> None:
    webhook = await site.webhook(events=[EventType.BATCH_DONE])
    await site.webhook("/other", events=[EventType.JOB_DONE])
    record, (one, two) = await batch_of(site, 2, webhook=site.hook.url("/own"), tags=("cats",), context={"order": 17})
    await site.outbox.announce(one, await concluded(site, one))
    assert await told_of(site, record) == []
    await site.outbox.announce(two, await concluded(site, two, Status.FAILED))
    deliveries = await told_of(site, record)
    assert {delivery.webhook_id for delivery in deliveries} == {webhook.id, None}
    assert {(delivery.event, delivery.job_id, delivery.batch_id) for delivery in deliveries} == {
        (EventType.BATCH_DONE, None, record.id)
    }
    # Redis does not know of the ends yet: whoever is told may ask at once.
    assert isinstance(await site.run(deliveries[0]), Snooze)
    for job in (one, two):
        await site.store.cancel(job.id, now())
    for delivery in deliveries:
        await site.run(delivery)
    (own,), (other,) = site.hook.at("/own"), site.hook.at("/hook")
    assert Verifier(SECRET).verify(own.body, own.headers)["type"] == "batch.done"
    assert (
        own.event["data"]
        == other.event["data"]
        == {
            "id": record.id,
            "url": f"/batches/{record.id}",
            "counts": {"DONE": 1, "FAILED": 1, "REFUSED": 1},
            "tags": ["cats"],
            "context": {"order": 17},
            "results": f"/batches/{record.id}/results.zip",
            "error": None,
        }
    )


async def test_two_processes_that_end_the_last_two_jobs_owe_one_event(site: Site) -> None:
    other = another(site)
    await site.webhook()
    for _ in range(10):
        record, (one, two) = await batch_of(site, 2)

        async def ended(by: Site, job: Job) -> None:
            await by.outbox.announce(job, await concluded(by, job))

        await asyncio.gather(ended(site, one), ended(other, two))
        assert len(await told_of(site, record)) == 1


async def test_what_was_found_and_not_told_is_told_by_whoever_comes_next(site: Site) -> None:
    await site.webhook()
    record, (job,) = await batch_of(site, 1)
    outcome = await concluded(site, job)
    assert await site.batches.conclude(record.id) is not None
    assert await told_of(site, record) == []
    await site.outbox.announce(job, outcome)
    (first,) = await told_of(site, record)
    await site.client.flushdb()
    assert await another(site).outbox.restore_batch(record.id) == 1
    (again,) = await told_of(site, record)
    assert again.message_id == first.message_id


async def test_what_was_delivered_is_not_told_again(site: Site) -> None:
    await site.webhook()
    record, (job,) = await batch_of(site, 1)
    await site.outbox.announce(job, await concluded(site, job))
    await site.store.cancel(job.id, now())
    (delivery,) = await told_of(site, record)
    await site.run(delivery)
    assert [blob async for blob in site.storage.list(batch_delivered_folder(record.id))]
    await site.client.flushdb()
    assert await site.outbox.restore_batch(record.id) == 0
    assert len(site.hook.received) == 1


async def test_of_a_batch_that_is_forgotten_only_the_id_is_told(site: Site) -> None:
    await site.webhook()
    record, (job,) = await batch_of(site, 1)
    await site.outbox.announce(job, await concluded(site, job))
    for key in (batch_record, batch_end, batch_contents):
        await site.storage.delete(key(record.id))
    (delivery,) = await told_of(site, record)
    await site.run(delivery)
    assert site.hook.received[0].event["data"] == {"id": record.id, "url": f"/batches/{record.id}"}
    assert not [blob async for blob in site.storage.list(batch_delivered_folder(record.id))]


async def test_a_webhook_that_was_made_just_before_the_end_is_told(site: Site) -> None:
    await site.outbox.refresh()
    await another(site).webhook()
    record, (job,) = await batch_of(site, 1)
    await site.outbox.announce(job, await concluded(site, job))
    assert await told_of(site, record) == []
    await site.outbox.refresh()
    assert len(await told_of(site, record)) == 1


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    async with RedisServer(tmp_path / "redis") as redis:
        processes = Processes(tmp_path, redis)
        try:
            yield processes
        finally:
            await processes.close()


async def test_workers_that_are_killed_at_the_end_and_a_wiped_redis_cost_no_event(
    processes: Processes, hook: Receiver
) -> None:
    """One dies when the last outcome is stored, the next one when the end of the batch is, too."""
    settings = {**settings_of(hook), "lease_seconds": 2, "housekeeping_seconds": HOUSEKEEPING_SECONDS}
    async with await processes.web(**settings) as web:
        asked = {"url": hook.url("/hook"), "events": ["batch.done"]}
        webhook = (await web.post("/webhooks", json=asked)).json()
        files = [("image", (f"{number}.jpg", picture(40, 30))) for number in range(2)]
        answer = await web.post("/batches", files=files, data={"webhook": hook.url("/own")})
        batch_id = answer.json()["id"]
        ended = processes.data / batch_end(batch_id)
        for moment, is_stored in (("before", False), ("after", True)):
            dying = await processes.start("tests.webhooks.dying", moment, **settings)
            assert await dying.exit_code() == -signal.SIGKILL
            assert ended.exists() is is_stored
        assert hook.received == []
        async with Redis.from_url(processes.redis.url) as redis:
            await redis.flushall()
        await processes.worker(**settings)
        await wait_until(lambda: {one.path for one in hook.received} == {"/hook", "/own"}, 30)
        assert len({one.headers["webhook-id"] for one in hook.received}) == 2
        for path, secret in (("/hook", webhook["secret"]), ("/own", SECRET)):
            (told,) = hook.at(path)
            event = Verifier(secret).verify(told.body, told.headers)
            assert (event["type"], event["data"]["id"]) == ("batch.done", batch_id)
            assert event["data"]["counts"] == {"DONE": 2}
        shown = (await web.get(f"/batches/{batch_id}")).json()
        assert shown["ended"]
