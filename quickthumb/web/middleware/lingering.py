"""Delivers responses that are sent before the whole request body has arrived.

The service refuses an upload as soon as it has read enough to decide. The client is then still sending, and most
clients lose the response if the server closes the connection at that moment. So this middleware sends the whole
response with `Connection: close`, then reads and discards the rest of the body for a short while, and only then ends
the response with a last, empty part. nginx's `lingering_close` works in the same way.
"""

import asyncio
import contextlib
from collections.abc import Awaitable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024


class _Body:
    """The request's body. It knows whether all of it has been read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drop(self) -> None:
        """Reads and discards the rest of the body, for at most LINGER_SECONDS and about LINGER_BYTES."""
        dropped = 0
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):  # cancelled if the server does not wait
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.ended and dropped < LINGER_BYTES:
                    dropped += len((await self.receive()).get("body", b""))


class LingeringClose:
    """ASGI middleware: makes sure that a client which is still sending its body receives an early response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        if scope["type"] != "http" or not _has_body(scope):
            return self._app(scope, receive, send)
        body = _Body(receive)

        async def send_lingering(message: Message) -> None:
            if body.ended:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await body.drop()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return self._app(scope, body.receive, send_lingering)


def _has_body(scope: Scope) -> bool:
    """Whether the request head announces a body (RFC 9112, section 6.3)."""
    names = dict(scope["headers"])
    return b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"
