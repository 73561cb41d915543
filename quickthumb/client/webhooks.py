"""Webhooks and deliveries: what the service shows of them, and the calls as plans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from quickthumb.client.answers import Failure, Status, failure_of, moment_of, parsed
from quickthumb.client.calls import JobOrId, path_of
from quickthumb.client.exchange import Plan, Request, Retries, answered, require_success, send


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the service posts events. `secret` is there only when it was made or replaced; `gone_at` is when its server
    answered 410."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    created_at: datetime
    gone_at: datetime | None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt at a delivery: the answer with its first bytes, or what went wrong."""

    at: datetime
    seconds: float
    status: int | None
    answer: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that is owed to one URL: a job's end, or a test."""

    id: str
    message_id: str
    event: str
    url: str
    webhook_id: str | None
    job_id: str | None
    happened_at: datetime
    created_at: datetime
    status: Status
    attempts: tuple[DeliveryAttempt, ...]
    error: Failure | None


WebhookOrId = Webhook | str
DeliveryOrId = Delivery | str


class WebhookCalls:
    """The plans of the calls on webhooks."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries

    def create(self, url: str, events: Iterable[str] | None, description: str) -> Plan[Webhook]:
        content: dict[str, Any] = {"url": url, "description": description}
        if events is not None:
            content["events"] = list(events)
        request = Request("POST", "/webhooks", content=content, repeatable=False)
        return parsed((yield from answered(request, self._retries)).body, _webhook)

    def all(self) -> Plan[tuple[Webhook, ...]]:
        answer = yield from answered(Request("GET", "/webhooks"), self._retries)
        return parsed(answer.body, lambda shown: tuple(map(_webhook, shown["webhooks"])))

    def rotate(self, webhook: WebhookOrId) -> Plan[Webhook]:
        return parsed((yield from answered(Request("POST", f"{_path(webhook)}/rotate"), self._retries)).body, _webhook)

    def delete(self, webhook: WebhookOrId) -> Plan[None]:
        request = Request("DELETE", _path(webhook))
        answer, broke = yield from send(lambda: request, self._retries)
        if not (broke and answer.status == HTTPStatus.NOT_FOUND):  # else the try that broke off has done it
            require_success(answer)

    def test(self, webhook: WebhookOrId) -> Plan[Delivery]:
        return parsed((yield from answered(Request("POST", f"{_path(webhook)}/test"), self._retries)).body, _delivery)

    def deliveries(self, webhook: WebhookOrId) -> Plan[tuple[Delivery, ...]]:
        return self._listed(f"{_path(webhook)}/deliveries")

    def deliveries_of_job(self, job: JobOrId) -> Plan[tuple[Delivery, ...]]:
        return self._listed(f"{path_of(job)}/deliveries")

    def _listed(self, path: str) -> Plan[tuple[Delivery, ...]]:
        """All pages, if the service lists deliveries in pages."""
        listed: list[Delivery] = []
        query: tuple[tuple[str, str], ...] = ()
        while True:
            answer = yield from answered(Request("GET", path, query=query), self._retries)
            found, following = parsed(answer.body, _page)
            listed += found
            if following is None:
                return tuple(listed)
            query = tuple(parse_qsl(urlsplit(following).query))

    def replay(self, delivery: DeliveryOrId) -> Plan[Delivery]:
        delivery_id = delivery if isinstance(delivery, str) else delivery.id
        request = Request("POST", f"/deliveries/{quote(delivery_id, safe='')}/replay")
        return parsed((yield from answered(request, self._retries)).body, _delivery)

    def replay_many(
        self, webhook: WebhookOrId, since: datetime, until: datetime, *, only_failed: bool
    ) -> Plan[tuple[Delivery, ...]]:
        content = {"since": since.isoformat(), "until": until.isoformat(), "only_failed": only_failed}
        request = Request("POST", f"{_path(webhook)}/replay", content=content)
        return parsed((yield from answered(request, self._retries)).body, lambda shown: _page(shown)[0])


def _path(webhook: WebhookOrId) -> str:
    return f"/webhooks/{quote(webhook if isinstance(webhook, str) else webhook.id, safe='')}"


def _webhook(shown: Mapping[str, Any]) -> Webhook:
    return Webhook(
        id=str(shown["id"]),
        url=str(shown["url"]),
        events=tuple(shown["events"]),
        description=str(shown["description"]),
        created_at=datetime.fromisoformat(shown["created_at"]),
        gone_at=moment_of(shown["gone_at"]),
        secret=shown.get("secret"),
    )


def _page(shown: Mapping[str, Any]) -> tuple[tuple[Delivery, ...], str | None]:
    """The deliveries, and the URL of the next page; None if this is the last one."""
    return tuple(map(_delivery, shown["deliveries"])), shown.get("next")


def _delivery(shown: Mapping[str, Any]) -> Delivery:
    error = shown["error"]
    return Delivery(
        id=str(shown["id"]),
        message_id=str(shown["message_id"]),
        event=str(shown["event"]),
        url=str(shown["url"]),
        webhook_id=shown["webhook_id"],
        job_id=shown["job_id"],
        happened_at=datetime.fromisoformat(shown["happened_at"]),
        created_at=datetime.fromisoformat(shown["created_at"]),
        status=Status(shown["status"]),
        attempts=tuple(map(_attempt, shown["attempts"])),
        error=None if error is None else failure_of(error),
    )


def _attempt(shown: Mapping[str, Any]) -> DeliveryAttempt:
    return DeliveryAttempt(
        at=datetime.fromisoformat(shown["at"]),
        seconds=float(shown["seconds"]),
        status=shown["status"],
        answer=shown["answer"],
        error=shown["error"],
    )
