"""Rebuilding Redis from the disk, putting back what the queue lost, and removing what was kept long enough."""

import os
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.model.ids import new_id, now
from quickthumb.model.job import Failure, Job, Outcome, Result, Status
from quickthumb.queue import keys
from quickthumb.queue.store import Attempt, JobStore
from quickthumb.queue.upkeep import JobUpkeep
from quickthumb.service.repair import Housekeeper
from quickthumb.storage import FileStorage, RetentionAges
from tests.redis_fixtures import RETENTION_SECONDS, a_job, token

AGES = RetentionAges(ended_seconds=3_600, source_seconds=60, unended_seconds=86_400, unfinished_seconds=600)


@pytest.fixture
def upkeep(client: Redis) -> JobUpkeep:
    return JobUpkeep(client, retention_seconds=RETENTION_SECONDS)


@pytest.fixture
def keeper(store: JobStore, upkeep: JobUpkeep, storage: FileStorage) -> Housekeeper:
    return Housekeeper(store, upkeep, storage, AGES, sweep_interval_seconds=0)


async def on_disk(storage: FileStorage, job: Job) -> Job:
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    return job


async def concluded(storage: FileStorage, job: Job, status: Status = Status.DONE) -> Outcome:
    result = Result(name="thumbnail", filename="thumbnail.jpg", format="jpeg", width=128, height=96, bytes=6)
    failure = Failure(code="broken_image", title="…", detail="…") if status is Status.FAILED else None
    outcome = Outcome(status=status, finished_at=now(), source=job.source, results=(result,), error=failure)
    async with storage.workspace(job.id, token()) as folder:
        (folder / "thumbnail.jpg").write_bytes(b"result")
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode())
    return outcome


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


async def test_an_emptied_redis_is_rebuilt_once(
    keeper: Housekeeper, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    waiting, done = await on_disk(storage, a_job()), await on_disk(storage, a_job())
    outcome = await concluded(storage, done)
    await keeper.tend("a worker")

    queued = await store.get(waiting.id)
    assert queued == waiting
    assert await redis.zscore(keys.QUEUE, waiting.id) is not None
    restored = await store.get(done.id)
    assert restored is not None
    assert (restored.status, restored.results, restored.finished_at) == (
        Status.DONE,
        outcome.results,
        outcome.finished_at,
    )
    assert await redis.zscore(keys.QUEUE, done.id) is None
    page = await store.page(status=None, limit=10, cursor=None)
    assert {job.id for job in page.jobs} == {waiting.id, done.id}

    # The second round has nothing to go through: Redis is the same run, and was not emptied.
    await redis.delete(keys.job(waiting.id))
    await keeper.tend("a worker")
    assert await store.get(waiting.id) is None
    await redis.flushall()
    await keeper.tend("a worker")
    assert await store.get(waiting.id) is not None


async def test_only_one_worker_keeps_house(keeper: Housekeeper, store: JobStore, storage: FileStorage) -> None:
    await keeper.tend("the first")
    waiting = await on_disk(storage, a_job())
    assert not await keeper._upkeep.keeps_house("the second")
    assert await keeper._upkeep.keeps_house("the first")
    assert await store.get(waiting.id) is None


async def test_what_is_known_is_left_alone(keeper: Housekeeper, store: JobStore, storage: FileStorage) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    attempt = await store.begin(job.id, token(), lease_seconds=5)
    rebuilt = await keeper.rebuild()
    assert (rebuilt.looked_at, rebuilt.queued, rebuilt.restored) == (1, 0, 0)
    assert isinstance(attempt, Attempt)
    assert await store.renew(attempt, lease_seconds=5)


async def test_a_failed_job_whose_outcome_is_gone_is_tried_again(
    keeper: Housekeeper, store: JobStore, storage: FileStorage
) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    attempt = await store.begin(job.id, token(), lease_seconds=5)
    assert isinstance(attempt, Attempt)
    await store.finish(attempt, await concluded(storage, job, Status.FAILED), busy_seconds=0)
    assert (await keeper.rebuild()).queued == 0
    await storage.reopen(job.id)
    assert (await keeper.rebuild()).queued == 1
    reopened = await store.get(job.id)
    assert reopened is not None
    assert (reopened.status, reopened.error, reopened.finished_at) == (Status.WAITING, None, None)


@pytest.mark.parametrize("lost", ["the entry", "the call", "both"])
@pytest.mark.parametrize("running", [False, True])
async def test_what_arq_dropped_is_queued_again(
    keeper: Housekeeper, store: JobStore, storage: FileStorage, redis: Redis, lost: str, running: bool
) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    if running:
        await store.begin(job.id, token(), lease_seconds=5)
    if lost != "the call":
        await redis.zrem(keys.QUEUE, job.id)
    if lost != "the entry":
        await redis.delete(keys.call(job.id))
    assert await keeper.reconcile() == 1
    assert await redis.zscore(keys.QUEUE, job.id) is not None
    assert await redis.exists(keys.call(job.id))
    assert await keeper.reconcile() == 0


async def test_a_job_without_a_record_is_forgotten(keeper: Housekeeper, store: JobStore, redis: Redis) -> None:
    job = a_job()
    await store.add(job)
    await redis.zrem(keys.QUEUE, job.id)
    assert await keeper.reconcile() == 0
    assert await store.get(job.id) is None


async def test_what_was_kept_long_enough_is_removed_and_nothing_else(
    keeper: Housekeeper, store: JobStore, storage: FileStorage, folder: Path
) -> None:
    old, recent, fresh, waiting, forgotten = [await on_disk(storage, a_job()) for _ in range(5)]
    for job, age in ((old, 4_000), (recent, 100), (fresh, 1)):
        await concluded(storage, job)
        aged(folder / "processed" / job.id[:3] / job.id / "outcome.json", age)
    aged(folder / "uploads" / forgotten.id[:3] / forgotten.id / "job.json", 90_000)
    await store.add(old)
    abandoned, arriving = folder / "processed" / ".making" / new_id(), folder / "uploads" / ".arriving" / new_id()
    mine, theirs = folder / "uploads" / "notes", folder / "processed" / old.id[:3] / "README"
    for path in (abandoned, arriving, mine):
        path.mkdir(parents=True)
        aged(path, 700)
    theirs.touch()
    aged(theirs, 90_000)

    await keeper.sweep()

    assert {job_id for batch in [ids async for ids in storage.job_ids()] for job_id in batch} == {
        recent.id,
        fresh.id,
        waiting.id,
    }
    assert await store.get(old.id) is None
    assert (await storage.look_up(recent.id)).source is None
    assert (await storage.look_up(recent.id)).outcome is not None
    assert (await storage.look_up(fresh.id)).source is not None
    assert (await storage.look_up(waiting.id)).source is not None
    assert not abandoned.exists()
    assert not arriving.exists()
    assert mine.exists()
    assert theirs.exists()
