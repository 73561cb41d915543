"""Streams one image into a sink: counts, inspects and hashes its bytes, and writes them in large blocks."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from quickthumb.intake.errors import image_too_large
from quickthumb.model.errors import BrokenImage

# Large enough that a write's fixed costs (a thread, a system call) do not matter. The first block is inspected before
# anything is written, so it must be large enough for a JPEG's metadata and color profile.
BLOCK_BYTES = 1024 * 1024
# How much of an image tells which watch it needs.
START_BYTES = 64
# Hashing takes about 0.7 ms per MiB. The first bytes of an image are hashed in the event loop as they arrive: a hop to
# a thread would cost more. The later blocks of a large image are hashed in a thread.
HASHED_INLINE_BYTES = 4 * BLOCK_BYTES

H = TypeVar("H")
HeaderT_co = TypeVar("HeaderT_co", covariant=True)


class Inspect(Protocol[HeaderT_co]):
    """Decides from an image's first bytes whether to accept it. It runs in the event loop, so it must be fast."""

    def __call__(self, prefix: bytearray, complete: bool, /) -> HeaderT_co | None:
        """Returns the header; None if it needs more bytes than `prefix`; raises an error to refuse the image.

        `complete` means that `prefix` is the whole image. It belongs to the stream, and grows: keep no part of it.
        """


class Watch(Protocol):
    """Looks at an image's bytes as they arrive. It runs in the event loop, so it must be fast."""

    def feed(self, data: memoryview, /) -> None:
        """Takes the next bytes; raises an error to refuse the image."""


# Makes the watch of an image from its first bytes; None for an image that needs none.
MakeWatch = Callable[[bytes], Watch | None]


def unwatched(_: bytes) -> None:
    """Watches no image."""


class Sink(Protocol):
    """Where the image goes. The code that opened the sink closes it, and discards its content if the upload fails."""

    async def write(self, data: bytearray) -> None:
        """Takes over the next bytes: nobody else changes or uses them. Raises StorageUnavailable or DiskFull."""


OpenSink = Callable[[], Awaitable[Sink]]


class ImageStream(Generic[H]):
    """Takes one image in pieces of any size: counts, inspects and hashes it, and writes it to a sink in large blocks.

    It needs no request and no body parser, only the image's bytes:

        image = ImageStream(inspect, open_sink, max_bytes=limits.max_upload_bytes)
        async for chunk in chunks:
            await image.write(chunk)
        sha256 = await image.finish()

    - It feeds every byte to the watch that `make_watch` makes, as soon as `inspect` has accepted the image.
    - It opens the sink once: when the first block is full, or in `finish`. It never opens one for an image that
      `inspect` refuses.
    - Every block but the last has BLOCK_BYTES. It holds one of them; the sink decides how many it holds.
    - It sets no deadlines; `read_in_time` does.
    - After an exception or `finish`, do not use it again. The caller closes the sink, and discards what it holds if the
      image did not arrive whole.

    `set_by` says what has set `max_bytes`, if it is not the setting; the refusal names it.
    `bytes` is how many have arrived. `header` is what `inspect` returned: None until it knows, and for good if the
    first block was not enough.
    """

    def __init__(
        self,
        inspect: Inspect[H],
        open_sink: OpenSink,
        *,
        max_bytes: int,
        set_by: str | None = None,
        make_watch: MakeWatch = unwatched,
    ) -> None:
        self._inspect = inspect
        self._make_watch = make_watch
        self._open_sink = open_sink
        self._max_bytes = max_bytes
        self._set_by = set_by
        self._sink: Sink | None = None
        self._block = bytearray()
        self._next_inspection = 1
        self._watch: Watch | None = None
        self._is_watched = False
        self._digest = hashlib.sha256()
        self._hashes_inline = True
        self._hashing: asyncio.Future[None] | None = None
        self.bytes = 0
        self.header: H | None = None

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the image's next bytes.

        Raises TooManyBytes, and whatever `inspect`, the watch, `open_sink` and the sink raise.
        """
        self.bytes += len(data)
        if self.bytes > self._max_bytes:
            raise image_too_large(self._max_bytes, self._set_by)
        rest = memoryview(data)
        while rest:
            taken = rest[: BLOCK_BYTES - len(self._block)]
            rest = rest[len(taken) :]
            self._block += taken
            if self._is_watched:
                self._feed_watch(taken)
            elif self._sink is None:
                self._inspect_early()
            if self._hashes_inline:
                self._digest.update(taken)
            if len(self._block) == BLOCK_BYTES:
                await self._flush()

    async def finish(self) -> str:
        """Writes what remains, and returns the image's SHA-256 in hexadecimal.

        Raises BrokenImage for an empty image, and whatever `inspect`, the watch, `open_sink` and the sink raise.
        """
        if not self.bytes:
            raise BrokenImage("The image is empty.", field="image")
        if self._sink is None and self.header is None:
            self.header = self._inspect(self._block, True)
        if self._block:
            await self._flush()
        await self._hashed()
        return self._digest.hexdigest()

    def _inspect_early(self) -> None:
        # Inspects again only after the bytes have doubled: a body sent byte by byte costs no more than one in blocks.
        if len(self._block) >= self._next_inspection:
            self._next_inspection = min(2 * len(self._block), BLOCK_BYTES)
            self.header = self._inspect(self._block, False)
            if self.header is not None:
                self._begin_watch()

    def _begin_watch(self) -> None:
        self._is_watched = True
        self._watch = self._make_watch(bytes(self._block[:START_BYTES]))
        self._feed_watch(memoryview(self._block))

    def _feed_watch(self, data: memoryview) -> None:
        if self._watch is not None:
            self._watch.feed(data)

    async def _flush(self) -> None:
        if not self._is_watched:  # an image that the first block did not decide, or that is complete
            self._begin_watch()
        block, self._block = self._block, bytearray()
        if not self._hashes_inline:
            await self._hashed()
            # Hashing releases the GIL, so it runs while this block is written and the next one arrives.
            self._hashing = asyncio.get_running_loop().run_in_executor(None, self._digest.update, block)
        self._hashes_inline = self.bytes < HASHED_INLINE_BYTES
        if self._sink is None:
            self._sink = await self._open_sink()
        await self._sink.write(block)

    async def _hashed(self) -> None:
        if self._hashing is not None:
            await self._hashing
            self._hashing = None
