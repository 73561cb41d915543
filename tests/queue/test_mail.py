"""Emails in a real Redis."""

from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.ids import new_id, now
from quickthumb.model.job import Failure, Status
from quickthumb.queue import codec, keys
from quickthumb.queue.mail import Mail, MailAttempt, MailStore
from tests.redis_fixtures import token

FAILURE = Failure(code="mail_refused", title="Refused", detail="It was refused.")


@pytest.fixture
def mails(client: Redis) -> MailStore:
    return MailStore(client)


def a_mail(**changes: Any) -> Mail:
    return Mail(id=new_id(), address="ada@example.com", created_at=now()).model_copy(update=changes)


async def begun(mails: MailStore, mail: Mail) -> MailAttempt:
    attempt = await mails.begin(mail.id, token(), lease_seconds=5)
    assert attempt is not None
    return attempt


async def test_a_new_one_is_kept_and_queued_together(mails: MailStore, redis: Redis) -> None:
    mail = a_mail()
    assert await mails.add(mail, most=1)
    assert await mails.get(mail.id) == mail
    assert await redis.zrange(keys.QUEUE, 0, -1) == [mail.id.encode()]
    assert codec.load(await redis.get(keys.call(mail.id)))["f"] == codec.MAIL_FUNCTION
    assert await redis.exists(keys.WAKE)


async def test_every_key_goes_by_itself(mails: MailStore, redis: Redis) -> None:
    await mails.add(a_mail(), most=5)
    ended = a_mail()
    await mails.add(ended, most=5)
    await mails.leave(await begun(mails, ended), Status.DONE)
    lasting = [key for key in await redis.keys() if await redis.ttl(key) < 0]
    assert lasting == [keys.QUEUE.encode()]


async def test_adding_it_again_changes_nothing(mails: MailStore, redis: Redis) -> None:
    mail = a_mail()
    await mails.add(mail, most=1)
    await begun(mails, mail)
    assert await mails.add(mail, most=1)
    found = await mails.get(mail.id)
    assert found is not None
    assert found.status is Status.IN_PROGRESS


async def test_no_more_than_so_many_wait(mails: MailStore) -> None:
    first, second = a_mail(), a_mail()
    assert await mails.add(first, most=1)
    assert not await mails.add(second, most=1)
    assert await mails.get(second.id) is None
    await mails.leave(await begun(mails, first), Status.FAILED, FAILURE)
    assert await mails.add(second, most=1)


async def test_an_attempt_ends_it_or_lets_it_wait(mails: MailStore) -> None:
    mail = a_mail()
    await mails.add(mail, most=1)
    first = await begun(mails, mail)
    assert (first.mail.status, first.mail.attempts) == (Status.IN_PROGRESS, 1)
    assert await mails.leave(first, Status.WAITING, FAILURE)
    found = await mails.get(mail.id)
    assert found is not None
    assert (found.status, found.error) == (Status.WAITING, FAILURE)
    second = await begun(mails, mail)
    assert second.mail.attempts == 2
    assert await mails.leave(second, Status.DONE)
    found = await mails.get(mail.id)
    assert found is not None
    assert (found.status, found.error) == (Status.DONE, None)
    assert await mails.begin(mail.id, token(), lease_seconds=5) is None


async def test_what_is_unknown_is_not_begun(mails: MailStore) -> None:
    assert await mails.begin(new_id(), token(), lease_seconds=5) is None
    assert await mails.get(new_id()) is None


async def test_only_the_running_attempt_counts(mails: MailStore, redis: Redis) -> None:
    mail = a_mail()
    await mails.add(mail, most=1)
    slow = await begun(mails, mail)
    quick = await begun(mails, mail)
    assert not await mails.renew(slow, lease_seconds=5)
    assert not await mails.leave(slow, Status.FAILED, FAILURE)
    assert await mails.renew(quick, lease_seconds=50)
    assert await redis.get(keys.lease(mail.id)) == quick.token.encode()
    assert await redis.ttl(keys.lease(mail.id)) > 40
    assert await mails.leave(quick, Status.DONE)


async def test_images_know_nothing_of_it(mails: MailStore, redis: Redis) -> None:
    await mails.add(a_mail(), most=1)
    assert not await redis.exists(keys.ALL_JOBS, *(keys.jobs_with(status) for status in Status))
