"""A request's body as the verb that takes an image in wants it."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.requests import Request

from quickthumb.intake.errors import UnsupportedMediaType
from quickthumb.model.errors import MalformedRequest
from quickthumb.service.submit import Upload

# Of two, a proxy in front might go by the one and this service by the other.
ONCE = ("content-type", "content-encoding", "idempotency-key")


def upload_from(
    request: Request,
    parameters: Iterable[tuple[str, Any]] = (),
    *,
    idempotency_key: str | None = None,
    preset: str | None = None,
) -> Upload:
    """The request's body, not read yet, with what was said beside it.

    Raises MalformedRequest for a head that says something twice, and UnsupportedMediaType for an encoded body.
    """
    _check_head(request)
    return Upload(
        body=_chunks(request),
        content_type=request.headers.get("content-type", ""),
        content_length=_content_length(request),
        parameters=parameters,
        idempotency_key=idempotency_key,
        preset=preset,
    )


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


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise MalformedRequest("The Content-Length is not a number.")
    return int(text)
