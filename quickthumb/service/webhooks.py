"""The webhook verbs, each on behalf of a caller: make, list, rotate, test and delete webhooks; list and replay their
deliveries. And the ledger of deliveries, for repairs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from quickthumb.model.caller import Caller
from quickthumb.model.job import Status, is_id, new_id, now
from quickthumb.model.webhook import Delivery, EventType, Secret, Webhook
from quickthumb.notify.errors import WebhookRefused
from quickthumb.outbound.errors import OutboundRefused
from quickthumb.outbound.guard import split_url
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.jobs import JobStore
from quickthumb.service.deliveries import Choice, DeliveryPage, Listing, page_of
from quickthumb.service.errors import TooManyWebhooks, UnknownBatch, UnknownDelivery, UnknownWebhook
from quickthumb.service.repair import Repaired
from quickthumb.service.tenancy import find_job
from quickthumb.storage import Storage
from quickthumb.storage.layout import batch_delivered_folder, delivered_folder
from quickthumb.work.batch_ends import BatchEnds
from quickthumb.work.webhooks import Webhooks

# How many webhooks a tenant may have: each is told of every job.
MOST_WEBHOOKS = 20
EVERY = Listing()


class WebhookService:
    """What callers can do with webhooks. Every verb raises UnknownWebhook for another tenant's webhook, or for one that
    was deleted."""

    def __init__(
        self, webhooks: Webhooks, deliveries: DeliveryStore, jobs: JobStore, batches: BatchEnds, storage: Storage
    ) -> None:
        self._webhooks = webhooks
        self._batches = batches
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
        """The webhooks of the caller's tenant, oldest first, also those that are gone."""
        await self._webhooks.refresh()
        return self._webhooks.all(caller.tenant)

    async def find(self, caller: Caller, webhook_id: str) -> Webhook:
        """One webhook, also if it is gone."""
        await self._webhooks.refresh()
        webhook = self._webhooks.get(webhook_id)
        if webhook is None or webhook.tenant != caller.tenant:
            raise UnknownWebhook("There is no webhook with this id.")
        return webhook

    async def _in_use(self, caller: Caller, webhook_id: str) -> Webhook:
        webhook = await self.find(caller, webhook_id)
        if webhook.gone_at is not None:
            raise UnknownWebhook("The webhook's server answered 410 Gone; nothing is sent there any more.")
        return webhook

    async def rotate(self, caller: Caller, webhook_id: str) -> tuple[Webhook, Secret]:
        """Gives a webhook another secret. The old one signs, too, for another day."""
        webhook = await self._in_use(caller, webhook_id)
        return webhook, await self._webhooks.rotate(webhook, now())

    async def remove(self, caller: Caller, webhook_id: str) -> None:
        """Deletes a webhook. What was not delivered yet is not sent any more."""
        await self._webhooks.remove(await self.find(caller, webhook_id))

    async def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """Queues a test event for a webhook."""
        webhook = await self._in_use(caller, webhook_id)
        delivery_id, moment = new_id(), now()
        delivery = Delivery(
            id=delivery_id,
            message_id=delivery_id,
            tenant=webhook.tenant,
            event=EventType.ENDPOINT_TEST,
            url=webhook.url,
            webhook_id=webhook.id,
            happened_at=moment,
            created_at=moment,
        )
        await self._deliveries.add(delivery)
        return delivery

    async def deliveries(self, caller: Caller, webhook_id: str, listing: Listing = EVERY) -> DeliveryPage:
        """The latest deliveries to a webhook, newest first. Raises InvalidParameter for a wrong cursor, too."""
        webhook = await self.find(caller, webhook_id)
        return page_of(await self._deliveries.of(webhook.id), listing)

    async def deliveries_of_job(self, caller: Caller, job_id: str, listing: Listing = EVERY) -> DeliveryPage:
        """The deliveries that tell of a job, newest first: those in Redis, and what the storage has of those that have
        ended. Raises UnknownJob, and InvalidParameter for a wrong cursor."""
        job = await find_job(self._jobs, caller, job_id)
        return await self._page(job.id, delivered_folder(job.id), listing)

    async def deliveries_of_batch(self, caller: Caller, batch_id: str, listing: Listing = EVERY) -> DeliveryPage:
        """The deliveries that tell of a batch, in the same way. Raises UnknownBatch in place of UnknownJob."""
        record = await self._batches.record(batch_id)
        if record is None or record.tenant != caller.tenant:
            raise UnknownBatch("There is no batch with this id; it may have expired.")
        return await self._page(record.id, batch_delivered_folder(record.id), listing)

    async def _page(self, owner: str, folder: str, listing: Listing) -> DeliveryPage:
        found = {delivery.id: delivery for delivery in await self._ended(folder)}
        found |= {delivery.id: delivery for delivery in await self._deliveries.of(owner)}
        return page_of(found.values(), listing)

    async def _ended(self, folder: str) -> list[Delivery]:
        keys = [blob.key async for batch in self._storage.list(folder) for blob in batch]
        written = [await self._storage.get(key) for key in keys]
        return [Delivery.model_validate_json(one) for one in written if one is not None]

    async def replay(self, caller: Caller, delivery_id: str) -> Delivery:
        """Sends an event again, as a delivery of its own with the same message id. Raises UnknownDelivery, and
        UnknownWebhook if its webhook was deleted or is gone."""
        delivery = await self._deliveries.get(delivery_id) if is_id(delivery_id) else None
        if delivery is None or delivery.tenant != caller.tenant:
            raise UnknownDelivery("There is no delivery with this id; it may have expired.")
        if delivery.webhook_id is not None:
            await self._in_use(caller, delivery.webhook_id)
        return await self._again(delivery)

    async def replay_many(self, caller: Caller, webhook_id: str, choice: Choice) -> list[Delivery]:
        """Sends the chosen ones of the latest events again to a webhook. Returns the new deliveries."""
        webhook = await self._in_use(caller, webhook_id)
        return [await self._again(delivery) for delivery in choice.of(await self._deliveries.of(webhook.id))]

    async def _again(self, delivery: Delivery) -> Delivery:
        fresh = {"id": new_id(), "created_at": now(), "status": Status.WAITING, "attempts": (), "error": None}
        again = delivery.model_copy(update=fresh)
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
