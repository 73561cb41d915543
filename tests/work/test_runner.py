"""One attempt at a job, whatever happens to it. Only the pictures are made up."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.imaging.engine import Made, Rendering
from quickthumb.imaging.facts import Facts
from quickthumb.model.errors import BrokenImage
from quickthumb.model.job import Job, Status
from quickthumb.model.output import Output
from quickthumb.queue import keys
from quickthumb.queue.store import Attempt, JobStore
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.storage import FileStorage, Kept
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from quickthumb.work.runner import Abandoned, JobRunner, Render, Terms, TryAgain
from tests.redis_fixtures import a_job, token
from tests.storage.jobs import bytes_of

TERMS = Terms(lease_seconds=5.0, max_attempts=3)


async def draw(source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
    """Makes every output, with something in it."""
    made = []
    for output in outputs:
        (folder / f"{output.name}.jpg").write_bytes(source.read_bytes()[:4])
        made.append(Made(output.name, f"{output.name}.jpg", "jpeg", 128, 96, 4, 1, 80, "unchanged", "stripped", ()))
    return Rendering(Facts("jpeg", 300, 400, 1, False, "#ffffff", ""), tuple(made))


def failing(error: Exception) -> Render:
    async def render(*_: object) -> Rendering:
        raise error

    return render


class Held:
    """A render function that waits, half done, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        (folder / "half.jpg").write_bytes(b"half")
        self.begun.set()
        await self.go_on.wait()
        (folder / "half.jpg").unlink()
        return await draw(source, outputs, folder)


RunnerOf = Callable[[Render], JobRunner]


@pytest.fixture
def runner_of(store: JobStore, storage: FileStorage) -> RunnerOf:
    return lambda render: JobRunner(store, storage, render, TERMS)


@pytest.fixture
async def job(store: JobStore, storage: FileStorage) -> Job:
    """One that was accepted."""
    job = a_job()
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    await store.add(job)
    return job


async def found(store: JobStore, job: Job) -> Job:
    job_now = await store.get(job.id)
    assert job_now is not None
    return job_now


def results(folder: Path) -> list[str]:
    """Everything that was made or is on its way."""
    area = folder / "processed"
    return sorted(str(path.relative_to(area)) for path in area.rglob("*") if path.is_file())


async def begun_elsewhere(store: JobStore, job: Job) -> Attempt:
    attempt = await store.begin(job.id, token(), lease_seconds=30)
    assert isinstance(attempt, Attempt)
    return attempt


async def test_a_job_is_done(runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job) -> None:
    await runner_of(draw).run(job.id)
    done = await found(store, job)
    assert (done.status, done.attempts, done.error) == (Status.DONE, 1, None)
    assert (done.source.format, done.source.width, done.source.height) == ("jpeg", 300, 400)
    assert done.source.sha256 == job.source.sha256
    (result,) = done.results
    assert (result.name, result.format, result.width, result.height, result.bytes) == ("thumbnail", "jpeg", 128, 96, 4)
    assert await bytes_of(storage, job.id, result.filename) == b"sour"


async def test_a_job_that_has_ended_is_not_run_again(runner_of: RunnerOf, store: JobStore, job: Job) -> None:
    await runner_of(draw).run(job.id)
    before = await found(store, job)
    await runner_of(failing(AssertionError("must not be called"))).run(job.id)
    assert await found(store, job) == before


async def test_an_unknown_job_is_left_alone(runner_of: RunnerOf, folder: Path) -> None:
    await runner_of(failing(AssertionError("must not be called"))).run(a_job().id)
    assert results(folder) == []


async def test_what_trying_again_cannot_mend_ends_the_job(
    runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    await runner_of(failing(BrokenImage("It ends too early."))).run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.attempts, failed.results) == (Status.FAILED, 1, ())
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("broken_image", "It ends too early.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]
    assert (await storage.look_up(job.id)).source is not None


@pytest.mark.parametrize(
    "error", [DiskFull("full"), StorageUnavailable("away"), OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken")]
)
async def test_what_may_pass_is_tried_again_and_never_held_against_the_job(
    runner_of: RunnerOf, store: JobStore, job: Job, folder: Path, error: Exception
) -> None:
    waits = []
    for _ in range(TERMS.max_attempts + 2):
        with pytest.raises(TryAgain) as caught:
            await runner_of(failing(error)).run(job.id)
        waits.append(caught.value.seconds)
        assert (await found(store, job)).status is Status.WAITING
    assert waits == [1, 2, 4, 8, 16]
    assert results(folder) == []
    await runner_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_storage_that_is_away_is_not_held_against_the_job(
    runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> Kept:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "look_up", away)
        for _ in range(TERMS.max_attempts + 2):
            with pytest.raises(TryAgain):
                await runner_of(draw).run(job.id)
            assert (await found(store, job)).status is Status.WAITING
    await runner_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_bug_is_tried_a_few_times_then_ends_the_job_without_a_word_of_it(
    runner_of: RunnerOf, store: JobStore, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    runner = runner_of(failing(RuntimeError("/secret/path")))
    for _ in range(TERMS.max_attempts - 1):
        with pytest.raises(TryAgain):
            await runner.run(job.id)
        assert (await found(store, job)).status is Status.WAITING
    await runner.run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.attempts) == (Status.FAILED, TERMS.max_attempts)
    assert failed.error is not None
    assert failed.error.code == "internal_error"
    assert "secret" not in failed.error.detail
    assert "/secret/path" in caplog.text


async def test_an_image_that_kills_its_workers_is_given_up(
    runner_of: RunnerOf, store: JobStore, job: Job, folder: Path
) -> None:
    for _ in range(TERMS.max_attempts):
        await begun_elsewhere(store, job)
    await runner_of(failing(AssertionError("must not be called"))).run(job.id)
    failed = await found(store, job)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error.code == "too_many_attempts"
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]


async def test_an_attempt_that_takes_too_long_is_made_once_more_where_it_is_confined(
    store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    slow, slow_again = (
        failing(JobTimedOut("It took longer than 3 s.")),
        failing(JobTimedOut("It took longer than 6 s.")),
    )
    runner = JobRunner(store, storage, slow, TERMS, slow_again)
    with pytest.raises(TryAgain):
        await runner.run(job.id)
    assert (await found(store, job)).status is Status.WAITING
    await runner.run(job.id)
    failed = await found(store, job)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("job_timed_out", "It took longer than 6 s.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]


async def test_where_one_attempt_is_all_the_first_that_takes_too_long_ends_the_job(
    store: JobStore, storage: FileStorage, job: Job
) -> None:
    slow = failing(JobTimedOut("It took longer than 3 s."))
    await JobRunner(store, storage, slow, Terms(lease_seconds=5.0, max_attempts=1)).run(job.id)
    assert (await found(store, job)).status is Status.FAILED


async def test_a_job_is_confined_once_it_has_a_strike(store: JobStore, storage: FileStorage, job: Job) -> None:
    runner = JobRunner(store, storage, failing(AssertionError("not here")), TERMS, draw)
    await store.begin(job.id, token(), lease_seconds=5.0)  # by a worker that died
    await runner.run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_job_that_was_put_back_for_no_fault_of_its_own_is_not_confined(
    store: JobStore, storage: FileStorage, job: Job
) -> None:
    begun = await store.begin(job.id, token(), lease_seconds=5.0)
    assert isinstance(begun, Attempt)
    await store.put_back(begun, blameless=True, busy_seconds=0.0)
    await JobRunner(store, storage, draw, TERMS, failing(AssertionError("not here"))).run(job.id)
    assert (await found(store, job)).status is Status.DONE


@asynccontextmanager
async def half_done(runner_of: RunnerOf, job: Job) -> AsyncIterator[tuple[Held, "asyncio.Task[None]"]]:
    """An attempt in the middle of its work."""
    held = Held()
    task = asyncio.create_task(runner_of(held).run(job.id))
    await asyncio.wait_for(held.begun.wait(), 5)
    yield held, task
    assert task.done()


async def test_an_attempt_that_was_taken_over_leaves_everything_alone(
    runner_of: RunnerOf, store: JobStore, redis: Redis, job: Job, folder: Path
) -> None:
    async with half_done(runner_of, job) as (held, task):
        other = await begun_elsewhere(store, job)
        before = await redis.hgetall(keys.job(job.id))  # type: ignore[misc]
        held.go_on.set()
        with pytest.raises(Abandoned):
            await task
    assert await redis.hgetall(keys.job(job.id)) == before  # type: ignore[misc]
    assert await redis.get(keys.lease(job.id)) == other.token.encode()
    assert await redis.zrange(keys.QUEUE, 0, -1) == [job.id.encode()]
    assert not await redis.exists(keys.TOTALS)
    assert results(folder) == []


@pytest.mark.parametrize("error", [BrokenImage("broken"), DiskFull("full"), RuntimeError("bug")])
async def test_an_attempt_that_was_taken_over_says_nothing_of_how_it_failed(
    runner_of: RunnerOf, store: JobStore, job: Job, folder: Path, error: Exception
) -> None:
    with pytest.raises(Abandoned):
        await runner_of(_taken_over_while_failing(store, job, error)).run(job.id)
    in_progress = await found(store, job)
    assert (in_progress.status, in_progress.attempts) == (Status.IN_PROGRESS, 2)
    assert results(folder) == []


def _taken_over_while_failing(store: JobStore, job: Job, error: Exception) -> Render:
    async def render(*_: object) -> Rendering:
        await begun_elsewhere(store, job)
        raise error

    return render


async def test_a_job_that_is_removed_while_it_runs_leaves_no_files(
    runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    async with half_done(runner_of, job) as (held, task):
        await store.remove(job.id)
        await storage.remove(job.id)
        held.go_on.set()
        with pytest.raises(Abandoned):
            await task
    assert await store.get(job.id) is None
    assert results(folder) == []
    assert (await storage.look_up(job.id)) == Kept(None, None, None)


async def test_a_job_that_is_removed_at_its_very_end_leaves_no_files(
    runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conclude = storage.conclude

    async def removed_after(job_id: str, workspace: Path, outcome: bytes) -> bytes:
        standing = await conclude(job_id, workspace, outcome)
        await store.remove(job_id)
        return standing

    monkeypatch.setattr(storage, "conclude", removed_after)
    with pytest.raises(Abandoned):
        await runner_of(draw).run(job.id)
    assert results(folder) == []


async def test_an_outcome_that_stands_is_adopted(
    runner_of: RunnerOf, store: JobStore, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died after the files were in place and before Redis knew."""
    with monkeypatch.context() as patch:

        async def dies(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        patch.setattr(store, "finish", dies)
        patch.setattr(store, "put_back", _true)
        with pytest.raises(asyncio.CancelledError):
            await runner_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.IN_PROGRESS
    before = {path: (folder / "processed" / path).read_bytes() for path in results(folder)}
    await runner_of(failing(AssertionError("must not be called"))).run(job.id)
    done = await found(store, job)
    assert (done.status, done.attempts, len(done.results)) == (Status.DONE, 2, 1)
    assert {path: (folder / "processed" / path).read_bytes() for path in results(folder)} == before


async def _true(*_: object, **__: object) -> bool:
    return True


async def test_a_job_without_a_record_is_forgotten(
    runner_of: RunnerOf, store: JobStore, redis: Redis, folder: Path
) -> None:
    job = a_job()
    await store.add(job)
    with pytest.raises(Abandoned):
        await runner_of(failing(AssertionError("must not be called"))).run(job.id)
    assert await store.get(job.id) is None
    assert not await redis.exists(keys.QUEUE)
    assert results(folder) == []


async def test_a_job_whose_source_is_gone_fails(
    runner_of: RunnerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    await storage.remove_source(job.id)
    await runner_of(draw).run(job.id)
    failed = await found(store, job)
    assert failed.error is not None
    assert failed.error.code == "source_missing"


async def test_a_worker_that_stops_puts_its_jobs_back_without_blame(
    runner_of: RunnerOf, store: JobStore, job: Job, folder: Path
) -> None:
    for number in range(1, TERMS.max_attempts + 3):
        async with half_done(runner_of, job) as (_, task):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        waiting = await found(store, job)
        assert (waiting.status, waiting.attempts) == (Status.WAITING, number)
    assert results(folder) == []
    await runner_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_leases_are_renewed_while_a_job_runs_and_no_longer(
    store: JobStore, storage: FileStorage, redis: Redis, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    runner = JobRunner(store, storage, held, TERMS)
    task = asyncio.create_task(runner.run(job.id))
    await asyncio.wait_for(held.begun.wait(), 5)
    await redis.delete(keys.lease(job.id))
    await runner.renew_leases()
    assert await redis.pttl(keys.lease(job.id)) > 4_000
    held.go_on.set()
    await task
    await redis.delete(keys.lease(job.id))
    await runner.renew_leases()
    assert not await redis.exists(keys.lease(job.id))
    assert "no longer" not in caplog.text


async def test_several_outputs_are_made_in_order(runner_of: RunnerOf, store: JobStore, storage: FileStorage) -> None:
    job = a_job(order={"outputs": [{"name": "large", "width": 800}, {"name": "small", "height": 64}]})
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    await store.add(job)
    seen: list[Output] = []

    async def render(source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        seen.extend(outputs)
        return await draw(source, outputs, folder)

    await runner_of(render).run(job.id)
    assert seen == [Output(name="large", width=800), Output(name="small", height=64)]
    assert [result.name for result in (await found(store, job)).results] == ["large", "small"]


@pytest.mark.parametrize("render", [draw, failing(BrokenImage("It is broken."))])
async def test_a_source_that_is_not_to_be_kept_goes_before_anyone_is_told_of_the_end(
    store: JobStore, storage: FileStorage, job: Job, render: Render
) -> None:
    told: list[bool] = []

    class Watching(JobStore):
        async def finish(self, *given: Any, **named: Any) -> bool:
            told.append(await storage.source(job.id) is None)
            return await store.finish(*given, **named)

    watching = Watching(store._redis, retention_seconds=60)
    await JobRunner(watching, storage, render, replace(TERMS, removes_source=True)).run(job.id)
    assert told == [True]
    assert (await found(store, job)).status.ended


async def test_a_source_stays_while_the_job_is_to_be_run_again(store: JobStore, storage: FileStorage, job: Job) -> None:
    runner = JobRunner(store, storage, failing(DiskFull("full")), replace(TERMS, removes_source=True))
    with pytest.raises(TryAgain):
        await runner.run(job.id)
    assert await storage.source(job.id)
