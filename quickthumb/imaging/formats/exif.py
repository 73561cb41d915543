"""The orientation of a picture, from EXIF blocks and XMP packets.

Like Pillow, which the engine uses, this reads EXIF first, and XMP if EXIF gives no orientation. Damaged data gives no
orientation: the picture then counts as stored upright.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from quickthumb.imaging.formats.row import Header
from quickthumb.imaging.formats.window import NeedMore
from quickthumb.model.errors import BrokenImage

Order = Literal["little", "big"]

UPRIGHT = 1
PREFIX = b"Exif\0\0"
ORIENTATION_TAG = 274
# The TIFF types that hold a whole number of at least two bytes (SHORT, LONG, LONG8), and their sizes in bytes.
WHOLE_NUMBERS = {3: 2, 4: 4, 16: 8}
# A JPEG segment holds no more than this, and the orientation is near the start.
MOST_BYTES = 64 * 1024
ENTRY_BYTES = 12

_ORDERS: dict[bytes, Order] = {b"II*\0": "little", b"MM\0*": "big"}
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def told_by_exif(block: bytes) -> int | None:
    """The orientation in an EXIF block, 1 … 8 (Exif 2.32, tag 0x0112).

    None if the block gives no orientation, so that XMP decides; 1 if the block or its orientation is invalid.
    """
    data = block[:MOST_BYTES].removeprefix(PREFIX).removeprefix(PREFIX)
    if not data:
        return None
    order = _ORDERS.get(data[:4])
    return UPRIGHT if order is None else _told_by_directory(data, order)


def is_damaged(block: bytes) -> bool:
    """Whether a block cannot be read at all. One that holds nothing can be: some programs write such blocks."""
    data = block.removeprefix(PREFIX).removeprefix(PREFIX)
    order = _ORDERS.get(data[:4])
    if order is None:
        return bool(data)
    start = int.from_bytes(data[4:8], order)
    count = data[start : start + 2]
    return len(count) < 2 or (any(count) and len(data) < start + 2 + ENTRY_BYTES)


def told_by_xmp(packet: bytes) -> int:
    """The orientation in an XMP packet, 1 … 8; 1 if it gives none."""
    match = _XMP_ORIENTATION.search(packet[:MOST_BYTES])
    return sensible([int(match[1])]) if match else UPRIGHT


def sensible(told: list[int]) -> int:
    """The first of these values if it is an orientation, 1 … 8; 1 for anything else, as in browsers."""
    return told[0] if told and 1 <= told[0] <= 8 else UPRIGHT


def turned(header: Header, read: Callable[[], int]) -> Header:
    """The header with the orientation that `read` finds; with 1 if its bytes are damaged. If they have not arrived yet,
    the header says so.

    For formats that store the orientation behind the size. The size must not wait for the orientation: an image that is
    too large is refused as soon as its size is known.
    """
    try:
        found = read()
    except NeedMore:
        return replace(header, awaits_orientation=True)
    except BrokenImage:
        return header
    return header if found == header.orientation else replace(header, orientation=found)


def whole_numbers(entry: bytes, order: Order, widths: dict[int, int]) -> list[int]:
    """The values of one entry of a TIFF directory: two bytes of tag, two of type, the count, the values.

    Empty if the entry holds anything but whole numbers, or so many that they are stored elsewhere. `widths` maps the
    allowed types to the size of a value in bytes.
    """
    count_bytes = (len(entry) - 4) // 2
    width = widths.get(int.from_bytes(entry[2:4], order), 0)
    count = int.from_bytes(entry[4 : 4 + count_bytes], order)
    if width * count > count_bytes:
        return []
    values = entry[4 + count_bytes :][: width * count]
    return [int.from_bytes(values[at : at + width], order) for at in range(0, len(values), width or 1)]


def _told_by_directory(data: bytes, order: Order) -> int | None:
    start = int.from_bytes(data[4:8], order)
    first = start + 2
    count = int.from_bytes(data[start:first], order)
    for at in range(first, min(first + count * ENTRY_BYTES, len(data) - ENTRY_BYTES + 1), ENTRY_BYTES):
        if int.from_bytes(data[at : at + 2], order) == ORIENTATION_TAG:
            return sensible(whole_numbers(data[at : at + ENTRY_BYTES], order, WHOLE_NUMBERS))
    return None
