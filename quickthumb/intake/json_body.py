"""Parses a JSON object whose `data` is the image in base64, or whose `url` says where it is to be fetched from.

The parser cuts that string out and decodes it as it arrives. It keeps the rest of the object, which is small, with an
empty string in place of the image; at the end, Python's JSON parser reads the rest and finds any errors in it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from quickthumb.intake.base64_text import Base64Text
from quickthumb.intake.headers import clean_filename
from quickthumb.intake.limits import FieldAllowance, IntakeLimits
from quickthumb.intake.parts import URL_FIELD, BodyPart, Field, ImageBytes, ImageFilename, ImageStart, ImageUrl
from quickthumb.model.errors import MalformedRequest

IMAGE_KEY = "data"
FILENAME_KEY = "filename"
MAX_LEVELS = 32
# Base64 takes 4/3 bytes per byte; the escapes and line breaks of real encoders add at most a quarter of that.
MAX_ENCODED_PER_BYTE = 2

_STRUCTURE = re.compile(rb'["{}\[\],]')
_STRING_STOP = re.compile(rb'["\\]')
_BEFORE_VALUE = b" \t\r\n:"


class JsonBodyParser:
    """Parses `application/json`: `data` is the image, or `url` says where it is, `filename` is its name, and every
    other key is a field with its JSON value.

    Raises MalformedRequest for invalid JSON (with field `data` where the image is at fault), duplicate keys, NaN and
    Infinity. JSON forbids bare line breaks in a string, but `data` may have them, since `base64 photo.jpg` writes them.
    """

    def __init__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> None:
        self._allowance = FieldAllowance(limits)
        self._parsed: list[BodyPart] = []
        self._remains = bytearray()
        self._step = self._pass_structure
        self._levels = 0
        self._expects_key = False
        self._key_start: int | None = None
        self._escaped = False
        self._image: Base64Text | None = None
        self._expects_image = False

    @staticmethod
    def max_body_bytes(limits: IntakeLimits) -> int:
        return MAX_ENCODED_PER_BYTE * limits.max_upload_bytes + limits.max_fields_bytes

    def feed(self, data: bytes) -> Iterable[BodyPart]:
        position = 0
        while position < len(data):
            self._parsed = []
            position = self._step(data, position)
            yield from self._parsed

    def close(self) -> Iterable[BodyPart]:
        if self._step == self._pass_image:
            raise MalformedRequest("The request's body ends in the middle of the image.", field=IMAGE_KEY)
        values = parse_object(bytes(self._remains))
        values.pop(IMAGE_KEY, None)
        filename = values.pop(FILENAME_KEY, None)
        if not isinstance(filename, str | None):
            raise MalformedRequest("The file name must be a string.", field=FILENAME_KEY)
        url = values.pop(URL_FIELD, None)
        if not isinstance(url, str | None):
            raise MalformedRequest("The URL must be a string.", field=URL_FIELD)
        self._allowance.take_fields(len(values))
        if url is not None:
            yield ImageUrl(url)
        cleaned = clean_filename(filename or "")
        if cleaned:
            yield ImageFilename(cleaned)
        for name, value in values.items():
            yield Field(name, value)

    def _keep(self, data: bytes) -> None:
        self._allowance.take_bytes(len(data))
        self._remains += data

    def _pass_structure(self, data: bytes, start: int) -> int:
        """Passes over what is outside strings, up to the next structural character."""
        match = _STRUCTURE.search(data, start)
        end = match.end() if match else len(data)
        self._keep(data[start:end])
        if self._expects_image:
            self._seek_image(data[start:end])
        elif match:
            self._enter(match[0])
        return end

    def _enter(self, character: bytes) -> None:
        if character == b'"':
            self._step = self._pass_string
            self._key_start = len(self._remains) - 1 if self._expects_key else None
        elif character in b"{[":
            self._levels += 1
            if self._levels > MAX_LEVELS:
                raise MalformedRequest("The request's JSON is nested too deeply.")
        elif character in b"}]":
            self._levels -= 1
        self._expects_key = self._levels == 1 and character in b"{,"

    def _pass_string(self, data: bytes, start: int) -> int:
        """Passes over the inside of a key, or of a string value that is not the image."""
        if self._escaped:
            self._escaped = False
            self._keep(data[start : start + 1])
            return start + 1
        match = _STRING_STOP.search(data, start)
        end = match.end() if match else len(data)
        self._keep(data[start:end])
        if match and match[0] == b'"':
            self._step = self._pass_structure
            self._end_string()
        elif match:
            self._escaped = True
        return end

    def _end_string(self) -> None:
        if self._key_start is None:
            return
        if _string(bytes(self._remains[self._key_start :])) == IMAGE_KEY:
            if self._image:
                raise MalformedRequest("The request has more than one image.", field=IMAGE_KEY)
            self._expects_image = True

    def _seek_image(self, data: bytes) -> None:
        """Starts the image at the quotation mark after the colon; anything else there is an error."""
        before = data.strip(_BEFORE_VALUE)
        if before not in (b"", b'"'):
            raise MalformedRequest("The image must be a base64 string.", field=IMAGE_KEY)
        if before:
            self._remains += b'"'
            self._expects_image = False
            self._image = Base64Text()
            self._step = self._pass_image
            self._parsed.append(ImageStart())

    def _pass_image(self, data: bytes, start: int) -> int:
        """Decodes the image up to the closing quotation mark, which base64 cannot contain."""
        image = self._image or Base64Text()
        end = data.find(b'"', start)
        decoded = image.feed(data[start : end if end >= 0 else len(data)])
        if end >= 0:
            decoded += image.close()
            self._step = self._pass_structure
        if decoded:
            self._parsed.append(ImageBytes(decoded))
        return end + 1 if end >= 0 else len(data)


def _string(token: bytes) -> Any:
    try:
        return json.loads(token.decode("utf-8"))
    except ValueError:
        raise _not_json() from None


def parse_object(text: bytes) -> dict[str, Any]:
    """The JSON object that a body holds. Raises MalformedRequest."""
    try:
        values = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_without_repetition)
        # Python reads lone surrogates, NaN and Infinity, but writing them again would fail later.
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise _not_json() from None
    if not isinstance(values, dict):
        raise MalformedRequest("The request's body is not a JSON object.")
    return values


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise MalformedRequest("The request's JSON has a duplicate key.")
    return values


def _not_json() -> MalformedRequest:
    return MalformedRequest("The request's body is not valid JSON.")
