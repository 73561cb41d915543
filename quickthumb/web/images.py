"""`POST /images/`: takes an image in."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.answers import json_answer
from quickthumb.http.bodies import upload_from
from quickthumb.http.state import metrics_of, service_of
from quickthumb.model.errors import MalformedRequest
from quickthumb.web.presentation import present_accepted

LONGEST_KEY = 255


async def submit(request: Request) -> Response:
    """Answers 202 with the job, once it is kept."""
    upload = upload_from(request, request.query_params.multi_items(), idempotency_key=_idempotency_key(request))
    job = await service_of(request).submit(upload)
    metrics_of(request).accepted(job.source.bytes)
    view = present_accepted(job)
    return json_answer(view, HTTPStatus.ACCEPTED, {"Location": view.links.self, "Cache-Control": "no-store"})


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise MalformedRequest(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", field="Idempotency-Key")
    return key
