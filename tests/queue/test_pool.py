"""How the pool answers arq: in time, and never with an exception."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from arq import Retry
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from quickthumb.model.job import Job, Status
from quickthumb.queue import codec
from quickthumb.queue import pool as module
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import FOREVER, connect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.pool import LONGEST_SLEEP_SECONDS, WakingPool
from tests.chaos.fleet import free_port
from tests.chaos.proxy import Cut, Proxy
from tests.redis_fixtures import a_job, claimed, put_back
from tests.redis_server import RedisServer
from tests.waiting import wait_until


async def read(pool: WakingPool, most: int = 10) -> list[bytes]:
    """The queue as arq reads it."""
    ids = await pool.zrangebyscore(KEYS.queue, min=float("-inf"), start=0, num=most, max=0)
    assert isinstance(ids, list)
    return ids


async def sleeping(redis: Redis) -> bool:
    return bool("blpop" in {client["cmd"] for client in await redis.client_list()})


async def added(store: JobStore, **changes: Any) -> Job:
    job = a_job(**changes)
    await store.add(job)
    return job


async def test_what_is_due_is_read_at_once_oldest_first(pool: WakingPool, store: JobStore) -> None:
    newer, older = await added(store), await added(store, age_seconds=5)
    begun = time.monotonic()
    assert await read(pool) == [older.id.encode(), newer.id.encode()]
    assert await read(pool, most=1) == [older.id.encode()]
    assert time.monotonic() - begun < LONGEST_SLEEP_SECONDS / 2


class Places:
    """A worker's places for large jobs, as its pool asks for them."""

    def __init__(self, pool: WakingPool) -> None:
        self.are_free, self.decided = True, 0
        pool.takes_large = lambda: self.are_free
        pool.large_decided = lambda: self.decided


async def begin(pool: WakingPool, job_id: bytes) -> None:
    """Starts a job as arq does."""
    async with pool.pipeline(transaction=True) as pipeline:
        pipeline.psetex(KEYS.lease(job_id.decode()), 10_000, b"1")
        await pipeline.execute()


async def large_and_small(store: JobStore) -> list[bytes]:
    jobs = [a_job(age_seconds=age) for age in (40, 30, 20, 10)]
    for job, is_large in zip(jobs, (True, True, True, False), strict=True):
        await store.add(job, is_large=is_large)
    return [job.id.encode() for job in jobs]


async def test_large_jobs_are_handed_out_one_by_one_once_the_last_one_was_decided_on(
    pool: WakingPool, store: JobStore
) -> None:
    places, (first, second, third, small) = Places(pool), await large_and_small(store)
    assert await read(pool) == [first, small]
    await begin(pool, first)
    for _ in range(3):
        assert await read(pool) == [small]
    places.decided += 1
    assert await read(pool) == [second, small]
    await begin(pool, second)
    places.are_free, places.decided = False, 2
    assert await read(pool) == [small]
    places.are_free = True
    assert await read(pool) == [third, small]


async def test_a_large_job_that_was_not_started_or_has_ended_undecided_holds_up_no_other(
    pool: WakingPool, store: JobStore
) -> None:
    _, (first, second, _, small) = Places(pool), await large_and_small(store)
    assert await read(pool) == [first, small]
    assert await read(pool) == [first, small]
    await begin(pool, first)
    assert await read(pool) == [small]
    async with pool.pipeline(transaction=True) as pipeline:
        pipeline.delete(KEYS.lease(first.decode()))
        pipeline.zrem(KEYS.queue, first)
        await pipeline.execute()
    assert await read(pool) == [second, small]


async def test_a_worker_without_a_place_for_large_jobs_looks_again_soon(pool: WakingPool, store: JobStore) -> None:
    places = Places(pool)
    places.are_free = False
    await store.add(a_job(), is_large=True)
    begun = time.monotonic()
    assert await read(pool) == []
    assert time.monotonic() - begun < LONGEST_SLEEP_SECONDS
    places.are_free = True
    assert len(await read(pool)) == 1


async def known_large(redis: Redis) -> set[bytes]:
    return await cast("Awaitable[set[bytes]]", redis.smembers(KEYS.large))


async def test_a_job_is_known_to_be_large_once_a_worker_found_out_and_until_it_ends(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = await added(store)
    attempt = await claimed(attempts, job.id)
    assert await attempts.settle(attempt, Status.WAITING, busy_seconds=0, found_large=True)
    assert await known_large(redis) == {job.id.encode()}
    attempt = await claimed(attempts, job.id)
    assert await attempts.settle(attempt, Status.DONE, busy_seconds=0)
    assert not await redis.exists(KEYS.large)


@pytest.mark.parametrize("end", ["cancelled", "removed", "forgotten"])
async def test_nothing_of_a_large_job_stays_however_it_ends(
    store: JobStore, attempts: Attempts, redis: Redis, end: str
) -> None:
    job = a_job()
    await store.add(job, is_large=True)
    assert await known_large(redis) == {job.id.encode()}
    if end == "cancelled":
        assert await store.cancel(job.id, job.created_at)
    elif end == "removed":
        assert await store.remove(job.id)
    else:
        await redis.delete(KEYS.record(store.kind, job.id))
        await attempts.claim(store.kind, job.id, "token", lease_seconds=5)
    assert not await redis.exists(KEYS.large)


async def test_with_nothing_due_it_sleeps_for_a_while(pool: WakingPool, redis: Redis) -> None:
    begun = time.monotonic()
    reading = asyncio.create_task(read(pool))
    await wait_until(lambda: sleeping(redis))
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert await reading == []
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before <= 1
    assert LONGEST_SLEEP_SECONDS * 0.9 <= time.monotonic() - begun < LONGEST_SLEEP_SECONDS + 1


async def test_a_paused_worker_gets_no_job_and_shows_no_sign_of_health(
    pool: WakingPool, store: JobStore, redis: Redis
) -> None:
    job = await added(store)
    pool.pause("its storage is away")
    assert pool.paused_for == "its storage is away"
    assert await read(pool) == []
    await pool.psetex("health", 5_000, b"well")
    assert not await redis.exists("health")
    pool.resume()
    assert await read(pool) == [job.id.encode()]
    await pool.psetex("health", 5_000, b"well")
    assert await redis.get("health") == b"well"


async def test_a_new_job_wakes_it(pool: WakingPool, store: JobStore, redis: Redis) -> None:
    reading = asyncio.create_task(read(pool))
    await wait_until(lambda: sleeping(redis))
    begun = time.monotonic()
    job = await added(store)
    assert await reading == []  # arq checks whether it must stop, and reads again
    assert await read(pool) == [job.id.encode()]
    assert time.monotonic() - begun < LONGEST_SLEEP_SECONDS / 4


async def test_each_new_job_wakes_one_of_those_who_sleep(redis_url: str, store: JobStore, redis: Redis) -> None:
    pools = [connect(redis_url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=5.0) for _ in range(3)]
    readings = [asyncio.create_task(read(pool)) for pool in pools]

    async def all_sleep() -> bool:
        return [client["cmd"] for client in await redis.client_list()].count("blpop") == 3

    await wait_until(all_sleep)
    await added(store)
    done, _ = await asyncio.wait(readings, timeout=LONGEST_SLEEP_SECONDS / 2)
    assert len(done) == 1
    await asyncio.gather(*readings)
    for pool in pools:
        await pool.aclose()


async def test_an_old_token_wakes_nobody_twice(
    pool: WakingPool, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = await added(store)
    await claimed(attempts, job.id, lease_seconds=5)
    assert await redis.exists(KEYS.wake)
    assert await read(pool) == []
    assert not await redis.exists(KEYS.wake)


async def test_running_jobs_at_the_head_hide_nothing_behind_them(
    pool: WakingPool, store: JobStore, attempts: Attempts
) -> None:
    for age in range(300, 0, -1):
        job = await added(store, age_seconds=age)
        await claimed(attempts, job.id, lease_seconds=30)
    waiting = [await added(store), await added(store)]
    assert sorted(await read(pool, most=5)) == sorted(job.id.encode() for job in waiting)


async def test_a_job_whose_lease_lapsed_is_due_again(pool: WakingPool, store: JobStore, attempts: Attempts) -> None:
    job = await added(store)
    await claimed(attempts, job.id, lease_seconds=0.3)
    begun = time.monotonic()
    while not (ids := await read(pool)):
        assert time.monotonic() - begun < 5
    assert ids == [job.id.encode()]
    assert time.monotonic() - begun < 0.3 + 2 * LONGEST_SLEEP_SECONDS


async def test_a_deferred_entry_becomes_due_on_time(pool: WakingPool, redis: Redis) -> None:
    due = time.time() + 0.3
    await redis.zadd(KEYS.queue, {"later": due * 1000})
    assert await read(pool) == []  # the sleep, after which arq reads again
    assert await read(pool) == [b"later"]
    assert due - 0.01 <= time.time() < due + LONGEST_SLEEP_SECONDS / 2


async def test_arqs_mark_is_no_longer_than_a_lease(pool: WakingPool, redis: Redis) -> None:
    async with pool.pipeline(transaction=True) as pipe:
        pipe.psetex(KEYS.lease("job"), 310_000, b"1")
        pipe.psetex("something else", 60_000, b"1")
        await pipe.execute()
    assert 4_000 < await redis.pttl(KEYS.lease("job")) <= 5_000
    assert await redis.pttl("something else") > 50_000


async def test_arq_does_not_end_what_is_to_be_left_alone(pool: WakingPool, redis: Redis) -> None:
    async def arq_ends(job_id: str) -> None:
        async with pool.pipeline(transaction=True) as pipe:
            pipe.zrem(KEYS.queue, job_id)
            pipe.delete(KEYS.lease(job_id), KEYS.call(job_id))
            await pipe.execute()

    for job_id in ("taken", "mine"):
        await redis.zadd(KEYS.queue, {job_id: 1})
        await redis.set(KEYS.lease(job_id), "token", ex=60)
    pool.leave_alone("taken")
    await arq_ends("taken")
    await arq_ends("mine")
    assert await redis.zrange(KEYS.queue, 0, -1) == [b"taken"]
    assert await redis.exists(KEYS.lease("taken"), KEYS.lease("mine")) == 1
    await arq_ends("taken")
    assert not await redis.exists(KEYS.queue)


@asynccontextmanager
async def arq_worker(pool: WakingPool, work: Callable[..., Awaitable[None]]) -> AsyncIterator["asyncio.Task[None]"]:
    """arq's own worker on the pool, in this process; it must still be running at the end."""
    worker = Worker(
        [func(work, name="process")],  # type: ignore[arg-type]
        queue_name=KEYS.queue,
        redis_pool=pool,
        handle_signals=False,
        poll_delay=0.01,
        max_jobs=4,
        keep_result=0,
        max_tries=1_000,
        health_check_interval=1,
        job_serializer=codec.dump,
        job_deserializer=codec.load,
    )
    task = asyncio.create_task(worker.async_run())
    try:
        yield task
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, *worker.tasks.values(), return_exceptions=True)


@pytest.fixture
def quick_to_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TROUBLED_SECONDS", 0.05)


@pytest.mark.usefixtures("quick_to_look_again")
@pytest.mark.parametrize("moment", ["WATCH", "EXISTS", "ZSCORE", "MULTI"])
async def test_a_connection_cut_while_arq_looks_at_a_job_delays_it_and_no_more(
    redis_url: str, store: JobStore, redis: Redis, moment: str
) -> None:
    """The connection breaks between any two of the steps with which arq starts a job."""
    said: list[bytes] = []
    done: list[str] = []

    def cut_once(data: bytes) -> Cut | None:
        said.append(data)
        looks = b"\r\nWATCH\r\n" in b"".join(said)
        return Cut.BEFORE if looks and not proxy.cuts and f"\r\n{moment}\r\n".encode() in data else None

    async def work(_: dict[str, Any], job_id: str) -> None:
        done.append(job_id)

    async with Proxy(redis_url, free_port()) as proxy:
        proxy.choose = cut_once
        async with connect(proxy.url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=5.0) as pool:
            job = await added(store)
            async with arq_worker(pool, work):
                await wait_until(lambda: done == [job.id])
                await wait_until(lambda: _gone(redis))
        assert proxy.cuts == [Cut.BEFORE]


async def _gone(redis: Redis) -> bool:
    return not await redis.exists(KEYS.queue)


@pytest.mark.usefixtures("quick_to_look_again")
async def test_cut_connections_lose_no_job_and_end_no_worker(pool: WakingPool, store: JobStore, redis: Redis) -> None:
    done: set[str] = set()

    async def work(_: dict[str, Any], job_id: str) -> None:
        await asyncio.sleep(0)
        done.add(job_id)

    async with arq_worker(pool, work):
        jobs = set()
        for _ in range(40):
            jobs.add((await added(store)).id)
            await redis.client_kill_filter(_type="normal", skipme=True)
        await wait_until(lambda: done == jobs, seconds=20)
        await wait_until(lambda: _gone(redis), seconds=20)


@pytest.mark.usefixtures("quick_to_look_again")
@pytest.mark.parametrize("trouble", ["read-only", "full"])
async def test_a_redis_that_takes_no_writes_is_waited_for(
    pool: WakingPool, store: JobStore, redis: Redis, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    """When Redis stops accepting writes, jobs are running, and one of them is about to be retried."""
    started, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def work(context: dict[str, Any], job_id: str) -> None:
        started.set()
        await go_on.wait()
        if job_id == again.id and context["job_try"] == 1:
            raise Retry(defer=0.01)
        done.append(job_id)

    first, again = await added(store), await added(store)
    async with arq_worker(pool, work):
        await asyncio.wait_for(started.wait(), 5)
        await (redis.replicaof("127.0.0.1", "1") if trouble == "read-only" else redis.config_set("maxmemory", "1"))
        try:
            go_on.set()
            await wait_until(lambda: "refuses commands: " in caplog.text)
        finally:
            await redis.replicaof("NO", "ONE")
            await redis.config_set("maxmemory", "0")
        third = await added(store)
        await wait_until(lambda: set(done) == {first.id, again.id, third.id})
        await wait_until(lambda: _gone(redis))
    assert caplog.text.count("refuses commands: ") == 1


@pytest.mark.usefixtures("quick_to_look_again")
async def test_a_redis_that_is_killed_in_the_middle_is_waited_for(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as server,
        connect(server.url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=1.0) as pool,
    ):
        store = JobStore(pool, retention_seconds=60)
        started, go_on = asyncio.Event(), asyncio.Event()
        done: list[str] = []

        async def work(_: dict[str, Any], job_id: str) -> None:
            started.set()
            await go_on.wait()
            done.append(job_id)

        jobs = [await added(store) for _ in range(6)]
        async with arq_worker(pool, work):
            await asyncio.wait_for(started.wait(), 5)
            await server.kill()
            go_on.set()
            await server.start()
            await wait_until(lambda: set(done) == {job.id for job in jobs}, seconds=30)
            await wait_until(lambda: _gone(pool))


async def test_without_redis_it_gives_up_only_once_the_worker_is_to_end(tmp_path: Path) -> None:
    async with connect(
        f"unix://{tmp_path}/none", WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=1.0
    ) as pool:
        asking = asyncio.ensure_future(pool.ping())
        done, _ = await asyncio.wait([asking], timeout=0.2)
        assert not done
        pool.stop_waiting()
        with pytest.raises(RedisConnectionError):
            await asyncio.wait_for(asking, 5)
        await pool.delete("the health line")


async def test_what_was_taken_over_ends_once_though_the_first_comes_back(
    pool: WakingPool, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    """Fencing as arq sees it: the queue entry belongs to the worker that took the job over."""
    job = await added(store)
    slow = await claimed(attempts, job.id, lease_seconds=5)
    quick = await claimed(attempts, job.id, lease_seconds=5)
    assert not await put_back(attempts, slow, blameless=True, busy_seconds=0)
    found = await store.get(job.id)
    assert found is not None
    assert found.status is Status.IN_PROGRESS
    assert await redis.get(KEYS.lease(job.id)) == quick.token.encode()


@pytest.mark.parametrize("off_by_seconds", [-15, 15])
async def test_a_worker_whose_clock_is_off_runs_what_is_due_by_redis_clock(
    pool: WakingPool, store: JobStore, redis: Redis, monkeypatch: pytest.MonkeyPatch, off_by_seconds: int
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + off_by_seconds)
    monkeypatch.setattr("arq.worker.timestamp_ms", lambda: int(time.time() * 1000))
    began: list[float] = []

    async def work(context: dict[str, Any], job_id: str) -> None:
        began.append(time.monotonic())
        if context["job_try"] == 1:
            pool.postpone(job_id, 0.5)
            raise Retry(defer=0.5)

    await added(store)
    queued = time.monotonic()
    async with arq_worker(pool, work):
        await wait_until(lambda: _gone(redis))
    first, second = began
    assert first - queued < LONGEST_SLEEP_SECONDS
    assert 0.45 < second - first < 0.5 + 2 * LONGEST_SLEEP_SECONDS


async def test_arq_starts_nothing_that_was_put_off_since_it_was_read(pool: WakingPool, store: JobStore) -> None:
    job = await added(store)
    assert await read(pool) == [job.id.encode()]

    async def score() -> float | None:
        async with pool.pipeline(transaction=True) as pipe:
            await pipe.watch(KEYS.lease(job.id))
            found: float | None = await pipe.zscore(KEYS.queue, job.id)
            return found

    due = await score()
    assert due is not None
    assert due <= time.time() * 1000
    await pool.zincrby(KEYS.queue, 1, job.id)
    assert await score() is None
