"""Receives one upload: feeds the body to its parser, and the image to an `ImageStream`, as they arrive.

It knows neither the web framework nor the storage: the body is an iterator of chunks, a function decides which images
are acceptable, and another opens the sink once it is needed.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from quickthumb.intake.body_parsers import choose_body_parser
from quickthumb.intake.errors import image_too_large
from quickthumb.intake.image_stream import ImageStream, Inspect, MakeWatch, OpenSink, unwatched
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import URL_FIELD, BodyPart, Field, ImageBytes, ImageFilename, ImageStart, ImageUrl
from quickthumb.model.errors import MalformedRequest

# How much to parse at once: the parsed parts are held in memory, and parsing blocks the event loop.
PARSED_BYTES = 256 * 1024

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Received(Generic[H]):
    """A complete upload, whose image is in the sink that was opened for it; with a `url`, there is none yet.

    `fields` are in the order they arrived, repeated ones included. `bytes` and `sha256` (hexadecimal) describe the
    image. `header` is what `inspect` returned, or None if the first mebibyte was not enough; then read the header from
    the file.
    """

    fields: tuple[Field, ...]
    filename: str | None
    bytes: int
    sha256: str
    header: H | None
    url: str | None = None


async def receive(
    body: AsyncIterator[bytes],
    content_type: str | None,
    *,
    inspect: Inspect[H],
    open_sink: OpenSink,
    limits: IntakeLimits,
    make_watch: MakeWatch = unwatched,
) -> Received[H]:
    """Reads the body to its end, and writes its one image to the sink.

    Calls `open_sink` at most once, and only after inspecting the start of the image; after an exception, the caller
    discards the sink. Raises UnsupportedMediaType, MalformedRequest, TooManyBytes, UploadTimedOut, BrokenImage for an
    empty image, and whatever `inspect`, the watch that `make_watch` makes, `open_sink`, the sink and the body raise
    (when the client disconnects, say).
    """
    parser_type, parameters = choose_body_parser(content_type)
    parser = parser_type(parameters, limits)
    most, set_by = limits.max_upload_bytes, limits.set_by
    image = ImageStream(inspect, open_sink, max_bytes=most, set_by=set_by, make_watch=make_watch)
    receiver = _Receiver(image)
    max_body_bytes = parser_type.max_body_bytes(limits)
    received_bytes = 0
    timed = read_in_time(body, idle_seconds=limits.idle_seconds, total_seconds=limits.total_seconds)
    async with aclosing(timed) as chunks:
        async for chunk in chunks:
            received_bytes += len(chunk)
            if received_bytes > max_body_bytes:
                raise image_too_large(most, set_by)
            for piece in _cut(chunk):
                await receiver.take(parser.feed(piece))
    await receiver.take(parser.close())
    return await receiver.finish()


class _Receiver(Generic[H]):
    """Collects the parts of one body."""

    def __init__(self, image: ImageStream[H]) -> None:
        self._image = image
        self._begun = False
        self._fields: list[Field] = []
        self._filename: str | None = None
        self._url: str | None = None

    async def take(self, parts: Iterable[BodyPart]) -> None:
        for part in parts:
            match part:
                case ImageBytes(data):
                    await self._image.write(data)
                case ImageStart():
                    self._begin()
                case ImageFilename(filename):
                    self._filename = filename
                case ImageUrl(url):
                    self._take_url(url)
                case Field():
                    self._fields.append(part)

    async def finish(self) -> Received[H]:
        if self._url is not None:
            return Received(tuple(self._fields), self._filename, 0, "", None, self._url)
        if not self._begun:
            raise MalformedRequest("The request has no image.", field="image")
        sha256 = await self._image.finish()
        return Received(tuple(self._fields), self._filename, self._image.bytes, sha256, self._image.header)

    def _begin(self) -> None:
        if self._begun:
            raise MalformedRequest("The request has more than one image.", field="image")
        self._begun = True
        self._refuse_both()

    def _take_url(self, url: str) -> None:
        if self._url is not None:
            raise MalformedRequest("The request has more than one URL.", field=URL_FIELD)
        self._url = url
        self._refuse_both()

    def _refuse_both(self) -> None:
        if self._begun and self._url is not None:
            raise MalformedRequest("The request has both an image and the URL of one.", field=URL_FIELD)


def _cut(chunk: bytes) -> Iterator[bytes]:
    if len(chunk) <= PARSED_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk), PARSED_BYTES):
        yield chunk[start : start + PARSED_BYTES]
