"""Byte ranges of a file (RFC 9110, section 14): which parts a client asks for, and the body that holds several."""

import re
from collections.abc import Iterator, Sequence
from secrets import token_hex

from quickthumb.http.errors import RangeNotSatisfiable

# The first byte, and the byte after the last.
Span = tuple[int, int]

# A client that asks for more ranges than this gets the whole file instead.
MAX_RANGES = 100
# No file has a size of more than 18 digits.
_RANGE = r"\d{1,18}-\d{0,18}|-\d{1,18}"
_RANGES = re.compile(rf"bytes=({_RANGE})(\s*,\s*({_RANGE}))*", re.ASCII | re.IGNORECASE)


def spans_of(text: str, length: int) -> list[Span] | None:
    """The parts of a file of `length` bytes that a Range header asks for: in order, and merged where they touch.

    Leaves out ranges beyond the file's end. None means: ignore the header, because it is invalid or asks for more than
    MAX_RANGES ranges. Raises RangeNotSatisfiable if every range lies outside the file.
    """
    if not _RANGES.fullmatch(text.strip()):
        return None
    ranges = [tuple(part.strip().split("-")) for part in text.partition("=")[2].split(",")]
    if len(ranges) > MAX_RANGES or any(first and last and int(first) > int(last) for first, last in ranges):
        return None
    spans = [_span(first, last, length) for first, last in ranges]
    within = sorted(span for span in spans if span[0] < span[1])
    if not within:
        raise RangeNotSatisfiable(f"None of the requested ranges begins within the file's {length} bytes.")
    return list(_merged(within))


def _span(first: str, last: str, length: int) -> Span:
    """One range as a part of the file. It is empty if the range lies beyond the file's end."""
    if not first:
        return max(length - int(last), 0), length
    return int(first), min(int(last) + 1, length) if last else length


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    begin, end = spans[0]
    for next_begin, next_end in spans[1:]:
        if next_begin > end:
            yield begin, end
            begin, end = next_begin, next_end
        end = max(end, next_end)
    yield begin, end


def content_range(span: Span, length: int) -> str:
    """The Content-Range header of one part."""
    return f"bytes {span[0]}-{span[1] - 1}/{length}"


class ByteRanges:
    """A multipart/byteranges body: `parts` are spans, each with the bytes that precede it; `tail` ends the body."""

    def __init__(self, spans: Sequence[Span], media_type: str, length: int) -> None:
        boundary = token_hex(13)
        self.media_type = f"multipart/byteranges; boundary={boundary}"
        self.parts: list[tuple[bytes, Span]] = []
        for number, span in enumerate(spans):
            lines = (f"--{boundary}", f"Content-Type: {media_type}", f"Content-Range: {content_range(span, length)}")
            head = "\r\n".join((*lines, "", "")).encode()
            self.parts.append((b"\r\n" + head if number else head, span))
        self.tail = f"\r\n--{boundary}--".encode()

    @property
    def length(self) -> int:
        """The length of the whole body in bytes."""
        return sum(len(head) + end - start for head, (start, end) in self.parts) + len(self.tail)
