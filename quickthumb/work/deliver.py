"""The handler that delivers events to webhooks."""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Job, Outcome, Status, now, to_milliseconds
from quickthumb.model.webhook import Delivery, DeliveryAttempt, EventType
from quickthumb.notify.errors import WebhookGone, WebhookRefused, WebhookUnavailable
from quickthumb.notify.webhook import message, signed_headers
from quickthumb.outbound.client import Answer, OutboundClient
from quickthumb.outbound.errors import OutboundError, OutboundRefused
from quickthumb.outbound.guard import split_url
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.deliveries import DeliveryStore, delivery_from, ending_of_delivery, tries_text
from quickthumb.queue.jobs import JobStore
from quickthumb.storage import Storage
from quickthumb.storage.layout import delivered_key
from quickthumb.work.handler import Cancelled, Done, Failed, Snooze, Verdict, failure_of
from quickthumb.work.hosts import Hosts
from quickthumb.work.webhooks import Webhooks

log = logging.getLogger("quickthumb.webhook")

# The pauses between the attempts: at once, then over 75 hours, as Standard Webhooks proposes.
PAUSES_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_ATTEMPTS = len(PAUSES_SECONDS) + 1
JITTER = 0.1
# Redis learns of a job's end just after its deliveries are queued.
SETTLING_SECONDS = 0.1
KEPT_ANSWER_BYTES = 1024
GONE = 410


class DeliveryHandler:
    """Delivers events at least once: if a worker dies after the server answered and before that was stored, the event
    is sent again. `secrets` sign what goes to URLs that came with a job; URLs in messages begin with `base`."""

    at_once: int | None = 8
    max_attempts = MOST_ATTEMPTS
    longest_pause_seconds = float(PAUSES_SECONDS[-1])
    unexpected: QuickThumbError = WebhookUnavailable(
        "The event could not be delivered because of an unexpected error; see the worker's log."
    )

    def __init__(
        self,
        deliveries: DeliveryStore,
        jobs: JobStore,
        storage: Storage,
        webhooks: Webhooks,
        client: OutboundClient,
        *,
        secrets: Sequence[str],
        base: str,
    ) -> None:
        self.kind = deliveries.kind
        self._jobs = jobs
        self._storage = storage
        self._webhooks = webhooks
        self._client = client
        self._secrets = secrets
        self._base = base
        self._hosts = Hosts()

    async def run(self, attempt: Attempt) -> Verdict:
        delivery = delivery_from(attempt.id, attempt.fields)
        if (standing := await self._standing(delivery)) is not None:
            return _verdict_on(standing)
        signing = self._signing(delivery)
        if signing is None:
            return Cancelled(ending_of_delivery(to_milliseconds(now()), None))
        body = await self._body(delivery)
        if body is None:
            return Snooze(blameless=True, seconds=SETTLING_SECONDS)
        try:
            host = split_url(delivery.url).host
        except OutboundRefused as error:
            raise WebhookRefused(error.message) from error
        if pause_seconds := self._hosts.pause_seconds(host):
            return Snooze(blameless=True, seconds=pause_seconds)
        with self._hosts.request(host):
            return await self._deliver(attempt, delivery, host, body, signing)

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        delivery = delivery_from(attempt.id, attempt.fields)
        if (standing := await self._standing(delivery)) is not None:
            return _verdict_on(standing)
        return await self._end(delivery, Status.FAILED, error)

    async def abandoned(self, attempt: Attempt) -> None:
        """Does nothing: an attempt to deliver leaves nothing behind."""

    async def _standing(self, delivery: Delivery) -> Delivery | None:
        """The delivery as it ended; None if the storage does not say that it has."""
        if delivery.job_id is None:
            return None
        written = await self._storage.get(delivered_key(delivery.job_id, delivery.id))
        return None if written is None else Delivery.model_validate_json(written)

    def _signing(self, delivery: Delivery) -> Sequence[str] | None:
        """The secrets that sign; None if the webhook has ended."""
        if delivery.webhook_id is None:
            return self._secrets
        webhook = self._webhooks.get(delivery.webhook_id)
        # A webhook that this worker does not know yet was made within the last seconds.
        if webhook is None:
            raise WebhookUnavailable("The worker does not know the webhook yet.")
        return webhook.signing(now()) if webhook.ended_at is None else None

    async def _body(self, delivery: Delivery) -> bytes | None:
        """The message; None as long as Redis has not been told of the end of the job."""
        if delivery.job_id is None:
            return message(delivery.event, delivery.created_at, {"webhook_id": delivery.webhook_id})
        (kept,) = await self._storage.records([delivery.job_id])
        job = None if kept.record is None else Job.from_record(kept.record)
        outcome = None if kept.outcome is None else Outcome.model_validate_json(kept.outcome)
        if outcome is not None and outcome.finished_at == delivery.created_at:
            queued = await self._jobs.get(delivery.job_id)
            if queued is not None and not queued.status.ended:
                return None
        else:
            outcome = None  # the job was retried or removed since
        return message(delivery.event, delivery.created_at, self._facts(delivery, job, outcome))

    def _facts(self, delivery: Delivery, job: Job | None, outcome: Outcome | None) -> Mapping[str, Any]:
        facts: dict[str, Any] = {
            "id": delivery.job_id,
            "status": delivery.event.rpartition(".")[2].upper(),
            "url": f"{self._base}/jobs/{delivery.job_id}",
        }
        if job is not None:
            source = outcome.source if outcome else job.source
            facts |= {
                "source": source.model_dump(
                    mode="json", include={"filename", "format", "width", "height", "bytes", "sha256"}
                ),
                "tags": job.order.get("tag", []),
                "context": job.order.get("context"),
            }
        if outcome is not None:
            facts["results"] = {
                result.name: {
                    "url": f"{self._base}/jobs/{delivery.job_id}/results/{quote(result.name)}",
                    **result.model_dump(include={"format", "width", "height", "bytes"}),
                }
                for result in outcome.results
            }
            facts["error"] = None if outcome.error is None else outcome.error.model_dump()
        return facts

    async def _deliver(
        self, attempt: Attempt, delivery: Delivery, host: str, body: bytes, signing: Sequence[str]
    ) -> Verdict:
        began_at, started = now(), time.monotonic()
        headers = signed_headers(signing, delivery.message_id, began_at, body)
        answer: Answer | None = None
        failure: OutboundError | None = None
        try:
            answer = await self._client.post(delivery.url, body, headers)
        except OutboundError as error:
            failure = error
        tried = DeliveryAttempt(
            at=began_at,
            seconds=round(time.monotonic() - started, 3),
            status=answer.status if answer else None,
            answer=answer.body[:KEPT_ANSWER_BYTES].decode(errors="replace") if answer else None,
            error=failure.message if failure else None,
        )
        delivery = delivery.model_copy(update={"attempts": (*delivery.attempts, tried)[-MOST_ATTEMPTS:]})
        if isinstance(failure, OutboundRefused):
            return await self._end(delivery, Status.FAILED, WebhookRefused(failure.message))
        if answer is not None and 200 <= answer.status < 300:
            self._hosts.went_well(host)
            return await self._end(delivery, Status.DONE)
        if answer is not None and answer.status == GONE:
            return await self._gone(delivery)
        return await self._later(attempt, delivery, host, answer, failure)

    async def _gone(self, delivery: Delivery) -> Verdict:
        """The server wants no more events: nothing else is sent there."""
        webhook = None if delivery.webhook_id is None else self._webhooks.get(delivery.webhook_id)
        if webhook is not None:
            await self._webhooks.end(webhook, now(), "its server answered 410 Gone")
        return await self._end(delivery, Status.FAILED, WebhookGone("The server answered 410 Gone."))

    async def _later(
        self, attempt: Attempt, delivery: Delivery, host: str, answer: Answer | None, failure: OutboundError | None
    ) -> Verdict:
        self._hosts.failed(host)
        words = failure.message if failure else f"{host} answered {answer.status if answer else 'nothing'}."
        error = WebhookUnavailable(words)
        if attempt.strike >= self.max_attempts:
            return await self._end(delivery, Status.FAILED, error)
        pause_seconds = PAUSES_SECONDS[attempt.strike - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        asked_seconds = answer.retry_after_seconds if answer else None
        return Snooze(
            blameless=False,
            error=error,
            seconds=max(pause_seconds, asked_seconds or 0.0),
            fields={"tries": tries_text(delivery.attempts)},
        )

    async def _end(self, delivery: Delivery, status: Status, error: QuickThumbError | None = None) -> Verdict:
        """Stores that the delivery has ended. Returns the verdict for what is stored."""
        ended = delivery.model_copy(update={"status": status, "error": failure_of(error) if error else None})
        if delivery.job_id is not None:
            written = ended.model_dump_json(exclude_none=True).encode()
            if not await self._storage.put(delivered_key(delivery.job_id, delivery.id), written):
                ended = await self._standing(delivery) or ended
        return _verdict_on(ended)


def _verdict_on(ended: Delivery) -> Verdict:
    fields = {**ending_of_delivery(to_milliseconds(now()), ended.error), "tries": tries_text(ended.attempts)}
    if ended.error is not None:
        return Failed(fields, ended.error)
    last = ended.attempts[-1].status if ended.attempts else None
    return Done(fields, f"{EventType(ended.event)} delivered: answered {last}")
