"""The parts of a request's body, in the order they arrive, whatever its encoding; and the contract of body parsers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quickthumb.intake.limits import IntakeLimits


@dataclass(frozen=True, slots=True)
class ImageStart:
    """An image starts here; a second ImageStart means a second image."""


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """The image's next bytes. A view points into the chunk that was fed: use it before feeding the next chunk."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class ImageFilename:
    """The image's cleaned file name. Show it, but never use it as a path. It may come after the image."""

    filename: str


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter sent along with the image: a string, or any JSON value if the body is JSON."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """Where the image is to be fetched from, in place of the image: the client's text, which may be anything."""

    url: str


# The field, or key, that has it.
URL_FIELD = "url"

BodyPart = ImageStart | ImageBytes | ImageFilename | ImageUrl | Field


class BodyParser(Protocol):
    """Splits one body into parts, chunk by chunk. It does no I/O and never holds the image.

    It raises MalformedRequest for what its encoding does not allow, and holds no more than its limits permit. Do not
    use it again after an exception.
    """

    def feed(self, data: bytes) -> Iterable[BodyPart]:
        """The parts in the body's next bytes. Use them up before the next call."""

    def close(self) -> Iterable[BodyPart]:
        """The remaining parts, at the end of the body. Raises MalformedRequest if it ended too early."""


class BodyParserType(Protocol):
    """Makes the parsers for one encoding, and knows how much that encoding can add."""

    def __call__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> BodyParser:
        """A parser for one body, with the parameters of its content type."""

    def max_body_bytes(self, limits: IntakeLimits) -> int:
        """The length of the longest acceptable body, in bytes."""
