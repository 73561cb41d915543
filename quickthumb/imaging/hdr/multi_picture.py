"""The index of a JPEG file with several pictures: where each of them is (CIPA DC-007, Multi-Picture Format).

The index is a TIFF directory in an APP2 segment of the first picture. Its offsets count from the start of that TIFF.
"""

import struct
from typing import Literal

from quickthumb.imaging.formats.exif import ENTRY_BYTES
from quickthumb.imaging.hdr.segments import APP2, MULTI_PICTURE, written

Place = tuple[int, int]  # the offset of a picture in the file, and its length

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_VERSION, _COUNT, _ENTRIES = 0xB000, 0xB001, 0xB002
_PICTURE_BYTES = 16
# More pictures than a file has that combines a photo with its previews, its depth and its gain map.
_MOST_PICTURES = 16
# The attribute of an entry: "Baseline MP Primary Image".
_PRIMARY = 0x030000
# Behind the name of the segment: the TIFF header, a directory of three entries, and the entries of two pictures.
_HEADER_BYTES = 8
_INDEX_BYTES = _HEADER_BYTES + 2 + 3 * ENTRY_BYTES + 4 + 2 * _PICTURE_BYTES
SEGMENT_BYTES = 4 + len(MULTI_PICTURE) + _INDEX_BYTES


def other_pictures(index: bytes, start: int) -> list[Place]:
    """Where the pictures after the first are, as an index says that begins at `start` of the file; it may say nonsense.

    Empty if the index is damaged.
    """
    order = _ORDERS.get(index[:4])
    if order is None:
        return []
    directory = int.from_bytes(index[4:8], order)
    count = int.from_bytes(index[directory : directory + 2], order)
    for at in range(directory + 2, min(directory + 2 + count * ENTRY_BYTES, len(index)), ENTRY_BYTES):
        entry = index[at : at + ENTRY_BYTES]
        if int.from_bytes(entry[:2], order) == _ENTRIES:
            length, place = int.from_bytes(entry[4:8], order), int.from_bytes(entry[8:12], order)
            return _places(index[place : place + length], start, order)
    return []


def _places(entries: bytes, start: int, order: Literal["little", "big"]) -> list[Place]:
    places = []
    most = min(len(entries) - _PICTURE_BYTES + 1, (_MOST_PICTURES + 1) * _PICTURE_BYTES)
    for at in range(_PICTURE_BYTES, most, _PICTURE_BYTES):
        length, offset = (int.from_bytes(entries[at + field : at + field + 4], order) for field in (4, 8))
        if offset:
            places.append((start + offset, length))
    return places


def index_segment(before: int, first_bytes: int, second_bytes: int) -> bytes:
    """The segment that indexes two pictures, of `first_bytes` (this segment among them) and `second_bytes`, the second
    right behind the first. `before` is the number of bytes before the segment."""
    distance = first_bytes - before - 4 - len(MULTI_PICTURE)
    directory = struct.pack(
        ">HHHI4sHHIIHHIII",
        3,
        *(_VERSION, 7, 4, b"0100"),
        *(_COUNT, 4, 1, 2),
        *(_ENTRIES, 7, 2 * _PICTURE_BYTES, _INDEX_BYTES - 2 * _PICTURE_BYTES),
        0,  # there is no other directory
    )
    first = struct.pack(">IIIHH", _PRIMARY, first_bytes, 0, 0, 0)
    second = struct.pack(">IIIHH", 0, second_bytes, distance, 0, 0)
    return written(APP2, MULTI_PICTURE + b"MM\0*" + _HEADER_BYTES.to_bytes(4, "big") + directory + first + second)
