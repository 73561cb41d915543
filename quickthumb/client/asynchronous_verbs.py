"""What the client of programs with asyncio or trio can do with batches and webhooks."""

from collections.abc import Iterable
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

from quickthumb.client.batches import Batch, BatchCalls, BatchOrId, Images
from quickthumb.client.calls import JobOrId
from quickthumb.client.exchange import Plan, Retries
from quickthumb.client.pictures import Order
from quickthumb.client.webhooks import Delivery, DeliveryOrId, Webhook, WebhookCalls, WebhookOrId

T = TypeVar("T")


class Run(Protocol):
    """Carries out a plan."""

    async def __call__(self, plan: Plan[T]) -> T: ...


class AsyncBatchVerbs:
    """Many images in one request: `client.batches`. The methods raise what those of the client raise."""

    def __init__(self, run: Run, retries: Retries) -> None:
        self._run = run
        self._calls = BatchCalls(retries)

    async def submit(
        self,
        images: Images = (),
        *,
        urls: Iterable[str] = (),
        order: Order = (),
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> Batch:
        """Uploads images, and has those at the URLs fetched: see `BatchVerbs.submit`."""
        return await self._run(self._calls.submit(images, urls, order, parameters, idempotency_key))

    async def find(self, batch: BatchOrId) -> Batch:
        """The batch as it is now, with all its images."""
        return await self._run(self._calls.find(batch))

    async def wait(self, batch: BatchOrId, *, timeout_seconds: float | None = None) -> Batch:
        """The batch once all its jobs have ended. Raises StillRunning if they have not ended in time."""
        return await self._run(self._calls.wait(batch, timeout_seconds))

    async def download(self, batch: BatchOrId, path: str | PathLike[str]) -> Path:
        """Saves all results of a batch that has ended as the ZIP file `path`, and returns that: see `download`."""
        return await self._run(self._calls.download(batch, Path(path)))


class AsyncWebhookVerbs:
    """Where events are sent, and what became of them: `client.webhooks`. The key needs the scope `webhooks`."""

    def __init__(self, run: Run, retries: Retries) -> None:
        self._run = run
        self._calls = WebhookCalls(retries)

    async def create(self, url: str, *, events: Iterable[str] | None = None, description: str = "") -> Webhook:
        """Makes a webhook for these events, by default every end of a job. Its secret is shown this once only. If the
        connection breaks, this is not tried again, since there might be two then."""
        return await self._run(self._calls.create(url, events, description))

    async def all(self) -> tuple[Webhook, ...]:
        """The webhooks of the tenant, oldest first."""
        return await self._run(self._calls.all())

    async def rotate(self, webhook: WebhookOrId) -> Webhook:
        """Gives a webhook another secret, and returns it with that. The old one signs for another day, too."""
        return await self._run(self._calls.rotate(webhook))

    async def delete(self, webhook: WebhookOrId) -> None:
        """Deletes a webhook. What was not delivered yet is not sent any more."""
        await self._run(self._calls.delete(webhook))

    async def test(self, webhook: WebhookOrId) -> Delivery:
        """Sends the event `endpoint.test`."""
        return await self._run(self._calls.test(webhook))

    async def deliveries(self, webhook: WebhookOrId) -> tuple[Delivery, ...]:
        """The deliveries to a webhook, with their attempts, newest first."""
        return await self._run(self._calls.deliveries(webhook))

    async def deliveries_of_job(self, job: JobOrId) -> tuple[Delivery, ...]:
        """The deliveries that tell of a job, newest first."""
        return await self._run(self._calls.deliveries_of_job(job))

    async def replay(self, delivery: DeliveryOrId) -> Delivery:
        """Sends an event again, with the same message id."""
        return await self._run(self._calls.replay(delivery))

    async def replay_many(
        self, webhook: WebhookOrId, since: datetime, until: datetime, *, only_failed: bool = True
    ) -> tuple[Delivery, ...]:
        """Sends the events of a time again, by default only those that were never delivered."""
        return await self._run(self._calls.replay_many(webhook, since, until, only_failed=only_failed))
