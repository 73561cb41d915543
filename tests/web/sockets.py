"""HTTP over plain sockets, for what no client library does: stop in the middle, or send after an early response."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import httpx

ANSWER_SECONDS = 10.0


class Connection:
    """One connection to a web process. It reads whole responses, by their Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> Self:
        self._writer.write(data)
        await self._writer.drain()
        return self

    async def head(self, request: str, **headers: object) -> Self:
        """Sends a request head. An underscore in the name of a header stands for a hyphen."""
        lines = [f"{request} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def chunk(self, data: bytes) -> Self:
        return await self.send(b"%x\r\n" % len(data) + data + b"\r\n")

    async def answer(self) -> httpx.Response:
        """The next response."""
        async with asyncio.timeout(ANSWER_SECONDS):
            status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return httpx.Response(int(status.split()[1]), headers=headers, content=body)

    async def is_closed(self) -> bool:
        """Whether the server closes the connection now, without sending anything more."""
        async with asyncio.timeout(ANSWER_SECONDS):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read() == b""
            return True

    def break_off(self) -> None:
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def connection(address: str, from_address: str | None = None) -> AsyncIterator[Connection]:
    """Opens a connection, from an address of this machine if one is given, and closes it."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    local = (from_address, 0) if from_address else None
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=local)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
