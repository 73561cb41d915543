"""The ways in which an image can be sent, and which of them a request has taken.

To add one, write its parser (a `Way`) in a module of its own and add a row to `WAYS`.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.intake.events import Way
from quickthumb.intake.header_value import split_header_value
from quickthumb.intake.json_body import JsonBody
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.multipart import MultipartBody
from quickthumb.intake.raw import RawBody


class WayKind(Protocol):
    """How a way is made, and what it allows for."""

    def __call__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> Way:
        """A parser for one body; `parameters` are those of the content type."""

    def most_bytes(self, limits: IntakeLimits) -> int:
        """The longest body that can hold an image within the limits, in bytes."""


WAYS: tuple[tuple[re.Pattern[str], WayKind], ...] = (
    (re.compile(r"multipart/form-data"), MultipartBody),
    (re.compile(r"image/[^/]+|application/octet-stream"), RawBody),
    (re.compile(r"application/json"), JsonBody),
)


def choose_way(content_type: str | None) -> tuple[WayKind, dict[str, str]]:
    """The way for a content type, and the content type's parameters; raises UnsupportedMediaType if none fits."""
    media_type, parameters = split_header_value(content_type or "")
    for pattern, way in WAYS:
        if pattern.fullmatch(media_type):
            return way, parameters
    raise UnsupportedMediaType(
        "Send the image as multipart/form-data, as a body of type image/* or application/octet-stream, "
        'or as application/json with its base64 in "data".'
    )


def refuse_declared_length(content_length: int | None, content_type: str | None, limits: IntakeLimits) -> None:
    """Raises TooManyBytes if a body of the declared length must hold more than is accepted, before any of it is read.

    It allows for what the encoding adds, so that nothing is refused here that would be accepted byte by byte; of a
    body in JSON that is twice the image. Raises UnsupportedMediaType as `receive` would.
    """
    way, _ = choose_way(content_type)
    if content_length is not None and content_length > way.most_bytes(limits):
        raise too_many_bytes(limits)


def brings_fields(content_type: str | None) -> bool:
    """Whether a body of this type may hold parameters beside the image. Raises UnsupportedMediaType as `receive`."""
    way, _ = choose_way(content_type)
    return way is not RawBody


def too_many_bytes(limits: IntakeLimits) -> TooManyBytes:
    """The refusal of an image that is too large."""
    return TooManyBytes(f"The image is too large; at most {limits.max_upload_bytes} bytes are accepted.")
