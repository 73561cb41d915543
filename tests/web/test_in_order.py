"""How much work a connection makes of what it receives, counted without a network."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from quickthumb.web.in_order import MOST_UNREAD_BYTES, InOrder

READ_BYTES = 256 * 1024
HOST = b"Host: x\r\n"
ASKS = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


class Wire(asyncio.Transport):
    """A connection to nobody."""

    reads = True
    closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Counting(InOrder):
    """Counts the pieces that the parser gets, and the bytes that it has not got."""

    pieces = 0
    received = 0
    parsed = 0

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)

    def read(self, piece: bytes) -> None:
        self.pieces += 1
        self.parsed += len(piece)
        super().read(piece)

    @property
    def unread(self) -> int:
        return self.received - self.parsed


class Service:
    """An application that answers when it is told to, and waits for the client to hang up until then."""

    def __init__(self) -> None:
        self.answers = asyncio.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        leaving = asyncio.ensure_future(self._until_left(receive))
        await self.answers.acquire()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await leaving

    async def _until_left(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


async def connected(app: Any) -> tuple[Counting, Wire]:
    config = Config(app, log_config=None, access_log=False)
    config.load()
    protocol, wire = Counting(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def settle() -> None:
    """Lets the application do all that it can do now."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("chunk", [READ_BYTES, 4096])
async def test_a_body_that_looks_like_empty_lines_is_read_in_few_pieces(chunk: int) -> None:
    service = Service()
    protocol, _ = await connected(service)
    content = b"\r\n" * (chunk // 2)
    sent = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    sent += (b"%x\r\n%b\r\n" % (chunk, content)) * (4 * READ_BYTES // chunk) + b"0\r\n\r\n"
    for start in range(0, len(sent), READ_BYTES):
        protocol.data_received(sent[start : start + READ_BYTES])
        await settle()
    assert protocol.unread == 0
    assert protocol.pieces <= 1 + len(sent) // READ_BYTES + 1 + 1, "one for the head, and one for each read"
    service.answers.release()
    await settle()
    assert protocol.cycle.response_complete


async def test_what_is_unread_is_bounded_while_requests_are_answered() -> None:
    service = Service()
    protocol, wire = await connected(service)
    crowd = ASKS * (READ_BYTES // len(ASKS))
    for _ in range(3 * READ_BYTES // len(ASKS)):
        if wire.reads:
            protocol.data_received(crowd)
        await settle()
        assert protocol.unread <= MOST_UNREAD_BYTES + READ_BYTES
        service.answers.release()
    # It did go on reading: nearly as much as it has answered.
    assert protocol.received > 3 * len(crowd)
