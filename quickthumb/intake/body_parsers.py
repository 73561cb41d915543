"""The table of body parsers: which content types are accepted, and who parses them.

To accept another, write its parser (a `BodyParser`) in a module of its own and add a row to `BODY_PARSERS`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from quickthumb.intake.errors import UnsupportedMediaType, image_too_large
from quickthumb.intake.headers import split_header_value
from quickthumb.intake.json_body import JsonBodyParser
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.multipart import MultipartBodyParser
from quickthumb.intake.parts import BodyParserType, BodyPart, ImageBytes, ImageStart


class RawBodyParser:
    """Parses `image/*` and `application/octet-stream`: the whole body is the image."""

    def __init__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> None:
        self._begun = False

    @staticmethod
    def max_body_bytes(limits: IntakeLimits) -> int:
        return limits.max_upload_bytes

    def feed(self, data: bytes) -> Iterable[BodyPart]:
        if not self._begun:
            self._begun = True
            yield ImageStart()
        yield ImageBytes(data)

    def close(self) -> Iterable[BodyPart]:
        if not self._begun:
            yield ImageStart()


BODY_PARSERS: tuple[tuple[re.Pattern[str], BodyParserType], ...] = (
    (re.compile(r"multipart/form-data"), MultipartBodyParser),
    (re.compile(r"image/[^/]+|application/octet-stream"), RawBodyParser),
    (re.compile(r"application/json"), JsonBodyParser),
)


def choose_body_parser(content_type: str | None) -> tuple[BodyParserType, dict[str, str]]:
    """The parser for a content type, and the content type's parameters. Raises UnsupportedMediaType."""
    media_type, parameters = split_header_value(content_type or "")
    for pattern, parser_type in BODY_PARSERS:
        if pattern.fullmatch(media_type):
            return parser_type, parameters
    raise UnsupportedMediaType(
        "Send the image as multipart/form-data, as a body of type image/* or application/octet-stream, "
        'or as application/json with the image as base64 in "data".'
    )


def refuse_declared_length(content_length: int | None, content_type: str | None, limits: IntakeLimits) -> None:
    """Raises TooManyBytes if a body of the declared length must be over the limit, before any of it is read.

    Allows for what the encoding adds (a JSON body may be twice as long as its image), so it never refuses a body that
    `receive` would accept. Raises UnsupportedMediaType, as `receive` does.
    """
    parser_type, _ = choose_body_parser(content_type)
    if content_length is not None and content_length > parser_type.max_body_bytes(limits):
        raise image_too_large(limits.max_upload_bytes, limits.set_by)


def least_image_bytes(content_length: int | None, content_type: str | None, limits: IntakeLimits) -> int:
    """How many bytes the image in a body of that length has at least. Raises UnsupportedMediaType as `receive` does."""
    parser_type, _ = choose_body_parser(content_type)
    one, two = (parser_type.max_body_bytes(replace(limits, max_upload_bytes=most)) for most in (1, 2))
    per_byte, around = two - one, one - (two - one)
    return max(1, ((content_length or 0) - around) // per_byte)


def brings_fields(content_type: str | None) -> bool:
    """Whether a body of this type can hold fields beside the image. Raises UnsupportedMediaType, as `receive` does."""
    parser_type, _ = choose_body_parser(content_type)
    return parser_type is not RawBodyParser
