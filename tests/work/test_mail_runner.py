"""Sending emails: the verbs of the doors, and the worker's, on a real Redis. Only the mail server is made up."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from quickthumb.queue.mail import Mail, MailStore
from quickthumb.work.mail_runner import MailRunner, MailTerms
from redis.asyncio import Redis

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.ids import new_id
from quickthumb.model.job import Status
from quickthumb.notify.errors import MailRefused, MailUnavailable
from quickthumb.queue import keys
from quickthumb.service.emails import MailService
from quickthumb.service.errors import AddressNotAllowed, QueueFull, UnknownJob
from quickthumb.work import mail_runner
from quickthumb.work.runner import TryAgain
from tests.waiting import wait_until

TERMS = MailTerms(lease_seconds=2.0, max_attempts=3)


class Post:
    """A way of sending that does, one after the other, what it is told; in the end it takes what comes."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[str] = []

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(message["To"])


class Slow(Post):
    """One that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super().send(mail_id, message)


RunnerOf = Callable[[Post], MailRunner]


@pytest.fixture
def mails(client: Redis) -> MailStore:
    return MailStore(client)


@pytest.fixture
def service(mails: MailStore) -> MailService:
    return MailService(mails, allowed=["*@example.com"], max_queued=2)


@pytest.fixture
def runner_of(mails: MailStore) -> RunnerOf:
    return lambda post: MailRunner(mails, post, "robot@example.org", TERMS)


@pytest.fixture
async def mail(service: MailService) -> Mail:
    return await service.queue("ada@example.com")


async def test_only_whom_the_deployment_admits_is_written_to(service: MailService, redis: Redis) -> None:
    with pytest.raises(AddressNotAllowed):
        await service.queue("ada@example.net")
    with pytest.raises(InvalidParameter):
        await service.queue("ada@example.com,eve@example.com")
    assert not await redis.exists(keys.QUEUE)


async def test_no_more_than_so_many_wait(service: MailService) -> None:
    for _ in range(2):
        await service.queue("ada@example.com")
    with pytest.raises(QueueFull):
        await service.queue("ada@example.com")


async def test_what_is_unknown_is_not_found(service: MailService) -> None:
    for unknown in (new_id(), "x"):
        with pytest.raises(UnknownJob):
            await service.find(unknown)


async def test_it_is_sent_once(service: MailService, mail: Mail, runner_of: RunnerOf) -> None:
    post = Post()
    for _ in range(2):
        await runner_of(post).run(mail.id)
    found = await service.find(mail.id)
    assert (found.status, found.attempts, found.error) == (Status.DONE, 1, None)
    assert post.sent == ["ada@example.com"]


@pytest.mark.parametrize("trouble", [MailUnavailable("later"), RuntimeError("a bug")])
async def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses(
    service: MailService, mail: Mail, runner_of: RunnerOf, trouble: Exception
) -> None:
    runner = runner_of(Post(trouble, trouble))
    pauses = []
    for _ in range(2):
        with pytest.raises(TryAgain) as again:
            await runner.run(mail.id)
        pauses.append(again.value.seconds)
        found = await service.find(mail.id)
        assert found.status is Status.WAITING
        assert found.error is not None
    assert pauses == [1, 2]
    await runner.run(mail.id)
    assert (await service.find(mail.id)).status is Status.DONE


async def test_it_is_not_tried_for_ever(service: MailService, mail: Mail, runner_of: RunnerOf) -> None:
    post = Post(*[MailUnavailable("later")] * 5)
    runner = runner_of(post)
    for _ in range(2):
        with pytest.raises(TryAgain):
            await runner.run(mail.id)
    await runner.run(mail.id)
    found = await service.find(mail.id)
    assert (found.status, found.attempts) == (Status.FAILED, 3)
    assert found.error is not None
    assert found.error.detail == "later"


async def test_a_refusal_is_final(service: MailService, mail: Mail, runner_of: RunnerOf) -> None:
    await runner_of(Post(MailRefused("no"))).run(mail.id)
    assert (await service.find(mail.id)).status is Status.FAILED


async def test_workers_that_die_while_sending_are_counted(
    service: MailService, mails: MailStore, mail: Mail, runner_of: RunnerOf
) -> None:
    for _ in range(3):
        await mails.begin(mail.id, new_id(), lease_seconds=0.01)
    post = Post()
    await runner_of(post).run(mail.id)
    found = await service.find(mail.id)
    assert found.status is Status.FAILED
    assert found.error is not None
    assert found.error.code == "too_many_attempts"
    assert post.sent == []


async def test_one_at_a_time(service: MailService, runner_of: RunnerOf) -> None:
    first, second = [await service.queue("ada@example.com") for _ in range(2)]
    slow = Slow()
    runner = runner_of(slow)
    sending = asyncio.create_task(runner.run(first.id))
    await slow.begun.wait()
    with pytest.raises(TryAgain):
        await runner.run(second.id)
    assert (await service.find(second.id)).attempts == 0
    slow.go_on.set()
    await sending
    await runner.run(second.id)
    assert len(slow.sent) == 2


async def test_a_slow_one_is_held_on_to(mails: MailStore, mail: Mail, runner_of: RunnerOf, redis: Redis) -> None:
    slow = Slow()
    sending = asyncio.create_task(runner_of(slow).run(mail.id))
    await slow.begun.wait()
    await redis.pexpire(keys.lease(mail.id), 1500)

    async def is_renewed() -> bool:
        return bool(await redis.pttl(keys.lease(mail.id)) > 1500)

    await wait_until(is_renewed)
    slow.go_on.set()
    await sending


async def test_one_that_takes_too_long_is_tried_again(
    mail: Mail, runner_of: RunnerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_runner, "SEND_SECONDS", 0.05)
    with pytest.raises(TryAgain):
        await runner_of(Slow()).run(mail.id)


async def test_a_worker_that_is_told_to_stop_lets_it_wait(
    service: MailService, mail: Mail, runner_of: RunnerOf
) -> None:
    slow = Slow()
    sending = asyncio.create_task(runner_of(slow).run(mail.id))
    await slow.begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await service.find(mail.id)).status is Status.WAITING
