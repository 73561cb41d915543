"""Emails in a real Redis."""

from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.job import Failure, Status, new_id, now
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.index import Added
from quickthumb.queue.keys import EMAIL, JOB, KEYS
from tests.redis_fixtures import claim, claimed, is_held

FAILURE = Failure(code="mail_refused", title="Refused", detail="It was refused.")


@pytest.fixture
def emails(client: Redis) -> EmailStore:
    return EmailStore(client)


def an_email(**changes: Any) -> Email:
    return Email(id=new_id(), address="ada@example.com", created_at=now()).model_copy(update=changes)


async def settled(attempts: Attempts, email: Email, status: Status, error: Failure | None = None, **terms: Any) -> bool:
    attempt = await claimed(attempts, email.id, kind=EMAIL)
    return await attempts.settle(attempt, status, fields={"error": codec.failure_text(error)}, busy_seconds=0, **terms)


async def test_a_new_one_is_kept_and_queued_together(emails: EmailStore, redis: Redis) -> None:
    email = an_email()
    assert await emails.add(email, most=1) is Added.NEW
    assert await emails.get(email.id) == email
    assert await redis.zrange(KEYS.queue, 0, -1) == [email.id.encode()]
    assert codec.load(await redis.get(KEYS.call(email.id)))["f"] == "send_email"
    assert await redis.exists(KEYS.wake)


async def test_every_key_goes_by_itself(emails: EmailStore, attempts: Attempts, redis: Redis) -> None:
    await emails.add(an_email(), most=5)
    ended = an_email()
    await emails.add(ended, most=5)
    await settled(attempts, ended, Status.DONE)
    lasting = {key for key in await redis.keys() if await redis.ttl(key) < 0}
    assert lasting == {KEYS.queue.encode(), KEYS.totals.encode(), KEYS.events.encode()}


async def test_adding_it_again_changes_nothing(emails: EmailStore, attempts: Attempts) -> None:
    email = an_email()
    await emails.add(email, most=1)
    await claimed(attempts, email.id, kind=EMAIL)
    assert await emails.add(email, most=1) is Added.KNOWN
    found = await emails.get(email.id)
    assert found is not None
    assert found.status is Status.IN_PROGRESS


async def test_no_more_than_so_many_wait(emails: EmailStore, attempts: Attempts) -> None:
    first, second = an_email(), an_email()
    assert await emails.add(first, most=1) is Added.NEW
    assert await emails.add(second, most=1) is Added.FULL
    assert await emails.get(second.id) is None
    await settled(attempts, first, Status.FAILED, FAILURE)
    assert await emails.add(second, most=1) is Added.NEW


async def test_an_attempt_ends_it_or_lets_it_wait(emails: EmailStore, attempts: Attempts) -> None:
    email = an_email()
    await emails.add(email, most=1)
    assert await settled(attempts, email, Status.WAITING, FAILURE)
    found = await emails.get(email.id)
    assert found is not None
    assert (found.status, found.attempts, found.error) == (Status.WAITING, 1, FAILURE)
    assert await settled(attempts, email, Status.DONE)
    found = await emails.get(email.id)
    assert found is not None
    assert (found.status, found.attempts, found.error) == (Status.DONE, 2, None)
    assert await claim(attempts, EMAIL, email.id) is None


async def test_what_is_unknown_is_not_begun(emails: EmailStore, attempts: Attempts) -> None:
    assert await claim(attempts, EMAIL, new_id()) is None
    assert await emails.get(new_id()) is None


async def test_only_the_running_attempt_counts(emails: EmailStore, attempts: Attempts, redis: Redis) -> None:
    email = an_email()
    await emails.add(email, most=1)
    slow = await claimed(attempts, email.id, kind=EMAIL)
    quick = await claimed(attempts, email.id, kind=EMAIL)
    assert not await is_held(attempts, slow)
    assert not await attempts.settle(slow, Status.FAILED, busy_seconds=0)
    assert await is_held(attempts, quick, lease_seconds=50)
    assert await redis.get(KEYS.lease(email.id)) == quick.token.encode()
    assert await redis.ttl(KEYS.lease(email.id)) > 40
    assert await attempts.settle(quick, Status.DONE, busy_seconds=0)


async def test_images_know_nothing_of_it(emails: EmailStore, attempts: Attempts, redis: Redis) -> None:
    email = an_email()
    await emails.add(email, most=1)
    await settled(attempts, email, Status.DONE)
    assert not await redis.exists(KEYS.index(JOB), *(KEYS.index(JOB, status) for status in Status))
    counters = set(await redis.hkeys(KEYS.totals))  # type: ignore[misc]
    assert {b"email:attempts:DONE", b"email:busy_ms", b"email:wait_ms"} <= counters
    assert all(name.startswith(b"email:") for name in counters)


async def test_one_that_has_ended_is_made_known_again_for_the_rest_of_its_time(
    emails: EmailStore, redis: Redis
) -> None:
    email, outcome = an_email(), EmailOutcome(status=Status.FAILED, finished_at=now(), error=FAILURE)
    assert await emails.restore(email, outcome)
    assert not await emails.restore(email, outcome)
    assert await emails.get(email.id) == email.model_copy(update={"status": Status.FAILED, "error": FAILURE})
    assert 0 < await redis.ttl(KEYS.record(EMAIL, email.id)) <= EMAIL.retention_seconds
    assert not await redis.exists(KEYS.queue)
