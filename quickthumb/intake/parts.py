"""What a body consists of, whatever its encoding, in the order in which it arrives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quickthumb.intake.limits import IntakeLimits


@dataclass(frozen=True, slots=True)
class ImageStart:
    """The bytes that follow belong to an image; a second one of these is a second image."""


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """The image's next bytes; a view is on the chunk that was fed and is to be used up before the next one."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class ImageFilename:
    """The image's file name, cleaned: to be shown, never to be used as a path. It may come after the image."""

    filename: str


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter that came with the image: a string, or any JSON value if the body is JSON."""

    name: str
    value: Any


BodyPart = ImageStart | ImageBytes | ImageFilename | Field


class BodyParser(Protocol):
    """Takes one body apart, chunk by chunk; it reads nothing itself and holds no image.

    It refuses what its encoding does not allow with MalformedRequest, and keeps within the limits it was made with
    whatever it needs to remember. After an exception it is not used again.
    """

    def feed(self, data: bytes) -> Iterable[BodyPart]:
        """What the body's next bytes bring, to be used up before the next call."""

    def close(self) -> Iterable[BodyPart]:
        """What remains at the end of the body; raises MalformedRequest if the end came too early."""


class BodyParserType(Protocol):
    """How a way is made, and what it allows for."""

    def __call__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> BodyParser:
        """A parser for one body; `parameters` are those of the content type."""

    def max_body_bytes(self, limits: IntakeLimits) -> int:
        """The longest body that can hold an image within the limits, in bytes."""
