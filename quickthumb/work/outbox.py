"""The outbox: what is owed to webhooks because jobs have ended.

A delivery is owed because record and outcome in the storage say so, and until an object beside the record says that it
has ended. So none is lost, whichever process dies, nor if Redis is lost: the deliveries are worked out anew, under the
same ids.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta

from quickthumb.model.job import Job, Outcome, now
from quickthumb.model.webhook import Delivery, Webhook
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.keys import DELIVERY_SECONDS
from quickthumb.storage import Storage
from quickthumb.storage.layout import delivered_key
from quickthumb.work.webhooks import Webhooks, owed

# How many ends of jobs to remember between two refreshs.
MOST_RECENT = 1000


class WebhookOutbox:
    """Queues what is owed. One for each process."""

    def __init__(self, deliveries: DeliveryStore, webhooks: Webhooks, storage: Storage) -> None:
        self.webhooks = webhooks
        self._deliveries = deliveries
        self._storage = storage
        # The jobs that ended since the last refresh, each with the webhooks that were known then.
        self._recent: deque[tuple[Job, Outcome, Sequence[Webhook]]] = deque(maxlen=MOST_RECENT)

    async def announce(self, job: Job, outcome: Outcome) -> None:
        """Queues the deliveries that are owed because the job has ended. Call it once the outcome is stored and before
        Redis is told: if the process dies in between, whoever settles the job calls it again.

        Costs nothing for a tenant without webhooks. Raises QueueUnavailable and what `Storage.list` raises.
        """
        if not self.webhooks.are_known:
            await self.webhooks.refresh()
        known = self.webhooks.of(job.tenant)
        self._recent.append((job, outcome, known))
        await self._add(owed(known, job, outcome))

    async def refresh(self) -> None:
        """Reads which webhooks there are now, and queues what is owed to those that were made shortly before a job
        ended. Call it every few seconds. Raises QueueUnavailable and what `Storage.list` raises."""
        recent, self._recent = self._recent, deque(maxlen=MOST_RECENT)
        try:
            await self.webhooks.refresh()
            for job, outcome, known in recent:
                current = self.webhooks.of(job.tenant)
                if current != known:
                    # Adding what is known already changes nothing.
                    await self._add(owed(current, job, outcome))
        except BaseException:
            self._recent.extendleft(reversed(recent))
            raise

    async def restore(self, ended: Sequence[tuple[Job, Outcome]]) -> int:
        """Queues what is still owed for jobs that Redis had lost. Returns how many deliveries. Raises QueueUnavailable
        and what `Storage.get` raises."""
        if not self.webhooks.are_known:
            await self.webhooks.refresh()
        queued, since = 0, now() - timedelta(seconds=DELIVERY_SECONDS)
        for job, outcome in ended:
            if outcome.finished_at < since:
                continue
            for delivery in owed(self.webhooks.of(job.tenant), job, outcome):
                if await self._storage.get(delivered_key(job.id, delivery.id)) is None:
                    queued += await self._deliveries.add(delivery)
        return queued

    async def _add(self, owed: Iterable[Delivery]) -> None:
        for delivery in owed:
            await self._deliveries.add(delivery)
