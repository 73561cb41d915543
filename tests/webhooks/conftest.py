"""A worker's part in webhooks, on a real Redis, a real folder and a real receiver."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import Caller, Scope
from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.model.opening import Opening
from quickthumb.model.webhook import CHOICES, Delivery, Webhook
from quickthumb.outbound.client import OutboundClient
from quickthumb.outbound.guard import Guard
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.batches import BatchJobs
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.events import EventLog
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import DELIVERY
from quickthumb.service.webhooks import WebhookService
from quickthumb.storage import FileStorage
from quickthumb.work.batch_ends import BatchEnds
from quickthumb.work.deliver import DeliveryHandler
from quickthumb.work.handler import Verdict
from quickthumb.work.messages import Messages
from quickthumb.work.notices import EmailNotices
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.runner import Runner
from quickthumb.work.webhooks import Webhooks
from tests.redis_fixtures import a_job, attempts, claim, client, redis, redis_url, shared_redis, store
from tests.storage.jobs import end, keep
from tests.webhooks.receiver import Receiver, receiver

__all__ = ["attempts", "client", "redis", "redis_url", "shared_redis", "store"]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAUSES = (5.0, 300.0, 1800.0)
CALLER = Caller(tenant="shop", scopes=frozenset({Scope.WEBHOOKS}))


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "data")


@dataclass
class Site:
    """The parts of a worker that tell of jobs, and the verbs."""

    client: Redis
    storage: FileStorage
    store: JobStore
    attempts: Attempts
    hook: Receiver
    secrets: Sequence[str] = (SECRET,)
    webhooks: Webhooks = field(init=False)

    def __post_init__(self) -> None:
        self.webhooks = Webhooks(self.storage)
        self.deliveries = DeliveryStore(self.client)
        self.batches = BatchEnds(BatchJobs(self.client, self.store), EventLog(self.client), self.storage)
        self.emails = EmailStore(self.client)
        self.notices = EmailNotices(self.emails, self.storage)
        self.outbox = WebhookOutbox(self.deliveries, self.webhooks, self.storage, self.batches, self.notices)
        self.service = WebhookService(self.webhooks, self.deliveries, self.store, self.batches, self.storage)
        self.runner = Runner(self.attempts, lease_seconds=5)
        self.restart()

    def restart(self) -> None:
        """A worker's handler knows nothing of receivers at first."""
        self.handler = DeliveryHandler(
            self.deliveries,
            self.storage,
            self.webhooks,
            OutboundClient(Guard([Opening.read(self.hook.place)])),
            Messages(self.storage, self.store, self.batches, ""),
            pauses=PAUSES,
            secrets=self.secrets,
        )

    async def webhook(self, path: str = "/hook", tenant: str = "shop", **changes: Any) -> Webhook:
        asked = {"events": CHOICES, "description": "", "moment": now(), **changes}
        return await self.webhooks.create(tenant, self.hook.url(path), **asked)

    async def stored(self, status: Status = Status.DONE, **changes: Any) -> tuple[Job, Outcome]:
        """A job that has ended, as far as the storage knows."""
        job = a_job(tenant="shop", **changes)
        await keep(self.storage, record=job.record(), job_id=job.id)
        outcome = Outcome(status=status, finished_at=now(), source=job.source)
        await end(self.storage, job.id, {}, outcome.model_dump_json().encode())
        return job, outcome

    async def ended(self, status: Status = Status.DONE, **changes: Any) -> Job:
        """A job that has ended, and of which webhooks are told."""
        job, outcome = await self.stored(status, **changes)
        await self.outbox.announce(job, outcome)
        return job

    async def owed(self, job: Job) -> list[Delivery]:
        return await self.deliveries.of(job.id)

    async def run(self, delivery: Delivery) -> Verdict:
        """An attempt at the delivery, even if it is not due yet."""
        attempt = await claim(self.attempts, DELIVERY, delivery.id)
        assert attempt is not None
        return await self.runner.run(self.handler, attempt)


@pytest.fixture
def site(client: Redis, storage: FileStorage, store: JobStore, attempts: Attempts, hook: Receiver) -> Site:
    return Site(client, storage, store, attempts, hook)
