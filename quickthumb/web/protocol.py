"""uvicorn's HTTP protocol with bounds that it lacks: on how long a request's head is, how long it takes, and how much
may stand around the chunks of its body. `quickthumb serve` uses it.

Without it, a client may send headers without end, which are kept in memory, before a body and also behind it, and a
connection that stops in the middle of its head stays open for as long as the client likes. Bodies are bounded by the
intake, whichever protocol is used.
"""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from quickthumb.http.problems import problem
from quickthumb.model.errors import MalformedRequest, QuickThumbError
from quickthumb.web.middleware.answers import DEFAULT_HEADERS

# What other servers allow for, too; the longest head that is of use here has one long query.
MOST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
# A close right behind the answer to a head would, where the client is still sending, take the answer back.
LINGER_SECONDS = 0.5


class HeadTimedOut(QuickThumbError):
    code, status, title = "head_timed_out", 408, "The request's head did not arrive in time"


class HeadTooLarge(QuickThumbError):
    code, status, title = "head_too_large", 431, "The request's head is too large"


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head that is too long or too slow is answered with a problem, and the connection closed."""

    head_seconds = HEAD_SECONDS
    # Of the head; in the body, what has come since there was last some of it.
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
            self._refuse(HeadTooLarge(f"The request's line and headers may have {MOST_HEAD_BYTES} bytes together."))

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._expect_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # those behind a body mean nothing here, and are not kept
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._framing_bytes = 0
        self._forget_deadline()
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            raise ValueError("RFC 9112, section 3.2: exactly one Host")  # answered as what is not HTTP is
        super().on_headers_complete()

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
            self._refuse(HeadTimedOut(f"The request's line and headers must arrive within {self.head_seconds:g} s."))

    def _refuse(self, error: QuickThumbError) -> None:
        """Answers with the problem and closes; only closes where an answer is on its way already."""
        if self._refused:
            return
        self._forget_deadline()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()
            return
        answer = problem(error)
        headers = {**DEFAULT_HEADERS, **answer.headers, "connection": "close"}
        lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + bytes(answer.body))
        self._refused = True
        if self._in_head:
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()
