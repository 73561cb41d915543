"""Sizes that must be known before Pillow opens a file.

Opening a WebP allocates its whole canvas, and opening an ICO decodes its largest picture: a file of 34 bytes can take
a gigabyte before anybody could look at its size. Both are read from the first bytes here.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from quickthumb.model.errors import TooManyPixels
from quickthumb.model.limits import Limits

_HEAD_BYTES = 64
_PNG = b"\x89PNG\r\n\x1a\n"


def check(source: Path, limits: Limits) -> bytes:
    """The first bytes of a file, after a look at what they tell of its size.

    Raises TooManyPixels where a WebP's canvas or a picture of an ICO has more pixels than are accepted.
    """
    with source.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        for width, height in (*_webp(head), *_icons(head, file)):
            check_pixels(width, height, 1, limits)
    return head


def check_pixels(width: int, height: int, frames: int, limits: Limits) -> None:
    """Raises TooManyPixels for more than `limits.max_pixels` of all frames together."""
    if width * height * frames > limits.max_pixels:
        size = f"{width} × {height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise TooManyPixels(f"The image has {size}; at most {limits.max_pixels} pixels are accepted.")


def _webp(head: bytes) -> list[tuple[int, int]]:
    """The canvas of a WebP (RFC 9649, sections 2.5 to 2.7)."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return []
    if head[12:16] == b"VP8X":
        return [(int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)]
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return [((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)]
    width, height = struct.unpack_from("<HH", head, 26)
    return [(width & 0x3FFF, height & 0x3FFF)]


def _icons(head: bytes, file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The pictures of an ICO, as their own headers (PNG or bitmap) have it, whatever the directory says."""
    if head[:4] != b"\0\0\1\0":
        return
    for entry in range(int.from_bytes(head[4:6], "little")):
        file.seek(18 + 16 * entry)
        file.seek(int.from_bytes(file.read(4), "little"))
        picture = file.read(24)
        if len(picture) < 24:
            continue
        if picture.startswith(_PNG):
            width, height = struct.unpack_from(">II", picture, 16)
        else:
            width, height = struct.unpack_from("<ii", picture, 4)
            height //= 2  # the picture and, below it, its mask
        yield abs(width), abs(height)
