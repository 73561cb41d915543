"""Attempts at jobs, whatever happens to them. Only the rendering is fake."""

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from redis.asyncio import Redis

from quickthumb.config import TroubleLimits
from quickthumb.imaging.engine import Made, Rendering
from quickthumb.imaging.facts import Facts
from quickthumb.imaging.files import NoRoom
from quickthumb.model.errors import BrokenImage, NotServing
from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.model.output import Output
from quickthumb.model.retention import Retention, RetentionPolicy
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.sandbox.errors import JobTimedOut, LargeJobsWaiting
from quickthumb.storage import FileStorage, Kept
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from quickthumb.storage.layout import record_key
from quickthumb.work import render, trouble
from quickthumb.work.errors import LeaseLost
from quickthumb.work.handler import Snooze, Verdict
from quickthumb.work.life import background, heartbeat
from quickthumb.work.render import Render, RenderHandler
from quickthumb.work.runner import Runner
from quickthumb.work.trouble import LEAST_ATTEMPTS
from tests.redis_fixtures import a_job, claim, claimed, put_back, token
from tests.storage.jobs import bytes_of
from tests.waiting import wait_until

LEASE_SECONDS = 5.0
MAX_ATTEMPTS = 3
LIMITS = TroubleLimits(seconds=3600, attempts=100)


async def draw(source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
    """Writes a file with some bytes for every output."""
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
    """A render function that waits, half done, until the test lets it go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        (folder / "half.jpg").write_bytes(b"half")
        self.begun.set()
        await self.go_on.wait()
        (folder / "half.jpg").unlink()
        return await draw(source, outputs, folder)


class Worker:
    """A runner with the handler of jobs; `confined` renders the jobs that have a strike."""

    def __init__(
        self,
        store: JobStore,
        attempts: Attempts,
        storage: FileStorage,
        render: Render,
        confined: Render | None = None,
        *,
        max_attempts: int = MAX_ATTEMPTS,
        limits: TroubleLimits = LIMITS,
        confined_formats: frozenset[str] = frozenset(),
        spare_bytes: int = 0,
        removes_source: bool = False,
    ) -> None:
        self.attempts = attempts
        self.runner = Runner(attempts, lease_seconds=LEASE_SECONDS, limits=limits)
        self.handler = RenderHandler(
            store,
            attempts,
            storage,
            render,
            confined or render,
            lease_seconds=LEASE_SECONDS,
            max_attempts=max_attempts,
            confined_formats=confined_formats,
            spare_bytes=spare_bytes,
            retention=RetentionPolicy(Retention(3_600, 0 if removes_source else 3_600)),
        )

    async def run(self, job_id: str) -> Verdict | None:
        """Claims the job, if it can be claimed, and runs the attempt."""
        attempt = await claim(self.attempts, self.handler.kind, job_id, lease_seconds=LEASE_SECONDS)
        return None if attempt is None else await self.runner.run(self.handler, attempt)

    async def pause_seconds(self, job_id: str) -> float:
        """Runs an attempt that ends in a retry. Returns the delay until the retry."""
        verdict = await self.run(job_id)
        assert isinstance(verdict, Snooze)
        assert verdict.seconds is not None
        return verdict.seconds


WorkerOf = Callable[..., Worker]


@pytest.fixture
def worker_of(store: JobStore, attempts: Attempts, storage: FileStorage) -> WorkerOf:
    return lambda render, confined=None, **terms: Worker(store, attempts, storage, render, confined, **terms)


async def accepted(store: JobStore, storage: FileStorage, job: Job | None = None) -> Job:
    """A job that was accepted."""
    job = job or a_job()
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    await store.add(job)
    return job


@pytest.fixture
async def job(store: JobStore, storage: FileStorage) -> Job:
    return await accepted(store, storage)


async def found(store: JobStore, job: Job) -> Job:
    job_now = await store.get(job.id)
    assert job_now is not None
    return job_now


def results(folder: Path) -> list[str]:
    """All files that were made, finished or not."""
    area = folder / "processed"
    return sorted(str(path.relative_to(area)) for path in area.rglob("*") if path.is_file())


async def test_a_job_is_done(worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job) -> None:
    await worker_of(draw).run(job.id)
    done = await found(store, job)
    assert (done.status, done.attempts, done.error) == (Status.DONE, 1, None)
    assert (done.source.format, done.source.width, done.source.height) == ("jpeg", 300, 400)
    assert done.source.sha256 == job.source.sha256
    (result,) = done.results
    assert (result.name, result.format, result.width, result.height, result.bytes) == ("thumbnail", "jpeg", 128, 96, 4)
    assert await bytes_of(storage, job.id, result.filename) == b"sour"


async def test_a_job_that_has_ended_is_not_run_again(worker_of: WorkerOf, store: JobStore, job: Job) -> None:
    await worker_of(draw).run(job.id)
    before = await found(store, job)
    await worker_of(failing(AssertionError("must not be called"))).run(job.id)
    assert await found(store, job) == before


async def test_an_unknown_job_is_left_alone(worker_of: WorkerOf, folder: Path) -> None:
    await worker_of(failing(AssertionError("must not be called"))).run(a_job().id)
    assert results(folder) == []


async def test_what_trying_again_cannot_mend_ends_the_job(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    await worker_of(failing(BrokenImage("It ends too early."))).run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.attempts, failed.results) == (Status.FAILED, 1, ())
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("broken_image", "It ends too early.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]
    assert (await storage.look_up(job.id)).source is not None


@pytest.mark.parametrize(
    "error",
    [
        DiskFull("full"),
        StorageUnavailable("away"),
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EFBIG, "too large for this file system"),
        OSError(errno.EIO, "broken"),
    ],
)
async def test_what_may_pass_is_tried_again_and_never_held_against_the_job(
    worker_of: WorkerOf, store: JobStore, job: Job, folder: Path, error: Exception
) -> None:
    waits = []
    for _ in range(MAX_ATTEMPTS + 2):
        waits.append(await worker_of(failing(error)).pause_seconds(job.id))
        assert (await found(store, job)).status is Status.WAITING
    assert waits == [1, 2, 4, 8, 16]
    assert results(folder) == []
    await worker_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def has_been_in_trouble(redis: Redis, job: Job, *, seconds: float) -> None:
    """Makes the job's first trouble that much older."""
    record = KEYS.record(JOB, job.id)
    troubled_ms = int(await redis.hget(record, "troubled_ms") or 0)  # type: ignore[misc]
    await redis.hset(record, "troubled_ms", str(troubled_ms - round(seconds * 1000)))  # type: ignore[misc]


async def test_trouble_that_does_not_pass_ends_the_job_whichever_worker_has_it(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, redis: Redis, job: Job, folder: Path
) -> None:
    for _ in range(LEAST_ATTEMPTS - 2):
        await worker_of(failing(DiskFull("There is no room."))).pause_seconds(job.id)
    await has_been_in_trouble(redis, job, seconds=3600)
    await worker_of(failing(DiskFull("There is no room."))).pause_seconds(job.id)
    await worker_of(failing(StorageUnavailable("Now the storage is away."))).run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "gave_up")
    assert failed.error is not None
    assert failed.error.detail.startswith("Gave up after 10 attempts within 1:00:0")
    assert failed.error.detail.endswith(": Now the storage is away.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]
    assert (await storage.look_up(job.id)).source is not None


async def test_trouble_has_no_end_by_its_age_alone(
    worker_of: WorkerOf, store: JobStore, redis: Redis, job: Job
) -> None:
    """After the first attempt, all workers were stopped for a long time."""
    worker = worker_of(failing(DiskFull("full")))
    await worker.pause_seconds(job.id)
    await has_been_in_trouble(redis, job, seconds=100_000)
    await worker.pause_seconds(job.id)
    assert (await found(store, job)).status is Status.WAITING


async def test_an_attempt_that_took_long_in_vain_is_followed_by_a_longer_pause(
    worker_of: WorkerOf, store: JobStore, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "COSTLY_SECONDS", 0)
    monkeypatch.setattr(trouble, "PAUSE_FACTOR", 10**9)
    assert await worker_of(failing(OSError(errno.EDQUOT, "over quota"))).pause_seconds(job.id) == 900
    assert await worker_of(failing(NoRoom(1000))).pause_seconds(job.id) == 2
    assert await worker_of(failing(JobTimedOut("a strike, which is no trouble"))).pause_seconds(job.id) == 4


async def test_trouble_is_bounded_in_number(worker_of: WorkerOf, store: JobStore, job: Job) -> None:
    worker = worker_of(failing(NotServing("later")), limits=TroubleLimits(seconds=3600, attempts=4))
    for _ in range(3):
        await worker.pause_seconds(job.id)
    await worker.run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "gave_up")


async def test_a_job_that_only_waits_for_its_turn_is_never_given_up_and_keeps_its_place(
    worker_of: WorkerOf, store: JobStore, redis: Redis, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    place = await redis.zscore(KEYS.queue, job.id)
    worker = worker_of(failing(LargeJobsWaiting("others first")), limits=TroubleLimits(seconds=1, attempts=1))
    pauses = [await worker.pause_seconds(job.id) for _ in range(LEAST_ATTEMPTS + 1)]
    assert pauses == [0] * (LEAST_ATTEMPTS + 1)
    assert (await found(store, job)).status is Status.WAITING
    assert await redis.zscore(KEYS.queue, job.id) == place
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


async def test_a_worker_that_stops_is_no_trouble(worker_of: WorkerOf, store: JobStore, job: Job) -> None:
    stopping = Held()
    worker = worker_of(stopping, limits=TroubleLimits(seconds=1, attempts=1))
    task = asyncio.create_task(worker.run(job.id))
    await asyncio.wait_for(stopping.begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await found(store, job)).status is Status.WAITING


async def test_a_job_whose_files_cannot_even_be_read_ends_in_redis(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: str) -> NoReturn:
        raise StorageUnavailable("The disk has a bad block.")

    monkeypatch.setattr(storage, "work_on", unreadable)
    worker = worker_of(draw, limits=TroubleLimits(seconds=3600, attempts=2))
    await worker.pause_seconds(job.id)
    await worker.run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "gave_up")


async def test_a_job_that_was_given_up_starts_anew_when_it_is_retried(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    worker = worker_of(failing(DiskFull("full")), limits=TroubleLimits(seconds=3600, attempts=2))
    for _ in range(2):
        await worker.pause_seconds(job.id)
        await worker.run(job.id)
        assert (await found(store, job)).status is Status.FAILED
        outcome = (await storage.look_up(job.id)).outcome
        assert outcome is not None
        assert await storage.reopen(job.id, outcome)
        assert await store.reopen(job)


async def test_a_job_whose_results_did_not_fit_is_rendered_again_only_once_there_is_room(
    worker_of: WorkerOf, store: JobStore, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_bytes = 5_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes))
    await worker_of(failing(NoRoom(6_000_000))).pause_seconds(job.id)
    for _ in range(MAX_ATTEMPTS + 2):
        await worker_of(failing(AssertionError("must not be called")), spare_bytes=1_000_000).pause_seconds(job.id)
    free_bytes = 8_999_999
    await worker_of(failing(AssertionError("must not be called")), spare_bytes=1_000_000).pause_seconds(job.id)
    assert (await found(store, job)).status is Status.WAITING
    assert results(folder) == []
    free_bytes = 9_000_000
    await worker_of(draw, spare_bytes=1_000_000).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_storage_that_is_away_is_not_held_against_the_job(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: str) -> NoReturn:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "work_on", away)
        for _ in range(MAX_ATTEMPTS + 2):
            await worker_of(draw).pause_seconds(job.id)
            assert (await found(store, job)).status is Status.WAITING
    await worker_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_bug_is_tried_a_few_times_then_ends_the_job_without_a_word_of_it(
    worker_of: WorkerOf, store: JobStore, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    runner = worker_of(failing(RuntimeError("/secret/path")))
    for _ in range(MAX_ATTEMPTS - 1):
        await runner.pause_seconds(job.id)
        assert (await found(store, job)).status is Status.WAITING
    await runner.run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.attempts) == (Status.FAILED, MAX_ATTEMPTS)
    assert failed.error is not None
    assert failed.error.code == "internal_error"
    assert "secret" not in failed.error.detail
    assert "/secret/path" in caplog.text


async def test_an_image_that_kills_its_workers_is_given_up(
    worker_of: WorkerOf, store: JobStore, attempts: Attempts, job: Job, folder: Path
) -> None:
    for _ in range(MAX_ATTEMPTS):
        await claimed(attempts, job.id, lease_seconds=30)
    await worker_of(failing(AssertionError("must not be called"))).run(job.id)
    failed = await found(store, job)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("too_many_attempts", "Gave up after 3 failed attempts.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]


async def test_an_attempt_that_takes_too_long_is_made_once_more_where_it_is_confined(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    slow, slow_again = (
        failing(JobTimedOut("It took longer than 3 s.")),
        failing(JobTimedOut("It took longer than 6 s.")),
    )
    runner = worker_of(slow, slow_again)
    await runner.pause_seconds(job.id)
    assert (await found(store, job)).status is Status.WAITING
    await runner.run(job.id)
    failed = await found(store, job)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.detail) == ("job_timed_out", "It took longer than 6 s.")
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]


async def test_where_one_attempt_is_all_the_first_that_takes_too_long_ends_the_job(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    slow = failing(JobTimedOut("It took longer than 3 s."))
    await worker_of(slow, max_attempts=1).run(job.id)
    assert (await found(store, job)).status is Status.FAILED


async def test_a_job_is_confined_once_it_has_a_strike(
    worker_of: WorkerOf, store: JobStore, attempts: Attempts, storage: FileStorage, job: Job
) -> None:
    runner = worker_of(failing(AssertionError("not here")), draw)
    await claimed(attempts, job.id)  # by a worker that died
    await runner.run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_format_whose_decoder_may_do_anything_is_confined_at_once(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage
) -> None:
    plain = a_job()
    job = plain.model_copy(update={"source": plain.source.model_copy(update={"format": "jxl"})})
    await accepted(store, storage, job)
    worker = worker_of(failing(AssertionError("not here")), draw, confined_formats=frozenset({"jxl"}))
    await worker.run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_a_job_that_was_put_back_for_no_fault_of_its_own_is_not_confined(
    worker_of: WorkerOf, store: JobStore, attempts: Attempts, storage: FileStorage, job: Job
) -> None:
    begun = await claimed(attempts, job.id)
    await put_back(attempts, begun)
    await worker_of(draw, failing(AssertionError("not here"))).run(job.id)
    assert (await found(store, job)).status is Status.DONE


@asynccontextmanager
async def half_done(worker_of: WorkerOf, job: Job) -> AsyncIterator[tuple[Held, "asyncio.Task[Verdict | None]"]]:
    """An attempt in the middle of its work."""
    held = Held()
    task = asyncio.create_task(worker_of(held).run(job.id))
    await asyncio.wait_for(held.begun.wait(), 5)
    yield held, task
    assert task.done()


async def test_an_attempt_that_was_taken_over_leaves_everything_alone(
    worker_of: WorkerOf,
    store: JobStore,
    attempts: Attempts,
    redis: Redis,
    job: Job,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "CONFIRMED_SHARE", 0)  # as after the time in which a lease lapses
    async with half_done(worker_of, job) as (held, task):
        other = await claimed(attempts, job.id, lease_seconds=30)
        before = await redis.hgetall(KEYS.record(JOB, job.id))  # type: ignore[misc]
        held.go_on.set()
        with pytest.raises(LeaseLost):
            await task
    assert await redis.hgetall(KEYS.record(JOB, job.id)) == before  # type: ignore[misc]
    assert await redis.get(KEYS.lease(job.id)) == other.token.encode()
    assert await redis.zrange(KEYS.queue, 0, -1) == [job.id.encode()]
    assert not await redis.hexists(KEYS.totals, "busy_ms")  # type: ignore[misc]
    assert results(folder) == []


@pytest.mark.parametrize("error", [BrokenImage("broken"), DiskFull("full"), RuntimeError("bug")])
async def test_an_attempt_that_was_taken_over_says_nothing_of_how_it_failed(
    worker_of: WorkerOf, store: JobStore, attempts: Attempts, job: Job, folder: Path, error: Exception
) -> None:
    with pytest.raises(LeaseLost):
        await worker_of(_taken_over_while_failing(attempts, job, error)).run(job.id)
    in_progress = await found(store, job)
    assert (in_progress.status, in_progress.attempts) == (Status.IN_PROGRESS, 2)
    assert results(folder) == []


def _taken_over_while_failing(attempts: Attempts, job: Job, error: Exception) -> Render:
    async def render(*_: object) -> Rendering:
        await claimed(attempts, job.id, lease_seconds=30)
        raise error

    return render


class Renewals:
    """Counts the renewals that a pool of attempts is asked for."""

    def __init__(self, attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._renew = attempts.renew
        monkeypatch.setattr(attempts, "renew", self)

    async def __call__(self, running: Sequence[Attempt], *, lease_seconds: float) -> frozenset[str]:
        self.count += 1
        return await self._renew(running, lease_seconds=lease_seconds)


@pytest.mark.parametrize(
    ("confirmed_share", "made", "renewals"),
    [(1 / 3, draw, 0), (0, draw, 1), (1 / 3, failing(BrokenImage("broken")), 1)],
)
async def test_a_lease_is_renewed_before_the_end_unless_it_is_fresh_and_there_are_results(
    worker_of: WorkerOf,
    attempts: Attempts,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    confirmed_share: float,
    made: Render,
    renewals: int,
) -> None:
    monkeypatch.setattr(render, "CONFIRMED_SHARE", confirmed_share)
    counted = Renewals(attempts, monkeypatch)
    await worker_of(made).run(job.id)
    assert counted.count == renewals


async def test_a_job_that_is_cancelled_while_it_runs_stays_cancelled_without_results(
    worker_of: WorkerOf,
    store: JobStore,
    attempts: Attempts,
    storage: FileStorage,
    job: Job,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = Renewals(attempts, monkeypatch)
    async with half_done(worker_of, job) as (held, task):
        await cancelled_by_a_user(store, storage, job)
        held.go_on.set()
        with pytest.raises(LeaseLost):
            await task
    assert counted.count == 0
    assert (await found(store, job)).status is Status.CANCELLED
    assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]


async def test_the_storage_is_visited_twice_for_a_job(
    worker_of: WorkerOf, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each visit is a hop to a thread and back: to begin, and to put the results in place."""
    hops, submit = 0, ThreadPoolExecutor.submit

    def counting(*args: Any) -> Any:
        nonlocal hops
        hops += 1
        return submit(*args)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counting)
    await worker_of(draw).run(job.id)
    assert hops == 2
    assert len(results(folder)) == 2


async def test_what_redis_is_told_is_what_the_storage_keeps(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    await worker_of(draw).run(job.id)
    kept = (await storage.look_up(job.id)).outcome
    assert kept is not None
    outcome, done = Outcome.model_validate_json(kept), await found(store, job)
    assert (done.source, done.results) == (outcome.source, outcome.results)
    assert outcome.source.model_dump() == {
        **job.source.model_dump(),
        "width": 300,
        "height": 400,
        "frames": 1,
        "has_alpha": False,
        "dominant_color": "#ffffff",
        "thumbhash": "",
        "hdr": None,
        "provenance": None,
    }


async def test_a_job_that_is_removed_while_it_runs_leaves_no_files(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path
) -> None:
    async with half_done(worker_of, job) as (held, task):
        await store.remove(job.id)
        await storage.remove(job.id)
        held.go_on.set()
        with pytest.raises(LeaseLost):
            await task
    assert await store.get(job.id) is None
    assert results(folder) == []
    assert (await storage.look_up(job.id)) == Kept(None, None, None)


async def test_a_job_that_is_removed_at_its_very_end_leaves_no_files(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conclude = storage.conclude

    async def removed_before(job_id: str, *rest: Any, keep: str | None) -> bytes:
        await store.remove(job_id)
        await storage.remove(job_id)
        return await conclude(job_id, *rest, keep=keep)

    monkeypatch.setattr(storage, "conclude", removed_before)
    with pytest.raises(LeaseLost):
        await worker_of(draw).run(job.id)
    assert results(folder) == []


async def test_an_outcome_that_stands_is_adopted(
    worker_of: WorkerOf, store: JobStore, attempts: Attempts, job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died after it put the files in place and before it settled the attempt in Redis."""
    with monkeypatch.context() as patch:

        async def dies(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        patch.setattr(attempts, "settle", dies)
        with pytest.raises(asyncio.CancelledError):
            await worker_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.IN_PROGRESS
    before = {path: (folder / "processed" / path).read_bytes() for path in results(folder)}
    await worker_of(failing(AssertionError("must not be called"))).run(job.id)
    done = await found(store, job)
    assert (done.status, done.attempts, len(done.results)) == (Status.DONE, 2, 1)
    assert {path: (folder / "processed" / path).read_bytes() for path in results(folder)} == before


async def test_a_job_whose_record_is_missing_waits_for_another_worker_and_fails_when_none_sees_it(
    worker_of: WorkerOf, store: JobStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = a_job()
    await store.add(job)
    worker = worker_of(failing(AssertionError("must not be called")))
    assert [await worker.pause_seconds(job.id) for _ in range(MAX_ATTEMPTS - 1)] == [1, 30]
    assert (await found(store, job)).status is Status.WAITING
    assert f"no record of it in {folder}" in caplog.text
    await worker.run(job.id)
    failed = await found(store, job)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "record_missing")
    assert results(folder) == []


async def test_a_job_that_was_removed_is_forgotten(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, redis: Redis, folder: Path
) -> None:
    """Redis lost the removal, or its answer to the acceptance was lost."""
    job = await accepted(store, storage)
    await storage.remove(job.id)
    with pytest.raises(LeaseLost):
        await worker_of(failing(AssertionError("must not be called"))).run(job.id)
    assert await store.get(job.id) is None
    assert not await redis.exists(KEYS.queue)
    assert results(folder) == []


async def test_a_job_whose_source_is_gone_fails(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    await storage.remove_source(job.id)
    await worker_of(draw).run(job.id)
    failed = await found(store, job)
    assert failed.error is not None
    assert failed.error.code == "source_missing"


async def test_a_worker_that_stops_puts_its_jobs_back_without_blame(
    worker_of: WorkerOf, store: JobStore, job: Job, folder: Path
) -> None:
    for number in range(1, MAX_ATTEMPTS + 3):
        async with half_done(worker_of, job) as (_, task):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        waiting = await found(store, job)
        assert (waiting.status, waiting.attempts) == (Status.WAITING, number)
    assert results(folder) == []
    await worker_of(draw).run(job.id)
    assert (await found(store, job)).status is Status.DONE


async def test_leases_are_renewed_while_a_job_runs_and_no_longer(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, redis: Redis, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    runner = worker_of(held)
    task = asyncio.create_task(runner.run(job.id))
    await asyncio.wait_for(held.begun.wait(), 5)
    await redis.delete(KEYS.lease(job.id))
    await runner.runner.renew_leases()
    assert await redis.pttl(KEYS.lease(job.id)) > 4_000
    held.go_on.set()
    await task
    await redis.delete(KEYS.lease(job.id))
    await runner.runner.renew_leases()
    assert not await redis.exists(KEYS.lease(job.id))
    assert "no longer" not in caplog.text


async def test_several_outputs_are_made_in_order(worker_of: WorkerOf, store: JobStore, storage: FileStorage) -> None:
    job = a_job(order={"outputs": [{"name": "large", "width": 800}, {"name": "small", "height": 64}]})
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    await store.add(job)
    seen: list[Output] = []

    async def render(source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        seen.extend(outputs)
        return await draw(source, outputs, folder)

    await worker_of(render).run(job.id)
    assert seen == [Output(name="large", width=800), Output(name="small", height=64)]
    assert [result.name for result in (await found(store, job)).results] == ["large", "small"]


@pytest.mark.parametrize("render", [draw, failing(BrokenImage("It is broken."))])
async def test_a_source_that_is_not_to_be_kept_goes_before_anyone_is_told_of_the_end(
    store: JobStore, attempts: Attempts, storage: FileStorage, client: Redis, job: Job, render: Render
) -> None:
    told: list[bool] = []

    class Watching(Attempts):
        async def settle(self, *given: Any, **named: Any) -> bool:
            told.append(await storage.source(job.id) is None)
            return await attempts.settle(*given, **named)

    await Worker(store, Watching(client), storage, render, removes_source=True).run(job.id)
    assert told == [True]
    assert (await found(store, job)).status.ended


async def test_a_source_stays_while_the_job_is_to_be_run_again(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job
) -> None:
    runner = worker_of(failing(DiskFull("full")), removes_source=True)
    await runner.pause_seconds(job.id)
    assert await storage.source(job.id)


class Endless:
    """A render function that goes on until it is cancelled, and may take its time to notice."""

    def __init__(self, *, deaf_for: int = 0) -> None:
        self.begun = asyncio.Event()
        self.cancelled = 0
        self._deaf_for = deaf_for

    async def __call__(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        while True:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > self._deaf_for:
                    raise


async def cancelled_by_a_user(store: JobStore, storage: FileStorage, job: Job) -> None:
    """Cancels the job as the verb does: in the storage first."""
    outcome = Outcome(status=Status.CANCELLED, finished_at=now(), source=job.source)
    async with storage.workspace(job.id, token()) as folder:
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode())
    assert await store.cancel(job.id, outcome.finished_at)


async def test_cancelling_a_running_job_stops_its_work_within_a_heartbeat(
    worker_of: WorkerOf, store: JobStore, storage: FileStorage, job: Job, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "quickthumb")
    endless = Endless()
    worker = worker_of(endless)
    task = asyncio.create_task(worker.run(job.id))
    await asyncio.wait_for(endless.begun.wait(), 5)
    await cancelled_by_a_user(store, storage, job)
    caplog.clear()
    async with background(heartbeat(store, worker.runner, "worker", interval_seconds=0.01)):
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(task, 5)
        assert endless.cancelled == 1
        assert (await found(store, job)).status is Status.CANCELLED
        assert results(folder) == [f"{job.id[:3]}/{job.id}/outcome.json"]
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("quickthumb")]
    assert messages == [f"job {job.id}: lease lost; abandoning the attempt"]


async def test_work_that_does_not_hear_its_cancellation_is_cancelled_again(
    worker_of: WorkerOf, store: JobStore, job: Job
) -> None:
    endless = Endless(deaf_for=2)
    worker = worker_of(endless)
    task = asyncio.create_task(worker.run(job.id))
    await asyncio.wait_for(endless.begun.wait(), 5)
    await store.remove(job.id)
    for _ in range(3):
        await worker.runner.renew_leases()
        await asyncio.sleep(0)
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(task, 5)


async def test_a_job_that_only_redis_has_lost_keeps_its_record(
    worker_of: WorkerOf, storage: FileStorage, redis: Redis, job: Job
) -> None:
    endless = Endless()
    worker = worker_of(endless)
    task = asyncio.create_task(worker.run(job.id))
    await asyncio.wait_for(endless.begun.wait(), 5)
    await redis.flushall()
    await worker.runner.renew_leases()
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(task, 5)
    assert (await storage.look_up(job.id)).source is not None


async def test_all_leases_are_renewed_in_one_round_trip(
    worker_of: WorkerOf, attempts: Attempts, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    held = Held()
    worker = worker_of(held)
    jobs = [await accepted(store, storage) for _ in range(3)]
    tasks = [asyncio.create_task(worker.run(job.id)) for job in jobs]
    for job in jobs:
        await wait_until(lambda job=job: _runs(store, job))  # type: ignore[misc]
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await worker.runner.renew_leases()
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] <= before + 2  # a script may have to be sent
    held.go_on.set()
    await asyncio.gather(*tasks)


async def _runs(store: JobStore, job: Job) -> bool:
    return (await found(store, job)).status is Status.IN_PROGRESS


async def test_a_settled_job_has_left_the_queue_and_its_lease(worker_of: WorkerOf, redis: Redis, job: Job) -> None:
    await worker_of(draw).run(job.id)
    assert not await redis.exists(KEYS.queue, KEYS.call(job.id), KEYS.lease(job.id), KEYS.tries(job.id))


async def test_a_job_that_waits_for_another_attempt_is_due_by_redis_clock(
    worker_of: WorkerOf, redis: Redis, job: Job
) -> None:
    seconds = await worker_of(failing(RuntimeError("a bug"))).pause_seconds(job.id)
    due_seconds = await redis.zscore(KEYS.queue, job.id) / 1000
    assert due_seconds - (await redis.time())[0] == pytest.approx(seconds, abs=1.5)
    assert not await redis.exists(KEYS.lease(job.id))


async def test_a_job_whose_record_cannot_be_read_ends(
    worker_of: WorkerOf, store: JobStore, job: Job, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / record_key(job.id)).write_bytes(b"")
    worker = worker_of(draw)
    for _ in range(MAX_ATTEMPTS):
        assert isinstance(await worker.run(job.id), Snooze)
    await worker.run(job.id)
    failed = await found(store, job)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error.code == "internal_error"


async def test_an_image_library_that_fails_without_an_errno_is_a_strike(
    worker_of: WorkerOf, store: JobStore, job: Job
) -> None:
    worker = worker_of(failing(OSError("broken data stream when writing image file")))
    for _ in range(MAX_ATTEMPTS):
        await worker.run(job.id)
    assert (await found(store, job)).status is Status.FAILED
