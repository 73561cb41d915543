"""Location in a WebP: in its chunks of EXIF and XMP, which follow the pixels."""

from collections.abc import Iterator

from quickthumb.imaging.formats.webp import CHUNKS_START
from quickthumb.imaging.location.exif import find_in_exif
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import find_in_xmp


def find_in_webp(window: Bounded) -> Iterator[Patch]:
    """Location in a WebP. Raises TooInvolved."""
    offset = CHUNKS_START
    while offset + 8 <= window.size:
        head = window.at(offset, 8)
        # A chunk may be cut.
        length = min(int.from_bytes(head[4:], "little"), window.size - offset - 8)
        content = Stretch(window, [(offset + 8, length)])
        if head[:4] == b"EXIF":
            yield from find_in_exif(content)
        elif head[:4] == b"XMP ":
            yield from find_in_xmp(content)
        elif head[:4] not in (b"VP8 ", b"VP8L", b"VP8X", b"ANMF", b"ALPH", b"ANIM"):
            yield from find_marked(window, offset + 8, offset + 8 + length)
        offset += 8 + length + length % 2
    yield from find_marked(window, min(offset, window.size), window.size)
