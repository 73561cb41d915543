"""Receiving an upload: what arrives in the sink, what is refused before one is opened, and within which bounds."""

import asyncio
import base64
import contextlib
import gc
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quickthumb.errors import (
    BrokenImage,
    DiskFull,
    MalformedRequest,
    QuickThumbError,
    TooManyBytes,
    TooManyPixels,
    UnsupportedImage,
    UnsupportedMediaType,
    UploadTimedOut,
)
from quickthumb.intake import Field, IntakeLimits, Received, Sink, receive
from quickthumb.intake.image_stream import BLOCK_BYTES

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
        self.writes: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.writes.append(data)

    @property
    def content(self) -> bytes:
        return b"".join(self.writes)


class Nothing:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.bytes = 0

    async def write(self, data: bytes) -> None:
        self.bytes += len(data)


class Full:
    async def write(self, data: bytes) -> None:
        raise DiskFull("There is no space left.")


class Opener:
    """Opens one sink, and remembers how often it was asked to."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.opened = 0

    async def __call__(self) -> Sink:
        self.opened += 1
        return self.sink


def inspect(prefix: bytes, complete: bool) -> str | None:
    """Knows an image by its first three letters, and BIG by its ninth."""
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


BODIES = {
    "form": (
        FORM,
        field("width", "5") + FILE + IMAGE + b"\r\n" + field("fit", "cover") + b"--frontier--",
        expect(IMAGE, Field("width", "5"), Field("fit", "cover"), filename="cat.jpg"),
    ),
    "raw": ("image/jpeg", IMAGE, expect(IMAGE)),
    "json": (
        "application/json",
        b'{"outputs": [{"width": 5}], "data": "' + base64.b64encode(IMAGE) + b'", "filename": "cat.jpg"}',
        expect(IMAGE, Field("outputs", [{"width": 5}]), filename="cat.jpg"),
    ),
}


@pytest.mark.parametrize("name", BODIES)
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 3000), max_size=20))
def test_what_is_received_does_not_depend_on_how_the_body_is_cut(name: str, places: list[int]) -> None:
    content_type, body, expected = BODIES[name]
    ends = [*sorted(place % len(body) for place in places), len(body)]
    chunks = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert asyncio.run(take(content_type, [*chunks, b""])) == (expected, IMAGE)


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 70_000])
@pytest.mark.parametrize("chunk_bytes", [65_536, 999_999, 10**8])
async def test_large_images_arrive_whole_and_in_large_writes(size: int, chunk_bytes: int) -> None:
    image = b"IMG" + os.urandom(size - 3)
    sink = Memory()
    body = FILE + image + END
    chunks = (body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes))
    received, _ = await take(FORM, chunks, Opener(sink))
    assert received == expect(image, filename="cat.jpg")
    assert sink.content == image
    assert all(len(data) == BLOCK_BYTES for data in sink.writes[:-1])


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "named"),
    [
        (FORM, FILE + b"%PDF-1.7" + END, UnsupportedImage, None),
        (FORM, FILE + b"BIG" * 9 + END, TooManyPixels, None),
        (FORM, FILE + b"BIG" + END, BrokenImage, None),
        (FORM, FILE + END, BrokenImage, "image"),
        (FORM, FILE + IMAGE, MalformedRequest, None),
        (FORM, b"--frontier--\r\n", MalformedRequest, "image"),
        (FORM, field("width", "5") + b"--frontier--", MalformedRequest, "image"),
        (FORM, FILE + IMAGE + b"\r\n" + FILE + IMAGE + END, MalformedRequest, "image"),
        (FORM, FILE + IMAGE + b"\r\n" + field("a", "1") * 9 + b"--frontier--", MalformedRequest, None),
        (FORM, FILE + IMAGE + b"\r\n" + field("a", "1" * 4096) + b"--frontier--", TooManyBytes, None),
        ("image/png", b"", BrokenImage, "image"),
        ("image/png", b"GIF", UnsupportedImage, None),
        ("application/json", b'{"width": 5}', MalformedRequest, "image"),
        ("application/json", b'{"data": ""}', BrokenImage, "image"),
        ("application/json", b'{"data": "SU1H!"}', MalformedRequest, "data"),
        ("application/json", b'{"data": "JVBERi0xLjc="}', UnsupportedImage, None),
        ("application/json", b'{"data": "SU1H", "data": "SU1H"}', MalformedRequest, "data"),
        ("text/plain", IMAGE, UnsupportedMediaType, None),
        (None, IMAGE, UnsupportedMediaType, None),
        ("multipart/form-data", FILE + IMAGE + END, MalformedRequest, None),
    ],
)
async def test_a_refusal_is_typed_and_opens_no_sink(
    content_type: str | None, body: bytes, kind: type[QuickThumbError], named: str | None
) -> None:
    for chunks in ([body], [body[start : start + 1] for start in range(len(body))]):
        error = await refuse(content_type, chunks)
        assert (type(error), error.code, error.field) == (kind, kind.code, named)


@pytest.mark.parametrize(
    ("content_type", "head"),
    [(FORM, FILE + b"%PDF"), ("image/png", b"%PDF"), ("application/json", b'{"data": "JVBERi0x')],
)
async def test_what_is_no_image_is_refused_with_its_first_bytes(content_type: str, head: bytes) -> None:
    def chunks() -> Iterable[bytes]:
        yield head
        pytest.fail("more was read than the bytes that decide")

    assert isinstance(await refuse(content_type, chunks()), UnsupportedImage)


@pytest.mark.parametrize(
    ("content_type", "head", "more"),
    [
        (FORM, FILE + b"IMG", b"x" * 9999),
        ("image/png", b"IMG", b"x" * 9999),
        ("application/json", b'{"data": "SU1H', b"eHh4" * 2500),
        ("application/json", b'{"data": "SU1H', b"\\n" * 5000),
    ],
)
async def test_an_endless_image_is_refused_at_the_limit(content_type: str, head: bytes, more: bytes) -> None:
    read = 0

    def chunks() -> Iterable[bytes]:
        nonlocal read
        yield head
        while True:
            read += len(more)
            yield more

    error = await refuse(content_type, chunks(), replace(LIMITS, max_upload_bytes=50_000))
    assert (error.code, error.detail) == ("too_many_bytes", "The image is too large; at most 50000 bytes are accepted.")
    assert read < 130_000


async def test_an_image_of_just_the_limit_is_accepted() -> None:
    for content_type, body, expected in BODIES.values():
        assert (await take(content_type, [body], limits=replace(LIMITS, max_upload_bytes=len(IMAGE))))[0] == expected
        error = await refuse(content_type, [body], replace(LIMITS, max_upload_bytes=len(IMAGE) - 1))
        assert isinstance(error, TooManyBytes)


@pytest.mark.parametrize(
    "more", [b"\r\n" * 5000, b"--frontier\r\nX: " + b"y" * 9999, b"--frontier" + b" " * 9999], ids=str
)
async def test_endless_framing_is_refused_long_before_the_limit(more: bytes) -> None:
    def chunks() -> Iterable[bytes]:
        yield more
        for _ in range(20):
            yield more[-5000:]
        pytest.fail("too much was read")

    assert isinstance(await refuse(FORM, chunks()), MalformedRequest)


async def test_an_image_that_the_first_block_does_not_decide_is_let_through() -> None:
    def undecided(prefix: bytes, complete: bool) -> str | None:
        assert not complete
        assert len(prefix) <= BLOCK_BYTES
        return None

    opener = Opener(Nothing())
    received = await receive(
        stream([bytes(700_000)] * 2), "image/tiff", inspect=undecided, open_sink=opener, limits=LIMITS
    )
    assert (received.header, received.bytes, opener.opened) == (None, 1_400_000, 1)


async def test_a_dripping_image_is_not_inspected_at_every_byte() -> None:
    lengths = []

    def undecided(prefix: bytes, complete: bool) -> str | None:
        lengths.append(len(prefix))
        return None

    await receive(stream([b"x"] * 5000), "image/tiff", inspect=undecided, open_sink=Opener(Memory()), limits=LIMITS)
    assert lengths == [2**power for power in range(13)] + [5000]


@pytest.mark.parametrize("encoding", ["form", "json"])
async def test_memory_does_not_grow_with_the_image(encoding: str) -> None:
    chunk = b"A" * 65_536

    async def body() -> AsyncIterator[bytes]:
        yield FILE + b"IMG" if encoding == "form" else b'{"data": "SU1H'
        for _ in range(3200):
            yield bytes(chunk)
        yield END if encoding == "form" else b'"}'

    sink = Nothing()
    content_type = FORM if encoding == "form" else "application/json"
    gc.collect()
    tracemalloc.start()
    try:
        received = await receive(body(), content_type, inspect=inspect, open_sink=Opener(sink), limits=LIMITS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received.bytes == sink.bytes > 150_000_000
    assert peak < 5 * MEBIBYTE


async def test_a_stalled_upload_is_broken_off() -> None:
    closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield IMAGE
            await asyncio.Event().wait()
        finally:
            closed.set()

    with pytest.raises(UploadTimedOut, match="stalled"):
        await receive(
            body(),
            "image/png",
            inspect=inspect,
            open_sink=Opener(Memory()),
            limits=replace(LIMITS, idle_seconds=0.01),
        )
    assert closed.is_set()


@pytest.mark.parametrize("pause", [True, False])
async def test_an_upload_that_takes_too_long_is_broken_off(pause: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"IMG"
        while True:
            if pause:
                await asyncio.sleep(0)
            yield b"x"

    with pytest.raises(UploadTimedOut):
        await receive(
            body(),
            "image/png",
            inspect=inspect,
            open_sink=Opener(Memory()),
            limits=replace(LIMITS, total_seconds=0.05),
        )


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, asyncio.CancelledError])
async def test_what_the_body_raises_passes_through(error: type[BaseException]) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"IMG" + bytes(2 * BLOCK_BYTES)
        raise error

    opener = Opener(Memory())
    with pytest.raises(error):
        await receive(body(), "image/png", inspect=inspect, open_sink=opener, limits=LIMITS)
    assert opener.opened == 1


@pytest.mark.parametrize("size", [10, 3 * BLOCK_BYTES])
async def test_what_the_sink_raises_passes_through(size: int) -> None:
    with pytest.raises(DiskFull):
        await take("image/png", [b"IMG" + bytes(size)], Opener(Full()))


@settings(max_examples=100, deadline=None)
@given(
    content_type=st.sampled_from([FORM, "image/png", "application/json"]),
    start=st.sampled_from([b"", FILE, FILE + IMAGE, b'{"data": "SU1H', b'{"a": ']),
    rest=st.binary(max_size=300),
)
def test_any_body_is_received_or_refused_with_a_typed_error(content_type: str, start: bytes, rest: bytes) -> None:
    with contextlib.suppress(QuickThumbError):
        asyncio.run(take(content_type, [start, rest]))
