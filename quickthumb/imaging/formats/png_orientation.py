"""How a PNG lies, which its chunks tell in three ways, and before or behind the pixels: EXIF, EXIF in a text, XMP."""

import contextlib
import zlib

from quickthumb.imaging.formats.exif import MOST_BYTES, told_by_exif, told_by_xmp
from quickthumb.imaging.formats.png_chunks import CHECKSUM_BYTES

XMP = b"XML:com.adobe.xmp"
RAW_EXIF = b"Raw profile type exif"
# The chunks that may say how the picture lies, and how many blocks are read at most: one is usual.
TELLING = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})
MOST_BLOCKS = 4


class Told:
    """What chunks say of the orientation. As in Pillow, EXIF counts first, then EXIF in a text, then XMP.

    Of several chunks of EXIF, only the first counts, and of several texts the last: the others are not seen by the
    decoder, or forgotten. Nor does it see those with a wrong checksum.
    """

    def __init__(self) -> None:
        self._exif: bytes | None = None
        self._raw = self._xmp = b""
        self._left = MOST_BLOCKS

    def wants(self, name: bytes, length: int) -> int:
        """How many bytes of a chunk tell, its checksum among them."""
        return min(length + CHECKSUM_BYTES, MOST_BYTES) if self._left and name in TELLING else 0

    def take(self, name: bytes, length: int, start: bytes) -> None:
        """Takes the first bytes of a chunk, as many as `wants` says."""
        content = start[:length]
        if name == b"eXIf" and self._exif is not None:
            return
        key, _, text = content.partition(b"\0")
        is_told = name == b"eXIf" or key in (XMP, RAW_EXIF)
        self._left -= is_told
        if not is_told or not _is_intact(name, length, start):
            self._exif = b"" if name == b"eXIf" else self._exif
        elif name == b"eXIf":
            self._exif = content
        elif key == XMP:
            *_, packet = text[2:].split(b"\0", 2)  # behind two flags, a language and a translated key
            self._xmp = _unpacked(packet) if text[:1] == b"\1" else packet
        else:
            self._raw = unwrapped((_unpacked(text[1:]) if name == b"zTXt" else text).decode("latin-1"))

    @property
    def orientation(self) -> int | None:
        if not (self._exif or self._raw or self._xmp):
            return None
        return told_by_exif(self._exif or self._raw) or told_by_xmp(self._xmp)


def unwrapped(text: str) -> bytes:
    """The block that a text of the kind "Raw profile type …" holds, as ImageMagick writes it: a name, a length, and
    hexadecimal digits, behind which some programs let other bytes follow. Empty if the text is damaged."""
    parts = text.split(maxsplit=2)
    try:
        return bytes.fromhex("".join(parts[2].split())[: 2 * int(parts[1])]) if len(parts) == 3 else b""
    except ValueError:
        return b""


def _is_intact(name: bytes, length: int, start: bytes) -> bool:
    """Whether the checksum of a chunk is right, if the bytes that were taken reach to it."""
    if len(start) < length + CHECKSUM_BYTES:
        return True
    return zlib.crc32(start[:length], zlib.crc32(name)) == int.from_bytes(start[length:], "big")


def _unpacked(data: bytes) -> bytes:
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj().decompress(data, 2 * MOST_BYTES)
    return b""
