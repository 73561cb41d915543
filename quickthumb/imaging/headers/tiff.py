"""TIFF 6.0 and BigTIFF: the size is among the tags of the first directory, which may be anywhere in the file."""

from typing import Literal

from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage

IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
# Bytes of one value, for the types that hold a whole number: BYTE, SHORT, LONG, LONG8.
WHOLE_NUMBERS = {1: 1, 3: 2, 4: 4, 16: 8}
MOST_TAGS = 4096


def read_tiff(window: Window) -> Header:
    start = window.at(0, 4)
    order: Literal["little", "big"] = "little" if start[:2] == b"II" else "big"
    # Widths of the fields that BigTIFF doubled: offsets, the directory's count, one entry.
    big = int.from_bytes(start[2:4], order) == 43
    first, offset_bytes, count_bytes, entry_bytes = (8, 8, 8, 20) if big else (4, 4, 2, 12)
    directory = int.from_bytes(window.at(first, offset_bytes), order)
    count = int.from_bytes(window.at(directory, count_bytes), order)
    if not 1 <= count <= MOST_TAGS:
        raise BrokenImage("The image is damaged: the TIFF's directory is empty or far too long.")
    entries = window.at(directory + count_bytes, count * entry_bytes)
    sides = {IMAGE_WIDTH: 0, IMAGE_LENGTH: 0}
    for begin in range(0, len(entries), entry_bytes):
        tag = int.from_bytes(entries[begin : begin + 2], order)
        if tag in sides:
            # Of a tag that is repeated the larger counts: a decoder may take either.
            sides[tag] = max(sides[tag], _value(entries[begin : begin + entry_bytes], order))
    return Header("tiff", sides[IMAGE_WIDTH], sides[IMAGE_LENGTH])


def _value(entry: bytes, order: Literal["little", "big"]) -> int:
    """The single whole number of one entry: two bytes of tag, two of type, the count, the value."""
    count_bytes = (len(entry) - 4) // 2
    count = int.from_bytes(entry[4 : 4 + count_bytes], order)
    width = WHOLE_NUMBERS.get(int.from_bytes(entry[2:4], order))
    if count != 1 or width is None or width > count_bytes:
        raise BrokenImage("The image is damaged: the TIFF's size is not a number.")
    return int.from_bytes(entry[4 + count_bytes :][:width], order)
