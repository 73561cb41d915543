"""The Lua files: their inputs by name, and what each promises, on a real Redis."""

import time
from collections.abc import Awaitable
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import MOVES, Status, new_id
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from quickthumb.queue.script import FOLDER, RegisteredScript, load
from tests.redis_fixtures import a_job, claimed, put_back, token

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


async def test_a_script_takes_the_keys_that_it_declares(redis: Redis) -> None:
    requeue = RegisteredScript(redis, "requeue")
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


async def test_acquire_extend_release(redis: Redis) -> None:
    acquire, extend, release = (RegisteredScript(redis, name) for name in ("acquire", "extend", "release"))
    assert await acquire(key="key", value="mine", seconds=10) is None
    assert await acquire(key="key", value="theirs", seconds=10) == b"mine"
    assert not await extend(key="key", value="theirs", seconds=100)
    assert await extend(key="key", value="mine", seconds=100)
    assert await redis.ttl("key") > 50
    assert not await release(key="key", value="theirs")
    assert await release(key="key", value="mine")
    assert not await redis.exists("key")


async def test_due_tells_ids_with_their_scores_and_else_when_the_next_is_due(redis: Redis) -> None:
    due = RegisteredScript(redis, "due")
    options = {"lease_prefix": "lease:", "most": 2, "scan_most": 1_000, "takes_large": 0}
    places = {"queue": KEYS.queue, "wake": KEYS.wake, "large": KEYS.large}
    assert await due(places, **options) == [[], -1, b""]
    await redis.zadd(KEYS.queue, {"later": int(await now_ms(redis)) + 60_000})
    found, due_in_ms, _ = await due(places, **options)
    assert found == []
    assert 59_000 < due_in_ms <= 60_000
    await redis.zadd(KEYS.queue, {"a": 1, "b": 2, "c": 3, "d": 4})
    await redis.set("lease:a", 1, ex=10)
    assert await due(places, **options) == [[b"b", b"2", b"c", b"3"], -1, b""]
    await cast("Awaitable[int]", redis.sadd(KEYS.large, "b", "c"))
    assert await due(places, **options) == [[b"d", b"4"], -1, b""]
    assert await due(places, **{**options, "takes_large": 1}) == [[b"b", b"2", b"d", b"4"], -1, b"b"]


async def test_postpone_moves_only_what_is_queued(redis: Redis) -> None:
    postpone = RegisteredScript(redis, "postpone")
    await redis.zadd(KEYS.queue, {"known": 1})
    assert await postpone(queue=KEYS.queue, id="known", delay_ms=5_000) == 1
    assert await postpone(queue=KEYS.queue, id="unknown", delay_ms=5_000) == 0
    assert await redis.zscore(KEYS.queue, "known") == pytest.approx(await now_ms(redis) + 5_000, abs=1_000)
    assert await redis.zcard(KEYS.queue) == 1


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


async def test_claiming_what_is_not_to_be_run_takes_it_from_the_queue(attempts: Attempts, redis: Redis) -> None:
    stranger = new_id()
    await redis.zadd(KEYS.queue, {stranger: 1})
    for key in (KEYS.call(stranger), KEYS.lease(stranger), KEYS.tries(stranger)):
        await redis.set(key, 1, ex=60)
    await attempts.claim(JOB, stranger, "token", lease_seconds=5)
    assert await redis.keys("*") == []


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


async def test_a_claim_that_is_sent_again_is_the_same_attempt(
    store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    """Redis carried the first one out, and only its answer was lost."""
    job = a_job()
    await store.add(job)
    holder = token()
    first = await attempts.claim(JOB, job.id, holder, lease_seconds=5)
    again = await attempts.claim(JOB, job.id, holder, lease_seconds=50)
    assert again == first
    assert await redis.ttl(KEYS.lease(job.id)) > 40


async def test_an_idempotency_claim_that_is_sent_again_is_the_same_claim(redis: Redis) -> None:
    acquire = RegisteredScript(redis, "acquire")
    for _ in range(2):
        assert await acquire(key="k", value="ours", seconds=5) is None
    assert await acquire(key="k", value="theirs", seconds=5) == b"ours"


async def test_replacing_a_value_that_has_changed_does_nothing(redis: Redis) -> None:
    replace = RegisteredScript(redis, "replace")
    await redis.set("k", "a", ex=5)
    assert not await replace(key="k", old="b", new="c")
    assert await replace(key="k", old="a", new="c")
    assert await redis.getdel("k") == b"c"
