"""Takes one upload in: drives the parser of its way, and hands the image on as it arrives.

It knows neither the web framework nor the storage: the body is an iterator of chunks, what images are acceptable is a
function, and the storage is a sink that is opened when it is needed.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from quickthumb.intake.body_parsers import choose_body_parser
from quickthumb.intake.errors import image_too_large
from quickthumb.intake.image_stream import ImageStream, Inspect, OpenSink
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import BodyPart, Field, ImageBytes, ImageFilename, ImageStart
from quickthumb.model.errors import MalformedRequest

# The most that is parsed at one time: what a parser makes of it is held in memory, and the event loop waits for it.
PARSED_BYTES = 256 * 1024

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Received(Generic[H]):
    """An upload that arrived whole; its image is in the sink that was opened for it.

    `fields` are as they came, repetitions included. `bytes` and `sha256` (hexadecimal) are the image's. `header` is
    what inspection answered; None if the first mebibyte did not decide, so that it is to be asked of the file.
    """

    fields: tuple[Field, ...]
    filename: str | None
    bytes: int
    sha256: str
    header: H | None


async def receive(
    body: AsyncIterator[bytes],
    content_type: str | None,
    *,
    inspect: Inspect[H],
    open_sink: OpenSink,
    limits: IntakeLimits,
) -> Received[H]:
    """Reads the body to its end, and writes its one image to the sink.

    Raises UnsupportedMediaType, MalformedRequest, TooManyBytes, UploadTimedOut, BrokenImage for an empty image, and
    whatever `inspect`, `open_sink`, the sink and the body raise (a client that goes away, say). `open_sink` is called
    once at most, and not before the image's beginning has been inspected; after an exception its caller discards it.
    """
    parser_type, parameters = choose_body_parser(content_type)
    parser = parser_type(parameters, limits)
    receiver = _Receiver(ImageStream(inspect, open_sink, max_bytes=limits.max_upload_bytes))
    max_body_bytes = parser_type.max_body_bytes(limits)
    received_bytes = 0
    timed = read_in_time(body, idle_seconds=limits.idle_seconds, total_seconds=limits.total_seconds)
    async with aclosing(timed) as chunks:
        async for chunk in chunks:
            received_bytes += len(chunk)
            if received_bytes > max_body_bytes:
                raise image_too_large(limits.max_upload_bytes)
            for piece in _cut(chunk):
                await receiver.take(parser.feed(piece))
    await receiver.take(parser.close())
    return await receiver.finish()


class _Receiver(Generic[H]):
    """What has been received so far."""

    def __init__(self, image: ImageStream[H]) -> None:
        self._image = image
        self._begun = False
        self._fields: list[Field] = []
        self._filename: str | None = None

    async def take(self, parts: Iterable[BodyPart]) -> None:
        for part in parts:
            match part:
                case ImageBytes(data):
                    await self._image.write(data)
                case ImageStart():
                    self._begin()
                case ImageFilename(filename):
                    self._filename = filename
                case Field():
                    self._fields.append(part)

    async def finish(self) -> Received[H]:
        if not self._begun:
            raise MalformedRequest("The request has no image; one is needed.", field="image")
        sha256 = await self._image.finish()
        return Received(tuple(self._fields), self._filename, self._image.bytes, sha256, self._image.header)

    def _begin(self) -> None:
        if self._begun:
            raise MalformedRequest("The request has two images; one is needed.", field="image")
        self._begun = True


def _cut(chunk: bytes) -> Iterator[bytes]:
    if len(chunk) <= PARSED_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk), PARSED_BYTES):
        yield chunk[start : start + PARSED_BYTES]
