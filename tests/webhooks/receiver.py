"""A receiver of webhooks on a real socket: it keeps what it gets, and answers what a test tells it to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request: its path, its headers with their names in lower case, its body, and the status of the answer."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Receiver:
    """Answers each request with the next of the `answers` for its path, and with 204 once there are no more. Requests
    to paths that `hang` get no answer. `headers` and `body` are those of all answers."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    headers: str = ""
    body: bytes = b""
    hang: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"

    def at(self, path: str, kind: str = "") -> list[Received]:
        """The requests to a path, of events whose types begin with `kind`."""
        return [one for one in self.received if one.path == path and one.event["type"].startswith(kind)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes one request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path = request.split(" ")[1]
            following = self.answers.get(path)
            status = following.pop(0) if following else 204
            self.received.append(Received(path, headers, body, status))
            if path in self.hang:
                await reader.read()
            told = f"HTTP/1.1 {status} X\r\nContent-Length: {len(self.body)}\r\n{self.headers}\r\n"
            writer.write(told.encode() + self.body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver at an address of this machine."""
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
