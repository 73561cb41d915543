"""Splits the body of a batch into its images, as it arrives: the files of a form, a list of URLs, or a ZIP of images.

Each image is a stream of its own, to be read before the next one. Memory stays bounded whatever the body.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from quickthumb.config import BatchLimits
from quickthumb.intake.body_parsers import RawBodyParser, choose_body_parser
from quickthumb.intake.errors import BatchTooLarge, UnsupportedMediaType
from quickthumb.intake.headers import split_header_value
from quickthumb.intake.json_body import JsonBodyParser
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import BodyParser, BodyPart, Field, ImageBytes, ImageFilename, ImageStart, ImageUrl
from quickthumb.intake.receiver import PARSED_BYTES
from quickthumb.intake.uploaders import without_uploaders_fields
from quickthumb.intake.zip_stream import STARTS, ZipLimits, ZipStream
from quickthumb.model.errors import MalformedRequest

URLS_FIELD = "urls"
ZIP_TYPES = ("application/zip", "application/x-zip-compressed", "application/octet-stream")
# Room for the URL of one image, or for the head of its part.
BYTES_PER_IMAGE = 4096
_MAGIC_BYTES = 4


@dataclass
class BatchImage:
    """One image of a batch: its bytes, or the URL of them. `is_cut_off` once its bytes cannot be read to their end, so
    that nothing can follow it."""

    filename: str | None
    body: AsyncIterator[bytes]
    url: str | None = None
    is_cut_off: bool = field(default=False)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """The image's bytes. Raises what the body of the request raises."""
        try:
            async for chunk in self.body:
                yield chunk
        except GeneratorExit:
            raise
        except BaseException:
            self.is_cut_off = True
            raise


class BatchReader:
    """The images in one request's body."""

    def __init__(
        self, body: AsyncIterator[bytes], content_type: str, limits: BatchLimits, per_image: IntakeLimits
    ) -> None:
        """Raises UnsupportedMediaType and MalformedRequest for a content type that no batch can have."""
        self.fields: list[Field] = []
        self._body = body
        self._limits = limits
        self._parser = _parser(content_type, limits, per_image)
        self._idle_seconds = per_image.idle_seconds
        self._count = 0
        self._next: BodyPart | None = None

    async def images(self) -> AsyncGenerator[BatchImage, None]:
        """The images in their order. `fields` is complete when the first of them comes.

        Raises MalformedRequest, BatchTooLarge, UploadTimedOut and whatever the body raises; so do the images' bytes.
        """
        async with aclosing(self._parts()) as parts:
            inner = self._urls(parts) if isinstance(self._parser, JsonBodyParser) else self._files(parts)
            async with aclosing(inner) as images:
                async for image in images:
                    yield image

    async def _parts(self) -> AsyncGenerator[BodyPart, None]:
        timed = read_in_time(self._body, idle_seconds=self._idle_seconds, total_seconds=self._limits.max_seconds)
        received = 0
        async with aclosing(timed) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                if received > self._limits.max_bytes:
                    raise BatchTooLarge(f"The batch has more than {self._limits.max_bytes} bytes.")
                for start in range(0, len(chunk), PARSED_BYTES):
                    for part in self._parser.feed(chunk[start : start + PARSED_BYTES]):
                        yield part
        for part in self._parser.close():
            yield part

    async def _urls(self, parts: AsyncIterator[BodyPart]) -> AsyncGenerator[BatchImage, None]:
        """The images of a JSON object, whose fields come in any order."""
        urls: list[str] | None = None
        async for part in parts:
            if isinstance(part, Field) and part.name == URLS_FIELD:
                urls = self._listed(part.value)
            elif isinstance(part, Field):
                self.fields.append(part)
            else:
                raise MalformedRequest('A batch in JSON has its images as "urls".', field=URLS_FIELD)
        if urls is None:
            raise MalformedRequest('The batch has no "urls".', field=URLS_FIELD)
        for url in urls:
            yield BatchImage(None, _nothing(), url)

    def _listed(self, value: object) -> list[str]:
        if not isinstance(value, list) or not value or not all(isinstance(url, str) for url in value):
            raise MalformedRequest("The URLs must be a list of strings.", field=URLS_FIELD)
        if len(value) > self._limits.max_images:
            raise self._too_many()
        return value

    async def _files(self, parts: AsyncGenerator[BodyPart, None]) -> AsyncGenerator[BatchImage, None]:
        """The images of a form, or of a body that is a ZIP."""
        while (part := await self._following(parts)) is not None:
            if isinstance(part, ImageStart):
                async for image in self._in_file(parts):
                    yield self._counted(image)
                    async for _ in image.body:
                        pass
            elif (url := _url_in(part)) is not None:
                if url:  # forms send fields that nobody filled in, too
                    yield self._counted(BatchImage(None, _nothing(), url))
            elif isinstance(part, Field):
                self._take(part)

    async def _following(self, parts: AsyncGenerator[BodyPart, None]) -> BodyPart | None:
        """The next part: the one that ended the file before, or one that has yet to come. None at the end."""
        part, self._next = self._next, None
        return part if part is not None else await anext(parts, None)

    def _take(self, given: Field) -> None:
        if not self._count:
            self.fields.append(given)
        elif without_uploaders_fields([given], None):
            raise MalformedRequest("The fields of a batch must come before its images.", field=given.name)

    def _counted(self, image: BatchImage) -> BatchImage:
        self._count += 1
        if self._count > self._limits.max_images:
            raise self._too_many()
        return image

    def _too_many(self) -> BatchTooLarge:
        return BatchTooLarge(f"The batch has more than {self._limits.max_images} images.")

    async def _in_file(self, parts: AsyncGenerator[BodyPart, None]) -> AsyncGenerator[BatchImage, None]:
        """The image that has just begun, or all that are in it if it is a ZIP."""
        filename = None
        self._next = await anext(parts, None)
        if isinstance(self._next, ImageFilename):
            filename, self._next = self._next.filename, None
        body = self._bytes(parts)
        start = b""
        while len(start) < _MAGIC_BYTES and (chunk := await anext(body, None)) is not None:
            start += chunk
        whole = _preceded(start, body)
        if not start.startswith(STARTS):
            yield BatchImage(filename, whole)
            return
        archive = ZipStream(whole, ZipLimits(self._limits.max_images, self._limits.max_bytes))
        async with aclosing(archive.entries()) as entries:
            async for entry in entries:
                yield BatchImage(entry.name, entry.body)

    async def _bytes(self, parts: AsyncGenerator[BodyPart, None]) -> AsyncGenerator[bytes, None]:
        """The bytes of the present file, up to the part that follows it."""
        while isinstance(part := await self._following(parts), ImageBytes):
            yield bytes(part.data)
        self._next = part


def refuse_batch_early(content_type: str, content_length: int | None, limits: BatchLimits) -> None:
    """Refuses a batch by the head of its request. Raises UnsupportedMediaType and BatchTooLarge."""
    _check_type(content_type)
    if content_length is not None and content_length > limits.max_bytes:
        raise BatchTooLarge(f"The batch has more than {limits.max_bytes} bytes.")


def _check_type(content_type: str) -> bool:
    """Whether the whole body is a ZIP. Raises UnsupportedMediaType."""
    media_type, _ = split_header_value(content_type)
    if media_type in ZIP_TYPES:
        return True
    if media_type in ("multipart/form-data", "application/json"):
        return False
    raise UnsupportedMediaType(
        'Send a batch as multipart/form-data, as application/zip, or as application/json with "urls".'
    )


def _parser(content_type: str, limits: BatchLimits, per_image: IntakeLimits) -> BodyParser:
    room = replace(
        per_image,
        max_fields=per_image.max_fields + limits.max_images,
        max_fields_bytes=per_image.max_fields_bytes + BYTES_PER_IMAGE * limits.max_images,
    )
    if _check_type(content_type):
        return RawBodyParser({}, room)
    parser_type, parameters = choose_body_parser(content_type)
    return parser_type(parameters, room)


def _url_in(part: BodyPart) -> str | None:
    if isinstance(part, ImageUrl):
        return part.url
    return part.value if isinstance(part, Field) and part.name == URLS_FIELD and isinstance(part.value, str) else None


async def _preceded(start: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    if start:
        yield start
    async for chunk in rest:
        yield chunk


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""
