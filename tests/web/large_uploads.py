"""Uploads far larger than memory should notice, made while they are sent, and what the web process needs for one.

The image is a real JPEG followed by zeros: its header is in order, so it is taken in whole.
"""

import asyncio
import base64
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import picture
from tests.web_process import WebProcess

CHUNK_BYTES = 192 * 1024  # a multiple of three, so that base64 can be made of each chunk by itself
MEBIBYTE = 1024 * 1024
ANSWER_SECONDS = 120.0


def image(size: int) -> Iterator[bytes]:
    """A JPEG of `size` bytes, in chunks."""
    beginning = picture()
    yield beginning.ljust(CHUNK_BYTES, b"\0")[:size]
    zeros = bytes(CHUNK_BYTES)
    for sent in range(CHUNK_BYTES, size, CHUNK_BYTES):
        yield zeros[: size - sent]


def multipart(size: int) -> tuple[str, Iterator[bytes]]:
    def body() -> Iterator[bytes]:
        yield b'--edge\r\nContent-Disposition: form-data; name="image"; filename="big.jpg"\r\n\r\n'
        yield from image(size)
        yield b"\r\n--edge--\r\n"

    return "multipart/form-data; boundary=edge", body()


def raw(size: int) -> tuple[str, Iterator[bytes]]:
    return "image/jpeg", image(size)


def base64_in_json(size: int) -> tuple[str, Iterator[bytes]]:
    def body() -> Iterator[bytes]:
        yield b'{"data": "'
        yield from map(base64.b64encode, image(size))
        yield b'"}'

    return "application/json", body()


WAYS: dict[str, Callable[[int], tuple[str, Iterator[bytes]]]] = {
    "multipart": multipart,
    "raw": raw,
    "base64 in JSON": base64_in_json,
}


async def growth_bytes(web: WebProcess, way: str, size: int) -> int:
    """By how much the web process grows during an upload of `size` bytes: its peak memory less its memory before."""
    _forget_highest(web)
    before = _memory_bytes(web, "VmRSS")
    status = await asyncio.to_thread(upload, web.port, way, size)
    assert status == 202, status
    return _memory_bytes(web, "VmHWM") - before


def upload(port: int, way: str, size: int) -> int:
    """Sends the upload with chunked encoding, and returns the response's status."""
    content_type, body = WAYS[way](size)
    about = f"Host: localhost\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked"
    head = f"POST /images/ HTTP/1.1\r\n{about}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(head.encode())
        for chunk in body:
            connection.sendall(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        return int(connection.recv(4096).split()[1])


def _forget_highest(web: WebProcess) -> None:
    Path(f"/proc/{web.process.pid}/clear_refs").write_text("5")


def _memory_bytes(web: WebProcess, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{web.process.pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
