"""Uploads and sinks for tests of the whole receiver."""

import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest

from quickthumb.intake import Field, IntakeLimits, Received, Sink, receive
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyPixels, UnsupportedImage
from quickthumb.storage.errors import DiskFull

MEBIBYTE = 1024 * 1024
LIMITS = IntakeLimits(
    max_upload_bytes=300 * MEBIBYTE, max_fields=8, max_fields_bytes=4096, idle_seconds=30, total_seconds=30
)
FORM = "multipart/form-data; boundary=frontier"
FILE = b'--frontier\r\nContent-Disposition: form-data; name="image"; filename="cat.jpg"\r\n\r\n'
END = b"\r\n--frontier--\r\n"
IMAGE = b"IMG" + bytes(range(256)) * 8


class Memory:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.writes: list[bytearray] = []

    async def write(self, data: bytearray) -> None:
        self.writes.append(data)

    @property
    def content(self) -> bytes:
        return b"".join(self.writes)


class Nothing:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.bytes = 0

    async def write(self, data: bytearray) -> None:
        self.bytes += len(data)


class Full:
    async def write(self, data: bytearray) -> None:
        raise DiskFull("There is no space left.")


class Opener:
    """Opens one sink, and remembers how often it was asked to."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.opened = 0

    async def __call__(self) -> Sink:
        self.opened += 1
        return self.sink


def inspect(prefix: bytearray, complete: bool) -> str | None:
    """Recognizes an image by its first three letters, and BIG by its ninth."""
    if not b"IMG".startswith(prefix[:3]) and not b"BIG".startswith(prefix[:3]):
        raise UnsupportedImage("This is no image.")
    if prefix[:3] == b"BIG" and len(prefix) >= 9:
        raise TooManyPixels("This is too big.")
    if prefix[:3] == b"IMG":
        return "image"
    if complete:
        raise BrokenImage("This ends early.")
    return None


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def take(
    content_type: str | None, chunks: Iterable[bytes], opener: Opener | None = None, limits: IntakeLimits = LIMITS
) -> tuple[Received[str], bytes]:
    sink = Memory()
    received = await receive(
        stream(chunks), content_type, inspect=inspect, open_sink=opener or Opener(sink), limits=limits
    )
    return received, sink.content


async def refuse(
    content_type: str | None, chunks: Iterable[bytes], limits: IntakeLimits = LIMITS, opened: int = 0
) -> QuickThumbError:
    opener = Opener(Memory())
    with pytest.raises(QuickThumbError) as caught:
        await take(content_type, chunks, opener, limits)
    assert opener.opened == opened
    return caught.value


def field(name: str, value: str) -> bytes:
    return f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def expect(image: bytes, *fields: Field, filename: str | None = None) -> Received[str]:
    return Received(fields, filename, len(image), hashlib.sha256(image).hexdigest(), "image")
