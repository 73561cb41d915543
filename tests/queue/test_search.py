"""Finding jobs that no list has, and parts of lists: what is found, and what it costs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT, EVERY_TENANT
from quickthumb.model.job import Failure, Job, Outcome, Status, now
from quickthumb.model.selection import ContextValue, Selection
from quickthumb.model.source import Source
from quickthumb.queue import search
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.queue.search import Span, span_between
from tests.queue.test_tenants import commands
from tests.redis_fixtures import a_job


def job_of(
    filename: str | None = "cat.jpg", *, format_name: str | None = "jpeg", age_seconds: float = 0, **others: Any
) -> Job:
    """A job of a source; its tags and its context are given by name."""
    order = {"outputs": [{"name": "thumbnail"}]}
    order |= {name: others.pop(name) for name in ("tag", "context") if name in others}
    source = Source(filename=filename, format=format_name, bytes=1_000, sha256="0" * 64)
    return a_job(age_seconds=age_seconds, source=source, order=order, **others)


async def added(store: JobStore, *jobs: Job) -> list[str]:
    for job in jobs:
        await store.add(job)
    return [job.id for job in jobs]


async def found(store: JobStore, selection: Selection, tenant: str = DEFAULT_TENANT) -> list[str]:
    """The ids of all that are found, newest first."""
    ids: list[str] = []
    cursor = None
    while True:
        page = await store.search(selection, limit=2, cursor=cursor, tenant=tenant)
        assert len(page.jobs) <= 2
        assert page.total is None
        ids += [job.id for job in page.jobs]
        if page.cursor is None:
            assert page.looked_back_to is None
            return ids
        cursor = page.cursor


@pytest.fixture
async def ids(store: JobStore) -> list[str]:
    """Some jobs of `default`, the newest one first."""
    return await added(
        store,
        job_of("Cat.JPG", context={"order": {"id": 4711}, "sizes": ["s", "xl"]}, tag=["a"]),
        job_of("dog.png", format_name="png", age_seconds=10, context={"order": {"id": "4711"}}),
        job_of(None, format_name=None, age_seconds=20, tag=["a", "b"], context={"order": 4711, "id": 4711}),
        job_of("concatenate.gif", format_name="gif", age_seconds=30),
        job_of('"png".jpg', age_seconds=40, context={"größe": "weiß"}),
    )


@pytest.mark.parametrize(
    ("selection", "places"),
    [
        (Selection(format="jpeg"), [0, 4]),
        (Selection(format="png"), [1]),
        (Selection(format="tiff"), []),
        (Selection(filename="cAt"), [0, 3]),
        (Selection(filename="png"), [1, 4]),
        (Selection(filename='"png"'), [4]),
        (Selection(context=(ContextValue.read("order.id:4711"),)), [0, 1]),
        (Selection(context=(ContextValue.read("sizes:xl"),)), [0]),
        (Selection(context=(ContextValue.read("größe:weiß"),)), [4]),
        (Selection(context=(ContextValue.read("order.id:4711"), ContextValue.read("sizes:s"))), [0]),
        (Selection(format="jpeg", filename="cat", tag="a"), [0]),
        (Selection(format="jpeg", tag="b"), []),
        (Selection(format="jpeg", status=Status.WAITING), [0, 4]),
        (Selection(format="jpeg", status=Status.DONE), []),
    ],
)
async def test_jobs_are_found_by_what_they_have(
    store: JobStore, ids: list[str], selection: Selection, places: Sequence[int]
) -> None:
    assert await found(store, selection) == [ids[place] for place in places]


async def test_jobs_are_found_by_their_error(store: JobStore) -> None:
    jobs = [job_of(age_seconds=number) for number in range(4)]
    for job, code in zip(jobs, ("broken_image", "too_many_pixels", "broken_image", None), strict=True):
        # Its words are the client's, or a decoder's.
        error = code and Failure(code=code, title="It failed", detail='It says "too_many_pixels", "code":"not_square".')
        status = Status.DONE if error is None else Status.FAILED
        outcome = Outcome(status=status, finished_at=now(), source=job.source, error=error or None)
        assert await store.restore([(job, outcome)]) == [True]
    assert await found(store, Selection(error="broken_image")) == [jobs[0].id, jobs[2].id]
    assert await found(store, Selection(error="too_many_pixels")) == [jobs[1].id]
    assert await found(store, Selection(error="not_square")) == []


async def test_parts_of_a_list_are_found_by_time(store: JobStore, ids: list[str]) -> None:
    moment = now()
    old, young = moment - timedelta(seconds=25), moment - timedelta(seconds=5)
    assert await found(store, Selection(format="jpeg", before=young)) == [ids[4]]
    assert await found(store, Selection(format="jpeg", after=old)) == [ids[0]]
    for after, before, places in ((old, young, [1, 2]), (None, old, [3, 4]), (young, None, [0]), (young, old, [])):
        part = [ids[place] for place in places]
        span = span_between(after, before)
        page = await store.page(status=None, limit=9, cursor=None, counts=True, span=span)
        assert [job.id for job in page.jobs] == part
        assert page.total == len(part)
        one = await store.page(status=None, limit=1, cursor=None, counts=True, span=span)
        assert one.total == len(part)
        if one.cursor is not None:
            assert one.looked_back_to == one.jobs[0].created_at
            rest = await store.page(status=None, limit=9, cursor=one.cursor, span=span)
            assert [job.id for job in (*one.jobs, *rest.jobs)] == part


async def test_a_moment_bounds_exactly(store: JobStore) -> None:
    job = job_of()
    await store.add(job)
    just_after = job.created_at + timedelta(milliseconds=1)
    for selection, count in (
        (Selection(format="jpeg", after=job.created_at), 1),
        (Selection(format="jpeg", before=job.created_at), 0),
        (Selection(format="jpeg", after=just_after), 0),
        (Selection(format="jpeg", before=just_after), 1),
    ):
        assert len(await found(store, selection)) == count


async def test_tenants_find_their_own_and_the_operator_those_of_all(store: JobStore) -> None:
    jobs = [
        job_of(age_seconds=number, tenant=tenant, tag=tags)
        for number, (tenant, tags) in enumerate([("ada", ["a"]), ("default", ["a"]), ("bob", ["b"]), ("ada", ["b"])])
    ]
    ids = await added(store, *jobs)
    wanted = Selection(format="jpeg")
    assert await found(store, wanted, "ada") == [ids[0], ids[3]]
    assert await found(store, wanted) == [ids[1]]
    assert await found(store, wanted, EVERY_TENANT) == ids
    assert await found(store, Selection(tag="a"), EVERY_TENANT) == ids[:2]
    assert await found(store, Selection(tag="b", format="jpeg"), EVERY_TENANT) == ids[2:]
    assert await found(store, Selection(tag="b", format="jpeg"), "ada") == [ids[3]]
    page = await store.page(status=None, limit=2, cursor=None, tenant=EVERY_TENANT, counts=True)
    assert ([job.id for job in page.jobs], page.total) == (ids[:2], 4)


async def test_a_search_looks_at_a_bounded_number_of_jobs(
    store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP", 3)
    monkeypatch.setattr(search, "MOST_EXAMINED", 6)
    jobs = [job_of(format_name="png" if number == 8 else "jpeg", age_seconds=number) for number in range(12)]
    await added(store, *jobs)
    wanted = Selection(format="png")
    await store.search(wanted, limit=5, cursor=None, tenant="default")  # the script is known from now on
    before = await commands(redis)
    first = await store.search(wanted, limit=5, cursor=None, tenant="default")
    # Two calls, each with the entries and the fields of three jobs; one that asked.
    assert await commands(redis) - before - 1 == 2 + 2 + 6
    assert (first.jobs, first.looked_back_to) == ((), jobs[5].created_at)
    second = await store.search(wanted, limit=5, cursor=first.cursor, tenant="default")
    assert [job.id for job in second.jobs] == [jobs[8].id]
    assert second.looked_back_to == jobs[11].created_at
    last = await store.search(wanted, limit=5, cursor=second.cursor, tenant="default")
    assert (last.jobs, last.cursor) == ((), None)
    assert await found(store, wanted) == [jobs[8].id]


async def test_an_entry_without_a_job_is_not_found(store: JobStore, redis: Redis) -> None:
    jobs = [job_of(age_seconds=number) for number in range(3)]
    await added(store, *jobs)
    await redis.delete(KEYS.record(JOB, jobs[1].id))
    assert await found(store, Selection(filename="cat")) == [jobs[0].id, jobs[2].id]


def test_a_span_goes_on_behind_the_cursor_but_not_outside() -> None:
    moment = now()
    span = span_between(moment - timedelta(seconds=1), moment)
    newer, older = f"9999999999999:{'0' * 32}", f"0000000000001:{'0' * 32}"
    assert span.following(None) == span.following(newer) == span
    assert span.following(older) == Span(f"({older}", span.lowest)
    assert Span().following(newer) == Span(f"({newer}", "-")
