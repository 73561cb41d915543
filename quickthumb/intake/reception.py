"""Takes one upload in: drives the parser of its way, and hands the image on as it arrives.

It knows neither the web framework nor the storage: the body is an iterator of chunks, what images are acceptable is a
function, and the storage is a sink that is opened when it is needed.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from quickthumb.intake.deadlines import read_in_time
from quickthumb.intake.events import Event, Field, ImageBegins, ImageBytes, ImageNamed
from quickthumb.intake.image_stream import ImageStream, Inspect, OpenSink
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.ways import choose_way, too_many_bytes
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
    way_kind, parameters = choose_way(content_type)
    way = way_kind(parameters, limits)
    reception = _Reception(ImageStream(inspect, open_sink, limits))
    arrived = 0
    async with aclosing(read_in_time(body, limits)) as chunks:
        async for chunk in chunks:
            arrived += len(chunk)
            if arrived > way_kind.most_bytes(limits):
                raise too_many_bytes(limits)
            for part in _cut(chunk):
                await reception.take(way.feed(part))
    await reception.take(way.close())
    return await reception.finish()


class _Reception(Generic[H]):
    """What has been received so far."""

    def __init__(self, image: ImageStream[H]) -> None:
        self._image = image
        self._begun = False
        self._fields: list[Field] = []
        self._filename: str | None = None

    async def take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case ImageBytes(data):
                    await self._image.write(data)
                case ImageBegins():
                    self._begin()
                case ImageNamed(filename):
                    self._filename = filename
                case Field():
                    self._fields.append(event)

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
