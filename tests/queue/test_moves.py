"""The statuses of a job, and the moves between them that Redis allows."""

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import ENDED, MOVES, Status, from_milliseconds, is_id, new_id, now, origins, to_milliseconds
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB, KEYS
from tests.redis_fixtures import a_job, claim, token


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
    store: JobStore, attempts: Attempts, redis: Redis, origin: Status, target: Status
) -> None:
    job, mark = a_job(), token()
    await store.add(job)
    await redis.hset(KEYS.record(JOB, job.id), mapping={"status": origin, "token": mark})  # type: ignore[misc]
    before = await redis.hgetall(KEYS.record(JOB, job.id))  # type: ignore[misc]
    moved = await _move(attempts, job.id, target, mark)
    assert moved is (target in MOVES[origin])
    found = await store.get(job.id)
    assert found is not None
    assert found.status is (target if moved else origin)
    if not moved:
        assert await redis.hgetall(KEYS.record(JOB, job.id)) == before  # type: ignore[misc]


async def _move(attempts: Attempts, job_id: str, target: Status, mark: str) -> bool:
    """Runs the script that makes this move: `claim` for a move to IN_PROGRESS, `settle` for every other move."""
    if target is Status.IN_PROGRESS:
        return await claim(attempts, JOB, job_id) is not None
    attempt = Attempt(JOB, job_id, mark, 1, 1, {})
    return await attempts.settle(attempt, target, fields={"error": ""}, busy_seconds=0)


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
