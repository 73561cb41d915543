"""Parses a form with a file (RFC 7578) as it arrives, by python-multipart."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from quickthumb.intake.headers import given_filename, split_header_value
from quickthumb.intake.limits import FieldAllowance, IntakeLimits
from quickthumb.intake.parts import URL_FIELD, BodyPart, Field, ImageBytes, ImageFilename, ImageStart, ImageUrl
from quickthumb.intake.uploaders import FILE_PARTS
from quickthumb.model.errors import MalformedRequest, QuickThumbError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

IMAGE_PARTS = ("image", "file")
MAX_HEADERS = 8
MAX_HEADER_BYTES = 4096
# Room for the boundary and headers of one part, and as much again before the first part and after the last.
FRAMING_BYTES = 4096


class MultipartBodyParser:
    """Parses `multipart/form-data`: the part `image` (or `file`) is the image, or `url` says where it is;
    every other part is a field.

    The image may also be in a part that an uploader names so by default (`FILE_PARTS`). Raises MalformedRequest for a
    file in any other part too, which would otherwise be taken for a very long field.
    """

    def __init__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> None:
        self._max_framing_bytes = _max_framing_bytes(limits)
        self._allowance = FieldAllowance(limits)
        self._parsed: list[BodyPart] = []
        self._framing_bytes = 0
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._field_name: str | None = None
        self._value = bytearray()
        self._ended = False
        self._parser = self._make_parser(parameters.get("boundary", ""))

    @staticmethod
    def max_body_bytes(limits: IntakeLimits) -> int:
        return limits.max_upload_bytes + limits.max_fields_bytes + _max_framing_bytes(limits)

    def feed(self, data: bytes) -> Iterable[BodyPart]:
        self._parsed = []
        refusal = self._parse(data)
        # Yields the parts before the error first, so that the error does not depend on how the body is cut into chunks.
        yield from self._parsed
        if refusal is not None:
            raise refusal

    def close(self) -> Iterable[BodyPart]:
        if not self._ended:
            raise MalformedRequest("The request's body ends before its closing boundary.")
        return ()

    def _make_parser(self, boundary: str) -> MultipartParser:
        callbacks: MultipartCallbacks = {
            "on_header_field": self._extend_header_name,
            "on_header_value": self._extend_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        if not (boundary.isascii() and boundary.isprintable() and boundary):
            raise MalformedRequest("The request's content type has no valid boundary.")
        try:
            return MultipartParser(boundary, callbacks, max_header_count=MAX_HEADERS, max_header_size=MAX_HEADER_BYTES)
        except FormParserError:
            raise MalformedRequest("The request's boundary is too long.") from None

    def _parse(self, data: bytes) -> QuickThumbError | None:
        self._framing_bytes += len(data)
        try:
            self._parser.write(data)
        except FormParserError:
            return MalformedRequest("The request's body is not valid multipart/form-data.")
        except QuickThumbError as error:
            return error
        if self._framing_bytes > self._max_framing_bytes:
            return MalformedRequest("The request's part headers and boundaries are too long.")
        return None

    def _extend_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _extend_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        self._header = (bytearray(), bytearray())
        if name.strip().lower() == b"content-disposition":
            self._disposition = bytes(value)

    def _end_headers(self) -> None:
        kind, parameters = split_header_value(self._disposition.decode("utf-8", "replace"))
        self._disposition = b""
        name = parameters.get("name")
        if kind != "form-data" or not name:
            raise MalformedRequest("A part of the form has no name.")
        filename = given_filename(parameters)
        if name in IMAGE_PARTS or (filename and name in FILE_PARTS):
            self._begin_image(filename)
        elif filename:
            raise MalformedRequest(f"The image must be in a part named {' or '.join(IMAGE_PARTS)}.", field=name)
        else:
            self._begin_field(name)

    def _begin_image(self, filename: str | None) -> None:
        self._field_name = None
        self._parsed.append(ImageStart())
        if filename:
            self._parsed.append(ImageFilename(filename))

    def _begin_field(self, name: str) -> None:
        self._allowance.take_fields(1)
        self._allowance.take_bytes(len(name))
        self._field_name = name
        self._value = bytearray()

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._framing_bytes -= end - start
        if self._field_name is None:
            # A view: the fast path cannot afford another copy of every chunk.
            self._parsed.append(ImageBytes(memoryview(data)[start:end]))
            return
        self._allowance.take_bytes(end - start)
        self._value += data[start:end]

    def _end_part(self) -> None:
        if self._field_name is None:
            return
        try:
            text = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedRequest("The field is not UTF-8 text.", field=self._field_name) from None
        if self._field_name != URL_FIELD:
            self._parsed.append(Field(self._field_name, text))
        elif text:  # forms send fields that nobody filled in, too
            self._parsed.append(ImageUrl(text))

    def _end(self) -> None:
        self._ended = True


def _max_framing_bytes(limits: IntakeLimits) -> int:
    return FRAMING_BYTES * (limits.max_fields + 2)
