"""Location in a GIF: in XMP, which stands in it as plain text behind the name of an extension."""

from collections.abc import Iterator

from quickthumb.imaging.location.marks import BLOCK_BYTES, find_marked
from quickthumb.imaging.location.patches import Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import find_in_xmp

NAME = b"\x0bXMP DataXMP"
# What ends the text (XMP specification, part 3): bytes that lead a reader of blocks out of it, wherever it comes in.
TAIL = bytes((1, 0xFF, 0xFE, 0xFD))


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
