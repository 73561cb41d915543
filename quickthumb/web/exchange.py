"""One request and its response on a connection of uvicorn, with fewer copies and system calls than uvicorn's own.

A body is handed on in the very pieces that the socket gave, and a connection stops reading only when much more is
unread than one read brings. The head of a response goes out together with what follows it: each write costs a system
call and wakes the client.
"""

import re
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# A client that sends more than the application has read has to wait. Each read of uvloop brings up to 250 KiB.
MOST_UNREAD_BYTES = 512 * 1024
# What a piece of a body counts at least, because each takes memory of its own.
PIECE_BYTES = 2048
# A piece of this size is handed on as it is; smaller ones are joined, which costs less than another round.
LARGE_PIECE_BYTES = 32 * 1024

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WITHOUT_BODY = (204, 304)


class Exchange(RequestResponseCycle):
    """One request and its response. The protocol gives it the body by `take`."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._pieces: deque[bytes] = deque()
        self._unread_bytes = 0
        # The head of the response, until something follows it.
        self._head: list[bytes] = []

    def take(self, piece: bytes) -> None:
        """Takes the next piece of the body. Stops reading once too much of it is unread."""
        self._pieces.append(piece)
        self._unread_bytes += max(len(piece), PIECE_BYTES)
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self.flow.pause_reading()
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._pieces and not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = self._next_piece()
        if not self._pieces:
            self.message_event.clear()
        return {"type": "http.request", "body": body, "more_body": self.more_body or bool(self._pieces)}

    async def send(self, message: ASGISendEvent) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started and message["type"] == "http.response.start":
            self._begin(message)
        elif self.response_started and not self.response_complete and message["type"] == "http.response.body":
            self._go_on(message)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{message['type']}'.")

    def _next_piece(self) -> bytes:
        pieces = self._pieces
        if not pieces:
            return b""
        if len(pieces) == 1 or len(pieces[0]) >= LARGE_PIECE_BYTES:
            piece = pieces.popleft()
        else:
            piece = b"".join(pieces)
            pieces.clear()
        self._unread_bytes = sum(max(len(piece), PIECE_BYTES) for piece in pieces)
        return piece

    def _begin(self, message: HTTPResponseStartEvent) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        self._head = [STATUS_LINE[status]]
        self._add(self.default_headers)
        self._add(message.get("headers", ()))
        if not self.keep_alive:
            self._head.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            self.chunked_encoding = True
            self._head.append(b"transfer-encoding: chunked\r\n")
        self._head.append(b"\r\n")

    def _add(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
                continue
            self._head.append(_line(name, value))

    def _go_on(self, message: HTTPResponseBodyEvent) -> None:
        body = message.get("body", b"")
        more_body = message.get("more_body", False)
        parts, self._head = self._head, []
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            parts += [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            parts += [] if more_body else [b"0\r\n\r\n"]
        elif len(body) > self.expected_content_length:
            raise RuntimeError("The response's content is longer than its Content-Length")
        else:
            self.expected_content_length -= len(body)
            parts.append(body)
        self.transport.write(b"".join(parts))
        if not more_body:
            self._end()

    def _end(self) -> None:
        if self.expected_content_length:
            raise RuntimeError("The response's content is shorter than its Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


# Most headers of a response are those of the one before.
@lru_cache(maxsize=256)
def _line(name: bytes, value: bytes) -> bytes:
    if not _NAME.fullmatch(name) or _NO_VALUE.search(value):
        raise RuntimeError("A header of the response has a character that it may not have")
    return b"%b: %b\r\n" % (name.lower(), value)
