"""uvicorn's HTTP protocol with the limits that it lacks. `quickthumb serve` uses it.

It limits the size of a request head, the time in which it must arrive, and the bytes around the chunks of a body.
Without these limits, a client could send endless headers or trailers, which uvicorn keeps in memory, and a connection
that stops in the middle of a head would stay open for as long as the client likes. The intake limits bodies, whichever
protocol is used.
"""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from quickthumb.http.problems import problem
from quickthumb.http.urls import Urls
from quickthumb.model.errors import MalformedRequest, QuickThumbError
from quickthumb.web.connection import IgnoresUpgrades
from quickthumb.web.middleware.answers import DEFAULT_HEADERS

# Other servers allow about as much. The longest useful head of this service is one with a long query.
MOST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
# Closing right after the response would reset the connection if the client is still sending, and it would lose the
# response.
LINGER_SECONDS = 0.5


class HeadTimedOut(QuickThumbError):
    """The client did not send the whole request line and all headers in time."""

    code, status, title = "head_timed_out", 408, "The request head did not arrive in time"


class HeadTooLarge(QuickThumbError):
    """The request line and the headers are longer than the service allows."""

    code, status, title = "head_too_large", 431, "The request head is too large"


class BoundedProtocol(IgnoresUpgrades):
    """One connection. It answers a request head that is too long or too slow with a problem, and then closes."""

    head_seconds = HEAD_SECONDS
    # In a head, its bytes so far; in a body, the bytes received since the last ones that were content.
    _framing_bytes = 0
    _in_head = True
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._framing_bytes += len(data)
        super().data_received(data)
        if self._framing_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"The request line and headers may have at most {MOST_HEAD_BYTES} bytes."))

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._expect_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # nothing here uses trailers, so they are not kept
            super().on_header(name, value)

    def take_head(self) -> None:
        self._in_head = False
        self._framing_bytes = 0
        self._forget_deadline()
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            raise ValueError("RFC 9112, section 3.2: exactly one Host")  # answered with 400, like a syntax error
        super().take_head()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(MalformedRequest("This is not a valid HTTP request."))

    def _expect_head(self) -> None:
        self._in_head = True
        self._framing_bytes = 0
        self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self._refuse(HeadTimedOut(f"The request line and headers must arrive within {self.head_seconds:g} s."))

    def _refuse(self, error: QuickThumbError) -> None:
        """Answers with the problem and closes the connection; only closes it if another response has already begun."""
        if self._refused:
            return
        self._forget_deadline()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()
            return
        answer = problem(error, Urls(self.root_path.rstrip("/")))
        headers = {**DEFAULT_HEADERS, **answer.headers, "connection": "close"}
        lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + bytes(answer.body))
        self._refused = True
        if self._in_head:
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()
