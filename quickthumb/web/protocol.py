"""uvicorn's HTTP protocol with the limits that it lacks. `quickthumb serve` uses it.

It limits the size of a request head, the time in which it must arrive, and the bytes around the chunks of a body.
Without these limits, a client could send endless headers or trailers, which uvicorn keeps in memory, and a connection
that stops in the middle of a head would stay open for as long as the client likes. It also limits how many connections
are open, and closes those whose clients do not read their answers. The intake limits bodies, whichever protocol is
used.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from quickthumb.config.sections import WebSettings
from quickthumb.http.problems import problem
from quickthumb.http.urls import Urls
from quickthumb.model.errors import MalformedRequest, QuickThumbError
from quickthumb.web.descriptors import room_for_connections
from quickthumb.web.errors import HeadTimedOut, HeadTooLarge, TooManyConnections, UriTooLong
from quickthumb.web.in_order import InOrder
from quickthumb.web.middleware.answers import DEFAULT_HEADERS
from quickthumb.web.open_connections import Exemption, OpenConnections, nobody

# Other servers allow about as much. The longest useful head of this service is one with a long query.
MOST_HEAD_BYTES = 64 * 1024
# A browser behind a CDN and a proxy sends about 50.
MOST_HEADERS = 128
HEAD_SECONDS = 10.0
# Each chunk of a body may bring so many bytes around it, and some for each of its own; MOST_HEAD_BYTES may come beyond.
CHUNK_FRAMING_BYTES = 16
# Closing right after the response would reset the connection if the client is still sending, and it would lose the
# response.
LINGER_SECONDS = 0.5


class BoundedProtocol(InOrder):
    """One connection. It answers a request head that is too long or too slow with a problem, and then closes."""

    head_seconds = HEAD_SECONDS
    # Shared by all connections of the process.
    open_connections: ClassVar[OpenConnections] = OpenConnections(WebSettings())
    # In a head, its bytes so far; in a body, the bytes received beyond what its content accounts for.
    _framing_bytes = 0
    _in_head = True
    _deadline: asyncio.TimerHandle | None = None
    url = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else None
        refusal = self.open_connections.enter(self, address)
        if refusal is None:
            self._await_head()
            return
        self.refuse(TooManyConnections(refusal))
        if not self.open_connections.may_linger(self):
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.leave(self)
        self._forget_deadline()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        self.open_connections.slow_readers.drained(self)
        super().resume_writing()

    def read(self, piece: bytes) -> None:
        if self._in_head:
            self._read_head(piece)
            return
        self._framing_bytes += len(piece)
        self.parse(piece)
        if self._framing_bytes > MOST_HEAD_BYTES:
            self.refuse(MalformedRequest("The body has too many bytes around its chunks."))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # nothing here uses trailers, so they are not kept
            super().on_header(name, value)

    def take_head(self) -> None:
        self._in_head = False
        self._framing_bytes = 0
        self._forget_deadline()
        names = [name for name, _ in self.headers]
        if len(names) > MOST_HEADERS:
            raise HeadTooLarge(f"A request may have at most {MOST_HEADERS} headers.")
        if self.parser.get_http_version() == "1.1" and names.count(b"host") != 1:
            raise ValueError("RFC 9112, section 3.2: exactly one Host")  # answered with 400, like a syntax error
        super().take_head()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = max(0, self._framing_bytes - CHUNK_FRAMING_BYTES - 3 * len(body))
        super().on_body(body)

    def take_end(self) -> None:
        super().take_end()
        self._in_head = True
        self._framing_bytes = 0

    @property
    def idle_since(self) -> float | None:
        """Since when every request is answered, by some clock; None while the connection is in use."""
        return self.timeout_keep_alive_task.when() if self.timeout_keep_alive_task is not None else None

    def refuse_invalid(self, error: httptools.HttpParserError) -> None:
        cause = error.__context__
        if not isinstance(cause, QuickThumbError):
            cause = MalformedRequest("This is not a valid HTTP request.")
        self.refuse(cause)

    def refuse(self, error: QuickThumbError) -> None:
        """Answers with the problem and closes the connection; only closes it if another response has already begun."""
        if self.over or self.transport.is_closing():
            return
        self.over = True
        self._forget_deadline()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_written(error, self.root_path))
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _read_head(self, piece: bytes) -> None:
        allowed = MOST_HEAD_BYTES - self._framing_bytes
        self._framing_bytes += len(piece)
        self.parse(piece[:allowed])
        if len(piece) > allowed:
            self.refuse(self._too_large())
        # Nearly every head arrives whole, and needs no timer.
        if self._in_head and self._framing_bytes and self._deadline is None and not self.over:
            self._await_head()

    def _too_large(self) -> QuickThumbError:
        if self.headers or len(self.url) < MOST_HEAD_BYTES // 2:
            return HeadTooLarge(f"The request line and headers may have at most {MOST_HEAD_BYTES} bytes.")
        return UriTooLong(
            f"The request line and headers, the URL among them, may have at most {MOST_HEAD_BYTES} bytes."
        )

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self.refuse(HeadTimedOut(f"The request line and headers must arrive within {self.head_seconds:g} s."))


def bounded_protocol(
    web: WebSettings, base: type[BoundedProtocol] = BoundedProtocol, exempt: Exemption = nobody
) -> type[BoundedProtocol]:
    """The protocol with the limits of the settings. Connections from an address that is `exempt`, such as that of a
    reverse proxy, are counted in all, but not per address.

    Call it in the process that serves, once: it makes sure that the process may open enough files.
    """
    most = room_for_connections(web.max_connections)
    return type(base.__name__, (base,), {"open_connections": OpenConnections(web, most=most, exempt=exempt)})


def _written(error: QuickThumbError, root_path: str) -> bytes:
    """A whole response with the problem, which closes the connection."""
    answer = problem(error, Urls(root_path.rstrip("/")))
    headers = {**DEFAULT_HEADERS, **answer.headers, "connection": "close"}
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + bytes(answer.body)
