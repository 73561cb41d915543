"""uvicorn's HTTP protocol, reading one request at a time.

A client may send requests before it has read the answers to earlier ones (RFC 9112, section 9.3.2). uvicorn parses all
that it has received, so the refusal of a request that cannot be parsed overtakes the answers before it, and thousands
of small requests in one read each take memory at once. Here, what follows a request stays unparsed, as bytes, until
that request is answered. Meanwhile the connection goes on reading, up to a bound: this is how it learns that the client
has hung up.

The parser does not tell where in its data a request ended. So it gets the data in pieces, each of which ends where a
request may end: after a head, and after the body that the head announces. A body whose length is announced does not
pass through the parser at all, which would only copy it.
"""

import asyncio
import contextvars

from uvicorn.protocols.http.flow_control import FlowControl

from quickthumb.web.connection import IgnoresUpgrades
from quickthumb.web.request_ends import Body, ChunkedBody, Head

# A client that sends more before it is answered has to wait.
MOST_UNREAD_BYTES = 64 * 1024


class HeldFlow(FlowControl):
    """The flow of a connection. While it is held, it reads nothing, although uvicorn resumes it at every answer and
    whenever the application waits for the client to hang up."""

    _held = False

    def hold(self, held: bool) -> None:
        """Holds the flow, or lets it go on if it has been held."""
        was_held, self._held = self._held, held
        if held:
            self.pause_reading()
        elif was_held:
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self._held:
            super().resume_reading()


class InOrder(IgnoresUpgrades):
    """One connection. Subclasses override `read` to see each piece, and set `over` to read nothing more."""

    over = False
    flow: HeldFlow

    # What is being received.
    _part: Head | Body | ChunkedBody
    # Received, and given to the parser up to `_place`.
    _received = b""
    _place = 0
    # Whether a whole request has arrived that is not answered yet.
    _answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._part = Head()

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        self._unset_keepalive_if_required()
        # Little is copied: while much is unread, nothing is received.
        self._received = self._received[self._place :] + data if self._received else data
        self._place = 0
        self._read_on()

    def read(self, piece: bytes) -> None:
        """Parses a piece. A request ends at its end, if at all."""
        self.parse(piece)

    def read_content(self, piece: bytes, is_last: bool) -> None:
        """Takes a piece of a body whose length is announced."""
        self.on_body(piece)
        if is_last:
            self.renew_parser()
            self.take_end()

    def take_head(self) -> None:
        self._part = self._announced_body()
        super().take_head()

    def on_message_begin(self) -> None:
        if self._answering:
            raise ValueError("a request began within a piece")  # cannot happen while the parser demands CR LF
        super().on_message_begin()

    def take_end(self) -> None:
        super().take_end()
        self._part = Head()
        self._answering = not self.cycle.response_complete

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._answering:
            self._answering = False
            if self._received and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                # The context is still that of the request just answered; the log must not give its id to the next.
                contextvars.Context().run(self._read_on)

    def _read_on(self) -> None:
        """Parses what has been received, up to the end of a request."""
        data = self._received
        while self._place < len(data) and not self._answering and not self.over:
            part, start = self._part, self._place
            self._place = part.end_in(data, start)
            piece = data[start : self._place]
            if isinstance(part, Body):
                self.read_content(piece, part.is_complete)
            else:
                self.read(piece)
        if self.over or self._place == len(data):
            self._received, self._place = b"", 0
        self.flow.hold(len(self._received) - self._place > MOST_UNREAD_BYTES)

    def _announced_body(self) -> Head | Body | ChunkedBody:
        """What follows the head. The parser has checked that there is at most one length, and no other encoding than
        chunks, or else refuses the request now."""
        for name, value in self.headers:
            if name == b"transfer-encoding":
                return ChunkedBody()
            if name == b"content-length" and (length := int(value)):
                return Body(length)
        return Head()
