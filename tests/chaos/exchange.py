"""HTTP spoken by hand: whatever bytes a client may send, and what it is answered meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Request:
    """A head, its end included, and what follows. `half_closes`: the client says that it will never send more."""

    head: bytes
    body: Iterable[bytes] = ()
    half_closes: bool = False

    def pieces(self) -> Iterator[bytes]:
        return chain([self.head], self.body)


@dataclass(frozen=True)
class Answer:
    status: int
    closes: bool
    body: bytes


async def exchange(port: int, request: Request) -> list[Answer]:
    """The answers, up to one that leaves the connection open, or until the service closes it.

    It reads while it sends, so that no answer is lost that comes before the request has ended. Raises TimeoutError.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, request))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return [answer async for answer in answers(reader)]
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        writer.transport.abort()


async def answers(reader: asyncio.StreamReader) -> AsyncIterator[Answer]:
    """What the service says on one connection."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = Answer(int(lines[0].split()[1]), headers.get("connection") == "close", body)
            yield answer
            if not answer.closes:
                return


async def _send(writer: asyncio.StreamWriter, request: Request) -> None:
    with contextlib.suppress(ConnectionError):
        for piece in request.pieces():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # the turn of whoever reads, which draining does not give while there is room
        if request.half_closes:
            writer.write_eof()
