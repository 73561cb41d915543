"""The image on its way to the sink: whole, in large blocks, inspected, in bounded memory."""

import gc
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from quickthumb.intake import ImageStream, receive
from quickthumb.intake.errors import TooManyBytes
from quickthumb.intake.image_stream import BLOCK_BYTES
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyParts, UnsupportedImage
from quickthumb.storage.errors import DiskFull
from tests.intake.uploads import (
    END,
    FILE,
    FORM,
    LIMITS,
    MEBIBYTE,
    Full,
    Memory,
    Nothing,
    Opener,
    expect,
    inspect,
    stream,
    take,
)


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


@pytest.mark.parametrize("chunk_bytes", [1000, 65_536, 10**7])
async def test_a_stream_can_be_fed_without_a_request(chunk_bytes: int) -> None:
    content = b"IMG" + os.urandom(2 * BLOCK_BYTES)
    opener = Opener(sink := Memory())
    image = ImageStream(inspect, opener, max_bytes=len(content))
    for start in range(0, len(content), chunk_bytes):
        assert opener.opened == (1 if image.bytes >= BLOCK_BYTES else 0)
        await image.write(content[start : start + chunk_bytes])
    assert await image.finish() == hashlib.sha256(content).hexdigest()
    assert (image.bytes, image.header, opener.opened) == (len(content), "image", 1)
    assert [len(data) for data in sink.writes] == [BLOCK_BYTES, BLOCK_BYTES, 3]
    assert sink.content == content


async def test_a_stream_takes_no_more_than_its_limit() -> None:
    image = ImageStream(inspect, Opener(Memory()), max_bytes=5)
    await image.write(b"IMG12")
    with pytest.raises(TooManyBytes, match="at most 5 bytes"):
        await image.write(b"3")


@pytest.mark.parametrize(("content", "refusal"), [(b"", BrokenImage), (b"GIF", UnsupportedImage), (b"BI", BrokenImage)])
async def test_a_stream_opens_no_sink_for_what_it_refuses(content: bytes, refusal: type[QuickThumbError]) -> None:
    opener = Opener(Memory())
    image = ImageStream(inspect, opener, max_bytes=MEBIBYTE)

    async def feed() -> None:
        await image.write(content)
        await image.finish()

    with pytest.raises(refusal):
        await feed()
    assert opener.opened == 0


class Seen:
    """A watch that remembers what it was fed, and refuses an image at its first X."""

    def __init__(self) -> None:
        self.content = b""

    def feed(self, data: memoryview, /) -> None:
        self.content += data
        if b"X" in self.content:
            raise TooManyParts("This has an X.")


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 65_536, 10**7])
async def test_a_watch_sees_every_byte_once(chunk_bytes: int) -> None:
    size = 3000 if chunk_bytes == 1 else 2 * BLOCK_BYTES + 70_000
    content, seen, starts = b"IMG" + bytes(range(60)) * (size // 60), Seen(), []

    def make_watch(start: bytes) -> Seen:
        starts.append(start)
        return seen

    image = ImageStream(inspect, Opener(Memory()), max_bytes=len(content), make_watch=make_watch)
    for start in range(0, len(content), chunk_bytes):
        await image.write(content[start : start + chunk_bytes])
        assert len(seen.content) in (0, image.bytes)
    await image.finish()
    assert seen.content == content
    assert len(starts) == 1
    assert content.startswith(starts[0])


@pytest.mark.parametrize("first", [b"IMG", b"unknown"])
async def test_a_watch_refuses_an_image_that_is_still_arriving(first: bytes) -> None:
    """Also one whose header the first block does not tell."""

    def inspect_only(prefix: bytearray, complete: bool) -> str | None:
        return "image" if prefix.startswith(b"IMG") else None

    image = ImageStream(inspect_only, Opener(Memory()), max_bytes=10 * MEBIBYTE, make_watch=lambda _: Seen())
    await image.write(first + bytes(BLOCK_BYTES))
    with pytest.raises(TooManyParts):
        await image.write(b"X")


async def test_an_image_that_has_hardly_begun_takes_hardly_any_memory() -> None:
    image = ImageStream(inspect, Opener(Memory()), max_bytes=MEBIBYTE)
    tracemalloc.start()
    await image.write(b"IMG" + bytes(20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000


async def test_an_image_that_the_first_block_does_not_decide_is_let_through() -> None:
    def undecided(prefix: bytearray, complete: bool) -> str | None:
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

    def undecided(prefix: bytearray, complete: bool) -> str | None:
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


@pytest.mark.parametrize("size", [10, 3 * BLOCK_BYTES])
async def test_what_the_sink_raises_passes_through(size: int) -> None:
    with pytest.raises(DiskFull):
        await take("image/png", [b"IMG" + bytes(size)], Opener(Full()))
