"""The webhook verbs, each on behalf of a caller: make, list, rotate, test and delete webhooks; list and replay their
deliveries. And the ledger of deliveries, for repairs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime

from quickthumb.model.caller import Caller
from quickthumb.model.job import Status, is_id, new_id, now
from quickthumb.model.webhook import Delivery, EventType, Secret, Webhook
from quickthumb.notify.errors import WebhookRefused
from quickthumb.outbound.errors import OutboundRefused
from quickthumb.outbound.guard import split_url
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import TooManyWebhooks, UnknownDelivery, UnknownWebhook
from quickthumb.service.repair import Repaired
from quickthumb.service.tenancy import find_job
from quickthumb.storage import Storage
from quickthumb.storage.layout import delivered_folder
from quickthumb.work.webhooks import Webhooks

# How many webhooks a tenant may have: each is told of every job.
MOST_WEBHOOKS = 20


class WebhookService:
    """What callers can do with webhooks. Every verb raises UnknownWebhook for another tenant's webhook, or for one that
    was deleted."""

    def __init__(self, webhooks: Webhooks, deliveries: DeliveryStore, jobs: JobStore, storage: Storage) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._jobs = jobs
        self._storage = storage

    async def create(self, caller: Caller, url: str, events: Iterable[EventType], description: str) -> Webhook:
        """Makes a webhook for the caller's tenant. Every process knows of it within seconds.

        Raises WebhookRefused for a URL that can never be used, and TooManyWebhooks.
        """
        try:
            split_url(url)
        except OutboundRefused as error:
            raise WebhookRefused(error.message, field="url") from None
        if len(await self.all(caller)) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(f"The tenant has {MOST_WEBHOOKS} webhooks already; delete one first.")
        return await self._webhooks.create(caller.tenant, url, events, description, now())

    async def all(self, caller: Caller) -> Sequence[Webhook]:
        """The webhooks of the caller's tenant, oldest first."""
        await self._webhooks.refresh()
        return self._webhooks.of(caller.tenant)

    async def find(self, caller: Caller, webhook_id: str) -> Webhook:
        """One webhook."""
        await self._webhooks.refresh()
        webhook = self._webhooks.get(webhook_id)
        if webhook is None or webhook.tenant != caller.tenant or webhook.ended_at is not None:
            raise UnknownWebhook("There is no webhook with this id.")
        return webhook

    async def rotate(self, caller: Caller, webhook_id: str) -> tuple[Webhook, Secret]:
        """Gives a webhook another secret. The old one signs, too, for another day."""
        webhook = await self.find(caller, webhook_id)
        secret = await self._webhooks.rotate(webhook, now())
        return await self.find(caller, webhook_id), secret

    async def remove(self, caller: Caller, webhook_id: str) -> None:
        """Deletes a webhook. What was not delivered yet is not sent any more."""
        await self._webhooks.end(await self.find(caller, webhook_id), now(), "it was deleted")

    async def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """Queues a test event for a webhook."""
        webhook = await self.find(caller, webhook_id)
        delivery_id = new_id()
        delivery = Delivery(
            id=delivery_id,
            message_id=delivery_id,
            tenant=webhook.tenant,
            event=EventType.ENDPOINT_TEST,
            url=webhook.url,
            webhook_id=webhook.id,
            created_at=now(),
        )
        await self._deliveries.add(delivery)
        return delivery

    async def deliveries(self, caller: Caller, webhook_id: str) -> list[Delivery]:
        """The latest deliveries to a webhook, newest first."""
        return await self._deliveries.of((await self.find(caller, webhook_id)).id)

    async def deliveries_of_job(self, caller: Caller, job_id: str) -> list[Delivery]:
        """The deliveries that tell of a job, newest first: those in Redis, and what the storage has of those that have
        ended. Raises UnknownJob."""
        job = await find_job(self._jobs, caller, job_id)
        found = {delivery.id: delivery for delivery in await self._ended(job.id)}
        found |= {delivery.id: delivery for delivery in await self._deliveries.of(job.id)}
        return sorted(found.values(), key=lambda one: (one.created_at, one.id), reverse=True)

    async def _ended(self, job_id: str) -> list[Delivery]:
        keys = [blob.key async for batch in self._storage.list(delivered_folder(job_id)) for blob in batch]
        written = [await self._storage.get(key) for key in keys]
        return [Delivery.model_validate_json(one) for one in written if one is not None]

    async def replay(self, caller: Caller, delivery_id: str) -> Delivery:
        """Sends an event again, as a delivery of its own with the same message id. Raises UnknownDelivery."""
        delivery = await self._deliveries.get(delivery_id) if is_id(delivery_id) else None
        if delivery is None or delivery.tenant != caller.tenant:
            raise UnknownDelivery("There is no delivery with this id; it may have expired.")
        return await self._again(delivery)

    async def replay_many(
        self, caller: Caller, webhook_id: str, since: datetime, until: datetime, *, only_failed: bool
    ) -> list[Delivery]:
        """Sends the events again whose deliveries to a webhook have ended and began within a time; by `only_failed`,
        those that FAILED. As many as are listed."""
        found = await self.deliveries(caller, webhook_id)
        statuses = {Status.FAILED} if only_failed else {Status.FAILED, Status.DONE, Status.CANCELLED}
        chosen = [one for one in found if since <= one.created_at <= until and one.status in statuses]
        return [await self._again(delivery) for delivery in reversed(chosen)]

    async def _again(self, delivery: Delivery) -> Delivery:
        again = delivery.model_copy(update={"id": new_id(), "status": Status.WAITING, "attempts": (), "error": None})
        await self._deliveries.add(again)
        return again


class DeliveryLedger:
    """The deliveries, for repairs. The storage has no list of them: the ledger of jobs works out what is owed."""

    doubtful: frozenset[Status | None] = frozenset()

    def __init__(self, store: DeliveryStore) -> None:
        self.index = store.index

    async def ids(self) -> AsyncIterator[list[str]]:
        none: tuple[list[str], ...] = ()
        for ids in none:
            yield ids

    async def repair(self, items: Mapping[str, Status | None]) -> list[Repaired]:
        return []

    async def requeue(self, item_id: str, created_ms: int) -> bool:
        return await self.index.requeue(item_id, created_ms)

    async def sweep(self) -> Sequence[str]:
        return ()
