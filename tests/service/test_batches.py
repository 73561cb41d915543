"""Batches through trouble: processes that die, a Redis that forgets, clients that stall, and the passing of time."""

import asyncio
import dataclasses
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.config import BatchLimits, Config, IntakeLimits
from quickthumb.intake.errors import UploadTimedOut
from quickthumb.model.allowance import Bounds, Quotas
from quickthumb.model.batch import BatchContents, BatchItem, BatchRecord, batch_job_id
from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.model.job import Job, Outcome, Status, new_id, now
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.queue.watch import JobWatch
from quickthumb.service.batch_records import BatchRecords
from quickthumb.service.batches import Batches, BatchRequest
from quickthumb.service.errors import UnknownBatch
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.told import Alive, BatchEnded, Ended, Opened, Snapshot, Told
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import batch_contents, batch_delivered_key, batch_record
from quickthumb.wiring import batch_records, batches, event_service, image_service, limiter_of, repairer, webhook_outbox
from quickthumb.work.outbox import WebhookOutbox
from tests.conftest import picture
from tests.redis_fixtures import a_job
from tests.waiting import wait_until

HEAD = b'--x\r\nContent-Disposition: form-data; name="image"; filename="%d.jpg"\r\n\r\n%b\r\n'
END = b"--x--\r\n"
FORM = "multipart/form-data; boundary=x"
DAY_SECONDS = 86_400

Make = Callable[..., Batches]


@pytest.fixture
def make(client: Redis, storage: FileStorage) -> Make:
    """The verbs, with settings of the test's own."""

    def make(config: Config | None = None) -> Batches:
        config = config or Config()
        outbox, limiter = webhook_outbox(config, client, storage), limiter_of(config, client)
        service = image_service(config, client, storage, JobWatch(client), outbox, limiter=limiter)
        return batches(config, client, storage, service, outbox)

    return make


@pytest.fixture
def outbox(client: Redis, storage: FileStorage) -> WebhookOutbox:
    return webhook_outbox(Config(), client, storage)


@pytest.fixture
def records(client: Redis, storage: FileStorage, outbox: WebhookOutbox) -> BatchRecords:
    return batch_records(Config(), client, storage, outbox)


def images(*files: bytes) -> list[bytes]:
    return [HEAD % (number, data) for number, data in enumerate(files, 1)]


async def body(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def asked(*files: bytes, key: str | None = None) -> BatchRequest:
    return BatchRequest(body(*images(*files), END), FORM, None, (), key)


async def begun(storage: FileStorage, client: Redis, *numbers: int, age_seconds: float = 0) -> BatchRecord:
    """A batch whose web process has died, with jobs of these numbers."""
    record = BatchRecord(id=new_id(), created_at=now() - timedelta(seconds=age_seconds), most=5)
    await storage.put(batch_record(record.id), record.model_dump_json().encode())
    modified = time.time() - age_seconds
    os.utime(Path(storage.place) / batch_record(record.id), (modified, modified))
    store = JobStore(client, retention_seconds=DAY_SECONDS)
    for number in numbers:
        await accept(store, storage, record, number)
    return record


async def accept(store: JobStore, storage: FileStorage, record: BatchRecord, number: int) -> Job:
    job = a_job(id=batch_job_id(record.id, number), batch=record.id)
    async with storage.receive(job.id) as arrival:
        await arrival.write(picture(20, 20))
        await arrival.keep(job.record())
    await store.add(job)
    return job


async def end(store: JobStore, storage: FileStorage, job: Job, status: Status = Status.CANCELLED) -> None:
    outcome = Outcome(status=status, finished_at=now(), source=job.source)
    async with storage.workspace(job.id, new_id()) as folder:
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode())
    await store.cancel(job.id, outcome.finished_at)


async def test_jobs_know_their_batch_also_after_redis_was_wiped(
    make: Make, client: Redis, storage: FileStorage
) -> None:
    verbs = make()
    batch = await verbs.submit(ANONYMOUS, asked(picture(), b"this is a text, no image", picture()))
    assert [item.refusal is None for item in batch.items] == [True, False, True]
    await client.flushdb()
    for verb in (verbs.find, verbs.results):
        with pytest.raises(QueueUnavailable):  # and not that they were removed, and the batch has ended
            await verb(ANONYMOUS, batch.record.id)
    await repairer(Config(), client, storage).round("worker")
    found = await verbs.find(ANONYMOUS, batch.record.id)
    assert found.counts == {"WAITING": 2, "REFUSED": 1}
    assert {job.batch for job in found.jobs.values()} == {batch.record.id}
    assert found.items == batch.items


async def test_a_batch_whose_process_died_has_the_jobs_so_far(
    make: Make, records: BatchRecords, client: Redis, storage: FileStorage
) -> None:
    record = await begun(storage, client, 1, 3)
    found = await make().find(ANONYMOUS, record.id)
    assert [item.number for item in found.items] == [1, 3]
    assert not found.is_complete
    await records.sweep()
    assert not (await make().find(ANONYMOUS, record.id)).is_complete
    old = await begun(storage, client, 1, 3, age_seconds=4000)
    for _ in range(2):
        found = await make().find(ANONYMOUS, old.id)
        assert found.is_complete
        assert found.error is not None
        assert found.error.code == "batch_cut_off"
        await records.sweep()
    await client.flushdb()
    for job_id in (batch_job_id(old.id, 1), batch_job_id(old.id, 3)):
        await storage.remove(job_id)
    # The contents are in the storage now, whatever Redis knows.
    assert (await make().find(ANONYMOUS, old.id)).counts == {"REMOVED": 2}


async def test_a_sweep_completes_no_batch_without_jobs_that_redis_has_lost(
    make: Make, records: BatchRecords, client: Redis, storage: FileStorage
) -> None:
    record = await begun(storage, client, 1, 3, age_seconds=4000)
    await client.flushdb()
    with pytest.raises(QueueUnavailable):
        await records.sweep()
    await repairer(Config(), client, storage).round("worker")
    await records.sweep()
    assert (await make().find(ANONYMOUS, record.id)).counts == {"WAITING": 2}


async def test_once_redis_is_rebuilt_what_it_lacks_is_gone(make: Make, client: Redis, storage: FileStorage) -> None:
    """Redis forgets a job a little before a sweep removes it."""
    batch = await make().submit(ANONYMOUS, asked(picture()))
    await repairer(Config(), client, storage).round("worker")
    await client.delete(KEYS.record(JOB, batch.jobs[1].id))
    assert (await make().find(ANONYMOUS, batch.record.id)).counts == {"REMOVED": 1}


async def test_it_has_ended_once_all_jobs_have(
    make: Make, outbox: WebhookOutbox, client: Redis, storage: FileStorage
) -> None:
    batch = await make().submit(ANONYMOUS, asked(picture(), picture(), b"this is a text, no image"))
    store, ends = JobStore(client, retention_seconds=DAY_SECONDS), outbox.batches
    assert await ends.conclude(batch.record.id) is None
    await end(store, storage, batch.jobs[1])
    assert await ends.conclude(batch.record.id) is None
    await end(store, storage, batch.jobs[2])
    concluded = await ends.conclude(batch.record.id)
    assert concluded is not None
    assert concluded[0] == batch.record
    assert concluded[1].counts == {"CANCELLED": 2, "REFUSED": 1}
    # Whatever becomes of its jobs, and whatever Redis knows, the end stands.
    await storage.remove(batch.jobs[1].id)
    await client.flushdb()
    assert await ends.conclude(batch.record.id) == concluded
    assert await ends.conclude(new_id()) is None
    assert await ends.conclude("../../x") is None
    # More images may come to a batch that nobody has completed.
    assert await ends.conclude((await begun(storage, client)).id) is None


async def test_a_redis_that_was_wiped_ends_no_batch(
    make: Make, outbox: WebhookOutbox, client: Redis, storage: FileStorage
) -> None:
    batch = await make().submit(ANONYMOUS, asked(picture(), picture()))
    await end(JobStore(client, retention_seconds=DAY_SECONDS), storage, batch.jobs[1])
    await client.flushdb()
    assert await outbox.batches.conclude(batch.record.id) is None


async def test_removing_the_last_job_ends_the_batch(
    make: Make, outbox: WebhookOutbox, client: Redis, storage: FileStorage
) -> None:
    batch = await make().submit(ANONYMOUS, asked(picture()))
    service = image_service(Config(), client, storage, JobWatch(client), outbox)
    await service.remove(ANONYMOUS, batch.jobs[1].id)
    found = await outbox.batches.known(batch.record.id)
    assert found is not None
    assert found.counts == {"REMOVED": 1}


async def test_a_sweep_finds_ends_that_nobody_has_told_of(
    make: Make, records: BatchRecords, outbox: WebhookOutbox, client: Redis, storage: FileStorage
) -> None:
    """The process died that removed the last job, or that completed a batch whose jobs had ended."""
    batch = await make().submit(ANONYMOUS, asked(picture()))
    await storage.remove(batch.jobs[1].id)
    await JobStore(client, retention_seconds=DAY_SECONDS).remove(batch.jobs[1].id)
    old = await begun(storage, client, 1, age_seconds=4000)
    await storage.remove(batch_job_id(old.id, 1))
    await records.sweep()
    for record in (batch.record, old):
        assert await outbox.batches.known(record.id) is not None


async def test_what_a_dead_process_left_of_a_forgotten_batch_is_removed(
    records: BatchRecords, make: Make, storage: FileStorage
) -> None:
    batch = await make().submit(ANONYMOUS, asked(picture()))
    await storage.put(batch_delivered_key(batch.record.id, new_id()), b"{}")
    await storage.delete(batch_record(batch.record.id))
    await records.sweep()
    assert not [path for path in (Path(storage.place) / "batches").rglob("*") if path.is_file()]


async def test_a_batch_that_cannot_be_read_keeps_no_other_from_its_turn(
    records: BatchRecords, make: Make, outbox: WebhookOutbox, client: Redis, storage: FileStorage
) -> None:
    await storage.put(batch_record("0" * 32), b"no JSON")
    await storage.put(batch_contents("0" * 32), b"no JSON")
    old = await begun(storage, client, age_seconds=4000)
    await records.sweep()
    await records.restore()
    assert await outbox.batches.known(old.id) is not None


async def test_it_is_forgotten_with_its_jobs(
    records: BatchRecords, make: Make, client: Redis, storage: FileStorage
) -> None:
    record = await begun(storage, client, 2, age_seconds=30 * DAY_SECONDS)
    await records.sweep()
    assert (await make().find(ANONYMOUS, record.id)).counts == {"WAITING": 1}
    await storage.remove(batch_job_id(record.id, 2))
    await records.sweep()
    with pytest.raises(UnknownBatch):
        await make().find(ANONYMOUS, record.id)
    assert not [path for path in (Path(storage.place) / "batches").rglob("*") if path.is_file()]


async def test_another_tenants_batch_does_not_exist(make: Make) -> None:
    verbs = make()
    batch = await verbs.submit(Caller(tenant="shop"), asked(picture()))
    assert (await verbs.find(Caller(tenant="shop"), batch.record.id)).items == batch.items
    for verb in (verbs.find, verbs.results):
        with pytest.raises(UnknownBatch):
            await verb(ANONYMOUS, batch.record.id)


async def test_keys_of_two_tenants_never_meet(make: Make) -> None:
    verbs = make()
    ids = {
        (await verbs.submit(Caller(tenant=tenant), asked(picture(), key="same"))).record.id
        for tenant in ("shop", "other", "shop")
    }
    assert len(ids) == 2


async def test_the_key_counts_from_the_first_job_on(make: Make, client: Redis) -> None:
    verbs, arrived = make(), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        for piece in images(picture(), b"this is a text, no image"):
            yield piece
        arrived.set()
        await asyncio.Event().wait()

    request = BatchRequest(stalling(), FORM, None, (), "one")
    uploading = asyncio.create_task(verbs.submit(ANONYMOUS, request))
    await arrived.wait()
    meanwhile = await verbs.submit(ANONYMOUS, asked(picture(), key="one"))
    assert not meanwhile.is_complete
    assert len(meanwhile.jobs) == 1
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    again = await verbs.submit(ANONYMOUS, asked(picture(), key="one"))
    assert again.record == meanwhile.record
    assert again.is_complete
    assert again.error is not None
    assert await client.zcard(KEYS.queue) == 1


async def test_bounds_and_quotas_hold_for_each_image(make: Make) -> None:
    bounded = Caller(bounds=Bounds(max_pixels=10_000))
    batch = await make().submit(bounded, asked(picture(50, 50), picture(400, 300)))
    assert [item.refusal.code if item.refusal else None for item in batch.items] == [None, "too_many_pixels"]
    limited = Caller(tenant="shop", key_id="a", quotas=Quotas(uploads_per_hour=2))
    batch = await make().submit(limited, asked(*[picture(20, 20)] * 4))
    told = [item.refusal.code if item.refusal else None for item in batch.items]
    assert told == [None, None, "quota_exceeded", "quota_exceeded"]


@pytest.mark.parametrize("place", ["in the second image", "in the first image", "before any"])
async def test_a_client_that_stalls_ends_the_batch(make: Make, storage: FileStorage, place: str) -> None:
    whole = images(picture(), picture())
    came = {"in the second image": [whole[0], whole[1][:300]], "in the first image": [whole[0][:300]]}
    come = came.get(place, [b"--x\r\n"])

    async def stalling() -> AsyncIterator[bytes]:
        for piece in come:
            yield piece
        await asyncio.Event().wait()

    verbs = make(Config(intake=IntakeLimits(idle_seconds=0.2)))
    request = BatchRequest(stalling(), FORM, None, ())
    if place != "in the second image":
        with pytest.raises(UploadTimedOut):
            await verbs.submit(ANONYMOUS, request)
        assert not list((Path(storage.place) / "batches").rglob("*.json"))
        return
    batch = await verbs.submit(ANONYMOUS, request)
    assert batch.error is not None
    assert batch.error.code == "upload_timed_out"
    assert len(batch.jobs) == 1
    assert batch.is_complete


async def test_a_batch_that_takes_too_long_ends(make: Make) -> None:
    async def slow() -> AsyncIterator[bytes]:
        while True:
            for piece in images(picture(20, 20)):
                yield piece
            await asyncio.sleep(0.05)

    limits = dataclasses.replace(BatchLimits(), max_seconds=0.5)
    batch = await make(Config(batches=limits)).submit(ANONYMOUS, BatchRequest(slow(), FORM, None, ()))
    assert batch.error is not None
    assert batch.error.code == "upload_timed_out"
    assert batch.jobs


async def test_a_batch_that_is_still_arriving_can_be_followed(
    client: Redis, outbox: WebhookOutbox, storage: FileStorage
) -> None:
    """Its end is told once nothing more can come, and after jobs that came later."""
    record, watch = await begun(storage, client, 1), JobWatch(client)
    store = JobStore(client, retention_seconds=DAY_SECONDS)
    service = image_service(Config(), client, storage, watch, outbox)
    follower = event_service(Config(), client, storage, watch, Shutdown(), outbox)
    told: list[Told] = []

    async def follow() -> None:
        async for news in follower.follow_batch(ANONYMOUS, record.id, None):
            told.extend(news)

    def ends() -> list[str]:
        return [one.job.id for one in told if isinstance(one, Ended)]

    first, second = (batch_job_id(record.id, number) for number in (1, 2))
    following = asyncio.create_task(follow())
    await wait_until(lambda: any(isinstance(one, Snapshot) for one in told))
    await service.cancel(ANONYMOUS, first)
    await wait_until(lambda: ends() == [first] and isinstance(told[-1], Alive))
    await accept(store, storage, record, 2)
    await service.cancel(ANONYMOUS, second)
    await wait_until(lambda: ends() == [first, second])
    items = (BatchItem(number=1), BatchItem(number=2))
    await storage.put(batch_contents(record.id), BatchContents(items=items).model_dump_json().encode())
    await outbox.announce_batch(record.id)
    await following
    assert isinstance(told[-1], BatchEnded)
    assert told[-1].end.counts == {"CANCELLED": 2}
    assert sum(isinstance(one, Opened) for one in told) == 2
    await watch.close()
