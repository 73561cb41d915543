"""The orientation of a picture, as EXIF blocks and XMP packets tell it.

Like Pillow, which the engine asks, this looks into EXIF first and into XMP where EXIF says nothing. Whatever is damaged
tells no orientation: the picture is then taken to lie as it is stored.
"""

import re
from collections.abc import Callable
from typing import Literal

from quickthumb.imaging.formats.row import NeedMore
from quickthumb.model.errors import BrokenImage

Order = Literal["little", "big"]

UPRIGHT = 1
PREFIX = b"Exif\0\0"
ORIENTATION_TAG = 274
# Bytes of one value, for the types of TIFF that hold a whole number of at least two bytes: SHORT, LONG, LONG8.
WHOLE_NUMBERS = {3: 2, 4: 4, 16: 8}
# A JPEG segment holds no more, and an orientation stands at the start.
MOST_BYTES = 64 * 1024
ENTRY_BYTES = 12

_ORDERS: dict[bytes, Order] = {b"II*\0": "little", b"MM\0*": "big"}
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def told_by_exif(block: bytes) -> int | None:
    """The orientation of an EXIF block, 1 … 8 (Exif 2.32, tag 0x0112).

    None where the block says nothing of it, so that XMP decides; 1 where it makes no sense.
    """
    data = block[:MOST_BYTES].removeprefix(PREFIX).removeprefix(PREFIX)
    if not data:
        return None
    order = _ORDERS.get(data[:4])
    return UPRIGHT if order is None else _told_by_directory(data, order)


def told_by_xmp(packet: bytes) -> int:
    """The orientation that an XMP packet tells, 1 … 8; 1 where it tells none."""
    match = _XMP_ORIENTATION.search(packet[:MOST_BYTES])
    return sensible([int(match[1])]) if match else UPRIGHT


def sensible(told: list[int]) -> int:
    """The first of these values if it is an orientation, 1 … 8; 1 for anything else, as browsers have it."""
    return told[0] if told and 1 <= told[0] <= 8 else UPRIGHT


def if_arrived(read: Callable[[], int]) -> int:
    """The orientation that `read` finds, or 1 where its bytes have not arrived yet or make no sense.

    For formats that tell the orientation behind the size: an image must be refused as soon as its size is known.
    """
    try:
        return read()
    except (NeedMore, BrokenImage):
        return UPRIGHT


def whole_numbers(entry: bytes, order: Order, widths: dict[int, int]) -> list[int]:
    """The values of one entry of a TIFF directory: two bytes of tag, two of type, the count, the values.

    Empty where the entry holds anything but whole numbers, or so many that they stand elsewhere. `widths` are the
    allowed types, with the bytes of a value.
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
