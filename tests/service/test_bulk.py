"""Verbs for many jobs at once."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.model.job import Failure, Job, Outcome, Status, new_id, now
from quickthumb.model.selection import Selection
from quickthumb.model.source import Source
from quickthumb.queue import search
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.watch import JobWatch
from quickthumb.service import bulk
from quickthumb.service.bulk import BulkReport, for_each, for_named, look_closely, look_only
from quickthumb.service.jobs import ImageService
from quickthumb.storage import FileStorage
from tests.redis_fixtures import a_job, claimed, finished
from tests.service.test_jobs import service_of

ALL = Selection(status=Status.WAITING)


@pytest.fixture
async def service(client: Redis, store: JobStore, storage: FileStorage) -> AsyncIterator[ImageService]:
    watch = JobWatch(client)
    yield service_of(store, storage, watch, client)
    await watch.close()


async def accepted(store: JobStore, storage: FileStorage, *ages_seconds: float, **changes: Any) -> list[Job]:
    """Jobs that wait, each with its age."""
    jobs = [a_job(age_seconds=age_seconds, **changes) for age_seconds in ages_seconds]
    for job in jobs:
        async with storage.receive(job.id) as arrival:
            await arrival.write(b"source")
            await arrival.keep(job.record())
        await store.add(job)
    return jobs


async def failed(attempts: Attempts, storage: FileStorage, job: Job) -> None:
    error = Failure(code="broken_image", title="The image is damaged", detail="It ends too early.")
    outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=error)
    attempt = await claimed(attempts, job.id)
    async with storage.workspace(job.id, attempt.token) as folder:
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode())
    assert await finished(attempts, attempt, outcome)


async def statuses(store: JobStore, jobs: list[Job]) -> list[Status | None]:
    found = [await store.get(job.id) for job in jobs]
    return [job.status if job else None for job in found]


async def test_all_failed_jobs_are_retried_and_no_other(
    service: ImageService, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    jobs = await accepted(store, storage, 3, 2, 1, 0)
    for job in jobs[:3]:
        await failed(attempts, storage, job)
    await storage.remove_source(jobs[1].id)
    report = await for_each(service, service.retry, ANONYMOUS, Selection(Status.FAILED), limit=10)
    assert report == BulkReport(2, {"wrong_state": 1}, None)
    assert await statuses(store, jobs) == [Status.WAITING, Status.FAILED, Status.WAITING, Status.WAITING]


async def test_a_call_is_bounded_and_the_next_goes_on(
    service: ImageService, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PAGE", 2)
    jobs = await accepted(store, storage, *range(7))
    first = await for_each(service, service.cancel, ANONYMOUS, ALL, limit=3)
    assert (first.count, first.cursor is None) == (3, False)
    assert [status is Status.CANCELLED for status in await statuses(store, jobs)] == [True] * 3 + [False] * 4
    rest = await for_each(service, service.cancel, ANONYMOUS, ALL, limit=10, cursor=first.cursor)
    assert rest == BulkReport(4, {}, None)
    assert set(await statuses(store, jobs)) == {Status.CANCELLED}


async def test_a_call_ends_in_time(
    service: ImageService, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BULK_SECONDS", 0.0)
    jobs = await accepted(store, storage, 0, 1)
    cursor, counts = None, []
    for _ in range(3):
        report = await for_each(service, service.cancel, ANONYMOUS, ALL, limit=10, cursor=cursor)
        cursor = report.cursor
        counts.append(report.count)
    assert (counts, cursor) == ([1, 1, 0], None)
    assert set(await statuses(store, jobs)) == {Status.CANCELLED}


@pytest.mark.parametrize(
    ("age_seconds", "left"), [(50, [True, True, False, False]), (0, [False] * 4), (1_000, [True] * 4)]
)
async def test_only_jobs_accepted_before_the_moment_are_selected(
    service: ImageService, store: JobStore, storage: FileStorage, age_seconds: float, left: list[bool]
) -> None:
    jobs = await accepted(store, storage, 1, 40, 60, 100)
    selection = Selection(before=now() - timedelta(seconds=age_seconds))
    await for_each(service, service.remove, ANONYMOUS, selection, limit=10)
    assert [status is not None for status in await statuses(store, jobs)] == left
    assert [(await storage.look_up(job.id)).record is not None for job in jobs] == left


@pytest.mark.parametrize(("moment", "count"), [("0001-01-01T00:00:00Z", 0), ("9999-12-31T00:00:00Z", 1)])
async def test_any_moment_will_do(
    service: ImageService, store: JobStore, storage: FileStorage, moment: str, count: int
) -> None:
    await accepted(store, storage, 1)
    selection = Selection(before=datetime.fromisoformat(moment))
    assert (await for_each(service, service.cancel, ANONYMOUS, selection, limit=10)).count == count


async def test_other_tenants_jobs_are_left_alone(service: ImageService, store: JobStore, storage: FileStorage) -> None:
    jobs = await accepted(store, storage, 1, 2, tenant="ada") + await accepted(store, storage, 3, tenant="bob")
    report = await for_each(service, service.remove, Caller(tenant="ada"), ALL, limit=10)
    assert report == BulkReport(2, {}, None)
    assert await statuses(store, jobs) == [None, None, Status.WAITING]


async def test_an_entry_without_a_job_is_passed_over(
    service: ImageService, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    (job,) = await accepted(store, storage, 1)
    gone = a_job(id=new_id())
    await store.add(gone)
    await redis.delete(f"quickthumb:job:{gone.id}")
    assert await for_each(service, service.cancel, ANONYMOUS, ALL, limit=10) == BulkReport(1, {}, None)
    assert await statuses(store, [job]) == [Status.CANCELLED]


async def test_only_what_a_search_finds_is_changed(
    service: ImageService, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP", 1)
    monkeypatch.setattr(search, "MOST_EXAMINED", 2)
    sources = [Source(filename=f"{name}.jpg", format="jpeg") for name in ("cat", "dog", "bird", "cow", "cat")]
    jobs = [(await accepted(store, storage, number, source=source))[0] for number, source in enumerate(sources)]
    selection = Selection(filename="CAT")
    dry = await for_each(service, look_only, ANONYMOUS, selection, limit=10)
    assert dry == BulkReport(2, {}, None)
    first = await for_each(service, service.cancel, ANONYMOUS, selection, limit=1)
    assert (first.count, first.cursor is None) == (1, False)
    rest = await for_each(service, service.cancel, ANONYMOUS, selection, limit=10, cursor=first.cursor)
    assert rest == BulkReport(1, {}, None)
    cancelled = [status is Status.CANCELLED for status in await statuses(store, jobs)]
    assert cancelled == [True, False, False, False, True]


async def test_a_search_that_finds_nothing_ends_in_time(
    service: ImageService, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP", 1)
    monkeypatch.setattr(search, "MOST_EXAMINED", 1)
    monkeypatch.setattr(bulk, "BULK_SECONDS", 0.0)
    await accepted(store, storage, 0, 1)
    report = await for_each(service, service.cancel, ANONYMOUS, Selection(format="tiff"), limit=10)
    assert (report.count, report.cursor is None) == (0, False)


async def test_jobs_are_changed_by_their_ids(
    service: ImageService, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    jobs = await accepted(store, storage, 0, 1, 2)
    (others,) = await accepted(store, storage, 3, tenant="ada")
    await failed(attempts, storage, jobs[0])
    ids = [jobs[0].id, jobs[1].id, others.id, new_id()]
    dry = await for_named(look_closely(service, [Status.WAITING]), ANONYMOUS, ids)
    assert dry == BulkReport(1, {"wrong_state": 1, "unknown_job": 2}, None)
    assert await statuses(store, jobs) == [Status.FAILED, Status.WAITING, Status.WAITING]
    report = await for_named(service.cancel, ANONYMOUS, ids)
    assert report == BulkReport(1, {"wrong_state": 1, "unknown_job": 2}, None)
    assert await statuses(store, [*jobs, others]) == [
        Status.FAILED,
        Status.CANCELLED,
        Status.WAITING,
        Status.WAITING,
    ]
