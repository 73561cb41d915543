"""The chunk cICP of a PNG (PNG 3rd edition, 11.3.2.6), which Pillow does not read."""

import zlib

from quickthumb.imaging.formats.code_points import UNUSABLE, CodePoints
from quickthumb.imaging.formats.window import Window

# The offset behind the signature and the first chunk: length and name, 13 bytes, a checksum.
_SECOND_CHUNK = 8 + 8 + 13 + 4
_MOST_CHUNKS = 1024
_CONTENT_BYTES = 4
_RGB, _FULL_RANGE = 0, 1


def read_code_points(window: Window) -> CodePoints | None:
    """What the first chunk cICP before the pixels says; None if there is none.

    UNUSABLE if it is damaged, or says that samples are not RGB in full range: no browser reads these.
    """
    offset = _SECOND_CHUNK
    for _ in range(_MOST_CHUNKS):
        head = window.at(offset, 8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name == b"cICP":
            return _told_by(window.at(offset + 8, _CONTENT_BYTES + 4)) if length == _CONTENT_BYTES else UNUSABLE
        if name in (b"IDAT", b"IEND"):
            return None
        offset += 8 + length + 4
    return None


def _told_by(content: bytes) -> CodePoints:
    numbers, checksum = content[:_CONTENT_BYTES], int.from_bytes(content[_CONTENT_BYTES:], "big")
    primaries, transfer, matrix, full_range = numbers
    if zlib.crc32(b"cICP" + numbers) != checksum or (matrix, full_range) != (_RGB, _FULL_RANGE):
        return UNUSABLE
    return CodePoints(primaries, transfer, outranks_profile=True)
