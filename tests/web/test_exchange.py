"""How many system calls and copies a request and its response take, counted without a network."""

import asyncio
from typing import Any

from quickthumb.web.exchange import MOST_UNREAD_BYTES, PIECE_BYTES
from tests.web.test_in_order import HOST, READ_BYTES, Wire, connected, settle

HEADERS = [(b"content-length", b"5"), (b"x-answer", b"yes")]


class Recording(Wire):
    """Keeps what is written, one entry for each system call."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


class Reader:
    """An application that reads as many messages as it is told to, and then answers, if it has an answer."""

    def __init__(self, messages: int, answer: tuple[dict[str, Any], ...] = ()) -> None:
        self.messages: list[Any] = []
        self.receive: Any = None
        self._left = messages
        self._answer = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.receive = receive
        while len(self.messages) < self._left:
            self.messages.append(await receive())
        for message in self._answer:
            await send(message)
        if not self._answer:
            await asyncio.Event().wait()


def head(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length


def answer(*bodies: bytes) -> tuple[dict[str, Any], ...]:
    start = {"type": "http.response.start", "status": 200, "headers": HEADERS}
    last = len(bodies) - 1
    parts = ({"type": "http.response.body", "body": body, "more_body": i < last} for i, body in enumerate(bodies))
    return (start, *parts)


async def answered(asked: bytes, *bodies: bytes) -> list[bytes]:
    """What is written in answer to a request, write by write."""
    protocol, _ = await connected(Reader(0, answer(*bodies)))
    wire = Recording()
    protocol.transport = wire
    protocol.data_received(asked)
    await settle()
    assert protocol.cycle.response_complete
    return wire.written


async def test_the_head_of_a_response_goes_out_with_its_content() -> None:
    (written,) = await answered(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"hello")
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nx-answer: yes\r\n" in written
    assert written.endswith(b"\r\n\r\nhello")


async def test_what_follows_goes_out_at_once() -> None:
    written = await answered(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"hel", b"lo")
    assert [part.rpartition(b"\r\n\r\n")[2] for part in written] == [b"hel", b"lo"]


async def test_head_has_no_content() -> None:
    (written,) = await answered(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", b"hello")
    assert b"content-length: 5\r\n" in written
    assert written.endswith(b"\r\n\r\n")


async def test_a_body_is_handed_on_without_a_copy() -> None:
    app = Reader(3)
    protocol, _ = await connected(app)
    pieces = [bytes([number]) * READ_BYTES for number in range(2)]
    protocol.data_received(head(2 * READ_BYTES + 1))
    for piece in pieces:
        protocol.data_received(piece)
    protocol.data_received(b"x")
    await settle()
    assert [message["body"] for message in app.messages] == [*pieces, b"x"]
    assert all(message["body"] is piece for message, piece in zip(app.messages, pieces, strict=False))
    assert [message["more_body"] for message in app.messages] == [True, True, False]


async def test_small_pieces_are_joined_and_bounded() -> None:
    app = Reader(1)
    protocol, wire = await connected(app)
    protocol.data_received(head(MOST_UNREAD_BYTES))
    arrived = 0
    while wire.reads and arrived < MOST_UNREAD_BYTES:
        protocol.data_received(b"x")
        arrived += 1
    assert arrived <= MOST_UNREAD_BYTES // PIECE_BYTES + 1
    await settle()
    assert [message["body"] for message in app.messages] == [b"x" * arrived]


async def test_reading_goes_on_once_the_application_has_read() -> None:
    app = Reader(1)
    protocol, wire = await connected(app)
    reads = MOST_UNREAD_BYTES // READ_BYTES + 1
    protocol.data_received(head((reads + 1) * READ_BYTES))
    for _ in range(reads):
        assert wire.reads
        protocol.data_received(bytes(READ_BYTES))
    assert not wire.reads
    await settle()
    assert len(app.messages) == 1
    for _ in range(reads - 1):
        await app.receive()
    assert not wire.reads, "only now is there nothing left"
    waiting = app.receive()
    waiting.send(None)
    assert wire.reads
    waiting.close()


async def test_requests_behind_a_body_are_parsed() -> None:
    app = Reader(0, answer(b"hello"))
    protocol, _ = await connected(app)
    wire = Recording()
    protocol.transport = wire
    protocol.data_received(head(4) + b"GET " + head(5) + b"HEAD " + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    await settle()
    assert [part[:15] for part in wire.written] == [b"HTTP/1.1 200 OK"] * 3
