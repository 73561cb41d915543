"""A window on data that lies in several pieces of a file."""

from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

# The offset and the length of each piece.
Ranges = list[tuple[int, int]]


class Pieces:
    """A window on the pieces, as if they followed each other."""

    def __init__(self, window: Window, ranges: Ranges) -> None:
        self._window = window
        self._ranges = ranges
        self.length = sum(length for _, length in ranges)

    def at(self, offset: int, length: int) -> bytes:
        found = b""
        for start, available in self._ranges:
            taken = min(available - offset, length - len(found))
            if taken > 0:
                found += self._window.at(start + offset, taken)
                offset = 0
            else:
                offset -= available
        if len(found) < length:
            raise BrokenImage("The image is damaged: its data ends too early.")
        return found

    def ends_before(self, offset: int) -> bool:
        return offset >= self.length
