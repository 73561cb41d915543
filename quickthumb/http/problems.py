"""Renders every error as `application/problem+json` (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from quickthumb.http.errors import MethodNotAllowed, NotFound
from quickthumb.http.quotas import quota_headers
from quickthumb.http.requests import metrics_of
from quickthumb.http.urls import NO_PREFIX, Urls, urls_of
from quickthumb.model.errors import MalformedRequest, QuickThumbError, for_operators
from quickthumb.model.job import Failure
from quickthumb.queue.errors import QuotaExceeded
from quickthumb.service.errors import InsufficientScope, InvalidKey, JobFailed, KeyRequired

log = logging.getLogger("quickthumb.web")

MEDIA_TYPE = "application/problem+json"
REALM = 'Bearer realm="quickthumb"'


class Problem(BaseModel):
    """What went wrong. `code` is for programs; `title` and `detail` are for people."""

    model_config = ConfigDict(populate_by_name=True)

    type: str = Field(
        description="URL of the explanation of `code`, relative to the request's URL.",
        examples=[NO_PREFIX.error("unsupported_image")],
        json_schema_extra={"format": "uri-reference"},
    )
    status: int = Field(description="The HTTP status.", examples=[415])
    code: str = Field(description="A stable name for the kind of problem.", examples=["unsupported_image"])
    title: str = Field(description="The kind of problem, in a few words.")
    detail: str = Field(description="What went wrong this time, in one sentence.")
    field: str | None = Field(None, description="The field of the request that caused the problem, if one did.")
    error: Failure | None = Field(None, description="Only with `job_failed`: the error of the job.")
    checks: dict[str, str] | None = Field(None, description="Only from /readyz: each check with its result.")
    violated_policies: list[str] | None = Field(
        None,
        alias="violated-policies",
        description="Only with `quota_exceeded`: the quotas that are used up, as `RateLimit-Policy` names them.",
    )


def problem(error: QuickThumbError, urls: Urls, *, checks: dict[str, str] | None = None) -> JSONResponse:
    """The response for an error of the catalogue. `checks` are the checks of /readyz."""
    body = Problem(
        type=urls.error(error.code),
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        field=error.field,
        error=error.failure if isinstance(error, JobFailed) else None,
        checks=checks,
        violated_policies=_violated(error) if isinstance(error, QuotaExceeded) else None,
    )
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, QuotaExceeded):
        headers |= quota_headers(error.standings)
    challenge = _challenge(error)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    return JSONResponse(body.model_dump(by_alias=True, exclude_none=True), error.status, headers, MEDIA_TYPE)


def _violated(error: QuotaExceeded) -> list[str]:
    return [standing.policy.name for standing in error.violated]


def _challenge(error: QuickThumbError) -> str | None:
    """What a client that lacks a key is told for its programs (RFC 6750, section 3)."""
    match error:
        case KeyRequired():
            return REALM
        case InvalidKey():
            return f'{REALM}, error="invalid_token"'
        case InsufficientScope(scope=scope):
            return f'{REALM}, error="insufficient_scope", scope="{scope}"'
    return None


def example(kind: type[QuickThumbError]) -> dict[str, Any]:
    """An example of an error of the catalogue, for OpenAPI."""
    body = Problem(
        type=NO_PREFIX.error(kind.code),
        status=kind.status,
        code=kind.code,
        title=kind.title,
        detail="One sentence about what went wrong.",
    )
    return body.model_dump(exclude_none=True)


def known(request: Request, error: QuickThumbError) -> JSONResponse:
    """Renders an error of the catalogue. Logs it with its cause if it is a server error."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        unexpected = error.__cause__ if error.permanent else None
        log.warning("%s: %s", asked(request.scope), for_operators(error), exc_info=unexpected)
    if isinstance(error, QuotaExceeded):
        metrics_of(request).refused(_violated(error))
    return problem(error, urls_of(request))


def of_starlette(request: Request, error: HTTPException) -> JSONResponse:
    """Renders an error that Starlette itself raises, for an unknown path or a method that the path does not allow."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(NotFound("This service has no such URL."), urls_of(request))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer = problem(MethodNotAllowed(f"This URL does not allow {request.method}."), urls_of(request))
        answer.headers["Allow"] = _methods_at(request) or (error.headers or {}).get("Allow", "")
        return answer
    return problem(MalformedRequest(str(error.detail)), urls_of(request))


def asked(scope: Scope) -> str:
    """The request's method and path, for the log. The path is escaped, because the client chooses it."""
    return f"{scope['method']} {quote(scope['path'])}"


def _methods_at(request: Request) -> str:
    """Every method that the URL allows. Starlette itself names only those of the first route that matches."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    here = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))
