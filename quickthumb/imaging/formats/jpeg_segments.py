"""Walks through the segments of a JPEG (ITU T.81, annex B) up to its frame header, over lengths that are wrong.

Decoders trust the lengths. A segment of an application (APPn) or a comment whose end is not followed by another marker
says a wrong length: then this looks for the next marker, first within the segment, in case the length is too large.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

# A segment holds up to 64 KiB, so even 100 MB of metadata takes fewer steps than this.
MOST_STEPS = 4096
# How many wrong lengths are looked into. Each may take a look at 64 KiB.
MOST_WRONG_LENGTHS = 16
START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN = 0xD8, 0xD9, 0xDA
# Start-of-frame markers; C4, C8 and CC are tables and an extension. F7 is that of JPEG-LS.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
LS_FRAME = 0xF7
# Markers that stand alone, without a length: TEM, the restarts, and the start of an image.
ALONE = frozenset({0x01, *range(0xD0, 0xD8), START_OF_IMAGE})
# Segments that decoders can do without: APPn and comments.
_OPTIONAL = frozenset({*range(0xE0, 0xF0), 0xFE})
# Those that a marker within a segment with a wrong length may begin: tables, frames of the usual kinds, restart
# intervals, APPn and comments.
_LIKELY = re.compile(rb"\xff[\xc0-\xc2\xc4\xd8\xda\xdb\xdd\xe0-\xef\xfe]")

Segment = tuple[int, int, int]


def segments(window: Window) -> Iterator[Segment]:
    """The marker of each segment, and the offset and length of its content; then that of the first scan, and where its
    marker is. Raises BrokenImage, and what the window raises."""
    offset, wrong = 2, 0
    for _ in range(MOST_STEPS):
        lead, marker = window.at(offset, 2)
        if lead != 0xFF or marker in (0x00, 0xFF):
            offset += 1  # fill bytes, and junk between segments, which decoders skip too
        elif marker in ALONE:
            offset += 2
        elif marker in (START_OF_SCAN, END_OF_IMAGE):
            yield marker, offset, 0
            return
        elif marker in _OPTIONAL and not _is_followed(window, offset):
            wrong += 1
            if wrong > MOST_WRONG_LENGTHS:
                raise BrokenImage("The image is damaged: too many JPEG segments have wrong lengths.")
            offset = _resumed(window, offset)
        else:
            length = _length(window, offset)
            if length < 2:
                raise BrokenImage("The image is damaged: a JPEG segment has an impossible length.")
            yield marker, offset + 4, length - 2
            offset += 2 + length


def _length(window: Window, offset: int) -> int:
    """The length that a segment with its marker at `offset` claims: of its content, and two bytes for itself."""
    return int.from_bytes(window.at(offset + 2, 2), "big")


def _is_followed(window: Window, offset: int) -> bool:
    """Whether a segment ends where another marker begins."""
    length = _length(window, offset)
    end = offset + 2 + length
    return length >= 2 and not window.ends_before(end) and window.at(end, 1) == b"\xff"


def _resumed(window: Window, offset: int) -> int:
    """Where to go on behind a segment that claims a wrong length: at a marker within it, if that is followed by another
    one; otherwise at its end."""
    start, most = offset + 4, max(0, _length(window, offset) - 2)
    sought = most + 1  # the marker may begin with the last byte
    there = bisect_left(range(sought), True, key=lambda length: window.ends_before(start + length))
    content = window.at(start, there)
    for match in _LIKELY.finditer(content):
        at = match.start()
        if content[at + 1] == START_OF_IMAGE:
            break  # a picture within the segment: the markers that follow are its own
        if not window.ends_before(start + at + 3) and _is_followed(window, start + at):
            return start + at
    return start + most if there >= most else start
