"""The stream of events: what it holds, how it is read again, and the one connection that reads it for all."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Outcome, Result, Status, now
from quickthumb.queue import events, feed
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.batches import BatchJobs
from quickthumb.queue.connection import connect
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.events import BEGINNING, Event, EventLog, read_cursor
from quickthumb.queue.feed import EventFeed, Listener
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS, MOST_EVENTS
from tests.queue.test_emails import an_email
from tests.redis_fixtures import JOBS, RETENTION_SECONDS, a_job, claimed, finished, put_back
from tests.redis_server import RedisServer
from tests.waiting import wait_until

if TYPE_CHECKING:
    from quickthumb.model.job import Job


@pytest.fixture
def log(client: Redis) -> EventLog:
    return EventLog(client, kind=JOBS)


@pytest.fixture
async def reader(client: Redis) -> AsyncIterator[EventFeed]:
    reader = EventFeed(client)
    yield reader
    await reader.close()


def done(job: "Job") -> Outcome:
    return Outcome(status=Status.DONE, finished_at=now(), source=job.source)


async def next_of(listener: Listener) -> Event:
    async with asyncio.timeout(5):
        while (event := listener.take()) is None:
            await listener.changed.wait()
            listener.changed.clear()
    return event


async def reads_again(reader: EventFeed) -> None:
    await wait_until(lambda: reader._reading.is_set())


async def test_a_job_expires_at_the_same_moment_in_events_in_batches_and_alone(
    store: JobStore, attempts: Attempts, log: EventLog, client: Redis
) -> None:
    job = a_job()
    await store.add(job)
    await finished(attempts, await claimed(attempts, job.id), done(job))
    alone = await store.get(job.id)
    assert alone is not None
    assert alone.finished_at is not None
    assert alone.expires_at == alone.finished_at + timedelta(seconds=RETENTION_SECONDS)
    assert (await log.moment([job.id])).jobs[job.id].expires_at == alone.expires_at
    (in_batch,) = await BatchJobs(client, store).read([job.id])
    assert in_batch == alone


async def test_a_life_is_told_in_order(store: JobStore, attempts: Attempts, log: EventLog, reader: EventFeed) -> None:
    job, listener = a_job(tenant="shop"), Listener("shop")
    async with reader.listening(listener, None):
        await store.add(job)
        await store.add(a_job())  # of another tenant
        assert await put_back(attempts, await claimed(attempts, job.id))
        attempt = await claimed(attempts, job.id)
        result = Result(name="small", filename="small.jpg", format="jpeg", width=8, height=6, bytes=99)
        await log.tell_results(attempt, [result])
        assert await finished(attempts, attempt, done(job))
        await store.remove(job.id)
        told = [await next_of(listener) for _ in range(7)]
    assert [(event.status, event.attempt, event.result) for event in told] == [
        (Status.WAITING, None, None),
        (Status.IN_PROGRESS, 1, None),
        (Status.WAITING, 1, None),
        (Status.IN_PROGRESS, 2, None),
        (None, 2, result),
        (Status.DONE, 2, None),
        (None, None, None),
    ]
    assert {(event.job_id, event.tenant) for event in told} == {(job.id, "shop")}
    assert [event.cursor for event in told] == sorted({event.cursor for event in told})


async def test_emails_are_not_among_the_events(client: Redis, log: EventLog, reader: EventFeed) -> None:
    listener, job = Listener(), a_job()
    async with reader.listening(listener, None):
        await EmailStore(client).add(an_email(), most=5)
        await JobStore(client, retention_seconds=RETENTION_SECONDS).add(job)
        assert (await next_of(listener)).job_id == job.id


async def test_a_moment_is_jobs_and_the_place_of_the_stream(store: JobStore, log: EventLog) -> None:
    assert (await log.moment([])).cursor == BEGINNING
    job, unknown = a_job(), a_job()
    await store.add(job)
    moment = await log.moment([unknown.id, job.id])
    assert list(moment.jobs.values()) == [job]
    assert await log.since(moment.cursor) == []
    await store.cancel(job.id, now())
    assert [event.status for event in await log.since(moment.cursor) or ()] == [Status.CANCELLED]


async def test_what_is_no_longer_there_cannot_be_gone_on_from(
    store: JobStore, log: EventLog, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    monkeypatch.setattr(events, "MOST_REPLAYED", 3)
    places = []
    for _ in range(5):
        await store.add(a_job())
        places.append((await log.moment([])).cursor)
    assert await log.since(places[0]) is None  # too many
    assert len(await log.since(places[1]) or ()) == 3
    await redis.xtrim(KEYS.events, maxlen=2, approximate=False)
    assert await log.since(places[2]) is None
    assert len(await log.since(places[3]) or ()) == 1
    assert await log.since((2**64 - 1, 2**64 - 1)) is None
    await redis.flushall()
    assert await log.since(places[4]) is None


@pytest.mark.parametrize(
    "text", ["", "0", "1-", "-1", "1-1-1", "$", "1.5-0", "1-18446744073709551616", "9" * 99, "١-0"]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert read_cursor(text) is None


async def test_the_stream_is_bounded(store: JobStore, redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for _ in range(2 * MOST_EVENTS):
            pipeline.xadd(KEYS.events, {"kind": "jobs"})
        await pipeline.execute()
    await store.add(a_job())
    assert MOST_EVENTS <= await redis.xlen(KEYS.events) < 1.1 * MOST_EVENTS


async def test_the_reader_ends_when_nobody_listens(
    reader: EventFeed, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "IDLE_SECONDS", 0.05)
    for _ in range(2):
        listener, job = Listener(), a_job()
        async with reader.listening(listener, [job.id]):
            assert reader.is_reading
            await store.add(job)
            assert (await next_of(listener)).job_id == job.id
        await wait_until(lambda: not reader.is_reading)


async def test_a_listener_that_takes_nothing_loses_what_it_missed(
    reader: EventFeed, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_PENDING", 3)
    slow, quick = Listener(), Listener()
    async with reader.listening(slow, None), reader.listening(quick, None):
        for _ in range(5):
            await store.add(a_job())
            await next_of(quick)
        assert slow.is_behind
        assert slow.take() is None


async def test_a_wiped_redis_is_noticed(reader: EventFeed, store: JobStore, redis: Redis) -> None:
    listener, job = Listener(), a_job()
    async with reader.listening(listener, None):
        await store.add(job)
        await next_of(listener)
        await redis.flushall()
        await wait_until(lambda: listener.is_behind)
        listener.is_behind = False
        await store.add(job)
        assert (await next_of(listener)).job_id == job.id


async def test_a_redis_whose_clock_went_back_is_noticed(reader: EventFeed, store: JobStore, redis: Redis) -> None:
    listener = Listener()
    async with reader.listening(listener, None):
        await redis.xadd(KEYS.events, {"kind": "none"}, id="99999999999999-0")
        await wait_until(lambda: reader._at == (99999999999999, 0))
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(KEYS.events)
            pipeline.xadd(KEYS.events, {"kind": "none"}, id="5-0")
            await pipeline.execute()
        await wait_until(lambda: listener.is_behind)
        await store.add(a_job())
        listener.is_behind = False
        await wait_until(lambda: reader._at is not None and reader._at < (99999999999999, 0))


async def test_nothing_is_lost_over_a_restart_of_redis(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, connect(server.url, Redis, attempts=1, answer_seconds=0.5) as client:
        reader, store, listener = EventFeed(client), JobStore(client, retention_seconds=RETENTION_SECONDS), Listener()
        async with reader.listening(listener, None):
            first, second = a_job(), a_job()
            await store.add(first)
            assert (await next_of(listener)).job_id == first.id
            await server.stop()
            await server.start()
            await store.add(second)
            assert (await next_of(listener)).job_id == second.id
            assert not listener.is_behind
        await reader.close()
