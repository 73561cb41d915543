"""Counts and times every answer."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.metrics import WebMetrics

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
