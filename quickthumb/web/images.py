"""`POST /images/`: takes an image in."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.errors import MalformedRequest, UnsupportedMediaType
from quickthumb.service.images import Upload
from quickthumb.web.answers import json_answer
from quickthumb.web.presentation import present_accepted
from quickthumb.web.state import metrics_of, service_of

LONGEST_KEY = 255
# Of two, a proxy in front might go by the one and this service by the other.
ONCE = ("content-type", "content-encoding", "idempotency-key")


async def submit(request: Request) -> Response:
    """Answers 202 with the job, once it is kept."""
    _check_head(request)
    job = await service_of(request).submit(
        Upload(
            body=_chunks(request),
            content_type=request.headers.get("content-type", ""),
            content_length=_content_length(request),
            parameters=request.query_params.multi_items(),
            idempotency_key=_idempotency_key(request),
        )
    )
    metrics_of(request).accepted(job.source.bytes)
    view = present_accepted(job)
    return json_answer(view, HTTPStatus.ACCEPTED, {"Location": view.links.self, "Cache-Control": "no-store"})


def _check_head(request: Request) -> None:
    for name in ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise MalformedRequest(f"The request gives {name.title()} more than once.", field=name.title())
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must be sent without a Content-Encoding.", field="Content-Encoding")


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise MalformedRequest(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", field="Idempotency-Key")
    return key


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise MalformedRequest("The Content-Length is not a number.")
    return int(text)
