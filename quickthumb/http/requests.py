"""What the HTTP APIs take from a request: its caller, the services to call, the upload, the preferred media type."""

import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from quickthumb.http.signing import Signer
from quickthumb.intake.errors import UnsupportedMediaType
from quickthumb.intake.headers import given_filename, split_header_value
from quickthumb.metrics import WebMetrics
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import DEFAULT_TENANT, Caller, Scope
from quickthumb.model.errors import MalformedRequest
from quickthumb.model.policy import UploadPolicy
from quickthumb.service.batches import Batches
from quickthumb.service.deployment import Deployment
from quickthumb.service.emails import MailService
from quickthumb.service.events import EventService
from quickthumb.service.health import Health
from quickthumb.service.jobs import ImageService
from quickthumb.service.keys import Keyring
from quickthumb.service.quotas import Limiter
from quickthumb.service.sessions import Session, Sessions
from quickthumb.service.submit import Upload
from quickthumb.service.webhooks import WebhookService

# If one of these headers came twice, a proxy in front might use one value and this service the other.
ONCE = ("content-type", "content-encoding", "content-disposition", "idempotency-key")
# Where `KeyCheck` leaves the key of a request, the tenant of one that needs none, until when its signed URL is good,
# and its upload policy; and the session, if the key is that of one.
KEY, TENANT, SIGNED, POLICY = "quickthumb.key", "quickthumb.tenant", "quickthumb.signed", "quickthumb.policy"
SESSION = "quickthumb.session"
# Where `TenantChoice` leaves the tenant for which the operator acts.
ACTS_FOR = "quickthumb.acts_for"
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def caller_of(request: Request) -> Caller:
    """The caller who sent the request. Every endpoint gets its caller from here."""
    caller = _own_caller(request)
    acts_for: str | None = request.scope.get(ACTS_FOR)
    return caller if acts_for is None else replace(caller, tenant=acts_for, own_tenant=caller.tenant)


def _own_caller(request: Request) -> Caller:
    client = request.scope.get("client")
    address = (client[0] or None) if client else None
    request_id = request.scope.get("state", {}).get("request_id")
    key: ApiKey | None = request.scope.get(KEY)
    policy = policy_of(request)
    if policy is not None:
        tenant, may = policy.terms.tenant, frozenset({Scope.IMAGES_WRITE})
        return Caller(tenant, None, address, may, request_id=request_id, bounds=policy.bounds)
    if key is None:
        tenant, has_url = request.scope.get(TENANT, DEFAULT_TENANT), SIGNED in request.scope
        return Caller(tenant=tenant, address=address, request_id=request_id, is_bearer_of_url=has_url)
    return Caller(key.tenant, key.id, address, key.scopes, request_id=request_id, bounds=key.bounds, quotas=key.quotas)


def is_let_in(request: Request) -> bool:
    """Whether a request that was let in still is: its session or its key has not ended since, or its signed URL not
    expired. Answers that never end ask again and again."""
    session: Session | None = request.scope.get(SESSION)
    if session is not None:
        return sessions_of(request).is_valid(session)
    key: ApiKey | None = request.scope.get(KEY)
    if key is not None:
        return keyring_of(request).is_valid(key)
    expires: int | None = request.scope.get(SIGNED)
    return not keyring_of(request).needs_key if expires is None else time.time() < expires


def policy_of(request: Request) -> UploadPolicy | None:
    """The upload policy that the request came with."""
    return cast("UploadPolicy | None", request.scope.get(POLICY))


def service_of(request: Request) -> ImageService:
    return cast("ImageService", request.app.state.service)


def keyring_of(request: Request) -> Keyring:
    return cast("Keyring", request.app.state.keyring)


def sessions_of(request: Request) -> Sessions:
    return cast("Sessions", request.app.state.sessions)


def limiter_of(request: Request) -> Limiter:
    return cast("Limiter", request.app.state.limiter)


def events_of(request: Request) -> EventService:
    return cast("EventService", request.app.state.events)


def batches_of(request: Request) -> Batches:
    return cast("Batches", request.app.state.batches)


def mail_of(request: Request) -> MailService:
    return cast("MailService", request.app.state.mail)


def webhooks_of(request: Request) -> WebhookService:
    return cast("WebhookService", request.app.state.webhooks)


def health_of(request: Request) -> Health:
    return cast("Health", request.app.state.health)


def deployment_of(request: Request) -> Deployment:
    return cast("Deployment", request.app.state.deployment)


def metrics_of(request: Request) -> WebMetrics:
    return cast("WebMetrics", request.app.state.metrics)


def signer_of(request: Request) -> Signer:
    return cast("Signer", request.app.state.signer)


def max_wait_seconds(request: Request) -> float:
    return cast("float", request.app.state.max_wait_seconds)


def upload_from(
    request: Request,
    parameters: Iterable[tuple[str, Any]] = (),
    *,
    idempotency_key: str | None = None,
    filename: str | None = None,
    preset: str | None = None,
) -> Upload:
    """The upload in the request: its body, which is not read yet, and what is given beside it.

    Raises MalformedRequest for a repeated header of `ONCE` or a Content-Length that is no number, and
    UnsupportedMediaType for a body with a Content-Encoding.
    """
    check_head(request)
    return Upload(
        body=_chunks(request),
        content_type=request.headers.get("content-type", ""),
        content_length=_content_length(request),
        parameters=parameters,
        idempotency_key=idempotency_key,
        filename=filename,
        preset=preset,
        policy=policy_of(request),
    )


def filename_in(request: Request) -> str | None:
    """The cleaned file name in the request's Content-Disposition header, in UTF-8 or Latin-1; None if there is none."""
    sent = request.headers.get("content-disposition", "")
    with contextlib.suppress(UnicodeDecodeError):
        sent = sent.encode("latin-1").decode()
    return given_filename(split_header_value(sent)[1])


def check_head(request: Request) -> None:
    """Raises MalformedRequest for a repeated header of `ONCE`, and UnsupportedMediaType for a Content-Encoding."""
    for name in ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise MalformedRequest(f"The request has more than one {name.title()} header.", field=name.title())
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must be sent without a Content-Encoding.", field="Content-Encoding")


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """What `Request.stream` yields, except for empty chunks, with one generator less for each."""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise MalformedRequest("The Content-Length is not a number.")
    return int(text)


def prefers(accept: str | None, media_type: str, over: str) -> bool:
    """Whether an `Accept` header prefers `media_type` to `over`, which is the default.

    By RFC 9110, section 12.5.1, the higher quality wins. If both are equal, the type that is named more exactly wins:
    `image/*, */*` asks for the image.
    """
    ranges = list(_ranges(accept or "*/*"))
    wanted, other = _rank(ranges, media_type), _rank(ranges, over)
    return wanted[0] > 0 and wanted > other


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.lower().split(","):
        media_range, *parameters = (word.strip() for word in part.split(";"))
        qualities = [value.strip() for name, _, value in (word.partition("=") for word in parameters) if name == "q"]
        quality = qualities[0] if qualities else "1"
        if media_range and _QUALITY.fullmatch(quality):
            yield media_range, float(quality)


def _rank(ranges: list[tuple[str, float]], media_type: str) -> tuple[float, int]:
    """The quality of a media type in the media range that names it most exactly, and how exact that range is."""
    names = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    found = [(names.index(media_range), quality) for media_range, quality in ranges if media_range in names]
    exactness, quality = max(found, default=(0, 0.0))
    return quality, exactness
