"""The outbox: what is owed to webhooks because jobs have ended.

A delivery is owed because record and outcome in the storage say so, and until an object beside the record says that it
has ended. So none is lost, whichever process dies, nor if Redis is lost: the deliveries are worked out anew, under the
same ids.
"""

from collections.abc import Sequence
from datetime import timedelta

from quickthumb.model.job import Job, Outcome, now
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.keys import DELIVERY_SECONDS
from quickthumb.storage import Storage
from quickthumb.storage.layout import delivered_key
from quickthumb.work.webhooks import Webhooks, owed


class WebhookOutbox:
    """Queues what is owed."""

    def __init__(self, deliveries: DeliveryStore, webhooks: Webhooks, storage: Storage) -> None:
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._storage = storage

    async def announce(self, job: Job, outcome: Outcome) -> None:
        """Queues the deliveries that are owed because the job has ended. Call it once the outcome is stored and before
        Redis is told: if the process dies in between, whoever settles the job calls it again.

        Costs nothing for a tenant without webhooks. Raises QueueUnavailable and what `Storage.list` raises.
        """
        if not self._webhooks.are_known:
            await self._webhooks.refresh()
        for delivery in owed(self._webhooks, job, outcome):
            await self._deliveries.add(delivery)

    async def restore(self, ended: Sequence[tuple[Job, Outcome]]) -> int:
        """Queues what is still owed for jobs that Redis had lost. Returns how many deliveries. Raises QueueUnavailable
        and what `Storage.get` raises."""
        if not self._webhooks.are_known:
            await self._webhooks.refresh()
        queued, since = 0, now() - timedelta(seconds=DELIVERY_SECONDS)
        for job, outcome in ended:
            if outcome.finished_at < since:
                continue
            for delivery in owed(self._webhooks, job, outcome):
                if await self._storage.get(delivered_key(job.id, delivery.id)) is None:
                    queued += await self._deliveries.add(delivery)
        return queued
