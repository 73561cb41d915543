"""Middleware around every response: request ids, metrics, security headers, and a problem in place of an exception."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Iterable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb import logs
from quickthumb.http.endpoints import SAFE_METHODS
from quickthumb.http.problems import asked, known, of_starlette, problem
from quickthumb.http.urls import urls_in, urls_of
from quickthumb.metrics import WebMetrics
from quickthumb.model.errors import InternalError, NotServing, QuickThumbError

log = logging.getLogger("quickthumb.web")
request_log = logging.getLogger("quickthumb.requests")

UNKNOWN_ROUTE = "unknown"
# The status that nginx logs when the client closes the connection before the response.
CLIENT_WENT_AWAY = 499
# Clients can send any method, so only these get a metrics series each; all others share one.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Ids of all common formats, but nothing that could be taken for more than a word in a log or a header.
HARMLESS_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Disposition": "inline",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Results have `cross-origin`, because other sites show them: see `http/files.py`.
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DEFAULTS = [(name.lower().encode(), value.encode()) for name, value in DEFAULT_HEADERS.items()]
# Where the scope holds the status of the response, once that has begun.
_STATUS = "quickthumb.status"


class Observing:
    """ASGI middleware: gives every request an id, counts requests by method, route and status, times and logs them.
    Adds those of DEFAULT_HEADERS that a response does not set itself.

    A request keeps the `X-Request-ID` that it came with, if that is harmless; otherwise it gets a new one. The response
    has it, too, and so have all lines that are logged for the request. `logged` is the setting LOG_REQUESTS.
    """

    def __init__(self, app: ASGIApp, metrics: WebMetrics, logged: str) -> None:
        self._app = app
        self._metrics = metrics
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = scope.setdefault("state", {})["request_id"] = _request_id(scope)
        logs.begin(request_id=request_id)

        def send_complete(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                scope[_STATUS] = message["status"]
                message["headers"] = _completed(message.get("headers", ()), request_id)
            return send(message)

        try:
            await self._app(scope, receive, send_complete)
        finally:
            self._note(scope, scope.get(_STATUS, CLIENT_WENT_AWAY), time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        route = getattr(scope.get("route"), "name", UNKNOWN_ROUTE)
        self._metrics.answered(method, route, status, seconds)
        if self._logged == "all" or (self._logged == "changes" and method not in SAFE_METHODS):
            client = scope["client"][0] if scope.get("client") else "a local client"
            request_log.info("%s: %d in %.0f ms, for %s", asked(scope), status, seconds * 1000, client)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and HARMLESS_ID.fullmatch(value):
            return str(value, "ascii")
    # It only tells requests apart, so it need not cost a system call.
    return f"{random.getrandbits(128):032x}"


def _completed(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of a response, with its id and the default headers that are not among them. Their names are in lower
    case."""
    given = dict(headers)
    missing = [header for header in _DEFAULTS if header[0] not in given]
    return [*headers, *missing, (b"x-request-id", request_id.encode("ascii"))]


class ErrorAnswers:
    """ASGI middleware within `Observing`: answers an exception with a problem. What is no error of the catalogue and
    none of Starlette's is logged, and its problem does not reveal it.

    uvicorn cancels requests that are still open at the end of its grace; they are answered with 503.

    It stands in for Starlette's two middlewares of that kind: both would wrap every message, and the responses of the
    outer one would lack the headers that other middleware adds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            log.info("%s: the client disconnected", asked(scope))
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            log.warning("%s: cut off, because the server is shutting down", asked(scope))
            # Once the answer has begun, uvicorn closes the connection, so that the client sees that it is not whole.
            if _STATUS not in scope:
                await _answer(NotServing("The server shut down before the request was complete."), scope, receive, send)
        except Exception as error:
            if scope["type"] != "http" or _STATUS in scope:
                raise  # too late for another response: uvicorn logs the error and closes the connection
            await _response_to(error, Request(scope))(scope, receive, send)


def _response_to(error: Exception, request: Request) -> Response:
    if isinstance(error, QuickThumbError):
        return known(request, error)
    if isinstance(error, HTTPException):
        return of_starlette(request, error)
    log.error("%s failed", asked(request.scope), exc_info=error)
    return problem(InternalError("The server could not answer the request; it has logged the cause."), urls_of(request))


async def _answer(error: QuickThumbError, scope: Scope, receive: Receive, send: Send) -> None:
    await problem(error, urls_in(scope))(scope, receive, send)
