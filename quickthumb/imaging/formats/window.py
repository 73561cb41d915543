"""What a reader looks through, and what it finds.

A reader asks for bytes by their place in the file and never knows whether it reads a finished file or the beginning of
one that is still arriving: the window it is given knows what to do where bytes are missing.
"""

import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from quickthumb.model.errors import BrokenImage


class NeedMore(Exception):
    """The bytes that decide have not arrived yet."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself: its format, its size in pixels as stored, and its orientation.

    `orientation` is EXIF's, 1 … 8; 1 where none is told, or where it had not arrived when the size had. Formats that
    tell it before the size (JPEG, TIFF) always have it.
    """

    format: str
    width: int
    height: int
    orientation: int = 1

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise BrokenImage(f"The image is damaged: its header says {self.width} × {self.height} pixels.")

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height in pixels once the picture is turned upright."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


class Window(Protocol):
    """Random access to the bytes of an image."""

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`.

        Raises NeedMore if they may still arrive and BrokenImage if they never will. `length` comes from the reader,
        not from the file, so that it is bounded.
        """

    def ends_before(self, offset: int) -> bool:
        """Whether the image is known to have no byte at `offset`."""


class Prefix:
    """A window on the bytes that have arrived; `complete` says that there will be no more."""

    def __init__(self, data: bytes | bytearray | memoryview, complete: bool) -> None:
        self._data = data
        self._complete = complete

    def at(self, offset: int, length: int) -> bytes:
        found = bytes(self._data[offset : offset + length])
        if len(found) == length:
            return found
        if self._complete:
            raise _ends_early()
        raise NeedMore

    def ends_before(self, offset: int) -> bool:
        return self._complete and offset >= len(self._data)


class Seeking:
    """A window on an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)

    def at(self, offset: int, length: int) -> bytes:
        # Compared first: a 64-bit offset out of a file can be more than the system lets one seek to.
        if offset + length > self._size:
            raise _ends_early()
        self._file.seek(offset)
        found = self._file.read(length)
        if len(found) < length:
            raise _ends_early()
        return found

    def ends_before(self, offset: int) -> bool:
        return offset >= self._size


def _ends_early() -> BrokenImage:
    return BrokenImage("The image is damaged: it ends before its size is told.")
