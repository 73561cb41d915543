"""The segments at the head of a JPEG, one after the other, and how to write one (ITU T.81, B.1.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from quickthumb.imaging.formats.jpeg import XMP
from quickthumb.imaging.formats.jpeg_segments import ALONE, END_OF_IMAGE, MOST_STEPS, START_OF_SCAN
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

APP0, APP1, APP2, APP15, COMMENT = 0xE0, 0xE1, 0xE2, 0xEF, 0xFE
START_OF_IMAGE = b"\xff\xd8"
# How the content of a segment begins.
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
MULTI_PICTURE = b"MPF\0"
PROFILE = b"ICC_PROFILE\0"
LONGEST_NAME = max(map(len, (XMP, ISO_GAIN_MAP, MULTI_PICTURE, PROFILE)))
# What a segment can hold: its length is in two bytes, and counts them.
MOST_BYTES = 0xFFFF - 2


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: the offsets of its marker, of its content and of its end, and the first bytes of the content."""

    marker: int
    start: int
    content: int
    end: int
    name: bytes

    def named(self, marker: int, name: bytes) -> bool:
        return self.marker == marker and self.name.startswith(name)

    @property
    def is_metadata(self) -> bool:
        return APP0 <= self.marker <= APP15 or self.marker == COMMENT


def head(window: Window, start: int, most_steps: int = MOST_STEPS) -> Iterator[Segment]:
    """The segments of the JPEG that begins at `start`, up to its first scan, which is the last of them.

    Raises BrokenImage if there is no JPEG, if it ends before its first scan, or if that takes more than `most_steps`.
    """
    if window.at(start, 2) != START_OF_IMAGE:
        raise BrokenImage("The image is damaged: a picture within it is missing.")
    offset = start + 2
    for _ in range(most_steps):
        lead, marker = window.at(offset, 2)
        if lead != 0xFF or marker in (0x00, 0xFF):
            offset += 1  # fill bytes, and junk between segments, which decoders skip too
        elif marker in ALONE:
            offset += 2
        elif marker == END_OF_IMAGE:
            break
        else:
            segment = _segment(window, offset, marker)
            yield segment
            if marker == START_OF_SCAN:
                return
            offset = segment.end
    raise BrokenImage("The image is damaged: a picture within it has no scan.")


def _segment(window: Window, offset: int, marker: int) -> Segment:
    length = int.from_bytes(window.at(offset + 2, 2), "big")
    if length < 2:
        raise BrokenImage("The image is damaged: a JPEG segment has an impossible length.")
    content, end = offset + 4, offset + 2 + length
    return Segment(marker, offset, content, end, window.at(content, min(length - 2, LONGEST_NAME)))


def written(marker: int, content: bytes) -> bytes:
    """A whole segment. Raises ValueError if it cannot hold so much."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"a segment cannot hold {len(content)} bytes")
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
