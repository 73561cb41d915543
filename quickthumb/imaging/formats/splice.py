"""A file seen without some of its parts, so that a decoder does not meet them. Nothing is copied."""

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO, cast

# The parts that are seen, in order: (offset in the file, number of bytes).
Parts = Sequence[tuple[int, int]]


class _Splice(io.RawIOBase):
    def __init__(self, file: BinaryIO, parts: Parts) -> None:
        super().__init__()
        self._file = file
        self._parts = parts
        self._starts = [0, *accumulate(length for _, length in parts)]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Reads to the end of the current part at most, as raw files may."""
        index = bisect_right(self._starts, self._at) - 1
        if index >= len(self._parts):
            return 0
        within = self._at - self._starts[index]
        offset, length = self._parts[index]
        self._file.seek(offset + within)
        read = self._file.read(min(len(buffer), length - within))
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)

    def close(self) -> None:
        self._file.close()
        super().close()


def splice(file: BinaryIO, parts: Parts) -> BinaryIO:
    """A readable file that consists of those parts of `file`. Closing it closes `file`. No part is empty."""
    return cast("BinaryIO", io.BufferedReader(_Splice(file, parts)))
