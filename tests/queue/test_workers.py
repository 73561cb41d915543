"""What workers say of themselves, as others read it."""

from dataclasses import replace

from redis.asyncio import Redis

from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.tally import WORKER_SILENCE_SECONDS
from quickthumb.queue.workers import Report, Running, Worker, Workers

REPORT = Report(
    host="images-1",
    pid=4711,
    version="0.1.0",
    started_at=1_700_000_000.5,
    threads=3,
    busy=1,
    stuck=0,
    memory_bytes=10**8,
    jobs_done=12,
    running=(Running("job", "0" * 32, 1, 1_700_000_100.25),),
)


async def test_the_last_report_of_each_worker_is_read(store: JobStore, client: Redis) -> None:
    assert await Workers(client).live() == []
    await store.heartbeat("one", report=REPORT.written())
    last = replace(REPORT, jobs_done=13, running=(), memory_bytes=None)
    await store.heartbeat("one", report=last.written())
    (found,) = await Workers(client).live()
    seconds, _ = await client.time()
    assert found == Worker("one", found.seen_at, False, last)
    assert abs(found.seen_at - seconds) < 5


async def test_a_paused_worker_is_there_with_its_reason(store: JobStore, client: Redis) -> None:
    paused = replace(REPORT, paused_for="The disk is full.")
    await store.heartbeat("one", report=REPORT.written())
    await store.heartbeat("one", paused=True, report=paused.written())
    (found,) = await Workers(client).live()
    assert (found.is_paused, found.report) == (True, paused)


async def test_a_worker_that_dies_or_signs_off_vanishes(store: JobStore, client: Redis) -> None:
    for name in ("one", "two"):
        await store.heartbeat(name, report=REPORT.written())
    await store.sign_off("one")
    assert [worker.id for worker in await Workers(client).live()] == ["two"]
    assert not await client.exists(KEYS.worker("one"))
    assert 0 < await client.ttl(KEYS.worker("two")) <= 60
    await client.zincrby(KEYS.workers, -WORKER_SILENCE_SECONDS - 1, "two")
    assert await Workers(client).live() == []


async def test_workers_of_other_releases_are_there_as_far_as_they_tell(store: JobStore, client: Redis) -> None:
    """One that sends no report, one whose report lacks what is asked for, and one that says more."""
    await store.heartbeat("earlier")
    await store.heartbeat("foreign", report=b'{"host": 1}')
    await store.heartbeat("later", report=REPORT.written().replace(b"{", b'{"mood":"fine",', 1))
    found = {worker.id: worker.report for worker in await Workers(client).live()}
    assert found == {"earlier": None, "foreign": None, "later": REPORT}
