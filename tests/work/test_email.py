"""Sending emails: the verbs and the worker's handler, on a real Redis. Only the mail server is fake."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.email import Email
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, new_id, now, to_milliseconds
from quickthumb.notify.errors import MailRefused, MailUnavailable
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.index import Added
from quickthumb.queue.keys import EMAIL, KEYS
from quickthumb.queue.rates import EmailRates
from quickthumb.service.emails import MailService
from quickthumb.service.errors import AddressNotAllowed, QueueFull, TooManyEmails, UnknownJob
from quickthumb.storage import FileStorage
from quickthumb.work import email as module
from quickthumb.work.email import EmailHandler
from quickthumb.work.errors import LeaseLost
from quickthumb.work.handler import Snooze, Verdict
from quickthumb.work.notices import NoticeTexts
from quickthumb.work.runner import Runner
from tests.redis_fixtures import claim, claimed

LEASE_SECONDS = 2.0


class Post:
    """A mailer that raises the given errors, one after the other, and then accepts everything."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[str] = []

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(message["To"])


class Slow(Post):
    """A slow mailer."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super().send(mail_id, message)


class Worker:
    """A runner with the handler of emails."""

    def __init__(self, emails: EmailStore, attempts: Attempts, storage: FileStorage, post: Post) -> None:
        self.attempts = attempts
        self.runner = Runner(attempts, lease_seconds=LEASE_SECONDS)
        self.handler = EmailHandler(emails, storage, post, NoticeTexts(storage, "robot@example.org"), max_attempts=3)

    async def run(self, email_id: str) -> Verdict | None:
        """Claims the email, if it can be claimed, and runs the attempt."""
        attempt = await claim(self.attempts, EMAIL, email_id, lease_seconds=LEASE_SECONDS)
        return None if attempt is None else await self.runner.run(self.handler, attempt)

    async def pause_seconds(self, email_id: str) -> float | None:
        """Runs an attempt that ends in a retry. Returns the delay until the retry."""
        verdict = await self.run(email_id)
        assert isinstance(verdict, Snooze)
        return verdict.seconds


WorkerOf = Callable[[Post], Worker]


@pytest.fixture
def emails(client: Redis) -> EmailStore:
    return EmailStore(client)


@pytest.fixture
def service(emails: EmailStore, storage: FileStorage, rates: EmailRates) -> MailService:
    return MailService(emails, storage, rates, allowed=["*@example.com"], max_queued=2)


@pytest.fixture
def worker_of(emails: EmailStore, attempts: Attempts, storage: FileStorage) -> WorkerOf:
    return lambda post: Worker(emails, attempts, storage, post)


@pytest.fixture
async def mail(service: MailService) -> Email:
    return await service.queue(ANONYMOUS, "ada@example.com")


async def test_only_whom_the_deployment_admits_is_written_to(service: MailService, redis: Redis, folder: Path) -> None:
    with pytest.raises(AddressNotAllowed):
        await service.queue(ANONYMOUS, "ada@example.net")
    with pytest.raises(InvalidParameter):
        await service.queue(ANONYMOUS, "ada@example.com,eve@example.com")
    assert not await redis.exists(KEYS.queue)
    assert not folder.exists()


async def test_no_more_than_so_many_wait(service: MailService) -> None:
    for _ in range(2):
        await service.queue(ANONYMOUS, "ada@example.com")
    with pytest.raises(QueueFull):
        await service.queue(ANONYMOUS, "ada@example.com")


async def test_only_what_is_accepted_counts_for_the_rates(
    emails: EmailStore, storage: FileStorage, client: Redis, redis: Redis, folder: Path
) -> None:
    rates = EmailRates(client, most=3, most_per_mailbox=2)
    service = MailService(emails, storage, rates, allowed=["*"], max_queued=1)
    accepted = await service.queue(ANONYMOUS, "ada@example.com")
    for _ in range(5):
        with pytest.raises(QueueFull):
            await service.queue(ANONYMOUS, "ada@example.com")
    await emails.remove(accepted.id)
    await service.queue(ANONYMOUS, "Ada+tag@EXAMPLE.com")
    records = kept(folder)
    with pytest.raises(TooManyEmails) as refused:
        await service.queue(ANONYMOUS, "ada@example.com")
    assert refused.value.detail == "No more emails to this address are accepted for the time being."
    assert refused.value.retry_after_seconds in range(3500, 3601)
    assert kept(folder) == records


async def test_what_is_unknown_is_not_found(service: MailService) -> None:
    for unknown in (new_id(), "x"):
        with pytest.raises(UnknownJob):
            await service.find(ANONYMOUS, unknown)


async def test_it_is_sent_once(service: MailService, mail: Email, worker_of: WorkerOf) -> None:
    post = Post()
    for _ in range(2):
        await worker_of(post).run(mail.id)
    found = await service.find(ANONYMOUS, mail.id)
    assert (found.status, found.attempts, found.error) == (Status.DONE, 1, None)
    assert post.sent == ["ada@example.com"]


@pytest.mark.parametrize("trouble", [MailUnavailable("later"), RuntimeError("a bug")])
async def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses(
    service: MailService, mail: Email, worker_of: WorkerOf, trouble: Exception
) -> None:
    runner = worker_of(Post(trouble, trouble))
    pauses = []
    for _ in range(2):
        pauses.append(await runner.pause_seconds(mail.id))
        found = await service.find(ANONYMOUS, mail.id)
        assert found.status is Status.WAITING
        assert found.error is not None
    assert pauses == [1, 2]
    await runner.run(mail.id)
    assert (await service.find(ANONYMOUS, mail.id)).status is Status.DONE


async def test_it_is_not_tried_for_ever(service: MailService, mail: Email, worker_of: WorkerOf) -> None:
    post = Post(*[MailUnavailable("later")] * 5)
    runner = worker_of(post)
    for _ in range(2):
        await runner.pause_seconds(mail.id)
    await runner.run(mail.id)
    found = await service.find(ANONYMOUS, mail.id)
    assert (found.status, found.attempts) == (Status.FAILED, 3)
    assert found.error is not None
    assert found.error.detail == "later"


async def test_a_refusal_is_final(service: MailService, mail: Email, worker_of: WorkerOf) -> None:
    await worker_of(Post(MailRefused("no"))).run(mail.id)
    assert (await service.find(ANONYMOUS, mail.id)).status is Status.FAILED


async def test_workers_that_die_while_sending_are_counted(
    service: MailService, attempts: Attempts, mail: Email, worker_of: WorkerOf
) -> None:
    for _ in range(3):
        await claimed(attempts, mail.id, kind=EMAIL, lease_seconds=0.01)
    post = Post()
    await worker_of(post).run(mail.id)
    found = await service.find(ANONYMOUS, mail.id)
    assert found.status is Status.FAILED
    assert found.error is not None
    assert found.error.code == "too_many_attempts"
    assert post.sent == []


async def test_a_slow_one_is_held_on_to(mail: Email, worker_of: WorkerOf, redis: Redis) -> None:
    slow = Slow()
    worker = worker_of(slow)
    sending = asyncio.create_task(worker.run(mail.id))
    await slow.begun.wait()
    await redis.pexpire(KEYS.lease(mail.id), 1500)
    await worker.runner.renew_leases()
    assert await redis.pttl(KEYS.lease(mail.id)) > 1500
    slow.go_on.set()
    await sending


async def test_one_that_takes_too_long_is_tried_again(
    mail: Email, worker_of: WorkerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    await worker_of(Slow()).pause_seconds(mail.id)


async def test_a_worker_that_is_told_to_stop_lets_it_wait(
    service: MailService, mail: Email, worker_of: WorkerOf
) -> None:
    slow = Slow()
    sending = asyncio.create_task(worker_of(slow).run(mail.id))
    await slow.begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await service.find(ANONYMOUS, mail.id)).status is Status.WAITING


def kept(folder: Path) -> list[str]:
    """The names of all files that the storage has."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_one_that_is_not_accepted_leaves_nothing(service: MailService, redis: Redis, folder: Path) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnavailable):
            await service.queue(ANONYMOUS, "ada@example.com")
    finally:
        await redis.config_set("maxmemory", "0")
    # For the case that Redis took it and only the answer was lost.
    assert kept(folder) == ["outcome.json"]
    for _ in range(2):
        await service.queue(ANONYMOUS, "ada@example.com")
    with pytest.raises(QueueFull):
        await service.queue(ANONYMOUS, "ada@example.com")
    assert kept(folder) == ["outcome.json", *["record.json"] * 2]


async def test_one_that_was_refused_though_redis_took_it_is_not_sent(
    service: MailService, emails: EmailStore, worker_of: WorkerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis' answer was lost: the email was refused, but it is in the queue."""
    add, added = emails.add, []

    async def answer_is_lost(email: Email, *, most: int = 0) -> Added:
        added.append(email.id)
        await add(email, most=most)
        raise QueueUnavailable("away")

    monkeypatch.setattr(emails, "add", answer_is_lost)
    with pytest.raises(QueueUnavailable):
        await service.queue(ANONYMOUS, "ada@example.com")
    post = Post()
    with pytest.raises(LeaseLost):
        await worker_of(post).run(added[0])
    assert post.sent == []
    with pytest.raises(UnknownJob):
        await service.find(ANONYMOUS, added[0])


async def test_one_whose_record_no_worker_sees_fails_and_is_not_sent(
    service: MailService, mail: Email, worker_of: WorkerOf, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "mail" / mail.id[:3] / mail.id / "record.json").unlink()
    post = Post()
    for _ in range(3):
        await worker_of(post).run(mail.id)
    failed = await service.find(ANONYMOUS, mail.id)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "record_missing")
    assert post.sent == kept(folder) == []
    assert caplog.text.count(f"no record of it in {folder}") == 3


async def test_an_end_that_stands_in_the_storage_is_adopted(
    service: MailService, mail: Email, worker_of: WorkerOf, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died after it sent the email and before it settled the attempt in Redis."""
    with monkeypatch.context() as patch:

        async def dies(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        patch.setattr(attempts, "settle", dies)
        with pytest.raises(asyncio.CancelledError):
            await worker_of(Post()).run(mail.id)
    post = Post()
    await worker_of(post).run(mail.id)
    assert post.sent == []
    assert (await service.find(ANONYMOUS, mail.id)).status is Status.DONE


async def test_one_that_the_first_release_queued_is_sent(
    service: MailService, worker_of: WorkerOf, redis: Redis
) -> None:
    """It has a hash and an entry in the queue, but no record in the storage."""
    email_id, created_ms = new_id(), to_milliseconds(now())
    fields = {"status": "WAITING", "address": "ada@example.com", "created_ms": created_ms, "attempts": 0}
    await redis.hset(KEYS.record(EMAIL, email_id), mapping=fields)  # type: ignore[misc]
    await redis.expire(KEYS.record(EMAIL, email_id), 86_400)
    await redis.zadd("quickthumb:mails", {email_id: created_ms})
    await redis.set(KEYS.call(email_id), codec.entry_for(EMAIL, email_id, created_ms))
    await redis.zadd(KEYS.queue, {email_id: created_ms})
    post = Post(MailUnavailable("later"))
    worker = worker_of(post)
    assert await worker.pause_seconds(email_id) == 1
    await worker.run(email_id)
    assert post.sent == ["ada@example.com"]
    assert (await service.find(ANONYMOUS, email_id)).status is Status.DONE


async def test_one_to_an_address_that_is_no_longer_accepted_is_not_sent(
    service: MailService, mail: Email, worker_of: WorkerOf, redis: Redis
) -> None:
    await redis.hset(KEYS.record(EMAIL, mail.id), "address", "victim%evil.net@example.com")  # type: ignore[misc]
    post = Post()
    await worker_of(post).run(mail.id)
    failed = await service.find(ANONYMOUS, mail.id)
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "mail_refused")
    assert post.sent == []


async def test_a_worker_that_is_told_to_stop_does_not_hold_it_against_the_email(
    service: MailService, mail: Email, worker_of: WorkerOf
) -> None:
    for _ in range(4):
        slow = Slow()
        sending = asyncio.create_task(worker_of(slow).run(mail.id))
        await slow.begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    await worker_of(Post()).run(mail.id)
    assert (await service.find(ANONYMOUS, mail.id)).status is Status.DONE
