"""A job's whole life on a storage without files: nothing in the service may need the path of a stored blob."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from redis.asyncio import Redis

from quickthumb.imaging import engine
from quickthumb.imaging.engine import Rendering
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.errors import SourceMissing
from quickthumb.model.job import Job, Status
from quickthumb.model.output import Output
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.repair import RepairLead
from quickthumb.queue.watch import JobWatch
from quickthumb.service.errors import UnknownResult
from quickthumb.service.jobs import ImageService
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import Kept, RetentionAges
from quickthumb.work.handler import Snooze, Verdict
from quickthumb.work.render import RenderHandler
from quickthumb.work.runner import Runner
from tests.conftest import picture
from tests.redis_fixtures import claim
from tests.service.test_jobs import LIMITS, read, service_of, upload
from tests.storage.memory import MemoryStorage

AGES = RetentionAges(ended_seconds=3_600, source_seconds=60, unended_seconds=86_400, unfinished_seconds=600)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def service(client: Redis, store: JobStore, storage: MemoryStorage) -> AsyncIterator[ImageService]:
    watch = JobWatch(client)
    yield service_of(store, storage, watch, client)
    await watch.close()


class Worker:
    """A runner with the handler of jobs, which renders real pictures."""

    def __init__(self, store: JobStore, attempts: Attempts, storage: MemoryStorage) -> None:
        self._attempts = attempts
        self._runner = Runner(attempts, lease_seconds=5.0)
        self._handler = RenderHandler(store, attempts, storage, render, render, lease_seconds=5.0, max_attempts=3)

    async def run(self, job_id: str) -> Verdict | None:
        """Claims the job, if it can be claimed, and runs the attempt."""
        attempt = await claim(self._attempts, self._handler.kind, job_id)
        return None if attempt is None else await self._runner.run(self._handler, attempt)


@pytest.fixture
def runner(store: JobStore, attempts: Attempts, storage: MemoryStorage) -> Worker:
    return Worker(store, attempts, storage)


@pytest.fixture
def repairer(client: Redis, store: JobStore, storage: MemoryStorage) -> Repairer:
    return Repairer(RepairLead(client), [JobLedger(store, storage, AGES)], sweep_interval_seconds=0)


async def render(source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
    return await asyncio.to_thread(engine.render, source, outputs, folder, LIMITS)


async def done(service: ImageService, runner: Worker, image: bytes) -> Job:
    job = await service.submit(ANONYMOUS, upload(image))
    await runner.run(job.id)
    job = await service.find(ANONYMOUS, job.id)
    assert job.status is Status.DONE, job.error
    return job


async def test_an_image_is_accepted_rendered_and_downloaded(
    service: ImageService, runner: Worker, storage: MemoryStorage
) -> None:
    image = picture(400, 300)
    job = await done(service, runner, image)
    _, download = await service.original(ANONYMOUS, job.id)
    assert (await read(download), await read(download, 10, 20)) == (image, image[10:20])
    _, result, download = await service.result(ANONYMOUS, job.id, "thumbnail")
    data = await read(download)
    assert len(data) == result.bytes == download.blob.length
    with Image.open(BytesIO(data)) as made:
        assert made.size == (128, 96)
    await service.remove(ANONYMOUS, job.id)
    with pytest.raises(UnknownResult):
        await read(download)
    assert not storage.entries


async def test_a_header_far_behind_the_beginning_is_found(service: ImageService, runner: Worker) -> None:
    image = picture(400, 300)
    segment = b"\xff\xe9\xff\xff" + bytes(65_533)
    job = await done(service, runner, image[:2] + segment * 20 + image[2:])
    assert (job.source.width, job.source.height) == (400, 300)


async def test_a_cancelled_job_has_no_results(service: ImageService, runner: Worker, storage: MemoryStorage) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    assert (await service.cancel(ANONYMOUS, job.id)).status is Status.CANCELLED
    await runner.run(job.id)
    with pytest.raises(UnknownResult):
        await service.result(ANONYMOUS, job.id, "thumbnail")
    assert (await storage.look_up(job.id)).outcome is not None
    assert not storage.making


async def test_a_redis_that_lost_everything_is_repaired(
    service: ImageService, runner: Worker, repairer: Repairer, redis: Redis
) -> None:
    ended = await done(service, runner, picture())
    waiting = await service.submit(ANONYMOUS, upload(picture(300, 300)))
    await redis.flushall()
    await repairer.round("a worker")
    assert (await service.find(ANONYMOUS, ended.id)).results == ended.results
    assert (await service.find(ANONYMOUS, waiting.id)).status is Status.WAITING
    await runner.run(waiting.id)
    _, result, download = await service.result(ANONYMOUS, waiting.id, "thumbnail")
    assert len(await read(download)) == result.bytes


async def test_what_was_kept_long_enough_goes(
    service: ImageService, runner: Worker, repairer: Repairer, storage: MemoryStorage
) -> None:
    job = await done(service, runner, picture())
    storage.grow_older(100)
    await repairer.sweep()
    with pytest.raises(SourceMissing):
        await service.original(ANONYMOUS, job.id)
    await service.result(ANONYMOUS, job.id, "thumbnail")
    storage.grow_older(4_000)
    await repairer.sweep()
    assert not storage.entries


async def test_a_source_that_vanishes_before_it_is_opened_is_missed_the_next_time(
    client: Redis, store: JobStore, attempts: Attempts
) -> None:
    class Vanishing(MemoryStorage):
        async def look_up(self, job_id: str) -> Kept:
            kept = await super().look_up(job_id)
            await self.remove_source(job_id)
            return kept

    storage, watch = Vanishing(), JobWatch(client)
    service = service_of(store, storage, watch, client)
    runner = Worker(store, attempts, storage)
    job = await service.submit(ANONYMOUS, upload(picture()))
    assert isinstance(await runner.run(job.id), Snooze)
    await runner.run(job.id)
    failed = await service.find(ANONYMOUS, job.id)
    assert failed.error is not None
    assert failed.error.code == "source_missing"
    await watch.close()
