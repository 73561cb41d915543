"""How the pool answers arq: in time, and never with an exception."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from quickthumb.model.email import Email
from quickthumb.model.job import Job, Status, new_id, now, to_milliseconds
from quickthumb.queue import codec
from quickthumb.queue import pool as module
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.connection import FOREVER, connect
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import EMAIL, JOB, KEYS
from quickthumb.queue.pool import LONGEST_SLEEP_SECONDS, WakingPool
from tests.chaos.fleet import free_port
from tests.chaos.proxy import Cut, Proxy
from tests.redis_fixtures import a_job, claim, claimed, put_back
from tests.redis_server import RedisServer
from tests.waiting import wait_until

Work = Callable[[Attempt], Awaitable[bool]]
# After that time, what was not done is due again.
RETRY_SECONDS = 0.01


def a_pool(url: str, *, places: int = 10, lease_seconds: float = 5.0) -> WakingPool:
    return connect(url, WakingPool, attempts=FOREVER, answer_seconds=None, lease_seconds=lease_seconds, places=places)


async def read(pool: WakingPool) -> list[bytes]:
    """The queue as arq reads it."""
    ids = await pool.zrangebyscore(KEYS.queue, min=float("-inf"), start=0, num=100, max=0)
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
    assert time.monotonic() - begun < LONGEST_SLEEP_SECONDS / 2


async def test_it_claims_no_more_than_there_are_places_for(redis_url: str, store: JobStore, redis: Redis) -> None:
    jobs = [await added(store, age_seconds=age) for age in (50, 40, 30, 20, 10)]
    async with a_pool(redis_url, places=3) as pool:
        assert await read(pool) == [job.id.encode() for job in jobs[:3]]
        for job in jobs[:3]:
            await begin(pool, job.id.encode())
        reading = asyncio.create_task(read(pool))
        await asyncio.sleep(0)
        assert not await sleeping(redis)
        await end(pool, jobs[1].id.encode())
        assert await asyncio.wait_for(reading, LONGEST_SLEEP_SECONDS / 2) == []  # arq checks whether it must stop
        assert await read(pool) == [jobs[3].id.encode()]


async def statuses(store: JobStore, jobs: Iterable[Job]) -> list[tuple[Status, int]]:
    """The status of each job, and how many attempts it had."""
    found = [await store.get(job.id) for job in jobs]
    return [(job.status, job.attempts) for job in found if job is not None]


async def test_what_arq_does_not_start_goes_back_without_a_strike_before_the_next_read(
    pool: WakingPool, store: JobStore
) -> None:
    older, newer = await added(store, age_seconds=20), await added(store, age_seconds=10)
    assert await read(pool) == [older.id.encode(), newer.id.encode()]
    await begin(pool, older.id.encode())
    assert await read(pool) == [newer.id.encode()]
    attempt = pool.begin(newer.id)
    assert (attempt.number, attempt.strike) == (2, 1)


@pytest.mark.parametrize("is_started", [False, True])
async def test_at_the_end_what_was_not_begun_goes_back_without_a_strike(
    pool: WakingPool, store: JobStore, attempts: Attempts, redis: Redis, is_started: bool
) -> None:
    begun, idle = await added(store, age_seconds=20), await added(store, age_seconds=10)
    await read(pool)
    await begin(pool, begun.id.encode())
    pool.begin(begun.id)
    if is_started:  # but cancelled before its first step
        await begin(pool, idle.id.encode())
    await redis.delete(KEYS.wake)
    await pool.give_back()
    assert await statuses(store, [begun, idle]) == [(Status.IN_PROGRESS, 1), (Status.WAITING, 1)]
    assert await redis.exists(KEYS.wake)
    assert (await claimed(attempts, idle.id)).strike == 1


@pytest.mark.usefixtures("quick_to_look_again")
async def test_what_redis_refuses_to_put_back_is_put_back_later(redis_url: str, store: JobStore, redis: Redis) -> None:
    """Even if it has all the places."""
    job = await added(store)
    async with a_pool(redis_url, places=1) as pool:
        assert await read(pool) == [job.id.encode()]
        await redis.config_set("maxmemory", "1")
        try:
            assert await read(pool) == []
        finally:
            await redis.config_set("maxmemory", "0")
        assert await read(pool) == [job.id.encode()]
        attempt = pool.begin(job.id)
    assert (attempt.number, attempt.strike) == (2, 1)


async def test_at_the_end_what_was_claimed_in_a_read_that_was_cut_short_goes_back(
    redis_url: str, store: JobStore, attempts: Attempts
) -> None:
    """The worker is told to stop after Redis carried out the claim and before its answer was here."""
    job = await added(store)
    async with Proxy(redis_url, free_port()) as proxy, a_pool(proxy.url) as pool:
        await pool.give_back()  # which sends the script
        proxy.choose = lambda data: Cut.BEFORE_ANSWER if b"EVALSHA" in data else None
        reading = asyncio.create_task(read(pool))
        await wait_until(lambda: _runs(store, job))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        proxy.choose = lambda data: None
        await pool.give_back()
    assert await statuses(store, [job]) == [(Status.WAITING, 1)]
    assert (await claimed(attempts, job.id)).strike == 1


async def _runs(store: JobStore, job: Job) -> bool:
    return await statuses(store, [job]) == [(Status.IN_PROGRESS, 1)]


async def test_giving_back_without_redis_is_no_trouble(tmp_path: Path) -> None:
    async with a_pool(f"unix://{tmp_path}/none") as pool:
        pool.stop_waiting()
        await pool.give_back()


async def test_what_was_claimed_while_the_worker_was_paused_goes_back(pool: WakingPool, store: JobStore) -> None:
    job = await added(store)
    reading = asyncio.create_task(read(pool))
    await asyncio.sleep(0)  # the read has begun
    pool.pause("its storage is away")
    assert await reading == []
    assert await statuses(store, [job]) == [(Status.WAITING, 1)]


async def test_a_job_that_comes_back_before_its_last_run_here_has_ended_waits_a_moment(
    pool: WakingPool, store: JobStore, redis: Redis
) -> None:
    """The lease lapsed, and the handler does not hear its cancellation."""
    job = await added(store)
    assert await read(pool) == [job.id.encode()]
    await begin(pool, job.id.encode())
    first = pool.begin(job.id)
    await redis.delete(KEYS.lease(job.id))
    for _ in range(2):  # the sleep, after which arq reads again
        assert await read(pool) == []
    assert await statuses(store, [job]) == [(Status.WAITING, 2)]
    assert pool.begin(job.id) is first
    await end(pool, job.id.encode())
    await wait_until(lambda: _due(redis, job))
    assert await read(pool) == [job.id.encode()]


async def _due(redis: Redis, job: Job) -> bool:
    seconds, _ = await redis.time()
    return bool(await redis.zscore(KEYS.queue, job.id) <= seconds * 1000)


class Places:
    """A worker's places for large jobs, as its pool asks for them."""

    def __init__(self, pool: WakingPool) -> None:
        self.are_free, self.decided = True, 0
        pool.takes_large = lambda: self.are_free
        pool.large_decided = lambda: self.decided


async def begin(pool: WakingPool, job_id: bytes) -> None:
    """Starts a job as arq does."""
    lease = KEYS.lease(job_id.decode())
    async with pool.pipeline(transaction=True) as pipeline:
        await pipeline.watch(lease)
        assert not await pipeline.exists(lease)
        due_ms = await pipeline.zscore(KEYS.queue, job_id.decode())
        assert due_ms
        assert due_ms <= time.time() * 1000
        pipeline.multi()
        pipeline.psetex(lease, 310_000, b"1")
        await pipeline.execute()


async def end(pool: WakingPool, job_id: bytes) -> None:
    """Ends a run as arq does."""
    async with pool.pipeline(transaction=True) as pipeline:
        pipeline.zrem(KEYS.queue, job_id.decode())
        pipeline.delete(KEYS.lease(job_id.decode()), KEYS.call(job_id.decode()))
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
        assert await read(pool) == [small]  # which goes back before each read, since it is not started
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
    await store.cancel(first.decode(), now())
    await end(pool, first)
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
        assert await claim(attempts, store.kind, job.id) is None
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


async def test_a_read_that_got_all_is_followed_by_a_sleep_that_a_new_job_ends(
    pool: WakingPool, store: JobStore, redis: Redis
) -> None:
    job = await added(store)
    assert await read(pool) == [job.id.encode()]
    assert not await redis.exists(KEYS.wake)
    await begin(pool, job.id.encode())
    calls = await scripts_run(redis)
    reading = asyncio.create_task(read(pool))
    await wait_until(lambda: sleeping(redis))
    assert await scripts_run(redis) == calls
    other = await added(store)
    assert await reading == []
    assert await read(pool) == [other.id.encode()]


async def test_a_job_that_is_queued_before_that_sleep_is_not_slept_over(pool: WakingPool, store: JobStore) -> None:
    job = await added(store)
    assert await read(pool) == [job.id.encode()]
    await begin(pool, job.id.encode())
    other = await added(store)
    begun = time.monotonic()
    assert await read(pool) == []
    assert await read(pool) == [other.id.encode()]
    assert time.monotonic() - begun < LONGEST_SLEEP_SECONDS / 4


async def scripts_run(redis: Redis) -> int:
    return int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_each_new_job_wakes_one_of_those_who_sleep(redis_url: str, store: JobStore, redis: Redis) -> None:
    pools = [a_pool(redis_url) for _ in range(3)]
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


async def test_a_job_whose_lease_lapsed_is_due_again(pool: WakingPool, store: JobStore, attempts: Attempts) -> None:
    job = await added(store)
    await claimed(attempts, job.id, lease_seconds=0.3)
    begun = time.monotonic()
    while not (ids := await read(pool)):
        assert time.monotonic() - begun < 5
    assert ids == [job.id.encode()]
    assert time.monotonic() - begun < 0.3 + 2 * LONGEST_SLEEP_SECONDS


async def test_a_deferred_entry_becomes_due_on_time(pool: WakingPool, store: JobStore, redis: Redis) -> None:
    job, due = await added(store), time.time() + 0.3
    await redis.zadd(KEYS.queue, {job.id: due * 1000})
    while not (ids := await read(pool)):  # the sleep, after which arq reads again
        assert time.time() < due + LONGEST_SLEEP_SECONDS / 2
    assert ids == [job.id.encode()]
    assert due - 0.01 <= time.time() < due + LONGEST_SLEEP_SECONDS / 2


@asynccontextmanager
async def arq_worker(pool: WakingPool, work: Work) -> AsyncIterator["asyncio.Task[None]"]:
    """arq's own worker on the pool, in this process; it must still be running at the end. `work` makes an attempt at a
    job, and returns whether the job is done."""
    attempts = Attempts(pool)

    async def process(_: dict[str, Any], job_id: str) -> None:
        attempt = pool.begin(job_id)
        status = Status.DONE if await work(attempt) else Status.WAITING
        delay_seconds = 0.0 if status is Status.DONE else RETRY_SECONDS
        await attempts.settle(attempt, status, busy_seconds=0, delay_seconds=delay_seconds)

    worker = Worker(
        [func(process, name="process")],  # type: ignore[arg-type]
        queue_name=KEYS.queue,
        redis_pool=pool,
        handle_signals=False,
        poll_delay=0.01,
        max_jobs=20,
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
@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_cut_while_a_job_is_claimed_or_settled_costs_no_attempt(
    redis_url: str, store: JobStore, redis: Redis, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is not claimed again before the worker knows that the first attempt was settled.
    monkeypatch.setattr(f"{__name__}.RETRY_SECONDS", 1.0)
    made: list[Attempt] = []

    def choose(data: bytes) -> Cut | None:
        """Cuts every second script, so that each gets through when it is sent again."""
        scripts.extend([data] if b"EVALSHA" in data else [])
        return cut if b"EVALSHA" in data and len(scripts) % 2 else None

    async def work(attempt: Attempt) -> bool:
        made.append(attempt)
        return len(made) > 1

    scripts: list[bytes] = []
    job = await added(store)
    async with Proxy(redis_url, free_port()) as proxy, a_pool(proxy.url) as pool:
        proxy.choose = choose
        async with arq_worker(pool, work):
            await wait_until(lambda: _gone(redis))
    assert [(attempt.id, attempt.number) for attempt in made] == [(job.id, 1), (job.id, 2)]
    assert cut in proxy.cuts


async def _gone(redis: Redis) -> bool:
    return not await redis.exists(KEYS.queue)


@pytest.mark.usefixtures("quick_to_look_again")
async def test_cut_connections_lose_no_job_and_end_no_worker(pool: WakingPool, store: JobStore, redis: Redis) -> None:
    done: set[str] = set()

    async def work(attempt: Attempt) -> bool:
        await asyncio.sleep(0)
        done.add(attempt.id)
        return True

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

    async def work(attempt: Attempt) -> bool:
        started.set()
        await go_on.wait()
        if attempt.id == again.id and attempt.number == 1:
            return False
        done.append(attempt.id)
        return True

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
        a_pool(server.url, lease_seconds=1.0) as pool,
    ):
        store = JobStore(pool, retention_seconds=60)
        started, go_on = asyncio.Event(), asyncio.Event()
        done: list[str] = []

        async def work(attempt: Attempt) -> bool:
            started.set()
            await go_on.wait()
            done.append(attempt.id)
            return True

        jobs = [await added(store) for _ in range(6)]
        async with arq_worker(pool, work):
            await asyncio.wait_for(started.wait(), 5)
            await server.kill()
            go_on.set()
            await server.start()
            await wait_until(lambda: set(done) == {job.id for job in jobs}, seconds=30)
            await wait_until(lambda: _gone(pool))


async def test_without_redis_it_gives_up_only_once_the_worker_is_to_end(tmp_path: Path) -> None:
    async with a_pool(f"unix://{tmp_path}/none") as pool:
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

    async def work(attempt: Attempt) -> bool:
        began.append(time.monotonic())
        return attempt.number > 1

    monkeypatch.setattr(f"{__name__}.RETRY_SECONDS", 0.5)
    await added(store)
    queued = time.monotonic()
    async with arq_worker(pool, work):
        await wait_until(lambda: _gone(redis))
    first, second = began
    assert first - queued < LONGEST_SLEEP_SECONDS
    assert 0.45 < second - first < 0.5 + 2 * LONGEST_SLEEP_SECONDS


async def test_one_email_at_a_time_takes_no_places_from_jobs(pool: WakingPool, store: JobStore, client: Redis) -> None:
    emails = EmailStore(client)
    pool.serves = {JOB: None, EMAIL: 1}
    for _ in range(2):
        await emails.add(Email(id=new_id(), address="ada@example.com", created_at=now()), most=2)
    (first,) = await read(pool)
    await begin(pool, first)
    job = await added(store)
    assert await read(pool) == [job.id.encode()]
    await end(pool, first)
    job_and_email = await read(pool)
    assert job.id.encode() in job_and_email


async def test_arq_finds_the_entry_of_what_was_claimed_and_of_nothing_else(pool: WakingPool, store: JobStore) -> None:
    job = await added(store)
    await read(pool)
    async with pool.pipeline(transaction=True) as pipeline:
        for item_id in (job.id, "stranger"):
            pipeline.get(KEYS.call(item_id))
            pipeline.incr(KEYS.tries(item_id))
            pipeline.expire(KEYS.tries(item_id), 88_400)
        entry = codec.entry_for(JOB, job.id, to_milliseconds(job.created_at))
        assert await pipeline.execute() == [entry, 1, 1, None, 1, 1]
        assert await pipeline.zscore(KEYS.queue, "stranger") is None
    with pytest.raises(LookupError):
        pool.begin("stranger")


async def test_a_job_costs_a_worker_no_more_than_two_round_trips(
    pool: WakingPool, store: JobStore, redis: Redis
) -> None:
    async def work(_: Attempt) -> bool:
        return True

    await pool.give_back()  # which sends the scripts
    jobs = [await added(store) for _ in range(20)]
    await redis.config_resetstat()
    async with arq_worker(pool, work):
        await wait_until(lambda: _gone(redis))
    calls = {name: found["calls"] for name, found in (await redis.info("commandstats")).items()}
    assert calls["cmdstat_evalsha"] <= 2 * len(jobs) + 3  # one may find nothing, and a script may have to be sent
    assert not calls.keys() & {f"cmdstat_{name}" for name in ("watch", "multi", "exec", "incr", "incrby")}


async def test_a_pipeline_that_is_no_transaction_is_redis_own(pool: WakingPool, redis: Redis) -> None:
    async with pool.pipeline(transaction=False) as pipeline:
        pipeline.set("key", 1, ex=5)
        await pipeline.execute()
    assert await redis.get("key") == b"1"
