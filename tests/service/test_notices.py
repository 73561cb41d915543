"""Emails that an order asks for: to whom, how many, and sent once, whatever dies."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.config.sections.email import EmailSettings
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.email import notice_id
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Failure, Job, Outcome, Result, Status, new_id, now
from quickthumb.model.policy import Terms, UploadPolicy
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.keys import EMAIL, EMAIL_SECONDS, KEYS
from quickthumb.queue.watch import JobWatch
from quickthumb.service.batches import BatchRequest
from quickthumb.service.errors import AddressNotAllowed, QueueFull, TooManyEmails
from quickthumb.service.jobs import ImageService
from quickthumb.storage import FileStorage
from quickthumb.wiring import batches, image_service, repairer, webhook_outbox
from quickthumb.work import notices as module
from quickthumb.work.email import EmailHandler
from quickthumb.work.notices import NoticeTexts
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.runner import Runner
from tests.conftest import picture
from tests.redis_fixtures import claim, claimed, finished
from tests.service.test_batches import FORM, images
from tests.service.test_batches import body as batch_body
from tests.service.test_jobs import upload

ADA = "ada@example.com"
CONFIG = Config(email=EmailSettings(per_hour=4, per_address_per_hour=2))


class Post:
    """A mailer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        self.sent.append(message)


@pytest.fixture
def outbox(client: Redis, storage: FileStorage) -> WebhookOutbox:
    return webhook_outbox(CONFIG, client, storage)


@pytest.fixture
def service(client: Redis, storage: FileStorage, outbox: WebhookOutbox) -> ImageService:
    return image_service(CONFIG, client, storage, JobWatch(client), outbox)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def send(client: Redis, storage: FileStorage, attempts: Attempts, post: Post) -> Callable[[], Any]:
    """What a worker does with the emails that wait."""

    async def send() -> None:
        emails = EmailStore(client)
        handler = EmailHandler(emails, storage, post, NoticeTexts(storage, "robot@example.org"), max_attempts=3)
        for entry in await client.zrange(KEYS.index(EMAIL, Status.WAITING), 0, -1):
            attempt = await claim(attempts, EMAIL, entry.decode().partition(":")[2])
            assert attempt is not None
            await Runner(attempts, lease_seconds=5).run(handler, attempt)

    return send


async def submitted(service: ImageService, address: str = ADA) -> Job:
    return await service.submit(ANONYMOUS, upload(picture(), ("notify_email", address)))


async def concluded(storage: FileStorage, job: Job, sizes: dict[str, int] | None = None, **facts: Any) -> Outcome:
    results = tuple(
        Result(name=name, filename=f"{name}.jpg", format="jpeg", width=128, height=96, bytes=size)
        for name, size in (sizes or {}).items()
    )
    outcome = Outcome(**{"status": Status.DONE, "finished_at": now(), "source": job.source, "results": results} | facts)
    async with storage.workspace(job.id, new_id()) as folder:
        for result in results:
            (folder / result.filename).write_bytes(result.name.encode())
        names = [result.filename for result in results]
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode(), names)
    return outcome


async def waiting(client: Redis) -> int:
    return int(await client.zcard(KEYS.index(EMAIL, Status.WAITING)))


async def test_a_job_that_is_done_sends_its_first_result_that_is_small_enough(
    service: ImageService, storage: FileStorage, outbox: WebhookOutbox, send: Callable[[], Any], post: Post
) -> None:
    job = await submitted(service)
    sizes = {"huge": module.LARGEST_ATTACHMENT_BYTES + 1, "secret-words": 12, "other": 5}
    await outbox.announce(job, await concluded(storage, job, sizes))
    await send()
    (message,) = post.sent
    assert (message["To"], message["Subject"]) == (ADA, "Your image is ready")
    text = message.get_body()
    assert text is not None
    assert f"/jobs/{job.id}" in text.get_content()
    # Nothing in it is the client's text.
    assert "secret" not in str(message)
    (attached,) = message.iter_attachments()
    assert (attached.get_content(), attached.get_content_type()) == (b"secret-words", "image/jpeg")
    assert attached.get_filename() == "image.jpg"


async def test_a_job_that_failed_says_why(
    service: ImageService, storage: FileStorage, outbox: WebhookOutbox, send: Callable[[], Any], post: Post
) -> None:
    job = await submitted(service)
    error = Failure(code="broken_image", title="The image is damaged", detail="detail of the client")
    await outbox.announce(job, await concluded(storage, job, status=Status.FAILED, error=error))
    await send()
    (message,) = post.sent
    assert message["Subject"] == "Your image could not be processed"
    assert "The image is damaged (broken_image)" in message.get_content()
    assert "detail of the client" not in message.get_content()


async def test_a_job_that_was_cancelled_or_asks_for_nothing_sends_nothing(
    service: ImageService, storage: FileStorage, outbox: WebhookOutbox, client: Redis
) -> None:
    job = await submitted(service)
    await outbox.announce(job, await concluded(storage, job, status=Status.CANCELLED))
    other = await service.submit(ANONYMOUS, upload(picture()))
    await outbox.announce(other, await concluded(storage, other))
    assert await waiting(client) == 0


async def test_whoever_dies_one_end_sends_one_email(
    service: ImageService,
    storage: FileStorage,
    outbox: WebhookOutbox,
    client: Redis,
    send: Callable[[], Any],
    post: Post,
) -> None:
    job = await submitted(service)
    outcome = await concluded(storage, job, {"thumbnail": 9})
    # The worker died before it could tell anybody, and Redis was wiped.
    await client.flushdb()
    await repairer(CONFIG, client, storage, outbox).rebuild()
    assert await waiting(client) == 1
    for _ in range(2):
        await outbox.announce(job, outcome)
    await send()
    # It is known to be sent, whatever Redis knows.
    for _ in range(2):
        await client.flushdb()
        await repairer(CONFIG, client, storage, outbox).rebuild()
        await send()
    assert len(post.sent) == 1
    assert await EmailStore(client).get(notice_id(job.id, outcome.finished_at)) is not None
    # What was forgotten is not sent again either.
    late = outcome.model_copy(update={"finished_at": now() - timedelta(seconds=EMAIL_SECONDS + 1)})
    await outbox.announce(job, late)
    assert await waiting(client) == 0


async def test_a_job_that_was_retried_or_removed_since_is_not_shown(
    service: ImageService, storage: FileStorage, outbox: WebhookOutbox, send: Callable[[], Any], post: Post
) -> None:
    job = await submitted(service)
    await outbox.announce(job, await concluded(storage, job, {"thumbnail": 9}))
    await service.remove(ANONYMOUS, job.id)
    await send()
    (message,) = post.sent
    assert "removed" in message.get_content()
    assert not list(message.iter_attachments())


@pytest.mark.parametrize("address", ["eve@example.net", "ada@example.com.evil.net"])
async def test_an_address_that_is_not_admitted_makes_no_job(service: ImageService, folder: Path, address: str) -> None:
    with pytest.raises(AddressNotAllowed) as refused:
        await submitted(service, address)
    assert refused.value.field == "notify_email"
    assert not list(folder.rglob("job.json"))


@pytest.mark.parametrize("address", ["ada", "ada@example.com,eve@example.com", "a\nb@example.com", "x" * 300])
async def test_what_is_no_address_makes_no_job(service: ImageService, address: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await submitted(service, address)
    assert refused.value.field == "notify_email"


async def test_emails_count_for_the_rates_and_what_is_refused_does_not(
    service: ImageService, client: Redis, storage: FileStorage, outbox: WebhookOutbox, attempts: Attempts
) -> None:
    full = image_service(
        dataclasses.replace(CONFIG, queue=dataclasses.replace(CONFIG.queue, max_queued=1)),
        client,
        storage,
        JobWatch(client),
        outbox,
    )
    job = await submitted(service)
    for _ in range(3):
        with pytest.raises(QueueFull):
            await submitted(full)
    await submitted(service)
    with pytest.raises(TooManyEmails):
        await submitted(service, "Ada+tag@example.com")
    await submitted(service, "eve@example.com")
    # A retry is another email.
    error = Failure(code="broken_image", title="x", detail="x", retryable=True)
    outcome = await concluded(storage, job, status=Status.FAILED, error=error)
    assert await finished(attempts, await claimed(attempts, job.id), outcome)
    with pytest.raises(TooManyEmails):
        await service.retry(ANONYMOUS, job.id)


async def test_a_batch_sends_none(
    service: ImageService, client: Redis, storage: FileStorage, outbox: WebhookOutbox
) -> None:
    verbs = batches(CONFIG, client, storage, service, outbox)
    request = BatchRequest(batch_body(*images(picture()), b"--x--\r\n"), FORM, None, (("notify_email", ADA),))
    with pytest.raises(InvalidParameter) as refused:
        await verbs.submit(ANONYMOUS, request)
    assert refused.value.field == "notify_email"


def test_a_browser_with_a_policy_cannot_ask_for_an_email_and_its_backend_can() -> None:
    asked = ("notify_email", ADA)
    expires = 2_000_000_000
    with pytest.raises(InvalidParameter) as refused:
        UploadPolicy(Terms(expires=expires), "digest").applied([asked])
    assert refused.value.field == "notify_email"
    policy = UploadPolicy(Terms(expires=expires, fields=dict([asked])), "digest")
    assert policy.applied([("preset", "thumbnail")]) == (("preset", "thumbnail"), asked)


async def test_two_that_settle_the_same_end_queue_one_email(
    service: ImageService, storage: FileStorage, outbox: WebhookOutbox, client: Redis
) -> None:
    job = await submitted(service)
    outcome = await concluded(storage, job)
    await asyncio.gather(*(webhook_outbox(CONFIG, client, storage).announce(job, outcome) for _ in range(3)))
    assert await waiting(client) == 1
