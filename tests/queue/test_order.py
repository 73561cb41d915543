"""Who is next: by priority, in turns, and when it is due, however much waits."""

import asyncio
import statistics
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.email import Email
from quickthumb.model.job import Change, Job, Status, new_id, now
from quickthumb.model.priority import LONGEST_AHEAD_SECONDS, Overtaking, Priority
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.claims import SORT_MOST, Claims, Due
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import EMAIL, JOB, KEYS, PARKED_MS, WAITING_SECONDS
from tests.redis_fixtures import a_job, put_back
from tests.waiting import wait_until

LEASE_SECONDS = 30.0
WORKERS = 2
PLACES = 5


@pytest.fixture
def claims(client: Redis) -> Claims:
    return Claims(client, lease_seconds=LEASE_SECONDS)


async def added(store: JobStore, jobs: Iterable[Job], *, is_large: bool = False) -> list[str]:
    """Many jobs in few round trips."""
    jobs = list(jobs)
    for start in range(0, len(jobs), 50):
        await asyncio.gather(*(store.add(job, is_large=is_large) for job in jobs[start : start + 50]))
    return [job.id for job in jobs]


def of(client: str, count: int, *, age_seconds: float = 10, priority: Priority = "normal") -> list[Job]:
    """Jobs of one client, the oldest first."""
    return [
        a_job(age_seconds=age_seconds + (count - number) / 1000, client=client, priority=priority)
        for number in range(count)
    ]


def ids(due: Due) -> list[str]:
    return [attempt.id for attempt in due.attempts]


async def all_in_turn(claims: Claims, attempts: Attempts) -> list[str]:
    """What a worker with one place is handed out, one after the other, until nothing more is due."""
    order: list[str] = []
    while due := (await claims.claim(1)).attempts:
        await attempts.settle(due[0], Status.CANCELLED, busy_seconds=0)
        order.append(due[0].id)
    return order


async def test_a_high_job_is_next_after_a_backlog_of_500(claims: Claims, store: JobStore) -> None:
    normal = await added(store, of("key:a", 500))
    assert ids(await claims.claim(2)) == normal[:2]
    (high,) = await added(store, of("key:a", 1, age_seconds=0, priority="high"))
    assert ids(await claims.claim(1)) == [high]
    assert ids(await claims.claim(1)) == [normal[2]]


async def test_priorities_go_from_high_to_low(claims: Claims, store: JobStore, attempts: Attempts) -> None:
    (low,) = await added(store, of("key:a", 1, age_seconds=30, priority="low"))
    (normal,) = await added(store, of("key:a", 1, age_seconds=20))
    (high,) = await added(store, of("key:a", 1, age_seconds=10, priority="high"))
    assert await all_in_turn(claims, attempts) == [high, normal, low]


async def test_nothing_starves(client: Redis, store: JobStore, attempts: Attempts) -> None:
    """A low job that has waited long enough counts as a normal one, and a normal one then as a high one."""
    claims = Claims(
        client, lease_seconds=5, overtaking=Overtaking(high_overtakes_seconds=60, normal_overtakes_seconds=30)
    )
    (high,) = await added(store, of("key:a", 1, age_seconds=1, priority="high"))
    normal, younger = await added(store, [*of("key:a", 1, age_seconds=62), *of("key:a", 1, age_seconds=59)])
    low, last = await added(
        store,
        [
            *of("key:a", 1, age_seconds=93, priority="low"),
            *of("key:a", 1, age_seconds=88, priority="low"),
        ],
    )
    assert await all_in_turn(claims, attempts) == [low, normal, high, younger, last]


@pytest.mark.parametrize("owner", [{"client": "key:b"}, {"client": "address:10.0.0.2"}, {"tenant": "shop"}, {}])
async def test_one_client_with_a_thousand_jobs_delays_another_by_a_few(
    client: Redis, store: JobStore, attempts: Attempts, owner: dict[str, Any]
) -> None:
    """A worker claims a few jobs ahead of its threads, and those come first; see `tests/test_turns.py`."""
    await added(store, of("address:10.0.0.1", 1_000))
    fleet = [Claims(client, lease_seconds=LEASE_SECONDS) for _ in range(WORKERS)]
    for claims in fleet:
        assert len((await claims.claim(PLACES)).attempts) == PLACES
    (other,) = await added(store, [a_job(**owner)])
    assert other in [job_id for claims in fleet for job_id in ids(await claims.claim(1))]


async def test_clients_take_turns_and_each_ones_oldest_is_first(
    claims: Claims, store: JobStore, attempts: Attempts
) -> None:
    first, second, third = [await added(store, of(f"key:{name}", 3, age_seconds=9)) for name in "abc"]
    order = await all_in_turn(claims, attempts)
    assert sorted(order[:3]) == sorted([first[0], second[0], third[0]])
    for own in (first, second, third):
        assert [job_id for job_id in order if job_id in own] == own
    for start in range(0, 9, 3):
        assert {(job_id in first, job_id in second) for job_id in order[start : start + 3]} == {
            (True, False), (False, True), (False, False)
        }  # fmt: skip


async def test_a_network_of_ipv6_is_one_client_and_so_are_all_without_one() -> None:
    def group(**changes: Any) -> str:
        return a_job(**changes).group

    assert group(client="address:2a00:1:2:3::4") == group(client="address:2a00:1:2:3::5")
    assert group(client="address:2a00:1:2:3::4") != group(client="address:2a00:1:2:4::4")
    assert group(client="key:k", tenant="shop") == group(client="key:l", tenant="shop") != group(client="key:k")
    assert group() == ""


async def test_large_jobs_of_any_number_hide_no_small_one(claims: Claims, store: JobStore) -> None:
    large = await added(store, of("key:a", 1_500, age_seconds=60), is_large=True)
    (small,) = await added(store, of("key:a", 1))
    due = await claims.claim(2, takes_large=False)
    while not due.attempts:
        due = await claims.claim(2, takes_large=False)
    assert (ids(due), due.large) == ([small], None)
    due = await claims.claim(2)
    assert (ids(due), due.large) == ([large[0]], large[0])


async def test_what_is_put_back_is_its_clients_next(claims: Claims, store: JobStore, attempts: Attempts) -> None:
    jobs = await added(store, of("key:a", 3))
    (attempt,) = (await claims.claim(1)).attempts
    assert attempt.id == jobs[0]
    await put_back(attempts, attempt)
    assert await all_in_turn(claims, attempts) == jobs


async def test_what_is_cancelled_or_removed_in_the_line_is_passed_over(
    claims: Claims, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    jobs = await added(store, of("key:a", 300))
    (first,) = (await claims.claim(1)).attempts
    await attempts.settle(first, Status.CANCELLED, busy_seconds=0)
    for job_id in jobs[1:200]:
        await store.cancel(job_id, now())
    await store.remove(jobs[200])
    assert await all_in_turn(claims, attempts) == jobs[201:]
    assert not await redis.keys(f"{KEYS.queue}:*")


async def test_a_job_that_is_retried_out_of_the_line_waits_as_long_as_it_was_told(
    claims: Claims, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    """A worker of an older release claims what stands in a line, and puts it back for later."""
    first, later = await added(store, of("key:a", 2))
    assert ids(await claims.claim(1)) == [first]
    moment = (await redis.time())[0] * 1000
    await redis.zadd(KEYS.queue, {later: moment + 60_000})
    assert ids(await claims.claim(2)) == []
    await redis.zadd(KEYS.queue, {later: moment})
    assert ids(await claims.claim(2)) == [later]


async def test_emails_and_jobs_are_served_by_age(claims: Claims, client: Redis, store: JobStore) -> None:
    (old,) = await added(store, of("key:a", 1, age_seconds=60))
    mail = Email(id=new_id(), address="ada@example.com", created_at=now() - timedelta(seconds=30))
    await EmailStore(client).add(mail)
    await added(store, of("key:a", 2))
    assert ids(await claims.claim(2)) == [old, mail.id]
    assert (await claims.claim(1, {JOB: 0, EMAIL: 0})).attempts == []


async def test_lines_that_are_lost_are_made_again(
    claims: Claims, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    jobs = await added(store, of("key:a", 5))
    (first,) = (await claims.claim(1)).attempts
    await attempts.settle(first, Status.CANCELLED, busy_seconds=0)
    await redis.delete(*await redis.keys(f"{KEYS.queue}:*"))
    assert (await claims.claim(1)).in_ms == 0
    assert await all_in_turn(claims, attempts) == jobs[1:]


async def test_an_id_in_line_is_due_for_an_older_release_too(claims: Claims, store: JobStore, redis: Redis) -> None:
    _, waiting = await added(store, of("key:a", 2))
    await claims.claim(1)
    score = await redis.zscore(KEYS.queue, waiting)
    assert score is not None
    assert score < 0
    found = await store.get(waiting)
    assert found is not None
    assert score + PARKED_MS == int(found.created_at.timestamp() * 1000)


async def test_depth_does_not_matter(claims: Claims, store: JobStore, attempts: Attempts, redis: Redis) -> None:
    """In the commands that Redis runs; `benchmarks/order.py` measures the time."""

    async def commands() -> int:
        found: dict[str, dict[str, int]] = await redis.info("commandstats")
        return sum(said["calls"] for name, said in found.items() if name != "cmdstat_info")

    async def one() -> int:
        before = await commands()
        (attempt,) = (await claims.claim(1)).attempts
        spent = await commands() - before
        await attempts.settle(attempt, Status.CANCELLED, busy_seconds=0)
        return spent

    await added(store, of("key:a", 100))
    await one()
    shallow = [await one() for _ in range(20)]
    await added(store, of("key:a", 2 * SORT_MOST))
    for _ in range(3):
        await one()
    deep = [await one() for _ in range(20)]
    assert statistics.median(deep) == statistics.median(shallow)
    assert await redis.zcard(KEYS.queue) > SORT_MOST


async def test_a_scheduled_job_waits_for_its_time(claims: Claims, store: JobStore, redis: Redis) -> None:
    run_at = now() + timedelta(seconds=0.5)
    job = a_job(run_at=run_at)
    await store.add(job)
    assert await store.get(job.id) == job
    due = await claims.claim(1)
    assert due.attempts == []
    assert 0 < due.in_ms <= 500
    assert (await store.tally()).oldest_waiting_seconds == 0

    async def is_claimed() -> bool:
        return bool((await claims.claim(1)).attempts)

    await wait_until(is_claimed, 3)
    started = await store.get(job.id)
    assert started is not None
    assert started.started_at is not None
    assert started.started_at >= run_at


async def test_a_scheduled_job_is_kept_as_long_after_its_time_as_others(store: JobStore, redis: Redis) -> None:
    job = a_job(run_at=now() + timedelta(seconds=LONGEST_AHEAD_SECONDS))
    await store.add(job)
    for key in (KEYS.record(JOB, job.id), KEYS.call(job.id)):
        assert await redis.ttl(key) > LONGEST_AHEAD_SECONDS + WAITING_SECONDS - 60
    assert await redis.ttl(KEYS.index(JOB)) > LONGEST_AHEAD_SECONDS + WAITING_SECONDS


async def test_the_tally_has_the_wait_of_what_is_due_in_line_or_not(
    claims: Claims, store: JobStore, client: Redis
) -> None:
    await added(store, of("key:a", 3, age_seconds=100))
    assert 100 <= (await store.tally()).oldest_waiting_seconds < 110
    await claims.claim(2)
    assert 100 <= (await store.tally()).oldest_waiting_seconds < 110
    await claims.claim(1)
    await EmailStore(client).add(Email(id=new_id(), address="a@example.com", created_at=now() - timedelta(hours=1)))
    assert (await store.tally()).oldest_waiting_seconds == 0


async def amended(store: JobStore, job_id: str, number: int, priority: Priority, **run_at: int | None) -> bool:
    moment = now() + timedelta(seconds=run_at["seconds"] or 0) if run_at.get("seconds") is not None else None
    change = Change(changes=number, priority=priority, run_at=moment)
    return await store.amend(job_id, change, reschedules="seconds" in run_at)


async def test_a_changed_priority_counts_at_once_in_line_or_not(
    claims: Claims, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    jobs = await added(store, of("key:a", 6))
    assert await amended(store, jobs[5], 1, "high")
    assert ids(await claims.claim(1)) == [jobs[5]]
    assert await amended(store, jobs[4], 1, "high")
    assert await amended(store, jobs[0], 1, "low")
    assert await amended(store, jobs[3], 1, "high")
    assert await amended(store, jobs[3], 2, "low")
    assert await amended(store, jobs[3], 1, "high")  # too late: a later change stands
    assert await all_in_turn(claims, attempts) == [jobs[4], jobs[1], jobs[2], jobs[0], jobs[3]]
    assert not await amended(store, jobs[5], 3, "low")
    assert not await amended(store, new_id(), 1, "low")
    assert await redis.keys(f"{KEYS.queue}*") == [KEYS.queue.encode()]


async def test_a_changed_time_is_when_the_job_is_due(claims: Claims, store: JobStore, redis: Redis) -> None:
    first, second, third = await added(store, of("key:a", 3))
    assert ids(await claims.claim(1)) == [first]
    assert await amended(store, second, 1, "normal", seconds=60)
    assert ids(await claims.claim(2)) == [third]
    found = await store.get(second)
    assert found is not None
    assert found.run_at is not None
    assert found.changes == 1
    assert await redis.ttl(KEYS.record(JOB, second)) > WAITING_SECONDS + 50
    assert await redis.ttl(KEYS.index(JOB)) > WAITING_SECONDS + 50
    assert not await redis.exists(KEYS.wake)
    assert await amended(store, second, 2, "normal", seconds=None)
    assert await redis.exists(KEYS.wake)
    assert ids(await claims.claim(2)) == [second]
    found = await store.get(second)
    assert found is not None
    assert found.run_at is None


async def test_a_restored_queue_has_the_same_order(
    claims: Claims, store: JobStore, attempts: Attempts, redis: Redis
) -> None:
    """Except for what only Redis knows: addresses."""
    jobs = [
        *of("key:a", 3, age_seconds=50),
        *of("key:b", 1, age_seconds=40),
        *of("key:a", 1, age_seconds=30, priority="low"),
        *of("key:a", 1, age_seconds=20, priority="high"),
        a_job(run_at=now() + timedelta(seconds=60)),
    ]
    await added(store, jobs)
    due = [jobs[number].id for number in (5, 0, 3, 1, 2, 4)]
    await redis.flushall()
    again = [Job.from_record(job.record()) for job in jobs]
    assert await store.restore([(job, None) for job in again]) == [True] * len(jobs)
    assert await all_in_turn(claims, attempts) == due
    assert await redis.zrange(KEYS.queue, 0, -1) == [jobs[-1].id.encode()]
    assert await store.get(jobs[-1].id) == jobs[-1]
    assert await redis.ttl(KEYS.record(JOB, jobs[-1].id)) > WAITING_SECONDS
