"""What a PNG says in its chunks before and behind the pixels: EXIF, texts, and blocks that programs store as texts.

Reads the file itself: Pillow does not tell how a text was encoded, and forgets chunks behind an animation. Chunks with
a wrong checksum are passed over.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from quickthumb.imaging.formats.exif import PREFIX
from quickthumb.imaging.formats.png import RAW_PROFILE, unwrapped
from quickthumb.imaging.formats.png_chunks import CHECKSUM_BYTES, Chunk, read_chunks
from quickthumb.imaging.formats.png_orientation import XMP

# What all texts of a file together may unfold to, and the longest chunk that is read.
MOST_TEXT_BYTES = 4 * 1024 * 1024
_METERS_PER_INCH = 0.0254
# The registered keywords that tell who owns the picture.
AUTHOR, COPYRIGHT = "Author", "Copyright"
RIGHTS = (AUTHOR, COPYRIGHT)


@dataclass(slots=True)
class Texts:
    """What the chunks of one PNG say. `raw` are the blocks that were stored as texts, by their lowercase kinds."""

    exif: bytes = b""
    xmp: bytes = b""
    texts: list[tuple[str, str]] = field(default_factory=list)
    raw: dict[str, bytes] = field(default_factory=dict)
    resolution: tuple[float, float] | None = None
    left_bytes: int = MOST_TEXT_BYTES
    too_large: bool = False

    def add_text(self, keyword: str, text: str) -> None:
        """Adds a text, or the block that it stands for."""
        if keyword == XMP.decode():
            self.xmp = self.xmp or text.encode()
        elif keyword.startswith(RAW_PROFILE):
            self.raw.setdefault(keyword.removeprefix(RAW_PROFILE).lower(), unwrapped(text))
        elif keyword:
            self.texts.append((keyword, text))

    def unfolded(self, packed: bytes) -> bytes | None:
        """What a compressed text unfolds to; None if it is damaged or too large."""
        try:
            # One more than may be left, which may be nothing: of 0 bytes, zlib would make as many as there are.
            found = zlib.decompressobj().decompress(packed, self.left_bytes + 1)
        except zlib.error:
            return None
        if len(found) > self.left_bytes:
            self.too_large = True
            return None
        self.left_bytes -= len(found)
        return found


def read(file: BinaryIO) -> Texts:
    """Reads all chunks of an open, unbuffered PNG, as far as it goes. Raises what `read_chunks` raises."""
    found = Texts()
    for chunk in read_chunks(file):
        if chunk.name in _READERS:
            _read_chunk(file, found, chunk)
    return found


def _read_chunk(file: BinaryIO, found: Texts, chunk: Chunk) -> None:
    if chunk.length > found.left_bytes:
        found.too_large = True
        return
    file.seek(chunk.content_start)
    content, checksum = file.read(chunk.length), file.read(CHECKSUM_BYTES)
    if zlib.crc32(content, zlib.crc32(chunk.name)) == int.from_bytes(checksum, "big"):
        found.left_bytes -= chunk.length
        _READERS[chunk.name](found, content)


def _read_exif(found: Texts, content: bytes) -> None:
    found.exif = PREFIX + content


def _read_resolution(found: Texts, content: bytes) -> None:
    across, down = int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big")
    if content[8:9] == b"\1" and across and down:
        found.resolution = across * _METERS_PER_INCH, down * _METERS_PER_INCH


def _read_plain(found: Texts, content: bytes) -> None:
    keyword, _, text = content.partition(b"\0")
    found.add_text(keyword.decode("latin-1"), text.decode("latin-1"))


def _read_compressed(found: Texts, content: bytes) -> None:
    keyword, _, packed = content.partition(b"\0")
    if packed[:1] == b"\0" and (text := found.unfolded(packed[1:])) is not None:
        found.add_text(keyword.decode("latin-1"), text.decode("latin-1"))


def _read_international(found: Texts, content: bytes) -> None:
    keyword, _, rest = content.partition(b"\0")
    parts = rest[2:].split(b"\0", 2)
    if len(parts) == 3:
        text = found.unfolded(parts[2]) if rest[:2] == b"\1\0" else parts[2]
        if text is not None:
            found.add_text(keyword.decode("latin-1"), text.decode("utf-8", "replace"))


_READERS: dict[bytes, Callable[[Texts, bytes], None]] = {
    b"eXIf": _read_exif,
    b"pHYs": _read_resolution,
    b"tEXt": _read_plain,
    b"zTXt": _read_compressed,
    b"iTXt": _read_international,
}
