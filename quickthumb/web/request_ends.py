"""Where a request may end in the bytes of a connection, so that they can be parsed one request at a time.

These classes only say how far the parser may be fed; the parser alone decides what a request is. Each of them is given
the bytes in parts, as they arrive, and `end_in` says up to where the next part reaches: up to the end of what it looks
for, or else to the end of the data. Nothing is searched twice, and the content of a body is not searched at all.
"""

import re

EMPTY_LINE = b"\r\n\r\n"
_OVERLAP = len(EMPTY_LINE) - 1
_HEX_DIGITS = re.compile(rb"[0-9A-Fa-f]*")
# A line with nothing but the size of a chunk, as nearly all are. No chunk is so large that it needs more digits.
_PLAIN_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_LINE_BREAK = 2


class Head:
    """An empty line, which ends every head and every chunked body."""

    def __init__(self, before: bytes = b"") -> None:
        # What came last: an empty line may begin there.
        self._before = before

    def end_in(self, data: bytes, place: int) -> int:
        across = (self._before + data[place : place + _OVERLAP]).find(EMPTY_LINE) if self._before else -1
        if across >= 0:
            end = place + across + len(EMPTY_LINE) - len(self._before)
        else:
            found = data.find(EMPTY_LINE, place)
            if found < 0:
                self._before = (self._before + data[max(place, len(data) - _OVERLAP) :])[-_OVERLAP:]
                return len(data)
            end = found + len(EMPTY_LINE)
        self._before = b""
        return end


class Body:
    """A body whose length is announced."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def is_complete(self) -> bool:
        return not self._left

    def end_in(self, data: bytes, place: int) -> int:
        step = min(self._left, len(data) - place)
        self._left -= step
        return place + step


class ChunkedBody:
    """A body in chunks, with its trailers (RFC 9112, section 7.1).

    Follows the sizes of the chunks. It accepts more than the parser does, which refuses the request then: without
    leniencies, the parser takes nothing but hexadecimal digits for a size, and no line feed in an extension.
    """

    def __init__(self) -> None:
        # What is to come of the chunk, with the line break behind it.
        self._left = 0
        # The size of the next chunk, as far as its digits have arrived.
        self._size = 0
        self._behind_size = False
        # What ends the body. The line of the last chunk is the beginning of an empty line.
        self._trailers: Head | None = None

    def end_in(self, data: bytes, place: int) -> int:
        while place < len(data):
            if self._trailers is not None:
                return self._trailers.end_in(data, place)
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
                place += step
            elif self._at_line_start and (line := _PLAIN_LINE.match(data, place)) and (size := int(line[1], 16)):
                self._left = size + _LINE_BREAK
                place = line.end()
            else:
                place = self._end_of_line(data, place)
        return place

    @property
    def _at_line_start(self) -> bool:
        """Whether nothing that counts of the next chunk's line has been read; leading zeros do not count."""
        return not self._size and not self._behind_size

    def _end_of_line(self, data: bytes, place: int) -> int:
        """Reads the size of a chunk, and what else stands in its line."""
        if not self._behind_size:
            place = self._end_of_size(data, place)
            self._behind_size = place < len(data)
        end = data.find(b"\n", place) + 1
        if not end:
            return len(data)
        if self._size:
            self._left = self._size + _LINE_BREAK
        else:
            self._trailers = Head(before=b"\r\n")
        self._size = 0
        self._behind_size = False
        return end

    def _end_of_size(self, data: bytes, place: int) -> int:
        digits = _HEX_DIGITS.match(data, place)
        if digits and digits[0]:
            self._size = self._size << 4 * len(digits[0]) | int(digits[0], 16)
            place = digits.end()
        return place
