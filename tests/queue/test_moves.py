"""The words of the job, and the moves of its status as Redis lets them happen."""

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from quickthumb.model.ids import from_milliseconds, is_id, new_id, now, to_milliseconds
from quickthumb.model.job import ENDED, MOVES, Status, origins
from quickthumb.queue import keys, scripts
from quickthumb.queue.store import JobStore
from tests.redis_fixtures import a_job, token


def test_what_ends_has_nowhere_to_go_but_a_failed_job_to_another_try() -> None:
    assert {status for status, targets in MOVES.items() if not targets} == ENDED - {Status.FAILED}
    assert MOVES[Status.FAILED] == {Status.WAITING}
    assert set(MOVES) == set(Status)


def test_origins_are_the_moves_read_backwards() -> None:
    for target in Status:
        assert set(origins(target)) == {status for status in Status if target in MOVES[status]}


@pytest.mark.parametrize("origin", Status)
@pytest.mark.parametrize("target", Status)
async def test_redis_lets_through_the_listed_moves_and_no_other(
    store: JobStore, redis: Redis, origin: Status, target: Status
) -> None:
    job, mark = a_job(), token()
    await store.add(job)
    await redis.hset(keys.job(job.id), mapping={"status": origin, "token": mark})  # type: ignore[misc]
    before = await redis.hgetall(keys.job(job.id))  # type: ignore[misc]
    moved = await _move(redis, job.id, target, mark)
    assert moved is (target in MOVES[origin])
    found = await store.get(job.id)
    assert found is not None
    assert found.status is (target if moved else origin)
    if not moved:
        assert await redis.hgetall(keys.job(job.id)) == before  # type: ignore[misc]


async def _move(redis: Redis, job_id: str, target: Status, mark: str) -> bool:
    """Asks the script that makes this move; the two that lead into IN_PROGRESS and out of it make them all."""
    allowed = ",".join(origins(target))
    if target is Status.IN_PROGRESS:
        begin = redis.register_script(scripts.BEGIN)
        number, _ = await begin(keys=[keys.job(job_id), keys.lease(job_id)], args=[job_id, allowed, mark, 0, 1000])
        return bool(number > 0)
    leave = redis.register_script(scripts.LEAVE)
    arguments: list[str | int] = [job_id, allowed, target, mark, 60, 0, 0, "error", ""]
    return bool(await leave(keys=[keys.job(job_id), keys.TOTALS], args=arguments))


def test_ids_are_128_random_bits() -> None:
    ids = {new_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(is_id(job_id) and int(job_id, 16) < 2**128 for job_id in ids)


@pytest.mark.parametrize(
    "text", ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "../" + "a" * 29, "٣" * 32, "a" * 31 + "\n", "a" * 31 + "\0"]
)
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id(text)


def test_times_are_whole_milliseconds_and_come_back_as_they_were() -> None:
    moment = now()
    assert moment.tzinfo is UTC
    assert moment.microsecond % 1000 == 0
    assert abs(moment - datetime.now(UTC)) < timedelta(seconds=5)
    for milliseconds in (0, 1, 999, 1_700_000_000_123, 4_102_444_800_001):
        assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds
