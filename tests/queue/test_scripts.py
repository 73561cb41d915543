"""The Lua files: their inputs by name, and what each promises, on a real Redis."""

import time
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import MOVES, Status
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.queue.script import FOLDER, RegisteredScript, load
from tests.redis_fixtures import a_job, claimed, put_back

NAMES = sorted(path.stem for path in FOLDER.glob("*.lua"))
OFF_SECONDS = 15
NOTED_SECONDS = 2


async def now_ms(redis: Redis) -> float:
    seconds, microseconds = await redis.time()
    return float(seconds * 1000 + microseconds / 1000)


@pytest.fixture(params=[-OFF_SECONDS, OFF_SECONDS], ids=["a slow clock", "a fast clock"])
def off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Shifts the caller's clock by this many seconds."""
    real, seconds = time.time, float(request.param)
    monkeypatch.setattr(time, "time", lambda: real() + seconds)
    return seconds


@pytest.mark.parametrize("name", NAMES)
async def test_redis_compiles_every_script(redis: Redis, name: str) -> None:
    assert await redis.script_load(load(name).text)


@pytest.mark.parametrize("name", NAMES)
def test_every_script_says_what_it_returns_and_spells_no_key_and_no_status(name: str) -> None:
    source = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    assert "Returns" in source
    assert "quickthumb" not in source
    assert not any(f"'{status}'" in source for status in Status)


def test_inputs_go_by_name() -> None:
    keys, arguments = load("extend").inputs(key="k", value="v", seconds=5)
    assert (keys, arguments) == (["k"], ["v", 5])
    keys, arguments = load("renew").inputs(places=["r1", "l1", "r2", "l2"], lease_ms=5, tokens=["t1", "t2"])
    assert (keys, arguments) == (["r1", "l1", "r2", "l2"], [5, "t1", "t2"])


@pytest.mark.parametrize("named", [{"key": "k", "value": "v"}, {"key": "k", "value": "v", "seconds": 5, "secnods": 5}])
def test_wrong_names_are_refused(named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"seconds|secnods"):
        load("extend").inputs(**named)


async def test_a_script_takes_the_keys_that_it_declares(client: Redis) -> None:
    requeue = RegisteredScript(client, "requeue")
    places = KEYS.places(JOB, "x")
    assert await requeue(places, id="x", created_ms=1, entry="", waiting_seconds=1, wake_seconds=1) == 0


async def test_a_key_that_may_be_left_out_is_nil(redis: Redis, store: JobStore) -> None:
    await store.add(a_job())
    assert not [key async for key in redis.scan_iter("quickthumb:idempotency:*")]


def test_statuses_and_moves_are_those_of_the_model() -> None:
    text = load("acquire").text
    assert "local WAITING, IN_PROGRESS, DONE, FAILED, CANCELLED = 'WAITING'," in text
    for status, targets in MOVES.items():
        inside = ", ".join(f"[{target}] = true" for target in Status if target in targets)
        assert f"[{status}] = {{{inside}}}" in text


async def test_acquire_extend_release(client: Redis, redis: Redis) -> None:
    acquire, extend, release = (RegisteredScript(client, name) for name in ("acquire", "extend", "release"))
    assert await acquire(key="key", value="mine", seconds=10) is None
    assert await acquire(key="key", value="theirs", seconds=10) == b"mine"
    assert not await extend(key="key", value="theirs", seconds=100)
    assert await extend(key="key", value="mine", seconds=100)
    assert await redis.ttl("key") > 50
    assert not await release(key="key", value="theirs")
    assert await release(key="key", value="mine")
    assert not await redis.exists("key")


@pytest.mark.usefixtures("off")
async def test_a_clock_that_is_off_changes_no_due_time(store: JobStore, attempts: Attempts, redis: Redis) -> None:
    for age_seconds in (OFF_SECONDS, 0, -OFF_SECONDS):
        job = a_job(age_seconds=age_seconds)  # as a process with that clock would create it
        await store.add(job)
        assert await redis.zscore(KEYS.queue, job.id) <= await now_ms(redis)
    attempt = await claimed(attempts, job.id)
    found = await store.get(job.id)
    assert found is not None
    assert found.started_at is not None
    assert found.started_at.timestamp() * 1000 == pytest.approx(await now_ms(redis), abs=NOTED_SECONDS * 1000)
    await attempts.settle(attempt, Status.WAITING, busy_seconds=0, delay_seconds=5)
    assert await redis.zscore(KEYS.queue, job.id) == pytest.approx(await now_ms(redis) + 5_000, abs=1_000)


async def test_a_clock_that_is_off_lets_no_worker_seem_dead_or_alive(store: JobStore, redis: Redis, off: float) -> None:
    await store.heartbeat("worker")
    assert await redis.zscore(KEYS.workers, "worker") == pytest.approx(await now_ms(redis) / 1000, abs=NOTED_SECONDS)
    assert await store.live_workers() == 1
    await redis.zincrby(KEYS.workers, -11, "worker")
    assert await store.live_workers() == 0
    assert (await store.tally()).workers == 0


async def test_a_released_item_keeps_its_place_and_wakes_a_worker(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    job = a_job(age_seconds=60)
    await store.add(job)
    score = await redis.zscore(KEYS.queue, job.id)
    attempt = await claimed(attempts, job.id)
    await redis.delete(KEYS.wake)
    assert await put_back(attempts, attempt)
    assert await redis.zscore(KEYS.queue, job.id) == score
    assert await redis.exists(KEYS.wake)
    assert not await redis.exists(KEYS.lease(job.id))


async def test_a_settled_attempt_leaves_the_lease_of_another_worker(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    """arq of another worker has marked the job as running, and has not claimed it yet."""
    job = a_job()
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    await redis.set(KEYS.lease(job.id), 1, ex=5)
    assert await put_back(attempts, attempt)
    assert await redis.get(KEYS.lease(job.id)) == b"1"


async def test_renewing_tells_which_attempts_are_lost(
    store: JobStore, client: Redis, attempts: Attempts, redis: Redis
) -> None:
    jobs = [a_job() for _ in range(3)]
    for job in jobs:
        await store.add(job)
    kept, removed, cancelled = [await claimed(attempts, job.id) for job in jobs]
    await store.remove(removed.id)
    await store.cancel(cancelled.id, jobs[2].created_at)
    await redis.delete(KEYS.lease(kept.id))
    lost = await attempts.renew([kept, removed, cancelled], lease_seconds=60)
    assert lost == {removed.token, cancelled.token}
    assert await redis.pttl(KEYS.lease(kept.id)) > 50_000
    assert await attempts.renew([], lease_seconds=60) == frozenset()


async def test_an_idempotency_claim_that_is_sent_again_is_the_same_claim(client: Redis) -> None:
    acquire = RegisteredScript(client, "acquire")
    for _ in range(2):
        assert await acquire(key="k", value="ours", seconds=5) is None
    assert await acquire(key="k", value="theirs", seconds=5) == b"ours"


async def test_replacing_a_value_that_has_changed_does_nothing(client: Redis, redis: Redis) -> None:
    replace = RegisteredScript(client, "replace")
    await redis.set("k", "a", ex=5)
    assert not await replace(key="k", old="b", new="c")
    assert await replace(key="k", old="a", new="c")
    assert await redis.getdel("k") == b"c"
