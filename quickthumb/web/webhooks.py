"""`/webhooks` and deliveries: where a tenant is told that its jobs have ended."""

from contextlib import aclosing
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, webhooks_of
from quickthumb.http.urls import urls_of
from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.intake.headers import split_header_value
from quickthumb.intake.limits import read_in_time
from quickthumb.model.errors import InvalidParameter, MalformedRequest
from quickthumb.model.job import Failure, Status
from quickthumb.model.output import refusal
from quickthumb.model.webhook import CHOICES, Delivery, DeliveryAttempt, EventType, Secret, Webhook
from quickthumb.queue.deliveries import MOST_LISTED
from quickthumb.service.deliveries import Choice, DeliveryPage, Listing
from quickthumb.web.presentation import Moment
from quickthumb.web.schemas import REFERENCE, sent
from quickthumb.web.selection import status_in, whole

T = TypeVar("T", bound=BaseModel)

LARGEST_BODY_BYTES = 16 * 1024
BODY_IDLE_SECONDS, BODY_SECONDS = 10.0, 30.0
# How pydantic calls what is no JSON, or no object.
NO_OBJECT = frozenset({"json_invalid", "model_type"})
DEFAULT_PAGE, LARGEST_PAGE = 100, MOST_LISTED
# How a delivery may have ended.
Ended = Literal[Status.DONE, Status.FAILED, Status.CANCELLED]
NO_STORE = {"Cache-Control": "no-store"}


class NewWebhook(BaseModel):
    """A webhook that is to be made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=2048, description="Where events are posted.", examples=["https://example.com/hook"])
    events: tuple[EventType, ...] = Field(CHOICES, min_length=1, description="Events to send; by default all.")
    description: str = Field("", max_length=200, description="What it is for.")

    @field_validator("events")
    @classmethod
    def _can_be_chosen(cls, value: tuple[EventType, ...]) -> tuple[EventType, ...]:
        if not set(value) <= set(CHOICES):
            raise ValueError(f"choose from {', '.join(CHOICES)}")
        return tuple(dict.fromkeys(value))


class Range(BaseModel):
    """Which events are to be sent again: those that happened within a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Annotated[datetime, Field(description="The earliest, such as 2026-01-31T12:00:00Z.")]
    until: Annotated[datetime, Field(description="The latest.")]
    only_failed: bool = Field(True, description="Only those that were never delivered.")
    events: tuple[EventType, ...] | None = Field(None, min_length=1, description="Only these types.")
    status: Ended | None = Field(
        None, description="Only those whose last delivery ended so; in place of `only_failed`."
    )


class WebhookView(BaseModel):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[EventType]
    description: str
    created_at: Moment
    gone_at: Moment | None = Field(
        description="When its server answered 410; nothing is sent there since. Delete it, and make another."
    )


class SecretView(WebhookView):
    """A webhook with its newest secret, which is shown only this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhooksView(BaseModel):
    """The webhooks of a tenant, oldest first."""

    webhooks: list[WebhookView]


class AttemptView(BaseModel):
    """One attempt: when, how long, and the answer with its first bytes, or what went wrong."""

    at: Moment
    seconds: float
    status: int | None
    answer: str | None
    error: str | None


class DeliveryView(BaseModel):
    """One event that is owed to one URL."""

    id: str
    message_id: str = Field(description="What the header `webhook-id` has behind `msg_`.")
    event: EventType
    url: str
    webhook_id: str | None
    job_id: str | None
    batch_id: str | None
    happened_at: Moment
    created_at: Moment
    status: Status
    attempts: list[AttemptView]
    error: Failure | None


class DeliveriesView(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]
    next: str | None = Field(description="URL of the next page; null if there is none.")


def json_body(kind: type[BaseModel]) -> dict[str, Any]:
    """The request body of an object of this kind, for OpenAPI."""
    schema = kind.model_json_schema(ref_template=REFERENCE)
    properties = {name: sent(said) for name, said in schema["properties"].items()}
    body = {"type": "object", "properties": properties, "additionalProperties": False}
    if "required" in schema:
        body["required"] = schema["required"]
    return {"required": True, "content": {"application/json": {"schema": body}}}


async def create(request: Request) -> Response:
    """Makes a webhook. Its secret, which signs every event, is shown in this answer only."""
    new = await _body(request, NewWebhook)
    webhook = await webhooks_of(request).create(caller_of(request), new.url, new.events, new.description)
    return json_answer(_with_secret(webhook, webhook.secrets[0]), HTTPStatus.CREATED, NO_STORE)


async def list_all(request: Request) -> Response:
    """Lists the webhooks of the tenant."""
    found = await webhooks_of(request).all(caller_of(request))
    return json_answer(WebhooksView(webhooks=[_view(webhook) for webhook in found]), headers=NO_STORE)


async def remove(request: Request) -> Response:
    """Deletes a webhook. What was not delivered yet is not sent any more."""
    await webhooks_of(request).remove(caller_of(request), request.path_params["webhook_id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def rotate(request: Request) -> Response:
    """Gives a webhook another secret. For a day, events are signed with the old one, too."""
    webhook, secret = await webhooks_of(request).rotate(caller_of(request), request.path_params["webhook_id"])
    return json_answer(_with_secret(webhook, secret), headers=NO_STORE)


async def test(request: Request) -> Response:
    """Sends the event `endpoint.test` to a webhook."""
    delivery = await webhooks_of(request).test(caller_of(request), request.path_params["webhook_id"])
    return json_answer(_delivery(delivery), HTTPStatus.ACCEPTED, NO_STORE)


async def deliveries(request: Request) -> Response:
    """Lists the latest deliveries to a webhook, with their attempts."""
    webhook_id, listing = request.path_params["webhook_id"], _listing(request)
    return _page(request, await webhooks_of(request).deliveries(caller_of(request), webhook_id, listing))


async def deliveries_of_job(request: Request) -> Response:
    """Lists the deliveries that tell of a job, with their attempts."""
    job_id, listing = request.path_params["job_id"], _listing(request)
    return _page(request, await webhooks_of(request).deliveries_of_job(caller_of(request), job_id, listing))


async def deliveries_of_batch(request: Request) -> Response:
    """Lists the deliveries that tell of the end of a batch, with their attempts."""
    batch_id, listing = request.path_params["batch_id"], _listing(request)
    return _page(request, await webhooks_of(request).deliveries_of_batch(caller_of(request), batch_id, listing))


async def replay(request: Request) -> Response:
    """Sends an event again, with the same message id. It becomes a delivery of its own."""
    delivery = await webhooks_of(request).replay(caller_of(request), request.path_params["delivery_id"])
    return json_answer(_delivery(delivery), HTTPStatus.ACCEPTED, NO_STORE)


async def replay_many(request: Request) -> Response:
    """Sends the events of a time again. Each becomes a delivery of its own."""
    chosen = await _body(request, Range)
    for field, moment in (("since", chosen.since), ("until", chosen.until)):
        if moment.tzinfo is None:
            raise InvalidParameter("It must have a time zone, such as 2026-01-31T12:00:00Z.", field=field)
    if chosen.status is not None and "only_failed" in chosen.model_fields_set:
        raise InvalidParameter("Give either status or only_failed.", field="status")
    events = None if chosen.events is None else frozenset(chosen.events)
    choice = Choice(chosen.since, chosen.until, chosen.only_failed, events, chosen.status)
    sent = await webhooks_of(request).replay_many(caller_of(request), request.path_params["webhook_id"], choice)
    view = DeliveriesView(deliveries=[_delivery(one) for one in sent], next=None)
    return json_answer(view, HTTPStatus.ACCEPTED, NO_STORE)


def _listing(request: Request) -> Listing:
    query = request.query_params
    limit = whole(query.get("limit", str(DEFAULT_PAGE)), "limit", 1, LARGEST_PAGE)
    return Listing(status_in(query), limit, query.get("cursor"))


def _page(request: Request, page: DeliveryPage) -> Response:
    following = urls_of(request).next_deliveries(request.url, page.cursor) if page.cursor else None
    view = DeliveriesView(deliveries=[_delivery(one) for one in page.deliveries], next=following)
    return json_answer(view, headers=NO_STORE)


async def _body(request: Request, kind: type[T]) -> T:
    """The JSON object in the body. Raises UnsupportedMediaType, TooManyBytes, UploadTimedOut, MalformedRequest and
    InvalidParameter."""
    if split_header_value(request.headers.get("content-type", ""))[0] != "application/json":
        raise UnsupportedMediaType("Send a JSON object as application/json.")
    body = bytearray()
    timed = read_in_time(request.stream(), idle_seconds=BODY_IDLE_SECONDS, total_seconds=BODY_SECONDS)
    async with aclosing(timed) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > LARGEST_BODY_BYTES:
                raise TooManyBytes(f"The body is too large; at most {LARGEST_BODY_BYTES} bytes are accepted.")
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] in NO_OBJECT:
            raise MalformedRequest("The body is not a JSON object.") from None
        raise refusal(error, kind.model_fields) from None


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(**_shown(webhook))


def _with_secret(webhook: Webhook, secret: Secret) -> SecretView:
    return SecretView(**_shown(webhook), secret=secret.text)


def _shown(webhook: Webhook) -> dict[str, Any]:
    return webhook.model_dump(include={"id", "url", "events", "description", "created_at", "gone_at"})


def _delivery(delivery: Delivery) -> DeliveryView:
    attempts = [_attempt(one) for one in delivery.attempts]
    return DeliveryView(**delivery.model_dump(exclude={"attempts", "tenant"}), attempts=attempts)


def _attempt(attempt: DeliveryAttempt) -> AttemptView:
    return AttemptView(**attempt.model_dump())
