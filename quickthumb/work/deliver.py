"""The handler that delivers events to webhooks."""

import logging
import random
import time
from collections.abc import Sequence
from datetime import timedelta

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Status, now, to_milliseconds
from quickthumb.model.webhook import Delivery, DeliveryAttempt
from quickthumb.notify.errors import WebhookExpired, WebhookGone, WebhookRefused, WebhookUnavailable
from quickthumb.notify.webhook import signed_headers
from quickthumb.outbound.client import Answer, OutboundClient
from quickthumb.outbound.errors import OutboundError, OutboundRefused
from quickthumb.outbound.guard import split_url
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.deliveries import DeliveryStore, delivery_from, ending_of_delivery, tries_text
from quickthumb.queue.keys import DAY_SECONDS, TRIED_SECONDS
from quickthumb.storage import Storage
from quickthumb.storage.layout import batch_record, delivered_place
from quickthumb.work.handler import Cancelled, Done, Failed, Snooze, Verdict, failure_of
from quickthumb.work.hosts import Hosts, Receiver
from quickthumb.work.messages import Messages
from quickthumb.work.webhooks import Webhooks

log = logging.getLogger("quickthumb.webhook")

# How many deliveries one worker makes at the same time. They only wait for other servers, and need no place of a job.
AT_ONCE = 16
JITTER = 0.1
# Redis learns of a job's end just after its deliveries are queued.
SETTLING_SECONDS = 0.1
KEPT_ANSWER_BYTES = 1024
GONE = 410
# What a server says that has too much to do, or a proxy whose server does not answer.
THROTTLING = frozenset({429, 502, 503, 504})


class DeliveryHandler:
    """Delivers events at least once: if a worker dies after the server answered and before that was stored, the event
    is sent again. The `pauses` are those between the attempts, in seconds. `secrets` sign what goes to URLs that came
    with a job."""

    at_once: int | None = AT_ONCE
    longest_pause_seconds = 300.0
    unexpected: QuickThumbError = WebhookUnavailable(
        "The event could not be delivered because of an unexpected error; see the worker's log."
    )

    def __init__(
        self,
        deliveries: DeliveryStore,
        storage: Storage,
        webhooks: Webhooks,
        client: OutboundClient,
        messages: Messages,
        *,
        pauses: Sequence[float],
        secrets: Sequence[str],
    ) -> None:
        self.kind = deliveries.kind
        self.max_attempts = len(pauses) + 1
        self._storage = storage
        self._webhooks = webhooks
        self._client = client
        self._messages = messages
        self._pauses = pauses
        self._secrets = secrets
        self._hosts = Hosts()

    async def run(self, attempt: Attempt) -> Verdict:
        delivery = delivery_from(attempt.id, attempt.fields)
        receiver = _receiver_of(delivery)
        pause_seconds = self._hosts.pause_seconds(receiver)
        if pause_seconds and not _is_old(delivery):
            return Snooze(blameless=True, seconds=pause_seconds)
        with self._hosts.request(receiver):
            return await self._run(attempt, delivery, receiver)

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        delivery = delivery_from(attempt.id, attempt.fields)
        standing = await self._standing(delivery)
        return await self._end(delivery, Status.FAILED, error) if standing is None else _verdict_on(standing)

    async def abandoned(self, attempt: Attempt) -> None:
        """Does nothing: an attempt to deliver leaves nothing behind."""

    async def _run(self, attempt: Attempt, delivery: Delivery, receiver: Receiver) -> Verdict:
        if (standing := await self._standing(delivery)) is not None:
            return _verdict_on(standing)
        if _is_old(delivery):
            raise WebhookExpired(f"{receiver.host} did not take the event in {TRIED_SECONDS // DAY_SECONDS} days.")
        signing = await self._signing(delivery)
        if signing is None:
            return Cancelled(ending_of_delivery(to_milliseconds(now()), None))
        body = await self._messages.body(delivery)
        if body is None:
            return Snooze(blameless=True, seconds=SETTLING_SECONDS)
        return await self._deliver(attempt, delivery, receiver, body, signing)

    async def _standing(self, delivery: Delivery) -> Delivery | None:
        """The delivery as it ended; None if the storage does not say that it has."""
        place = delivered_place(delivery.id, delivery.job_id, delivery.batch_id)
        written = None if place is None else await self._storage.get(place)
        return None if written is None else Delivery.model_validate_json(written)

    async def _signing(self, delivery: Delivery) -> Sequence[str] | None:
        """The secrets that sign; None if the webhook was deleted, or is gone. Raises WebhookRefused."""
        if delivery.webhook_id is not None:
            webhook = await self._webhooks.find(delivery.webhook_id)
            return None if webhook is None or webhook.gone_at is not None else webhook.signing(now())
        if not self._secrets:
            raise WebhookRefused("The service has no WEBHOOK_SECRETS any more, so the event cannot be signed.")
        return self._secrets

    async def _deliver(
        self, attempt: Attempt, delivery: Delivery, receiver: Receiver, body: bytes, signing: Sequence[str]
    ) -> Verdict:
        began_at, started = now(), time.monotonic()
        answer: Answer | None = None
        failure: OutboundError | None = None
        try:
            headers = signed_headers(signing, delivery.message_id, began_at, body)
            answer = await self._client.post(delivery.url, body, headers)
        except OutboundError as error:
            failure = error
        self._note(receiver, answer, failure)
        tried = DeliveryAttempt(
            at=began_at,
            seconds=round(time.monotonic() - started, 3),
            status=answer.status if answer else None,
            answer=answer.body[:KEPT_ANSWER_BYTES].decode(errors="replace") if answer else None,
            error=failure.message if failure else None,
        )
        delivery = delivery.model_copy(update={"attempts": (*delivery.attempts, tried)[-self.max_attempts :]})
        if isinstance(failure, OutboundRefused):
            return await self._end(delivery, Status.FAILED, WebhookRefused(failure.message))
        if answer is not None and 200 <= answer.status < 300:
            return await self._end(delivery, Status.DONE)
        if answer is not None and answer.status == GONE:
            return await self._gone(delivery)
        return await self._later(attempt, delivery, receiver, answer, failure)

    def _note(self, receiver: Receiver, answer: Answer | None, failure: OutboundError | None) -> None:
        if answer is not None and answer.status in THROTTLING:
            self._hosts.failed(receiver, answer.retry_after_seconds or 0.0)
        elif answer is not None:
            self._hosts.answered(receiver)
        elif failure is not None and failure.may_pass:
            self._hosts.failed(receiver)

    async def _gone(self, delivery: Delivery) -> Verdict:
        """The server wants no more events: nothing else is sent there."""
        webhook = None if delivery.webhook_id is None else self._webhooks.get(delivery.webhook_id)
        if webhook is not None:
            await self._webhooks.end(webhook, now())
        return await self._end(delivery, Status.FAILED, WebhookGone("The server answered 410 Gone."))

    async def _later(
        self,
        attempt: Attempt,
        delivery: Delivery,
        receiver: Receiver,
        answer: Answer | None,
        failure: OutboundError | None,
    ) -> Verdict:
        words = failure.message if failure else f"{receiver.host} answered {answer.status if answer else 'nothing'}."
        error = WebhookUnavailable(words)
        if attempt.strike >= self.max_attempts:
            return await self._end(delivery, Status.FAILED, error)
        pause_seconds = self._pauses[attempt.strike - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        asked_seconds = (answer.retry_after_seconds if answer else None) or 0.0
        return Snooze(
            blameless=False,
            error=error,
            seconds=max(pause_seconds, asked_seconds),
            fields={"tries": tries_text(delivery.attempts)},
        )

    async def _end(self, delivery: Delivery, status: Status, error: QuickThumbError | None = None) -> Verdict:
        """Stores that the delivery has ended. Returns the verdict for what is stored."""
        ended = delivery.model_copy(update={"status": status, "error": failure_of(error) if error else None})
        place = delivered_place(delivery.id, delivery.job_id, delivery.batch_id)
        if place is not None and await self._is_recorded(delivery):
            written = ended.model_dump_json(exclude_none=True).encode()
            if not await self._storage.put(place, written):
                ended = await self._standing(delivery) or ended
        return _verdict_on(ended)

    async def _is_recorded(self, delivery: Delivery) -> bool:
        """Whether the job or the batch is still there. Without a record, nothing is owed because of it."""
        if delivery.job_id is None:
            return await self._storage.get(batch_record(delivery.batch_id or "")) is not None
        (kept,) = await self._storage.records([delivery.job_id])
        return kept.record is not None


def _receiver_of(delivery: Delivery) -> Receiver:
    """Whom the delivery goes to. Raises WebhookRefused."""
    try:
        place = split_url(delivery.url)
    except OutboundRefused as error:
        raise WebhookRefused(error.message) from error
    return Receiver(delivery.tenant, place.host, place.port)


def _is_old(delivery: Delivery) -> bool:
    """Whether it is time to give up: while a receiver is left alone, its deliveries are not tried."""
    return now() - delivery.created_at > timedelta(seconds=TRIED_SECONDS)


def _verdict_on(ended: Delivery) -> Verdict:
    fields = {**ending_of_delivery(to_milliseconds(now()), ended.error), "tries": tries_text(ended.attempts)}
    if ended.error is not None:
        return Failed(fields, ended.error)
    last = ended.attempts[-1].status if ended.attempts else None
    return Done(fields, f"{ended.event} delivered: answered {last}")
