"""How a PNG lies, which its chunks tell in three ways, and before or behind the pixels: EXIF, EXIF in a text, XMP."""

import contextlib
import zlib

from quickthumb.imaging.formats.exif import MOST_BYTES, told_by_exif, told_by_raw_profile, told_by_xmp

XMP = b"XML:com.adobe.xmp"
RAW_EXIF = b"Raw profile type exif"
# The chunks that may say how the picture lies, and how many blocks are read at most: one is usual.
TELLING = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})
MOST_BLOCKS = 4


class Told:
    """What chunks say of the orientation. As in Pillow, EXIF counts first, then EXIF in a text, then XMP."""

    def __init__(self) -> None:
        self._exif: int | None = None
        self._raw: int | None = None
        self._xmp: int | None = None
        self._left = MOST_BLOCKS

    def wants(self, name: bytes, length: int) -> int:
        """How many bytes of a chunk tell."""
        return min(length, MOST_BYTES) if self._left and name in TELLING else 0

    def take(self, name: bytes, content: bytes) -> None:
        """Takes the first bytes of a chunk, as many as `wants` says."""
        key, _, text = content.partition(b"\0")
        if name == b"eXIf":
            self._exif = told_by_exif(content)
        elif key == XMP:
            *_, packet = text[2:].split(b"\0", 2)  # behind two flags, a language and a translated key
            self._xmp = told_by_xmp(_unpacked(packet) if text[:1] == b"\1" else packet)
        elif key == RAW_EXIF:
            self._raw = told_by_raw_profile(_unpacked(text[1:]) if name == b"zTXt" else text)
        else:
            return
        self._left -= 1

    @property
    def orientation(self) -> int | None:
        return self._exif or self._raw or self._xmp


def _unpacked(data: bytes) -> bytes:
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj().decompress(data, 2 * MOST_BYTES)
    return b""
