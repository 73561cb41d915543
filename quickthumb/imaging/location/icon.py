"""Location in an ICO: in the PNGs that it holds."""

from collections.abc import Iterator

from quickthumb.imaging.formats.ico import ENTRY_BYTES, MOST_ICONS
from quickthumb.imaging.formats.png_chunks import SIGNATURE
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import Bounded, Patch
from quickthumb.imaging.location.png import find_in_chunks


def find_in_ico(window: Bounded) -> Iterator[Patch]:
    """Location in the icons of an ICO. Raises TooInvolved."""
    if window.size < 6:
        return
    count = min(int.from_bytes(window.at(4, 2), "little"), MOST_ICONS, (window.size - 6) // ENTRY_BYTES)
    for number in range(count):
        offset = int.from_bytes(window.at(6 + number * ENTRY_BYTES + 12, 4), "little")
        if offset + len(SIGNATURE) <= window.size and window.at(offset, len(SIGNATURE)) == SIGNATURE:
            yield from find_in_chunks(window, offset)
    yield from find_marked(window, 0, window.size)
