"""Finds a field of a form that comes before the image, without taking in the image.

Whoever reads a body so far must hand on what was read: the form is parsed a second time, as a whole.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from quickthumb.intake.body_parsers import choose_body_parser
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import BodyParser, Field, ImageStart
from quickthumb.model.errors import QuickThumbError

# How far to look: as many bytes as the fields of a form may have by default.
MOST_BYTES = 64 * 1024
# These fields stand for headers, and must come as soon.
MOST_SECONDS = 10.0
_LIMITS = IntakeLimits(max_upload_bytes=MOST_BYTES, max_fields_bytes=MOST_BYTES)


async def leading_field(body: AsyncIterator[bytes], content_type: str, name: str) -> str | None:
    """The first value of a field that begins within the first MOST_BYTES of the body, and before any file.

    Reads no further than the chunk that has it, the chunk with the beginning of a file, or MOST_BYTES. None if there
    is no such field, also if the body is no form or a broken one: whoever parses the whole of it will say so. Raises
    UploadTimedOut, and what the body raises.
    """
    try:
        parser_type, parameters = choose_body_parser(content_type)
        parser = parser_type(parameters, _LIMITS)
    except QuickThumbError:
        return None
    left = MOST_BYTES
    timed = read_in_time(body, idle_seconds=MOST_SECONDS, total_seconds=MOST_SECONDS)
    async with aclosing(timed) as chunks:
        async for chunk in chunks:
            is_over, value = _look(parser, chunk[:left], name)
            left -= len(chunk)
            if is_over or left <= 0:
                return value
    return None


def _look(parser: BodyParser, piece: bytes, name: str) -> tuple[bool, str | None]:
    """Whether there is nothing more to look for, and the field if it was found."""
    try:
        for part in parser.feed(piece):
            if isinstance(part, ImageStart):
                return True, None
            if isinstance(part, Field) and part.name == name:
                return True, part.value
    except QuickThumbError:
        return True, None
    return False, None
