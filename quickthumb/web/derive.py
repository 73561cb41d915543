"""`POST /jobs/{id}/outputs`: makes further outputs of an image that is kept."""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, check_head, service_of
from quickthumb.http.small_bodies import json_object
from quickthumb.service.derive import Derivation
from quickthumb.web.images import idempotency_key_of, order_body
from quickthumb.web.jobs import urls_asked
from quickthumb.web.presentation import present_accepted


async def derive(request: Request) -> Response:
    """Makes further outputs of the image of a job, without another upload. Answers 202 with a new job, which shares the
    source; the job itself stays as it is."""
    check_head(request)
    urls, caller, job_id = urls_asked(request), caller_of(request), request.path_params["job_id"]
    key = idempotency_key_of(request)
    await service_of(request).find(caller, job_id)  # an unknown job is 404, whatever the body
    given = await json_object(request)
    job = await service_of(request).derive(caller, Derivation(job_id, tuple(given.items()), key))
    headers = {"Location": urls.job(job.id), "Cache-Control": "no-store"}
    return json_answer(present_accepted(job, urls, caller_of(request)), HTTPStatus.ACCEPTED, headers)


def derive_body() -> dict[str, Any]:
    """The request body, for OpenAPI: an order without an image."""
    return {
        "required": True,
        "content": {"application/json": {"schema": order_body(), "example": {"preset": "thumbnail"}}},
    }
