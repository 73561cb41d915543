"""Location in a GIF: in XMP, which stands in it as plain text behind the name of an extension."""

from collections.abc import Iterator

from quickthumb.imaging.formats.gif_xmp import TRAILER, XMP_EXTENSION
from quickthumb.imaging.location.marks import BLOCK_BYTES, find_marked
from quickthumb.imaging.location.patches import Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import find_in_xmp

# How an extension with XMP begins, and how that goes on behind the packet.
NAME, TAIL = XMP_EXTENSION[2:], TRAILER[:4]


def find_in_gif(window: Bounded) -> Iterator[Patch]:
    """Location in a GIF. Raises TooInvolved."""
    at = _find(window, NAME, 0)
    while at < window.size:
        start = at + len(NAME)
        end = _find(window, TAIL, start)
        yield from find_in_xmp(Stretch(window, [(start, end - start)]))
        at = _find(window, NAME, start)
    yield from find_marked(window, 0, window.size)


def _find(window: Bounded, wanted: bytes, start: int) -> int:
    """Where these bytes are; the size of the file if they are nowhere."""
    for offset in range(start, window.size, BLOCK_BYTES):
        at = window.at(offset, min(BLOCK_BYTES + len(wanted) - 1, window.size - offset)).find(wanted)
        if at >= 0:
            return offset + at
    return window.size
