"""Inserts XMP into an encoded GIF (XMP specification, part 3, section 1.1.2). Pillow does not write it."""

import os
from typing import BinaryIO

from quickthumb.imaging.formats.gif_blocks import table_bytes
from quickthumb.imaging.formats.row import Options

# Header, screen, color table and loop count.
MOST_HEAD_BYTES = 13 + 768 + 19
LOOP_START, LOOP_BYTES = b"!\xff\x0b", 19
XMP_NAME = b"XMP DataXMP"
XMP_EXTENSION = b"!\xff" + bytes((len(XMP_NAME),)) + XMP_NAME
# The packet stands there as it is. Whatever block a reader takes its bytes for, this leads it to the end.
TRAILER = bytes((1, *range(0xFF, -1, -1), 0))
MOVED_BYTES = 1024 * 1024


def insert_xmp(file: BinaryIO, options: Options) -> None:
    """Inserts XMP before the first frame, as an application's extension (XMP specification, part 3, section 1.1.2)."""
    packet = options.get("xmp")
    if not packet:
        return
    head = file.read(MOST_HEAD_BYTES)
    place = _first_block(head)
    _insert(file, place, XMP_EXTENSION + packet + TRAILER)


def _first_block(head: bytes) -> int:
    """The offset behind the color table and the loop count, which must be the first extension."""
    place = 13 + table_bytes(head[10])
    return place + LOOP_BYTES if head[place : place + 3] == LOOP_START else place


def _insert(file: BinaryIO, place: int, data: bytes) -> None:
    """Inserts bytes, moving a piece of the file at a time, from its end on."""
    end = file.seek(0, os.SEEK_END)
    while end > place:
        start = max(place, end - MOVED_BYTES)
        file.seek(start)
        piece = file.read(end - start)
        file.seek(start + len(data))
        file.write(piece)
        end = start
    file.seek(place)
    file.write(data)
    file.seek(0)
