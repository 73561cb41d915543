"""What goes around every answer: it is counted and timed, it gets the security headers, and a bug becomes a problem."""

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.http.problems import asked, problem
from quickthumb.metrics import WebMetrics
from quickthumb.model.errors import InternalError

UNKNOWN_ROUTE = "unknown"
# What nginx notes for a request that nobody waits for any more.
CLIENT_WENT_AWAY = 499
# Methods are the client's to choose, so only the known ones become a series of their own.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measuring:
    """ASGI middleware: counts requests by method, route and status."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status: int = CLIENT_WENT_AWAY

        async def send_noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
            route = getattr(scope.get("route"), "name", UNKNOWN_ROUTE)
            self._metrics.answered(method, route, status, time.perf_counter() - started)


DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Disposition": "inline",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SecurityHeaders:
    """ASGI middleware: adds the default headers to every answer."""

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


log = logging.getLogger("quickthumb.web")


class ServerErrors:
    """ASGI middleware: answers a bug with a problem that tells the client nothing of it, and logs it.

    Starlette's own ServerErrorMiddleware lies outside of every other middleware, so their headers would be missing.
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
            log.info("%s: the client went away", asked(scope))
        except Exception as error:
            if begun:
                raise  # uvicorn logs it and closes the connection: it is too late for another answer
            log.exception("%s went wrong", asked(scope), exc_info=error)
            answer = problem(InternalError("The request could not be answered, for a reason that has been logged."))
            await answer(scope, receive, send)
