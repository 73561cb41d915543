"""The window through which a header reader reads a file.

A reader asks for bytes by their offset, and never knows whether the file is complete or still arriving: its window
handles missing bytes.
"""

import os
from typing import BinaryIO, Protocol

from quickthumb.model.errors import BrokenImage


class NeedMore(Exception):
    """The bytes that a header reader needs have not arrived yet."""


class Window(Protocol):
    """Random access to the bytes of an image."""

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`.

        Raises NeedMore if they may still arrive, and BrokenImage if they never will. The reader bounds `length`; it
        never passes a length from the file unchecked.
        """

    def ends_before(self, offset: int) -> bool:
        """Whether the image is known to have no byte at `offset`."""


class Prefix:
    """A window on the bytes that have arrived so far; `complete` says that no more will come."""

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
        # Checked first: a 64-bit offset from a file can be larger than the system can seek to.
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
    return BrokenImage("The image is damaged: it ends before its size is given.")
