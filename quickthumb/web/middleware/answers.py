"""Middleware around every response: request ids, metrics, security headers, and a problem in place of an unhandled
exception."""

import asyncio
import logging
import re
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb import logs
from quickthumb.http.endpoints import SAFE_METHODS
from quickthumb.http.problems import asked, problem
from quickthumb.http.urls import urls_in
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


class Observing:
    """ASGI middleware: gives every request an id, counts requests by method, route and status, times and logs them.

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
        status: int = CLIENT_WENT_AWAY
        request_id = scope.setdefault("state", {})["request_id"] = _request_id(scope)
        logs.begin(request_id=request_id)

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._note(scope, status, time.perf_counter() - started)

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
    return secrets.token_hex(16)


DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Disposition": "inline",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Results have `cross-origin`, because other sites show them: see `http/files.py`.
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """ASGI middleware: adds those of DEFAULT_HEADERS that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in DEFAULT_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ServerErrors:
    """ASGI middleware: answers an unhandled exception with a problem that does not reveal it, and logs it.

    uvicorn cancels requests that are still open at the end of its grace; they are answered with 503. Starlette's own
    ServerErrorMiddleware runs outside all other middleware, so its response would lack their headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except ClientDisconnect:
            log.info("%s: the client disconnected", asked(scope))
        except asyncio.CancelledError:
            log.warning("%s: cut off, because the server is shutting down", asked(scope))
            if not begun:  # else uvicorn closes the connection, so that the client sees that the answer is not whole
                await _answer(NotServing("The server shut down before the request was complete."), scope, receive, send)
        except Exception as error:
            if begun:
                raise  # too late for another response: uvicorn logs the error and closes the connection
            log.exception("%s failed", asked(scope), exc_info=error)
            told = InternalError("The server could not answer the request; it has logged the cause.")
            await _answer(told, scope, receive, send)


async def _answer(error: QuickThumbError, scope: Scope, receive: Receive, send: Send) -> None:
    await problem(error, urls_in(scope))(scope, receive, send)
