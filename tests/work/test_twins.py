"""Jobs for the same image and outputs: one renders, and the others use its results."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.imaging.engine import Rendering
from quickthumb.model.errors import BrokenImage
from quickthumb.model.job import Job, Status, new_id, now
from quickthumb.model.output import Output
from quickthumb.model.source import Source
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.twins import TwinIndex
from quickthumb.storage import FileStorage
from quickthumb.work.handler import Done, Snooze, Verdict
from quickthumb.work.render import RenderHandler
from quickthumb.work.runner import Runner
from quickthumb.work.twins import MOST_LOOKS, Twins
from tests.conftest import picture
from tests.redis_fixtures import claimed
from tests.storage.jobs import bytes_of, keep
from tests.waiting import wait_until
from tests.work.test_runner import draw

IMAGE = picture()
OUTPUTS = [{"name": "thumbnail", "width": 128, "height": 128}]


class Worker:
    """Runs attempts, and counts what it renders."""

    def __init__(
        self, client: Redis, store: JobStore, attempts: Attempts, storage: FileStorage, *, by_default: bool = False
    ) -> None:
        self.rendered = 0
        self.store, self.attempts, self.storage = store, attempts, storage
        self.before_rendering = asyncio.Event()
        self.may_render = asyncio.Event()
        self.may_render.set()
        self.trouble: Exception | None = None
        twins = Twins(TwinIndex(client), storage, store.kind, by_default=by_default, keeps_label=True)
        self.handler = RenderHandler(
            store, attempts, storage, self._render, self._render, lease_seconds=5, max_attempts=3, twins=twins
        )

    async def run(self, job_id: str) -> Verdict:
        return await Runner(self.attempts, lease_seconds=5).run(self.handler, await claimed(self.attempts, job_id))

    async def job(
        self, *, image: bytes = IMAGE, outputs: object = OUTPUTS, dedupe: bool | None = True, **more: Any
    ) -> Job:
        """A new job, which waits."""
        order = {"outputs": outputs} | ({} if dedupe is None else {"dedupe": dedupe})
        source = Source(
            filename=more.pop("filename", "a.jpg"), format="jpeg", bytes=len(image), sha256=str(hash(image))
        )
        job = Job(id=new_id(), created_at=now(), source=source, order=order, **more)
        await keep(self.storage, image, job.record(), job.id)
        await self.store.add(job)
        return job

    async def ended(self, job: Job) -> Job:
        assert isinstance(await self.run(job.id), Done)
        found = await self.store.get(job.id)
        assert found is not None
        return found

    async def thumbnail(self, job: Job) -> bytes | None:
        return await bytes_of(self.storage, job.id, "thumbnail.jpg")

    async def _render(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        self.rendered += 1
        self.before_rendering.set()
        await self.may_render.wait()
        if self.trouble is not None:
            raise self.trouble
        return await draw(source, outputs, folder)


@pytest.fixture
def worker(client: Redis, store: JobStore, attempts: Attempts, storage: FileStorage) -> Worker:
    return Worker(client, store, attempts, storage)


async def test_the_results_of_an_earlier_job_are_used(worker: Worker) -> None:
    first = await worker.ended(await worker.job())
    second = await worker.ended(await worker.job(filename="b.jpg"))
    assert worker.rendered == 1
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert second.results == first.results
    assert second.source == first.source.model_copy(update={"filename": "b.jpg"})
    assert await worker.thumbnail(second) == await worker.thumbnail(first) is not None


@pytest.mark.parametrize("gone", [0, 1])
async def test_either_can_be_removed_without_the_other(worker: Worker, gone: int) -> None:
    jobs = [await worker.ended(await worker.job()) for _ in range(2)]
    data = await worker.thumbnail(jobs[0])
    await worker.storage.remove(jobs[gone].id)
    assert await worker.thumbnail(jobs[1 - gone]) == data is not None
    third = await worker.ended(await worker.job())
    assert await worker.thumbnail(third) == data


async def test_two_at_once_are_made_once(worker: Worker) -> None:
    first, second = await worker.job(), await worker.job()
    worker.may_render.clear()
    running = asyncio.create_task(worker.run(first.id))
    await worker.before_rendering.wait()
    waits = await worker.run(second.id)
    assert isinstance(waits, Snooze)
    assert waits.blameless
    worker.may_render.set()
    assert isinstance(await running, Done)
    assert (await worker.ended(second)).deduplicated
    assert worker.rendered == 1


@pytest.mark.parametrize(
    "other",
    [
        {"image": picture(300, 300)},
        {"outputs": [{"name": "thumbnail", "width": 64}]},
        {"outputs": [{**OUTPUTS[0], "metadata": "keep"}]},
        {"outputs": [{**OUTPUTS[0], "name": "other"}]},
        {"tenant": "shop"},
        {"dedupe": False},
        {"dedupe": None},
    ],
)
async def test_nothing_else_is_shared(worker: Worker, other: dict[str, Any]) -> None:
    await worker.ended(await worker.job())
    assert not (await worker.ended(await worker.job(**other))).deduplicated
    assert worker.rendered == 2


async def test_jobs_of_another_tenant_share_among_themselves(worker: Worker) -> None:
    await worker.ended(await worker.job(tenant="shop"))
    assert (await worker.ended(await worker.job(tenant="shop"))).deduplicated


async def test_the_setting_counts_for_whoever_does_not_say(
    client: Redis, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    worker = Worker(client, store, attempts, storage, by_default=True)
    await worker.ended(await worker.job(dedupe=None))
    assert (await worker.ended(await worker.job(dedupe=None))).deduplicated
    assert not (await worker.ended(await worker.job(dedupe=False))).deduplicated


async def test_a_job_that_ended_without_results_is_replaced(worker: Worker) -> None:
    worker.trouble = BrokenImage("The image is broken.")
    assert (await worker.run((await worker.job()).id)).status is Status.FAILED
    worker.trouble = None
    assert not (await worker.ended(await worker.job())).deduplicated
    assert (await worker.ended(await worker.job())).deduplicated
    assert worker.rendered == 2


async def test_a_job_whose_worker_died_keeps_others_waiting_until_it_ends(worker: Worker) -> None:
    dead, waits = await worker.job(), await worker.job()
    worker.may_render.clear()
    running = asyncio.create_task(worker.run(dead.id))
    await worker.before_rendering.wait()
    running.cancel()  # no outcome, and the lease is still there
    await asyncio.gather(running, return_exceptions=True)
    assert isinstance(await worker.run(waits.id), Snooze)
    await worker.storage.remove(dead.id)
    worker.may_render.set()
    assert not (await worker.ended(waits)).deduplicated


async def test_nobody_waits_for_ever(worker: Worker, redis: Redis) -> None:
    first, second = await worker.job(), await worker.job()
    worker.may_render.clear()
    running = asyncio.create_task(worker.run(first.id))
    await worker.before_rendering.wait()
    await redis.hset(f"quickthumb:job:{second.id}", "attempts", str(MOST_LOOKS - 1))  # type: ignore[misc]
    own = asyncio.create_task(worker.run(second.id))
    await wait_until(lambda: worker.rendered == 2, 5)
    worker.may_render.set()
    assert all(isinstance(verdict, Done) for verdict in await asyncio.gather(running, own))


async def test_a_wiped_redis_has_images_made_once_more(worker: Worker, redis: Redis) -> None:
    await worker.ended(await worker.job())
    await redis.flushdb()
    assert not (await worker.ended(await worker.job())).deduplicated
    assert (await worker.ended(await worker.job())).deduplicated
    assert worker.rendered == 2


async def test_what_redis_says_is_checked(worker: Worker, redis: Redis) -> None:
    await worker.ended(await worker.job())
    (key,) = await redis.keys("quickthumb:twin:*")
    stranger = await worker.ended(await worker.job(tenant="shop", image=picture(50, 50)))
    await redis.set(key, stranger.id, ex=60)
    assert not (await worker.ended(await worker.job())).deduplicated


async def test_the_index_expires_with_the_results(worker: Worker, redis: Redis) -> None:
    await worker.ended(await worker.job())
    (key,) = await redis.keys("quickthumb:twin:*")
    assert 0 < await redis.ttl(key) <= 3600


async def test_later_jobs_look_at_the_one_that_is_kept_longer(worker: Worker, redis: Redis) -> None:
    await worker.ended(await worker.job())
    second = await worker.ended(await worker.job())
    (key,) = await redis.keys("quickthumb:twin:*")
    assert await redis.get(key) == second.id.encode()
