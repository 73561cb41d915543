"""Files made of parts of another file and of other bytes: decoders read them as if they had been written so."""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

# A part of a file (the offset in it, and the number of bytes), or other bytes.
Part = tuple[int, int] | bytes
Parts = Sequence[Part]


class _Splice(io.RawIOBase):
    def __init__(self, file: BinaryIO, parts: Parts) -> None:
        super().__init__()
        self._file = file
        self._parts = parts
        self._starts = [0, *accumulate(map(_length, parts))]
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
        read = self._read(self._parts[index], self._at - self._starts[index], len(buffer))
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)

    def _read(self, part: Part, within: int, most: int) -> bytes:
        if isinstance(part, bytes):
            return part[within : within + most]
        offset, length = part
        self._file.seek(offset + within)
        return self._file.read(min(most, length - within))

    def close(self) -> None:
        self._file.close()
        super().close()


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1]


def splice(file: BinaryIO, parts: Parts) -> BinaryIO:
    """A readable file that consists of those parts of `file`, in that order, none of which is copied, and of the other
    bytes between them. Closing it closes `file`."""
    return cast("BinaryIO", io.BufferedReader(_Splice(file, [part for part in parts if _length(part) > 0])))


@dataclass(frozen=True, slots=True)
class Patched:
    """The file at `path` from `begin` on, with `head` before it and `tail` behind it.

    `reason` says in a sentence why the file was patched, for the receipt.
    """

    path: Path
    head: bytes = b""
    begin: int = 0
    tail: bytes = b""
    reason: str = ""

    def with_tail(self, tail: bytes) -> "Patched":
        return replace(self, tail=tail)

    def open(self) -> BinaryIO:
        file = cast("BinaryIO", self.path.open("rb", buffering=0))
        length = max(0, os.fstat(file.fileno()).st_size - self.begin)
        return splice(file, (self.head, (self.begin, length), self.tail))
