"""JPEG (ITU T.81, annex B): the size is in the frame header, which follows any number of metadata segments."""

from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage

# A large profile takes 64 KiB a segment, so even 100 MB of metadata stays below this.
MOST_STEPS = 4096
# Start of frame; C4, C8 and CC are tables and an extension.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone, without a length: TEM and the restarts.
ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
START_OF_SCAN = 0xDA
END_OF_IMAGE = 0xD9


def read_jpeg(window: Window) -> Header:
    offset = 2
    for _ in range(MOST_STEPS):
        lead, marker = window.at(offset, 2)
        if lead != 0xFF or marker in (0x00, 0xFF):
            offset += 1  # fill bytes, and junk between segments, which decoders pass over too
        elif marker in FRAMES:
            return _frame(window.at(offset + 2, 7))
        elif marker in ALONE:
            offset += 2
        elif marker in (START_OF_SCAN, END_OF_IMAGE):
            raise BrokenImage("The image is damaged: the JPEG has no frame header.")
        else:
            offset += 2 + _length(window.at(offset + 2, 2))
    raise BrokenImage("The image is damaged: the JPEG has too many segments before its frame header.")


def _frame(fields: bytes) -> Header:
    _length(fields)
    height = int.from_bytes(fields[3:5], "big")
    return Header("jpeg", int.from_bytes(fields[5:7], "big"), height)


def _length(fields: bytes) -> int:
    length = int.from_bytes(fields[:2], "big")
    if length < 2:
        raise BrokenImage("The image is damaged: a JPEG segment has an impossible length.")
    return length
