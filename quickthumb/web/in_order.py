"""uvicorn's HTTP protocol, reading one request at a time.

A client may send requests before it has read the answers to earlier ones (RFC 9112, section 9.3.2). uvicorn parses all
that it has received, so the refusal of a request that cannot be parsed overtakes the answers before it, and thousands
of small requests in one read each take memory at once. Here, what follows a request stays unparsed, as bytes, until
that request is answered. Meanwhile the connection goes on reading, up to a bound: this is how it learns that the client
has hung up.

The parser does not tell where in its data a request ended. So it gets the data in pieces, each of which ends where a
request may end: after the announced length of a body, or after an empty line, which ends every head and every chunked
body.
"""

from quickthumb.web.connection import IgnoresUpgrades

# A client that sends more before it is answered has to wait.
MOST_UNREAD_BYTES = 64 * 1024
EMPTY_LINE = b"\r\n\r\n"
_OVERLAP = len(EMPTY_LINE) - 1


class InOrder(IgnoresUpgrades):
    """One connection. Subclasses override `read` to see each piece, and set `over` to read nothing more."""

    over = False

    # Received, but not yet given to the parser.
    _unread = b""
    # What the parser got last: an empty line may begin there.
    _last_read = b""
    # What is to come of a body whose length was announced; 0 in a head and in a chunked body.
    _body_left = 0
    # Whether a whole request has arrived that is not answered yet.
    _answering = False

    def data_received(self, data: bytes) -> None:
        if self.over:
            return
        self._unset_keepalive_if_required()
        self._unread = self._unread + data if self._unread else data
        self._read_on()
        if len(self._unread) > MOST_UNREAD_BYTES:
            self.flow.pause_reading()

    def read(self, piece: bytes) -> None:
        """Parses a piece. A request ends at its end, if at all."""
        self.parse(piece)

    def take_head(self) -> None:
        for name, value in self.headers:
            if name == b"content-length":
                self._body_left = int(value)  # the parser has checked it, and that there is only one
        super().take_head()

    def on_message_begin(self) -> None:
        if self._answering:
            raise ValueError("a request began within a piece")  # cannot happen while the parser demands CR LF
        super().on_message_begin()

    def take_end(self) -> None:
        super().take_end()
        self._answering = not self.cycle.response_complete

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._answering:
            self._answering = False
            if self._unread and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                self._read_on()

    def _read_on(self) -> None:
        """Parses what has been received, up to the end of a request."""
        data, place = self._unread, 0
        while place < len(data) and not self._answering and not self.over:
            end = self._end_of_piece(data, place)
            if self._body_left:
                self._body_left -= end - place
            self.read(data[place:end])
            place = end
        self._unread = data[place:]
        # Nothing that begins in one request ends in the next.
        self._last_read = b"" if self._answering else (self._last_read + data[-_OVERLAP:])[-_OVERLAP:]

    def _end_of_piece(self, data: bytes, place: int) -> int:
        if self._body_left:
            return min(len(data), place + self._body_left)
        if place == 0 and self._last_read:
            across = (self._last_read + data[:_OVERLAP]).find(EMPTY_LINE)
            if across >= 0:
                return across + len(EMPTY_LINE) - len(self._last_read)
        found = data.find(EMPTY_LINE, place)
        return len(data) if found < 0 else found + len(EMPTY_LINE)
