"""The outbox: what is owed to webhooks, and to people by email, because jobs and batches have ended.

A delivery is owed because record and outcome in the storage say so, and until an object beside the record says that it
has ended. So none is lost, whichever process dies, nor if Redis is lost: the deliveries are worked out anew, under the
same ids.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from quickthumb.model.job import Job, Outcome, now
from quickthumb.model.webhook import Delivery, Webhook
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.keys import DELIVERY_SECONDS
from quickthumb.storage import Storage
from quickthumb.storage.layout import delivered_place
from quickthumb.work.batch_ends import BatchEnds
from quickthumb.work.notices import EmailNotices
from quickthumb.work.webhooks import Webhooks, owed, owed_for_batch

# How many ends of jobs and batches to remember between two refreshs.
MOST_RECENT = 1000

# What is owed because of one end, if there are these webhooks.
Owed = Callable[[Iterable[Webhook]], list[Delivery]]


class WebhookOutbox:
    """Queues what is owed. One for each process."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        webhooks: Webhooks,
        storage: Storage,
        batches: BatchEnds,
        notices: EmailNotices,
    ) -> None:
        self.webhooks = webhooks
        self._deliveries = deliveries
        self._storage = storage
        self.batches = batches
        self._notices = notices
        # What ended since the last refresh, by tenant, each with the webhooks that were known then.
        self._recent: deque[tuple[str, Owed, Sequence[Webhook]]] = deque(maxlen=MOST_RECENT)

    async def announce(self, job: Job, outcome: Outcome) -> None:
        """Queues what is owed because the job has ended, and its batch with it. Call it once the outcome is stored and
        before Redis is told: if the process dies in between, whoever settles the job calls it
        again.

        Costs nothing for a tenant without webhooks, unless the job is one of a batch or asks for an email. Raises
        QueueUnavailable and what `Storage` raises.
        """
        await self._notices.announce(job, outcome)
        await self._announce(job.tenant, partial(owed, job=job, outcome=outcome))
        if job.batch is not None:
            await self.announce_batch(job.batch)

    async def announce_batch(self, batch_id: str) -> None:
        """Queues the deliveries that are owed because the batch has ended, if it has. Call it also when a batch is
        complete, and when a job of it was removed. Raises the same."""
        concluded = await self.batches.conclude(batch_id)
        if concluded is not None:
            record, end = concluded
            await self._announce(record.tenant, partial(owed_for_batch, record=record, end=end))

    async def _announce(self, tenant: str, owed: Owed) -> None:
        known = await self._known(tenant)
        self._recent.append((tenant, owed, known))
        await self._add(owed(known))

    async def refresh(self) -> None:
        """Reads which webhooks there are now, and queues what is owed to those that were made shortly before a job
        ended. Call it every few seconds. Raises QueueUnavailable and what `Storage.list` raises."""
        recent, self._recent = self._recent, deque(maxlen=MOST_RECENT)
        try:
            await self.webhooks.refresh()
            for tenant, owed, known in recent:
                current = self.webhooks.of(tenant)
                if current != known:
                    # Adding what is known already changes nothing.
                    await self._add(owed(current))
        except BaseException:
            self._recent.extendleft(reversed(recent))
            raise

    async def restore(self, ended: Sequence[tuple[Job, Outcome]]) -> int:
        """Queues what is still owed for jobs that Redis had lost, with the emails that they ask for. Returns how many
        deliveries. Raises QueueUnavailable and what `Storage` raises."""
        queued = 0
        for job, outcome in ended:
            await self._notices.announce(job, outcome)
            queued += await self._restore(job.tenant, partial(owed, job=job, outcome=outcome), outcome.finished_at)
        return queued

    async def restore_batch(self, batch_id: str) -> int:
        """Queues what is still owed for a batch, if it has ended, whatever Redis had lost. Returns and raises the
        same."""
        concluded = await self.batches.conclude(batch_id)
        if concluded is None:
            return 0
        record, end = concluded
        return await self._restore(record.tenant, partial(owed_for_batch, record=record, end=end), end.finished_at)

    async def _restore(self, tenant: str, owed: Owed, finished_at: datetime) -> int:
        queued = 0
        if finished_at < now() - timedelta(seconds=DELIVERY_SECONDS):
            return queued
        for delivery in owed(await self._known(tenant)):
            place = delivered_place(delivery.id, delivery.job_id, delivery.batch_id)
            if place is not None and await self._storage.get(place) is None:
                queued += await self._deliveries.add(delivery)
        return queued

    async def _known(self, tenant: str) -> Sequence[Webhook]:
        if not self.webhooks.are_known:
            await self.webhooks.refresh()
        return self.webhooks.of(tenant)

    async def _add(self, owed: Iterable[Delivery]) -> None:
        for delivery in owed:
            await self._deliveries.add(delivery)
