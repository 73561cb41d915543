"""Files that describe their colors without a profile: PNGs with chunks, and AVIFs with code points."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

SIGNATURE_AND_HEADER = 8 + 8 + 13 + 4


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return chunk(b"cICP", bytes((primaries, transfer, matrix, full_range)))


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chromaticities(*numbers: float) -> bytes:
    """White, red, green and blue, each as x and y."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in numbers)))


def png(picture: Image.Image, *chunks: bytes, **options: Any) -> bytes:
    """A PNG of the picture with more chunks behind its header."""
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    data = file.getvalue()
    return data[:SIGNATURE_AND_HEADER] + b"".join(chunks) + data[SIGNATURE_AND_HEADER:]


def avif(picture: Image.Image, primaries: int, transfer: int, **options: Any) -> bytes:
    """An AVIF of the picture, of best quality, with those code points in place of its encoder's own."""
    file = io.BytesIO()
    picture.save(file, "AVIF", **{"quality": 100, "subsampling": "4:4:4", "speed": 10, **options})
    before, *others = file.getvalue().split(b"colrnclx")
    assert others
    return b"colrnclx".join((before, *(struct.pack(">HH", primaries, transfer) + other[4:] for other in others)))
